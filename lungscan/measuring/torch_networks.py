"""Networks that torch computes, and timm's networks without weights. Needs torch and timm."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import openvino as ov
import timm
import torch
from torch import Tensor

from lungscan.errors import MachineError, UsageProblem
from lungscan.measuring.records import Variant
from lungscan.runtimes.deploy import Deployed, convert, fold_batch_norm

RUNTIME = "torch"
DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}  # None: no autocast
UNTRAINED_CLASSES = 3  # and one output for counter-examples, as LungScan's models have


class TorchNetwork:
    """A network on one device, as ``lungscan.runtimes.torch`` runs it: tiles travel with each call.

    ``precision`` is fp32, or the type that autocast takes.
    """

    streams: tuple[int, ...] = (1,)

    def __init__(
        self,
        variant: Variant,
        network: Deployed,
        device: str,
        threads: int,
        size_px: int,
    ) -> None:
        self.variant = variant
        self._device = torch.device(device)
        self.threads = threads if self._device.type == "cpu" else None
        self._dtype = DTYPES[variant.precision]
        self._size_px = size_px
        # A copy: precisions share a subject, and `to` moves what it is given.
        self._network = copy.deepcopy(network).to(self._device)
        self._network = self._network.to(memory_format=torch.channels_last).eval()

    def single(self) -> Callable[[], object]:
        """See ``Network.single``."""
        tile = _noise(1, self._size_px)
        return lambda: self._answer(tile)

    def many(self, batch: int, streams: int) -> Callable[[int], object]:  # noqa: ARG002  one only
        """See ``Network.many``."""
        tiles = _noise(batch, self._size_px)

        def run(count: int) -> None:
            for _ in range(count):
                self._answer(tiles)

        return run

    @torch.inference_mode()
    def _answer(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        """Fetching the answers waits for the GPU, so no time is missed."""
        if self.threads is not None and torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        try:
            kind = self._device.type
            with torch.autocast(kind, self._dtype, enabled=self._dtype is not None):
                probs, features = self._network(tiles.to(self._device))
        except torch.OutOfMemoryError as error:
            raise MachineError(
                f"The GPU has no memory left for batches of {len(tiles)}; close other programs "
                "that use it."
            ) from error
        return probs.float().cpu(), features.float().cpu()


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
