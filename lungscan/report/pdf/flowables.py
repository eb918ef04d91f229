# ruff: noqa: D102  # draw() is ReportLab's own hook, the same for every Flowable
"""Small drawings for the PDFs: swatches, bars, pictures, scale bar, reliability plot."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image
from reportlab.lib.colors import Color, white
from reportlab.lib.utils import ImageReader
from reportlab.platypus import Flowable, Table, TableStyle

from lungscan.report.heatmap import overlay_picture
from lungscan.report.legend import Rgb, ScaleBar, on_color
from lungscan.report.pdf.kit import INK, MUTED, RULE, WASH, Bookmark, line, paragraph
from lungscan.types import CaseResult


def heading(title: str) -> list[Flowable]:
    """A section's heading, also in the outline."""
    return [Bookmark(title), paragraph(title, "heading")]


def color_of(rgb: Rgb) -> Color:
    """A ReportLab colour from 0 to 255 values."""
    return Color(*(channel / 255 for channel in rgb))


def plain_table(
    rows: Sequence[Sequence[object]],
    widths: Sequence[float],
    heights: Sequence[float] | None = None,
    *extra: tuple[object, ...],
) -> Table:
    """A table without lines, flush with its left edge; ``extra`` are ReportLab style commands."""
    cells = [list(row) for row in rows]
    table = Table(cells, colWidths=list(widths), rowHeights=heights, hAlign="LEFT")
    commands = [
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 6),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        *extra,
    ]
    table.setStyle(TableStyle(commands))
    return table


TIGHT = ("BOTTOMPADDING", (0, 0), (-1, -1), 1)  # a style command: rows closer together


def label_value(name: str, value: str) -> tuple[Flowable, Flowable]:
    """Two cells: a small label and its value."""
    return paragraph(name, "label"), paragraph(value, "cell")


def label_column(column: int, top: float = 2) -> tuple[object, ...]:
    """A style command: small labels share the baseline of the larger values beside them."""
    return ("TOPPADDING", (column, 0), (column, -1), top + 0.9)


def jpeg_bytes(picture: Image.Image) -> bytes:
    """The picture as JPEG with full colour resolution, so that thin coloured lines stay clean."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90, subsampling=0)
    return buffer.getvalue()


def map_for_print(result: CaseResult, file_index: int) -> Image.Image:
    """The class map with letters and stripes that stay readable in half a page's width."""
    file = result.files[file_index]
    longest_px = max(file.info.width, file.info.height) / (file.thumbnail_downsample or 1.0)
    return overlay_picture(result, file_index, zoom=max(1.0, longest_px / 500))[0]


class Swatch(Flowable):  # type: ignore[misc]  # ReportLab has no types
    """A class's colour with its letter."""

    def __init__(self, rgb: Rgb, letter: str, side: float = 10) -> None:
        super().__init__()
        self._rgb, self._letter = rgb, letter
        self.width = self.height = side

    def draw(self) -> None:
        self.canv.setFillColor(color_of(self._rgb))
        self.canv.rect(0, 0, self.width, self.height, stroke=0, fill=1)
        middle, base = self.width / 2, self.height / 2 - self.height * 0.26
        line(
            self.canv, middle, base, self._letter,
            size=self.height * 0.72, bold=True, color=color_of(on_color(self._rgb)), align="center",
        )  # fmt: skip


class Hatch(Flowable):  # type: ignore[misc]  # ReportLab has no types
    r"""The legend's square for uncertain ("/"), unused ("\") and unreadable ("x") tiles."""

    def __init__(self, kind: str, side: float = 8) -> None:
        super().__init__()
        self._kind = kind
        self.width = self.height = side

    def draw(self) -> None:
        side, canvas = self.width, self.canv
        canvas.setLineWidth(0.7)
        canvas.setStrokeColor(INK if self._kind == "/" else MUTED)
        step = side / 3
        for index in range(1, 6):
            low, high = max(0.0, index * step - side), min(index * step, side)
            if self._kind in "\\x":
                canvas.line(low, index * step - low, high, index * step - high)
            if self._kind in "/x":
                canvas.line(side - low, index * step - low, side - high, index * step - high)
        canvas.setLineWidth(0.5)
        canvas.rect(0, 0, side, side, stroke=1, fill=0)


