"""The networks of a training run, one stage each; each goes on from its last finished epoch."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from lungscan.errors import ModelError
from lungscan.training import checkpoint
from lungscan.training.events import StageFinished, StageStarted, TrainEvent
from lungscan.training.fit import Job, fit
from lungscan.training.material import Material, training_pictures, validation_pictures
from lungscan.training.networks import create
from lungscan.training.options import Fit, TrainOptions

Stage = Literal["teacher", "student", "alone"]
STAGES: tuple[Stage, ...] = ("teacher", "student", "alone")


def fit_stage(
    stage: Stage, options: TrainOptions, material: Material, work: Path
) -> Generator[TrainEvent, None, None]:
    """Fit one network; what an earlier run finished is not done again."""
    teacher = None
    if stage == "student":
        teacher = load_network("teacher", options, material.classes, work)
    settings = stage_fit(stage, options)
    torch.manual_seed(options.seed)
    network = create(
        stage_network(stage, options),
        material.classes + 1,
        pretrained=options.pretrained,
        drop_path=settings.drop_path,
    )
    job = Job(
        stage=stage,
        fit=settings,
        classes=material.classes,
        train=training_pictures(material),
        validation=validation_pictures(material, options.classify_px),
        drawn_examples=options.drawn_examples,
        stain_sigma=options.stain_sigma,
        seed=options.seed,
        path=checkpoint_path(work, stage),
        fingerprint=options.fingerprint(),
    )
    yield StageStarted(stage, stage_network(stage, options), epochs=settings.epochs)
    yield from fit(job, network, teacher, options.distil)
    yield StageFinished(stage, f"{settings.epochs} epochs done")


def stage_fit(stage: Stage, options: TrainOptions) -> Fit:
    """The settings of a stage; the student alone gets exactly those of the distilled one."""
    return options.teacher_fit if stage == "teacher" else options.student_fit


def stage_network(stage: Stage, options: TrainOptions) -> str:
    """The network that a stage fits, by timm's name."""
    return options.teacher if stage == "teacher" else options.student


def checkpoint_path(work: Path, stage: Stage) -> Path:
    """Where a stage keeps its checkpoint."""
    return work / "checkpoints" / f"{stage}.pt"


def load_network(stage: Stage, options: TrainOptions, classes: int, work: Path) -> nn.Module:
    """A finished stage's network with its averaged weights, in evaluation mode.

    Raises:
        ModelError: the stage has no finished checkpoint under these options.
    """
    state = checkpoint.load(checkpoint_path(work, stage), options.fingerprint())
    if state is None or state["epoch"] < stage_fit(stage, options).epochs:
        raise ModelError(f"The stage {stage} is not finished in {work.name}; run it first.")
    network = create(stage_network(stage, options), classes + 1, pretrained=False)
    network.load_state_dict(state["average"])
    return network.to(memory_format=torch.channels_last).eval()
