"""How long 1, 10 and 100 workers take for very many slides, and what limits them: a simulation.

    python benchmarks/scale.py [--slides 1000 100000] [--workers 1 10 100] [--storage-mb-s 1000]
                               [--slide-s 30] [--slide-gb 1.0] [--million]

Sizes of slides are drawn, log-normal about ``--slide-gb``; reading and computing grow with the
size. A worker computes as fast as ``--slide-s`` says for the mean slide, or as its share of the
storage lets it. What the driver and the last shard do alone is added: the costs per case are those
that ``cluster_overhead.py`` and ``many_cases.py`` measured, and can be given. Shards are cut by the
engine's own rule, and by count for comparison.
"""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lungscan.scanning.sharding.cutting import cut


@dataclass(frozen=True)
class Costs:
    """Seconds and bytes."""

    slide_s: float = 30.0  # of one worker with two cores for a slide of mean size (docs/speed.md)
    slide_bytes: float = 1e9
    storage_bytes_s: float = 1e9  # all workers together
    start_s: float = 4.0  # of a process, its model included
    driver_s: float = 0.010  # of the driver alone per case: scheduler, filing
    tables_s: float = 0.003  # of the last shard or the driver per case


@dataclass(frozen=True)
class Outcome:
    """Hours in all; of which alone at the end; and what limits."""

    hours: float
    tables_hours: float
    limit: str
    idle: float  # share of the workers' time


def draw_sizes(slides: int, costs: Costs, seed: int = 1) -> np.ndarray:
    """Bytes of slides, the same for the same seed; a tenth of them twice the mean and more."""
    sigma = 0.7
    rng = np.random.default_rng(seed)
    return costs.slide_bytes * rng.lognormal(-(sigma**2) / 2, sigma, slides)


def durations(sizes: np.ndarray, workers: int, costs: Costs) -> tuple[np.ndarray, bool]:
    """Seconds of each slide on a worker, and whether the storage sets them."""
    compute = sizes / costs.slide_bytes * costs.slide_s
    read = sizes / (costs.storage_bytes_s / workers)
    return np.maximum(compute, read), bool(read.sum() > compute.sum())


def shards(sizes: np.ndarray, workers: int, costs: Costs, *, by_count: bool = False) -> Outcome:
    """As many shards as workers."""
    took, storage = durations(sizes, workers, costs)
    if by_count:
        owners = np.arange(len(sizes)) * workers // len(sizes)
    else:
        owners = np.array(cut([int(size) for size in sizes], workers)) - 1
    loads = np.bincount(owners, took, workers) + costs.start_s
    return _outcome(loads, took, len(sizes), costs, "storage" if storage else "workers")


def cluster(sizes: np.ndarray, workers: int, costs: Costs) -> Outcome:
    """The largest case first, each to the worker that is free; the driver serves one at a time."""
    took, storage = durations(sizes, workers, costs)
    free = [costs.start_s] * workers
    driver, busy = 0.0, 0.0
    for seconds in np.sort(took)[::-1].tolist():
        driver = max(heapq.heappop(free), driver) + costs.driver_s
        busy += costs.driver_s
        heapq.heappush(free, driver + seconds)
    ends = np.array(free)
    limit = "driver" if busy > 0.9 * ends.max() else "storage" if storage else "workers"
    return _outcome(ends, took, len(sizes), costs, limit)


def _outcome(ends: np.ndarray, took: np.ndarray, slides: int, costs: Costs, limit: str) -> Outcome:
    tables = slides * costs.tables_s
    whole = float(ends.max()) + tables
    if tables > 0.5 * whole:
        limit = "tables"
    idle = 1 - float(took.sum()) / (whole * len(ends))
    return Outcome(whole / 3600, tables / 3600, limit, idle)


def row(slides: int, workers: int, way: str, outcome: Outcome) -> str:
    """A line of the table."""
    return (
        f"| {slides:,} | {workers} | {way} | {outcome.hours:,.1f} | {outcome.tables_hours:.2f} | "
        f"{outcome.idle:.0%} | {outcome.limit} |"
    )


def table(slides: Sequence[int], workers: Sequence[int], costs: Costs) -> str:
    """Every combination."""
    lines = [
        "| slides | workers | way | hours | of them tables | workers idle | limited by |",
        "|--:|--:|---|--:|--:|--:|---|",
    ]
    for count in slides:
        sizes = draw_sizes(count, costs)
        for number in workers:
            lines.append(row(count, number, "shards", shards(sizes, number, costs)))
            by_count = shards(sizes, number, costs, by_count=True)
            lines.append(row(count, number, "shards cut by count", by_count))
            lines.append(row(count, number, "cluster", cluster(sizes, number, costs)))
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="A simulation of many workers.")
    parser.add_argument("--slides", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--slide-s", type=float, default=Costs.slide_s)
    parser.add_argument("--slide-gb", type=float, default=Costs.slide_bytes / 1e9)
    parser.add_argument("--storage-mb-s", type=float, default=Costs.storage_bytes_s / 1e6)
    parser.add_argument("--driver-ms", type=float, default=Costs.driver_s * 1e3)
    parser.add_argument("--tables-ms", type=float, default=Costs.tables_s * 1e3)
    parser.add_argument("--million", action="store_true", help="a million slides as well")
    given = parser.parse_args()
    costs = Costs(
        slide_s=given.slide_s,
        slide_bytes=given.slide_gb * 1e9,
        storage_bytes_s=given.storage_mb_s * 1e6,
        driver_s=given.driver_ms / 1e3,
        tables_s=given.tables_ms / 1e3,
    )
    slides = [*given.slides, *([1_000_000] if given.million else [])]
    print(table(slides, given.workers, costs))


if __name__ == "__main__":
    main()
