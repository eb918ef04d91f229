"""Where training runs: one device, or one process per device under torchrun.

Every process (rank) draws the same order of pictures and takes its share of each batch; gradients
are averaged over the ranks, so one step is that of one process with the whole batch. The first rank
alone writes and tells.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from lungscan.errors import MachineError, UsageProblem


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those that train together, and its device."""

    device: torch.device
    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes the files and tells of progress."""
        return self.rank == 0

    def share(self, rows: Tensor) -> Tensor:
        """The part of a batch that this process computes."""
        return rows[self.rank :: self.count]

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network as a step calls it: its gradients are averaged over the ranks."""
        if self.count == 1:
            return network
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(network, device_ids=ids)

    def mean(self, value: float) -> float:
        """The mean of a number over the ranks."""
        if self.count == 1:
            return value
        total = torch.tensor([value], device=self.device)
        dist.all_reduce(total)
        return float(total) / self.count

    def wait(self) -> None:
        """Go on when every rank is here."""
        if self.count > 1:
            dist.barrier()


@contextmanager
def join(device: str, threads: int) -> Iterator[Ranks]:
    """Join the ranks that torchrun started, or train alone.

    Args:
        device: ``auto`` (CUDA where there is one), ``cpu``, ``cuda`` or ``cuda:1``.
        threads: for torch on the CPU; 0 leaves torch's own number.

    Raises:
        UsageProblem: no such device.
        MachineError: there is no CUDA device here, or the ranks do not find each other.
    """
    if threads:
        torch.set_num_threads(threads)
    count, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    place = _place(device, int(os.environ.get("LOCAL_RANK", "0")))
    torch.backends.cudnn.benchmark = place.type == "cuda"  # few shapes, each many times
    if count == 1:
        yield Ranks(place)
        return
    try:
        dist.init_process_group("nccl" if place.type == "cuda" else "gloo")
    except (RuntimeError, ValueError) as error:
        raise MachineError(
            f"The {count} training processes do not find each other ({error})."
        ) from error
    try:
        yield Ranks(place, rank, count)
    finally:
        dist.destroy_process_group()


def _place(device: str, local_rank: int) -> torch.device:
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise UsageProblem(
            f"There is no device {device}. Say auto, cpu, cuda or cuda:1."
        ) from error
    if place.type != "cuda":
        return place
    if not torch.cuda.is_available():
        raise MachineError("No CUDA device can be used here. Train with --device cpu.")
    return place if ":" in device else torch.device("cuda", local_rank)
