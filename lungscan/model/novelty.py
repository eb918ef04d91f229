"""How unlike the training tissue a tile is, from the network's features.

Two questions, each as a ratio to its own limit; the larger one counts, and above 1 the tile is
novel:

- *Does it resemble the counter-examples?* The trained network has one output more than there are
  lung classes, taught with pictures that are not lung H&E (outlier exposure: Hendrycks et al.
  2019).
- *Does it lie far from every class?* Mahalanobis distance in the leading directions of the training
  features, with the part of a feature that lies outside them (Lee et al. 2018; Wang et al. 2022).

Both say that a tile is not lung. Whether it is only of another stain or scanner than those of the
training is asked of its colours, see ``lungscan.model.appearance``; a model without that part does
not tell the two apart.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungscan.errors import ModelError
from lungscan.model.appearance import Appearance
from lungscan.types import FloatArray

Float64Array = NDArray[np.float64]

KEYS = (
    "centre",
    "basis",
    "class_means",
    "residual_scale",
    "output_weight",
    "output_bias",
    "limits",
)
_APPEARANCE = "appearance_"  # before the names of the arrays of that part


@dataclass(frozen=True)
class Novelty:
    """The fitted parameters; d features, k directions, c classes."""

    centre: FloatArray  # (d,)
    basis: FloatArray  # (d, k) whitened directions
    class_means: FloatArray  # (c, k) in the whitened frame
    residual_scale: FloatArray  # (1,) typical length of the part outside the basis
    output_weight: FloatArray  # (c + 1, d) the network's last layer, counter-examples last
    output_bias: FloatArray  # (c + 1,)
    limits: FloatArray  # (2,) limit of the foreign probability, limit of the distance
    appearance: Appearance | None = None  # None in models that know one kind of novelty

    def score(self, features: FloatArray) -> FloatArray:
        """Novelty ``(n,)`` of features ``(n, d)``; above 1 a tile is novel."""
        foreign = self.foreign_probability(features) / self.limits[0]
        far = self.distance(features) / self.limits[1]
        worst: FloatArray = np.maximum(foreign, far).astype(np.float32)
        return worst

    def tensors(self) -> dict[str, FloatArray]:
        """All arrays by the names that they have in the file."""
        found = {key: getattr(self, key) for key in KEYS}
        if self.appearance is not None:
            for item in fields(self.appearance):
                found[_APPEARANCE + item.name] = getattr(self.appearance, item.name)
        return {key: np.ascontiguousarray(values, np.float32) for key, values in found.items()}

    def foreign_probability(self, features: FloatArray) -> Float64Array:
        """Probability ``(n,)`` of being a counter-example."""
        outputs = _product(features.astype(np.float64), self._outputs) + self.output_bias
        powers = np.exp(outputs - outputs.max(1, keepdims=True))
        share: Float64Array = powers[:, -1] / powers.sum(1)
        return share

    def distance(self, features: FloatArray) -> Float64Array:
        """Distance ``(n,)`` to the nearest class, in typical deviations."""
        shifted = features.astype(np.float64) - self.centre
        inside = _product(shifted, self._directions)  # (n, k)
        far = ((inside[:, None, :] - self.class_means) ** 2).mean(2).min(1)  # (n,)
        # Squared length of the part inside the basis, whose columns are orthogonal, not unit.
        explained = (inside**2 / self._norms).sum(1)
        outside = np.maximum((shifted**2).sum(1) - explained, 0) / self.residual_scale[0]
        distance: Float64Array = np.sqrt(far + outside)
        return distance

    @cached_property
    def _directions(self) -> Float64Array:
        """The basis by rows: (k, d)."""
        return np.ascontiguousarray(self.basis.T, np.float64)

    @cached_property
    def _norms(self) -> Float64Array:
        """Squared lengths (k,) of the directions."""
        lengths: Float64Array = (self.basis.astype(np.float64) ** 2).sum(0)
        return lengths

    @cached_property
    def _outputs(self) -> Float64Array:
        """The last layer: (c + 1, d)."""
        return self.output_weight.astype(np.float64)


def _product(left: Float64Array, rows: Float64Array) -> Float64Array:
    """Products (n, k) of features (n, d) with ``rows`` (k, d), each a sum of its own.

    A matrix product would be quicker, but BLAS rounds it differently with the number of tiles that
    share a batch, and its threads would compete with the workers.
    """
    product: Float64Array = np.vecdot(left[:, None, :], rows)
    return product


def fit_distance(
    features: FloatArray, labels: NDArray[np.int64], directions: int
) -> dict[str, FloatArray]:
    """Centre, whitened basis, class means and residual scale of training features ``(n, d)``."""
    centre = features.mean(0)
    shifted = features - centre
    _, values, rows = np.linalg.svd(shifted, full_matrices=False)
    count = min(directions, len(values) - 1)
    spread = np.maximum(values[:count] / np.sqrt(len(features)), 1e-6)
    basis = (rows[:count] / spread[:, None]).T
    inside = shifted @ basis
    means = np.stack([inside[labels == c].mean(0) for c in np.unique(labels)])
    residual = (shifted**2).sum(1) - ((shifted @ rows[:count].T) ** 2).sum(1)
    return {
        "centre": centre.astype(np.float32),
        "basis": np.ascontiguousarray(basis, np.float32),
        "class_means": means.astype(np.float32),
        "residual_scale": np.array([max(float(residual.mean()), 1e-9)], np.float32),
    }


def load_novelty(path: Path) -> Novelty:
    """Read the parameters that ``lungscan train`` wrote.

    Raises:
        ModelError: the file is not a complete set of parameters.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
        tensors = {key: values.astype(np.float32) for key, values in tensors.items()}
        novelty = Novelty(**{key: tensors[key] for key in KEYS}, appearance=_appearance_of(tensors))
        _check_shapes(novelty)
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise ModelError(f"{path.name} is damaged ({error}). Install the model again.") from error
    return novelty


def _appearance_of(tensors: dict[str, FloatArray]) -> Appearance | None:
    """The part on stain and scanner; a file with some of its arrays must have all."""
    names = [item.name for item in fields(Appearance)]
    if not any(_APPEARANCE + name in tensors for name in names):
        return None
    appearance = Appearance(**{name: tensors[_APPEARANCE + name] for name in names})
    appearance.check()
    return appearance


def _check_shapes(novelty: Novelty) -> None:
    """Raise ValueError when the arrays do not fit together."""
    features, directions = novelty.basis.shape
    outputs = novelty.output_weight.shape[0]
    expected = {
        "centre": (features,),
        "class_means": (novelty.class_means.shape[0], directions),
        "residual_scale": (1,),
        "output_weight": (outputs, features),
        "output_bias": (outputs,),
        "limits": (2,),
    }
    for name, shape in expected.items():
        values = getattr(novelty, name)
        if values.shape != shape or not np.isfinite(values).all():
            raise ValueError(f"{name} has the shape {values.shape}, or is not all numbers")
    if not (novelty.limits > 0).all() or not (novelty.residual_scale > 0).all():
        raise ValueError("a limit is not positive")
