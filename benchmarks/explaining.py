"""How good and how dear an explanation is: the deletion figure of each shipped model.

    python benchmarks/explaining.py ../shared/data/lc25000-lung --fields 24

Fields are taken evenly from each class, squeezed to the network's input. For each the cells are
blurred one after another in the order that a method gives, and the mean probability of the answer
over that curve is its deletion figure: lower is better. `random` is the mean of five orders by
chance, `reversed` is occlusion's order from its end. Intervals are 95 %, by bootstrap over fields;
`against random` is the paired difference.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lungscan.explaining import load_explainer
from lungscan.explaining.base import Explainer
from lungscan.explaining.deletion import deletion, order_of
from lungscan.explaining.occlusion import cells_along
from lungscan.model.card import ModelCard
from lungscan.model.checked import find_model, list_models
from lungscan.runtimes import Runtime, load_runtime
from lungscan.types import RgbArray

METHODS = ("occlusion", "cam")
RANDOM_ORDERS = 5


def main() -> None:
    """Print one table for each model."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="a folder with a folder of pictures for each class")
    parser.add_argument("--model", action="append", help="default: every shipped model")
    parser.add_argument("--fields", type=int, default=24)
    parser.add_argument("--device", default="cpu-fp32")
    given = parser.parse_args()
    names = given.model or [card.name for card in list_models()]
    for name in names:
        measure(find_model(name), given.data, given.fields, given.device)


def measure(card: ModelCard, data: Path, count: int, device: str) -> None:
    """Measure one model and print its table."""
    runtime = load_runtime(card, device, 1)
    fields = list(pictures(data, count, card.patch_size_pixels))
    explainers = {method: load_explainer(method, card, runtime) for method in METHODS}
    seconds: dict[str, list[float]] = {method: [] for method in METHODS}
    figures: dict[str, list[float]] = {}
    agreement = []
    rng = np.random.default_rng(0)
    for tile in fields:
        answer = int(runtime.predict(tile[None])[0].argmax())
        orders = {}
        for method, explainer in explainers.items():
            orders[method] = timed(explainer, tile, answer, seconds[method])
        orders["reversed"] = orders["occlusion"][::-1]
        ranks = [np.argsort(orders[method]) for method in METHODS]
        agreement.append(float(np.corrcoef(*ranks)[0, 1]))
        for kind, order in orders.items():
            figures.setdefault(kind, []).append(deletion(runtime, tile, answer, order))
        by_chance = [rng.permutation(len(orders["cam"])) for _ in range(RANDOM_ORDERS)]
        chance = [deletion(runtime, tile, answer, order) for order in by_chance]
        figures.setdefault("random", []).append(float(np.mean(chance)))
    side = cells_along(card.patch_size_pixels)
    print(f"\n{card.name} {card.version}, {runtime.device}, {len(fields)} fields, "
          f"{side} × {side} cells\n")  # fmt: skip
    table(figures, seconds)
    print(f"\nRank agreement of cam and occlusion: {np.median(agreement):.2f} (median)")
    print_cost(runtime, fields)


def print_cost(runtime: Runtime, fields: Sequence[RgbArray]) -> None:
    """Print what a field costs without an explanation."""
    start = time.perf_counter()
    for tile in fields:
        runtime.predict(tile[None])
    each = (time.perf_counter() - start) / len(fields)
    print(f"One pass of the network: {1000 * each:.1f} ms")


def timed(explainer: Explainer, tile: RgbArray, answer: int, seconds: list[float]) -> np.ndarray:
    """The order that an explainer gives to the cells; its time goes to ``seconds``."""
    start = time.perf_counter()
    values = explainer.explain(tile, answer).values
    seconds.append(time.perf_counter() - start)
    return order_of(values, tile.shape[0])


def table(figures: dict[str, list[float]], seconds: dict[str, list[float]]) -> None:
    """Print the figures as Markdown."""
    print("| order | deletion (95 % interval) | against random | ms a field |")
    print("| --- | ---: | ---: | ---: |")
    for kind in ("occlusion", "cam", "random", "reversed"):
        values = np.array(figures[kind])
        versus = values - np.array(figures["random"])
        cost = f"{1000 * float(np.median(seconds[kind])):.0f}" if kind in seconds else ""
        paired = "" if kind == "random" else interval(versus, sign="+")
        print(f"| {kind} | {interval(values)} | {paired} | {cost} |")


def interval(values: np.ndarray, sign: str = "") -> str:
    """Mean and its 95 % interval by bootstrap."""
    rng = np.random.default_rng(0)
    draws = rng.choice(values, (2000, len(values))).mean(1)
    low, high = np.quantile(draws, (0.025, 0.975))
    shown = f"{values.mean():{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"
    return shown.replace("-", "−")


def pictures(data: Path, count: int, side_px: int) -> list[RgbArray]:
    """``count`` pictures, evenly from each class and evenly over its names."""
    folders = sorted(path for path in data.iterdir() if path.is_dir())
    found = []
    for index, folder in enumerate(folders):
        each = count // len(folders) + (index < count % len(folders))
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
        for place in np.linspace(0, len(files) - 1, each).round().astype(int):
            with Image.open(files[place]) as opened:
                square = opened.convert("RGB").resize((side_px, side_px), Image.Resampling.BOX)
            found.append(np.asarray(square))
    return found


if __name__ == "__main__":
    main()
