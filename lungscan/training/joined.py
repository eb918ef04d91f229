"""What the joined answers of all folds teach: temperature, limits, and how networks compare."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungscan.dataset.learnt import WORK_FOLDER
from lungscan.errors import UsageProblem
from lungscan.evaluation.records import LabelledField
from lungscan.inputs import show
from lungscan.model.card import Metric
from lungscan.model.novelty import Novelty
from lungscan.training.calibrate import (
    confidence_limit,
    fit_temperature,
    novelty_limits,
    softmax,
)
from lungscan.training.data import Material
from lungscan.training.judge import Calibration, spread
from lungscan.training.network_answers import not_measured, share_metric
from lungscan.training.out_of_fold import (
    ALONE_FILE,
    ANSWERS_FILE,
    OTHERS_FILE,
    TEACHER_FILE,
    Answers,
    read_answers,
)


@dataclasses.dataclass(frozen=True)
class Joined:
    """The answers of all folds."""

    model: Answers
    others: Answers | None  # of counter-examples; None: the recipe has none
    teacher: Answers | None  # None: not every fold has one
    alone: Answers | None


def read_joined(folders: Sequence[Path], material: Material) -> Joined:
    """Join the tables of all folds, and make sure that they answer for these very data.

    Raises:
        UsageProblem: a table is missing or wrong, or answers for other pictures.
    """
    model = _read(folders, ANSWERS_FILE)
    if model is None:
        raise UsageProblem("A fold has not answered yet; run the same command without --stage.")
    others = _read(folders, OTHERS_FILE)
    found = Joined(model, others, _read(folders, TEACHER_FILE), _read(folders, ALONE_FILE))
    for answers in (found.model, found.teacher, found.alone):
        if answers is not None:
            _require_these(answers, material)
    return found


def calibration_of(joined: Joined, novelty: Novelty, without: int = 0) -> Calibration:
    """Temperature and limits from answers about tissue that the answering networks never saw.

    Args:
        joined: the answers of all folds.
        novelty: as it was fitted to the network's own training features; its limits are replaced
            by those of the answers, but for a model that knows other laboratories' stains: what it
            took for lung stained elsewhere stays within.
        without: a fold whose answers are left out, because it is judged under this calibration
            (nested cross-validation); 0: none.
    """
    answers = joined.model
    rows = answers.numbers != without
    logits = answers.logits[rows]
    temperature = fit_temperature(logits, answers.truth[rows])
    probs = softmax(logits, temperature)
    foreign = None
    if joined.others is not None:
        foreign = _balanced(joined.others, without)
    limits = novelty_limits(answers.measures[rows], foreign)
    if novelty.appearance is not None:
        limits = np.maximum(limits, novelty.limits)
    novelty = dataclasses.replace(novelty, limits=limits)
    return Calibration(temperature, confidence_limit(probs), novelty)


def _balanced(others: Answers, without: int) -> NDArray[np.float64]:
    """Measures of counter-examples, each folder weighing the same."""
    labels, kept = np.array(others.labels), others.numbers != without
    parts = [others.measures[kept & (labels == name)] for name in sorted(set(others.labels))]
    least = min(len(part) for part in parts)
    return np.concatenate([spread(part, least) for part in parts])


def network_figures(joined: Joined, teacher: str) -> tuple[Metric, ...]:
    """How the other networks of the folds do, and what distillation gained, paired by picture.

    By the networks alone, without the checks that classification makes.

    Args:
        joined: the answers of all folds.
        teacher: its name; "": the recipe has none.
    """
    if not teacher:
        return ()
    groups, note = joined.model.groups, "network alone, without the checks of classification"
    found = []
    if joined.teacher is None:
        found.append(not_measured("accuracy teacher", "not every fold's folder holds its teacher"))
    else:
        right = right_of(joined.teacher)
        found.append(share_metric("accuracy teacher", right, groups, f"{teacher}; {note}"))
    if joined.alone is not None:
        own, other = right_of(joined.model), right_of(joined.alone)
        remark = f"without the teacher; {note}"
        found.append(share_metric("accuracy student alone", other, groups, remark))
        gain = own.astype(np.float64) - other
        found.append(share_metric("gain by distillation", gain, groups, f"both by the {note}"))
    return tuple(found)


def right_of(answers: Answers) -> NDArray[np.bool_]:
    """Which pictures are named rightly ``(n,)``."""
    right: NDArray[np.bool_] = answers.probs.argmax(1) == answers.truth
    return right


def fields_of(
    answers: Answers, root: Path, number: int, scales: Mapping[Path, float | None], label: str = ""
) -> list[LabelledField]:
    """The pictures that a fold judges, for the judge of evaluations.

    Args:
        answers: of all folds.
        root: the folder that the table's files are relative to.
        number: of the fold.
        scales: µm per pixel that tables or the recipe say of a picture.
        label: only pictures with this label; "": all.
    """
    rows = zip(answers.files, answers.labels, answers.groups, answers.folds, strict=True)
    return [
        LabelledField(file, root / file, own, group, scales.get(root / file))
        for file, own, group, fold in rows
        if fold.number == number and label in ("", own)
    ]


def _read(folders: Sequence[Path], name: str) -> Answers | None:
    """The joined tables, or None where a fold has none."""
    paths = [folder / WORK_FOLDER / name for folder in folders]
    return read_answers(paths) if all(path.is_file() for path in paths) else None


def _require_these(answers: Answers, material: Material) -> None:
    known_files = {row.file: (row.label, row.group) for row in material.rows}
    rows = zip(answers.files, answers.labels, answers.groups, strict=True)
    strange = [file for file, *known in rows if known_files.get(file) != tuple(known)]
    strange += sorted(known_files.keys() - set(answers.files))
    if strange:
        raise UsageProblem(
            f"The folds were dealt from other data than these: {show(strange[0])} "
            f"{'differs' if len(strange) == 1 else f'and {len(strange) - 1:,} more differ'}. "
            "Bring the data back as they were, or choose another --out."
        )
