"""How fast the network alone answers ready batches: no image can be classified faster.

    python benchmarks/ceiling.py [--model NAME] [--seconds S]

Measured through LungScan's runtime, one caller for each thread, as a scan has; and, where
OpenVINO answers, OpenVINO's own queue with the same graph, streams and precision, tile by tile and
in whole batches, without any of LungScan's code around it. The fastest is the ceiling. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from lungscan.model.card import ModelCard
from lungscan.model.checked import find_model
from lungscan.runtimes import Runtime, load_runtime
from lungscan.types import RgbBatch
from lungscan.workers import available_threads

TURN = 16  # calls per stream before the queue is emptied and the clock read


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


def alone(card: ModelCard, tiles: int, threads: int, seconds: float) -> float:
    """Tiles answered per second by OpenVINO itself, ``tiles`` at once in each stream."""
    import openvino as ov

    from lungscan.model.graph import read_graph
    from lungscan.runtimes.kernels import best_precision, prefer_faster
    from lungscan.runtimes.openvino import check_graph, compile_graph

    graph = read_graph(ov.Core(), card.folder, prefer_faster)
    check_graph(graph, card)
    compiled = compile_graph(graph, threads, best_precision(), tiles)
    queue = ov.AsyncInferQueue(compiled, threads)
    rng = np.random.default_rng(0)
    batch: RgbBatch = rng.integers(0, 256, list(compiled.input(0).shape), dtype=np.uint8)

    def run(calls: int) -> None:
        for _ in range(calls):
            queue.start_async([batch], share_inputs=True)
        queue.wait_all()

    run(threads)  # the first call makes the buffers
    calls, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        run(TURN * threads)
        calls += TURN * threads
    return calls * tiles / (time.perf_counter() - begun)


def main() -> None:
    """Measure one model."""
    parser = argparse.ArgumentParser(description="Speed of the network alone.")
    parser.add_argument("--model", default="lung-histology")
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    card, threads = find_model(given.model), available_threads()
    runtime = load_runtime(card, threads=threads)
    batch = runtime.batch_size
    ours = tiles_per_second(runtime, card.patch_size_pixels, threads, given.seconds)
    plain = 0.0
    if runtime.device.startswith("OpenVINO"):
        plain = max(alone(card, tiles, threads, given.seconds) for tiles in (1, batch))
    report = {
        "tiles_per_second": max(ours, plain),
        "through_lungscan": ours,
        "alone": plain,
        "threads": threads,
        "batch": batch,
        "device": runtime.device,
        "model": f"{card.name} {card.version}, SHA-256 {card.sha256[:12]}",
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
