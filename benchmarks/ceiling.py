"""How fast the network alone answers ready batches: no image can be classified faster.

    python benchmarks/ceiling.py [--model NAME] [--seconds S]

One caller for each thread, as a scan has; prints JSON with tiles per second and what answered.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from lungscan.cards import find_model
from lungscan.runtimes import Runtime, load_runtime
from lungscan.runtimes.base import available_threads
from lungscan.types import RgbBatch


def tiles_per_second(runtime: Runtime, size_px: int, threads: int, seconds: float) -> float:
    """Tiles answered per second by ``threads`` callers at once, over about ``seconds``."""
    rng = np.random.default_rng(0)
    shape = (runtime.batch_size, size_px, size_px, 3)
    batch: RgbBatch = rng.integers(0, 256, shape, dtype=np.uint8)
    together = threading.Barrier(threads)

    def call(_: int) -> tuple[int, float, float]:
        runtime.predict(batch)  # the first call makes the thread's buffers
        together.wait()
        tiles, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            runtime.predict(batch)
            tiles += len(batch)
        return tiles, begun, time.perf_counter()

    with ThreadPoolExecutor(threads) as pool:
        calls = list(pool.map(call, range(threads)))
    span = max(end for _, _, end in calls) - min(begun for _, begun, _ in calls)
    return sum(tiles for tiles, _, _ in calls) / span


def main() -> None:
    """Measure one model."""
    parser = argparse.ArgumentParser(description="Speed of the network alone.")
    parser.add_argument("--model", default="lung-histology")
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    card, threads = find_model(given.model), available_threads()
    runtime = load_runtime(card, threads=threads)
    rate = tiles_per_second(runtime, card.patch_size_pixels, threads, given.seconds)
    model = f"{card.name} {card.version}, SHA-256 {card.sha256[:12]}"
    report = {"tiles_per_second": rate, "threads": threads, "batch": runtime.batch_size}
    print(json.dumps(report | {"device": runtime.device, "model": model}))


if __name__ == "__main__":
    main()
