"""``lungscan classify``: the main job."""

from __future__ import annotations

from dataclasses import fields
from itertools import zip_longest
from pathlib import Path
from typing import Any, NoReturn

import click

from lungscan.errors import UsageProblem
from lungscan.options import (
    ABSTAIN,
    EXPLAIN_CHOICES,
    MAX_BATCH,
    MAX_OVERLAP,
    MAX_THREADS,
    MAX_TIMEOUT_S,
    PDF_CHOICES,
    RULE_NAMES,
    ScanOptions,
    Shard,
)
from lungscan_cli.choices import (
    ENVIRONMENT_NOTE,
    MICROMETRES,
    SETTINGS,
    device_option,
    json_option,
    model_option,
    quiet_option,
)
from lungscan_cli.groups import ExamplesCommand

DEFAULTS = {field.name: field.default for field in fields(ScanOptions)}


class GivenPath(click.Path):
    """A path that ``--deidentify`` keeps out of messages about it."""

    def fail(
        self, message: str, param: click.Parameter | None = None, ctx: click.Context | None = None
    ) -> NoReturn:
        """End with the message, or with one that names nothing."""
        if ctx is not None and ctx.params.get("deidentify"):  # eager, so that it is known by now
            message = "It does not exist, or is not what is wanted here."
        super().fail(message, param, ctx)


class ShardType(click.ParamType[Shard | None]):
    """``3/8``: the third of eight shards."""

    name = "I/N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Shard | None:
        """Read it; what is amiss is reported as of any other option."""
        if value is None or isinstance(value, Shard):
            return value
        try:
            return Shard.parse(value)
        except UsageProblem as problem:
            self.fail(str(problem), param, ctx)


EXISTING = GivenPath(exists=True, readable=False, path_type=Path)  # the engine says what is amiss


class ClassifyCommand(ExamplesCommand):
    """Lets a path follow ``--explain``, whose value may be left out."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give a bare ``--explain`` the value that it stands for."""
        words = []
        for word, after in zip_longest(args, args[1:]):
            bare = word == "--explain" and after not in EXPLAIN_CHOICES
            words.append("--explain=occlusion" if bare else word)
            if word == "--":
                words += args[len(words) :]
                break
        return super().parse_args(ctx, words)


