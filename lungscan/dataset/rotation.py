"""A first guess at how one picture lies over another: angle, zoom, and whether it is mirrored.

On log-polar rings these three are shifts, so the correlation over all of them at once is a product
of Fourier transforms. Rings of the pictures themselves serve while their centres nearly coincide,
rings of their spectra when one is a crop off centre. What is left (a displacement, a stretch) is
for ``lungscan.dataset.registration``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungscan.dataset.descriptors import ANGLES, RING_STEP, RINGS, HalfArray
from lungscan.types import FloatArray

STARTS = 2  # guesses from each kind of rings, best first

_MOST = 10  # rings: zoom between 0.43 and 2.3
_SHIFTS = np.arange(-_MOST, _MOST + 1)
_APART = 8  # angles between two guesses: 22 degrees
# Rings grow with their radius; a place far out stands for more of the picture than one near by.
_WEIGHT = np.exp(0.5 * RING_STEP * np.arange(RINGS)).astype(np.float32)[:, None]


@dataclass(frozen=True, slots=True)
class Guess:
    """Guesses for b pairs."""

    score: FloatArray  # (b, starts) correlation, -1 to 1
    matrix: FloatArray  # (b, starts, 2, 3): from places in the first picture to the second's


def guess_turns(first: HalfArray, second: HalfArray, *, spectral: bool = False) -> Guess:
    """Guess how each of ``second`` lies over its partner in ``first``, both (b, RINGS, ANGLES).

    Places are measured from the centre of the picture, x to the right and y down. Rings of spectra
    (``spectral``) give each angle together with its opposite, for they cannot tell the two.
    """
    one, two = _flatten(first), _flatten(second)
    energy = _energy(one, two)
    spectrum, other = _spectrum(one), _spectrum(two)
    # Reversing the angle turns a spectrum's waves round; conjugation then reverses the rings back.
    mirrored = np.conj(other[:, -np.arange(2 * RINGS) % (2 * RINGS)])
    turned = np.stack(
        [np.fft.irfft2(spectrum * np.conj(way))[:, _SHIFTS] for way in (other, mirrored)], axis=1
    )  # (b, 2, shifts, ANGLES)
    # What is larger in a picture has longer waves: zoom moves the rings of spectra the other way.
    return _peaks((turned / energy[:, None, :, None]).astype(np.float32), -1 if spectral else 1)


def _flatten(polar: HalfArray) -> FloatArray:
    rings = polar.astype(np.float32)
    flat: FloatArray = (rings - rings.mean(2, keepdims=True)) * _WEIGHT
    return flat


def _spectrum(rings: FloatArray) -> NDArray[np.complex64]:
    # As many empty rings again: the angle goes round, the radius does not.
    spectrum = np.fft.rfft2(np.pad(rings, ((0, 0), (0, RINGS), (0, 0))))
    return spectrum.astype(np.complex64)


def _energy(one: FloatArray, two: FloatArray) -> FloatArray:
    """Norm of the rings that overlap at each shift, (b, shifts)."""
    sums = [
        np.concatenate([np.zeros((len(rings), 1), np.float32), (rings**2).sum(2).cumsum(1)], axis=1)
        for rings in (one, two)
    ]
    low, high = np.maximum(0, _SHIFTS), np.minimum(RINGS, RINGS + _SHIFTS)
    of_one = sums[0][:, high] - sums[0][:, low]
    of_two = sums[1][:, high - _SHIFTS] - sums[1][:, low - _SHIFTS]
    energy: FloatArray = np.sqrt(np.maximum(of_one * of_two, 0)) + 1e-6
    return energy


def _peaks(turned: FloatArray, way: int) -> Guess:
    """The best angles that are no neighbours, each at its best zoom."""
    pairs = np.arange(len(turned))[:, None]
    zoom = turned.argmax(2)  # (b, 2, ANGLES)
    best = turned.max(2)
    highest = best.copy()
    for step in range(1, _APART + 1):
        for roll in (step, -step):
            np.maximum(highest, np.roll(best, roll, axis=2), out=highest)
    peaks = np.where(best >= highest, best, -1).reshape(len(best), -1)
    order = np.argsort(-peaks, axis=1)[:, :STARTS]
    mirror, angle = np.divmod(order, ANGLES)
    score = np.take_along_axis(peaks, order, axis=1)
    return Guess(score, _matrices(mirror == 1, way * _SHIFTS[zoom[pairs, mirror, angle]], angle))


def _matrices(
    mirrored: NDArray[np.bool_], rings: NDArray[np.int64], angle: NDArray[np.int64]
) -> FloatArray:
    """A shift of ``rings`` and ``angle`` as a matrix; x and y of the first, then no displacement.

    Ring r + s and angle a + t of the first picture show what ring r and angle a (or -a) of the
    second show.
    """
    zoom = np.exp(-RING_STEP * rings)
    turn = 2 * np.pi / ANGLES * angle
    sign = np.where(mirrored, -1.0, 1.0)
    cosine, sine = zoom * np.cos(turn), zoom * np.sin(turn)
    zero = np.zeros_like(zoom)
    rows = [np.stack([cosine, sine, zero], -1), np.stack([-sign * sine, sign * cosine, zero], -1)]
    return np.stack(rows, -2).astype(np.float32)
