"""Where tissue and pen marks lie: a record that grows with the tissue, not with the glass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lungscan.tiles.connected_components import Runs
from lungscan.tiles.integral import count_before
from lungscan.types import MaskArray


@dataclass(frozen=True, slots=True)
class TissueMask:
    """Tissue in a frame of its own (``downsample``), pen marks in the overview's."""

    runs: Runs  # of tissue
    downsample: float  # level-0 pixels per pixel of ``runs``
    pen: MaskArray
    pen_downsample: float
    extent: tuple[float, float] | None = None  # width and height of the image in these pixels

    @property
    def area(self) -> float:
        """Pixels of tissue, less what the last row and column reach beyond the image."""
        if self.extent is None:
            return self.runs.area
        width, height = (np.array([end]) for end in self.extent)
        return float(count_before(self.runs, width, height)[0, 0])

    @property
    def tissue(self) -> MaskArray:
        """The tissue drawn, (height, width): as large as the glass, so for small pictures only."""
        return self.runs.draw()
