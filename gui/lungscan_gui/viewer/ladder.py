"""Which tiles a view needs: squares of 512 pixels on a ladder of factors of two. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

from lungscan_gui.engine import VIEW_PX
from lungscan_gui.viewer.camera import Box

SLACK = 1.2  # a tile may be enlarged so far before the next finer ones are asked for


@dataclass(frozen=True, slots=True)
class TileKey:
    """One tile of the image that is open. ``step`` is level-0 pixels per pixel, 1, 2, 4 ..."""

    step: int
    column: int
    row: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, width, height in level-0 pixels."""
        side = self.step * VIEW_PX
        return self.column * side, self.row * side, side, side

    @property
    def parent(self) -> TileKey:
        """The tile of the next coarser step that holds this one."""
        return TileKey(self.step * 2, self.column // 2, self.row // 2)


@dataclass(frozen=True, slots=True)
class Ladder:
    """The steps of one image; what is coarser than its overview needs no tiles."""

    width: int
    height: int
    overview_step: float  # level-0 pixels per pixel of the overview

    @property
    def coarsest(self) -> int:
        """The last step that shows more than the overview; 0 when there is none."""
        step = 0
        while (step * 2 or 1) < self.overview_step:
            step = step * 2 or 1
        return step

    def step_for(self, pixels_per_level0: float) -> int:
        """The step whose tiles are sharp at a zoom in device pixels; 0: the overview is."""
        wanted = SLACK / pixels_per_level0
        if wanted >= self.overview_step:
            return 0
        step = 1
        while step * 2 <= min(wanted, self.coarsest):
            step *= 2
        return step if self.coarsest else 0

    def tiles(self, step: int, view: Box) -> list[TileKey]:
        """The tiles of a step that a part of level 0 touches, from its middle outwards."""
        side = step * VIEW_PX
        left, top, width, height = view
        columns = range(
            max(0, floor(left / side)), min(ceil(self.width / side), ceil((left + width) / side))
        )
        rows = range(
            max(0, floor(top / side)), min(ceil(self.height / side), ceil((top + height) / side))
        )
        x, y = (left + width / 2) / side - 0.5, (top + height / 2) / side - 0.5
        keys = [TileKey(step, column, row) for row in rows for column in columns]
        return sorted(keys, key=lambda key: (key.column - x) ** 2 + (key.row - y) ** 2)

    def wanted(self, step: int, view: Box) -> list[TileKey]:
        """What to load for a view: a coarse layer of few tiles first, then the sharp one."""
        if not step:
            return []
        sharp = self.tiles(step, view)
        coarse = min(step * 4, self.coarsest)
        return ([] if coarse <= step else self.tiles(coarse, view)) + sharp
