"""Which networks a study fits, in which order, on which part of the pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lungscan.studies.options import GROUPED, RANDOM, WHOLE, StudyOptions

Role = Literal["alone", "distilled", "teacher"]


@dataclass(frozen=True, slots=True)
class Unit:
    """One deal of the pictures: all networks of a unit learn the same ones."""

    protocol: str
    seed: int
    fold: int = 0  # counts from 1; 0: no fold

    @property
    def name(self) -> str:
        """Such as ``random-0`` and ``grouped-0-3``."""
        return f"{self.protocol}-{self.seed}" + (f"-{self.fold}" if self.fold else "")


@dataclass(frozen=True, slots=True)
class Task:
    """One network to be fitted."""

    unit: Unit
    network: str
    role: Role
    teacher: str = ""  # the network that it learns from
    learning_rate: float = 2e-3
    epochs: int = 0

    @property
    def name(self) -> str:
        """Such as ``random-0.resnet18.alone``: the stem of its files."""
        return f"{self.unit.name}.{self.network}.{self.role}"

    @property
    def needs(self) -> tuple[str, str]:
        """Names that its teacher may have: as a student alone, or as a mere teacher."""
        stem = f"{self.unit.name}.{self.teacher}"
        return f"{stem}.alone", f"{stem}.teacher"


def units(options: StudyOptions) -> tuple[Unit, ...]:
    """All units, the most important ones first: what is cut off then leaves whole columns."""
    randoms = [Unit(RANDOM, seed) for seed in range(options.seeds)]
    grouped = [
        Unit(GROUPED, seed, fold + 1)
        for seed in range(options.grouped_seeds)
        for fold in range(options.folds)
    ]
    wholes = [Unit(WHOLE, 0)] if options.release else []
    if RANDOM not in options.protocols:
        randoms = []
    if GROUPED not in options.protocols:
        grouped = []
    folds = options.folds
    return (*randoms[:1], *grouped[:folds], *wholes, *randoms[1:], *grouped[folds:])


def tasks(options: StudyOptions, unit: Unit) -> tuple[Task, ...]:
    """The networks of a unit, teachers first."""
    students = options.students
    if unit.protocol == WHOLE:
        students = tuple(each for each in students if each.network in options.release)
    taught = [each.teacher for each in students]
    found: list[Task] = []
    for teacher in options.teachers:
        if teacher.network in taught:
            rate, epochs = teacher.learning_rate, teacher.epochs
            found.append(Task(unit, teacher.network, "teacher", "", rate, epochs))
    others = [each for each in options.students if each.network in taught and each not in students]
    for student in (*others, *sorted(students, key=lambda each: each.network not in taught)):
        rate, epochs = student.learning_rate, student.epochs or options.epochs
        found.append(Task(unit, student.network, "alone", "", rate, epochs))
    for student in students:
        rate, epochs = student.learning_rate, student.epochs or options.epochs
        found.append(Task(unit, student.network, "distilled", student.teacher, rate, epochs))
    return tuple(found)
