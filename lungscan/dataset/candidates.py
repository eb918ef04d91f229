"""Which pairs of pictures are worth an exact comparison: the nearest few by two cheap measures.

Comparing all pairs exactly would take hours, so each picture names its nearest others

- by colour statistics in discs around the centre, and
- by the strength of the angular waves on each ring. Rotation moves such waves and mirroring turns
  them round, both without changing their strength; zoom moves them to other rings, so the rings
  are also compared shifted against each other.

Neither sees what the other sees, and a pair that only one of them names is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from lungscan.dataset.descriptors import RINGS, Looks
from lungscan.types import FloatArray

PairArray = NDArray[np.int64]  # (m, 2) rows of pictures, the smaller first
Likeness = Callable[[slice], FloatArray]  # rows -> (rows, n), larger is nearer

NEAREST = 12  # by each measure; groups of any size come together as chains of nearest ones
_WAVES = slice(1, 7)  # waves per turn; 0 is the mean of the ring
_SHIFTS = range(7)  # rings; the last is a zoom of 1.65
_BLOCK = 256


def candidate_pairs(looks: Looks) -> Iterator[PairArray]:
    """Name the pairs to compare, block by block of pictures; a pair may come twice.

    Memory is bounded: no table of all pairs is ever held.
    """
    count = len(looks.colour)
    if count < 2:
        return
    measures = (_by_colour(looks.colour), _by_waves(looks.polar))
    for begin in range(0, count, _BLOCK):
        rows = slice(begin, min(begin + _BLOCK, count))
        yield np.concatenate([_nearest(measure(rows), rows) for measure in measures])


def _nearest(likeness: FloatArray, rows: slice) -> PairArray:
    own = np.arange(rows.start, rows.stop)
    likeness[np.arange(len(own)), own] = -np.inf
    keep = min(NEAREST, likeness.shape[1] - 1)
    nearest = np.argpartition(-likeness, keep - 1, axis=1)[:, :keep]
    pairs = np.stack([np.repeat(own, keep), nearest.ravel()], axis=1)
    return np.sort(pairs, axis=1).astype(np.int64)


def _by_colour(colour: FloatArray) -> Likeness:
    scaled = (colour - colour.mean(0)) / (colour.std(0) + 1e-6)
    lengths = (scaled * scaled).sum(1)

    def likeness(rows: slice) -> FloatArray:
        # Minus the squared distance, without what is the same for a whole row.
        result: FloatArray = 2 * scaled[rows] @ scaled.T - lengths
        return result

    return likeness


def _by_waves(polar: NDArray[np.float16]) -> Likeness:
    strength = _strength(polar)
    inner = [_unit(strength[:, : RINGS - shift]) for shift in _SHIFTS]
    outer = [_unit(strength[:, shift:]) for shift in _SHIFTS]

    def likeness(rows: slice) -> FloatArray:
        best = np.full((rows.stop - rows.start, len(polar)), -np.inf, np.float32)
        for near, far in zip(inner, outer, strict=True):
            np.maximum(best, near[rows] @ far.T, out=best)
            np.maximum(best, far[rows] @ near.T, out=best)
        return best

    return likeness


def _strength(polar: NDArray[np.float16]) -> FloatArray:
    waves = _WAVES.stop - _WAVES.start
    strength = np.empty((len(polar), RINGS, waves), np.float32)
    for begin in range(0, len(polar), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        strength[block] = np.abs(np.fft.rfft(polar[block].astype(np.float32))[..., _WAVES])
    return strength


def _unit(strength: FloatArray) -> FloatArray:
    flat = strength.reshape(len(strength), -1)
    unit: FloatArray = flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6)
    return unit
