"""A whole study: gather, fit, quantize, judge; the same call goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from lungscan.errors import ModelError
from lungscan.inputs import show
from lungscan.results.atomic_files import write_atomic
from lungscan.studies.arrays import MATERIAL_FILE, Material, keep_material, kept_material
from lungscan.studies.collecting import gather
from lungscan.studies.events import (
    OutOfTime,
    Quantized,
    StudyEvent,
    StudyFinished,
    StudyStarted,
)
from lungscan.studies.options import WHOLE, StudyOptions
from lungscan.studies.quantized import costs_of, has_weights, make_int8, quantized
from lungscan.studies.results import Answers, kept
from lungscan.studies.study_table import as_csv, markdown
from lungscan.studies.tasks import Task, tasks, units
from lungscan.studies.test_answers import Probs, lines
from lungscan.studies.working import Means, fit_units
from lungscan.workers import available_threads

MARKDOWN_FILE, CSV_FILE = "study.md", "study.csv"


def study(
    options: StudyOptions,
    root: Path,
    out: Path,
    means: Means,
    command: str = "",
    *,
    only_material: bool = False,
    with_int8: bool = True,
) -> Generator[StudyEvent, None, None]:
    """Fit, quantize and judge every network of a study, and write its table.

    Args:
        options: the study.
        root: what its folders are relative to: the folder of its TOML file.
        out: its folder; what lies finished there is not done again.
        means: with what to compute, and until when.
        command: how it was started, for the table.
        only_material: stop once the pictures are kept, so that another machine can fit.
        with_int8: also make and judge the int8 forms.

    Raises:
        UsageProblem: data that cannot be read or dealt.
        ModelError: results of other options or pictures lie in the folder.
        MachineError: a device is not there, the disk is full, or NNCF is missing.
    """
    material, left_out = _material(options, root, out)
    every = [task for unit in units(options) for task in tasks(options, unit)]
    done = [task for task in every if kept(out, task, material.fingerprint) is not None]
    pictures, groups = len(material.labels), len(set(material.groups))
    overview = (
        f"{pictures:,} pictures in {groups:,} groups, {len(material.others)} counter-examples"
    )
    yield StudyStarted(len(every), len(done), overview + left_out)
    if only_material:
        yield StudyFinished((out / MATERIAL_FILE,))
        return
    yield from fit_units(out, options, units(options), means)
    answers = _answers(out, every, material)
    if len(answers) < len(every):
        yield OutOfTime(len(every) - len(answers))
    threads = means.threads or available_threads()
    int8: dict[str, Probs] = {}
    costs = {}
    if with_int8:
        int8 = yield from _quantize(out, every, material, answers, threads)
        students = [task for task in every if task.role == "distilled"]
        costs = {cost.network: cost for cost in costs_of(out, material, students, threads)}
    found = lines(options, material, answers, int8)
    devices = ", ".join(sorted({each.device for each in answers.values()}))
    sentences = (
        f"{show(Path(options.data).name)}: {overview}; {_counted(material)}{left_out}.",
        f"Networks of {options.input_px} px, fitted on: {devices or 'nothing yet'}.",
    )
    classes = material.class_names
    text = markdown(options, found, costs, classes, command, sentences)
    write_atomic(out / MARKDOWN_FILE, text.encode())
    write_atomic(out / CSV_FILE, as_csv(found, costs).encode())
    yield StudyFinished((out / MARKDOWN_FILE, out / CSV_FILE))


def _material(options: StudyOptions, root: Path, out: Path) -> tuple[Material, str]:
    material, listing = gather(options, root)
    broken = [item.name for item in listing.skipped if item.broken]
    left_out = f"; {len(broken)} left out that cannot be read" if broken else ""
    earlier = kept_material(out / MATERIAL_FILE)
    if earlier is not None and not earlier.continued_by(material):
        raise ModelError(
            f"{show(out.name)} holds a study of other pictures, groups or options. Use another "
            "output folder, or remove this one to start over."
        )
    if earlier is None or not set(material.parts) <= set(earlier.parts):
        keep_material(out / MATERIAL_FILE, material)
    return material, left_out


def _answers(out: Path, every: list[Task], material: Material) -> dict[str, Answers]:
    found = ((task, kept(out, task, material.fingerprint)) for task in every)
    return {task.name: answers for task, answers in found if answers is not None}


def _quantize(
    out: Path, every: list[Task], material: Material, answers: dict[str, Answers], threads: int
) -> Generator[StudyEvent, None, dict[str, Probs]]:
    """Make the int8 form of every student whose weights are here."""
    found: dict[str, Probs] = {}
    for task in every:
        if task.role == "teacher" or task.unit.protocol == WHOLE or task.name not in answers:
            continue
        probs = quantized(out, task, material.fingerprint)
        if probs is None and has_weights(out, task):
            probs, way = make_int8(out, task, material, answers[task.name], threads)
            yield Quantized(task.name, way)
        if probs is not None:
            found[task.name] = probs
    return found


def _counted(material: Material) -> str:
    counts = [(material.labels == row).sum() for row in range(len(material.class_names))]
    pairs = zip(material.class_names, counts, strict=True)
    return ", ".join(f"{count:,} {show(name)}" for name, count in pairs)
