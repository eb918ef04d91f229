"""The last stages: calibrate, evaluate, and bundle the distilled student as a model folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from pathlib import Path

import torch
from torch import nn

from lungscan.evaluation.options import JudgeOptions
from lungscan.model.card import Metric, ModelCard, write_card
from lungscan.model.checked import read_card
from lungscan.model.doubt import stated
from lungscan.model.folder import write_golden, write_novelty
from lungscan.results.atomic_files import into_place, machine_error
from lungscan.results.scratch import scratch_beside
from lungscan.runtimes.statistics import keep_statistics
from lungscan.training import wording
from lungscan.training.answered import keep_answers
from lungscan.training.bundle import deploy, write_network
from lungscan.training.classes import described
from lungscan.training.data import Material, at_input_size
from lungscan.training.events import StageFinished, StageStarted, TrainEvent
from lungscan.training.golden import golden_fields
from lungscan.training.judge import (
    Calibration,
    by_source,
    calibrate,
    compare_networks,
    refusals,
)
from lungscan.training.judge_model import (
    figures_of,
    judge_bundle,
    keep_evaluation,
    round_off,
    with_figures,
)
from lungscan.training.model_card import first_card, held_out_run
from lungscan.training.options import TrainOptions
from lungscan.training.stages import load_network


def finish(
    options: TrainOptions,
    material: Material,
    root: Path,
    work: Path,
    out: Path,
    command: str,
    *,
    judged: bool = True,
) -> Generator[TrainEvent, None, None]:
    """Write the model folder ``out`` from finished checkpoints in ``work``, and judge it.

    Args:
        options: the recipe.
        material: what it was trained on.
        root: folder that holds the data folders.
        work: folder of the checkpoints.
        out: the model folder to be.
        command: how the run was started, for the card.
        judged: False for one of several folds, which are judged together.

    Raises:
        ModelError: a stage is not finished, or a network cannot be folded.
    """
    material = at_input_size(material, options.classify_px)
    student = load_network(options.model_stage, options, material, work)
    yield StageStarted("calibrate", "on the validation groups")
    tested = len(material.split.test) > 0
    words = described(options.classes, material.samples.class_names)
    held_out = held_out_run(options, words) if options.figures_from and not tested else None
    fitted = calibrate(student, material, held_out, options.augment)
    yield StageFinished(
        "calibrate",
        f"temperature {fitted.temperature:.3f}, least confidence {fitted.confidence:.3f}",
    )
    if options.fold or options.leave_out:
        held = (
            f"of the source {options.leave_out}"
            if options.leave_out
            else f"out of fold {options.fold}"
        )
        yield StageStarted("answers", held)
        keep_answers(student, fitted.novelty, options, material, root, work)
        write_novelty(work, fitted.novelty)  # the joined folds' limits will replace the folder's
    others: tuple[Metric, ...] = ()
    if tested and judged and options.teacher:
        yield StageStarted("evaluate", "the other networks, on the test groups")
        others = compare_networks(student, options, material, work)
    yield StageStarted("bundle", out.name)
    write_bundle(student, fitted, options, material, out)
    card = first_card(options, material, fitted, words, command)
    if not judged:
        write_card(card, out)
        return
    if tested:
        card = yield from _judged(card, options, material, others, root, work, out)
    else:
        metrics = () if held_out is None else held_out.metrics
        reliability = () if held_out is None else held_out.reliability
        card = dataclasses.replace(
            card,
            metrics=metrics,
            reliability=reliability,
            coverage=() if held_out is None else held_out.coverage,
            facts=wording.facts(metrics, options, material),
        )
        write_card(stated(card), out)
    yield from round_off(card, options, material, out, command, tested=tested)


def write_bundle(
    student: nn.Module, fitted: Calibration, options: TrainOptions, material: Material, out: Path
) -> None:
    """Write everything of the model folder but its card, which must follow at once.

    The files are made beside the folder's own and put in place together: while the disk fills up,
    an earlier model stays whole.

    Args:
        student: the trained network; folded and rounded here.
        fitted: temperature and limits.
        options: the recipe.
        material: what it was trained on, every square at the size of the network's input.
        out: the model folder.

    Raises:
        ModelError: the network cannot be folded.
        MachineError: the disk is full, or the folder may not be written.
        OutputLocked: another training is at this very step.
    """
    probe = torch.from_numpy(golden_fields(options.classify_px, options.seed))
    deployed = deploy(student, material.classes, fitted.temperature, probe)
    with torch.inference_mode():
        golden = deployed(probe)[0].numpy()
    try:
        out.mkdir(parents=True, exist_ok=True)
        with scratch_beside(out / "bundle") as scratch:
            draft = scratch / "model"
            draft.mkdir()
            write_network(deployed, options.classify_px, draft)
            keep_statistics(draft, material.squares.of(material.split.train))
            write_novelty(draft, fitted.novelty)
            write_golden(draft, probe.numpy(), golden)
            for file in draft.iterdir():
                into_place(file, out / file.name)
    except OSError as error:
        raise machine_error(error, out) from error


def _judged(
    card: ModelCard,
    options: TrainOptions,
    material: Material,
    others: tuple[Metric, ...],
    root: Path,
    work: Path,
    out: Path,
) -> Generator[TrainEvent, None, ModelCard]:
    """The card with the figures of its own folder, which is judged under a card without any."""
    write_card(card, out)
    yield StageStarted("judge", "the model folder, on the test part")
    found = yield from judge_bundle(options, material, root, work, out)
    refused = refusals(read_card(out), material, JudgeOptions(threads=options.threads or None))
    own = by_source(found.answers, options, material)
    metrics = figures_of(found, (*own, *others, *refused))
    card = with_figures(card, found, metrics, wording.facts(metrics, options, material))
    write_card(stated(card), out)
    yield from keep_evaluation(found, options, root, out)
    return card
