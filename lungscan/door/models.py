"""Models: what there is, how good and how fast it is, and other forms of it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from threading import Event
from typing import TYPE_CHECKING

from lungscan.door.jobs import (
    Checked,
    CompareFinished,
    CompareOptions,
    CompressOptions,
    DoctorFinished,
    EvaluateFinished,
    EvaluateOptions,
    ExportFinished,
    ExportOptions,
    FieldsGathered,
)
from lungscan.door.stopping import until

if TYPE_CHECKING:
    from pathlib import Path

    from lungscan.benchmarking.records import BenchmarkEvent, BenchmarkOptions
    from lungscan.compression.records import CompressionEvent
    from lungscan.evaluation.events import Judging
    from lungscan.model.card import ModelCard

DRAWN = ((1, 40), (2, 60))  # seed and number of counter-examples to calibrate on and to judge by


def models() -> tuple[ModelCard, ...]:
    """The shipped models, the default and its kin first. Raises ModelError when one is damaged."""
    from lungscan.model.checked import list_models

    return list_models()


def doctor(stop: Event | None = None) -> Generator[Checked | DoctorFinished, None, None]:
    """Look at machine, libraries, models and runtimes, and time the stages."""
    from lungscan.self_check import examine

    def events() -> Generator[Checked | DoctorFinished, None, None]:
        checks = []
        for check in examine():
            checks.append(check)
            yield Checked(check)
        yield DoctorFinished(tuple(checks))

    yield from until(stop, events())


def evaluate(
    options: EvaluateOptions, stop: Event | None = None
) -> Generator[Judging | EvaluateFinished, None, None]:
    """Judge labelled fields as ``scan`` would, and measure how well.

    Raises:
        UsageProblem, NothingToDo: data or options are wrong.
        ModelError, MachineError: model or machine stand in the way.
    """
    from lungscan.evaluation.evaluate import evaluation
    from lungscan.evaluation.events import EvaluationFinished
    from lungscan.evaluation.writing import write_evaluation

    def events() -> Generator[Judging | EvaluateFinished, None, None]:
        for event in evaluation(options.model, options.data, options.judge):
            if not isinstance(event, EvaluationFinished):
                yield event
                continue
            found, out = event.evaluation, options.out
            written = write_evaluation(found, out, options.data.data) if out else None
            yield EvaluateFinished(found, written)

    yield from until(stop, events())


def compare(
    options: CompareOptions, stop: Event | None = None
) -> Generator[Judging | CompareFinished, None, None]:
    """Every answer that changes from one model to another. Raises as ``evaluate``."""
    from lungscan.evaluation.comparing import comparison
    from lungscan.evaluation.events import ComparisonFinished
    from lungscan.evaluation.writing import write_comparison

    def events() -> Generator[Judging | CompareFinished, None, None]:
        for event in comparison(*options.models, options.data, options.judge):
            if not isinstance(event, ComparisonFinished):
                yield event
                continue
            out = options.out
            written = write_comparison(event.comparison, out) if out else None
            yield CompareFinished(event.comparison, written)

    yield from until(stop, events())


def compress(
    options: CompressOptions, stop: Event | None = None
) -> Generator[FieldsGathered | CompressionEvent, None, None]:
    """Make the int8 form of a model within stated bounds; the last event is ``Compressed``.

    Drawn counter-examples are calibrated on and judged by as well: they cost nothing, and no data
    folder has to hold any.

    Raises:
        UsageProblem, NothingToDo: data are wrong, or ``out`` is taken.
        ModelError: no way of quantizing stays within the bounds; nothing is written.
        MachineError: NNCF is not installed, or the folder cannot be written.
    """
    import numpy as np

    from lungscan.compression.int8 import compressing
    from lungscan.compression.records import Bounds, CompressionJob
    from lungscan.evaluation.calibration_fields import gather
    from lungscan.model.checked import find_model
    from lungscan.training.drawn import draw_counter_examples
    from lungscan.workers import available_threads

    def events() -> Generator[FieldsGathered | CompressionEvent, None, None]:
        card = find_model(options.model)
        threads = options.threads or available_threads()
        found = gather(card, options.data, options.split, threads, options.fields)
        groups = len(set(found.tiles.groups))
        fitted, judged = len(found.calibration.labels), len(found.tiles.labels)
        yield FieldsGathered(fitted, judged, groups, found.skipped)
        size = card.patch_size_pixels
        calibrating, foreign = (
            draw_counter_examples(np.random.default_rng(seed), n, size) for seed, n in DRAWN
        )
        job = CompressionJob(
            card,
            np.concatenate([found.calibration.pixels, calibrating]),
            found.tiles,
            foreign=foreign,
            bounds=Bounds(options.accuracy, options.refusals),
            threads=threads,
            command=options.command,
            note=found.note,
        )
        yield from compressing(job, options.out)

    yield from until(stop, events())


def export(options: ExportOptions) -> Generator[ExportFinished, None, None]:
    """Write a model for other programs.

    See ``lungscan.compression``'s ``onnx_file`` and ``wsinfer_folder``.
    """
    from lungscan.compression.onnx_file import export_onnx
    from lungscan.compression.wsinfer_folder import export_wsinfer
    from lungscan.model.checked import find_model

    card = find_model(options.model)
    if options.form == "wsinfer":
        yield ExportFinished(export_wsinfer(card, options.out))
    else:
        yield ExportFinished(export_onnx(card, options.out))


def benchmark(
    options: BenchmarkOptions, outs: Sequence[Path] = (), stop: Event | None = None
) -> Generator[BenchmarkEvent, None, None]:
    """Measure how fast networks are here, and write the figures to ``outs``.

    Raises:
        UsageProblem: a name is wrong or twice there, or a file's kind is unknown.
        ModelError, MachineError: model or machine stand in the way.
    """
    from lungscan.benchmarking.benchmark import benchmark as measure
    from lungscan.benchmarking.records import BenchmarkFinished
    from lungscan.benchmarking.speed_tables import require_format, write_benchmark

    def events() -> Generator[BenchmarkEvent, None, None]:
        for path in outs:
            require_format(path)  # before minutes are spent
        for event in measure(options):
            if isinstance(event, BenchmarkFinished):
                for path in outs:
                    write_benchmark(event.benchmark, path)
            yield event

    yield from until(stop, events())
