"""The way in: judge labelled fields with a model, and measure how well it does."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

from lungscan import RESEARCH_USE, __version__
from lungscan.classification.case_record import RunContext
from lungscan.dataset.resampling import GroupBootstrap
from lungscan.errors import NothingToDo, UsageProblem
from lungscan.evaluation import wording
from lungscan.evaluation.curves import Ranking, reliability, roc_areas, roc_curve
from lungscan.evaluation.events import EvaluationEvent, EvaluationFinished, Judging, JudgingStarted
from lungscan.evaluation.figures import CALIBRATION, class_figures, confusion, overall_figures
from lungscan.evaluation.judged import as_arrays
from lungscan.evaluation.judging import Judge, load_judge
from lungscan.evaluation.labelled import Material, load_material, require_known_classes
from lungscan.evaluation.options import DataOptions, JudgeOptions
from lungscan.evaluation.records import (
    DataNote,
    Evaluation,
    FieldAnswer,
    LabelledField,
    ShiftFigures,
)
from lungscan.evaluation.robustness import shift_figures
from lungscan.evaluation.shifts import SHIFTS, Shift
from lungscan.model.card import ModelCard
from lungscan.model.checked import find_model
from lungscan.options import DEFAULT_MODEL
from lungscan.results.provenance import utc_now


def evaluate(
    model: str | Path, material: Material, options: JudgeOptions | None = None
) -> Evaluation:
    """Judge ``material`` with a model folder or a shipped model, and measure.

    Raises:
        LungScanError: see ``evaluation``.
    """
    card = find_model(str(model))
    finished = None
    for event in evaluation_of(card, material, options or JudgeOptions()):
        if isinstance(event, EvaluationFinished):
            finished = event.evaluation
    if finished is None:
        raise RuntimeError("the evaluation ended without saying so")
    return finished


def evaluation(
    model: str, data: DataOptions, options: JudgeOptions
) -> Generator[EvaluationEvent, None, None]:
    """Judge what ``data`` points at; the last event holds all figures.

    Raises:
        UsageProblem: a table is wrong, or the data have a class that the model does not know.
        NothingToDo: there is no field, or none can be read.
        ModelError, MachineError: the model or the machine stands in the way.
    """
    card = find_model(model)
    yield from evaluation_of(card, load_material(data), options)


def evaluation_of(
    card: ModelCard, material: Material, options: JudgeOptions
) -> Generator[EvaluationEvent, None, None]:
    """As ``evaluation``, of a model and material at hand."""
    require_sense(options)
    require_known_classes(material.fields, card)
    judge = load_judge(card, options)
    shifts = SHIFTS if options.robustness else ()
    rounds = 1 + len(shifts)
    fields = material.fields
    answers = yield from ask_round(judge, fields, None, "fields as they are", 1, rounds)
    readable = [field for field, answer in zip(fields, answers, strict=True) if answer.judged]
    if not readable:
        raise NothingToDo(f"None of the {len(fields):,} fields could be read: {answers[0].reason}")
    judged = as_arrays(answers, card.class_names)
    bootstrap = GroupBootstrap(judged.groups, options.seed, options.draws)
    changed = []
    for number, shift in enumerate(shifts, start=2):
        title = f"{shift.kind} {shift.amount}"
        other = yield from ask_round(judge, readable, shift, title, number, rounds)
        after = as_arrays(other, card.class_names)
        changed.append(shift_figures(shift, judged, after, bootstrap))
    data = material.note(card)
    yield EvaluationFinished(
        measured(
            card,
            data,
            wording.notes(data, (card,), options.draws, options.mpp),
            options,
            judge.run,
            answers,
            tuple(changed),
        )
    )


def ask_round(
    judge: Judge,
    fields: Sequence[LabelledField],
    shift: Shift | None,
    title: str,
    number: int,
    rounds: int,
) -> Generator[Judging, None, tuple[FieldAnswer, ...]]:
    """One round over all fields, announced; returns one answer per field."""
    yield JudgingStarted(title, len(fields), number, rounds)
    return (yield from judge.ask(fields, shift))


def require_sense(options: JudgeOptions) -> None:
    """Refuse values that make no sense before anything is opened.

    Raises:
        UsageProblem: which value, and what it may be.
    """
    options.classifier(DEFAULT_MODEL)
    if not 100 <= options.draws <= 100_000:
        raise UsageProblem("The bootstrap takes between 100 and 100,000 draws.")


def measured(
    card: ModelCard,
    data: DataNote,
    notes: tuple[str, ...],
    options: JudgeOptions,
    run: RunContext,
    answers: tuple[FieldAnswer, ...],
    robustness: tuple[ShiftFigures, ...] = (),
) -> Evaluation:
    """Every figure that follows from the answers.

    Args:
        card: of the model whose figures they are.
        data: what was judged.
        notes: how the figures are meant.
        options: seed and draws of the bootstrap.
        run: how the answers came about, for the record.
        answers: one per field; one at least was judged.
        robustness: figures of the same fields, changed.
    """
    stamp, judged = card.stamp(), as_arrays(answers, card.class_names)
    bootstrap = GroupBootstrap(judged.groups, options.seed, options.draws)
    ranking = Ranking(judged, bootstrap)
    areas = roc_areas(judged, bootstrap)
    bins, calibration = reliability(judged, bootstrap, CALIBRATION)
    classes = class_figures(judged, stamp, areas, bootstrap)
    skipped = [answer for answer in answers if not answer.judged]
    return Evaluation(
        model=stamp,
        data=data,
        warnings=(
            *wording.warnings(data, card, skipped),
            *wording.few_groups(judged, stamp.class_names),
        ),
        notes=notes,
        metrics=(*overall_figures(judged, ranking, areas, bootstrap), calibration),
        classes=classes,
        confusion=confusion(judged),
        roc=tuple(
            roc_curve(judged, index, figures.name, bootstrap)
            for index, figures in enumerate(classes)
            if 0 < figures.support < len(judged.truth)
        ),
        reliability=bins,
        coverage=ranking.curve(),
        robustness=robustness,
        answers=answers,
        settings=(
            *run.settings,
            ("seed", str(options.seed)),
            ("draws", str(options.draws)),
        ),
        device=run.device,
        finished_utc=utc_now(),
        lungscan_version=__version__,
        use=RESEARCH_USE,
    )
