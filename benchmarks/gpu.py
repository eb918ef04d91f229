"""The torch runtime and training on a GPU: answers, speed, what copying costs, a lost device.

    PYTHONPATH=. python benchmarks/gpu.py MODEL-FOLDER [--fields FOLDER ...] [--device cuda]

Prints one JSON object; every section stands by itself, and one that fails says why in ``error``.

- ``answers``: the GPU against the CPU (both torch) on the golden fields and on pictures of the
  folders given: largest change of a probability, other classes, other sides of the novelty limit.
- ``throughput``: tiles per second by precision, batch and number of callers (the runtime has two
  lanes, each a stream with pinned memory of its own), beside the plain way: one caller, pageable
  memory, the default stream.
- ``training``: share of a training step that goes into cutting and augmenting pictures.
- ``fallback``: memory that is too small, then a device that fails for good (a failed assertion in a
  kernel, which ends the GPU for this process alone): what answers then, and what is said.

Needs torch, timm, numpy, Pillow and safetensors alone, so that it runs where no LungScan is
installed. With ``--device cpu`` it tries itself out: the GPU is then the CPU once more.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from gpu_training import training
from PIL import Image

from lungscan.model.card import ModelCard
from lungscan.model.checked import read_card
from lungscan.model.novelty import load_novelty
from lungscan.runtimes import Runtime, load_runtime
from lungscan.runtimes.deploy import Deployed, fold_batch_norm, load_deployed
from lungscan.runtimes.fallback import FallbackRuntime
from lungscan.runtimes.torch import TorchRuntime
from lungscan.types import RgbBatch

Section = dict[str, Any]
PRECISIONS = ("fp32", "bf16", "fp16")
UNTRAINED = ("ghostnet_100", "ghostnet_050")  # for the time only
BATCHES = (32, 128, 512)
CALLERS = (1, 2, 4)
SMALL_MEMORY = 1.5e9  # bytes: too small for a batch of 4,096 tiles


def read_fields(card: ModelCard, folders: list[Path], most: int) -> RgbBatch:
    """The golden fields and up to ``most`` pictures of each folder, at the network's size."""
    with np.load(card.folder / "golden.npz", allow_pickle=False) as stored:
        fields = [stored["fields"]]
    side = card.patch_size_pixels
    for folder in folders:
        paths = sorted(
            p for p in folder.rglob("*") if p.suffix.lower() in {".jpeg", ".jpg", ".png"}
        )
        for path in paths[:: max(1, len(paths) // most)][:most]:
            with Image.open(path) as image:
                picture = image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
            fields.append(np.asarray(picture)[None])
    return np.concatenate(fields)


def answers(card: ModelCard, device: str, folders: list[Path], most: int) -> Section:
    """The GPU's answers against the CPU's in fp32."""
    fields = read_fields(card, folders, most)
    network, novelty = (
        partial(load_deployed, card),
        load_novelty(card.folder / "novelty.safetensors"),
    )
    exact, features = TorchRuntime(network(), "torch-cpu", torch.get_num_threads()).predict(fields)
    own = novelty.score(features) / card.novelty_threshold
    ordered = np.sort(exact, axis=1)
    found: Section = {"fields": len(fields)}
    for precision in precisions(device):
        probs, features = TorchRuntime(network(), device, 2, None, precision).predict(fields)
        other = novelty.score(features) / card.novelty_threshold
        changed = probs.argmax(1) != exact.argmax(1)
        change = np.abs(probs - exact).max(1)
        found[precision] = {
            "largest change of a probability": float(change.max()),
            "99 % of fields": float(np.quantile(change, 0.99)),
            "other classes": int(changed.sum()),
            "their lead on the CPU": [float(r[-1] - r[-2]) for r in ordered[changed]],
            "largest change of the novelty": float(np.abs(other - own).max()),
            "other sides of the novelty limit": int(((other > 1) != (own > 1)).sum()),
        }
    return found


def precisions(device: str) -> tuple[str, ...]:
    """Those worth trying there; the CPU computes in fp32 as the runtime uses it."""
    return PRECISIONS if device.startswith("cuda") else ("fp32",)


def rate(
    predict: Callable[[RgbBatch], object], batch: RgbBatch, callers: int, seconds: float
) -> float:
    """Tiles per second by so many threads at once."""
    together = threading.Barrier(callers)

    def call(_: int) -> tuple[int, float, float]:
        for _ in range(2):  # the first calls make buffers and choose kernels
            predict(batch)
        together.wait()
        tiles, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            predict(batch)
            tiles += len(batch)
        return tiles, begun, time.perf_counter()

    with ThreadPoolExecutor(callers) as pool:
        calls = list(pool.map(call, range(callers)))
    span = max(end for _, _, end in calls) - min(begun for _, begun, _ in calls)
    return round(sum(tiles for tiles, _, _ in calls) / span, 1)


def throughput(card: ModelCard, device: str, seconds: float, batches: tuple[int, ...]) -> Section:
    """Tiles per second of the model in every setting, and of GhostNets in the runtime's own."""
    side, found = card.patch_size_pixels, Section()
    rng = np.random.default_rng(0)
    ready = {n: rng.integers(0, 256, (n, side, side, 3), dtype=np.uint8) for n in batches}
    usual = batches[len(batches) // 2]
    network = load_deployed(card)
    for precision in precisions(device):
        row = found[f"{card.name} {precision}"] = Section()
        for size in batches:
            for callers in CALLERS if size == usual else (2,):
                runtime = TorchRuntime(network, device, callers, size, precision)
                row[f"batch {size}, {callers} callers"] = rate(
                    runtime.predict, ready[size], callers, seconds
                )
    best = precisions(device)[-1]
    plainly = partial(plain, network, device, best)
    found[f"{card.name} {best}"]["plain way"] = rate(plainly, ready[usual], 1, seconds)
    for name in UNTRAINED:
        made = timm.create_model(name, pretrained=False, num_classes=len(card.class_names) + 1)
        bare = Deployed(fold_batch_norm(made), len(card.class_names), 1.0).eval()
        runtime = TorchRuntime(bare, device, 2, usual, best)
        found[f"{name} {best}"] = {
            f"batch {usual}, 2 callers": rate(runtime.predict, ready[usual], 2, seconds)
        }
    if device.startswith("cuda"):
        found["copying"] = copying(ready[usual], device)
    return found


@torch.inference_mode()
def plain(network: Deployed, device: str, precision: str, batch: RgbBatch) -> object:
    """One batch from pageable memory over the default stream."""
    dtype = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    where = torch.device(device.removeprefix("torch-"))
    with torch.autocast(where.type, dtype, enabled=dtype is not None):
        return [part.float().cpu().numpy() for part in network(torch.from_numpy(batch).to(where))]


def copying(batch: RgbBatch, device: str) -> Section:
    """Gigabytes per second to the GPU from pageable and from pinned memory."""
    found, pageable = Section(), torch.from_numpy(batch)
    for name, tiles in (("pageable", pageable), ("pinned", pageable.pin_memory())):
        tiles.to(device)
        torch.cuda.synchronize()
        begun = time.perf_counter()
        for _ in range(20):
            tiles.to(device, non_blocking=True)
        torch.cuda.synchronize()
        found[f"{name} GB/s"] = round(20 * batch.nbytes / 1e9 / (time.perf_counter() - begun), 2)
    return found


def fallback(card: ModelCard, device: str) -> Section:
    """A GPU without memory, then one that is lost; run last, for the GPU is gone afterwards."""
    if not device.startswith("cuda"):
        return {"skipped": "there is no GPU to lose"}
    with np.load(card.folder / "golden.npz", allow_pickle=False) as stored:
        golden = stored["fields"]
    exact, _ = TorchRuntime(load_deployed(card), "torch-cpu", 4).predict(golden)

    def load(name: str, threads: int, batch_size: int | None) -> Runtime:
        return load_runtime(card, device if name == "auto" else name, threads, batch_size)

    runtime = FallbackRuntime(load, "auto", 4, None)
    first, _ = runtime.predict(golden)
    found: Section = {
        "before": runtime.device,
        "memory": attempt(lambda: short_memory(card, device)),
    }
    found["auto"] = attempt(lambda: {"takes": load_runtime(card).device})
    try:
        torch.zeros(1, device=device)[torch.tensor([7], device=device)].cpu()
    except RuntimeError as error:
        found["failure"] = str(error).splitlines()[0]
    second, _ = runtime.predict(golden)
    found["after"], found["said"] = runtime.device, list(runtime.notices())
    found["change before"] = float(np.abs(first - exact).max())
    found["change after"] = float(np.abs(second - exact).max())
    return found


def short_memory(card: ModelCard, device: str) -> Section:
    """A batch that does not fit: it must be answered in smaller ones."""
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(SMALL_MEMORY / total)
    try:
        runtime = TorchRuntime(load_deployed(card), device, 2, 4096)
        side = card.patch_size_pixels
        probs, _ = runtime.predict(np.zeros((4096, side, side, 3), np.uint8))
        return {"answered": len(probs), "batch": f"4096 became {runtime.batch_size}"}
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()


def attempt(section: Callable[[], Section]) -> Section:
    """The section and its seconds, or why there is none."""
    begun = time.perf_counter()
    try:
        found = section()
    except Exception as error:  # noqa: BLE001 - a GPU is at hand for minutes; the others must go on
        found = {"error": f"{type(error).__name__}: {error}"}
    return {**found, "seconds": round(time.perf_counter() - begun, 1)}


def main() -> None:
    """Measure all sections."""
    parser = argparse.ArgumentParser(description="The torch runtime and training on a GPU.")
    parser.add_argument("model", type=Path)
    parser.add_argument("--fields", type=Path, nargs="*", default=[])
    parser.add_argument("--most", type=int, default=100, help="pictures of each folder")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=0.7, help="of each rate")
    given = parser.parse_args()
    card, gpu = read_card(given.model), given.device.startswith("cuda")
    device = given.device if gpu else "torch-cpu"
    name = torch.cuda.get_device_name(0) if gpu else "the CPU"
    report: Section = {"torch": torch.__version__, "device": name, "model": card.name}
    batches = BATCHES if gpu else (4, 8, 16)
    with tempfile.TemporaryDirectory() as folder:
        sections: dict[str, Callable[[], Section]] = {
            "answers": lambda: answers(card, device, given.fields, given.most),
            "throughput": lambda: throughput(card, device, given.seconds, batches),
            "training": lambda: training(given.device, Path(folder), small=not gpu),
            "fallback": lambda: fallback(card, device),
        }
        for title, section in sections.items():
            report[title] = attempt(section)
            print(f"{title}: {report[title]}", file=sys.stderr, flush=True)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
