"""A benchmark as JSON, CSV or Markdown."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from lungscan import RESEARCH_USE
from lungscan.benchmarking.records import Benchmark, Machine, Measured, Subject
from lungscan.errors import UsageProblem
from lungscan.model.shares import percent
from lungscan.results.atomic_files import write_atomic
from lungscan.results.csv_table import number_cell, text_cell, write_csv
from lungscan.results.markdown_table import table

SCHEMA = 1
CSV_COLUMNS = (
    *("model", "network", "runtime", "device", "precision", "input_px", "parameters"),
    *("weights_mb", "folder_mb", "latency_ms", "latency_ms_p5", "latency_ms_p95"),
    *("images_per_s", "images_per_s_p5", "images_per_s_p95", "batch", "streams", "threads"),
    *("accuracy", "accuracy_note", "processor", "utc"),
)
SUBJECT_HEADINGS = ("Model", "Network", "Input", "Parameters", "On disk", "Accuracy in the card")
SPEED_HEADINGS = ("Model", "Runtime", "Precision", "ms (5 to 95 %)", "images/s", "batch × streams")
NUMBERS = frozenset({"Input", "Parameters", "On disk", *SPEED_HEADINGS[3:]})  # align right


def write_benchmark(benchmark: Benchmark, path: Path) -> None:
    """Write ``path`` in the format that its suffix names: ``.json``, ``.csv`` or ``.md``.

    Raises:
        UsageProblem: another suffix.
        MachineError: the file cannot be written.
    """
    require_format(path)
    if path.suffix == ".csv":
        write_csv(path, CSV_COLUMNS, (_csv_row(benchmark, row) for row in benchmark.rows))
        return
    if path.suffix == ".json":
        text = json.dumps(as_data(benchmark), indent=2, ensure_ascii=False) + "\n"
    else:
        text = markdown(benchmark)
    write_atomic(path, text.encode(), durable=False)


def require_format(path: Path) -> None:
    """Refuse a suffix that says no format that can be written."""
    if path.suffix not in (".json", ".csv", ".md"):
        raise UsageProblem(f"{path.name}: a benchmark is written as .json, .csv or .md.")


def as_data(benchmark: Benchmark) -> dict[str, object]:
    """The record as JSON values."""
    return {"schema_version": SCHEMA, **dataclasses.asdict(benchmark)}


def markdown(benchmark: Benchmark) -> str:
    """Machine, what was measured, how fast it is, and notes."""
    subjects = table(SUBJECT_HEADINGS, map(subject_cells, benchmark.subjects), NUMBERS)
    speeds = table(SPEED_HEADINGS, map(speed_cells, benchmark.rows), NUMBERS)
    notes = "\n".join(f"- {note}" for note in benchmark.notes)
    return (
        f"# Speed\n\n{machine_line(benchmark.machine)}; {benchmark.options.rounds} rounds, "
        f"{benchmark.utc}\n\n{subjects}\n\n{speeds}\n\n{notes}\n\n{RESEARCH_USE}\n"
    )


def machine_line(machine: Machine) -> str:
    """The machine in one line."""
    memory = "" if machine.memory_gb is None else f", {machine.memory_gb:.0f} GB of memory"
    gpus = f", {', '.join(machine.gpus)}" if machine.gpus else ", no GPU"
    libraries = ", ".join(f"{name} {version}" for name, version in machine.versions)
    return (
        f"{machine.processor}, {machine.threads} of {machine.cores} cores used{memory}{gpus}; "
        f"{machine.system}, {libraries}"
    )


def subject_cells(subject: Subject) -> tuple[str, ...]:
    """One subject as people read it, in the order of ``SUBJECT_HEADINGS``."""
    size = subject.weights_mb if subject.folder_mb is None else subject.folder_mb
    accuracy = "" if subject.accuracy is None else f"{percent(subject.accuracy)}, "
    return (
        subject.name,
        subject.architecture,
        f"{subject.input_px} px",
        f"{subject.parameters / 1e6:.2f} M",
        f"{size:.1f} MB",
        f"{accuracy}{subject.accuracy_note}",
    )


def speed_cells(row: Measured) -> tuple[str, ...]:
    """One row of figures as people read it, in the order of ``SPEED_HEADINGS``."""
    variant, latency = row.variant, row.latency_ms
    return (
        variant.subject,
        f"{variant.runtime}, {variant.device}",
        variant.precision,
        f"{latency.median:.2f} ({latency.p5:.2f} to {latency.p95:.2f})",
        f"{row.images_per_s.median:,.0f}",
        f"{row.batch} × {row.streams}",
    )


def _csv_row(benchmark: Benchmark, row: Measured) -> list[str]:
    subject, variant = benchmark.subject_of(row), row.variant
    latency, rate = row.latency_ms, row.images_per_s
    return [
        *(text_cell(subject.name), text_cell(subject.architecture), variant.runtime),
        *(text_cell(variant.device), variant.precision, str(subject.input_px)),
        *(str(subject.parameters), number_cell(subject.weights_mb, 3)),
        number_cell(subject.folder_mb, 3),
        *(number_cell(value, 4) for value in (latency.median, latency.p5, latency.p95)),
        *(number_cell(value, 2) for value in (rate.median, rate.p5, rate.p95)),
        *(str(row.batch), str(row.streams), "" if row.threads is None else str(row.threads)),
        *(number_cell(subject.accuracy, 6), text_cell(subject.accuracy_note)),
        *(text_cell(benchmark.machine.processor), benchmark.utc),
    ]
