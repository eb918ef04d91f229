"""What a cluster costs per case: the same cases by one process, and by one and two workers.

    python benchmarks/cluster_overhead.py [--fields 60 | --slides 8] [--turns 3] [--json FILE]

Fields are small, so that what counts is the cost of a case; slides (drawn, 5,600 px) are work.

Each way is a run into a new folder, in turns; the best of each counts. Start is the time until the
first case has ended: processes, libraries, the model, and that case. A case's time is that of the
others, so what is done once is not in it. CPU time of the driver is its own alone (its workers are
other processes), and a busy machine disturbs it little.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path

from drawing import draw_fields, draw_slide

import lungscan
from lungscan.events import CaseFinished, RunFinished
from lungscan.options import ScanOptions

SIDE = 5600  # of a slide, pixels
WAYS = {"one process": None, "cluster of 1": "local:1", "cluster of 2": "local:2"}


def measure(folder: Path, out: Path, cluster: str | None) -> dict[str, float]:
    """Seconds to the end of the first cases and of all others, and the driver's CPU for these."""
    chosen = ScanOptions(paths=(folder,), out=out, cluster=cluster, pdf="none")
    first = int((cluster or "local:1").rpartition(":")[2])  # as many as begin at once
    begun, ended, cpu, left = time.perf_counter(), 0.0, 0.0, 0
    finished = 0
    for event in lungscan.scan(chosen):
        if isinstance(event, CaseFinished):
            finished += 1
            if finished == first:
                ended, cpu = time.perf_counter(), time.process_time()
        if isinstance(event, RunFinished):
            left = finished - first
            last, cpu_last = time.perf_counter(), time.process_time()
    return {
        "start_s": ended - begun,
        "case_ms": (last - ended) / left * 1e3,
        "cpu_ms": (cpu_last - cpu) / left * 1e3,
    }


def draw_slides(folder: Path, count: int) -> Path:
    """A folder of different drawn slides."""
    folder.mkdir(parents=True)
    for number in range(count):
        draw_slide(folder / f"slide-{number}.svs", SIDE, seed=number)
    return folder


def main() -> None:
    """Turn by turn, then the table."""
    parser = argparse.ArgumentParser(description="Overhead of a cluster per case.")
    parser.add_argument("--fields", type=int, default=60)
    parser.add_argument("--slides", type=int, default=0, help="so many in the place of fields")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="lungscan-cluster-"))
    count = given.slides or given.fields
    folder = (
        draw_slides(work / "in", count) if given.slides else draw_fields(work / "in", 320, count)
    )
    best: dict[str, dict[str, float]] = {}
    for turn in range(given.turns):
        for way, cluster in WAYS.items():
            found = measure(folder, work / f"out-{turn}-{way.replace(' ', '-')}", cluster)
            best[way] = {k: min(v, best.get(way, found)[k]) for k, v in found.items()}
    print("| way | to the end of the first cases, s | ms a case | of it the driver's CPU |")
    print("|---|--:|--:|--:|")
    for way, cost in best.items():
        print(f"| {way} | {cost['start_s']:.1f} | {cost['case_ms']:.1f} | {cost['cpu_ms']:.1f} |")
    if given.json:
        given.json.write_text(json.dumps(best))
    shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":  # each worker imports this file anew
    main()
