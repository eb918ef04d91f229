"""The small interface that every runtime offers, and the choice among them."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from lungscan.errors import MachineError, UsageProblem
from lungscan.model.card import INT8, ModelCard
from lungscan.options import require_device
from lungscan.types import FloatArray, RgbBatch
from lungscan.workers import available_threads

_PRECISIONS = {"cpu": None, "openvino": None, "cpu-fp32": "f32", "cpu-bf16": "bf16"}  # None: best


class DeviceFailed(MachineError):
    """The device of a runtime does not answer any more; another one may."""


class Runtime(Protocol):
    """A loaded network. ``predict`` may be called from several threads at once."""

    @property
    def device(self) -> str:
        """What answers, for people: runtime, device and precision.

        Where that may change, it is what answered the last batch of the thread that asks.
        """
        ...

    @property
    def batch_size(self) -> int:
        """Tiles per call that suit the device."""
        ...

    def predict(self, batch: RgbBatch) -> tuple[FloatArray, FloatArray]:
        """Score tiles.

        Args:
            batch: ``(n, size, size, 3)`` uint8 RGB, any n from 1 up.

        Returns:
            Calibrated probabilities ``(n, classes)`` in the card's order, and the features
            ``(n, d)`` before the last layer; both float32. On a CPU a tile's are the same bytes
            whatever the batch, its place there and the number of threads; on a GPU they may
            differ in the last digits from one size of batch to another.

        Raises:
            DeviceFailed: a GPU has no memory left for a single tile, or its driver is lost.
        """
        ...


def import_ahead(device: str) -> None:
    """Import what ``load_runtime`` will most likely need, if it can be: that one will say why not.

    OpenVINO then compiles without Python, while another thread imports something else.
    """
    if device == "auto" or device in _PRECISIONS:
        with suppress(ImportError):
            import lungscan.runtimes.openvino  # noqa: F401


def load_runtime(
    card: ModelCard, device: str = "auto", threads: int | None = None, batch_size: int | None = None
) -> Runtime:
    """Load a model on a device.

    Args:
        device: ``auto`` takes CUDA when torch and timm are installed and see a GPU, else OpenVINO.
            int8 models always run on OpenVINO.
        threads: of the CPU; None takes all that this process may use.
        batch_size: tiles per call; None takes what suits the device. On a CPU it only says how
            many are handed over at once.

    Raises:
        UsageProblem: no such device name, or one that cannot compute an int8 model.
        MachineError: the device is not there, or needs an extra that is not installed.
        ModelError: the model's files are no network that the runtime can build.
    """
    require_device(device)
    threads = threads or available_threads()
    if device == "auto":
        device = "cuda" if card.precision != INT8 and cuda_works() else "cpu"
    if device in _PRECISIONS:
        from lungscan.runtimes.openvino import BATCH, load_openvino

        hint = _PRECISIONS[device] or ("f32" if card.exact else None)
        return load_openvino(card, threads, batch_size or BATCH, hint)
    if card.precision == INT8:
        raise UsageProblem(
            f"{card.name} is an int8 model, which only OpenVINO can compute. Use the CPU "
            "(--device cpu), or the model that it was made from."
        )
    try:
        from lungscan.runtimes.torch import load_torch
    except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision of another torch
        raise MachineError(
            f"{device} needs torch and timm, which cannot be loaded here ({error}). Use the CPU "
            "(--device cpu), or install the extra gpu "
            '(`python -m pip install "lungscan-histology[gpu]"`).'
        ) from error
    return load_torch(card, device, threads, batch_size)


def cuda_works() -> bool:
    """Whether a CUDA device can be used; torch is only imported where a driver is present."""
    driver = Path("/proc/driver/nvidia/version").exists() or os.name == "nt"
    if not driver or find_spec("torch") is None or find_spec("timm") is None:
        return False
    import torch

    return torch.cuda.is_available()
