"""How good an explanation is: how fast the answer goes when its cells are blurred in its order.

The deletion figure after Petsiuk et al., https://arxiv.org/abs/1806.07421, with blur in the place
of grey. An order by chance is what to compare it with.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungscan.explaining.occlusion import one_after_another, windows
from lungscan.runtimes import Runtime
from lungscan.types import RgbArray


def deletion(runtime: Runtime, tile: RgbArray, class_index: int, order: NDArray[np.intp]) -> float:
    """Mean probability of a class while cell after cell is blurred; lower is a better order.

    Args:
        tile: ``(s, s, 3)`` at the network's size.
        order: numbers of all cells, counted row by row, the first to be blurred first.
    """
    cells = windows(tile.shape[0])
    steps = one_after_another(tile, [cells[index] for index in order])
    probs, _ = runtime.predict(steps)
    return float(probs[:, class_index].mean(dtype=np.float64))


def order_of(values: NDArray[np.float32], side_px: int) -> NDArray[np.intp]:
    """The cells of a tile by what a map ``(rows, columns)`` of any grid says of their middles."""
    rows, columns = values.shape
    found = []
    for down, across in windows(side_px):
        row = int((down.start + down.stop) / 2 / side_px * rows)
        column = int((across.start + across.stop) / 2 / side_px * columns)
        found.append(values[row, column])
    return np.argsort(-np.array(found), kind="stable")
