"""timm's networks without weights. Needs torch and timm."""

from __future__ import annotations

import copy

import numpy as np
import openvino as ov
import timm
import torch
from torch import Tensor

from lungscan.errors import UsageProblem
from lungscan.runtimes.deploy import Deployed, convert, fold_batch_norm

UNTRAINED_CLASSES = 3  # and one output for counter-examples, as LungScan's models have


def untrained(name: str, size_px: int) -> tuple[Deployed, ov.Model]:
    """A timm network with random weights, between LungScan's normalisation and softmax.

    Returns:
        The network for torch, and as a graph for OpenVINO.

    Raises:
        UsageProblem: timm does not know the name, or the network cannot take such an input.
    """
    try:
        bare = timm.create_model(name, pretrained=False, num_classes=UNTRAINED_CLASSES + 1)
        deployed = Deployed(bare, UNTRAINED_CLASSES, 1.0).eval()
        folded = copy.deepcopy(deployed)
        fold_batch_norm(folded.network)
        tiles = _noise(2, size_px)
        with torch.inference_mode():
            same = torch.allclose(deployed(tiles)[1], folded(tiles)[1], rtol=1e-2, atol=1e-2)
        # Where definition order is not call order folding is wrong; LungScan would not ship that.
        network = folded if same else deployed
        return network, convert(network, size_px)
    except (RuntimeError, AssertionError, ValueError, AttributeError, TypeError) as error:
        raise UsageProblem(
            f"timm's network {name!r} cannot be measured with fields of {size_px} px ({error})."
        ) from error


def count_of(network: Deployed) -> int:
    """Numbers that such a network stores."""
    return sum(value.numel() for value in network.network.parameters())


def _noise(batch: int, size_px: int) -> Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(0, 256, (batch, size_px, size_px, 3), np.uint8))
