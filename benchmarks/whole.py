"""Whole processes of two models or more, on the same drawn slide, in turns.

    python benchmarks/whole.py lung-histology lung-histology-fast [--side 11200] [--turns 5]
                               [--as AVX2]

``--as`` holds OpenVINO and oneDNN back to an older processor's instructions, as ``kernels.py``
does: its caches and clock stay those of this one. Times are the clock's, start included; the ratio
is the median over the turns, so that what else the machine does meanwhile falls on both.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path

from kernels import VARIABLES
from runs import Bench
from table import cores, instructions, processor


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Whole processes of models, in turns.")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--side", type=int, default=11_200, help="of the drawn slide, in pixels")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--as", dest="held_back", default="", help="AVX2, AVX512_CORE, SSE41 ...")
    given = parser.parse_args()
    if given.held_back:
        os.environ.update(dict.fromkeys(VARIABLES, given.held_back))
    seconds: dict[str, list[float]] = {name: [] for name in given.models}
    with tempfile.TemporaryDirectory() as folder:
        benches = {name: Bench(Path(folder), name, 1) for name in given.models}
        slide = benches[given.models[0]].draw(str(given.side))
        for turn in range(given.turns + 1):  # the first one fills the disk's cache
            for name, bench in benches.items():
                scan = bench.classify(slide)
                if turn:
                    seconds[name].append(scan.seconds)
    held = f", held back to {given.held_back}" if given.held_back else ""
    print(f"{processor()} ({instructions()}){held}, {cores()} cores; {given.turns} turns\n")
    print("| model | s, median | each | times as fast as the first |\n|---|---:|---|---:|")
    for name, own in seconds.items():
        pairs = zip(seconds[given.models[0]], own, strict=True)
        ratio = statistics.median(first / second for first, second in pairs)
        each = ", ".join(f"{value:.1f}" for value in own)
        print(f"| {name} | {statistics.median(own):.1f} | {each} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
