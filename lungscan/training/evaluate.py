"""Figures with intervals that respect groups: pictures of one group are not independent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lungscan.cards import Metric
from lungscan.training.calibrate import LabelArray, Outputs
from lungscan.training.networks import normalise
from lungscan.types import FloatArray

RESAMPLES = 2000


@torch.inference_mode()
def outputs_of(network: nn.Module, pixels: NDArray[np.uint8]) -> Outputs:
    """Logits and features, fp32, of whole fields ``(n, s, s, 3)`` uint8."""
    network.eval()
    logits, features = [], []
    for rows in torch.split(torch.from_numpy(pixels), 32):
        found: Tensor = network.forward_head(  # type: ignore[operator]  # every timm network has it
            network.forward_features(normalise(rows.permute(0, 3, 1, 2).float())),  # type: ignore[operator]
            pre_logits=True,
        )
        features.append(found.float().numpy())
        logits.append(network.get_classifier()(found).float().numpy())  # type: ignore[operator]
    return Outputs(np.concatenate(logits), np.concatenate(features))


def bootstrap(
    values: Callable[[NDArray[np.int64]], float], groups: Sequence[str], seed: int = 0
) -> tuple[float, float]:
    """95 % interval of a figure when whole groups are drawn with replacement.

    Args:
        values: the figure over the pictures at the given rows.
        groups: the group of each picture.
    """
    rng = np.random.default_rng(seed)
    names, member = np.unique(np.array(groups), return_inverse=True)
    rows_of = [np.flatnonzero(member == k) for k in range(len(names))]
    draws = [
        values(np.concatenate([rows_of[k] for k in rng.integers(0, len(names), len(names))]))
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def accuracy_metric(
    name: str, right: NDArray[np.bool_], groups: Sequence[str], note: str = ""
) -> Metric:
    """Share of right answers with its interval; zero of zero when there is no picture."""
    if not len(right):
        return Metric(name, 0.0, None, None, 0, 0, note)
    low, high = bootstrap(lambda rows: float(right[rows].mean()), groups)
    return Metric(name, float(right.mean()), low, high, len(right), len(set(groups)), note)


def difference_metric(
    name: str,
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    groups: Sequence[str],
    note: str = "",
) -> Metric:
    """How much more often ``first`` is right than ``second``, on the same pictures."""
    gain = first.astype(np.float64) - second
    low, high = bootstrap(lambda rows: float(gain[rows].mean()), groups)
    return Metric(name, float(gain.mean()), low, high, len(gain), len(set(groups)), note)


def class_metrics(
    probs: FloatArray, labels: LabelArray, groups: Sequence[str], names: Sequence[str]
) -> list[Metric]:
    """Precision, recall and F1 of each class with intervals."""
    best = probs.argmax(1)
    found = []
    for index, name in enumerate(names):
        for figure, function in (("precision", _precision), ("recall", _recall), ("F1", _f1)):

            def value(
                rows: NDArray[np.int64],
                index: int = index,
                function: Callable[[NDArray[np.bool_], NDArray[np.bool_]], float] = function,
            ) -> float:
                return function(best[rows] == index, labels[rows] == index)

            low, high = bootstrap(value, groups)
            whole = value(np.arange(len(labels)))
            note = f"student, grouped test, {name}"
            found.append(
                Metric(f"{figure} {name}", whole, low, high, len(labels), len(set(groups)), note)
            )
    return found


def _precision(said: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    return float((said & true).sum() / max(1, said.sum()))


def _recall(said: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    return float((said & true).sum() / max(1, true.sum()))


def _f1(said: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    return float(2 * (said & true).sum() / max(1, said.sum() + true.sum()))
