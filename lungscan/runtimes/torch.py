"""torch: CUDA, Apple MPS, or the CPU as a reference. Needs the extra ``gpu``."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import numpy as np
import torch
from safetensors import SafetensorError

from lungscan.errors import MachineError, ModelError
from lungscan.model.card import ModelCard
from lungscan.runtimes.deploy import Deployed, load_deployed
from lungscan.runtimes.runtime import DeviceFailed
from lungscan.types import FloatArray, RgbBatch

NO_MEMORY = (
    "The GPU has no memory left for {what}. Close other programs that use it, or use the CPU "
    "(--device cpu)."
)
LOST = (
    "torch failed on {device} ({error}). Restart the driver, choose another device (--device), or "
    "have the installation checked (`lungscan doctor`)."
)
LANES = 2  # batches at once on a GPU: one is copied while the other is computed
DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}  # None: no autocast


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
    """A network on one torch device.

    On the CPU each tile is computed alone and by one thread, several side by side, so that its
    answer depends on nothing else (see ``OpenVinoRuntime``). A GPU computes whole batches.
    """

    def __init__(
        self,
        network: Deployed,
        device: str,
        threads: int,
        batch_size: int | None = None,
        precision: str | None = None,
    ) -> None:
        """Move a network, which is changed by it, to a device.

        Args:
            precision: a key of ``DTYPES``; None takes fp16 on CUDA, fp32 elsewhere.

        Raises:
            MachineError: the device is not there.
            DeviceFailed: it has no memory for the network, or does not answer.
        """
        self._device = _device(device)
        self._on_cuda = self._device.type == "cuda"
        self.tile_by_tile = self._device.type == "cpu"
        self._precision = precision or ("fp16" if self._on_cuda else "fp32")
        self._batch_size = batch_size or (128 if self._on_cuda else 16)
        try:
            self.network = network.to(self._device).to(memory_format=torch.channels_last)
        except RuntimeError as error:
            if _is_full(error):
                raise DeviceFailed(NO_MEMORY.format(what="the network")) from error
            raise _lost(self._device, error) from error
        self.lanes = lanes_on(self._device.type, threads)
        self.gate = threading.BoundedSemaphore(self.lanes)
        self._turn = threading.Lock()
        self._local = threading.local()

    @property
    def device(self) -> str:
        """Runtime, device and precision."""
        return f"torch {torch.__version__} {self._device} {self._precision}"

    @property
    def batch_size(self) -> int:
        """Tiles per call."""
        return self._batch_size

    def predict(self, batch: RgbBatch) -> tuple[FloatArray, FloatArray]:
        """See ``Runtime.predict``. When the memory is full, batches become smaller and stay so."""
        parts: list[tuple[FloatArray, FloatArray]] = []
        at = 0
        while at < len(batch):
            size = self._batch_size
            part = batch[at : at + size]
            answer = self._beside_others(part)
            if answer is None:  # only now: an error holds on to what was computed up to it
                answer = self._alone(part, size)
            if answer is not None:
                parts.append(answer)
                at += len(part)
        return np.concatenate([p for p, _ in parts]), np.concatenate([f for _, f in parts])

    def _beside_others(self, tiles: RgbBatch) -> tuple[FloatArray, FloatArray] | None:
        """The answer, or None when the memory is full. Raises DeviceFailed."""
        with self.gate:
            return self._try(tiles)

    def _alone(self, tiles: RgbBatch, size: int) -> tuple[FloatArray, FloatArray] | None:
        """Once more while no other batch takes memory; None when there still is not enough.

        Either way batches get smaller than ``size``, which was too much beside others. Raises
        DeviceFailed when a single tile is too much.
        """
        with self._turn, ExitStack() as lanes:  # two waiting for all lanes would never end
            for _ in range(self.lanes):
                lanes.enter_context(self.gate)
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            answer = self._try(tiles)
            if answer is None and len(tiles) == 1:
                raise DeviceFailed(NO_MEMORY.format(what="a single tile"))
            half = (len(tiles) if answer is None else size) // 2
            self._batch_size = max(1, min(self._batch_size, half))
            return answer

    def _try(self, tiles: RgbBatch) -> tuple[FloatArray, FloatArray] | None:
        try:
            return self._infer(tiles)
        except RuntimeError as error:
            if not _is_full(error):
                raise _lost(self._device, error) from error
            return None

    @torch.inference_mode()
    def _infer(self, batch: RgbBatch) -> tuple[FloatArray, FloatArray]:
        kind, dtype = self._device.type, DTYPES[self._precision]
        with torch.autocast(kind, dtype, enabled=dtype is not None):
            if self._on_cuda:
                return self._infer_on_cuda(batch)
            tiles = torch.from_numpy(np.require(batch, requirements=["C", "W"])).to(self._device)
            if not self.tile_by_tile:
                return _to_numpy(*self.network(tiles))
            if torch.get_num_threads() != 1:  # each thread has a number of its own
                torch.set_num_threads(1)
            answers = [self.network(tile[None]) for tile in tiles]
            return _to_numpy(*(torch.cat(column) for column in zip(*answers, strict=True)))

    def _infer_on_cuda(self, batch: RgbBatch) -> tuple[FloatArray, FloatArray]:
        lane = getattr(self._local, "lane", None)
        if lane is None:
            lane = self._local.lane = _Lane(self._device)
        with torch.cuda.stream(lane.stream):
            tiles = lane.pinned(batch).to(self._device, non_blocking=True)
            # Copies to pageable memory wait for this stream alone.
            return _to_numpy(*self.network(tiles))


def load_torch(card: ModelCard, device: str, threads: int, batch_size: int | None) -> TorchRuntime:
    """The card's network.

    Raises:
        ModelError: the weights do not fit the architecture.
        MachineError, DeviceFailed: see ``TorchRuntime``.
    """
    _device(device)  # building a network takes longer than to see that there is no such device
    try:
        network = load_deployed(card)
    except (RuntimeError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"The weights of {card.name} do not fit {card.architecture} ({error}). "
            "Install the model again."
        ) from error
    return TorchRuntime(network, device, threads, batch_size, "fp32" if card.exact else None)


def lanes_on(kind: str, threads: int) -> int:
    """How many batches a device of this kind computes at once."""
    return {"cpu": threads, "cuda": LANES}.get(kind, 1)


def _to_numpy(probs: torch.Tensor, features: torch.Tensor) -> tuple[FloatArray, FloatArray]:
    return probs.float().cpu().numpy(), features.float().cpu().numpy()


def _is_full(error: RuntimeError) -> bool:
    """Whether memory is short. Apple's GPUs, and pinned memory, tell so in words alone."""
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error)


def _lost(device: torch.device, error: RuntimeError) -> DeviceFailed:
    """What any other failure means; CUDA's own text goes on with lines for its developers."""
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return DeviceFailed(LOST.format(device=device, error=first))


def _device(name: str) -> torch.device:
    """The torch device of that name, known to be there."""
    if name == "torch-cpu":
        return torch.device("cpu")
    if name == "mps":
        if not torch.backends.mps.is_available():
            raise MachineError("mps: no Apple GPU here. Use the CPU (--device cpu).")
        return torch.device("mps")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    number = name.removeprefix("cuda").removeprefix(":") or "0"
    if number not in map(str, range(count)):
        raise MachineError(
            f"{name}: torch sees {count or 'no'} NVIDIA GPU{'s' * (count > 1)} here"
            + (f", numbered from 0 to {count - 1}. " if count else ". ")
            + "Check the driver, or use the CPU (--device cpu)."
        )
    return torch.device(name)
