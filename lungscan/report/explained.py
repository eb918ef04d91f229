"""``explanation.png``: explained tiles, each beside its cells, with the scale of their colours.

Cells are drawn as cells: a smooth map would show detail that nobody measured. Orange and blue stay
apart with any colour vision, and the strongest cells bear their number for readers in grey.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from math import floor, log10

import numpy as np
from PIL import Image, ImageDraw

from lungscan.report.lettering import pillow_font, shorten, visible
from lungscan.report.quantities import place_of, probability
from lungscan.report.wording import RESEARCH_USE, answer_line
from lungscan.types import CaseResult, Explanation, FloatArray, ModelStamp, SourceInfo

SCALE_PAD_PX = 20  # left and right of a colour scale, for its numbers
TILE_PX = 320  # side of a tile as it is drawn
FALLS, RISES = (179, 88, 6), (84, 39, 136)  # of ColorBrewer's PuOr: the answer needs it, or not
_STEPS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)  # where a scale may end, times a power of ten
_LEAST_LIMIT = 0.1  # log-odds; less than that is not worth a strong colour
_STRONGEST = 0.8  # of a colour over the tissue
_NUMBERED = 0.5  # of the scale: cells above it bear their number
_MARGIN, _GAP, _LINE = 20, 16, 20
_INK, _MUTED, _RULE = (27, 31, 36), (91, 100, 112), (201, 206, 214)


def color_limit(explained: Sequence[Explanation]) -> float:
    """Where the colour scale of some explanations ends, in log-odds: a number easily read."""
    most = max((float(np.abs(part.cells).max()) for part in explained), default=0.0)
    most = max(most, _LEAST_LIMIT)
    power = 10.0 ** floor(log10(most))
    return float(next(step * power for step in _STEPS if step * power >= most * 0.999))


def tile_picture(explained: Explanation, side_px: int = TILE_PX) -> Image.Image:
    """The tile as the network saw it, enlarged."""
    with Image.open(io.BytesIO(explained.jpeg), formats=("JPEG",)) as opened:
        picture = opened.convert("RGB")
    picture.info.clear()
    return picture.resize((side_px, side_px), Image.Resampling.BICUBIC)


def cells_picture(
    explained: Explanation, limit: float, side_px: int = TILE_PX, zoom: float = 1.0
) -> Image.Image:
    """The tile in grey under its coloured cells; ``limit`` is where the colour scale ends.

    ``zoom`` enlarges the numbers, for a picture that will be printed small.
    """
    base = tile_picture(explained, side_px).convert("L").convert("RGB")
    rows, columns = explained.cells.shape
    tops = np.linspace(0, side_px, rows + 1).round().astype(int)
    lefts = np.linspace(0, side_px, columns + 1).round().astype(int)
    spread = np.repeat(explained.cells, np.diff(tops), axis=0)
    share = np.repeat(spread, np.diff(lefts), axis=1) / limit
    drawn = Image.fromarray(_colored(np.asarray(base, np.float32), share))
    draw = ImageDraw.Draw(drawn)
    for edge in (*tops[1:-1], *lefts[1:-1]):
        draw.line((0, edge, side_px, edge), fill=_RULE)
        draw.line((edge, 0, edge, side_px), fill=_RULE)
    font = pillow_font(max(9, round(side_px * zoom / 26)))
    for row, column in np.argwhere(np.abs(explained.cells) >= _NUMBERED * limit):
        place = (
            float(lefts[column] + lefts[column + 1]) / 2,
            float(tops[row] + tops[row + 1]) / 2,
        )
        value = float(explained.cells[row, column])
        text = f"{value:+.1f}".replace("-", "−") if limit >= 1 else signed(value)
        draw.text(place, text, "black", font, anchor="mm", stroke_width=2, stroke_fill="white")
    return drawn


def pair_picture(
    explained: Explanation, limit: float, side_px: int = TILE_PX, zoom: float = 1.0
) -> Image.Image:
    """The tile, and beside it its cells; see ``cells_picture``."""
    pair = Image.new("RGB", (2 * side_px + _GAP, side_px), "white")
    pair.paste(tile_picture(explained, side_px), (0, 0))
    pair.paste(cells_picture(explained, limit, side_px, zoom), (side_px + _GAP, 0))
    return pair


def png_bytes(picture: Image.Image) -> bytes:
    """A picture as PNG without metadata."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=2)
    return buffer.getvalue()


def scale_picture(limit: float, width_px: int, zoom: int = 1) -> Image.Image:
    """The colour scale from ``-limit`` to ``limit`` with its numbers, on white."""
    pad, band_px, foot_px = SCALE_PAD_PX * zoom, 12 * zoom, 22 * zoom
    drawn = Image.new("RGB", (width_px, band_px + foot_px), "white")
    span = np.linspace(-1, 1, width_px - 2 * pad, dtype=np.float32)
    band = _colored(np.full((band_px, len(span), 3), 235, np.float32), np.tile(span, (band_px, 1)))
    drawn.paste(Image.fromarray(band), (pad, 0))
    draw = ImageDraw.Draw(drawn)
    draw.rectangle((pad, 0, width_px - pad - 1, band_px - 1), outline=_RULE)
    font = pillow_font(12 * zoom)
    for share in (-1.0, -0.5, 0.0, 0.5, 1.0):
        x = pad + (share + 1) / 2 * (width_px - 2 * pad - 1)
        draw.line((x, band_px, x, band_px + 4 * zoom), fill=_MUTED, width=zoom)
        draw.text((x, band_px + 6 * zoom), signed(share * limit), _INK, font, anchor="mt")
    return drawn


