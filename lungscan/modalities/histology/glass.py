"""What is glass: whatever is smooth over a wide area, of any tint; and its colour, place by place.

Light on a slide is seldom white and even: scanners stitch strips of different tint, lamps fall off
to the edges, filters and mounting media stain it. All of that is smooth at the scale of cells, and
tissue is not: of 1,200 lung fields of LC25000, at 4 µm per pixel, 97 % of the pixels stand out from
their surroundings, and the widest smooth spot measures 0.006 mm².
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from lungscan.modalities.histology.density import (
    STAINED,
    WHITE,
    estimate_background,
    is_filler,
    is_stained,
    log_light,
)
from lungscan.tiles.connected_components import find_pieces, sum_in
from lungscan.tiles.morphology import box_mean, close_gaps, dilate, extremes
from lungscan.types import FloatArray, MaskArray, RgbArray

MIN_GLASS_MM2 = 0.25  # smooth over less, it may be a lumen full of fluid
MIN_GLASS_SHARE = 0.02  # of the picture, when the scale is unknown
TINTED = 4  # times as wide must be what is stained beside paler glass: else cartilage, blood, mucus
TEXTURE_PX = 2  # reach of what counts as a spot or strand
MIN_TEXTURE = 4  # grey levels by which it is darker or brighter than what lies around it
MIN_EDGE = 0.15  # of the light: the outline of strongly stained tissue, however smooth inside
CELL_UM = 32.0  # the colour of glass is known cell by cell ...
CELL_PX = 4  # ... (when the scale is unknown)
_NEAR = 2  # cells on each side that settle a cell's colour: smaller spots of colour are no glass
_BETWEEN = Image.Resampling.BILINEAR


@dataclass(frozen=True, slots=True)
class Relief:
    """What is uneven in a picture: (height, width)."""

    texture: MaskArray  # spots and strands
    edges: MaskArray  # strong steps


def find_relief(rgb: RgbArray) -> Relief:
    """Tell spots and strands from mere steps.

    Texture is what a closing (of dark spots) or an opening (of bright ones) takes away. So neither
    a slope nor a step is texture, however strong: behind it the glass goes on in another tint.
    """
    texture, edges = (np.zeros(rgb.shape[:2], np.bool_) for _ in range(2))
    for channel in range(3):
        plane = (box_mean(rgb[..., channel].astype(np.float32), 1) + 0.5).astype(np.uint8)
        for first, second in ((np.maximum, np.minimum), (np.minimum, np.maximum)):
            without = extremes(extremes(plane, TEXTURE_PX, first), TEXTURE_PX, second)
            texture |= np.maximum(without, plane) - np.minimum(without, plane) >= MIN_TEXTURE
        highest, lowest = (extremes(plane, 1, pick) for pick in (np.maximum, np.minimum))
        edges |= lowest < (1 - MIN_EDGE) * highest
    return Relief(texture, edges)


def find_glass(rgb: RgbArray, relief: Relief, valid: MaskArray, um_px: float | None) -> MaskArray:
    """Wide smooth areas of a picture, whatever their tint."""
    smooth = valid & ~relief.edges & ~dilate(relief.texture, TEXTURE_PX)
    least = MIN_GLASS_SHARE * valid.size if um_px is None else MIN_GLASS_MM2 * 1e6 / um_px**2
    pieces = find_pieces(smooth, diagonal=False)
    pieces = pieces.only(pieces.area >= max(least, 16))
    colour = np.stack([pieces.sums(sum_in(pieces.runs, rgb[..., c])) for c in range(3)], axis=1)
    level = np.log(np.maximum(colour / np.maximum(pieces.area, 1)[:, None], 1))
    taken = np.maximum(level[None] - level[:, None], 0)  # by piece i, of the light of piece j
    stained = is_stained(taken, STAINED).any(axis=1)
    return pieces.keep(~stained | (pieces.area >= TINTED * least))


def glass_colour(rgb: RgbArray, valid: MaskArray, um_px: float | None) -> FloatArray:
    """One colour (3,) for all of a picture's glass: the usual one, else that of what is smooth."""
    scanned = valid & ~is_filler(rgb)
    usual = estimate_background(rgb, scanned if scanned.any() else valid)
    if usual is not WHITE:
        return usual
    glass = find_glass(rgb, find_relief(rgb), valid, um_px) & scanned
    return np.median(rgb[glass], axis=0).astype(np.float32) if glass.any() else usual


