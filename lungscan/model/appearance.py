"""How a tile looks, whatever tissue it shows: what its stain and its scanner give it.

A network trained on one laboratory's slides knows another's tissue less well, and says so less
reliably, the further stain and scanner are from those of its training. That is a question of its
own, beside whether the tissue is lung at all (``lungscan.model.novelty``), and needs no network:
mean, spread and correlation of the optical densities of red, green and blue, which add up over
stains (Ruifrok and Johnston 2001), and how much neighbouring pixels differ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lungscan.types import FloatArray, RgbBatch

Float64Array = NDArray[np.float64]

STATISTICS = 11
_STEP = 4  # every fourth pixel of every fourth row is enough for colours
_TISSUE = 0.45  # sum of the three optical densities, above that of glass
_LEAST = 0.02  # share of the pixels that must be tissue, or all are taken
_FLOOR = 0.02  # optical density added before the logarithm: what a camera's noise is worth
_LEAST_VARIANCE = 1e-6  # of a statistic that hardly varies among the training's pictures
_PAIRS = ((0, 1), (0, 2), (1, 2))
_DENSITY = -np.log((np.arange(256) + 1) / 256)  # of each level of grey


@dataclass(frozen=True)
class Appearance:
    """The appearance of the training's pictures; k statistics."""

    mean: FloatArray  # (k,)
    whitening: FloatArray  # (k, k) its rows turn what differs from the mean into deviations
    # (2,) the distance that hardly any of the training's own pictures passes, and that which hardly
    # any picture passes that was changed as in training: so far the network has seen.
    limits: FloatArray

    @property
    def reach(self) -> float:
        """The second limit, as ``score`` counts."""
        return float(self.limits[1] / self.limits[0])

    def score(self, tiles: RgbBatch) -> FloatArray:
        """How far ``(n, s, s, 3)`` tiles look from the training's; above 1 unlike any of them."""
        ratio: FloatArray = (self.distance(statistics(tiles)) / self.limits[0]).astype(np.float32)
        return ratio

    def check(self) -> None:
        """Raise ValueError when the arrays do not fit together."""
        expected = {"mean": (STATISTICS,), "whitening": (STATISTICS, STATISTICS), "limits": (2,)}
        for name, shape in expected.items():
            values = getattr(self, name)
            if values.shape != shape or not np.isfinite(values).all():
                raise ValueError(f"appearance_{name} is not {shape} numbers")
        if not 0 < self.limits[0] <= self.limits[1]:
            raise ValueError("appearance_limits are not two rising distances")

    def distance(self, rows: Float64Array) -> Float64Array:
        """Mahalanobis distance ``(n,)`` of statistics ``(n, k)``, in typical deviations."""
        shifted = rows - self.mean.astype(np.float64)
        turned = np.vecdot(shifted[:, None, :], self.whitening.astype(np.float64))
        distance: Float64Array = np.sqrt((turned**2).mean(1))
        return distance


def statistics(tiles: RgbBatch) -> Float64Array:
    """Appearance ``(n, 11)`` of tiles ``(n, s, s, 3)``; each by itself, whatever the batch.

    Logarithms of the mean (3) and the standard deviation (3) of the optical density of tissue by
    red, green and blue, their correlations (3), the logarithm of the mean step between neighbours
    in green, and that of its change from one pixel to the next, less the former.
    """
    rows = np.zeros((len(tiles), STATISTICS))
    for row, tile in enumerate(tiles):
        rows[row] = (*_colours(tile), *_sharpness(tile))
    return rows


def _colours(tile: NDArray[np.uint8]) -> tuple[float, ...]:
    """Mean, spread and correlation of the optical densities of tissue."""
    density = _DENSITY[tile[::_STEP, ::_STEP].reshape(-1, 3).T]  # (3, p)
    tissue = density.sum(0) > _TISSUE
    if np.count_nonzero(tissue) >= _LEAST * len(tissue):
        density = np.ascontiguousarray(density[:, tissue])
    mean = density.mean(1)
    centred = density - mean[:, None]
    spread = np.sqrt(np.vecdot(centred, centred) / centred.shape[1]) + _FLOOR
    pairs = [np.vecdot(centred[a], centred[b]) / (spread[a] * spread[b]) for a, b in _PAIRS]
    together = np.array(pairs) / centred.shape[1]
    return (*np.log(mean + _FLOOR), *np.log(spread), *together)


def _sharpness(tile: NDArray[np.uint8]) -> tuple[float, float]:
    """How much neighbours differ in green, and how much that changes from one to the next."""
    rows = tile[::_STEP, :, 1].astype(np.int16)
    first = rows[:, 1:] - rows[:, :-1]
    second = first[:, 1:] - first[:, :-1]
    step = float(np.abs(first).mean()) + _FLOOR
    return float(np.log(step)), float(np.log((np.abs(second).mean() + _FLOOR) / step))


def fit_appearance(own: Float64Array, changed: Float64Array, share: float) -> Appearance:
    """The appearance of pictures, and how far beyond it the training went.

    Args:
        own: statistics ``(n, k)`` of the training's pictures as they are.
        changed: of such pictures, stained and scanned anew as in training.
        share: of each that stays within its limit.
    """
    mean = own.mean(0)
    values, vectors = np.linalg.eigh(np.cov(own.T))
    whitening = (vectors / np.sqrt(np.maximum(values, _LEAST_VARIANCE))).T
    free = Appearance(mean.astype(np.float32), whitening.astype(np.float32), np.ones(2, np.float32))
    near = float(np.quantile(free.distance(own), share))
    far = max(near, float(np.quantile(free.distance(changed), share)))
    return replace(free, limits=np.array([near, far], np.float32))
