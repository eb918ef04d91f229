"""What reduced precision does to a model's answers, and what it brings.

    python benchmarks/precisions.py MODEL DATA --split FILE [--part test] [--seconds S]

Every precision that this CPU computes in answers the same fields; each is compared with fp32. The
speed is that of the network alone (see ``ceiling.py``), the median of turns.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import numpy as np
from ceiling import tiles_per_second

from lungscan.evaluation.calibration_fields import read_tiles
from lungscan.evaluation.labelled import load_material
from lungscan.evaluation.options import DataOptions
from lungscan.model.checked import find_model
from lungscan.runtimes.kernels import cpu_precisions
from lungscan.runtimes.openvino import BATCH, load_openvino
from lungscan.types import FloatArray
from lungscan.workers import available_threads

TURNS = 3
HEAD = (
    "precision",
    "accuracy",
    "other answers",
    "mean change",
    "99 % of fields",
    "largest change",
    "tiles/s",
)


def line(name: str, probs: FloatArray, exact: FloatArray, truth: FloatArray, rate: float) -> str:
    """One row of the table."""
    change = np.abs(probs - exact).max(axis=1)
    answers = probs.argmax(axis=1)
    cells = (
        name,
        f"{100 * (answers == truth).mean():.1f} %",
        str((answers != exact.argmax(axis=1)).sum()),
        f"{change.mean():.4f}",
        f"{np.quantile(change, 0.99):.4f}",
        f"{change.max():.4f}",
        f"{rate:,.0f}",
    )
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Compare all precisions of this CPU."""
    parser = argparse.ArgumentParser(description="Answers and speed in each precision.")
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--part", default="test")
    parser.add_argument("--seconds", type=float, default=3.0)
    given = parser.parse_args()
    card, threads = find_model(given.model), available_threads()
    material = load_material(DataOptions(given.data, given.split, given.part))
    tiles, _ = read_tiles(material.fields, card, threads)
    fields, truth = tiles.pixels, tiles.labels
    runtimes = {hint: load_openvino(card, threads, BATCH, hint) for hint in cpu_precisions()}
    side, seconds = card.patch_size_pixels, given.seconds
    rates: dict[str, list[float]] = {hint: [] for hint in runtimes}
    for _ in range(TURNS):
        for hint, runtime in runtimes.items():
            rates[hint].append(tiles_per_second(runtime, side, threads, seconds))
    print(f"{len(fields)} fields ({given.part}), {card.name}, {threads} cores\n")
    print("| " + " | ".join(HEAD) + " |\n|---" + "|---:" * (len(HEAD) - 1) + "|")
    exact = runtimes["f32"].predict(fields)[0]
    for hint, runtime in runtimes.items():
        rate = statistics.median(rates[hint])
        print(line(hint, runtime.predict(fields)[0], exact, truth, rate))


if __name__ == "__main__":
    main()
