"""The study's table: Markdown for people, CSV for programs."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence

from lungscan import RESEARCH_USE
from lungscan.evaluation.wording import points, with_interval
from lungscan.model.card import Metric
from lungscan.model.shares import percent
from lungscan.results.markdown_table import cell, table
from lungscan.studies.options import GROUPED, RANDOM, StudyOptions
from lungscan.studies.quantized import Cost
from lungscan.studies.test_answers import Line

NOTHING = "–"
TITLES = {
    RANDOM: "Random split, as the seed project reports it",
    GROUPED: "Grouped folds: no group stands on two sides",
}
CAVEATS = {
    RANDOM: "**LEAKING** wherever pictures show the same patient or tissue: the same then stands "
    "in training and in test, so this says how well a network remembers.",
    GROUPED: "The honest figure, as far as the groups go: where no patient is known they were "
    "recovered by likeness, so that some patient may still stand on two sides.",
}


def markdown(
    options: StudyOptions,
    lines: Sequence[Line],
    costs: Mapping[str, Cost],
    classes: Sequence[str],
    command: str,
    sentences: Sequence[str],
) -> str:
    """The table as a document.

    Args:
        options: the study.
        lines: what was judged.
        costs: by the networks' names.
        classes: the classes' names.
        command: how the study was started.
        sentences: on data and machines.
    """
    parts = [f"# Study {options.name}", f"Made by `{command}`. {RESEARCH_USE}", *sentences, _METHOD]
    for protocol in options.protocols:
        own = [line for line in lines if line.protocol == protocol]
        parts += [f"## {TITLES[protocol]}", CAVEATS[protocol]]
        if not own:
            parts.append("Nothing is finished yet.")
            continue
        parts += [_main(own, costs), _classes(own, classes)]
    parts += ["## What the networks cost", _costs(options, costs)]
    if options.teachers:
        changed = (
            f"{each.network}: {each.epochs} epochs. {each.note}" for each in options.teachers
        )
        parts += ["Teachers that are no students: " + " ".join(changed)]
    return "\n\n".join(parts) + "\n"


_METHOD = (
    "Intervals are 95 %, by bootstrap over groups, over all seeds and folds together. Balanced "
    "accuracy is the mean of the classes' recalls. The calibration error is that of the top class "
    "in 10 bins of equal count, at a temperature fitted on each network's validation part. A gain "
    "is paired: the same pictures, with the teacher and without. Seed project: as it reports "
    "itself, on a random split of its own."
)


def _main(lines: Sequence[Line], costs: Mapping[str, Cost]) -> str:
    head = (
        "student",
        "teacher",
        "seed project",
        "accuracy",
        "balanced accuracy",
        "gain, points",
        "int8 accuracy",
        "int8 − fp32, points",
        "calibration error",
        "MB fp32 / int8",
        "ms fp32 / int8",
        "judged",
    )
    return _table(head, (_row(line, costs.get(line.student.network)) for line in lines))


def _row(line: Line, cost: Cost | None) -> tuple[str, ...]:
    student, metric = line.student, line.accuracy
    seed = student.seed_project[(line.role == "distilled") :][:1]
    int8 = NOTHING
    if line.int8 is not None:
        some = "" if line.int8_units == len(line.units) else f", {line.int8_units} of {_of(line)}"
        int8 = with_interval(line.int8) + some
    return (
        student.name,
        student.teacher if line.role == "distilled" else NOTHING,
        f"{seed[0]:.2f} %" if seed else NOTHING,
        f"{percent(metric.value, 2)} {with_interval(metric).partition(' % ')[2]}".rstrip(),
        with_interval(line.balanced),
        NOTHING if line.gain is None else points(line.gain),
        int8,
        NOTHING if line.int8_gain is None else points(line.int8_gain),
        with_interval(line.calibration),
        NOTHING if cost is None else f"{cost.fp32_mb:.1f} / {cost.int8_mb:.1f}",
        NOTHING if cost is None else f"{cost.fp32_ms:.1f} / {cost.int8_ms:.1f}",
        f"{metric.n:,} in {metric.groups:,} groups; {_units(line)}",
    )


def _of(line: Line) -> str:
    return f"{len(line.units)} {_word(line, len(line.units))}"


def _word(line: Line, count: int) -> str:
    word = "fold" if line.protocol == GROUPED else "seed"
    return word if count == 1 else f"{word}s"


def _units(line: Line) -> str:
    """How many seeds or folds, and each one's accuracy."""
    each = ", ".join(f"{100 * value:.1f}" for value in line.each)
    cut = "" if len(line.units) == line.of_units else f" of {line.of_units}"
    return f"{len(line.units)}{cut} {_word(line, line.of_units)}: {each}"


def _classes(lines: Sequence[Line], classes: Sequence[str]) -> str:
    rows = (
        (line.student.name, line.role, *(_recall(metric) for metric in line.recalls))
        for line in lines
    )
    return _table(("student", "", *(f"recall {cell(name)}" for name in classes)), rows)


def _recall(metric: Metric) -> str:
    return with_interval(metric)


def _costs(options: StudyOptions, costs: Mapping[str, Cost]) -> str:
    if not costs:
        return "Not measured."
    rows = (
        (
            cost.network,
            f"{cost.parameters:,}",
            f"{cost.fp32_mb:.2f}",
            f"{cost.int8_mb:.2f}",
            f"{cost.fp32_ms:.2f}",
            f"{cost.int8_ms:.2f}",
        )
        for cost in costs.values()
    )
    first = next(iter(costs.values()))
    threads = "1 thread" if first.threads == 1 else f"{first.threads} threads"
    where = (
        f"Median of one picture of {options.input_px} px in OpenVINO on {first.processor}, "
        f"{threads}, fp32 arithmetic between int8 layers; weights on the disk."
    )
    head = ("network", "parameters", "MB fp32", "MB int8", "ms fp32", "ms int8")
    return where + "\n\n" + _table(head, rows)


COLUMNS = (
    "protocol",
    "student",
    "network",
    "role",
    "teacher",
    "seed_project",
    "figure",
    "value",
    "low",
    "high",
    "pictures",
    "groups",
    "units",
)


def as_csv(lines: Sequence[Line], costs: Mapping[str, Cost]) -> str:
    """One row for each figure; shares from 0 to 1, sizes in MB, times in ms."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in lines:
        seed = line.student.seed_project[(line.role == "distilled") :][:1]
        begin = (
            line.protocol,
            line.student.name,
            line.student.network,
            line.role,
            line.student.teacher if line.role == "distilled" else "",
            seed[0] if seed else "",
        )
        for metric in _metrics(line):
            values = (decimal4(metric.value), decimal4(metric.low), decimal4(metric.high))
            writer.writerow((*begin, metric.name, *values, metric.n, metric.groups, _names(line)))
        if cost := costs.get(line.student.network):
            for name in ("parameters", "fp32_mb", "int8_mb", "fp32_ms", "int8_ms"):
                value = getattr(cost, name)
                writer.writerow((*begin, name, decimal4(value), "", "", "", "", ""))
    return text.getvalue()


def decimal4(value: float | None) -> str:
    """A number with four digits behind the point; "" for none."""
    return "" if value is None or math.isnan(value) else f"{value:.4f}".rstrip("0").rstrip(".")


def _names(line: Line) -> str:
    return " ".join(line.units)


def _metrics(line: Line) -> Iterable[Metric]:
    optional = (line.gain, line.int8, line.int8_gain)
    yield from (line.accuracy, line.balanced, *line.recalls, line.calibration)
    yield from (metric for metric in optional if metric is not None)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first to the right."""
    return table(head, rows, head[1:])
