"""``lungscan verify``: is everything still as a run left it."""

from __future__ import annotations

from pathlib import Path

import click

from lungscan_cli.choices import (
    ENVIRONMENT_NOTE,
    SETTINGS,
    answer_options,
    complete_model,
    folder_argument,
)
from lungscan_cli.groups import ExamplesCommand


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan verify lungscan-results", "results and model"),
        ("lungscan verify lungscan-results slides/", "and the slides they were made from"),
        ("lungscan verify results --model my-model", "where another model than a shipped one lies"),
    ),
    context_settings=SETTINGS,
    epilog="Exit codes: 0 nothing changed, 1 something changed, 2 wrong usage, 3 no results "
    f"there, 4 unknown model, 6 a run is writing there. {ENVIRONMENT_NOTE}",
)
@folder_argument
@click.argument(
    "inputs",
    metavar="[PATH...]",
    nargs=-1,
    type=click.Path(exists=True, readable=False, path_type=Path),
)
@click.option(
    "--model",
    allow_from_autoenv=False,  # LUNGSCAN_MODEL is meant for the next run
    shell_complete=complete_model,
    show_default="the shipped model that the results name",
    help="A shipped model's name, or a model folder.",
)
@answer_options
def verify(
    *, folder: Path, inputs: tuple[Path, ...], model: str | None, as_json: bool, quiet: bool
) -> int:
    """Hash results, model and images again, and name what changed.

    DIR is the folder given to `lungscan classify --out`, PATH what was given to classify. Results
    keep no absolute paths, so without PATH the images are not compared.
    """
    from lungscan_cli.jobs.verifying import run_verify

    return run_verify(folder, inputs, model, as_json=as_json, quiet=quiet)
