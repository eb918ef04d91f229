"""The class map: a thumbnail with the tiles' classes laid over it.

Colour says the class, its strength the confidence. Letters and outlines say the class again for
readers who print in grey or see colours differently; stripes mark uncertain tiles, grey hatching
tiles that did not count.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lungscan.report.legend import UNCERTAIN_BELOW, class_letters, class_rgb
from lungscan.report.lettering import pillow_font
from lungscan.types import (
    CaseResult,
    FileResult,
    FloatArray,
    MaskArray,
    RgbArray,
    TileScores,
    TileState,
)

IntArray = NDArray[np.int64]
_LEAST_SIDE_PX = 480  # smaller pictures are enlarged, or letters and stripes would hide them
_STRIPE_PX, _LETTER_PX, _LETTER_EVERY_PX = 9, 15, 120  # at zoom 1
_GREY = np.array([95, 95, 95], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class ClassMap:
    """Mean probabilities of the used tiles and what lies where, in cells that no tile's edge cuts.

    A few thousand cells stand for a million pixels; ``at_pixels`` spreads them.
    """

    probs: FloatArray  # (rows, columns, classes); 0 where no used tile lies
    used: MaskArray  # (rows, columns)
    excluded: MaskArray  # (rows, columns) only tiles that did not count
    failed: MaskArray  # (rows, columns) only tiles that could not be read
    top: IntArray  # (rows + 1,) the pixel each row of cells begins at, and the picture's height
    left: IntArray  # (columns + 1,)

    def at_pixels(self, values: NDArray[Any]) -> NDArray[Any]:
        """``values`` of cells (rows, columns, ...) for each pixel of the picture."""
        return self.along(values.repeat(np.diff(self.top), axis=0), axis=1)

    def along(self, values: NDArray[Any], axis: int = 0) -> NDArray[Any]:
        """``values`` of one row of cells for each pixel of a line."""
        return values.repeat(np.diff(self.left), axis=axis)


def base_picture(file: FileResult) -> tuple[Image.Image, float] | None:
    """The thumbnail and its level-0 pixels per pixel; None when the file has none."""
    if file.thumbnail_jpeg is None or file.thumbnail_downsample is None:
        return None
    with Image.open(io.BytesIO(file.thumbnail_jpeg), formats=("JPEG",)) as opened:
        picture = opened.convert("RGB")
    picture.info.clear()  # comments and profiles must not travel into the reports
    factor = _LEAST_SIDE_PX / max(picture.size)
    if factor <= 1:
        return picture, file.thumbnail_downsample
    size = (round(picture.width * factor), round(picture.height * factor))
    enlarged = picture.resize(size, Image.Resampling.BICUBIC)
    return enlarged, file.thumbnail_downsample / factor


def scores_of(result: CaseResult, file_index: int) -> TileScores | None:
    """The tiles of one file of the case, if it could be read."""
    return next((part for part in result.scores if part.file_index == file_index), None)


def draw_overlay(
    picture: Image.Image,
    downsample: float,
    scores: TileScores,
    result: CaseResult,
    zoom: float = 1.0,
) -> Image.Image:
    """``picture`` with the tiles of ``scores`` over it, at the same size.

    ``zoom`` makes letters and stripes larger, for a picture that will be printed small.
    """
    colors = np.array(class_rgb(result.model), dtype=np.float32)
    mapped = class_map(scores, picture.size, downsample)
    pixels = _tint(np.asarray(picture), mapped, colors, round(_STRIPE_PX * zoom))
    _outline(pixels, mapped, colors)
    drawn = Image.fromarray(pixels)
    _draw_letters(drawn, scores, downsample, class_letters(result.model), zoom)
    return drawn


def class_map(scores: TileScores, size: tuple[int, int], downsample: float) -> ClassMap:
    """Average overlapping tiles; ``size`` is (width, height) of the picture."""
    spans = _pixel_spans(scores, size, downsample)
    left, top = (
        np.unique(np.concatenate((spans[:, axis], spans[:, axis + 2], [0, length])))
        for axis, length in enumerate(size)
    )
    columns, rows = np.searchsorted(left, spans[:, ::2]), np.searchsorted(top, spans[:, 1::2])
    cells = (len(top) - 1, len(left) - 1)
    total = np.zeros((*cells, scores.probs.shape[1]), dtype=np.float32)
    count = np.zeros(cells, dtype=np.float32)
    other = np.zeros(cells, dtype=bool)
    failed = np.zeros(cells, dtype=bool)
    places = zip(rows.tolist(), columns.tolist(), scores.probs, scores.state, strict=True)
    for (y0, y1), (x0, x1), probs, state in places:
        where = (slice(y0, y1), slice(x0, x1))
        if state is TileState.USED:
            total[where] += probs
            count[where] += 1
        else:
            (failed if state is TileState.FAILED else other)[where] = True
    used = count > 0
    total /= np.maximum(count, 1)[..., None]
    return ClassMap(
        probs=total,
        used=used,
        excluded=other & ~used,
        failed=failed & ~other & ~used,
        top=top,
        left=left,
    )


def _pixel_spans(scores: TileScores, size: tuple[int, int], downsample: float) -> IntArray:
    """(n, 4) x0, y0, x1, y1 in picture pixels; neighbours touch, each at least a pixel wide."""
    corners = scores.boxes.astype(np.float64)
    corners[:, 2:] += corners[:, :2]
    spans = np.rint(corners / downsample).astype(np.int64)
    spans[:, 2:] = np.maximum(spans[:, 2:], spans[:, :2] + 1)
    return np.clip(spans, 0, (*size, *size))


def _tint(base: RgbArray, mapped: ClassMap, colors: FloatArray, stripe: int) -> RgbArray:
    """Class colours by confidence, stripes where uncertain, hatching where excluded."""
    classes = colors.shape[0]
    best = mapped.probs.max(axis=2)
    plain: FloatArray = colors[mapped.probs.argmax(axis=2)]
    chance = 1 / classes if classes > 1 else 0.0
    strength = np.clip((best - chance) / (1 - chance), 0, 1)
    alpha = np.where(mapped.used, 0.12 + 0.32 * strength, 0).astype(np.float32)
    uncertain = mapped.used & (best < UNCERTAIN_BELOW)
    between = np.where(uncertain[..., None], np.float32(255), plain)
    alpha[uncertain] = 0.45
    line = np.where(uncertain[..., None], plain, _GREY)
    line_alpha = np.where(uncertain, np.float32(0.9), np.float32(0.8))

    height, width = base.shape[:2]
    rising, falling = _stripes(height, width, stripe)
    out = np.empty_like(base)
    for row, (top, bottom) in enumerate(pairwise(mapped.top.tolist())):
        band = slice(top, bottom)
        lined = rising[band] & mapped.along(uncertain[row] | mapped.failed[row])
        lined |= falling[band] & mapped.along(mapped.excluded[row] | mapped.failed[row])
        share = np.where(lined, mapped.along(line_alpha[row]), mapped.along(alpha[row]))
        on, off = mapped.along(line[row]), mapped.along(between[row])
        for channel in range(3):
            under = base[band, :, channel].astype(np.float32)
            mixed = np.where(lined, on[:, channel], off[:, channel])
            mixed -= under
            mixed *= share
            mixed += under
            out[band, :, channel] = np.rint(mixed, out=mixed)
    return out


def _stripes(height: int, width: int, period: int) -> tuple[MaskArray, MaskArray]:
    """Slanting stripes, a quarter of their period wide: rising and falling to the right."""
    up = np.arange(height + width) % period < period / 4
    down = np.arange(-height + 1, width) % period < period / 4
    rising = sliding_window_view(up, width)[:height]
    return rising, sliding_window_view(down, width)[::-1]


def _outline(pixels: RgbArray, mapped: ClassMap, colors: FloatArray) -> None:
    """A darker line of the class's colour along the border of each region."""
    winner = np.where(mapped.used, mapped.probs.argmax(axis=2) + 1, 0).astype(np.uint8)
    zone = mapped.at_pixels(winner)
    inner = np.pad(zone, 1)
    edge = np.zeros(zone.shape, dtype=bool)
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
        edge |= inner[dy : dy + zone.shape[0], dx : dx + zone.shape[1]] != zone
    edge &= zone > 0
    pixels[edge] = np.rint(colors * 0.7).astype(np.uint8)[zone[edge] - 1]


