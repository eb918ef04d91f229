"""The network as it is shipped: uint8 tiles in, calibrated probabilities and features out."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import timm
import torch
from safetensors.torch import load_file
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.jit._trace import TracerWarning
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lungscan.model.card import ModelCard

if TYPE_CHECKING:
    import openvino as ov

# ImageNet's channel statistics, 0 to 1: what timm's pretrained weights expect. Training uses these
# very numbers.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class Deployed(nn.Module):
    """A timm network with normalisation before it and the calibrated softmax behind it.

    The network has one output more than there are classes (see ``lungscan.model.novelty``); that
    output is not part of the probabilities.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, classes: int, temperature: float) -> None:
        super().__init__()
        self.network = network
        self.classes = classes
        # Rounded as the shipped graph stores its constants, so that runtimes agree to the last
        # digit.
        self.temperature = float(torch.tensor(temperature).half())
        mean, std = ((torch.tensor(v) * 255).half().float() for v in (MEAN, STD))
        self.register_buffer("mean", mean.view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", std.view(1, 3, 1, 1), persistent=False)

    def forward(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        """``(n, s, s, 3)`` uint8 to probabilities ``(n, classes)`` and features ``(n, d)``."""
        pixels = (tiles.permute(0, 3, 1, 2).float() - self.mean) / self.std
        network = cast(Any, self.network)
        features = network.forward_head(network.forward_features(pixels), pre_logits=True)
        logits = network.get_classifier()(features)[:, : self.classes]
        return torch.softmax(logits.float() / self.temperature, 1), features


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """Fold each batch normalisation into the convolution defined just before it, in place.

    Definition order is call order in timm's convolutional networks; whoever folds compares the
    outputs before and after (``lungscan.training.bundle`` does).
    """
    network.eval()
    for parent in list(network.modules()):
        for first, second in pairwise(list(parent._modules)):
            conv, norm = parent._modules[first], parent._modules[second]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                parent._modules[first] = fuse_conv_bn_eval(conv, norm)
                act = norm.act if isinstance(norm, BatchNormAct2d) else nn.Identity()
                parent._modules[second] = act
    return network


def load_deployed(card: ModelCard) -> Deployed:
    """Build the card's network from its safetensors, in evaluation mode, fp32, on the CPU.

    Raises:
        RuntimeError: the numbers do not fit the architecture.
    """
    tensors = load_file(card.folder / "weights.safetensors")
    numbers = {k: v.float() for k, v in tensors.items() if not k.startswith("graph.")}
    classes = len(card.class_names)
    network = timm.create_model(card.architecture, pretrained=False, num_classes=classes + 1)
    if not any(name.endswith("running_mean") for name in numbers):
        fold_batch_norm(network)
    network.load_state_dict(numbers)
    return Deployed(network, classes, card.temperature).eval()


def convert(deployed: Deployed, size_px: int) -> ov.Model:
    """The network as an OpenVINO graph with a batch of any size."""
    import openvino as ov

    example = torch.zeros((1, size_px, size_px, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        # OpenVINO still reads torch's networks through TorchScript, which announces its end.
        warnings.filterwarnings("ignore", r"`torch\.jit\.", FutureWarning)
        # What depends on the input's size is fixed by tracing, and the size is fixed here anyway.
        warnings.filterwarnings("ignore", category=TracerWarning)
        return ov.convert_model(deployed, example_input=example)
