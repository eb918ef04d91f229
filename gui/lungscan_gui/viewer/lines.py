"""Many lines at once: the painter takes them from an array, without a Python object for each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PyQt6 import sip
from PyQt6.QtCore import QLineF

NUMBERS = 4  # of a line: x and y of its ends, as C doubles


def lines_of(ends: NDArray[np.float64]) -> sip.array[QLineF | None]:
    """Lines for ``QPainter.drawLines``, from ``(n, 4)`` numbers: x, y, x, y."""
    made: sip.array[QLineF | None] = sip.array(QLineF, len(ends))  # type: ignore[call-arg]
    if len(ends):
        bare = sip.voidptr(made, len(ends) * NUMBERS * np.dtype(np.float64).itemsize)
        numbers = np.frombuffer(bare, np.float64)  # type: ignore[call-overload]
        numbers.reshape(-1, NUMBERS)[:] = ends
    return made
