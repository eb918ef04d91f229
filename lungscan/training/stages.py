"""The networks of a training run, one stage each; each goes on from its last finished epoch."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lungscan.errors import ModelError, UsageProblem
from lungscan.training import checkpoint
from lungscan.training.data import (
    Material,
    at_input_size,
    joined,
    training_pictures,
    validation_pictures,
)
from lungscan.training.distributed import Ranks
from lungscan.training.events import StageFinished, StageStarted, TrainEvent
from lungscan.training.features import Learner, feature_loss, feature_teacher, start_from
from lungscan.training.fit import Job, Pictures, fit
from lungscan.training.head import HeadJob, fit_head, inner_folds
from lungscan.training.losses import Loss, loss_of
from lungscan.training.networks import create
from lungscan.training.options import Fit, TrainOptions
from lungscan.training.stage_names import Stage
from lungscan.training.starting import network_of
from lungscan.training.taught import require_same_teachers, teachers_sha256
from lungscan.training.teacher import Ensemble, Teacher

FOLDS_FOLDER = "folds"  # of a model folder: a folder for each fold


def fit_stage(
    stage: Stage, options: TrainOptions, material: Material, work: Path, ranks: Ranks
) -> Generator[TrainEvent, None, None]:
    """Fit one network; what an earlier run finished is not done again.

    Raises:
        UsageProblem: the stage features is asked for, and the recipe does not say how.
        ModelError: a stage that this one needs is not finished, or checkpoints of another recipe.
    """
    if stage == "features" and options.features_fit is None:
        raise UsageProblem("The recipe has no features_fit, so the stage features has no schedule.")
    if stage == "head":
        yield from _fit_head(options, material, work, ranks)
        return
    settings = stage_fit(stage, options)
    yield StageStarted(stage, stage_network(stage, options), epochs=settings.epochs)
    if not finished(stage, options, material, work):
        job = Job(
            stage=stage,
            fit=settings,
            class_names=material.samples.class_names,
            train=_pictures(stage, options, material),
            validation=validation_pictures(material, options.classify_px),
            drawn_examples=options.drawn_examples,
            augment=options.augment,
            seed=options.seed,
            path=checkpoint_path(work, stage),
            fingerprint=options.fingerprint(stage, material.fingerprint_sha256),
            architecture=stage_network(stage, options),
            teachers_sha256=teachers_sha256(options) if stage == "student" else (),
        )
        yield from _fit(job, stage, options, material, work, ranks)
    yield StageFinished(stage, f"{settings.epochs} epochs done")


def _fit_head(
    options: TrainOptions, material: Material, work: Path, ranks: Ranks
) -> Generator[TrainEvent, None, None]:
    head = options.head_fit
    if head is None:
        raise UsageProblem("The recipe has no head_fit, so the stage head does not know how.")
    yield StageStarted("head", options.student, epochs=len(head.penalties))
    if not finished("head", options, material, work):
        torch.manual_seed(options.seed)
        if head.on == "start":
            network = _beginning("alone", options, material, work)
        else:
            network = load_network(options.fitted_stage, options, material, work)
        job = HeadJob(
            head=head,
            class_names=material.samples.class_names,
            seen=training_pictures(at_input_size(material, options.classify_px)),
            cached=training_pictures(material),
            folds=inner_folds(material, head.inner_folds, options.seed),
            crop_px=options.classify_px,
            drawn_examples=options.drawn_examples,
            augment=options.augment,
            seed=options.seed,
            path=checkpoint_path(work, "head"),
            fingerprint=options.fingerprint("head", material.fingerprint_sha256),
            architecture=options.student,
        )
        yield from fit_head(job, network, ranks)
    state = _finished("head", options, material, work)
    yield StageFinished("head", f"penalty {state['penalty']:g} of {head.inner_folds} inner folds")


def _pictures(stage: Stage, options: TrainOptions, material: Material) -> Pictures:
    """What a stage learns from. Pictures without a label serve the stage features alone."""
    own = training_pictures(material)
    if stage not in options.more_in or material.more is None:
        return own
    further = material.more.pictures
    return joined(own, further if stage == "features" else further.labelled())


def _fit(
    job: Job, stage: Stage, options: TrainOptions, material: Material, work: Path, ranks: Ranks
) -> Generator[TrainEvent, None, None]:
    teacher: Teacher | None = None
    loss: Loss = partial(loss_of, distil=options.distil, weights=_weights(job))
    if stage == "student":
        teacher = Teacher(load_teacher(options, material, work), ranks.device)
    torch.manual_seed(options.seed)
    network = _beginning(stage, options, material, work)
    if stage == "features":
        views = (job.fit.phases[0], options.augment, options.seed)
        taught = feature_teacher(options.feature_teacher, ranks.device)
        network = Learner(network, taught.standardise(job.train.pixels, *views))
        teacher, loss = taught, partial(feature_loss, weights=options.features)
    yield from fit(job, network, teacher, loss, ranks)


def _weights(job: Job) -> torch.Tensor | None:
    """How much each class weighs, where the recipe balances them."""
    if not job.fit.balance:
        return None
    return job.train.class_weights(job.classes, job.fit.balance)


def _beginning(stage: Stage, options: TrainOptions, material: Material, work: Path) -> nn.Module:
    """The network that a stage goes on with: new, pretrained, or what an earlier stage made."""
    if stage == "finetune":
        return load_network("student", options, material, work)
    if options.start_from:
        return network_of(options, material.samples.class_names, training_pictures(material))
    name, outputs = stage_network(stage, options), material.classes + 1
    drop_path = stage_fit(stage, options).drop_path
    if stage == "teacher" or options.features_fit is None:
        return create(name, outputs, pretrained=options.pretrained, drop_path=drop_path)
    network = create(name, outputs, pretrained=False, drop_path=drop_path)
    if stage != "features" and options.features_of_fold:
        start_from(network, _features_of_fold(options, work))
    elif stage != "features":
        start_from(network, _finished("features", options, material, work)["average"])
    return network


def _features_of_fold(options: TrainOptions, work: Path) -> dict[str, Any]:
    """What a fold learnt before its labels, for the model on all groups in ``work``'s folder."""
    fold = work.parent / FOLDS_FOLDER / str(options.features_of_fold) / work.name
    state = checkpoint.load(checkpoint_path(fold, "features"), None)
    if state is None or state["epoch"] < stage_fit("features", options).epochs:
        raise ModelError(
            f"The model shall begin from the features of fold {options.features_of_fold}, and "
            f"folds/{options.features_of_fold} holds none that are finished; train that "
            "fold first, or say --set features_of_fold=0."
        )
    values: dict[str, Any] = state["average"]
    return values


