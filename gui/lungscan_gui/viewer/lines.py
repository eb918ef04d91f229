"""Many lines at once: the painter takes them from an array, without a Python object for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PyQt6 import sip
from PyQt6.QtCore import QLineF

NUMBERS = 4  # of a line: x and y of its ends, as C doubles


def lines_of(ends: NDArray[np.float64]) -> Sequence[QLineF]:
    """Lines for ``QPainter.drawLines``, from ``(n, 4)`` numbers: x, y, x, y."""
    made = sip.array(QLineF, len(ends))
    if len(ends):
        size = len(ends) * NUMBERS * np.dtype(np.float64).itemsize
        memory = np.frombuffer(sip.voidptr(made, size, True), np.float64)
        memory.reshape(-1, NUMBERS)[:] = ends
    return made  # type: ignore[no-any-return]  # typed loosely there
