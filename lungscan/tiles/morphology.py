"""Shapes in masks: connected pieces, growing, closing, filling. No Python loop per pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungscan.types import FloatArray, MaskArray

LabelArray = NDArray[np.int32]  # (height, width); 0 is outside, pieces count from 1
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pieces:
    """The connected pieces of a mask. Entry i of each (n,) array is the piece labelled i + 1."""

    labels: LabelArray
    area: IntArray  # pixels
    left: IntArray
    top: IntArray
    right: IntArray  # exclusive
    bottom: IntArray  # exclusive

    def keep(self, chosen: NDArray[np.bool_]) -> MaskArray:
        """Mask of the pieces for which ``chosen`` (n,) is True."""
        return np.concatenate(([False], chosen))[self.labels]


def find_pieces(mask: MaskArray, *, diagonal: bool = True) -> Pieces:
    """Label connected pieces; ``diagonal`` lets pixels touch at a corner.

    Works on horizontal runs: a mask has far fewer of them than pixels, and runs of neighbouring
    rows meet where two sorted lists overlap.
    """
    height, width = mask.shape
    pitch = width + 2  # an empty column on each side: no run reaches into the next row
    padded = np.zeros((height, pitch), dtype=np.bool_)
    padded[:, 1:-1] = mask
    flat = padded.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts, ends = changes[::2], changes[1::2]
    first, second = _touching_runs(starts, ends, pitch, int(diagonal))
    piece = _join(len(starts), first, second)
    count = int(piece.max(initial=-1)) + 1

    labels = np.zeros((height, width), dtype=np.int32)
    labels[mask] = np.repeat(piece + 1, ends - starts)
    row, left, right = starts // pitch, starts % pitch - 1, (ends - 1) % pitch
    return Pieces(
        labels=labels,
        area=np.bincount(piece, weights=ends - starts, minlength=count).astype(np.int64),
        left=_least(left, piece, count),
        top=_least(row, piece, count),
        right=-_least(-right, piece, count),
        bottom=-_least(-row - 1, piece, count),
    )


def _touching_runs(
    starts: IntArray, ends: IntArray, pitch: int, reach: int
) -> tuple[IntArray, IntArray]:
    """Pairs (upper run, lower run) that meet in neighbouring rows."""
    lowest = np.searchsorted(ends, starts + pitch - reach, side="right")
    highest = np.searchsorted(starts, ends + pitch + reach, side="left")
    count = np.maximum(highest - lowest, 0)
    upper = np.repeat(np.arange(len(starts)), count)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return upper, np.repeat(lowest, count) + within


def _join(count: int, first: IntArray, second: IntArray) -> IntArray:
    """Give each of ``count`` items the number of its group (0, 1, ...); pairs connect them."""
    root = np.arange(count)
    while True:
        a, b = root[first], root[second]
        apart = a != b
        if not apart.any():
            return np.unique(root, return_inverse=True)[1].astype(np.int64)
        first, second, a, b = first[apart], second[apart], a[apart], b[apart]
        np.minimum.at(root, np.maximum(a, b), np.minimum(a, b))
        while (root != (shorter := root[root])).any():
            root = shorter


def _least(values: IntArray, piece: IntArray, count: int) -> IntArray:
    out = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(out, piece, values)
    return out


def dilate(mask: MaskArray, radius: int) -> MaskArray:
    """Grow by a square of side ``2 * radius + 1``."""
    return _grow(_grow(mask, radius).T, radius).T


def close_gaps(mask: MaskArray, radius: int) -> MaskArray:
    """Join what lies within ``2 * radius`` pixels, without growing the outline."""
    if radius < 1:
        return mask
    wide = np.pad(mask, radius)  # else pieces at the border would grow onto it
    closed = ~dilate(~np.pad(dilate(wide, radius), radius, mode="edge"), radius)
    return closed[2 * radius : -2 * radius, 2 * radius : -2 * radius]


def _grow(mask: MaskArray, radius: int) -> MaskArray:
    """Grow along rows, doubling the reach each time: log2(radius) passes."""
    out, reach = mask.copy(), 0
    while reach < radius:
        step = min(max(reach, 1), radius - reach)
        wider = out.copy()
        wider[step:] |= out[:-step]
        wider[:-step] |= out[step:]
        out, reach = wider, reach + step
    return out


def fill_holes(mask: MaskArray, max_area: float) -> MaskArray:
    """Fill holes of at most ``max_area`` pixels that do not touch the picture's border."""
    height, width = mask.shape
    gaps = find_pieces(~mask, diagonal=False)
    inside = (gaps.left > 0) & (gaps.top > 0) & (gaps.right < width) & (gaps.bottom < height)
    return mask | gaps.keep(inside & (gaps.area <= max_area))


def box_mean(values: FloatArray, radius: int) -> FloatArray:
    """Mean over a square of side ``2 * radius + 1``; edges repeat their last pixel."""
    for axis in (0, 1):
        pad = [(0, 0), (0, 0)]
        pad[axis] = (radius, radius)
        side, size = values.shape[axis], 2 * radius + 1
        padded = np.pad(values, pad, mode="edge")
        total = np.zeros_like(values)
        for shift in range(size):
            total += padded[shift : shift + side] if axis == 0 else padded[:, shift : shift + side]
        values = total / np.float32(size)
    return values
