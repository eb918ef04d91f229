"""Networks from timm, and the one definition of how they see a field."""

from __future__ import annotations

from typing import Any

import timm
import torch
from torch import Tensor, nn

from lungscan.errors import ModelError
from lungscan.runtimes.deploy import MEAN, STD


def create(name: str, classes: int, *, pretrained: bool, drop_path: float = 0.0) -> nn.Module:
    """Build a timm network with ``classes`` outputs.

    Raises:
        ModelError: timm does not know the name, or the pretrained weights cannot be had.
    """
    extra: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path > 0 else {}
    try:
        return timm.create_model(name, pretrained=pretrained, num_classes=classes, **extra)
    except RuntimeError as error:
        raise ModelError(f"timm cannot build {name}: {error}.") from error
    except OSError as error:
        raise ModelError(
            f"The pretrained weights of {name} cannot be fetched: no model hub is reachable. "
            "Train without --pretrained, or run once where there is a network."
        ) from error


def normalise(fields: Tensor) -> Tensor:
    """Scale ``(b, 3, h, w)`` from 0..255 to the statistics that the networks expect."""
    mean = torch.tensor(MEAN, device=fields.device).view(1, 3, 1, 1) * 255.0
    std = torch.tensor(STD, device=fields.device).view(1, 3, 1, 1) * 255.0
    normal = (fields - mean) / std
    return normal.contiguous(memory_format=torch.channels_last)
