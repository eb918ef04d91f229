"""What networks say by themselves, for calibration and for comparing one with another.

The figures of a model are those of ``lungscan.evaluation``, which judges the model folder as
classification does; nothing here gives the model itself a figure.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lungscan.dataset.pixels import Squares
from lungscan.dataset.resampling import GroupBootstrap
from lungscan.model.card import Metric
from lungscan.training.calibrate import Outputs, softmax
from lungscan.training.networks import normalise
from lungscan.types import FloatArray


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


@torch.inference_mode()
def logits_of(network: nn.Module, pixels: NDArray[np.uint8]) -> FloatArray:
    """Outputs ``(n, classes + 1)`` of any network, fp32, of whole fields ``(n, s, s, 3)`` uint8."""
    network.eval()
    parts = torch.split(torch.from_numpy(pixels), 32)
    return np.concatenate(
        [network(normalise(rows.permute(0, 3, 1, 2).float())).float().numpy() for rows in parts]
    )


def right_pictures(
    network: nn.Module, squares: Squares, labels: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which pictures a network names rightly, by the mean over their squares."""
    probs = softmax(logits_of(network, squares.pixels)[:, :-1], 1.0)
    starts = np.cumsum(squares.counts) - squares.counts
    means = np.add.reduceat(probs, starts) / squares.counts[:, None]
    right: NDArray[np.bool_] = means.argmax(1) == labels
    return right


def share_metric(
    name: str, values: NDArray[np.generic], groups: Sequence[str], note: str = ""
) -> Metric:
    """A mean over pictures with its interval over groups; zero of zero when there is no picture."""
    if not len(values):
        return Metric(name, 0.0, None, None, 0, 0, note)
    return GroupBootstrap(groups).mean(name, values, note)


def not_measured(name: str, why: str) -> Metric:
    """The place of a figure that nobody can measure here."""
    return Metric(name, 0.0, None, None, 0, 0, f"not measured: {why}")
