"""Networks from timm, and the one definition of how they see a field."""

from __future__ import annotations

from typing import Any

import timm
import torch
from torch import Tensor, nn

from lungscan.errors import ModelError
from lungscan.runtimes.deploy import MEAN, STD
from lungscan.training.pretrained import create_pretrained

STAGE_LISTS = ("blocks", "stages", "layers")  # how timm's networks name the list of their stages


def create(name: str, outputs: int, *, pretrained: bool, drop_path: float = 0.0) -> nn.Module:
    """Build a timm network with ``outputs`` outputs.

    Raises:
        ModelError: timm does not know the name, or the pretrained weights cannot be had.
    """
    extra: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path > 0 else {}
    if pretrained:
        return create_pretrained(name, outputs, **extra)
    try:
        return timm.create_model(name, pretrained=False, num_classes=outputs, **extra)
    except RuntimeError as error:
        raise ModelError(
            f"timm cannot build {name}: {error}. "
            "`timm.list_models()` in Python names those that it can."
        ) from error


def freeze(network: nn.Module, stages: int) -> tuple[nn.Module, ...]:
    """Keep the stem and the first ``stages`` stages as they are; returns the frozen modules.

    Early layers see edges and colours, which a few hundred groups of pictures teach no better than
    a million photographs did; and most of a step's time is spent on their large maps.

    Raises:
        ModelError: the network does not name its stages as timm's usually do.
    """
    if stages == 0:
        return ()
    frozen = []
    for name, child in network.named_children():
        if name in STAGE_LISTS:
            frozen += list(child.children())[:stages]
            break
        frozen.append(child)
    else:
        raise ModelError(
            f"{type(network).__name__} has none of {', '.join(STAGE_LISTS)}; set frozen_stages = 0."
        )
    for module in frozen:
        module.requires_grad_(requires_grad=False)
    return tuple(frozen)


def normalise(fields: Tensor) -> Tensor:
    """Scale ``(b, 3, h, w)`` from 0..255 to the statistics that the networks expect."""
    mean = torch.tensor(MEAN, device=fields.device).view(1, 3, 1, 1) * 255.0
    std = torch.tensor(STD, device=fields.device).view(1, 3, 1, 1) * 255.0
    normal = (fields - mean) / std
    return normal.contiguous(memory_format=torch.channels_last)
