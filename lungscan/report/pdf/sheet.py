"""Tables drawn straight on the canvas, page after page.

ReportLab's own tables take minutes for thousands of rows; these take a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from lungscan.report.pdf.kit import (
    BOTTOM,
    INK,
    MARGIN,
    MUTED,
    PAGE_HEIGHT,
    RULE,
    TOP,
    WIDTH,
    ReportCanvas,
    line,
)

ROW = 12.0  # points


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table drawn on the canvas."""

    title: str
    width: float  # points
    align: Literal["left", "right"] = "left"


class Sheet:
    """A place on a page that moves down, and on to the next page when there is no more room."""

    def __init__(self, canvas: ReportCanvas) -> None:
        self.canvas = canvas
        self.y: float = PAGE_HEIGHT - TOP

    def down(self, points: float) -> float:
        """Move down and return the new y."""
        self.y -= points
        return self.y

    def has_room(self, points: float) -> bool:
        """Whether ``points`` more fit on this page."""
        return bool(self.y - points >= BOTTOM)

    def new_page(self) -> None:
        """Go to the top of a new page."""
        self.canvas.showPage()
        self.y = PAGE_HEIGHT - TOP

    def heading(self, title: str, needed: float) -> None:
        """A section's heading, kept on one page with the ``needed`` points after it."""
        if not self.has_room(needed + 30):
            self.new_page()
        y = self.down(24)
        line(self.canvas, MARGIN, y, title, size=10, bold=True)
        self.canvas.bookmarkPage(title)
        self.canvas.addOutlineEntry(title, title, 0)
        self.down(8)


def draw_table(sheet: Sheet, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Rows one below the other; the head is drawn again on each page."""
    _draw_cells(sheet, columns, [column.title for column in columns], head=True)
    for row in rows:
        if not sheet.has_room(ROW):
            sheet.new_page()
            _draw_cells(sheet, columns, [column.title for column in columns], head=True)
        _draw_cells(sheet, columns, row, head=False)


def _draw_cells(
    sheet: Sheet, columns: Sequence[Column], cells: Sequence[str], *, head: bool
) -> None:
    canvas, y = sheet.canvas, sheet.down(ROW)
    size, color = (6.5, MUTED) if head else (7.0, INK)
    x = MARGIN
    for column, cell in zip(columns, cells, strict=True):
        place = x + column.width if column.align == "right" else x
        line(canvas, place, y, cell, size=size, color=color, align=column.align,
             room=column.width - 6)  # fmt: skip
        x += column.width
    canvas.setStrokeColor(RULE)
    canvas.setLineWidth(0.6 if head else 0.25)
    canvas.line(MARGIN, y - 3.5, MARGIN + WIDTH, y - 3.5)
