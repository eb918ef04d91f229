"""Which fields of an image the network sees.

Positions are level-0 pixels. A field spans ``size_px * spacing / mpp`` pixels, hardly ever a whole
number: each position is rounded from the exact one, so the grid does not drift across a slide.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lungscan.options import MAX_OVERLAP
from lungscan.tiles.integral import Integral
from lungscan.tiles.pieces import Runs, find_pieces
from lungscan.types import BoxArray, FloatArray, MaskArray, Scale, TileGrid, TissueMask

# A field with less tissue is mostly glass. Lung is airy: find_tissue sees down to 12.6 % in 2,507
# lung fields of LC25000, so a higher limit would lose real lung.
MIN_TISSUE = 0.10
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
    left, top = boxes[:, 0] / mask.downsample, boxes[:, 1] / mask.downsample
    right = (boxes[:, 0] + boxes[:, 2]) / mask.downsample
    bottom = (boxes[:, 1] + boxes[:, 3]) / mask.downsample
    table = Integral(mask.tissue, np.concatenate([top, bottom]))
    area = (
        table.at(right, bottom)
        - table.at(left, bottom)
        - table.at(right, top)
        + table.at(left, top)
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


def _tissue_in(
    mask: MaskArray, downsample: float, x: IntArray, y: IntArray, side: int
) -> Float64Array:
    """Tissue in level-0 pixels of every box of a grid: (rows, columns)."""
    left, right = (p[None, :] / downsample for p in (x, x + side))
    top, bottom = (p[:, None] / downsample for p in (y, y + side))
    table = Integral(mask, np.concatenate([top, bottom]))
    lower = table.at(right, bottom) - table.at(left, bottom)
    upper = table.at(right, top) - table.at(left, top)
    return np.asarray((lower - upper) * downsample**2)


def _keep_missed_pieces(
    kept: NDArray[np.bool_], mask: TissueMask, x: IntArray, y: IntArray, side: int
) -> None:
    """Mark in ``kept`` one field for each piece of tissue that the kept fields miss."""
    pieces = find_pieces(mask.tissue)
    seen = _seen(pieces.runs, kept, mask.downsample, x, y, side)
    in_view = np.bincount(pieces.piece, weights=seen, minlength=len(pieces.area))
    for i, piece in pieces.each(in_view < _COVERED * pieces.area):
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


def _seen(
    runs: Runs, kept: NDArray[np.bool_], downsample: float, x: IntArray, y: IntArray, side: int
) -> IntArray:
    """How many pixels of each run (runs,) lie in kept boxes.

    The boxes lie in rows, so the overview falls into bands that look alike in all their lines.
    """
    height, width = runs.shape
    left, right = (_pixel(p, downsample, width) for p in (x, x + side))
    top, bottom = (_pixel(p, downsample, height) for p in (y, y + side))
    rows, columns = np.nonzero(kept)
    ends = np.zeros((len(y), width + 1), dtype=np.int32)
    np.add.at(ends, (rows, left[columns]), 1)
    np.add.at(ends, (rows, right[columns]), -1)
    painted = ends.cumsum(axis=1)[:, :-1] > 0
    edges = np.unique(np.concatenate(([0], top, bottom)))
    before = np.zeros((len(edges), width + 1), dtype=np.int64)  # painted pixels to the left
    for line, edge in zip(before, edges, strict=True):
        np.cumsum(painted[(top <= edge) & (edge < bottom)].any(axis=0), out=line[1:])
    band = np.searchsorted(edges, runs.row, side="right") - 1
    return np.asarray(before[band, runs.right] - before[band, runs.left])


def _pixel(position: IntArray, downsample: float, last: int) -> IntArray:
    return np.clip(np.rint(position / downsample), 0, last).astype(np.int64)
