"""``heatmap.png``: the class map with its legend and scale bar, a picture that stands alone."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw

from lungscan.errors import LungScanError
from lungscan.modalities.table import modality_of
from lungscan.report.legend import (
    UNCERTAIN_BELOW,
    Rgb,
    class_letters,
    class_rgb,
    on_color,
    scale_bar,
    used_counts,
)
from lungscan.report.lettering import pillow_font, shorten, visible
from lungscan.report.overlay import base_picture, class_map, draw_overlay, scores_of
from lungscan.report.quantities import percent
from lungscan.report.wording import RESEARCH_USE, answer_line
from lungscan.types import CaseResult, TileState

_MARGIN, _LINE, _SWATCH = 20, 26, 18  # px
_LEAST_WIDTH = 640
_INK, _MUTED, _RULE = (27, 31, 36), (91, 100, 112), (201, 206, 214)

Entry = tuple[Callable[[ImageDraw.ImageDraw, int, int], None], str]


def has_heatmap(result: CaseResult, file_index: int = 0) -> bool:
    """Whether there is a thumbnail and at least one tile to draw on it."""
    if not modality_of(result.model.modality).maps:
        return False
    if file_index >= len(result.files) or result.files[file_index].thumbnail_jpeg is None:
        return False
    scores = scores_of(result, file_index)
    return scores is not None and len(scores.state) > 0


def render_heatmap(result: CaseResult, file_index: int = 0) -> bytes:
    """PNG bytes of one file's class map; no metadata, the same bytes each time.

    Raises LungScanError when the file has no thumbnail or no tiles (see ``has_heatmap``).
    """
    picture, um_per_px = overlay_picture(result, file_index)
    width = max(picture.width, _LEAST_WIDTH) + 2 * _MARGIN
    rows = _flow(legend_of(result, file_index), width - 2 * _MARGIN)
    top = 3 * _MARGIN + 18
    height = top + picture.height + _MARGIN + _LINE * (len(rows) + 1) + 2 * _MARGIN + 8
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    _draw_title(draw, result, file_index, width)
    left = (width - picture.width) // 2
    sheet.paste(picture, (left, top))
    draw.rectangle((left - 1, top - 1, left + picture.width, top + picture.height), outline=_RULE)
    y = top + picture.height + _MARGIN
    _draw_scale(draw, _MARGIN, y, um_per_px, picture.width)
    for row in rows:
        y += _LINE
        _draw_row(draw, row, y)
    _draw_footer(draw, result, width, height)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", compress_level=2)  # 6 takes two to three times as long
    return buffer.getvalue()


def overlay_picture(
    result: CaseResult, file_index: int = 0, zoom: float = 1.0
) -> tuple[Image.Image, float | None]:
    """The class map alone, and its µm per pixel (None when the scale is unknown).

    ``zoom`` enlarges letters and stripes; raises as ``render_heatmap`` does.
    """
    scores = scores_of(result, file_index)
    file = result.files[file_index] if file_index < len(result.files) else None
    base = base_picture(file) if file else None
    if scores is None or file is None or base is None:
        raise LungScanError(f"{result.case_id} has no tiles to draw a heat map of.")
    picture, downsample = base
    mpp = file.info.scale.x_um  # the bar lies along the width
    um_per_px = mpp * downsample if mpp else None
    return draw_overlay(picture, downsample, scores, result, zoom), um_per_px


def _draw_title(draw: ImageDraw.ImageDraw, result: CaseResult, file_index: int, width: int) -> None:
    room = (width - 2 * _MARGIN) // 11
    several = len(result.relative_paths) > 1
    which = f", file {file_index + 1}: {result.files[file_index].relative_path}" if several else ""
    name = shorten(visible(result.case_id + which), room)
    answer = answer_line(result)
    lead = answer if answer.startswith("No result") else f"Model output: {answer}"
    if several:
        lead += f", of all {len(result.relative_paths)} files"
    draw.text((_MARGIN, _MARGIN), name, _INK, pillow_font(18, bold=True))
    draw.text((_MARGIN, _MARGIN + 25), shorten(visible(lead), room + 20), _MUTED, pillow_font(14))


def _draw_scale(
    draw: ImageDraw.ImageDraw, x: int, y: int, um_per_px: float | None, width: int
) -> None:
    font = pillow_font(14)
    if um_per_px is None:
        draw.text((x, y + _SWATCH // 2), "Scale unknown", _INK, font, anchor="lm")
        return
    bar = scale_bar(um_per_px, width)
    end, middle = x + round(bar.length_px), y + _SWATCH // 2
    draw.rectangle((x, middle - 2, end, middle + 2), fill=_INK)
    for tick in (x, end):
        draw.line((tick, middle - 6, tick, middle + 6), fill=_INK, width=2)
    draw.text((end + 10, middle), bar.label, _INK, font, anchor="lm")


def _draw_footer(draw: ImageDraw.ImageDraw, result: CaseResult, width: int, height: int) -> None:
    y = height - _MARGIN - 12
    draw.line((_MARGIN, y - 8, width - _MARGIN, y - 8), fill=_RULE)
    text = f"{RESEARCH_USE}  LungScan {result.lungscan_version}"
    draw.text((_MARGIN, y), text, _MUTED, pillow_font(12))


# Legend ----------------------------------------------------------------------------------------


def legend_of(result: CaseResult, file_index: int) -> list[Entry]:
    """What the legend explains: each class in this file, then the hatchings that occur."""
    scores = scores_of(result, file_index)
    counts = used_counts((scores,) if scores else (), len(result.model.class_names))
    total = max(sum(counts), 1)
    looks = zip(
        class_rgb(result.model), class_letters(result.model), result.model.display_names, counts,
        strict=True,
    )  # fmt: skip
    entries: list[Entry] = [
        (_class_swatch(rgb, letter), f"{visible(name)}, {percent(count / total)} of tiles")
        for rgb, letter, name, count in looks
    ]
    uncertain, unused, failed = hatched(result, file_index)
    if uncertain:
        entries.append((_striped_swatch, f"Uncertain (best class below {UNCERTAIN_BELOW:.2f})"))
    if unused:
        entries.append((_hatched_swatch, f"Not used ({unused:,})"))
    if failed:
        entries.append((_crossed_swatch, f"Not readable ({failed:,})"))
    return entries


def hatched(result: CaseResult, file_index: int) -> tuple[bool, int, int]:
    """Whether anything is drawn as uncertain; how many tiles are not used, and not readable."""
    scores, base = scores_of(result, file_index), base_picture(result.files[file_index])
    if scores is None or base is None:
        return False, 0, 0
    mapped = class_map(scores, base[0].size, base[1])
    uncertain = mapped.used & (mapped.probs.max(axis=2) < UNCERTAIN_BELOW)
    states = Counter(scores.state)
    failed = states[TileState.FAILED]
    return bool(uncertain.any()), states.total() - states[TileState.USED] - failed, failed


def _flow(entries: Sequence[Entry], room: int) -> list[list[Entry]]:
    """Break the entries into rows that fit ``room`` pixels."""
    rows: list[list[Entry]] = [[]]
    used = 0
    for entry in entries:
        width = _entry_width(entry)
        if rows[-1] and used + width > room:
            rows.append([])
            used = 0
        rows[-1].append(entry)
        used += width
    return rows


def _entry_width(entry: Entry) -> int:
    return _SWATCH + 8 + round(pillow_font(14).getlength(entry[1])) + 26


def _draw_row(draw: ImageDraw.ImageDraw, row: Sequence[Entry], y: int) -> None:
    x = _MARGIN
    for entry in row:
        entry[0](draw, x, y)
        draw.text((x + _SWATCH + 8, y + _SWATCH // 2), entry[1], _INK, pillow_font(14), anchor="lm")
        x += _entry_width(entry)


def _class_swatch(rgb: Rgb, letter: str) -> Callable[[ImageDraw.ImageDraw, int, int], None]:
    def paint(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
        draw.rectangle((x, y, x + _SWATCH, y + _SWATCH), fill=rgb)
        middle = (x + _SWATCH / 2 + 0.5, y + _SWATCH / 2 + 0.5)
        draw.text(middle, letter, on_color(rgb), pillow_font(13, bold=True), anchor="mm")

    return paint


def _striped_swatch(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    _frame(draw, x, y)
    for offset in range(6, 2 * _SWATCH, 7):
        low, high = max(0, offset - _SWATCH), min(offset, _SWATCH)
        draw.line((x + low, y + offset - low, x + high, y + offset - high), fill=_INK, width=2)


def _hatched_swatch(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    _frame(draw, x, y)
    for offset in range(6, 2 * _SWATCH, 7):
        low, high = max(0, offset - _SWATCH), min(offset, _SWATCH)
        ends = (x + _SWATCH - low, y + offset - low, x + _SWATCH - high, y + offset - high)
        draw.line(ends, fill=_MUTED, width=2)


def _crossed_swatch(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    _hatched_swatch(draw, x, y)
    draw.line((x, y, x + _SWATCH, y + _SWATCH), fill=_MUTED, width=2)
    draw.line((x, y + _SWATCH, x + _SWATCH, y), fill=_MUTED, width=2)


def _frame(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    draw.rectangle((x, y, x + _SWATCH, y + _SWATCH), fill="white", outline=_MUTED)
