"""What is glass: whatever is smooth over a wide area, of any tint; and its colour, place by place.

Light on a slide is seldom white and even: scanners stitch strips of different tint, lamps fall off
to the edges, filters and mounting media stain it. All of that is smooth at the scale of cells, and
tissue is not: of 1,200 lung fields of LC25000, at 4 µm per pixel, 97 % of the pixels stand out from
their surroundings, and the widest smooth spot measures 0.006 mm².
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lungscan.tiles.density import LOG, WHITE, estimate_background, is_filler
from lungscan.tiles.morphology import box_mean, dilate, extremes
from lungscan.tiles.pieces import find_pieces
from lungscan.types import FloatArray, MaskArray, RgbArray

MIN_GLASS_MM2 = 0.25  # smooth over less, it may be a lumen full of fluid
MIN_GLASS_SHARE = 0.02  # of the picture, when the scale is unknown
TEXTURE_PX = 2  # reach of what counts as a spot or strand
MIN_TEXTURE = 4  # grey levels by which it is darker or brighter than what lies around it
CELL_UM = 64.0  # the colour of glass is known cell by cell ...
CELL_PX = 8  # ... (when the scale is unknown)
_NEAR = 2  # cells on each side that settle a cell's colour: smaller spots of colour are no glass


def find_texture(rgb: RgbArray) -> MaskArray:
    """Where a picture shows spots or strands: (height, width).

    They are what a closing (dark ones) or an opening (bright ones) takes away, so that a slope or
    a step, however strong, is no texture: behind a step the glass goes on in another tint.
    """
    smooth = (box_mean(np.moveaxis(rgb, -1, 0).astype(np.float32), 1) + 0.5).astype(np.uint8)
    found = np.zeros(rgb.shape[:2], np.bool_)
    for plane in smooth:
        for first, second in ((np.maximum, np.minimum), (np.minimum, np.maximum)):
            without = extremes(extremes(plane, TEXTURE_PX, first), TEXTURE_PX, second)
            found |= np.maximum(without, plane) - np.minimum(without, plane) >= MIN_TEXTURE
    return found


def find_glass(texture: MaskArray, valid: MaskArray, um_px: float | None) -> MaskArray:
    """Wide smooth areas of a picture, whatever their tint."""
    pieces = find_pieces(valid & ~dilate(texture, TEXTURE_PX), diagonal=False)
    least = MIN_GLASS_SHARE * valid.size if um_px is None else MIN_GLASS_MM2 * 1e6 / um_px**2
    return pieces.keep(pieces.area >= max(least, 16))


def glass_colour(rgb: RgbArray, valid: MaskArray, um_px: float | None) -> FloatArray:
    """One colour (3,) for all of a picture's glass: the usual one, else that of what is smooth."""
    scanned = valid & ~is_filler(rgb)
    usual = estimate_background(rgb, scanned if scanned.any() else valid)
    if usual is not WHITE:
        return usual
    glass = find_glass(find_texture(rgb), valid, um_px) & scanned
    return np.median(rgb[glass], axis=0).astype(np.float32) if glass.any() else usual


def light_around(
    rgb: RgbArray, glass: MaskArray, elsewhere: FloatArray, um_px: float | None
) -> FloatArray:
    """Natural log of the bare light (3, height, width) in which each pixel is seen.

    It is that of the glass around: the median over some 0.3 mm, so that a spot of colour on the
    glass does not count; between two tints the deeper one; where no glass is near, that of the
    nearest. ``elsewhere`` (3,) serves a picture without any.
    """
    height, width = glass.shape
    if not glass.any():
        level = np.log(np.maximum(elsewhere, 1)).astype(np.float32)
        return np.broadcast_to(level[:, None, None], (3, height, width))
    cell = CELL_PX if um_px is None else max(2, round(CELL_UM / um_px))
    colour, known = _cells(rgb, glass, cell)
    colour = _windowed(colour, known, _NEAR, _median)
    while not known.all():  # from near to far
        reached = dilate(known, 1)
        near = _windowed(colour, known, 1, _mean)
        colour[:, reached & ~known] = near[:, reached & ~known]
        known = reached
    colour = _windowed(colour, known, 1, _least)
    wide = [
        Image.fromarray(plane).resize((width, height), _BETWEEN, box=(0, 0, width / cell, height / cell))
        for plane in colour
    ]
    return np.stack([np.asarray(plane) for plane in wide])


_BETWEEN = Image.Resampling.BILINEAR


def _cells(rgb: RgbArray, glass: MaskArray, cell: int) -> tuple[FloatArray, MaskArray]:
    """Log colour (3, rows, columns) of the glass in each cell, and in which there is enough."""
    rows, columns = -(-glass.shape[0] // cell), -(-glass.shape[1] // cell)
    tall, wide = rows * cell, columns * cell

    def summed(values: FloatArray) -> FloatArray:
        full = np.zeros((tall, wide), np.float32)
        full[: values.shape[0], : values.shape[1]] = values
        return full.reshape(rows, cell, columns, cell).sum(axis=(1, 3))

    count = summed(glass.astype(np.float32))
    total = np.stack([summed(LOG.take(rgb[..., c]) * glass) for c in range(3)])
    return total / np.maximum(count, 1), count >= cell * cell / 8


def _windowed(
    colour: FloatArray, known: MaskArray, reach: int, take: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """``take`` over the known cells within ``reach`` of each (3, rows, columns); NaN for none."""
    seen = np.where(known, colour, np.nan)
    padded = np.pad(seen, ((0, 0), (reach, reach), (reach, reach)), constant_values=np.nan)
    side = 2 * reach + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
    flat = windows.reshape(*colour.shape, side * side)
    return take(flat)


def _masked(flat: FloatArray) -> NDArray[np.bool_]:
    return np.isfinite(flat)


def _median(flat: FloatArray) -> FloatArray:
    """Median of the finite values along the last axis; 0 where there are none."""
    order = np.sort(flat, axis=-1)  # NaN comes last
    count = _masked(flat).sum(axis=-1)
    middle = np.take_along_axis(order, np.maximum((count - 1) // 2, 0)[..., None], -1)[..., 0]
    return np.nan_to_num(middle).astype(np.float32)


def _mean(flat: FloatArray) -> FloatArray:
    count = np.maximum(_masked(flat).sum(axis=-1), 1)
    return (np.nan_to_num(flat).sum(axis=-1) / count).astype(np.float32)


def _least(flat: FloatArray) -> FloatArray:
    return np.where(_masked(flat), flat, np.inf).min(axis=-1).astype(np.float32)