def light_around(
    rgb: RgbArray, glass: MaskArray, elsewhere: FloatArray, um_px: float | None
) -> FloatArray:
    """Natural log of the bare light (3, height, width) in which each pixel is seen.

    It is that of the glass around: the median over some 0.15 mm, so that a spot of colour on the
    glass does not count; where two tints of glass meet, the deeper one; where no glass is near,
    that of the nearest, the paler one where two are. ``elsewhere`` (3,) serves a picture without.
    """
    height, width = glass.shape
    if not glass.any():
        level = np.log(np.maximum(elsewhere, 1)).astype(np.float32)
        return np.broadcast_to(level[:, None, None], (3, height, width))
    cell = CELL_PX if um_px is None else max(2, round(CELL_UM / um_px))
    colour, known = _cells(rgb, glass, cell)
    colour = _windowed(colour, known, _NEAR, _median)
    deepest = _windowed(colour, known, 2, _least)
    seam = close_gaps(known, 1) & ~known  # the step between two tints: no glass, but seen in both
    colour = np.where(seam, deepest, _windowed(colour, known, 1, _least))
    colour = _spread(colour, known | seam)
    wide = [
        Image.fromarray(plane).resize(
            (width, height), _BETWEEN, (0, 0, width / cell, height / cell)
        )
        for plane in colour
    ]
    return np.stack([np.asarray(plane) for plane in wide])


def _cells(rgb: RgbArray, glass: MaskArray, cell: int) -> tuple[FloatArray, MaskArray]:
    """Log colour (3, rows, columns) of the glass in each cell, and in which there is enough."""
    rows, columns = -(-glass.shape[0] // cell), -(-glass.shape[1] // cell)
    tall, wide = rows * cell, columns * cell

    def summed(values: FloatArray) -> FloatArray:
        full: FloatArray = np.zeros((tall, wide), np.float32)
        full[: values.shape[0], : values.shape[1]] = values
        return np.asarray(full.reshape(rows, cell, columns, cell).sum(axis=(1, 3)))

    count = summed(glass.astype(np.float32))
    total = np.stack([summed(plane * glass) for plane in log_light(rgb)])
    mean: FloatArray = np.asarray(total / np.maximum(count, 1), np.float32)
    return mean, count >= cell * cell / 8


def _windowed(
    colour: FloatArray, known: MaskArray, reach: int, take: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """``take`` over the known cells within ``reach`` of each (3, rows, columns); NaN for none."""
    seen = np.where(known, colour, np.nan)
    padded = np.pad(seen, ((0, 0), (reach, reach), (reach, reach)), constant_values=np.nan)
    side = 2 * reach + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
    return take(windows.reshape(*colour.shape, side * side))


def _spread(colour: FloatArray, known: MaskArray) -> FloatArray:
    """Give each unknown cell the palest colour of the known ones nearest to it."""
    light = np.where(known, colour, np.float32(-np.inf))
    while not known.all():
        tall = light.copy()
        np.maximum(tall[:, 1:], light[:, :-1], out=tall[:, 1:])
        np.maximum(tall[:, :-1], light[:, 1:], out=tall[:, :-1])
        near = tall.copy()
        np.maximum(near[:, :, 1:], tall[:, :, :-1], out=near[:, :, 1:])
        np.maximum(near[:, :, :-1], tall[:, :, 1:], out=near[:, :, :-1])
        light = np.where(known, light, near)
        known = np.isfinite(light[0])
    return np.asarray(light)


def _median(flat: FloatArray) -> FloatArray:
    """Median of the finite values along the last axis; 0 where there are none."""
    order = np.sort(flat, axis=-1)  # NaN comes last
    count = np.isfinite(flat).sum(axis=-1)
    middle = np.take_along_axis(order, np.maximum((count - 1) // 2, 0)[..., None], -1)[..., 0]
    return np.asarray(np.nan_to_num(middle), np.float32)


def _least(flat: FloatArray) -> FloatArray:
    return np.asarray(np.where(np.isfinite(flat), flat, np.inf).min(axis=-1), np.float32)
