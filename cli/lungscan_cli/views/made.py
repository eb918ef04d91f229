"""What is said of a model that was just made."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from lungscan import RESEARCH_USE
from lungscan.model.card import ModelCard
from lungscan.model.doubt import doubt
from lungscan_cli.console import plain, quoted, say


def say_use(console: Console, folder: Path, card: ModelCard, mpp: float | None = None) -> None:
    """How the model in a folder is used; an unproven one is by a flag alone.

    Args:
        console: where to say it.
        folder: of the model.
        card: its card.
        mpp: of fields that do not say it, as the model was adapted to them.
    """
    flags = "" if mpp is None else f" --mpp {mpp:g}"
    flags += " --unproven" if doubt(card) else ""
    word = quoted(plain(str(folder)))
    say(console, f"Use it with `lungscan classify --model {word}{flags}`.")
    say(console, RESEARCH_USE, style="bold")
