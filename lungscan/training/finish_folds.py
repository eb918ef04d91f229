"""The end of ``--folds N``: the model folder, calibrated and judged by the answers of all folds.

Each fold's model folder is made again with temperature and limits from the *other* folds' answers,
and judged on its own pictures as classification will use it: so no figure knows its own picture.
The model itself, fitted on all groups, gets temperature and limits from all answers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Sequence
from pathlib import Path

from lungscan.dataset.learnt import WORK_FOLDER
from lungscan.evaluation.cross_validation import JudgedFold, cross_validation
from lungscan.evaluation.events import EvaluationFinished, JudgingStarted
from lungscan.evaluation.judging import load_judge
from lungscan.evaluation.options import JudgeOptions
from lungscan.evaluation.records import Evaluation, FieldAnswer
from lungscan.model.card import NOVELTY, Metric, ModelCard, write_card
from lungscan.model.checked import read_card
from lungscan.model.doubt import stated
from lungscan.model.novelty import Novelty, load_novelty
from lungscan.results.atomic_files import write_atomic
from lungscan.training import wording
from lungscan.training.classes import described
from lungscan.training.data import Material, at_input_size
from lungscan.training.events import StageFinished, StageStarted, TrainEvent
from lungscan.training.finish import write_bundle
from lungscan.training.folding import (
    final_options,
    fold_folder,
    fold_options,
)
from lungscan.training.joined import (
    Joined,
    calibration_of,
    fields_of,
    network_figures,
    read_joined,
)
from lungscan.training.judge import calibrate, refused
from lungscan.training.judge_model import (
    figures_of,
    keep_evaluation,
    round_off,
    with_figures,
    write_readme,
)
from lungscan.training.model_card import first_card, held_out_run
from lungscan.training.options import TrainOptions
from lungscan.training.stages import load_network


def finish_folds(
    options: TrainOptions, material: Material, root: Path, out: Path, command: str
) -> Generator[TrainEvent, None, None]:
    """Write the model folder ``out`` from its own training and those of all folds.

    Args:
        options: the recipe, with ``folds``.
        material: that of the model's own training.
        root: folder that holds the data folders.
        out: the model folder to be, which holds the folds.
        command: how the run was started, for the card.

    Raises:
        UsageProblem: a fold is missing, or of other data.
        ModelError: a stage is not finished, or a network cannot be folded.
        MachineError: the disk is full.
    """
    final, work = final_options(options), out / WORK_FOLDER
    folders = [fold_folder(out, number) for number in range(1, options.folds + 1)]
    material = at_input_size(material, options.classify_px)
    words = described(options.classes, material.samples.class_names)
    beside = held_out_run(options, words) if options.figures_from else None
    yield StageStarted("calibrate", f"on the answers of {options.folds} folds")
    joined = read_joined(folders, material)
    student = load_network(final.model_stage, final, material, work)
    fitted = calibration_of(joined, calibrate(student, material, None, final.augment).novelty)
    yield StageFinished(
        "calibrate",
        f"temperature {fitted.temperature:.3f}, least confidence {fitted.confidence:.3f}",
    )
    yield StageStarted("bundle", out.name)
    write_bundle(student, fitted, final, material, out)
    card = first_card(final, material, fitted, words, command)
    write_card(card, out)
    card = yield from _judged(card, options, material, joined, folders, root, out)
    if beside is not None:
        one = [dataclasses.asdict(metric) for metric in beside.metrics]
        card = dataclasses.replace(card, data=card.data | {"one_split": one})
        write_card(stated(card), out)
    yield from round_off(card, final, material, out, command, tested=True)


def _judged(
    card: ModelCard,
    options: TrainOptions,
    material: Material,
    joined: Joined,
    folders: Sequence[Path],
    root: Path,
    out: Path,
) -> Generator[TrainEvent, None, ModelCard]:
    """The model's card with the figures of all folds; each fold's card gets its own."""
    asked = JudgeOptions(robustness=options.robustness, threads=options.threads or None)
    yield StageStarted("judge", "each fold, calibrated by the answers of the others")
    folds = []
    for number, folder in enumerate(folders, start=1):
        own = _calibrated(fold_options(options, number), material, joined, number, folder)
        fields = fields_of(joined.model, root / options.data, number, material.samples.scales)
        folds.append(JudgedFold(own, tuple(fields)))
    found: list[Evaluation] = []
    for event in cross_validation(card, folds, (root / options.data).resolve().name, asked):
        match event:
            case JudgingStarted(title=title):
                yield StageFinished("judge", title)
            case EvaluationFinished(evaluation=evaluation):
                found.append(evaluation)
    *single, together = found
    for fold, evaluation in zip(folds, single, strict=True):
        yield from _keep_fold(fold.card, evaluation, options, root)
    others = network_figures(joined, options.teacher)
    metrics = figures_of(together, (*others, *_refusals(folds, joined, material, root, asked)))
    each = [evaluation.metrics[0].value for evaluation in single]
    card = dataclasses.replace(card, data=card.data | {"folds": each})
    card = with_figures(card, together, metrics, wording.facts(metrics, options, material))
    write_card(stated(card), out)
    yield from keep_evaluation(together, options, root, out)
    return card


def _calibrated(
    options: TrainOptions, material: Material, joined: Joined, number: int, folder: Path
) -> ModelCard:
    """A fold's model folder, made again with what the other folds taught."""
    card = read_card(folder)
    student = load_network(options.model_stage, options, material, folder / WORK_FOLDER)
    fitted = calibration_of(joined, _own_novelty(folder), number)
    write_bundle(student, fitted, options, material, folder)
    data = card.data | {"figures": wording.FOLD_NOTE}
    card = dataclasses.replace(
        card, temperature=fitted.temperature, confidence_threshold=fitted.confidence, data=data
    )
    write_card(card, folder)
    return read_card(folder)


def _own_novelty(folder: Path) -> Novelty:
    """Novelty as the fold's own training fitted it, whatever an earlier joining made of it.

    A fold of an earlier release kept none apart: what lies in its folder is kept from now on.
    """
    kept = folder / WORK_FOLDER / NOVELTY
    if not kept.exists():
        write_atomic(kept, (folder / NOVELTY).read_bytes())
    return load_novelty(kept)


def _keep_fold(
    card: ModelCard, found: Evaluation, options: TrainOptions, root: Path
) -> Generator[TrainEvent, None, None]:
    metrics = figures_of(found, ())
    folder = card.folder
    card = with_figures(card, found, metrics, wording.fold_facts(metrics, found.data.split))
    write_card(card, folder)
    for _ in keep_evaluation(found, options, root, folder):
        pass
    write_readme(options, folder, tested=True)
    right = wording.interval(metrics[0])
    yield StageFinished("judge", f"{found.data.split}: {right}, n = {metrics[0].n}")


def _refusals(
    folds: Sequence[JudgedFold],
    joined: Joined,
    material: Material,
    root: Path,
    asked: JudgeOptions,
) -> tuple[Metric, ...]:
    """How many counter-examples get no answer from the folds that never saw them."""
    if joined.others is None:
        return ()
    names = sorted(set(joined.others.labels))
    scales: dict[Path, float | None] = {}
    for part in material.foreign:
        scales |= part.samples.scales
    answers: dict[str, list[FieldAnswer]] = {name: [] for name in names}
    for number, fold in enumerate(folds, start=1):
        judge = load_judge(fold.card, asked)
        for name in names:
            fields = fields_of(joined.others, root, number, scales, name)
            answers[name] += judge.answers(fields)
    return tuple(refused(name, found) for name, found in answers.items())
