"""What every way to explain offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from lungscan.types import FloatArray, RgbArray

LEAST_CELL_PX = 28  # 6 × 6 cells of 192 px, 8 × 8 of 224 px
_TINY = 1e-12  # a probability below it is taken for it


@dataclass(frozen=True, slots=True)
class Cells:
    """The numbers of ``lungscan.types.Explanation``; see there."""

    values: FloatArray  # (rows, columns)
    probability: float
    score: float
    rest: float | None = None
    lowest: float | None = None


class Explainer(Protocol):
    """Explains single tiles; may be called from several threads at once."""

    @property
    def method(self) -> Literal["occlusion", "cam"]:
        """Its name."""

    def explain(self, tile: RgbArray, class_index: int) -> Cells:
        """Explain one class of a tile ``(s, s, 3)`` at the network's size."""


def log_odds(probs: FloatArray, class_index: int) -> FloatArray:
    """Natural logarithm of the odds of a class, ``(n, classes)`` to ``(n,)``.

    The others are summed, not subtracted from 1: near 1 that would lose every digit.
    """
    wide = np.maximum(probs.astype(np.float64), _TINY)
    others = np.delete(wide, class_index, axis=1).sum(1)
    odds: FloatArray = np.log(wide[:, class_index] / others).astype(np.float32)
    return odds
