"""Which fields of an image the network sees.

Positions are level-0 pixels. A field spans ``size_px * spacing / mpp`` pixels, hardly ever a whole
number: each position is rounded from the exact one, so the grid does not drift across a slide.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lungscan.tiles.morphology import find_pieces
from lungscan.types import BoxArray, FloatArray, MaskArray, Scale, TileGrid, TissueMask

# A field with less tissue is mostly glass. Lung is airy: find_tissue sees down to 12.6 % in 2,507
# lung fields of LC25000, so a higher limit would lose real lung.
MIN_TISSUE = 0.10
MAX_OVERLAP = 0.75
_COVERED = 0.5  # a piece of tissue counts as seen when kept fields hold this share of it

IntArray = NDArray[np.int64]
Float64Array = NDArray[np.float64]


def plan_grid(
    mask: TissueMask,
    width: int,
    height: int,
    scale: Scale,
    size_px: int,
    spacing_um_px: float,
    overlap: float = 0.0,
    min_tissue: float = MIN_TISSUE,
) -> TileGrid:
    """Plan fields of ``size_px`` at ``spacing_um_px`` that hold tissue, row by row.

    Kept are fields with at least ``min_tissue`` tissue and, for a piece of tissue that these miss
    for more than half, the one field that holds most of it. The last row and column are shifted
    inwards; only an image smaller than a field makes the box stick out, to the right and below.
    ``tissue_fraction`` counts what sticks out as empty. Raises ValueError for an unknown scale or
    an overlap outside 0 to 0.75.
    """
    if scale.mpp_um is None:
        raise ValueError("a grid at a given spacing needs the image's µm per pixel")
    if not 0.0 <= overlap <= MAX_OVERLAP:
        raise ValueError(f"overlap must lie between 0 and {MAX_OVERLAP}, not {overlap}")
    exact_side = size_px * spacing_um_px / scale.mpp_um
    side = max(1, round(exact_side))
    stride = max(1.0, exact_side * (1.0 - overlap))
    x, y = _positions(width, side, stride), _positions(height, side, stride)
    fraction = _tissue_in(mask.tissue, mask.downsample, x, y, side) / side**2
    kept = (fraction >= min_tissue) & (fraction > 0)
    _keep_missed_pieces(kept, mask, x, y, side)
    rows, columns = np.nonzero(kept)
    boxes = np.stack(
        [x[columns], y[rows], np.full(len(rows), side), np.full(len(rows), side)], axis=1
    )
    return TileGrid(
        boxes=boxes.astype(np.int32),
        tissue_fraction=fraction[rows, columns].astype(np.float32),
        size_px=size_px,
        spacing_um_px=spacing_um_px,
        mode="tiled",
    )


def whole_grid(width: int, height: int, size_px: int, mask: TissueMask | None = None) -> TileGrid:
    """Take a picture whole: cover it by the fewest squares of its shorter side.

    Squares keep the shape of cells, and evenly spread ones (a 3:2 picture gets two that overlap)
    leave no edge unseen. An excess of less than one pixel of the network's input is cut off in
    equal parts. Without a mask every square counts as full of tissue.
    """
    side, longest = min(width, height), max(width, height)
    spare = longest - side
    count = 1 if spare * size_px <= longest else math.ceil(longest / side)
    along = np.rint(spare * (np.arange(count) + 0.5 * (count == 1)) / max(count - 1, 1))
    across = np.zeros(count)
    x, y = (along, across) if width >= height else (across, along)
    boxes = np.stack([x, y, np.full(count, side), np.full(count, side)], axis=1).astype(np.int32)
    fraction = np.ones(count) if mask is None else tissue_fraction(mask, boxes)
    return TileGrid(
        boxes=boxes,
        tissue_fraction=fraction.astype(np.float32),
        size_px=size_px,
        spacing_um_px=None,
        mode="whole",
    )


def tissue_fraction(mask: TissueMask, boxes: BoxArray) -> FloatArray:
    """Exact share of each box (n, 4) that is tissue, 0 to 1; outside the image there is none."""
    table = _integral(mask.tissue)
    left, top = boxes[:, 0] / mask.downsample, boxes[:, 1] / mask.downsample
    right = (boxes[:, 0] + boxes[:, 2]) / mask.downsample
    bottom = (boxes[:, 1] + boxes[:, 3]) / mask.downsample
    area = (
        _look_up(table, right, bottom)
        - _look_up(table, left, bottom)
        - _look_up(table, right, top)
        + _look_up(table, left, top)
    )
    size = boxes[:, 2].astype(np.float64) * boxes[:, 3]
    return np.clip(area * mask.downsample**2 / np.maximum(size, 1), 0, 1).astype(np.float32)


def tissue_area_mm2(mask: TissueMask, scale: Scale) -> float | None:
    """Area of tissue in mm²; None when the scale is unknown."""
    return _area_mm2(mask.tissue, mask.downsample, scale)


def pen_area_mm2(mask: TissueMask, scale: Scale) -> float | None:
    """Area of pen marks in mm²; None when the scale is unknown."""
    return _area_mm2(mask.pen, mask.downsample, scale)


def _area_mm2(mask: MaskArray, downsample: float, scale: Scale) -> float | None:
    if scale.mpp_um is None:
        return None
    return int(np.count_nonzero(mask)) * (downsample * scale.mpp_um) ** 2 / 1e6


def _positions(length: int, side: int, stride: float) -> IntArray:
    """Return the starts of fields along one axis; the last field ends with the image."""
    if length <= side:
        return np.zeros(1, dtype=np.int64)
    count = math.ceil((length - side) / stride) + 1
    starts = np.floor(np.arange(count) * stride + 0.5).astype(np.int64)
    return np.unique(np.minimum(starts, length - side))


def _integral(mask: MaskArray) -> Float64Array:
    """(height + 1, width + 1); entry (i, j) counts the pixels above row i and left of column j."""
    table = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1))
    np.cumsum(mask, axis=0, out=table[1:, 1:])
    np.cumsum(table[1:, 1:], axis=1, out=table[1:, 1:])
    return table


def _look_up(table: Float64Array, x: Float64Array, y: Float64Array) -> Float64Array:
    """Integral at points between pixels. Linear between entries, which is exact for pixels."""
    row, down = _split(y, table.shape[0] - 1)
    column, across = _split(x, table.shape[1] - 1)
    upper = table[row, column] * (1 - across) + table[row, column + 1] * across
    lower = table[row + 1, column] * (1 - across) + table[row + 1, column + 1] * across
    return np.asarray(upper * (1 - down) + lower * down)


def _split(position: Float64Array, last: int) -> tuple[IntArray, Float64Array]:
    """Whole and fractional part of positions held inside the table."""
    held = np.clip(position, 0, last)
    whole = np.minimum(held.astype(np.int64), last - 1)
    return whole, held - whole


def _tissue_in(
    mask: MaskArray, downsample: float, x: IntArray, y: IntArray, side: int
) -> Float64Array:
    """Tissue in level-0 pixels of every box of a grid: (rows, columns)."""
    table = _integral(mask)
    left, right = (p[None, :] / downsample for p in (x, x + side))
    top, bottom = (p[:, None] / downsample for p in (y, y + side))
    lower = _look_up(table, right, bottom) - _look_up(table, left, bottom)
    upper = _look_up(table, right, top) - _look_up(table, left, top)
    return np.asarray((lower - upper) * downsample**2)


def _keep_missed_pieces(
    kept: NDArray[np.bool_], mask: TissueMask, x: IntArray, y: IntArray, side: int
) -> None:
    """Mark in ``kept`` one field for each piece of tissue that the kept fields miss."""
    pieces = find_pieces(mask.tissue)
    seen = mask.tissue & _painted(kept, mask, x, y, side)
    in_view = np.bincount(pieces.labels[seen], minlength=len(pieces.area) + 1)[1:]
    for i in np.flatnonzero(in_view < _COVERED * pieces.area):
        part = slice(pieces.top[i], pieces.bottom[i]), slice(pieces.left[i], pieces.right[i])
        piece = pieces.labels[part] == i + 1
        columns = _meeting(x, side, pieces.left[i], pieces.right[i], mask.downsample)
        rows = _meeting(y, side, pieces.top[i], pieces.bottom[i], mask.downsample)
        origin_x = x[columns] - pieces.left[i] * mask.downsample
        origin_y = y[rows] - pieces.top[i] * mask.downsample
        held = _tissue_in(piece, mask.downsample, origin_x, origin_y, side)
        near = kept[rows, columns]
        enough = _COVERED * pieces.area[i] * mask.downsample**2
        if held.size and held.max() > 0 and not (near & (held >= enough)).any():
            near[np.unravel_index(int(held.argmax()), held.shape)] = True


def _meeting(starts: IntArray, side: int, low: int, high: int, downsample: float) -> slice:
    """Which boxes of a sorted axis meet the overview pixels ``low`` to ``high``."""
    first = np.searchsorted(starts + side, low * downsample, side="right")
    last = np.searchsorted(starts, high * downsample, side="left")
    return slice(int(first), int(last))


def _painted(
    kept: NDArray[np.bool_], mask: TissueMask, x: IntArray, y: IntArray, side: int
) -> MaskArray:
    """Draw the kept boxes on the overview."""
    height, width = mask.tissue.shape
    rows, columns = np.nonzero(kept)
    left, right = (_pixel(p[columns], mask.downsample, width) for p in (x, x + side))
    top, bottom = (_pixel(p[rows], mask.downsample, height) for p in (y, y + side))
    corners = np.zeros((height + 1, width + 1), dtype=np.int32)
    corner: tuple[tuple[IntArray, IntArray, Literal[1, -1]], ...] = (
        (top, left, 1), (top, right, -1), (bottom, left, -1), (bottom, right, 1),
    )  # fmt: skip
    for row, column, sign in corner:
        np.add.at(corners, (row, column), sign)
    return np.asarray(corners.cumsum(axis=0).cumsum(axis=1)[:-1, :-1] > 0)


def _pixel(position: IntArray, downsample: float, last: int) -> IntArray:
    return np.clip(np.rint(position / downsample), 0, last).astype(np.int64)
