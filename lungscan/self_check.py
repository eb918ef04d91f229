"""What this machine will use, whether it works, and how fast each stage is."""

from __future__ import annotations

import io
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from lungscan import DISTRIBUTION, __version__
from lungscan.benchmarking.machine import processor
from lungscan.demo import draw_demo
from lungscan.errors import LungScanError, ModelError
from lungscan.inputs import discover
from lungscan.modalities.histology.quality import measure_quality
from lungscan.model.card import INT8, ModelCard
from lungscan.model.checked import list_models
from lungscan.model.folder import Golden, read_golden
from lungscan.opening.plan import tissue_of, to_jpeg
from lungscan.opening.viewing import ViewedImage
from lungscan.options import DEFAULT_MODEL
from lungscan.reading import open_source
from lungscan.results.provenance import library_versions
from lungscan.runtimes import Runtime, load_runtime
from lungscan.tiles.grid import plan_grid
from lungscan.types import RgbArray, RgbBatch
from lungscan.workers import available_threads

FP32_TOLERANCE = 1e-4
# bf16, fp16, int8. bf16 keeps 8 bits of a number: answers to drawn fields, which lie between the
# classes, move by up to 0.03 in the shipped model.
REDUCED_TOLERANCE = 0.05
NEAR_TIE = 0.05  # classes closer than this may change places in reduced precision
SPEED_SECONDS = 1.0  # each stage is timed for about so long
READ_AT_ONCE = 16  # tiles


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    name: str
    state: Literal["ok", "warning", "failed"]
    detail: str
    kernels: tuple[str, ...] = ()  # what OpenVINO computes a network with here, most of it first


def examine() -> Generator[Check, None, None]:
    """Look at machine, libraries, models and runtimes, and time the stages."""
    python, system = platform.python_version(), f"{platform.system()} {platform.machine()}"
    yield Check("LungScan", "ok", f"{__version__}, Python {python}, {system}")
    yield _processor()
    yield from _namesake()
    yield _disk()
    yield from library_checks()
    yield reader_check()
    try:
        cards = list_models()
    except LungScanError as error:
        yield Check("Models", "failed", str(error))
        return
    if not cards:
        yield Check("Models", "failed", "No model is installed. Install LungScan again.")
        return
    for card in cards:
        kind = "official" if card.official else "not an official model"
        yield Check(f"Model {card.name}", "ok", f"{card.version}, all files unchanged, {kind}")
    for card in cards:
        yield from _runtimes(card)
    try:
        default = next((card for card in cards if card.name == DEFAULT_MODEL), cards[0])
        yield from speed_checks(default)
    except LungScanError as error:
        yield Check("Speed", "failed", str(error))


def _processor() -> Check:
    """The CPU, and the precision in which models answer on it."""
    from lungscan.runtimes.kernels import best_precision, cpu_precisions

    return Check(
        "Processor",
        "ok",
        f"{processor()}, {available_threads()} threads may be used; OpenVINO computes in "
        f"{', '.join(cpu_precisions())} on it, and models answer in {best_precision()}",
    )


def _namesake() -> Generator[Check, None, None]:
    """Another project is called `lungscan` by pip, and installs files of the same names as ours."""
    try:
        other = version("lungscan")
    except PackageNotFoundError:
        return
    try:
        mixed = version(DISTRIBUTION) != __version__
    except PackageNotFoundError:
        mixed = True
    yield Check(
        "Installation",
        "failed" if mixed else "warning",
        f"pip has a package `lungscan` {other} installed as well, which is another project or an "
        "old name of this one; both put their files into one folder, so files of LungScan "
        + ("have been" if mixed else "may have been")
        + f" replaced. Run `python -m pip uninstall lungscan {DISTRIBUTION}`, then install "
        "LungScan again from its folder or its wheel.",
    )


def _disk() -> Check:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    state: Literal["ok", "warning"] = "ok" if free > 1 else "warning"
    return Check("Free disk here", state, f"{free:.1f} GB")


def library_checks() -> Generator[Check, None, None]:
    """What is installed, and what an extra would bring."""
    yield Check("Libraries", "ok", ", ".join(f"{name} {v}" for name, v in library_versions()))
    if find_spec("torch") is None:
        yield Check("torch", "ok", "not installed; needed for a GPU and for training only")
    if find_spec("pydicom") is None:
        yield Check(
            "pydicom", "ok", "not installed; needed for chest CT in DICOM, and answers as DICOM"
        )


def reader_check() -> Check:
    """Whether images can be opened in a process of their own, as runs do."""
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            field = Path(scratch) / "field.png"
            Image.new("RGB", (64, 64), (200, 120, 170)).save(field)
            with ViewedImage(field):
                return Check("Reader process", "ok", "starts, and opens an image")
    except (LungScanError, OSError) as error:
        return Check("Reader process", "failed", str(error))


