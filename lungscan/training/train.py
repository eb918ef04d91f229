"""A whole training run: fit the networks, then calibrate, evaluate and bundle."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lungscan.dataset.learnt import WORK_FOLDER
from lungscan.errors import UsageProblem
from lungscan.training import starting, wording
from lungscan.training.classes import cure, described, unstated
from lungscan.training.data import Material, confounded, contradicted, gather, split_text
from lungscan.training.distributed import Ranks, join
from lungscan.training.events import RunStarted, StageFinished, StageStarted, TrainEvent
from lungscan.training.finish import finish
from lungscan.training.finish_folds import finish_folds
from lungscan.training.folding import (
    final_options,
    fold_folder,
    fold_options,
    is_done,
    of_one_network,
    require_same_data,
    require_sense,
    share_groups,
)
from lungscan.training.option_check import checked, require_read
from lungscan.training.options import TrainOptions
from lungscan.training.out_of_fold import ALONE_FILE
from lungscan.training.records import keep_curves, keep_records
from lungscan.training.stage_names import BUNDLE, STAGES, Stage
from lungscan.training.stages import checkpoint_path, finished, fit_stage, not_needed
from lungscan.training.starting import started, unseen
from lungscan.training.taught import apart_from_teachers
from lungscan.training.tensorboard import recorded

STAGE_NAMES: tuple[str, ...] = (*STAGES, BUNDLE)


def train(
    options: TrainOptions,
    root: Path,
    out: Path,
    stages: tuple[str, ...] = (),
    command: str = "",
) -> Generator[TrainEvent, None, None]:
    """Make a model folder from data folders; the same call goes on where it was stopped.

    Under torchrun every process calls it; the first alone writes files and finishes the model. With
    ``options.folds`` each fold is trained in ``out/folds`` first, and a fold that lies there
    finished is taken as it is.

    Args:
        options: the recipe.
        root: folder that holds the data folders.
        out: the model folder to be; checkpoints and curves lie in ``out/training``.
        stages: which stages to run, in this order: ``features`` (the student before the labels),
            ``teacher``, ``student`` (needs the teacher, and begins from the features),
            ``finetune`` (the student again, by labels alone), ``alone`` (the student without the
            teacher, for comparison), ``bundle``; none: all that the options ask for.
        command: how the run was started, for the card.

    Raises:
        UsageProblem: an unknown stage, an option that nobody can mean, data that cannot be split,
            or a split that leaks.
        ModelError: a stage that another needs is not finished, or checkpoints of another recipe.
        MachineError: the disk is full, or a device is not there.
    """
    unknown = set(stages) - set(STAGE_NAMES)
    if unknown:
        wrong, known = ", ".join(sorted(unknown)), ", ".join(STAGE_NAMES)
        raise UsageProblem(f"There is no stage {wrong}. Choose among {known}.")
    options = started(checked(options), root)
    require_read(options)  # a model to begin from leaves stages out
    _require_fitted(options, stages)
    with join(options.device, options.threads) as ranks:
        run = _Run(root, out, stages, command, ranks)
        yield from _folds(options, run) if options.folds else _one(of_one_network(options), run)


def _require_fitted(options: TrainOptions, stages: Sequence[str]) -> None:
    """Refuse the stages of a teacher where the recipe has none."""
    if not options.teacher and (missing := {"teacher", "student", "finetune"} & set(stages)):
        raise UsageProblem(
            f"The recipe has no teacher, so it has no stage {', '.join(sorted(missing))}. It has "
            f"{', '.join((*options.stages, BUNDLE))}."
        )


@dataclass(frozen=True)
class _Run:
    """What the recipe does not say."""

    root: Path
    out: Path
    stages: tuple[str, ...]
    command: str
    ranks: Ranks

    @property
    def work(self) -> Path:
        """Where checkpoints and curves lie."""
        return self.out / WORK_FOLDER

    @property
    def bundles(self) -> bool:
        """Whether this process ends with a model folder."""
        return self.ranks.first and BUNDLE in (self.stages or STAGE_NAMES)


def _one(options: TrainOptions, run: _Run) -> Generator[TrainEvent, None, None]:
    material = yield from _trained(options, run)
    if run.bundles:
        yield from finish(options, material, run.root, run.work, run.out, run.command)


def _folds(options: TrainOptions, run: _Run) -> Generator[TrainEvent, None, None]:
    """Each fold, the model on all groups, and what the folds say of it."""
    require_sense(options)
    runs = options.folds + 1
    places = [replace(run, out=fold_folder(run.out, n)) for n in range(1, runs)]
    parts = [fold_options(options, number) for number in range(1, runs)]
    # All are looked at before the first is trained: a fold of another recipe should cost nothing.
    done = [is_done(part, place.out) for part, place in zip(parts, places, strict=True)]
    for number, (part, place) in enumerate(zip(parts, places, strict=True), start=1):
        yield RunStarted(f"fold {number} of {options.folds}", number, runs)
        if done[number - 1] and not run.stages:
            yield StageFinished("fold", "finished already")
            continue
        if run.ranks.first:
            share_groups(places[0].work, place.work)
        run.ranks.wait()
        material = yield from _trained(part, place)
        if run.bundles:
            yield from finish(
                part, material, run.root, place.work, place.out, run.command, judged=False
            )
    yield RunStarted("the model, on all groups", runs, runs)
    if run.ranks.first:
        share_groups(places[0].work, run.work)
    run.ranks.wait()
    material = yield from _trained(final_options(options), run, [place.out for place in places])
    if run.bundles:
        yield from finish_folds(options, material, run.root, run.out, run.command)


def _trained(
    options: TrainOptions, run: _Run, folds: Sequence[Path] = ()
) -> Generator[TrainEvent, None, Material]:
    """Fit the networks, and return what they were fitted on: the same data as ``folds``."""
    events = _fitted(options, run, folds)
    if options.tensorboard and run.ranks.first:
        return (yield from recorded(events, run.work / "tensorboard"))
    return (yield from events)


def _gathered(options: TrainOptions, run: _Run) -> Material:
    """The material, without further pictures where no network is left to learn from them."""
    if options.more_pictures and checkpoint_path(run.work, options.model_stage).exists():
        material = gather(replace(options, more_pictures=()), run.root, run.work)
        left = [
            stage
            for stage in STAGES
            if stage in (run.stages or options.stages)
            and not finished(stage, options, material, run.work)
            and not _not_needed(stage, options, material, run.work)
        ]
        if not left:
            return material
    return gather(options, run.root, run.work)


def _not_needed(stage: Stage, options: TrainOptions, material: Material, work: Path) -> bool:
    """Whether what would come of a stage is there already, be it only its answers."""
    compared = stage == "alone" and options.model_stage != "alone"
    if compared and (work / ALONE_FILE).is_file() and not finished(stage, options, material, work):
        return True
    return not_needed(stage, options, material, work)


def _fitted(
    options: TrainOptions, run: _Run, folds: Sequence[Path]
) -> Generator[TrainEvent, None, Material]:
    work, ranks = run.work, run.ranks
    yield StageStarted("data", "reading and splitting")
    material = apart_from_teachers(options, unseen(options, _gathered(options, run)))
    require_same_data(folds, material)
    for sentence in material.skipped:
        yield StageFinished("data", f"left out: {sentence}")
    yield StageFinished("data", split_text(material))
    for sentence in filter(None, (confounded(options, material), contradicted(material))):
        yield StageFinished("data", sentence)
    if material.more is not None:
        yield StageFinished("data", material.more.text)
    folders = material.samples.class_names
    for sentence in wording.of_strangers(material):
        yield StageFinished("data", sentence)
    if options.start_from:
        yield StageFinished("data", starting.start_text(options, folders))
    words = described(options.classes, folders)
    if sentence := unstated(words):
        yield StageFinished("data", f"{sentence} {cure(words, folders)}")
    if ranks.first:
        keep_records(options, material, work)
    for stage in STAGES:
        if stage not in (run.stages or options.stages):
            continue
        if not run.stages and _not_needed(stage, options, material, work):
            yield StageFinished(stage, f"{stage} is not needed: what comes of it is there")
            continue
        yield from fit_stage(stage, options, material, work, ranks)
        if ranks.first:
            keep_curves(options, material, work)
    return material
