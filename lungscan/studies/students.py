"""The networks of a study by name: timm's, and two of our own."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from lungscan.studies.small import AlexNet, SmallCnn
from lungscan.training.networks import create as create_of_timm

OWN: dict[str, Callable[[int], nn.Module]] = {"small_cnn": SmallCnn, "alexnet": AlexNet}


def create(name: str, outputs: int, *, pretrained: bool = False) -> nn.Module:
    """Build a network with ``outputs`` outputs.

    Raises:
        ModelError: timm does not know the name, or the pretrained weights cannot be had.
    """
    if name in OWN:
        return OWN[name](outputs)
    return create_of_timm(name, outputs, pretrained=pretrained)
