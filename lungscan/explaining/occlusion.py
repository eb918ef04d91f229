"""Which cells change the answer most when they are blurred.

A grey or black square is itself strange to a network that never saw one, so a cell loses its detail
and keeps its mean colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from lungscan.explaining.base import LEAST_CELL_PX, Cells, log_odds
from lungscan.runtimes import Runtime
from lungscan.types import RgbArray, RgbBatch

_SIGMA = 0.25  # of the blur, as a share of a cell's side

Window = tuple[slice, slice]  # rows and columns of a picture


@dataclass(frozen=True)
class Occlusion:
    """Explains with nothing but ``predict``: any runtime, any network, int8 too."""

    runtime: Runtime
    method: Literal["occlusion"] = "occlusion"

    def explain(self, tile: RgbArray, class_index: int) -> Cells:
        """See ``Explainer``. One pass for the tile and one for each cell."""
        count = cells_along(tile.shape[0])
        tiles = [tile, *one_by_one(tile, windows(tile.shape[0]))]
        step = max(1, self.runtime.batch_size)
        probs = np.concatenate(
            [self.runtime.predict(np.stack(tiles[i : i + step]))[0]
             for i in range(0, len(tiles), step)]
        )  # fmt: skip
        odds = log_odds(probs, class_index)
        return Cells(
            values=(odds[0] - odds[1:]).reshape(count, count),
            probability=float(probs[0, class_index]),
            score=float(odds[0]),
            lowest=float(probs[1:, class_index].min()),
        )


def cells_along(side_px: int) -> int:
    """How many cells lie along a side."""
    return max(2, side_px // LEAST_CELL_PX)


def windows(side_px: int) -> tuple[Window, ...]:
    """The cells of a tile, row by row; they cover it without a gap."""
    edges = np.linspace(0, side_px, cells_along(side_px) + 1).round().astype(int).tolist()
    spans = [slice(start, stop) for start, stop in pairwise(edges)]
    return tuple((rows, columns) for rows in spans for columns in spans)


def blurred(tile: RgbArray) -> RgbArray:
    """The whole tile without the detail that a cell loses."""
    sigma = _SIGMA * tile.shape[0] / cells_along(tile.shape[0])
    soft = Image.fromarray(tile).filter(ImageFilter.GaussianBlur(sigma))
    return np.asarray(soft)


def one_by_one(tile: RgbArray, cells: Iterable[Window]) -> Iterator[RgbArray]:
    """Copies of the tile, in each another cell blurred."""
    soft = blurred(tile)
    for cell in cells:
        copy = tile.copy()
        copy[cell] = soft[cell]
        yield copy


def one_after_another(tile: RgbArray, cells: Iterable[Window]) -> RgbBatch:
    """Copies of the tile: as it is, then with one more cell blurred each time."""
    soft, copy = blurred(tile), tile.copy()
    steps = [tile]
    for cell in cells:
        copy[cell] = soft[cell]
        steps.append(copy.copy())
    return np.stack(steps)
