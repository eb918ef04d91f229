"""Which tiles lie in regions that a reviewer leaves out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import ceil, hypot

import numpy as np
from numpy.typing import NDArray

from lungscan.results.review_json import Region
from lungscan.types import BoxArray, MaskArray

Floats = NDArray[np.float64]
Corners = Sequence[tuple[float, float]]

MOST = 0.5  # a tile goes when at least this share of it is covered
_CHUNK = 256  # tiles measured at once
_SIDE = 16  # points along a tile's side by which its covered share is measured


def left_out(boxes: BoxArray, regions: Iterable[Region], file_index: int) -> MaskArray:
    """Which tiles ``(n,)`` of a file are left out: those that lie in regions by half or more.

    Args:
        boxes: ``(n, 4)`` level-0 pixels.
        regions: of the whole case.
        file_index: whose tiles these are.
    """
    polygons = [region.points for region in regions if region.file_index == file_index]
    if not polygons or not len(boxes):
        return np.zeros(len(boxes), np.bool_)
    return covered(boxes, polygons) >= MOST


def covered(boxes: BoxArray, polygons: Sequence[Corners]) -> Floats:
    """The share ``(n,)`` of each tile that any polygon covers, measured on 16 × 16 points.

    Exact for tiles that no border crosses.
    """
    corners = boxes.astype(np.float64)
    shares = np.zeros(len(boxes))
    crossed = np.zeros(len(boxes), np.bool_)
    for polygon in polygons:
        crossed |= _touched(corners, polygon)
    middle = corners[:, :2] + corners[:, 2:] / 2
    clear = np.flatnonzero(~crossed)
    shares[clear] = _inside(middle[clear, 0], middle[clear, 1], polygons)
    steps = (np.arange(_SIDE) + 0.5) / _SIDE
    across, down = (part.ravel() for part in np.meshgrid(steps, steps))
    rows = np.flatnonzero(crossed)
    for start in range(0, len(rows), _CHUNK):
        x, y, width, height = corners[rows[start : start + _CHUNK]].T[..., None]
        inside = _inside((x + across * width).ravel(), (y + down * height).ravel(), polygons)
        shares[rows[start : start + _CHUNK]] = inside.reshape(-1, _SIDE**2).mean(1)
    return shares


def _touched(corners: Floats, polygon: Corners) -> MaskArray:
    """Tiles that a frame around some short piece of the border touches."""
    left, top = corners[:, 0], corners[:, 1]
    right, bottom = left + corners[:, 2], top + corners[:, 3]
    side = max(1.0, float(corners[0, 2:].min()))
    found = np.zeros(len(corners), np.bool_)
    for (x1, y1), (x2, y2) in pairwise([*polygon, polygon[0]]):
        pieces = max(1, ceil(hypot(x2 - x1, y2 - y1) / side))
        xs, ys = np.linspace(x1, x2, pieces + 1), np.linspace(y1, y2, pieces + 1)
        near = np.flatnonzero(
            (left <= max(x1, x2)) & (right >= min(x1, x2))
            & (top <= max(y1, y2)) & (bottom >= min(y1, y2))
        )  # fmt: skip
        for (a, b), (c, d) in zip(pairwise(xs), pairwise(ys), strict=True):
            found[near] |= (
                (left[near] <= max(a, b)) & (right[near] >= min(a, b))
                & (top[near] <= max(c, d)) & (bottom[near] >= min(c, d))
            )  # fmt: skip
    return found


def _inside(x: Floats, y: Floats, polygons: Sequence[Corners]) -> MaskArray:
    """Which points ``(m,)`` any polygon winds around (Sunday 2001: winding number not zero)."""
    found = np.zeros(len(x), np.bool_)
    for polygon in polygons:
        turns = np.zeros(len(x), np.int64)
        for (x1, y1), (x2, y2) in pairwise([*polygon, polygon[0]]):
            side = (x2 - x1) * (y - y1) - (x - x1) * (y2 - y1)
            turns += (y1 <= y) & (y < y2) & (side > 0)
            turns -= (y2 <= y) & (y < y1) & (side < 0)
        found |= turns != 0
    return found
