"""A whole training run: fit the networks, then calibrate, evaluate and bundle."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

from lungscan.errors import UsageProblem
from lungscan.training.board import recorded
from lungscan.training.classes import cure, described, unstated
from lungscan.training.events import StageFinished, StageStarted, TrainEvent
from lungscan.training.finish import finish
from lungscan.training.material import confounded, gather, told
from lungscan.training.options import STAGES, TrainOptions
from lungscan.training.ranks import join
from lungscan.training.records import keep_curves, keep_records
from lungscan.training.stages import fit_stage

BUNDLE = "bundle"
STAGE_NAMES: tuple[str, ...] = (*STAGES, BUNDLE)


def train(
    options: TrainOptions,
    root: Path,
    out: Path,
    stages: tuple[str, ...] = (),
    command: str = "",
) -> Generator[TrainEvent, None, None]:
    """Make a model folder from data folders; the same call goes on where it was stopped.

    Under torchrun every process calls it; the first alone writes files and finishes the model.

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
        UsageProblem: an unknown stage, or data that cannot be split, or a split that leaks.
        ModelError: a stage that another needs is not finished, or checkpoints of another recipe.
        MachineError: the disk is full, or a device is not there.
    """
    unknown = set(stages) - set(STAGE_NAMES)
    if unknown:
        wrong, known = ", ".join(sorted(unknown)), ", ".join(STAGE_NAMES)
        raise UsageProblem(f"There is no stage {wrong}. Choose among {known}.")
    events = _events(options, root, out, stages, command)
    if options.tensorboard and os.environ.get("RANK", "0") == "0":
        events = recorded(events, out / "training" / "tensorboard")
    yield from events


def _events(
    options: TrainOptions, root: Path, out: Path, stages: tuple[str, ...], command: str
) -> Generator[TrainEvent, None, None]:
    work = out / "training"
    with join(options.device, options.threads) as ranks:
        yield StageStarted("data", "reading and splitting")
        material = gather(options, root, work)
        for sentence in material.skipped:
            yield StageFinished("data", f"left out: {sentence}")
        yield StageFinished("data", told(material))
        if sentence := confounded(options, material):
            yield StageFinished("data", sentence)
        if material.more is not None:
            yield StageFinished("data", material.more.told)
        folders = material.samples.class_names
        words = described(options.classes, folders)
        if sentence := unstated(words):
            yield StageFinished("data", f"{sentence} {cure(words, folders)}")
        if ranks.first:
            keep_records(options, material, work)
        for stage in STAGES:
            if stage in (stages or options.stages):
                yield from fit_stage(stage, options, material, work, ranks)
                if ranks.first:
                    keep_curves(options, material, work)
        if ranks.first and BUNDLE in (stages or STAGE_NAMES):
            yield from finish(options, material, root, work, out, command)
