"""The machine in words and numbers."""

from __future__ import annotations

import os
import platform
from importlib.util import find_spec
from pathlib import Path

from lungscan.benchmarking.records import Machine
from lungscan.results.provenance import library_versions
from lungscan.workers import available_threads


def describe(threads: int, gpus: tuple[str, ...]) -> Machine:
    """Look at this machine; ``threads`` are those that networks may use."""
    return Machine(
        processor=processor(),
        threads=threads,
        cores=available_threads(),
        memory_gb=_memory_gb(),
        gpus=gpus,
        system=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        versions=tuple(v for v in library_versions() if v[0] in ("openvino", "torch", "numpy")),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


def gpu_devices() -> tuple[tuple[str, str], ...]:
    """Each GPU that LungScan can use, as torch and as people name it; none without torch."""
    if not has_torch():
        return ()
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    found = [(f"cuda:{i}", torch.cuda.get_device_name(i)) for i in range(count)]
    if torch.backends.mps.is_available():
        found.append(("mps", "Apple GPU"))
    return tuple(found)


def has_torch() -> bool:
    """Whether torch and timm are installed."""
    return find_spec("torch") is not None and find_spec("timm") is not None


def processor() -> str:
    """The CPU's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # macOS, Windows
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory_gb() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None
