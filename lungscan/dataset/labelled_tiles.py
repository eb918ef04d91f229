"""Tiles whose classes are known, as compression measures and judges by them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungscan.types import RgbBatch


@dataclass(frozen=True)
class LabelledTiles:
    """Tiles as the network sees them; row i of every field is tile i."""

    pixels: RgbBatch  # (n, s, s, 3)
    labels: NDArray[np.int64]  # index into the card's class_names
    groups: tuple[str, ...]
    pictures: int = 0  # that the tiles show; 0: each tile is a picture of its own