class Tick(Flowable):  # type: ignore[misc]  # ReportLab has no types
    """An empty box to be ticked by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.width = self.height = 9

    def draw(self) -> None:
        self.canv.setStrokeColor(INK)
        self.canv.setLineWidth(0.7)
        self.canv.rect(0, 0, self.width, self.height, stroke=1, fill=0)


class ShareBar(Flowable):  # type: ignore[misc]  # ReportLab has no types
    """A bar from 0 to 1 in a class's colour, with an outline that survives grey printing."""

    def __init__(self, share: float, rgb: Rgb, width: float, height: float = 6) -> None:
        super().__init__()
        self._share, self._rgb = min(max(share, 0.0), 1.0), rgb
        self.width, self.height = width, height

    def draw(self) -> None:
        self.canv.setFillColor(WASH)
        self.canv.rect(0, 1, self.width, self.height, stroke=0, fill=1)
        self.canv.setFillColor(color_of(self._rgb))
        self.canv.rect(0, 1, self.width * self._share, self.height, stroke=0, fill=1)
        self.canv.setStrokeColor(RULE)
        self.canv.setLineWidth(0.4)
        self.canv.rect(0, 1, self.width, self.height, stroke=1, fill=0)


class Picture(Flowable):  # type: ignore[misc]  # ReportLab has no types
    """A picture scaled to fit a box, with a hairline frame; JPEG bytes are embedded as they are."""

    def __init__(self, jpeg: bytes, width: float, height: float, *, framed: bool = True) -> None:
        super().__init__()
        self._jpeg, self._framed = jpeg, framed
        with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as opened:
            pixels = opened.size
        self.scale = min(width / pixels[0], height / pixels[1])  # points per pixel
        self.width, self.height = pixels[0] * self.scale, pixels[1] * self.scale

    def draw(self) -> None:
        reader = _JpegReader(io.BytesIO(self._jpeg))
        self.canv.drawImage(reader, 0, 0, self.width, self.height)
        if not self._framed:
            return
        self.canv.setStrokeColor(RULE)
        self.canv.setLineWidth(0.5)
        self.canv.rect(0, 0, self.width, self.height, stroke=1, fill=0)


class _JpegReader(ImageReader):  # type: ignore[misc]  # ReportLab has no types
    """A JPEG that is identified by its bytes; ReportLab would decode it for that alone."""

    _dataA = None  # noqa: N815  # ReportLab's name: no transparency

    def getRGBData(self) -> bytes:  # noqa: N802  # ReportLab's name
        """What the picture's name in the PDF is made from."""
        data: bytes = self.fp.getvalue()
        return data


class ScaleLine(Flowable):  # type: ignore[misc]  # ReportLab has no types
    """A scale bar with its length, or the words "scale unknown"."""

    def __init__(self, bar: ScaleBar | None, points_per_px: float) -> None:
        super().__init__()
        self.height = 11
        self._bar, self._scale = bar, points_per_px

    def draw(self) -> None:
        if self._bar is None:
            line(self.canv, 0, 2.5, "Scale unknown", size=7, color=MUTED)
            return
        end = self._bar.length_px * self._scale
        self.canv.setStrokeColor(INK)
        self.canv.setLineWidth(1.6)
        self.canv.line(0, 5, end, 5)
        self.canv.setLineWidth(0.8)
        self.canv.line(0.4, 2.2, 0.4, 7.8)
        self.canv.line(end - 0.4, 2.2, end - 0.4, 7.8)
        line(self.canv, end + 5, 2.5, self._bar.label, size=7)


class ReliabilityPlot(Flowable):  # type: ignore[misc]  # ReportLab has no types
    """Accuracy against stated confidence; a dot's area grows with the number of fields."""

    def __init__(self, bins: Sequence[tuple[float, float, int]], side: float = 120) -> None:
        super().__init__()
        self._bins = bins
        self.width, self.height = side + 26, side + 24
        self._side = side

    def draw(self) -> None:
        canvas, side = self.canv, self._side
        canvas.translate(24, 20)
        self._draw_axes()
        most = max((count for _, _, count in self._bins), default=1)
        canvas.setLineWidth(0.8)
        for confidence, accuracy, count in self._bins:
            radius = 1.4 + 3.2 * (count / most) ** 0.5
            canvas.setFillColor(INK)
            canvas.setStrokeColor(white)
            canvas.circle(confidence * side, accuracy * side, radius, stroke=1, fill=1)

    def _draw_axes(self) -> None:
        canvas, side = self.canv, self._side
        canvas.setStrokeColor(RULE)
        canvas.setLineWidth(0.5)
        canvas.rect(0, 0, side, side, stroke=1, fill=0)
        canvas.setDash(2, 2)
        canvas.setStrokeColor(MUTED)
        canvas.line(0, 0, side, side)
        canvas.setDash()
        for tick in (0.0, 0.5, 1.0):
            label = f"{tick:g}"
            line(canvas, tick * side, -8, label, size=6, color=MUTED, align="center")
            line(canvas, -3, tick * side - 2, label, size=6, color=MUTED, align="right")
        line(canvas, side / 2, -17, "Stated confidence", size=6.5, color=MUTED, align="center")
        canvas.saveState()
        canvas.rotate(90)
        line(canvas, side / 2, 16, "Measured accuracy", size=6.5, color=MUTED, align="center")
        canvas.restoreState()
