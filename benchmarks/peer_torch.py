"""What the peers' scripts share; runs in the peers' own environments, without LungScan."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

LARGEST_DIFFERENCE = 1e-3  # between the stored probabilities and the peer's own


def declare_missing_operators() -> None:
    """Let torchvision be imported where its compiled part does not fit a CPU build of torch.

    Its import registers stand-ins for two operators, which then have to exist. Nothing that runs
    here asks for them: only picture transforms are used.
    """
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        for name in ("nms", "qnms"):
            _missing.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


# What it declares lasts as long as it does.
_missing = torch.library.Library("torchvision", "FRAGMENT")


def load_network(folder: Path) -> torch.nn.Module:
    """Build the network that ``peer_network.py`` stored, with its numbers."""
    import timm
    from safetensors.torch import load_file

    facts = json.loads((folder / "network.json").read_text(encoding="utf-8"))
    network = timm.create_model(facts["architecture"], num_classes=len(facts["class_names"]))
    network.load_state_dict(load_file(folder / "network.safetensors"))
    return network.eval()


def check(network: torch.nn.Module, folder: Path) -> None:
    """Compare its answers for the stored fields with the stored ones; ValueError if they differ."""
    from safetensors.torch import load_file

    facts = json.loads((folder / "network.json").read_text(encoding="utf-8"))
    stored = load_file(folder / "answers.safetensors")
    mean, std = (torch.tensor(facts[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    with torch.inference_mode():
        pixels = stored["fields"].permute(0, 3, 1, 2).float() / 255
        probs = torch.softmax(network((pixels - mean) / std), 1)
    difference = float((probs - stored["probs"]).abs().max())
    if not difference <= LARGEST_DIFFERENCE:
        raise ValueError(f"the network answers otherwise than stored, by {difference:.2g}")
