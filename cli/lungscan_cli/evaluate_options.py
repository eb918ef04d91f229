"""What the commands ``evaluate`` and ``compare`` share: their options, and a first word."""

from __future__ import annotations

import click

from lungscan_cli.choices import (
    ENVIRONMENT_NOTE,
    FILE,
    MICROMETRES,
    F,
    answer_options,
    data_argument,
    device_option,
)

EPILOG = (
    "Exit codes: 0 fine, 1 some fields could not be read, 2 wrong usage, 3 nothing to do, "
    f"4 model, 5 machine, 130 interrupted. {ENVIRONMENT_NOTE}"
)


def announce(*, quiet: bool) -> None:
    """Say that something happens, before the slow imports."""
    from lungscan_cli.console import people, say

    if not quiet:
        say(people(), "Looking for fields and loading the model ...", style="dim")


def data_options(command: F) -> F:
    """Add DATA, ``--split``, ``--part``, ``--groups`` and ``--mpp``."""
    decorators = (
        data_argument,
        click.option(
            "--split",
            metavar="FILE",
            type=FILE,
            show_default="the whole folder",
            help="Split file: CSV with the columns file,label,group,part.",
        ),
        click.option(
            "--part",
            type=click.Choice(["train", "validation", "test"]),
            default="test",
            help="Which part of the split file is judged.",
        ),
        click.option(
            "--groups",
            metavar="CSV",
            type=FILE,
            show_default="those of --split, else groups.csv in DATA",
            help="CSV with the columns file,group: which pictures show the same tissue.",
        ),
        click.option(
            "--mpp",
            type=MICROMETRES,
            show_default="what the file says, else the model's scale",
            help="µm per pixel, for fields that do not say.",
        ),
    )
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


def judging_options(command: F) -> F:
    """Add ``--seed``, ``--device``, ``--json`` and ``--quiet``."""
    seed_option = click.option(
        "--seed", type=click.IntRange(0), default=0, help="Of the bootstrap."
    )
    return seed_option(device_option(answer_options(command)))