def render_explanation(result: CaseResult) -> bytes:
    """PNG bytes of the case's explained tiles; no metadata, the same bytes each time."""
    explained = result.explained or ()
    limit = color_limit(explained)
    width = 2 * TILE_PX + _GAP + 2 * _MARGIN
    words = [line for text in sentences(result) for line in _wrapped(text, width - 2 * _MARGIN)]
    head = _MARGIN + 56
    each = TILE_PX + 2 * _LINE + 14
    height = head + each * len(explained) + 50 + _LINE * len(words) + 3 * _MARGIN
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text(
        (_MARGIN, _MARGIN), shorten(visible(result.case_id), 58), _INK, pillow_font(18, bold=True)
    )
    lead = shorten(visible(f"Model output: {answer_line(result)}"), 80)
    draw.text((_MARGIN, _MARGIN + 26), lead, _MUTED, pillow_font(14))
    y = head
    for part in explained:
        sheet.paste(pair_picture(part, limit), (_MARGIN, y))
        lines = caption_of(part, result)
        for number, text in enumerate(lines):
            place = (_MARGIN, y + TILE_PX + 6 + number * _LINE)
            draw.text(place, text, _INK if number == 0 else _MUTED, pillow_font(13))
        y += each
    pad = SCALE_PAD_PX  # the numbers at the ends stand out on both sides
    sheet.paste(scale_picture(limit, width - 2 * _MARGIN + 2 * pad), (_MARGIN - pad, y))
    for text in words:
        draw.text((_MARGIN, y + 44), text, _INK, pillow_font(13))
        y += _LINE
    foot = height - _MARGIN - 12
    draw.line((_MARGIN, foot - 8, width - _MARGIN, foot - 8), fill=_RULE)
    text = f"{RESEARCH_USE}  LungScan {result.lungscan_version}"
    draw.text((_MARGIN, foot), text, _MUTED, pillow_font(12))
    return png_bytes(sheet)


# Words ------------------------------------------------------------------------------------------


def title(explained: Sequence[Explanation]) -> str:
    """What the map is, in the words of its method."""
    if explained and explained[0].method == "cam":
        return "How the score spreads over the tile"
    return "What changes the answer most when blurred"


def caption(
    part: Explanation, model: ModelStamp, *, several: bool, info: SourceInfo | None = None
) -> tuple[str, str]:
    """Class and probability of a tile; where it lies, and what its strongest cell does.

    ``info`` is of its image: a slice has its number in a series, no place in a picture.
    """
    name = model.display_names[part.class_index]
    x, y, width, height = part.box
    where = f"x {x:,}, y {y:,}, {width:,} × {height:,} px"
    if info is not None and info.series is not None:
        where = f"slice {place_of(info, x, y)}"
    if several:
        where = f"file {part.file_index + 1}, {where}"
    text = f"{name} {probability(part.probability)}"
    if part.lowest is not None:
        text += f"; at the least {probability(part.lowest)} with one cell blurred"
    return visible(text), where


def caption_of(part: Explanation, result: CaseResult) -> tuple[str, str]:
    """As ``caption``, of a tile of a case."""
    known = part.file_index < len(result.files)
    info = result.files[part.file_index].info if known else None
    return caption(part, result.model, several=len(result.files) > 1, info=info)


def sentences(result: CaseResult) -> tuple[str, ...]:
    """What the colours mean, for people; then what they do not."""
    explained = result.explained or ()
    if not explained:
        return ()
    if explained[0].method == "cam":
        first = (
            "Orange: cells that raise the score of the named class against the mean of the others; "
            "violet: cells that lower it. Numbers are natural logarithms of odds; all cells and a "
            f"constant of {', '.join(signed(part.rest or 0.0) for part in explained)} add up to "
            f"{', '.join(signed(part.score) for part in explained)}."
        )
        last = "Each cell stands for a place that nearly the whole tile bears on: a coarse hint."
    else:
        first = (
            "Orange: the named class becomes less likely when this cell is blurred; violet: more "
            "likely. Numbers are by how much its log-odds fall (natural logarithm); 0.7 halves "
            "the odds."
        )
        last = (
            "It tells what changes the answer most when blurred, not why, and not whether the "
            "answer is right."
        )
    return first, last


def signed(value: float) -> str:
    """A number with its sign, and a true minus."""
    if abs(value) < 0.005:
        return "0"
    return f"{value:+.2g}".replace("-", "−")


# Drawing ----------------------------------------------------------------------------------------


def _colored(base: FloatArray, share: FloatArray) -> np.ndarray:
    """``base`` ``(h, w, 3)`` under the colour of ``share`` ``(h, w)``, -1 to 1."""
    strength = np.clip(np.abs(share), 0, 1)[..., None] * _STRONGEST
    color = np.where((share > 0)[..., None], np.array(FALLS), np.array(RISES))
    return np.rint(base + (color - base) * strength).astype(np.uint8)


def _wrapped(text: str, room_px: int) -> list[str]:
    font, lines = pillow_font(13), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) > room_px and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
