"""From a trained network to the numbers of a model folder: folded, rounded, written once.

How graph and weights share their numbers: ``lungscan.model.graph``.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from lungscan.errors import ModelError
from lungscan.model.graph import write_graph
from lungscan.runtimes.deploy import Deployed, convert, fold_batch_norm


def deploy(network: nn.Module, classes: int, temperature: float, probe: torch.Tensor) -> Deployed:
    """Fold, round to half precision and wrap a trained network.

    Args:
        probe: ``(n, s, s, 3)`` uint8 fields on which folding must not change the answer.

    Raises:
        ModelError: folding changed the outputs, so the network is not built in call order.
    """
    before = Deployed(network.float().eval(), classes, temperature)
    with torch.no_grad():
        expected = before(probe)[0]
        fold_batch_norm(network)
        folded = Deployed(network, classes, temperature).eval()
        change = float((folded(probe)[0] - expected).abs().max())
        if not change <= 1e-3:  # NaN is a change too
            raise ModelError(f"Folding batch normalisation changed an answer by {change:.4f}.")
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.copy_(value.half().float())
    return folded


def write_network(deployed: Deployed, size_px: int, folder: Path) -> None:
    """Write ``graph.xml`` and ``weights.safetensors``."""
    parameters = {
        name: value.detach().half().contiguous().numpy()
        for name, value in deployed.network.state_dict().items()
    }
    write_graph(convert(deployed, size_px), parameters, folder)