def compare(runtime: Runtime, golden: Golden, tolerance: float) -> str:
    """Nothing when a runtime repeats the golden answers, else a sentence that says where not."""
    probs, _ = runtime.predict(golden.fields)
    worst = float(np.abs(probs - golden.probs).max())
    if not worst <= tolerance:
        return f"answers differ by up to {worst:.4f}, allowed are {tolerance:g}"
    ordered = np.sort(golden.probs, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > NEAR_TIE
    flips = int((probs.argmax(1) != golden.probs.argmax(1))[clear].sum())
    return f"{flips} golden fields change their class" if flips else ""


def _runtimes(card: ModelCard) -> Generator[Check, None, None]:
    try:
        golden = read_golden(card)
    except ModelError as error:
        yield Check(f"{card.name}: golden fields", "failed", str(error))
        return
    int8 = card.precision == INT8  # processors round its sums differently; torch cannot compute it
    devices = [
        ("cpu-fp32", REDUCED_TOLERANCE if int8 else FP32_TOLERANCE),
        ("cpu", REDUCED_TOLERANCE),
    ]
    if not int8 and find_spec("torch") is not None and find_spec("timm") is not None:
        devices.append(("torch-cpu", FP32_TOLERANCE))
        devices += [(name, REDUCED_TOLERANCE) for name in gpu_checks()]
    for device, tolerance in devices:
        try:
            runtime = load_runtime(card, device)
            fault = compare(runtime, golden, tolerance)
        except LungScanError as error:
            yield Check(f"{card.name} on {device}", "failed", str(error))
            continue
        yield Check(
            f"{card.name} on {device}",
            "failed" if fault else "ok",
            f"{runtime.device}: {fault or 'repeats the golden answers'}",
            getattr(runtime, "kernels", ()),
        )


def gpu_checks() -> list[str]:
    """The GPUs that torch finds, by the names of its devices."""
    import torch

    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [name for name, there in found.items() if there]


def speed_checks(card: ModelCard) -> Generator[Check, None, None]:
    """Time what a run spends its time on: reading, decoding, quality and the network."""
    golden = read_golden(card)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        rate = _reading_rate(Path(scratch), card)
    yield Check("Speed: reading", "ok", f"{rate:.0f} tiles/s from a JPEG slide, one thread")
    data = to_jpeg(Image.fromarray(golden.fields[0]), 90)
    rate = _rate(lambda: _decode(data), 1)
    yield Check("Speed: decoding", "ok", f"{rate:.0f} JPEG fields/s, one thread")
    valid = np.ones(len(golden.fields), np.float32)
    rate = _rate(lambda: measure_quality(golden.fields, valid), len(valid))
    yield Check("Speed: quality", "ok", f"{rate:.0f} tiles/s, one thread")
    try:
        runtime = load_runtime(card)
    except LungScanError as error:
        yield Check("Speed: network", "failed", str(error))
        return
    batch = np.resize(golden.fields, (runtime.batch_size, *golden.fields.shape[1:]))
    rate = _network_rate(runtime, batch)
    yield Check("Speed: network", "ok", f"{rate:.0f} tiles/s, {runtime.device}, all threads")


def _reading_rate(scratch: Path, card: ModelCard) -> float:
    """Tiles per second of one pass over the demo's slide.

    One pass only: a second one would find the slide decoded in memory.
    """
    drawn = draw_demo(scratch)
    slide = next(path for path in drawn if path.suffix == ".svs" and path.name[0] != ".")
    source = open_source(discover((slide,)).cases[0].files[0])
    try:
        info = source.info
        mask = tissue_of(source, source.overview())
        size, spacing = card.patch_size_pixels, card.spacing_um_px
        boxes = plan_grid(mask, info.width, info.height, info.scale, size, spacing).boxes
        begun = time.perf_counter()
        for start in range(0, len(boxes), READ_AT_ONCE):
            source.read_tiles(boxes[start : start + READ_AT_ONCE], size)
        return len(boxes) / (time.perf_counter() - begun)
    finally:
        source.close()


def _rate(work: Callable[[], object], items: int) -> float:
    """Items per second of ``work`` after one call that warms it up."""
    work()
    rounds, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < SPEED_SECONDS:
        work()
        rounds += 1
    return rounds * items / (time.perf_counter() - begun)


def _network_rate(runtime: Runtime, batch: RgbBatch) -> float:
    """Tiles per second with a caller for every thread."""
    threads = available_threads()
    with ThreadPoolExecutor(threads) as pool:
        rates = list(
            pool.map(lambda _: _rate(lambda: runtime.predict(batch), len(batch)), range(threads))
        )
    return sum(rates)


def _decode(data: bytes) -> RgbArray:
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        return np.asarray(image.convert("RGB"))
