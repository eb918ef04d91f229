"""Tables drawn straight on the canvas, page after page.

ReportLab's own tables take minutes for thousands of rows; these take a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase.pdfmetrics import stringWidth

from lungscan.report.lettering import visible
from lungscan.report.pdf.kit import (
    BOTTOM,
    FONT,
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
LINE = 8.5  # from one line of a cell to the next
SIZE = 7.0  # of the letters
PADDING = 6  # between columns


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table drawn on the canvas."""

    title: str
    width: float  # points
    align: Literal["left", "right"] = "left"
    lines: int = 1  # at most; what does not fit ends in "…"; one line is shortened in the middle


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


def draw_table(
    sheet: Sheet, columns: Sequence[Column], rows: Iterable[Sequence[str]], *, head: bool = True
) -> None:
    """Rows one below the other; the head, if there is one, is drawn again on each page."""
    heads = [[column.title] for column in columns]
    if head:
        _draw_cells(sheet, columns, heads, head=True)
    for row in rows:
        cells = [wrapped(column, cell) for column, cell in zip(columns, row, strict=True)]
        more = (max(len(lines) for lines in cells) - 1) * LINE
        if not sheet.has_room(ROW + more):
            sheet.new_page()
            if head:
                _draw_cells(sheet, columns, heads, head=True)
        _draw_cells(sheet, columns, cells, head=False)


def wrapped(column: Column, cell: str) -> list[str]:
    """The lines of a cell; only the last one is cut."""
    if column.lines == 1:
        return [cell]
    room = column.width - PADDING
    found = simpleSplit(visible(cell), FONT, SIZE, room) or [""]
    if len(found) <= column.lines:
        return list(found)
    last = " ".join(found[column.lines - 1 :])
    while last and stringWidth(f"{last}…", FONT, SIZE) > room:
        last = last[:-1]
    return [*found[: column.lines - 1], f"{last.rstrip()}…"]


def _draw_cells(
    sheet: Sheet, columns: Sequence[Column], cells: Sequence[Sequence[str]], *, head: bool
) -> None:
    canvas, top = sheet.canvas, sheet.down(ROW)
    size, color = (6.5, MUTED) if head else (SIZE, INK)
    x = MARGIN
    for column, lines in zip(columns, cells, strict=True):
        place = x + column.width if column.align == "right" else x
        for number, text in enumerate(lines):
            line(canvas, place, top - number * LINE, text, size=size, color=color,
                 align=column.align, room=column.width - PADDING)  # fmt: skip
        x += column.width
    y = sheet.down((max(len(lines) for lines in cells) - 1) * LINE)
    canvas.setStrokeColor(RULE)
    canvas.setLineWidth(0.6 if head else 0.25)
    canvas.line(MARGIN, y - 3.5, MARGIN + WIDTH, y - 3.5)
