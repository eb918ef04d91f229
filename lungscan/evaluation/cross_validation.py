"""Several folds of one recipe, judged as one model: every field by a network that never saw it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from lungscan.dataset.resampling import GroupBootstrap
from lungscan.errors import NothingToDo
from lungscan.evaluation import wording
from lungscan.evaluation.evaluate import ask_round, measured, require_sense
from lungscan.evaluation.events import EvaluationEvent, EvaluationFinished
from lungscan.evaluation.judged import as_arrays
from lungscan.evaluation.judging import Judge, load_judge
from lungscan.evaluation.options import JudgeOptions
from lungscan.evaluation.records import (
    DataNote,
    Evaluation,
    FieldAnswer,
    LabelledField,
    Protocol,
    Seen,
)
from lungscan.evaluation.robustness import shift_figures
from lungscan.evaluation.shifts import SHIFTS, Shift
from lungscan.model.card import ModelCard

Answers = tuple[FieldAnswer, ...]


@dataclass(frozen=True)
class JudgedFold:
    """A fold's model folder, and the fields that it never saw."""

    card: ModelCard
    fields: tuple[LabelledField, ...]


def cross_validation(
    card: ModelCard, folds: Sequence[JudgedFold], folder: str, options: JudgeOptions
) -> Generator[EvaluationEvent, None, None]:
    """Judge each fold's fields with its own model folder, then all answers together.

    An ``EvaluationFinished`` follows for each fold, in order, and last the one of all folds.

    Args:
        card: of the model that the figures of all folds are for.
        folds: all of one deal.
        folder: name of the data folder.
        options: with ``robustness``, changed copies are judged too; for all folds together only.

    Raises:
        UsageProblem: the options make no sense.
        NothingToDo: no field of a fold can be read.
        ModelError, MachineError: a model or the machine stands in the way.
    """
    require_sense(options)
    shifts: tuple[Shift | None, ...] = (None, *(SHIFTS if options.robustness else ()))
    rounds: list[list[FieldAnswer]] = [[] for _ in shifts]
    judge: Judge | None = None
    for number, fold in enumerate(folds, start=1):
        judge = load_judge(fold.card, options)
        judged = yield from _judged(judge, fold, shifts, number, len(folds))
        for collected, answers in zip(rounds, judged, strict=True):
            collected.extend(answers)
        where = (folder, f"fold {number} of {len(folds)}")
        yield EvaluationFinished(_of_fold(fold, where, judged[0], options, judge))
    if judge is None:
        raise NothingToDo("There is no fold to judge.")
    data = _note(folder, f"{len(folds)} folds", rounds[0])
    plain, *changed = [as_arrays(answers, card.class_names) for answers in rounds]
    bootstrap = GroupBootstrap(plain.groups, options.seed, options.draws)
    robustness = [
        shift_figures(shift, plain, other, bootstrap)
        for shift, other in zip(shifts[1:], changed, strict=True)
        if shift is not None
    ]
    notes = wording.notes(data, (card,), options.draws, options.mpp)
    answers = tuple(rounds[0])
    found = measured(card, data, notes, options, judge.run, answers, tuple(robustness))
    yield EvaluationFinished(found)


def _judged(
    judge: Judge, fold: JudgedFold, shifts: Sequence[Shift | None], number: int, count: int
) -> Generator[EvaluationEvent, None, list[Answers]]:
    """Answers of every round; changed copies only of what could be read."""
    rounds, done = count * len(shifts), (number - 1) * len(shifts)
    fields: Sequence[LabelledField] = fold.fields
    found: list[Answers] = []
    for turn, shift in enumerate(shifts, start=1):
        what = f"{shift.kind} {shift.amount}" if shift else "fields as they are"
        title = f"fold {number} of {count}, {what}"
        answers = yield from ask_round(judge, fields, shift, title, done + turn, rounds)
        found.append(answers)
        if shift is None:
            pairs = zip(fields, answers, strict=True)
            fields = [field for field, answer in pairs if answer.judged]
            if not fields:
                raise NothingToDo(f"No field of fold {number} can be read: {answers[0].reason}")
    return found


def _of_fold(
    fold: JudgedFold, where: tuple[str, str], answers: Answers, options: JudgeOptions, judge: Judge
) -> Evaluation:
    data = _note(*where, answers)
    notes = wording.notes(data, (fold.card,), options.draws, options.mpp)
    return measured(fold.card, data, notes, options, judge.run, answers)


def _note(folder: str, split: str, answers: Sequence[FieldAnswer]) -> DataNote:
    groups = {answer.group for answer in answers}
    return DataNote(
        folder=folder,
        split=split,
        part="",
        protocol=Protocol.FOLDS,
        seen=Seen.NO,
        leaking_groups=0,
        seen_groups=0,
        fields=len(answers),
        groups=len(groups),
        grouped=len(groups) < len(answers),
    )
