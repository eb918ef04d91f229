"""The engine's sentences for who sits at the window: with what it has in the place of a shell."""

from __future__ import annotations

from lungscan.errors import without_flags

ADAPTING = "Case > Adapt a model to your own slides"


def at_the_window(text: str) -> str:
    """The same sentence without flags and commands of a shell."""
    return without_flags(text.replace("(lungscan adapt)", f"({ADAPTING})"))
