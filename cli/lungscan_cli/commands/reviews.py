"""``lungscan reviews``: what reviewers said, as one table, and how often they agree."""

from __future__ import annotations

from pathlib import Path

import click

from lungscan_cli.choices import (
    ENVIRONMENT_NOTE,
    FILE,
    NEW_FILE,
    SETTINGS,
    answer_options,
    folder_argument,
    out_option,
)
from lungscan_cli.groups import ExamplesCommand


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan reviews results", "all reviews of a run, or of the runs below a folder"),
        ("lungscan reviews results --groups groups.csv", "and whose cases belong together"),
        ("lungscan adapt MODEL images/ --reviews results --out mine", "let a model learn of them"),
    ),
    context_settings=SETTINGS,
    epilog="Exit codes: 0 fine, 1 a review cannot be read, 2 wrong usage, 3 no review there, "
    f"5 machine. {ENVIRONMENT_NOTE}",
)
@folder_argument
@click.option(
    "--groups",
    type=FILE,
    allow_from_autoenv=False,
    show_default="groups.csv in DIR, if it is there",
    help="A table with the columns file,group: which images are of one patient.",
)
@out_option(type=NEW_FILE, show_default="reviews.csv in DIR", help="The table to write.")
@answer_options
def reviews(
    *, folder: Path, groups: Path | None, out: Path | None, as_json: bool, quiet: bool
) -> int:
    """Put reviews into one table, with agreement.

    DIR is the folder of a run, or one that holds several, such as "LungScan results". Agreement is
    told for each model, with its 95 % interval by groups of cases, and never over cases that a
    reviewer could not assess.
    """
    from lungscan_cli.jobs.reviewing import run_reviews

    return run_reviews(folder, groups, out, as_json=as_json, quiet=quiet)
