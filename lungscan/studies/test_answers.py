"""Figures of a study: answers of the test parts, pooled over seeds and folds, with intervals.

Each network's temperature is fitted on its own validation part; folds and seeds are pooled with the
probabilities that follow. Intervals are over groups: pictures of one group show the same tissue.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lungscan.dataset.resampling import Floats, GroupBootstrap, divide
from lungscan.evaluation.curves import reliability
from lungscan.evaluation.figures import ACCURACY, CALIBRATION
from lungscan.evaluation.judged import Judged
from lungscan.model.card import Metric
from lungscan.studies.arrays import TEST, VALIDATION, Material
from lungscan.studies.options import Student, StudyOptions
from lungscan.studies.results import Answers
from lungscan.studies.tasks import Role, Task, tasks, units
from lungscan.training.calibrate import fit_temperature, softmax

BALANCED = "balanced accuracy"
RECALL = "recall"
GAIN = "gain by distillation"
INT8_GAIN = "int8 minus fp32"

Probs = NDArray[np.float64]


@dataclass(frozen=True)
class Pool:
    """The test answers of one student in one role under one protocol, unit by unit."""

    units: tuple[str, ...]
    judged: Judged


@dataclass(frozen=True)
class Line:
    """One network in one role under one protocol."""

    protocol: str
    student: Student  # or a teacher that is none, under a name that says so
    role: Role
    units: tuple[str, ...]  # that were judged
    of_units: int  # that the study asks for
    each: tuple[float, ...]  # accuracy of each unit
    accuracy: Metric
    balanced: Metric
    recalls: tuple[Metric, ...]  # of each class
    calibration: Metric
    gain: Metric | None  # the distilled one's accuracy minus that of the one alone, same pictures
    int8: Metric | None  # accuracy of the int8 form, on the units that have one
    int8_gain: Metric | None  # minus that of fp32 on the same pictures
    int8_units: int


def lines(
    options: StudyOptions,
    material: Material,
    answers: Mapping[str, Answers],
    int8: Mapping[str, Probs],
) -> tuple[Line, ...]:
    """All lines that something is known of; teachers that are no students come last.

    Args:
        options: the study.
        material: its pictures.
        answers: of finished networks, by the names of their tasks.
        int8: probabilities ``(n, classes)`` of their int8 forms, likewise.
    """
    teachers = (Student(f"teacher: {each.network}", each.network, "") for each in options.teachers)
    judged = (*options.students, *teachers)
    found = []
    for protocol in options.protocols:
        for student in judged:
            pools: dict[Role, Pool] = {}
            for role in _ROLES:
                wanted = _tasks(options, protocol, student, role)
                done = _whole([task for task in wanted if task.name in answers], wanted)
                if not done:
                    continue
                pools[role] = pooled(material, done, _calibrated(material, done, answers))
                line = _line(protocol, student, role, pools, len(wanted), material.class_names)
                found.append(_with_int8(line, material, done, answers, int8))
    return tuple(found)


_ROLES: tuple[Role, ...] = ("alone", "distilled", "teacher")


def _tasks(options: StudyOptions, protocol: str, student: Student, role: Role) -> list[Task]:
    return [
        task
        for unit in units(options)
        if unit.protocol == protocol
        for task in tasks(options, unit)
        if task.network == student.network and task.role == role
    ]


def _whole(done: Sequence[Task], wanted: Sequence[Task]) -> list[Task]:
    """Without seeds of which folds are missing: their pictures would not be judged evenly."""
    asked = [task.unit.seed for task in wanted]
    here = [task.unit.seed for task in done]
    return [task for task in done if here.count(task.unit.seed) == asked.count(task.unit.seed)]


def temperature_of(material: Material, task: Task, answers: Answers) -> float:
    """The temperature that the validation part asks for; 1 where there is none."""
    rows = material.rows(task.unit.name, VALIDATION)
    if not len(rows):
        return 1.0
    classes = len(material.class_names)
    return fit_temperature(answers.logits[rows, :classes], material.labels[rows])


def _calibrated(
    material: Material, done: Sequence[Task], answers: Mapping[str, Answers]
) -> dict[str, Probs]:
    classes = len(material.class_names)
    found: dict[str, Probs] = {}
    for task in done:
        answered = answers[task.name]
        heat = temperature_of(material, task, answered)
        found[task.name] = softmax(answered.logits[:, :classes], heat).astype(np.float64)
    return found


def pooled(material: Material, done: Sequence[Task], probs: Mapping[str, Probs]) -> Pool:
    """The test answers of some networks together; a picture may stand in several units."""
    rows = [material.rows(task.unit.name, TEST) for task in done]
    probabilities = np.concatenate(
        [probs[task.name][at] for task, at in zip(done, rows, strict=True)]
    )
    every = np.concatenate(rows)
    files = [f"{task.unit.name}/{row}" for task, at in zip(done, rows, strict=True) for row in at]
    judged = Judged(
        files=tuple(files),
        groups=tuple(material.groups[row] for row in every),
        truth=material.labels[every],
        forced=probabilities.argmax(1).astype(np.int64),
        answered=np.ones(len(every), np.bool_),
        confidence=probabilities.max(1),
        probs=probabilities,
    )
    return Pool(tuple(task.unit.name for task in done), judged)


def _line(
    protocol: str,
    student: Student,
    role: Role,
    pools: Mapping[Role, Pool],
    asked: int,
    class_names: Sequence[str],
) -> Line:
    pool = pools[role]
    judged = pool.judged
    bootstrap = GroupBootstrap(judged.groups)
    recalls, balanced = recalls_of(judged, class_names, bootstrap)
    gain, alone = None, pools.get("alone")
    if role == "distilled" and alone is not None and alone.units == pool.units:
        difference = judged.right.astype(np.float64) - alone.judged.right
        gain = bootstrap.mean(GAIN, difference, "paired, same pictures")
    where = np.array([file.split("/")[0] for file in judged.files])
    each = tuple(float(judged.right[where == unit].mean()) for unit in pool.units)
    return Line(
        protocol=protocol,
        student=student,
        role=role,
        units=pool.units,
        of_units=asked,
        each=each,
        accuracy=bootstrap.mean(ACCURACY, judged.right),
        balanced=balanced,
        recalls=recalls,
        calibration=reliability(judged, bootstrap, CALIBRATION)[1],
        gain=gain,
        int8=None,
        int8_gain=None,
        int8_units=0,
    )


def recalls_of(
    judged: Judged, class_names: Sequence[str], bootstrap: GroupBootstrap
) -> tuple[tuple[Metric, ...], Metric]:
    """The recall of each class, and their mean: the balanced accuracy, blind to class sizes."""
    recalls, values, draws, kinds = [], [], [], []
    for index, name in enumerate(class_names):
        true = judged.truth == index
        right = true & judged.right
        recalls.append(bootstrap.ratio(f"{RECALL} {name}", right, true))
        values.append(recalls[-1].value)
        sums = bootstrap.totals(np.stack([right, true], 1))
        draws.append(divide(sums[:, 0], sums[:, 1]))
        kinds.append(true)
    every: Floats = np.stack(draws, 1).mean(1)  # NaN where a resample lacks a class: void
    every = bootstrap.told(every, *kinds)
    return tuple(recalls), bootstrap.metric(BALANCED, float(np.mean(values)), every)


def _with_int8(
    line: Line,
    material: Material,
    done: Sequence[Task],
    answers: Mapping[str, Answers],
    int8: Mapping[str, Probs],
) -> Line:
    made = [task for task in done if task.name in int8]
    if not made:
        return line
    after = pooled(material, made, int8).judged
    before = pooled(material, made, _calibrated(material, made, answers)).judged
    bootstrap = GroupBootstrap(after.groups)
    difference = after.right.astype(np.float64) - before.right
    return dataclasses.replace(
        line,
        int8=bootstrap.mean(f"{ACCURACY} int8", after.right),
        int8_gain=bootstrap.mean(INT8_GAIN, difference, "paired, same pictures"),
        int8_units=len(made),
    )
