"""A whole training run: fit the networks, then calibrate, evaluate and bundle."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import torch

from lungscan.errors import UsageProblem
from lungscan.training import checkpoint
from lungscan.training.events import StageFinished, StageStarted, TrainEvent
from lungscan.training.finish import finish
from lungscan.training.material import gather
from lungscan.training.options import TrainOptions
from lungscan.training.stages import STAGES, Stage, checkpoint_path, fit_stage

BUNDLE = "bundle"
STAGE_NAMES: tuple[str, ...] = (*STAGES, BUNDLE)


def train(
    options: TrainOptions,
    root: Path,
    out: Path,
    stages: tuple[str, ...] = STAGE_NAMES,
    command: str = "",
) -> Generator[TrainEvent, None, None]:
    """Make a model folder from data folders; the same call goes on where it was stopped.

    Args:
        options: the recipe.
        root: folder that holds the data folders.
        out: the model folder to be; checkpoints and curves lie in ``out/training``.
        stages: which stages to run, in this order: ``teacher``, ``student`` (needs the teacher),
            ``alone`` (the student without the teacher, for comparison), ``bundle``.
        command: how the run was started, for the card.

    Raises:
        UsageProblem: an unknown stage, or data that cannot be split.
        ModelError: a stage that another needs is not finished, or checkpoints of another recipe.
    """
    unknown = set(stages) - set(STAGE_NAMES)
    if unknown:
        wrong, known = ", ".join(sorted(unknown)), ", ".join(STAGE_NAMES)
        raise UsageProblem(f"There is no stage {wrong}. Choose among {known}.")
    torch.set_num_threads(options.threads)
    work = out / "training"
    yield StageStarted("data", "reading and splitting by group")
    material = gather(options, root)
    parts = material.split
    yield StageFinished(
        "data",
        f"{len(parts.train)} fields to train on, {len(parts.validation)} to validate, "
        f"{len(parts.test)} to test; no group on two sides",
    )
    for stage in STAGES:
        if stage in stages:
            yield from fit_stage(stage, options, material, work)
            _write_curves(options, work)
    if BUNDLE in stages:
        yield from finish(options, material, work, out, command)


def _write_curves(options: TrainOptions, work: Path) -> None:
    """Loss and validation accuracy of every stage so far, beside the checkpoints."""
    curves: dict[Stage, object] = {}
    for stage in STAGES:
        state = checkpoint.load(checkpoint_path(work, stage), options.fingerprint())
        if state is not None:
            curves[stage] = state["history"]
    text = json.dumps(curves, indent=1)
    (work / "curves.json").write_text(text + "\n", encoding="utf-8")
