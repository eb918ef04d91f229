"""``lungscan data``: look at a data folder, split it without leakage, lay out public data."""

from __future__ import annotations

from pathlib import Path

import click

from lungscan.door import jobs
from lungscan_cli.choices import (
    ENVIRONMENT_NOTE,
    FILE,
    NEW_FILE,
    NEW_FOLDER,
    PLACE,
    SETTINGS,
    folder_argument,
    json_option,
    out_option,
)
from lungscan_cli.groups import ExamplesCommand, LazyGroup

HERE = "lungscan_cli.commands.data"
SOURCE_NAMES = ("lc25000", "iq-oth-nccd", "lunghist700")

groups_option = click.option(
    "--groups",
    type=FILE,
    show_default="DIR/groups.csv where there is one",
    help="Table of file,label,group: which pictures share a patient or tissue.",
)


class Shares(click.ParamType[tuple[float, float, float]]):
    """Three shares in percent, as in ``70,15,15``."""

    name = "shares"

    def convert(
        self,
        value: object,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[float, float, float]:
        """Return the shares of training, validation and test; they sum to 100."""
        if isinstance(value, tuple):
            return value
        try:
            train, validation, test = (float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not three numbers such as 70,15,15.", param, ctx)
        if min(train, validation) <= 0 or test < 0 or abs(train + validation + test - 100) > 0.01:
            self.fail(f"{value!r} does not share out 100 percent.", param, ctx)
        return train, validation, test


@click.group(
    cls=LazyGroup,
    commands_at={
        "audit": f"{HERE}:audit_data",
        "split": f"{HERE}:split_data",
        "get": f"{HERE}:get_data",
    },
    examples=(
        ("lungscan data audit my-data --out audit.html", "classes, broken files, near-duplicates"),
        ("lungscan data split my-data", "deal groups to training, validation and test"),
        ("lungscan data get lc25000", "where a public data set is, and under which terms"),
    ),
    context_settings=SETTINGS,
)
def data() -> None:
    """Look at training data and split it without leakage."""


@click.command(
    "audit",
    cls=ExamplesCommand,
    examples=(
        ("lungscan data audit my-data", "a summary here"),
        ("lungscan data audit my-data --out audit.html", "and a report with pictures of pairs"),
    ),
    context_settings=SETTINGS,
    epilog="Ends with 1 when pictures are broken; the others are audited all the same. "
    + ENVIRONMENT_NOTE,
)
@folder_argument
@groups_option
@out_option(
    type=NEW_FILE,
    show_default="no report",
    help="Report to write, FILE.html or FILE.pdf.",
)
@json_option
def audit_data(*, folder: Path, groups: Path | None, out: Path | None, as_json: bool) -> int:
    """Look at a data folder: classes, sizes, broken files, pictures of the same tissue.

    DIR holds one sub-folder of pictures per class. Near-duplicates (turned, mirrored, cropped,
    recompressed) are found without any table of groups; where there is one, both are compared.
    """
    from lungscan_cli.jobs.data import run_audit

    return run_audit(jobs.AuditOptions(folder, groups, out), as_json=as_json)


@click.command(
    "split",
    cls=ExamplesCommand,
    examples=(
        ("lungscan data split my-data", "by group: given, or found where none are given"),
        ("lungscan data split my-data --protocol random", "as the literature does; it leaks"),
    ),
    context_settings=SETTINGS,
    epilog="The file has the columns file,label,group,part. " + ENVIRONMENT_NOTE,
)
@folder_argument
@groups_option
@click.option(
    "--protocol",
    type=click.Choice(jobs.PROTOCOLS),
    default="grouped",
    help="grouped keeps each group on one side; random deals single pictures.",
)
@click.option(
    "--shares",
    type=Shares(),
    default="70,15,15",
    help="Percent for training, validation and test.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    help="Another seed deals differently; the same deals the same.",
)
@out_option(
    type=NEW_FILE,
    default=Path("split.csv"),
    help="Split file to write.",
)
def split_data(
    *,
    folder: Path,
    groups: Path | None,
    protocol: jobs.Protocol,
    shares: tuple[float, float, float],
    seed: int,
    out: Path,
) -> int:
    """Deal the pictures of a data folder to training, validation and test.

    Groups come from the table of groups; without one, pictures of the same tissue are found first.
    Class by class, so that each part holds every class.
    """
    from lungscan_cli.jobs.data import run_split

    return run_split(jobs.SplitOptions(folder, out, groups, protocol, shares, seed))


@click.command(
    "get",
    cls=ExamplesCommand,
    examples=(
        ("lungscan data get lc25000", "where it is, licence, citation, what to do"),
        ("lungscan data get lc25000 data --archive archive.zip", "lay out what you downloaded"),
    ),
    context_settings=SETTINGS,
    epilog="Nothing is downloaded: each set asks for your own account or consent.",
)
@click.argument("name", metavar="NAME", type=click.Choice(SOURCE_NAMES))
@click.argument(
    "root",
    metavar="[DIR]",
    default=Path(),
    required=False,
    type=NEW_FOLDER,
)
@click.option(
    "--archive",
    type=PLACE,
    show_default="only tell",
    help="The downloaded ZIP file, or the folder that it was unpacked to: check it and lay its "
    "folders out in DIR.",
)
@click.option(
    "--sha256",
    metavar="HEX",
    show_default="not compared",
    help="The SHA-256 that the archive must have.",
)
def get_data(*, name: str, root: Path, archive: Path | None, sha256: str | None) -> int:
    """Say where a public data set is, and lay out its archive once you have it.

    NAME is lc25000, iq-oth-nccd or lunghist700.
    """
    from lungscan_cli.jobs.data_getting import run_get

    return run_get(name, root, archive, sha256)
