"""What the commands ``evaluate`` and ``compare`` share: their options, and a first word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_TABLE = click.Path(exists=True, dir_okay=False, path_type=Path)


def announce(*, quiet: bool) -> None:
    """Say that something happens, before the slow imports."""
    from lungscan_cli.console import people, say

    if not quiet:
        say(people(), "Looking for fields and loading the model ...", style="dim")


def data_options(command: F) -> F:
    """Add DATA, ``--split``, ``--part``, ``--groups`` and ``--mpp``."""
    decorators = (
        click.argument(
            "data",
            metavar="DATA",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
        ),
        click.option(
            "--split",
            metavar="FILE",
            type=_TABLE,
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
            type=_TABLE,
            show_default="those of --split, else groups.csv in DATA",
            help="CSV with the columns file,group: which pictures show the same tissue.",
        ),
        click.option(
            "--mpp",
            type=click.FloatRange(0.05, 10),
            show_default="what the file says, else the model's scale",
            help="µm per pixel, for fields that do not say.",
        ),
    )
    for decorate in reversed(decorators):
        command = decorate(command)
    return command
