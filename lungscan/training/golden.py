"""Drawn fields on which runtimes must agree; stored in the model folder with their answers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lungscan.training.drawn import draw_counter_example, draw_stained_field

STAINED, OTHER = 5, 3


def golden_fields(size_px: int, seed: int) -> NDArray[np.uint8]:
    """``(8, size_px, size_px, 3)`` uint8: five stained-looking fields, three counter-examples."""
    rng = np.random.default_rng((seed, 8))
    drawn = [draw_stained_field(rng, size_px) for _ in range(STAINED)]
    drawn += [draw_counter_example(rng, size_px) for _ in range(OTHER)]
    return np.stack(drawn)
