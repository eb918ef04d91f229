"""What processes that ask a network take from inside the engine; it loads its libraries."""

from __future__ import annotations

import time
from contextlib import suppress

import numpy as np

from lungscan.model.checked import find_model
from lungscan.runtimes import load_runtime

TIMED_ROUNDS = 4
CM2_UM2 = 1e8


def load_libraries() -> None:
    """What every run loads, for a process that waits for one."""
    import lungscan.scanning.scan  # noqa: F401

    with suppress(ImportError):  # a run that needs it will say so
        import openvino  # noqa: F401


def time_network(model: str, device: str, threads: int | None) -> tuple[str, float]:
    """What computes a model here, and its seconds for a square centimetre of tissue.

    Loads the network's libraries: for a process of its own. The network alone is timed, on noise.

    Raises:
        LungScanError: the model or the device is not there.
    """
    card = find_model(model)
    runtime = load_runtime(card, device, threads)
    side = card.patch_size_pixels
    noise = np.random.default_rng(0).integers(0, 255, (8, side, side, 3), np.uint8)
    runtime.predict(noise)  # the first one also prepares
    begun, rounds = time.perf_counter(), 0
    while rounds < TIMED_ROUNDS:
        runtime.predict(noise)
        rounds += 1
    rate = rounds * len(noise) / (time.perf_counter() - begun)
    tiles = CM2_UM2 / (side * card.spacing_um_px) ** 2
    return runtime.device, tiles / rate