def stage_fit(stage: Stage, options: TrainOptions) -> Fit:
    """The settings of a stage; the student alone gets exactly those of the distilled one."""
    if stage == "features" and options.features_fit is not None:
        return options.features_fit
    if stage == "teacher":
        return options.teacher_fit
    if stage == "finetune" and options.finetune_fit is not None:
        return options.finetune_fit
    return options.student_fit


def stage_network(stage: Stage, options: TrainOptions) -> str:
    """The network that a stage fits, by timm's name."""
    return options.teacher if stage == "teacher" else options.student


def checkpoint_path(work: Path, stage: Stage) -> Path:
    """Where a stage keeps its checkpoint."""
    return work / "checkpoints" / f"{stage}.pt"


def finished(stage: Stage, options: TrainOptions, material: Material, work: Path) -> bool:
    """Whether a stage has its last epoch behind it."""
    state = _kept(stage, options, material, work)
    return state is not None and state["epoch"] >= _epochs(stage, options)


def _kept(
    stage: Stage, options: TrainOptions, material: Material, work: Path
) -> dict[str, Any] | None:
    """The checkpoint of a stage; None where there is none.

    Raises:
        ModelError: it is damaged, or of other options, data or teachers.
    """
    belongs = options.fingerprint(stage, material.fingerprint_sha256)
    state = checkpoint.load(checkpoint_path(work, stage), belongs)
    if state is not None and stage == "student":
        require_same_teachers(state, options)
    return state


