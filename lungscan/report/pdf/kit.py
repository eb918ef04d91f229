"""What every PDF shares: fonts, styles, page furniture; the only door to ReportLab's paragraphs.

ReportLab reads markup inside a paragraph, and file names are written by strangers: an ``<img>`` in
one would put a local picture into the report. So no other module may build a Paragraph; they call
``paragraph`` or ``rich``, which escape what they are given, and draw single lines with ``line``.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from xml.sax.saxutils import escape

from reportlab import rl_config
from reportlab.lib.colors import Color, HexColor
from reportlab.lib.enums import TA_LEFT, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, PageTemplate, Paragraph

from lungscan.report.lettering import BOLD, REGULAR, shorten, visible
from lungscan.report.wording import RESEARCH_USE
from lungscan.results.atomic_files import write_atomic

PAGE_WIDTH, PAGE_HEIGHT = A4
MARGIN = 17 * mm
TOP, BOTTOM = 21 * mm, 17 * mm  # room for the header and the footer
WIDTH = PAGE_WIDTH - 2 * MARGIN
BODY_HEIGHT = PAGE_HEIGHT - TOP - BOTTOM

INK, MUTED = HexColor("#1b1f24"), HexColor("#56606c")
RULE, WASH, CAUTION = HexColor("#c6ccd4"), HexColor("#f4f5f7"), HexColor("#8a5a00")
FONT, FONT_BOLD = "LungScan", "LungScan-Bold"

_TOTAL = "page-total"  # a form drawn on each page and filled in when the last page is known


@dataclass(frozen=True, slots=True)
class PageInfo:
    """What stands on each page beside the content."""

    title: str
    subject: str
    version: str
    report_id: str


# Binary streams instead of text: a fifth smaller, and no loop over every byte in Python.
rl_config.useA85 = 0


def _register_fonts() -> None:
    pdfmetrics.registerFont(TTFont(FONT, str(REGULAR)))
    pdfmetrics.registerFont(TTFont(FONT_BOLD, str(BOLD)))
    # Without italics of its own, the family maps them to upright: nothing here is set in italics.
    pdfmetrics.registerFontFamily(FONT, FONT, FONT_BOLD, FONT, FONT_BOLD)


_register_fonts()


def _style(name: str, size: float, leading: float, **more: Any) -> ParagraphStyle:
    settings = {"fontName": FONT, "textColor": INK, "alignment": TA_LEFT, **more}
    return ParagraphStyle(name, fontSize=size, leading=leading, **settings)


STYLES = {
    "kicker": _style("kicker", 7, 9, fontName=FONT_BOLD, textColor=MUTED),
    "title": _style("title", 15, 19, fontName=FONT_BOLD),
    "answer": _style("answer", 17, 22, fontName=FONT_BOLD),
    "heading": _style(
        "heading", 10, 13, fontName=FONT_BOLD, spaceBefore=9, spaceAfter=3.5, keepWithNext=1
    ),
    "body": _style("body", 8, 11.2),
    "muted": _style("muted", 7.5, 10.4, textColor=MUTED),
    "aside": _style("aside", 7, 9.6, textColor=MUTED),
    "caution": _style("caution", 8, 11.2, textColor=CAUTION),
    "cell": _style("cell", 8, 10.6),
    "cell-bold": _style("cell-bold", 8, 10.6, fontName=FONT_BOLD),
    "number": _style("number", 8, 10.6, alignment=TA_RIGHT),
    "number-bold": _style("number-bold", 8, 10.6, alignment=TA_RIGHT, fontName=FONT_BOLD),
    "label": _style("label", 7, 9.4, textColor=MUTED),
    "label-right": _style("label-right", 7, 9.4, textColor=MUTED, alignment=TA_RIGHT),
    "big-number": _style("big-number", 17, 22, fontName=FONT_BOLD, alignment=TA_RIGHT),
    "bullet": _style("bullet", 7.5, 10.2, leftIndent=8, firstLineIndent=-8, spaceBefore=1),
    "small": _style("small", 6.5, 8.6),
    "small-muted": _style("small-muted", 6.5, 8.6, textColor=MUTED),
}


def text(content: str) -> str:
    """``content`` as paragraph markup that shows it and does nothing else."""
    return escape(visible(content))


def paragraph(content: str, style: str = "body") -> Paragraph:
    """A paragraph of plain text in one of STYLES."""
    return Paragraph(text(content), STYLES[style])


def rich(template: str, *values: str, style: str = "body") -> Paragraph:
    """A paragraph from a template of ours with markup; the values for its ``{}`` are escaped."""
    return Paragraph(template.format(*map(text, values)), STYLES[style])


def line(
    canvas: Canvas,
    x: float,
    y: float,
    content: str,
    *,
    size: float = 8,
    bold: bool = False,
    color: Color = INK,
    align: Literal["left", "right", "center"] = "left",
    room: float | None = None,
) -> None:
    """Draw one line of text at its baseline, shortened in the middle to ``room`` points."""
    font = FONT_BOLD if bold else FONT
    shown = visible(content)
    if room is not None:
        shown = fit(shown, font, size, room)
    canvas.setFont(font, size)
    canvas.setFillColor(color)
    draw = {
        "left": canvas.drawString,
        "right": canvas.drawRightString,
        "center": canvas.drawCentredString,
    }[align]
    draw(x, y, shown)


def fit(shown: str, font: str, size: float, room: float) -> str:
    """``shown`` with its middle left out until it is at most ``room`` points wide."""
    width = pdfmetrics.stringWidth(shown, font, size)
    limit = len(shown)
    while width > room and limit > 1:
        limit = max(1, min(limit - 1, int(limit * room / width)))
        width = pdfmetrics.stringWidth(shorten(shown, limit), font, size)
    return shorten(shown, limit)


def report_id(digest: str) -> str:
    """A short name of a record, from its SHA-256."""
    return "-".join((digest[:4], digest[4:8], digest[8:12])).upper()


def write_story(path: Path, story: Sequence[Flowable], info: PageInfo) -> None:
    """Set ``story`` on A4 pages with header and footer; equal input gives equal bytes.

    Raises MachineError when the file cannot be written.
    """
    buffer = io.BytesIO()
    document = BaseDocTemplate(buffer, pagesize=A4, title=visible(info.title))
    frame = Frame(
        MARGIN, BOTTOM, WIDTH, BODY_HEIGHT,
        leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0,
    )  # fmt: skip
    document.addPageTemplates(PageTemplate("page", [frame]))
    document.build(list(story), canvasmaker=lambda *_, **__: ReportCanvas(buffer, info))
    write_atomic(path, buffer.getvalue(), durable=False)


class ReportCanvas(Canvas):  # type: ignore[misc]  # ReportLab has no types
    """A canvas that puts header and footer on each page, with the number of pages."""

    def __init__(self, buffer: io.BytesIO, info: PageInfo) -> None:
        # invariant: fixed dates and ids, so that a rebuilt report equals the first one.
        super().__init__(buffer, pagesize=A4, invariant=1, pageCompression=1, lang="en")
        self._info = info
        self.setTitle(visible(info.title))
        self.setSubject(visible(info.subject))
        self.setAuthor("LungScan")
        self.setCreator(f"LungScan {info.version}")

    def showPage(self) -> None:  # noqa: N802  # ReportLab's name
        """Finish the page."""
        _head_and_foot(self, self._info)
        super().showPage()

    def save(self) -> None:
        """Finish the document, now that its number of pages is known."""
        pages = self.getPageNumber() - (0 if self._code else 1)
        if self._code:
            self.showPage()
        self.beginForm(_TOTAL, 0, 0, 20, 10)
        line(self, 0, 2, str(pages), size=7, color=MUTED)
        self.endForm()
        super().save()


def _head_and_foot(canvas: Canvas, info: PageInfo) -> None:
    right, head, foot = PAGE_WIDTH - MARGIN, PAGE_HEIGHT - 12.5 * mm, 9.5 * mm
    canvas.saveState()
    line(canvas, MARGIN, head, f"LungScan {info.version}", size=7.5, bold=True)
    line(canvas, right, head, RESEARCH_USE, size=7.5, bold=True, align="right")
    canvas.setStrokeColor(RULE)
    canvas.setLineWidth(0.6)
    canvas.line(MARGIN, head - 5, right, head - 5)
    canvas.line(MARGIN, foot + 10, right, foot + 10)
    line(canvas, MARGIN, foot, info.title, size=7, color=MUTED, room=WIDTH * 0.52)
    page = f"Report {info.report_id} · page {canvas.getPageNumber()} of"
    line(canvas, right - 12, foot, page, size=7, color=MUTED, align="right")
    canvas.translate(right - 9.5, foot - 2)
    canvas.doForm(_TOTAL)
    canvas.restoreState()


class Bookmark(Flowable):  # type: ignore[misc]  # ReportLab has no types
    """An entry of the PDF's outline at this place; takes no room."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def draw(self) -> None:
        """Add the entry."""
        key = f"outline-{self._title}"
        self.canv.bookmarkPage(key)
        self.canv.addOutlineEntry(visible(self._title), key)
