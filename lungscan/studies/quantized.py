"""The int8 forms of a study's networks, and what networks cost on this machine's processor."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from lungscan.benchmarking.machine import processor
from lungscan.compression.quantizing import quantize
from lungscan.errors import ModelError
from lungscan.results.atomic_files import into_place, write_atomic
from lungscan.runtimes.deploy import Deployed, convert
from lungscan.studies.arrays import DAMAGED, TEST, TRAIN, VALIDATION, Bytes, Material, archive
from lungscan.studies.results import Answers, fingerprint, load_network, weights_path
from lungscan.studies.small import count_parameters
from lungscan.studies.students import create
from lungscan.studies.tasks import Task
from lungscan.studies.test_answers import temperature_of

FOLDER = "int8"
COSTS_FILE = "costs.json"
CALIBRATION_PICTURES = 300  # more change the ranges of activations hardly at all
BOUND = 0.005  # accuracy that may be lost on the validation part before another way is tried
# From the smallest network to the most faithful one: whether depthwise layers are quantized, too.
WAYS = (("all layers", True), ("all but depthwise layers", False))

Probs = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network costs, as fp32 and as int8."""

    network: str
    parameters: int
    fp32_mb: float  # of its weights, 10^6 bytes
    int8_mb: float
    fp32_ms: float  # of one picture, median
    int8_ms: float
    threads: int
    processor: str


def quantized(folder: Path, task: Task, belongs: str) -> Probs | None:
    """Probabilities ``(n, classes)`` of an int8 form made earlier; None where there is none.

    Rows outside of the test part are NaN.
    """
    path = folder / FOLDER / f"{task.name}.npz"
    if not path.exists():
        return None
    try:
        with archive(path) as found:
            if str(found["belongs"]) != fingerprint(task, belongs):
                return None  # of an earlier study in this folder: made anew
            probs: Probs = found["probs"]
            return probs
    except DAMAGED:
        return None  # damaged: made anew


def make_int8(
    folder: Path, task: Task, material: Material, answers: Answers, threads: int
) -> tuple[Probs, str]:
    """Quantize a finished network and let it answer its test part; what it says is kept.

    Returns its probabilities, see ``quantized``, and the way that was taken.

    Raises:
        ModelError: the network's weights are not in the folder.
    """
    classes = len(material.class_names)
    network = load_network(folder, task, classes + 1)
    heat = temperature_of(material, task, answers)
    size = material.pixels.shape[1]
    model = convert(Deployed(network, classes, heat).eval(), size)
    unit = task.unit.name
    rng = np.random.default_rng(task.unit.seed)
    learnt = rng.permutation(material.rows(unit, TRAIN))[:CALIBRATION_PICTURES]
    tiles = np.concatenate([material.pixels[learnt], material.others[: len(learnt) // 8]])
    held, tested = material.rows(unit, VALIDATION), material.rows(unit, TEST)
    before = _right(model, material, held, threads)
    tried = []
    for way, depthwise in WAYS:
        smaller = quantize(model, tiles, depthwise=depthwise)
        lost = before - _right(smaller, material, held, threads)
        tried.append((lost, way, smaller))
        if lost <= BOUND:
            break
    lost, way, smaller = min(tried, key=lambda each: each[0])
    probs = np.full((len(material.labels), classes), np.nan)
    probs[tested] = _answers(smaller, material.pixels[tested], threads)
    path = folder / FOLDER / f"{task.name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as handle:
        belongs = np.array(fingerprint(task, material.fingerprint))
        np.savez_compressed(handle, probs=probs, way=np.array(way), belongs=belongs)
    into_place(part, path)
    return probs, way


def costs_of(
    folder: Path, material: Material, every: Sequence[Task], threads: int
) -> Iterator[Cost]:
    """What each network costs here; measured once, on random weights (time does not know them)."""
    path = folder / COSTS_FILE
    kept: dict[str, Any] = {}
    if path.exists():
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            kept = {}
    size, classes = material.pixels.shape[1], len(material.class_names)
    here = f"{processor()}, {threads}, {size}"
    for network in dict.fromkeys(task.network for task in every):
        key = f"{network}: {here}"
        if key not in kept:
            kept[key] = asdict(_measure(network, material.pixels, classes, threads))
            write_atomic(path, json.dumps(kept, indent=1).encode())
        yield Cost(**kept[key])


def _measure(network: str, pixels: Bytes, classes: int, threads: int) -> Cost:
    bare = create(network, classes + 1)
    parameters = count_parameters(bare)
    model = convert(Deployed(bare, classes, 1.0).eval(), pixels.shape[1])
    smaller = quantize(model, pixels[:: max(1, len(pixels) // 32)], depthwise=True)
    return Cost(
        network,
        parameters,
        fp32_mb=_bytes(model) / 1e6,
        int8_mb=_bytes(smaller) / 1e6,
        fp32_ms=latency_ms(model, pixels[:1], threads),
        int8_ms=latency_ms(smaller, pixels[:1], threads),
        threads=threads,
        processor=processor(),
    )


def latency_ms(model: ov.Model, picture: Bytes, threads: int, seconds: float = 1.5) -> float:
    """The median time in which a CPU answers one picture, in milliseconds."""
    compiled = _compiled(model, threads)
    times: list[float] = []
    for _ in range(5):
        compiled(picture)
    end = time.perf_counter() + seconds
    while len(times) < 20 or time.perf_counter() < end:
        begun = time.perf_counter()
        compiled(picture)
        times.append(time.perf_counter() - begun)
    return 1000 * float(np.median(times))


def has_weights(folder: Path, task: Task) -> bool:
    """Whether a network's weights were kept."""
    return weights_path(folder, task).exists()


def _compiled(model: ov.Model, threads: int) -> Any:
    how = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    return ov.Core().compile_model(model, "CPU", how)


def _answers(model: ov.Model, pixels: Bytes, threads: int) -> Probs:
    compiled = _compiled(model, threads)
    parts = [compiled(pixels[at : at + 16])[0] for at in range(0, len(pixels), 16)]
    if not parts:
        raise ModelError("A deal without a test part has nothing to judge an int8 form by.")
    return np.concatenate(parts).astype(np.float64)


def _right(model: ov.Model, material: Material, rows: NDArray[np.int64], threads: int) -> float:
    predicted = _answers(model, material.pixels[rows], threads).argmax(1)
    return float((predicted == material.labels[rows]).mean())


def _bytes(model: ov.Model) -> int:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "model.xml"
        ov.save_model(model, path, compress_to_fp16=False)
        return path.with_suffix(".bin").stat().st_size
