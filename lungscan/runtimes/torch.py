"""torch: CUDA, Apple MPS, or the CPU as a reference. Needs the extra ``gpu``."""

from __future__ import annotations

import threading

import numpy as np
import torch
from safetensors import SafetensorError

from lungscan.cards import ModelCard
from lungscan.errors import MachineError, ModelError
from lungscan.runtimes.deploy import Deployed, load_deployed
from lungscan.types import FloatArray, RgbBatch

NO_MEMORY = (
    "The GPU has no memory left for {what}. Close other programs that use it, or run with "
    "--device cpu."
)


LANES = 2


class _Lane:
    """One thread's way to a GPU: a stream of its own, and memory that the GPU can fetch from.

    While one lane's batch is computed, another's is copied: copies from pinned memory and kernels
    of different streams overlap (CUDA C++ Programming Guide, "Overlap of Data Transfer and Kernel
    Execution").
    """

    def __init__(self, device: torch.device) -> None:
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pinned = torch.empty(0, dtype=torch.uint8)

    def pinned(self, batch: RgbBatch) -> torch.Tensor:
        """The batch in pinned memory, which is kept for the next one."""
        if self._pinned.numel() < batch.size:
            self._pinned = torch.empty(batch.size, dtype=torch.uint8, pin_memory=True)
        tiles = self._pinned[: batch.size].view(batch.shape)
        np.copyto(tiles.numpy(), batch)
        return tiles


class TorchRuntime:
    """A network on one torch device; half precision on CUDA, fp32 elsewhere."""

    def __init__(self, card: ModelCard, device: str, threads: int, batch_size: int | None) -> None:
        self._device = _device(device)
        if self._device.type == "cpu":
            torch.set_num_threads(threads)
        self._half = self._device.type == "cuda"
        self._batch_size = batch_size or (128 if self._half else 16)
        self._network = self._load(card)
        # Two batches at once on a GPU: one is copied while the other is computed.
        self._gate = threading.BoundedSemaphore(LANES if self._half else 1)
        self._local = threading.local()

    def _load(self, card: ModelCard) -> Deployed:
        try:
            network = load_deployed(card)
        except (RuntimeError, KeyError, SafetensorError) as error:
            raise ModelError(
                f"The weights of {card.name} do not fit {card.architecture} ({error}). "
                "Install the model again."
            ) from error
        try:
            return network.to(self._device).to(memory_format=torch.channels_last)
        except torch.OutOfMemoryError as error:
            raise MachineError(NO_MEMORY.format(what="the network")) from error

    @property
    def device(self) -> str:
        """Runtime, device and precision."""
        return f"torch {torch.__version__} {self._device} {'fp16' if self._half else 'fp32'}"

    @property
    def batch_size(self) -> int:
        """Tiles per call."""
        return self._batch_size

    def predict(self, batch: RgbBatch) -> tuple[FloatArray, FloatArray]:
        """See ``Runtime.predict``. When the GPU's memory is full the batch is halved."""
        with self._gate:
            try:
                return self._infer(batch)
            except torch.OutOfMemoryError as error:
                if len(batch) == 1:
                    raise MachineError(NO_MEMORY.format(what="a single tile")) from error
        torch.cuda.empty_cache()
        self._batch_size = max(1, min(self._batch_size, len(batch)) // 2)
        first, second = (self.predict(half) for half in np.array_split(batch, 2))
        return np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]])

    @torch.inference_mode()
    def _infer(self, batch: RgbBatch) -> tuple[FloatArray, FloatArray]:
        if self._half:
            return self._infer_on_gpu(batch)
        tiles = torch.from_numpy(np.require(batch, requirements=["C", "W"])).to(self._device)
        probs, features = self._network(tiles)
        return probs.float().cpu().numpy(), features.float().cpu().numpy()

    def _infer_on_gpu(self, batch: RgbBatch) -> tuple[FloatArray, FloatArray]:
        lane = getattr(self._local, "lane", None)
        if lane is None:
            lane = self._local.lane = _Lane(self._device)
        with torch.cuda.stream(lane.stream), torch.autocast("cuda", torch.float16):
            tiles = lane.pinned(batch).to(self._device, non_blocking=True)
            probs, features = self._network(tiles)
            # Copies to pageable memory wait for this stream alone.
            return probs.float().cpu().numpy(), features.float().cpu().numpy()


def _device(name: str) -> torch.device:
    """The torch device of that name, known to be there."""
    if name == "torch-cpu":
        return torch.device("cpu")
    if name == "mps":
        if not torch.backends.mps.is_available():
            raise MachineError("--device mps: no Apple GPU here. Use --device cpu.")
        return torch.device("mps")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    number = name.removeprefix("cuda").removeprefix(":") or "0"
    if number not in map(str, range(count)):
        raise MachineError(
            f"--device {name}: torch sees {count or 'no'} NVIDIA GPU{'s' * (count > 1)} here"
            + (f", numbered from 0 to {count - 1}. " if count else ". ")
            + "Check the driver, or use --device cpu."
        )
    return torch.device(name)
