"""What explanations take from inside the engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lungscan.types import CaseResult, Explanation

SCALE_PX = 560  # width of the colour scale: two pixels for each of the screen's


@dataclass(frozen=True, slots=True)
class ExplainedTile:
    """A tile beside its cells, as the report draws them."""

    explanation: Explanation
    png: bytes
    caption: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Explained:
    """All that is shown of a case's explanations."""

    tiles: tuple[ExplainedTile, ...]
    scale_png: bytes  # of the colours, with its numbers
    title: str
    sentences: tuple[str, ...]


def explanations(result: CaseResult) -> Explained | None:
    """What was explained of a case; None where nothing was."""
    if not result.explained:
        return None
    from lungscan.report import explained as drawing

    limit = drawing.color_limit(result.explained)
    return Explained(
        tuple(
            ExplainedTile(
                part,
                drawing.png_bytes(drawing.pair_picture(part, limit, zoom=1.4)),
                drawing.caption_of(part, result),
            )
            for part in result.explained
        ),
        drawing.png_bytes(drawing.scale_picture(limit, SCALE_PX, 2)),
        drawing.title(result.explained),
        drawing.sentences(result),
    )


def write_explanation(result: CaseResult, path: Path) -> Path:
    """The picture of all that was explained, as a run writes it. Raises MachineError."""
    from lungscan.report.explained import render_explanation
    from lungscan.results.atomic_files import write_atomic

    write_atomic(path, render_explanation(result), durable=False)
    return path
