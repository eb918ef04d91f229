"""Options of a study: the keys of its TOML file bear the fields' names."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from lungscan.errors import UsageProblem
from lungscan.training.ranges import (
    COUNT,
    PART,
    POSITIVE,
    SHARE,
    SOME,
    Span,
    fault,
    require_choice,
    require_order,
    require_ranges,
    require_split,
)

RANDOM, GROUPED, WHOLE = "random", "grouped", "whole"


@dataclass(frozen=True, slots=True)
class Student:
    """A network that is fitted alone and under a teacher."""

    name: str  # as the table calls it
    network: str  # timm's name, or one of lungscan.studies.students.OWN
    teacher: str  # another network, by the same kind of name
    learning_rate: float = 2e-3
    epochs: int = 0  # 0: those of the study
    seed_project: tuple[float, ...] = ()  # its accuracies, per cent: alone, then distilled


@dataclass(frozen=True, slots=True)
class TeacherFit:
    """A teacher that is no student itself, and what it is fitted with in place of the common."""

    network: str
    epochs: int
    learning_rate: float = 1e-3
    note: str = ""  # what was changed against the original


@dataclass(frozen=True, slots=True)
class Changes:
    """How a picture is changed while training. Angles and sizes are drawn evenly around none."""

    degrees: float = 10.0  # at most turned so far to either side
    zoom: tuple[float, float] = (0.75, 1.05)  # side of the square that is shown, of the picture's
    shift: float = 0.06  # at most moved so far, of the picture's side
    mirror: bool = True  # left and right
    brightness: float = 0.10  # standard deviation of what is added, of the whole range
    contrast: float = 0.15  # standard deviation of the logarithm of the factor


@dataclass(frozen=True, slots=True)
class StudyOptions:
    """All that a study can be set to."""

    name: str
    data: str  # folder of one folder per class, relative to the TOML file
    students: tuple[Student, ...]
    teachers: tuple[TeacherFit, ...] = ()
    counter_examples: tuple[str, ...] = ()  # folders of pictures that are of no class
    counter_limit: int = 40  # of each such folder; and as many again are drawn for each folder
    counter_share: float = 0.125  # of each batch
    protocols: tuple[str, ...] = (RANDOM, GROUPED)
    seeds: int = 3  # of the random protocol: split and start
    grouped_seeds: int = 1
    folds: int = 5
    split: tuple[float, float, float] = (0.70, 0.10, 0.20)  # random
    held: float = 0.1  # of the groups outside of a fold: to calibrate on
    release: tuple[str, ...] = ()  # students that are also fitted on all groups
    input_px: int = 160
    pretrained: bool = False
    epochs: int = 50
    batch_size: int = 64
    weight_decay: float = 0.05
    warmup_epochs: float = 3.0
    label_smoothing: float = 0.05
    ema_decay: float = 0.99
    mixup: float = 0.2
    balance: float = 0.5  # a class of n pictures weighs n ** -balance: 0 each picture alike
    temperature: float = 3.0
    soft_share: float = 0.7
    bf16: bool = True
    changes: Changes = Changes()

    def fingerprint(self, data_sha256: str) -> str:
        """SHA-256 over the pictures and the options that shape every network's weights.

        Options at their default do not count, so that a new one leaves old results valid.
        """
        values = {
            field.name: dataclasses.asdict(self)[field.name]
            for field in dataclasses.fields(self)
            if field.name not in _NO_WEIGHTS and getattr(self, field.name) != field.default
        }
        return sha256(json.dumps([data_sha256, values], sort_keys=True).encode()).hexdigest()

    def teacher_fit(self, network: str) -> TeacherFit | None:
        """How a teacher that is no student is fitted; None for one that is."""
        return next((each for each in self.teachers if each.network == network), None)


# Options that only say which networks there are; what a network learns with is part of its task.
_NO_WEIGHTS = {
    "name",
    "data",
    "students",
    "teachers",
    "protocols",
    "seeds",
    "grouped_seeds",
    "release",
    "epochs",
}


_SPANS = {
    "counter_limit": COUNT,
    "counter_share": PART,
    "seeds": SOME,
    "grouped_seeds": SOME,
    "folds": Span(2),
    "held": PART,
    "input_px": SOME,
    "epochs": SOME,
    "batch_size": SOME,
    "weight_decay": COUNT,
    "warmup_epochs": COUNT,
    "label_smoothing": PART,
    "ema_decay": PART,
    "mixup": COUNT,
    "balance": COUNT,
    "temperature": POSITIVE,
    "soft_share": SHARE,
}
_CHANGES = {
    "degrees": Span(0, 180),
    "zoom": POSITIVE,
    "shift": COUNT,
    "brightness": COUNT,
    "contrast": COUNT,
}


def load_study(path: Path) -> StudyOptions:
    """Read a study (TOML).

    Raises:
        UsageProblem: the file is not TOML, names an option that does not exist, or asks for a
            teacher that nothing fits.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return checked(StudyOptions(**{key: _value(key, value) for key, value in table.items()}))
    except OSError as error:
        raise UsageProblem(f"The study {path.name} cannot be read ({error.strerror}).") from error
    except (ValueError, TypeError) as error:  # TOML's and Unicode's errors are ValueErrors
        raise UsageProblem(f"The study {path.name} cannot be used: {fault(error)}.") from error


