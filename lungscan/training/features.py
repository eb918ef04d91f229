"""The stage before the labels: a network learns the features of one that saw a million pictures.

A small network without published weights cannot start from ImageNet itself, but it can learn what a
network with weights makes of our own pictures (FitNets: Romero et al. 2015, arXiv:1412.6550). No
label is needed for that, so any picture of tissue serves.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lungscan.errors import ModelError
from lungscan.training.augment import augment
from lungscan.training.networks import create, normalise
from lungscan.training.options import Augment, Features, Phase
from lungscan.training.teacher import Teacher

MEASURED = 2048  # views, at most, that mean and spread of the features are taken from
BATCH = 64
LEAST_SPREAD = 1e-4  # of a feature; one that never moves teaches nothing


class Learner(nn.Module):
    """A network and one linear layer from its features to its teacher's.

    Its outputs are the network's own, ``classes + 1``, then the guessed features of the teacher.
    """

    def __init__(self, network: nn.Module, width: int) -> None:
        super().__init__()
        self.network = network
        own = network.get_classifier().in_features  # type: ignore[operator]  # timm's networks have it
        self.project = nn.Linear(own, width)

    def forward(self, fields: Tensor) -> Tensor:
        """Outputs ``(b, classes + 1 + width)`` for normalised fields ``(b, 3, h, w)``."""
        maps = self.network.forward_features(fields)  # type: ignore[operator]
        own = self.network.forward_head(maps, pre_logits=True)  # type: ignore[operator]
        outputs = self.network.get_classifier()(own)  # type: ignore[operator]
        return torch.cat([outputs, self.project(own)], 1)


class FeatureTeacher(Teacher):
    """A network without its last layer: standardised pooled features instead of answers."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        super().__init__(network, device)
        self.mean = torch.zeros((), device=device)
        self.spread = torch.ones((), device=device)

    def __call__(self, fields: Tensor) -> Tensor:
        """Features ``(b, width)`` fp32, each of mean 0 and spread 1 over the training views."""
        return (super().__call__(fields) - self.mean) / self.spread

    def standardise(self, pixels: Tensor, phase: Phase, how: Augment, seed: int) -> int:
        """Measure mean and spread on augmented views of ``pixels`` ``(n, s, s, 3)`` uint8.

        The same pictures and seed give the same views, so a resumed stage aims where it aimed.
        Returns the number of features.
        """
        generator = torch.Generator().manual_seed(seed)
        order = torch.from_numpy(np.random.default_rng((seed, 2)).permutation(len(pixels)))
        found = []
        for rows in torch.split(order[:MEASURED], min(BATCH, len(order))):
            views = augment(
                pixels[rows.to(pixels.device)], phase.crop_px, phase.span_px, how, generator
            )
            found.append(super().__call__(normalise(views)))
        features = torch.cat(found)
        self.mean = features.mean(0)
        self.spread = features.std(0).clamp_min(LEAST_SPREAD)
        return features.shape[1]


def feature_teacher(name: str, device: torch.device) -> FeatureTeacher:
    """The network ``name`` with its ImageNet weights, made to tell its features.

    Raises:
        ModelError: its weights can neither be found nor fetched.
    """
    network = create(name, 1, pretrained=True)
    network.reset_classifier(0)  # type: ignore[operator]
    return FeatureTeacher(network, device)


def feature_loss(
    outputs: Tensor, targets: Tensor, features: Tensor | None, *, weights: Features
) -> Tensor:
    """Smooth L1 distance to the teacher's features, and cross-entropy where there are labels.

    Args:
        outputs: of a ``Learner``: answers ``(b, k)``, then the guessed features.
        targets: ``(b, k)``; a row of zeros for a picture without a label.
        features: the teacher's, standardised ``(b, width)``.
        weights: of both parts.
    """
    assert features is not None  # noqa: S101  # this stage always has its teacher
    answers = targets.shape[1]
    loss = weights.feature_weight * F.smooth_l1_loss(outputs[:, answers:], features)
    if weights.label_weight > 0:
        loss = loss + weights.label_weight * F.cross_entropy(outputs[:, :answers], targets)
    return loss


def start_from(network: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Give ``network`` the weights of a learner's network; the linear layer is left behind.

    Raises:
        ModelError: they belong to another network.
    """
    own = {k.removeprefix("network."): v for k, v in values.items() if k.startswith("network.")}
    try:
        network.load_state_dict(own)
    except RuntimeError as error:
        raise ModelError("The features were learnt by another network.") from error
