"""What all pictures of a data set have in common, taken away before they are compared.

Chest CT slices, cores of a tissue array or pictures with a ruler lie all alike in their frame, so
any two of them correlate. The principal components that carry much of the variance of the whole
set are that layout; what is left tells one picture from another. Tissue photographed anywhere has
no such layout, and nothing is changed.
"""

from __future__ import annotations

import numpy as np

from lungscan.dataset.descriptors import SIDE_PX, HalfArray
from lungscan.types import FloatArray

_FEWEST = 100  # pictures; with fewer, a component may be a single picture
_LOOKED_AT = 2000  # pictures, evenly spaced, that the components are computed from
_COMMON = 0.10  # share of the energy that stays in the mean picture of a set with a layout
_SHARE = 0.04  # of the variance, from which a component belongs to the layout
_ROUNDS = 8  # of the iteration
_BLOCK = 256


def without_layout(fine: HalfArray) -> HalfArray | None:
    """The fine views (n, side, side) without their common layout; None when there is none."""
    if len(fine) < _FEWEST:
        return None
    chosen = fine[:: -(-len(fine) // _LOOKED_AT)].reshape(-1, SIDE_PX**2).astype(np.float32)
    mean = chosen.mean(0)
    if (mean**2).mean() < _COMMON:
        return None
    common = _components(chosen - mean)
    bare = np.empty_like(fine)
    for begin in range(0, len(fine), _BLOCK):
        block = fine[begin : begin + _BLOCK].reshape(-1, SIDE_PX**2).astype(np.float32) - mean
        block -= (block @ common) @ common.T
        block /= block.std(1, keepdims=True) + 1e-3
        bare[begin : begin + _BLOCK] = block.reshape(-1, SIDE_PX, SIDE_PX)
    return bare


def _components(centred: FloatArray) -> FloatArray:
    """Unit columns (pixels, k) of the components that carry more than their share.

    By subspace iteration: at most 1 / _SHARE components can carry so much, and a full decomposition
    of all pixels takes seconds.
    """
    pixels = centred.shape[1]
    basis = np.random.default_rng(0).normal(size=(pixels, round(1 / _SHARE))).astype(np.float32)
    for _ in range(_ROUNDS):
        basis = np.linalg.qr(centred.T @ (centred @ basis))[0]
    _, variance, turn = np.linalg.svd(centred @ basis, full_matrices=False)
    common: FloatArray = basis @ turn[variance**2 > _SHARE * (centred**2).sum()].T
    return common
