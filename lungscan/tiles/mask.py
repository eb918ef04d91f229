"""Where tissue and pen marks lie: a record that grows with the tissue, not with the glass."""

from __future__ import annotations

from dataclasses import dataclass

from lungscan.tiles.pieces import Runs
from lungscan.types import MaskArray


@dataclass(frozen=True, slots=True)
class TissueMask:
    """Tissue in a frame of its own (``downsample``), pen marks in the overview's."""

    runs: Runs  # of tissue
    downsample: float  # level-0 pixels per pixel of ``runs``
    pen: MaskArray
    pen_downsample: float

    @property
    def tissue(self) -> MaskArray:
        """The tissue drawn, (height, width): as large as the glass, so for small pictures only."""
        return self.runs.draw()