def _epochs(stage: Stage, options: TrainOptions) -> int:
    """With how many epochs a stage has ended; a head's are the penalties that it tries."""
    if stage == "head" and options.head_fit is not None:
        return len(options.head_fit.penalties)
    return stage_fit(stage, options).epochs


_FOLLOWERS: dict[Stage, tuple[Stage, ...]] = {
    "features": ("student", "alone"),
    "teacher": ("student",),
    "student": ("finetune",),
}


def _serves(stage: Stage, options: TrainOptions) -> list[Stage]:
    """The stages of this run that begin with what this one makes."""
    found = list(_FOLLOWERS.get(stage, ()))
    begins = options.head_fit is not None and options.head_fit.on == "start"
    if stage == ("features" if begins else options.fitted_stage):
        found.append("head")
    return [name for name in found if name in options.stages]


def not_needed(stage: Stage, options: TrainOptions, material: Material, work: Path) -> bool:
    """Whether a stage is unfinished, but all that would come of it is there.

    So it is where a student came from another machine, alone.
    """
    if finished(stage, options, material, work):
        return False
    later = _serves(stage, options)
    return bool(later) and all(
        finished(name, options, material, work) or not_needed(name, options, material, work)
        for name in later
    )


def load_network(stage: Stage, options: TrainOptions, material: Material, work: Path) -> nn.Module:
    """A finished stage's network with its averaged weights, in evaluation mode, on the CPU.

    Raises:
        ModelError: the stage has no finished checkpoint under these options.
    """
    values = _finished(stage, options, material, work)["average"]
    network = create(stage_network(stage, options), material.classes + 1, pretrained=False)
    network.load_state_dict(values)
    return network.to(memory_format=torch.channels_last).eval()


def _finished(
    stage: Stage, options: TrainOptions, material: Material, work: Path
) -> dict[str, Any]:
    """The checkpoint of a stage that has its last epoch behind it."""
    state = _kept(stage, options, material, work)
    if state is None or state["epoch"] < _epochs(stage, options):
        raise ModelError(f"The stage {stage} is not finished in {work.name}; run it first.")
    return state


def has_teacher(options: TrainOptions, material: Material, work: Path) -> bool:
    """Whether there is a teacher to ask; a student that came finished has brought none."""
    if options.teachers:
        return all(Path(path).is_file() for path in options.teachers)
    return bool(options.teacher) and finished("teacher", options, material, work)


def load_teacher(options: TrainOptions, material: Material, work: Path) -> nn.Module:
    """This run's teacher, or those of other runs that ``teacher_from`` names.

    Raises:
        ModelError: there is none, it is another network, or it was never finished.
        UsageProblem: it knows other classes.
    """
    if not options.teachers:
        return load_network("teacher", options, material, work)
    loaded = [_teacher(Path(path), options, material) for path in options.teachers]
    return loaded[0] if len(loaded) == 1 else Ensemble(loaded)


def _teacher(path: Path, options: TrainOptions, material: Material) -> nn.Module:
    """The network of another run's checkpoint."""
    state = checkpoint.load(path, None)
    if state is None:
        raise ModelError(f"There is no teacher {path.name}; teacher_from names a teacher.pt.")
    own, theirs = material.samples.class_names, tuple(state["class_names"])
    if own != theirs:
        raise UsageProblem(
            f"The teacher knows the classes {', '.join(theirs)}, the data {', '.join(own)}. "
            "Fit a teacher on these data, or give one with the same classes."
        )
    name = str(state.get("architecture", options.teacher))  # older checkpoints do not say
    network = create(name, material.classes + 1, pretrained=False)
    try:
        network.load_state_dict(state["average"])
    except RuntimeError as error:
        raise ModelError(f"{path.name} does not hold a {name}.") from error
    return network.to(memory_format=torch.channels_last).eval()
