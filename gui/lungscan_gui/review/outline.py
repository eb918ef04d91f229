"""A line drawn by hand, with no more corners than it needs. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

Point = tuple[float, float]


def simplified(points: Sequence[Point], tolerance: float) -> tuple[Point, ...]:
    """The points without those that lie within ``tolerance`` of the line through the others.

    Douglas and Peucker 1973, with a stack in the place of recursion: a line may have thousands.
    """
    if len(points) < 3:
        return tuple(points)
    kept = {0, len(points) - 1}
    open_parts = [(0, len(points) - 1)]
    while open_parts:
        first, last = open_parts.pop()
        between = range(first + 1, last)
        farthest = max(between, key=lambda i: _apart(points[i], points[first], points[last]))
        if _apart(points[farthest], points[first], points[last]) > tolerance:
            kept.add(farthest)
            parts = ((first, farthest), (farthest, last))
            open_parts += [part for part in parts if part[1] - part[0] > 1]
    return tuple(points[i] for i in sorted(kept))


def _apart(point: Point, start: Point, end: Point) -> float:
    """How far a point lies from the stretch between two others."""
    (x, y), (x0, y0), (x1, y1) = point, start, end
    across, down = x1 - x0, y1 - y0
    length = across * across + down * down
    at = ((x - x0) * across + (y - y0) * down) / length if length else 0.0
    at = min(max(at, 0.0), 1.0)
    return hypot(x - x0 - at * across, y - y0 - at * down)