def _draw_letters(
    drawn: Image.Image,
    scores: TileScores,
    downsample: float,
    letters: tuple[str, ...],
    zoom: float,
) -> None:
    """In each block of the picture a letter for every class with a quarter of its tiles.

    It stands on the tile nearest to the middle of that class's tiles in the block.
    """
    used = np.array([state is TileState.USED for state in scores.state], dtype=bool)
    if not used.any():
        return
    centres = (scores.boxes[used, :2] + scores.boxes[used, 2:] / 2) / downsample
    winners = scores.probs[used].argmax(axis=1)
    blocks = (centres // (_LETTER_EVERY_PX * zoom)).astype(np.int64)
    font = pillow_font(round(_LETTER_PX * zoom), bold=True)
    draw = ImageDraw.Draw(drawn)
    for block in np.unique(blocks, axis=0):
        inside = (blocks == block).all(axis=1)
        for winner in np.unique(winners[inside]):
            mine = centres[inside & (winners == winner)]
            if len(mine) < inside.sum() / 4:
                continue
            x, y = mine[np.abs(mine - mine.mean(axis=0)).sum(axis=1).argmin()]
            draw.text(
                (float(x), float(y)), letters[winner], "black", font,
                anchor="mm", stroke_width=round(2 * zoom), stroke_fill="white",
            )  # fmt: skip
