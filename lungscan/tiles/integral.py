"""How much of a mask lies in a box, exactly, wherever its edges fall."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungscan.types import MaskArray

IntArray = NDArray[np.int64]
Float64Array = NDArray[np.float64]

_SUMMED = 255  # rows at a time: as many as a byte can count


class Integral:
    """Counts the pixels of a mask above and to the left of points between its pixels.

    Knows only the lines that it was made for: a grid of boxes has far fewer than the mask.
    """

    def __init__(self, mask: MaskArray, y: Float64Array) -> None:
        """Prepare for points of a mask (height, width) at these heights."""
        self._height, self._width = mask.shape
        row, _ = _split(y.ravel(), self._height)
        tops = np.concatenate((row, row + 1, np.arange(0, self._height, _SUMMED)))
        self._rows = np.unique(np.append(tops, self._height))  # the last one ends the mask
        self._table = np.zeros((len(self._rows), self._width + 1))
        for top, bottom, line in zip(self._rows, self._rows[1:], self._table[1:], strict=False):
            line[1:] = np.add.reduce(mask[top:bottom].view(np.uint8), axis=0, dtype=np.uint8)
        np.cumsum(self._table, axis=0, out=self._table)
        np.cumsum(self._table, axis=1, out=self._table)

    def at(self, x: Float64Array, y: Float64Array) -> Float64Array:
        """Count at points; linear between the corners of pixels, which is exact for pixels."""
        whole, down = _split(y, self._height)
        column, across = _split(x, self._width)
        row, table = np.searchsorted(self._rows, whole), self._table
        upper = table[row, column] * (1 - across) + table[row, column + 1] * across
        lower = table[row + 1, column] * (1 - across) + table[row + 1, column + 1] * across
        return np.asarray(upper * (1 - down) + lower * down)


def _split(position: Float64Array, last: int) -> tuple[IntArray, Float64Array]:
    """Whole and fractional part of positions held inside the mask."""
    held = np.clip(position, 0, last)
    whole = np.minimum(held.astype(np.int64), last - 1)
    return whole, held - whole