@click.command(
    cls=ClassifyCommand,
    examples=(
        ("lungscan classify slide.svs", "one slide"),
        ("lungscan classify slides/ fields/ --out results", "all below two folders"),
        ("lungscan classify scan.tif --mpp 0.25", "a scan without a scale"),
        ("lungscan classify series/ --model lung-ct", "chest CT: slices, or DICOM series"),
        ("lungscan classify field.jpg --explain", "and what the answer depends on"),
        ("lungscan classify slides/ --dry-run", "what would be done"),
        ("lungscan classify slides/ --out all --shard 3/8", "the third of eight processes"),
        ("lungscan classify scanner/ --out results --watch", "slides as they are finished"),
    ),
    context_settings=SETTINGS,
    epilog="Exit codes: 0 fine, 1 some inputs failed, 2 wrong usage, 3 nothing to do, 4 model, "
    f"5 machine, 6 output folder in use, 130 interrupted. {ENVIRONMENT_NOTE}",
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=EXISTING)
@click.option(
    "--out",
    "-o",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("lungscan-results"),
    help="Folder for the results; a run that was stopped goes on there.",
)
@model_option
@device_option
@click.option(
    "--mpp",
    type=MICROMETRES,
    show_default="what the file says",
    help="µm per pixel, for images that do not say (usual: 0.25 at 40x, 0.5 at 20x).",
)
@click.option(
    "--pdf",
    type=click.Choice(PDF_CHOICES),
    default=DEFAULTS["pdf"],
    help="PDF reports: of each case and the batch, of the batch only, or none. auto: of each "
    "case for slides and for up to 12 fields.",
)
@click.option(
    "--abstain",
    type=click.Choice(ABSTAIN),
    default=DEFAULTS["abstain"],
    help="When the model should not be trusted: strict gives no result, flag gives the label "
    "with the reason beside it, never gives the label.",
)
@click.option(
    "--rule",
    type=click.Choice(RULE_NAMES),
    default=DEFAULTS["rule"],
    help="How tiles become one answer.",
)
@click.option(
    "--cases",
    metavar="FILE",
    type=GivenPath(exists=True, dir_okay=False, path_type=Path),
    show_default="each file is a case",
    help="CSV with the columns file,case that joins several files to one case.",
)
@click.option(
    "--dry-run", is_flag=True, show_default="off", help="Show the plan; classify nothing."
)
@json_option
@quiet_option
@click.option(
    "--explain",
    type=click.Choice(EXPLAIN_CHOICES),
    is_flag=False,
    flag_value="occlusion",
    default="off",
    help="Show what the answer of a field, or of a slide's surest tiles, depends on: occlusion "
    "(what --explain alone means) blurs cell after cell, some 40 to 65 passes more for a tile; cam "
    "spreads the score over the network's last maps and costs one.",
)
@click.option(
    "--heatmap/--no-heatmap",
    default=True,
    help="Write heatmap.png for slides, and for up to 12 fields.",
)
@click.option("--geojson/--no-geojson", default=True, help="Write tiles.geojson for QuPath.")
@click.option(
    "--dicom-sr",
    is_flag=True,
    show_default="off",
    help="Of DICOM images write the answer as DICOM, too: report.dcm (structured report), and of "
    "slides classes.dcm (segmentation). They hold the patient's name and number.",
)
@click.option(
    "--fresh",
    is_flag=True,
    show_default="off",
    help="Begin anew: forget what an earlier run left in --out.",
)
@click.option(
    "--overlap",
    type=click.FloatRange(0, MAX_OVERLAP),
    default=DEFAULTS["overlap"],
    help="Overlap of neighbouring tiles as a share of their side.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1, MAX_BATCH),
    show_default="chosen for the device",
    help="Tiles per batch.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, MAX_THREADS),
    show_default="every core this process may use",
    help="Threads for reading and for the network.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, MAX_TIMEOUT_S, min_open=True),
    default=DEFAULTS["timeout"],
    help="Seconds that reading a file may stand still before the file is given up.",
)
@click.option(
    "--unproven",
    is_flag=True,
    show_default="off",
    help="Take a model that was not found to be better than chance; every report says so.",
)
@click.option(
    "--deidentify",
    is_flag=True,
    is_eager=True,
    show_default="off",
    help="Show pseudonyms for the names of files, folders and cases, everywhere.",
)
@click.option(
    "--names",
    metavar="FILE",
    type=GivenPath(dir_okay=False, path_type=Path),
    show_default="not written",
    help="With --deidentify: CSV that tells whose pseudonyms they are. Not inside --out.",
)
@click.option(
    "--shard",
    type=ShardType(),
    metavar="I/N",
    show_default="all",
    help="Take the I-th of N shards of the inputs, cut by bytes; the last to finish writes the "
    "tables. All shards share one --out.",
)
@click.option(
    "--cluster",
    metavar="WHERE",
    show_default="this process alone",
    help="Classify on a cluster of dask: the address of its scheduler, local:N for N processes "
    "here, or a TOML file with address and TLS (extra: cluster).",
)
@click.option(
    "--watch",
    is_flag=True,
    show_default="off",
    help="Go on until stopped: take images as they are finished, and keep the tables current.",
)
def classify(*, dry_run: bool, as_json: bool, quiet: bool, **options: Any) -> int:
    """Classify slides, field images or chest CT.

    PATH is a slide, an image, or a folder; folders are searched with all below them. Results go
    to --out: cases.csv, summary.pdf, run.json and one folder per case.
    """
    from lungscan_cli.jobs.scanning import run_scan, show_plan

    chosen = ScanOptions(**options)  # every option bears its field's name
    act = show_plan if dry_run else run_scan
    return act(chosen, as_json=as_json, quiet=quiet)
