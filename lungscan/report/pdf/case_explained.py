"""The report's section on what an answer depends on."""

from __future__ import annotations

from reportlab.lib.units import mm
from reportlab.platypus import CondPageBreak, Flowable, KeepTogether, Spacer

from lungscan.report.explained import (
    caption_of,
    cells_picture,
    color_limit,
    scale_picture,
    sentences,
    tile_picture,
    title,
)
from lungscan.report.pdf.flowables import Picture, jpeg_bytes, plain_table
from lungscan.report.pdf.kit import WIDTH, Bookmark, paragraph
from lungscan.types import CaseResult, Explanation

_PRINTED_PX = 480  # side of a tile; 220 dots to the inch at its largest
_LARGEST = 55 * mm
_BETWEEN, _INSIDE = 5 * mm, 1.5 * mm


def explained_story(result: CaseResult) -> list[Flowable]:
    """Explained tiles beside their cells, a colour scale, and words; nothing without any."""
    explained = result.explained
    if not explained:
        return []
    name, limit = title(explained), color_limit(explained)
    pair = (WIDTH - (len(explained) - 1) * _BETWEEN) / len(explained)
    side = min((pair - _INSIDE) / 2, _LARGEST)
    columns = [_entry(part, result, limit, side) for part in explained]
    widths = [2 * side + _INSIDE + _BETWEEN] * len(columns)
    bare = ("RIGHTPADDING", (0, 0), (-1, -1), 0)
    scale = Picture(jpeg_bytes(scale_picture(limit, 1200, 3)), 90 * mm, 30 * mm, framed=False)
    story: list[Flowable] = [
        Bookmark(name),
        paragraph(name, "heading"),
        plain_table([columns], widths, None, bare),
        Spacer(0, 3),
        scale,
        *(paragraph(text, "muted") for text in sentences(result)),
    ]
    return [CondPageBreak(side + 36 * mm), KeepTogether(story)]


def _entry(part: Explanation, result: CaseResult, limit: float, side: float) -> list[Flowable]:
    cells = cells_picture(part, limit, _PRINTED_PX, zoom=min(1.4, _LARGEST / side))
    pictures = tile_picture(part, _PRINTED_PX), cells
    row: list[object] = [Picture(jpeg_bytes(picture), side, side) for picture in pictures]
    bare = ("RIGHTPADDING", (0, 0), (-1, -1), 0)
    table = plain_table([row], [side + _INSIDE, side], None, bare)
    words, where = caption_of(part, result)
    return [table, paragraph(words, "small"), paragraph(where, "small-muted")]
