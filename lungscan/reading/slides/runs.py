"""Geometry of reading: which level serves a tile, and which tiles are read together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lungscan.reading.resize import Box, pixel_frame
from lungscan.types import BoxArray

# OpenSlide draws every file tile that a request touches, also those it cuts: one wide request
# costs much less than many narrow ones. The bounds keep a request below some 32 MB.
_MAX_TILES = 8
_MAX_PIXELS = 8_000_000

# Level sizes are rounded, so a level made at 4x may say 4.0002. To sample 1 % up is harmless;
# to fall back to the next finer level would cost 16 times the reading.
_LEVEL_SLACK = 1.01


@dataclass(frozen=True, slots=True)
class Cut:
    """One tile: its row in the batch and its box in the level's pixels."""

    row: int
    box: Box


@dataclass(frozen=True, slots=True)
class Run:
    """Tiles of one level that are read with one request."""

    level: int
    frame: tuple[int, int, int, int]  # left, top, right, bottom in the level's pixels
    cuts: tuple[Cut, ...]

    def single(self, cut: Cut) -> Run:
        """Make the run that reads ``cut`` alone."""
        return Run(self.level, pixel_frame(cut.box), (cut,))


def best_level(level_downsamples: Sequence[float], wanted: float) -> int:
    """Return the level with the largest downsample that is not above ``wanted``."""
    fitting = [i for i, d in enumerate(level_downsamples) if d <= wanted * _LEVEL_SLACK]
    return max(fitting, key=lambda i: level_downsamples[i], default=0)


def handy_downsample(level_downsamples: Sequence[float], wanted: float) -> float:
    """Return a downsample near ``wanted`` that is cheap to read.

    That is a level's own where one lies close above, and up to double where the next finer level
    holds more than 16 times as many pixels as are wanted.
    """
    finer = level_downsamples[best_level(level_downsamples, wanted)]
    coarser = min((d for d in level_downsamples if d > wanted), default=np.inf)
    limit = 2.0 if finer < wanted / 4 else 1.25
    return coarser if coarser <= limit * wanted else max(1.0, wanted)


def plan_runs(boxes: BoxArray, size_px: int, level_downsamples: Sequence[float]) -> list[Run]:
    """Group neighbouring boxes ((n, 4), level-0 pixels) of one row into runs."""
    runs: list[Run] = []
    for row, level, box in _located(boxes, size_px, level_downsamples):
        cut = Cut(row, box)
        frame = pixel_frame(box)
        joined = _join(runs[-1], level, frame, cut) if runs else None
        if joined is None:
            runs.append(Run(level, frame, (cut,)))
        else:
            runs[-1] = joined
    return runs


def _located(
    boxes: BoxArray, size_px: int, level_downsamples: Sequence[float]
) -> Iterator[tuple[int, int, Box]]:
    for row, (x, y, width, height) in enumerate(boxes.tolist()):
        level = best_level(level_downsamples, min(width, height) / size_px)
        downsample = level_downsamples[level]
        left, top = x / downsample, y / downsample
        right, bottom = left + width / downsample, top + height / downsample
        if max(abs(right - left - size_px), abs(bottom - top - size_px)) < 0.5:
            # Less than half a pixel from the level's own grid: take the stored pixels as they
            # are, because to resample them would only blur.
            left, top = float(round(left)), float(round(top))
            right, bottom = left + size_px, top + size_px
        yield row, level, (left, top, right, bottom)


def _join(run: Run, level: int, frame: tuple[int, int, int, int], cut: Cut) -> Run | None:
    left, top, right, bottom = run.frame
    same_row = level == run.level and (frame[1], frame[3]) == (top, bottom)
    if not same_row or not left <= frame[0] <= right + 1 or len(run.cuts) == _MAX_TILES:
        return None
    right = max(right, frame[2])
    if (right - left) * (bottom - top) > _MAX_PIXELS:
        return None
    return Run(level, (left, top, right, bottom), (*run.cuts, cut))
