"""How much of a mask lies in a box, exactly, wherever its edges fall."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungscan.tiles.connected_components import Runs

IntArray = NDArray[np.int64]
Float64Array = NDArray[np.float64]

LINES = 256  # of points at a time: the sums of all lines of a large grid would fill the memory


def count_before(runs: Runs, x: Float64Array, y: Float64Array) -> Float64Array:
    """Pixels above and to the left of the points (y[i], x[j]), parts of pixels included: (i, j).

    ``x`` and ``y`` rise; both count pixels of the mask. A run is a rectangle, and the part of it
    before a point is a sum over its four corners (signed) of what lies between corner and point.
    """
    column = np.searchsorted(x, np.concatenate([runs.left, runs.right]), side="left")
    across = np.concatenate([runs.left, runs.right])
    sign = np.repeat([1.0, -1.0], len(runs.left))
    cells = len(x) + 1
    carried = np.zeros((4, cells))  # sums of the corners of all lines so far
    out = np.empty((len(y), len(x)))
    for start in range(0, len(y), LINES):
        lines = y[start : start + LINES]
        low = -np.inf if start == 0 else y[start - 1]
        sums = np.zeros((4, len(lines), cells))
        for down, side in ((runs.row, 1.0), (runs.row + 1, -1.0)):
            # A corner counts from the first line below it on.
            mine = np.flatnonzero(np.tile((down > low) & (down <= lines[-1]), 2))
            at_y = np.tile(down, 2)[mine] if len(mine) else np.zeros(0, np.int64)
            place = np.searchsorted(lines, at_y, side="left") * cells + column[mine]
            weight, at_x = side * sign[mine], across[mine]
            parts = (weight, weight * at_x, weight * at_y, weight * at_x * at_y)
            for i, part in enumerate(parts):
                sums[i] += np.bincount(place, part, sums[i].size).reshape(sums[i].shape)
        sums[:, 0] += carried
        np.cumsum(sums, axis=1, out=sums)
        carried = sums[:, -1].copy()
        count, first_x, first_y, both = np.cumsum(sums, axis=2)[:, :, : len(x)]
        out[start : start + len(lines)] = (
            (lines[:, None] * x) * count - lines[:, None] * first_x - x * first_y + both
        )
    return out