def changed_study(options: StudyOptions, pairs: Sequence[str]) -> StudyOptions:
    """The study with other values: ``seeds=1`` or ``changes.degrees=5``, in TOML.

    Folders are those of whoever types them: relative to the current folder, not to the study.

    Raises:
        UsageProblem: there is no such option, or its value is not TOML.
    """
    for pair in pairs:
        key, _, text = pair.partition("=")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
            record, _, name = key.strip().rpartition(".")
            if record:
                inner = dataclasses.replace(getattr(options, record), **_tuples({name: value}))
                options = dataclasses.replace(options, **{record: inner})
            else:
                options = dataclasses.replace(
                    options, **{name: _from_here(name, _value(name, value))}
                )
        except (ValueError, TypeError, AttributeError) as error:
            raise UsageProblem(
                f"{pair!r} sets no option ({fault(error)}). Write KEY=VALUE with a key of a "
                'study and TOML\'s values, such as seeds=1 or data="my-folder".'
            ) from error
    return checked(options)


def checked(options: StudyOptions) -> StudyOptions:
    """The options, if they can be met.

    Raises:
        UsageProblem: which cannot, and what it may be.
    """
    require_ranges(options, _SPANS)
    require_ranges(options.changes, _CHANGES, "changes.")
    require_order("changes.zoom", options.changes.zoom)
    require_split(options.split, {0: "train on", 2: "test on"})
    if round(options.counter_share * options.batch_size) >= options.batch_size:
        raise UsageProblem(
            f"A batch of {options.batch_size} with a counter_share of {options.counter_share:g} "
            "has no picture of a class. Give a larger batch_size or a smaller counter_share."
        )
    fitted = {student.network for student in options.students}
    fitted |= {teacher.network for teacher in options.teachers}
    for student in options.students:
        if student.teacher not in fitted:
            raise UsageProblem(
                f"Nothing fits the teacher {student.teacher} of {student.name}: add it to the "
                "students or the teachers."
            )
    unknown = set(options.protocols) - {RANDOM, GROUPED}
    if unknown or not options.protocols:
        raise UsageProblem(
            f"A protocol is {RANDOM} or {GROUPED}, not {', '.join(sorted(unknown))}."
        )
    _check_networks(options)
    return options


def _check_networks(options: StudyOptions) -> None:
    for student in options.students:
        require_ranges(student, {"learning_rate": POSITIVE, "epochs": COUNT}, f"{student.name}: ")
    for teacher in options.teachers:
        require_ranges(teacher, {"learning_rate": POSITIVE, "epochs": SOME}, f"{teacher.network}: ")
    known = tuple(student.network for student in options.students)
    _require_once("students", known)
    _require_once("teachers", [teacher.network for teacher in options.teachers])
    for network in options.release:
        require_choice("release", network, known)


def _require_once(key: str, networks: Sequence[str]) -> None:
    """Refuse a network that stands twice: its results, named by it, would replace each other."""
    twice = sorted({network for network in networks if networks.count(network) > 1})
    if twice:
        raise UsageProblem(
            f"{twice[0]} stands twice in {key}, and a study keeps one network's results once: the "
            "second would replace the first. Write a study of its own for the other, with another "
            "--out."
        )


def _value(key: str, value: Any) -> Any:
    if key == "students":
        return tuple(Student(**_tuples(each)) for each in value)
    if key == "teachers":
        return tuple(TeacherFit(**_tuples(each)) for each in value)
    if key == "changes":
        return Changes(**_tuples(value))
    return tuple(value) if isinstance(value, list) else value


def _from_here(key: str, value: Any) -> Any:
    """Folders that were typed, by their whole paths; anything else as it is."""
    if key == "data":
        return str(Path(value).absolute())
    if key == "counter_examples":
        return tuple(str(Path(each).absolute()) for each in value)
    return value


def _tuples(table: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in table.items()}
