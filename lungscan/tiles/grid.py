"""Which fields of an image the network sees.

Positions are level-0 pixels. A field spans ``size_px * spacing / mpp`` pixels, hardly ever a whole
number: each position is rounded from the exact one, so the grid does not drift across a slide.
Fields are squares of tissue: where a pixel is no square, neither is a field in pixels.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lungscan.options import MAX_OVERLAP
from lungscan.tiles.connected_components import Runs, join_runs
from lungscan.tiles.integral import count_before
from lungscan.tiles.mask import TissueMask
from lungscan.types import BoxArray, FloatArray, Scale, TileGrid

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

    The grid begins where the tissue does: the glass around does not decide how a piece is cut.
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
    wide, high = (size_px * spacing_um_px / um for um in scale.mpp_xy_um or (scale.mpp_um,) * 2)
    size = max(1, round(wide)), max(1, round(high))
    left, top = _corner(mask)
    x = _positions(width, size[0], max(1.0, wide * (1.0 - overlap)), left)
    y = _positions(height, size[1], max(1.0, high * (1.0 - overlap)), top)
    fraction = _tissue_in(mask.runs, mask.downsample, x, y, size) / (size[0] * size[1])
    kept = (fraction >= min_tissue) & (fraction > 0)
    _keep_missed_pieces(kept, mask, x, y, size)
    rows, columns = np.nonzero(kept)
    boxes = np.stack(
        [x[columns], y[rows], np.full(len(rows), size[0]), np.full(len(rows), size[1])], axis=1
    )
    return TileGrid(
        boxes=boxes.astype(np.int32),
        tissue_fraction=fraction[rows, columns].astype(np.float32),
        size_px=size_px,
        spacing_um_px=spacing_um_px,
        mode="tiled",
    )


def whole_grid(
    width: int,
    height: int,
    size_px: int,
    mask: TissueMask | None = None,
    stretch: float = 1.0,
) -> TileGrid:
    """Take a picture whole: cover it by the fewest squares of its shorter side.

    Squares keep the shape of cells, and evenly spread ones (a 3:2 picture gets two that overlap)
    leave no edge unseen. An excess of less than one pixel of the network's input is cut off in
    equal parts. Without a mask every square counts as full of tissue. ``stretch`` is
    ``Scale.stretch``: squares are those of the tissue.
    """
    wide = width * stretch >= height
    if wide:
        size = min(width, max(1, round(height / stretch))), height
    else:
        size = width, min(height, max(1, round(width * stretch)))
    longest, side = (width, size[0]) if wide else (height, size[1])
    spare = longest - side
    count = 1 if spare * size_px <= longest else math.ceil(longest / side)
    along = np.rint(spare * (np.arange(count) + 0.5 * (count == 1)) / max(count - 1, 1))
    across = np.zeros(count)
    x, y = (along, across) if wide else (across, along)
    sides = (np.full(count, length) for length in size)
    boxes = np.stack([x, y, *sides], axis=1).astype(np.int32)
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
    ends = boxes[:, :2] + boxes[:, 2:]
    x, y = (np.unique(np.concatenate([boxes[:, axis], ends[:, axis]])) for axis in (0, 1))
    before = count_before(mask.runs, x / mask.downsample, y / mask.downsample)
    left, right = np.searchsorted(x, boxes[:, 0]), np.searchsorted(x, ends[:, 0])
    top, bottom = np.searchsorted(y, boxes[:, 1]), np.searchsorted(y, ends[:, 1])
    area = before[bottom, right] - before[bottom, left] - before[top, right] + before[top, left]
    size = boxes[:, 2].astype(np.float64) * boxes[:, 3]
    return np.clip(area * mask.downsample**2 / np.maximum(size, 1), 0, 1).astype(np.float32)


def tissue_area_mm2(mask: TissueMask, scale: Scale) -> float | None:
    """Area of tissue in mm²; None when the scale is unknown."""
    return _area_mm2(mask.area, mask.downsample, scale)


def pen_area_mm2(mask: TissueMask, scale: Scale) -> float | None:
    """Area of pen marks in mm²; None when the scale is unknown."""
    return _area_mm2(int(np.count_nonzero(mask.pen)), mask.pen_downsample, scale)


def _area_mm2(pixels: float, downsample: float, scale: Scale) -> float | None:
    return None if scale.mpp_um is None else pixels * (downsample * scale.mpp_um) ** 2 / 1e6


def _corner(mask: TissueMask) -> tuple[int, int]:
    """Where the tissue begins, left and top, in level-0 pixels."""
    runs = mask.runs
    if not len(runs.row):
        return 0, 0
    left, top = runs.left.min() * mask.downsample, runs.row.min() * mask.downsample
    return math.floor(left), math.floor(top)


def _positions(length: int, side: int, stride: float, first: int) -> IntArray:
    """Starts of fields along one axis, from the tissue on; the last field ends with the image."""
    if length <= side:
        return np.zeros(1, dtype=np.int64)
    first = min(first, length - side)
    count = math.ceil((length - side - first) / stride) + 1
    starts = np.floor(first + np.arange(count) * stride + 0.5).astype(np.int64)
    return np.unique(np.minimum(starts, length - side))


def _tissue_in(
    runs: Runs, downsample: float, x: IntArray, y: IntArray, size: tuple[int, int]
) -> Float64Array:
    """Tissue in level-0 pixels of every box of a grid: (rows, columns)."""
    sides = ((x, size[0]), (y, size[1]))
    across, down = (np.unique(np.concatenate([p, p + side])) for p, side in sides)
    before = count_before(runs, across / downsample, down / downsample)
    left, right = (np.searchsorted(across, p) for p in (x, x + size[0]))
    top, bottom = (np.searchsorted(down, p)[:, None] for p in (y, y + size[1]))
    lower = before[bottom, right] - before[bottom, left]
    upper = before[top, right] - before[top, left]
    return np.asarray((lower - upper) * downsample**2)


def _keep_missed_pieces(
    kept: NDArray[np.bool_], mask: TissueMask, x: IntArray, y: IntArray, size: tuple[int, int]
) -> None:
    """Mark in ``kept`` one field for each piece of tissue that the kept fields miss."""
    pieces = join_runs(mask.runs)
    seen = _seen(pieces.runs, kept, mask.downsample, x, y, size)
    in_view = np.bincount(pieces.piece, weights=seen, minlength=len(pieces.area))
    for i, piece in pieces.each(in_view < _COVERED * pieces.area):
        columns = _meeting(x, size[0], pieces.left[i], pieces.right[i], mask.downsample)
        rows = _meeting(y, size[1], pieces.top[i], pieces.bottom[i], mask.downsample)
        origin_x = x[columns] - pieces.left[i] * mask.downsample
        origin_y = y[rows] - pieces.top[i] * mask.downsample
        held = _tissue_in(piece, mask.downsample, origin_x, origin_y, size)
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
    runs: Runs,
    kept: NDArray[np.bool_],
    downsample: float,
    x: IntArray,
    y: IntArray,
    size: tuple[int, int],
) -> IntArray:
    """How many pixels of each run (runs,) lie in kept boxes.

    The boxes lie in rows, so the overview falls into bands that look alike in all their lines.
    """
    height, width = runs.shape
    left, right = (_pixel(p, downsample, width) for p in (x, x + size[0]))
    top, bottom = (_pixel(p, downsample, height) for p in (y, y + size[1]))
    edges = np.unique(np.concatenate(([0], top, bottom)))
    first = np.searchsorted(runs.row, np.append(edges, height))
    seen = np.zeros(len(runs.row), dtype=np.int64)
    before = np.zeros(width + 1, dtype=np.int64)  # kept pixels to the left, of one band
    for edge, start, stop in zip(edges, first, first[1:], strict=False):
        columns = kept[(top <= edge) & (edge < bottom)].any(axis=0)
        ends = np.bincount(left[columns], minlength=width + 1)
        ends -= np.bincount(right[columns], minlength=width + 1)
        np.cumsum(np.cumsum(ends)[:-1] > 0, out=before[1:])
        seen[start:stop] = before[runs.right[start:stop]] - before[runs.left[start:stop]]
    return seen


def _pixel(position: IntArray, downsample: float, last: int) -> IntArray:
    return np.clip(np.rint(position / downsample), 0, last).astype(np.int64)
