"""Multinomial logistic regression with an L2 penalty: a convex fit that leaves nothing to luck.

Features are standardised inside, so that the penalty weighs all of them alike; what is returned
takes them as they come. Minimised by L-BFGS with exact gradients in float64 (Nocedal and Wright
2006, chapter 7).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from lungscan.training.calibrate import fit_temperature

LEAST_SPREAD = 1e-3  # of a feature, as a share of the widest: one that hardly moves tells nothing
STEPS = 400
GRADIENT = 1e-7  # largest entry of the gradient at which the fit has ended


@dataclass(frozen=True)
class Examples:
    """What a last layer is fitted on."""

    features: Tensor  # (n, d) float64
    labels: Tensor  # (n,) int64
    weights: Tensor  # (n,) float64, of any sum

    def take(self, rows: Tensor) -> Examples:
        """Those examples alone."""
        return Examples(self.features[rows], self.labels[rows], self.weights[rows])


@dataclass(frozen=True)
class Layer:
    """A linear layer in float64."""

    weight: Tensor  # (outputs, d)
    bias: Tensor  # (outputs,)

    def at(self, temperature: float) -> Layer:
        """The layer whose logits are divided by ``temperature``."""
        return Layer(self.weight / temperature, self.bias / temperature)

    def __call__(self, features: Tensor) -> Tensor:
        """Logits ``(n, outputs)`` of features ``(n, d)``."""
        return features @ self.weight.T + self.bias


@dataclass(frozen=True)
class Tried:
    """How one penalty does on examples that took no part in the fit, over all inner folds."""

    penalty: float
    loss: float  # mean cross-entropy over the classes proper, at `temperature`
    accuracy: float
    temperature: float  # that suits them best


def fit_logistic(examples: Examples, outputs: int, penalty: float) -> Layer:
    """The layer with the least mean cross-entropy plus ``penalty / 2`` times its squared length.

    Args:
        examples: with labels below ``outputs``.
        outputs: how many logits the layer gives.
        penalty: of the weights for standardised features; the bias is free.
    """
    share = examples.weights / examples.weights.sum()
    mean = share @ examples.features
    spread = (share @ (examples.features - mean).square()).sqrt()
    spread = spread.clamp_min(LEAST_SPREAD * max(float(spread.max()), 1e-12))
    features = (examples.features - mean) / spread
    values = torch.zeros(outputs, features.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS(
        [values],
        max_iter=STEPS,
        tolerance_grad=GRADIENT,
        tolerance_change=1e-12,
        line_search_fn="strong_wolfe",
    )

    def objective() -> Tensor:
        search.zero_grad()
        logits = torch.addmm(values[:, -1], features, values[:, :-1].T)
        loss = share @ F.cross_entropy(logits, examples.labels, reduction="none")
        loss = loss + penalty / 2 * values[:, :-1].square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    search.step(objective)  # type: ignore[no-untyped-call]
    found = values.detach()
    weight = found[:, :-1] / spread
    return Layer(weight, found[:, -1] - weight @ mean)


def try_penalty(
    penalty: float, examples: Examples, folds: Tensor, judged: Tensor, outputs: int, classes: int
) -> Tried:
    """Fit on all folds but one, and judge that one; so for each fold in turn.

    The answers of all folds are judged at their own best temperature, as calibration finds one
    afterwards: a strong penalty makes answers timid, which is no fault of theirs.

    Args:
        penalty: which one.
        examples: of all folds.
        folds: ``(n,)`` the fold of each example; a negative one is learnt from always.
        judged: ``(n,)`` bool, whether an example judges when its fold is left out.
        outputs: how many logits the layer gives.
        classes: of these so many are classes; what is left does not judge.
    """
    answered, truth = [], []
    for fold in _numbers(folds):
        layer = fit_logistic(examples.take(folds != fold), outputs, penalty)
        own = examples.take((folds == fold) & judged)
        answered.append(layer(own.features)[:, :classes])
        truth.append(own.labels)
    logits, labels = torch.cat(answered), torch.cat(truth)
    scale = max(float(logits.std()), 1e-12)  # the search for a temperature is one about 1
    temperature = scale * fit_temperature((logits / scale).float().numpy(), labels.numpy())
    loss = float(F.cross_entropy(logits / temperature, labels))
    accuracy = float((logits.argmax(1) == labels).double().mean())
    return Tried(penalty, loss, accuracy, temperature)


def _numbers(folds: Tensor) -> Iterator[int]:
    yield from sorted({int(fold) for fold in folds if fold >= 0})
