"""Lay one picture over another as exactly as an affine map allows, and say how alike they are.

Turning and cropping by a program often stretches a little as well, which no rotation undoes; so
all six numbers of the map are fitted, by Gauss-Newton steps (inverse compositional: derivatives
belong to the first picture and are computed once). The answer is the correlation where the two
overlap.
"""

from __future__ import annotations

import numpy as np

from lungscan.dataset.descriptors import FINE_DISC, SIDE_PX, HalfArray
from lungscan.types import FloatArray

_TRIAL_STEPS, _STEPS = 4, 6  # the latter only where the trial promises something
_PROMISING = 0.4  # correlation; unrelated tissue rarely reaches it, the same tissue nearly always
_REACH_PX = 7  # pixels that the first guess may be off centre: 15 % of the side
_OVERLAP = 0.5  # share of the disc that both must show
# The most that one step may change: no matrix can become singular by it, and no picture is lost.
_LEAP = np.array([0.3, 0.3, 6.0], np.float32)  # stretch, stretch, pixels
_CAUTION = 0.05  # added to the curvature, so that a flat picture takes small steps
_CENTRE = (SIDE_PX - 1) / 2
_RADIUS = SIDE_PX / 2 - 0.5
_Y, _X = np.mgrid[:SIDE_PX, :SIDE_PX].astype(np.float32) - np.float32(_CENTRE)
_ALL: FloatArray = np.stack([_X.ravel(), _Y.ravel(), np.ones(SIDE_PX**2)]).astype(np.float32)
_PLACES: FloatArray = np.ascontiguousarray(_ALL[:, FINE_DISC.ravel()])


def alikeness(first: HalfArray, second: HalfArray, start: FloatArray) -> FloatArray:
    """Correlation (b,) of each pair of fine views (b, side, side), -1 to 1, best of all steps.

    ``start`` (b, 2, 3) maps places of the first picture to the second, both measured from their
    centres in pixels of the fine view; the displacement in it is only a first guess.
    """
    one, two, matrix = _closer_first(first.astype(np.float32), second.astype(np.float32), start)
    matrix = _displaced(one, two, matrix)
    best, matrix = _fit(one, two, matrix, _TRIAL_STEPS)
    more = np.flatnonzero(best > _PROMISING)
    if len(more):
        best[more] = np.maximum(best[more], _fit(one[more], two[more], matrix[more], _STEPS)[0])
    return best


def _fit(
    one: FloatArray, two: FloatArray, matrix: FloatArray, steps: int
) -> tuple[FloatArray, FloatArray]:
    """The best correlation on the way, and the matrix at its end."""
    template = one[:, FINE_DISC]
    solver = _solver(_slope(one))
    best = np.full(len(one), -1, np.float32)
    for step in range(steps + 1):
        score, error = _compare(template, *_sample(two, matrix, _PLACES))
        np.maximum(best, score, out=best)
        if step < steps:
            change = np.clip((solver @ error[:, :, None]).reshape(-1, 2, 3), -_LEAP, _LEAP)
            matrix = matrix @ np.linalg.inv(_square(change) + np.eye(3, dtype=np.float32))
    return best, matrix


def _displaced(one: FloatArray, two: FloatArray, matrix: FloatArray) -> FloatArray:
    """Add the displacement at which the two correlate best, within reach."""
    seen, inside = _sample(two, matrix, _ALL)
    size = SIDE_PX + _REACH_PX + 1  # so much empty border that nothing wraps round within reach
    spectra = [
        np.fft.rfft2(picture, (size, size)) for picture in (one, (seen * inside).reshape(one.shape))
    ]
    reach = np.arange(-_REACH_PX, _REACH_PX + 1)
    likeness = np.fft.irfft2(np.conj(spectra[0]) * spectra[1], (size, size))
    near = likeness[:, reach[:, None], reach].reshape(len(one), -1)
    down, right = np.divmod(near.argmax(1), len(reach))
    move = np.tile(np.eye(3, dtype=np.float32), (len(one), 1, 1))
    move[:, 0, 2], move[:, 1, 2] = right - _REACH_PX, down - _REACH_PX
    return matrix @ move


def _closer_first(
    one: FloatArray, two: FloatArray, start: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Put the picture that shows less first: all of it then has a place in the other."""
    matrix = _square(start)
    matrix[:, 2, 2] = 1
    swap = np.abs(np.linalg.det(matrix)) > 1
    matrix[swap] = np.linalg.inv(matrix[swap])
    turn = swap[:, None, None]
    return np.where(turn, two, one), np.where(turn, one, two), matrix


def _square(rows: FloatArray) -> FloatArray:
    square = np.zeros((len(rows), 3, 3), np.float32)
    square[:, :2] = rows
    return square


def _slope(one: FloatArray) -> FloatArray:
    """How the picture changes with each of the six numbers, (b, 6, places)."""
    down: FloatArray = np.gradient(one, axis=1)
    right: FloatArray = np.gradient(one, axis=2)
    along = np.stack([right[:, FINE_DISC], down[:, FINE_DISC]], axis=1)
    return (along[:, :, None] * _PLACES).reshape(len(one), 6, -1)


def _solver(slope: FloatArray) -> FloatArray:
    curvature = slope @ slope.transpose(0, 2, 1)
    diagonal = np.arange(6)
    curvature[:, diagonal, diagonal] = curvature[:, diagonal, diagonal] * (1 + _CAUTION) + 1e-3
    solver: FloatArray = np.linalg.inv(curvature) @ slope
    return solver


def _sample(
    two: FloatArray, matrix: FloatArray, places: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Read each picture at the mapped places (3, p), and where those lie in its disc (1 or 0)."""
    x, y = (matrix[:, :2] @ places).transpose(1, 0, 2)
    inside = (x * x + y * y < _RADIUS**2).astype(np.float32)
    last = np.float32(SIDE_PX - 1.001)
    x, y = np.clip(x + np.float32(_CENTRE), 0, last), np.clip(y + np.float32(_CENTRE), 0, last)
    left, top = x.astype(np.int32), y.astype(np.int32)
    x, y = x - left, y - top
    index = top * SIDE_PX + left + (np.arange(len(two), dtype=np.int32) * SIDE_PX**2)[:, None]
    flat = two.ravel()
    upper = flat[index]
    upper += (flat[index + 1] - upper) * x
    lower = flat[index + SIDE_PX]
    lower += (flat[index + SIDE_PX + 1] - lower) * x
    return upper + (lower - upper) * y, inside


def _compare(
    template: FloatArray, seen: FloatArray, inside: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Correlation where both show something, and the difference at equal contrast."""
    places = inside.sum(1, keepdims=True)
    total = np.maximum(places, 1)
    one = (template - (template * inside).sum(1, keepdims=True) / total) * inside
    two = (seen - (seen * inside).sum(1, keepdims=True) / total) * inside
    of_one, of_two = (one * one).sum(1, keepdims=True), (two * two).sum(1, keepdims=True)
    score = (one * two).sum(1, keepdims=True) / np.sqrt(of_one * of_two + 1e-9)
    score = np.where(places >= _OVERLAP * inside.shape[1], score, -1)
    return np.asarray(score[:, 0], np.float32), two * np.sqrt(of_one / (of_two + 1e-9)) - one
