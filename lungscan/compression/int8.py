"""An int8 model from a trained one, within a stated bound, or none at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from lungscan.compression.comparison import (
    LOST,
    Judged,
    answer,
    compare,
    figures,
    judged,
    most_lost,
)
from lungscan.compression.int8_folder import (
    draft_card,
    how_it_was_made,
    require_room,
    write_rest,
)
from lungscan.compression.quantizing import quantize, quantize_but_sensitive
from lungscan.compression.records import (
    Agreement,
    Bounds,
    Compressed,
    CompressionEvent,
    CompressionJob,
    CompressionResult,
    Tried,
    Trying,
)
from lungscan.compression.wording import all_changes, caution
from lungscan.errors import ModelError, UsageProblem
from lungscan.model.card import INT8, NOVELTY, ModelCard
from lungscan.model.folder import size_of
from lungscan.model.graph import read_graph, write_graph
from lungscan.model.novelty import Novelty, load_novelty
from lungscan.model.shares import percent
from lungscan.results.atomic_files import machine_error
from lungscan.results.scratch import folder_into_place, scratch_beside
from lungscan.runtimes import load_runtime
from lungscan.types import RgbBatch
from lungscan.workers import available_threads

TIE = 0.01  # of the bounds: what the nearness of the features weighs beside changed answers


@dataclass(frozen=True)
class Setting:
    """What every method works on."""

    job: CompressionJob
    foreign: RgbBatch
    threads: int
    novelty: Novelty
    model: ov.Model  # the source's graph
    before: Judged  # what the source says, in fp32


def compress(job: CompressionJob, out: Path) -> CompressionResult:
    """Write the int8 form of a model to the folder ``out``; see ``compressing``."""
    for event in compressing(job, out):
        if isinstance(event, Compressed):
            return event.result
    raise RuntimeError("the compression ended without saying so")


def compressing(job: CompressionJob, out: Path) -> Generator[CompressionEvent, None, None]:
    """Write the int8 form of a model to the folder ``out``; the last event holds the result.

    Methods are tried from the smallest network to the most faithful one. The first whose answers
    stay within the bounds is kept; an earlier int8 model in ``out`` is replaced by it.

    Raises:
        UsageProblem: ``out`` holds something else, the source is int8, or tiles are missing.
        ModelError: no method stays within the bounds; nothing is written.
        MachineError: NNCF is not installed, or the folder cannot be written.
        OutputLocked: another compression to ``out`` is at work.
    """
    require_room(out)
    _require_sense(job)
    setting = _set_out(job)
    tried = []
    for name, method in METHODS.items():
        yield Trying(name)
        model = method(setting)
        try:
            with scratch_beside(out) as scratch:
                folder = scratch / "model"
                agreement, warned = _write(model, name, folder, setting)
                kept = agreement.within(job.bounds)
                if kept:
                    folder_into_place(folder, out, scratch)
        except OSError as error:
            raise machine_error(error, out) from error
        yield Tried(name, agreement, kept)
        if kept:
            sizes = size_of(job.source.folder), size_of(out)
            result = CompressionResult(out, name, len(job.calibration), agreement, *sizes, warned)
            yield Compressed(result)
            return
        tried.append(f"{name}, {all_changes(agreement)}")
    raise ModelError(_missed(job, tried))


def _set_out(job: CompressionJob) -> Setting:
    threads = job.threads or available_threads()
    foreign = job.tiles.pixels[:0] if job.foreign is None else job.foreign
    novelty = load_novelty(job.source.folder / NOVELTY)
    model = read_graph(ov.Core(), job.source.folder)
    before = _judge(job.source, "cpu-fp32", job, foreign, novelty, threads)
    return Setting(job, foreign, threads, novelty, model, before)


def _judge(
    card: ModelCard,
    device: str,
    job: CompressionJob,
    foreign: RgbBatch,
    novelty: Novelty,
    threads: int,
) -> Judged:
    runtime = load_runtime(card, device, threads)
    known = answer(runtime, card, novelty, job.tiles.pixels, threads)
    return Judged(known, answer(runtime, card, novelty, foreign, threads), runtime.device)


def _write(model: ov.Model, method: str, folder: Path, setting: Setting) -> tuple[Agreement, str]:
    """Write a model folder, and judge what lies in it; unfinished when it is not good enough.

    With the agreement comes the caution, "" where enough fields were judged.
    """
    job = setting.job
    folder.mkdir()
    write_graph(model, {}, folder)
    card = draft_card(job.source, folder)
    # As this processor computes by default; fp32 between the int8 layers could only be kinder.
    after = _judge(card, "cpu", job, setting.foreign, setting.novelty, setting.threads)
    agreement = compare(setting.before, after, job.tiles)
    found = figures(setting.before, after, job.tiles)
    lost = next(metric for metric in found if metric.name == LOST)
    cautions = (caution(agreement, job.bounds, most_lost(agreement, lost)), job.note)
    warned = " ".join(filter(None, cautions))
    if agreement.within(job.bounds):
        made = how_it_was_made(job, method, agreement, warned)
        card = dataclasses.replace(card, compression=made)
        write_rest(job.source, card, found, setting.threads)
    return agreement, warned


def _all_layers(setting: Setting) -> ov.Model:
    return quantize(setting.model, setting.job.calibration, depthwise=True)


def _but_depthwise(setting: Setting) -> ov.Model:
    """Depthwise convolutions lose most: each channel has a range of its own."""
    return quantize(setting.model, setting.job.calibration, depthwise=False)


def _but_sensitive(setting: Setting) -> ov.Model:
    job, before = setting.job, setting.before.known
    right = before.probs.argmax(1) == job.tiles.labels
    lengths = (before.features**2).sum(1)

    def score(compiled: Any, rows: list[int]) -> tuple[float, list[float]]:
        found = [compiled(job.tiles.pixels[rows[i : i + 16]]) for i in range(0, len(rows), 16)]
        probs, features = (np.concatenate([pair[i] for pair in found]) for i in (0, 1))
        now = judged(probs, features, job.source, setting.novelty)
        lost = float(right[rows].mean() - (probs.argmax(1) == job.tiles.labels[rows]).mean())
        changed = float((now.answered != before.answered[rows]).mean())
        error = ((features - before.features[rows]) ** 2).sum(1) / np.maximum(lengths[rows], 1e-9)
        far = np.minimum(error, 1.0)
        used = _used(lost, changed, job.bounds)
        # Few answers change with a single layer; how near the features are tells layers apart.
        return 1 - used - TIE * float(far.mean()), (-far).tolist()

    return quantize_but_sensitive(setting.model, job.calibration, len(job.tiles.labels), score)


# From the smallest and fastest network to the one that differs least.
METHODS: dict[str, Callable[[Setting], ov.Model]] = {
    "all layers": _all_layers,
    "all but depthwise layers": _but_depthwise,
    "all but sensitive layers": _but_sensitive,
}


def _used(lost: float, changed: float, bounds: Bounds) -> float:
    """The share of the bounds that is used up; 1 is all of the tighter one."""
    least = 1e-6  # a bound of nothing at all
    return max(lost / max(bounds.accuracy, least), changed / max(bounds.refusals, least))


def _require_sense(job: CompressionJob) -> None:
    if job.source.precision == INT8:
        raise UsageProblem(f"{job.source.name} is an int8 model already.")
    if not len(job.calibration) or not len(job.tiles.labels):
        raise UsageProblem(
            "int8 needs fields to calibrate on and others to judge it by: a training part and a "
            "validation part, both with fields that can be read."
        )
    if job.bounds.accuracy < 0 or job.bounds.refusals < 0:
        raise UsageProblem("A bound is a share of the fields, from 0 up.")


def _missed(job: CompressionJob, tried: list[str]) -> str:
    points, share = 100 * job.bounds.accuracy, job.bounds.refusals
    return (
        f"int8 changes {job.source.name} by more than the bounds allow ({points:g} points of "
        f"accuracy, {percent(share)} of the refusals), so nothing was written. Tried: "
        f"{'; '.join(tried)}. Calibrate on more fields, or allow more."
    )
