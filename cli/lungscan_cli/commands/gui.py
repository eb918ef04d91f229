"""``lungscan gui``: the window, where it is installed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click

from lungscan_cli.choices import SETTINGS
from lungscan_cli.groups import ExamplesCommand

WINDOW = "lungscan_gui.main"  # found by name: the two front ends do not know each other


@click.command(
    cls=ExamplesCommand,
    examples=(
        ("lungscan gui", "open the window"),
        ("lungscan gui slide.svs", "open it on a slide"),
        ("lungscan gui results/", "look at a finished run"),
    ),
    context_settings=SETTINGS,
)
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
def gui(*, files: tuple[Path, ...]) -> int:
    """Open a window to look at slides and classify them."""
    code: int = import_module(WINDOW).start(list(files))
    return code
