"""The engine's sentences for who sits at the window: with what it has in the place of a shell."""

from __future__ import annotations

import sys

from lungscan.errors import without_flags

ADAPTING = "Case > Adapt a model to your own slides"


def at_the_window(text: str) -> str:
    """The same sentence without flags and commands of a shell."""
    text = text.replace("(lungscan adapt)", f"({ADAPTING})")
    return without_flags(text.replace("have the reports written again", "analyse again"))


def as_typed(text: str) -> str:
    """A text with its keys as they are called here: on macOS Qt means Cmd where it says Ctrl."""
    if sys.platform == "darwin":
        return text.replace("Ctrl+", "Cmd+").replace("Alt+", "Option+")
    return text
