"""The last stages: calibrate, evaluate, and bundle the distilled student as a model folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save
from torch import nn

from lungscan import __version__
from lungscan.cards import CARD_SCHEMA, Metric, ModelCard, read_card, write_card
from lungscan.dataset.folds import read_fold
from lungscan.errors import UsageProblem
from lungscan.evaluation.options import JudgeOptions
from lungscan.runtimes.statistics import keep_statistics
from lungscan.training import wording
from lungscan.training.after import (
    compress_bundle,
    figures_of,
    judge_bundle,
    keep_evaluation,
    write_readme,
)
from lungscan.training.bundle import deploy, write_network
from lungscan.training.classes import ClassWords, described
from lungscan.training.evaluate import outputs_of
from lungscan.training.events import StageFinished, StageStarted, TrainEvent
from lungscan.training.golden import golden_fields
from lungscan.training.judge import Calibration, calibrate, compare_networks, refusals
from lungscan.training.material import Material, at_input_size
from lungscan.training.options import TrainOptions
from lungscan.training.out_of_fold import ANSWERS_FILE, write_answers
from lungscan.training.stages import load_network

# What a twin that lends its figures may be told otherwise.
MAY_DIFFER = {
    "name",
    "summary",
    "limits",
    "intended_use",
    "classes",  # their names and colours; that the same are tumour is checked
    "split",
    "fold",
    "figures_from",
    "alone",
    "threads",
    "device",
    "tensorboard",
    "robustness",
    "int8",
    "int8_bound",
}


def finish(
    options: TrainOptions, material: Material, root: Path, work: Path, out: Path, command: str
) -> Generator[TrainEvent, None, None]:
    """Write the model folder ``out`` from finished checkpoints in ``work``, and judge it.

    Raises:
        ModelError: a stage is not finished, or a network cannot be folded.
    """
    material = at_input_size(material, options.classify_px)
    student = load_network(options.model_stage, options, material, work)
    yield StageStarted("calibrate", "on the validation groups")
    tested = len(material.split.test) > 0
    words = described(options.classes, material.samples.class_names)
    twin = _twin(options, words) if options.figures_from and not tested else None
    fitted = calibrate(student, material, twin)
    yield StageFinished(
        "calibrate",
        f"temperature {fitted.temperature:.3f}, least confidence {fitted.confidence:.3f}",
    )
    others: tuple[Metric, ...] = ()
    if tested:
        yield StageStarted("evaluate", "the other networks, on the test groups")
        others = compare_networks(student, options, material, work)
        if options.fold:
            _keep_answers(student, options, material, work)
    yield StageStarted("bundle", out.name)
    _write_network(student, fitted, options, material, out)
    card = _card(options, material, fitted, words, command)
    if tested:
        card = yield from _judged(card, options, material, others, root, work, out)
    else:
        metrics = () if twin is None else twin.metrics
        reliability = () if twin is None else twin.reliability
        facts = wording.facts(metrics, options, material)
        card = dataclasses.replace(card, metrics=metrics, reliability=reliability, facts=facts)
        write_card(card, out)
    for metric in card.metrics:
        yield StageFinished("bundle", wording.metric_line(metric))
    write_readme(options, out, tested=tested)
    yield StageFinished("bundle", f"{out.name} {read_card(out).sha256[:12]}")
    if options.int8:
        yield from compress_bundle(options, material, out, command)


def _write_network(
    student: nn.Module, fitted: Calibration, options: TrainOptions, material: Material, out: Path
) -> None:
    """Everything of the model folder but its card."""
    out.mkdir(parents=True, exist_ok=True)
    probe = torch.from_numpy(golden_fields(options.classify_px, options.seed))
    deployed = deploy(student, material.classes, fitted.temperature, probe)
    write_network(deployed, options.classify_px, out)
    keep_statistics(out, material.squares.of(material.split.train))
    numbers = {k: np.ascontiguousarray(v) for k, v in dataclasses.asdict(fitted.novelty).items()}
    # Not `save_file`: that makes a file which only its owner may read.
    (out / "novelty.safetensors").write_bytes(save(numbers))
    with torch.inference_mode():
        golden = deployed(probe)[0].numpy()
    np.savez_compressed(out / "golden.npz", fields=probe.numpy(), probs=golden)


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
    found = yield from judge_bundle(options, root, work, out)
    refused = refusals(read_card(out), material, JudgeOptions(threads=options.threads or None))
    metrics = figures_of(found, (*others, *refused))
    card = dataclasses.replace(
        card,
        metrics=metrics,
        reliability=tuple((b.confidence, b.accuracy, b.n) for b in found.reliability),
        facts=wording.facts(metrics, options, material),
    )
    write_card(card, out)
    yield from keep_evaluation(found, options, root, out)
    return card


def _keep_answers(
    student: nn.Module, options: TrainOptions, material: Material, work: Path
) -> None:
    """Write what the student says of its fold, for whoever joins all folds."""
    rows = material.split.test
    squares = material.squares.taken(rows)
    write_answers(
        work / ANSWERS_FILE,
        [material.rows[row] for row in rows],
        read_fold(options.fold),
        material.samples.class_names,
        outputs_of(student, squares.pixels).logits,
        squares.counts,
    )


def _twin(options: TrainOptions, words: Sequence[ClassWords]) -> ModelCard:
    """The card of a model that was fitted by the same recipe with groups held out.

    Raises:
        UsageProblem: its recipe is another one.
    """
    card = read_card(Path(options.figures_from))
    ours = _plain(options)
    theirs = _plain(TrainOptions(name="")) | card.recipe  # it may not know a newer option
    changed = [key for key in ours if key not in MAY_DIFFER and ours[key] != theirs[key]]
    if card.tumour != tuple(item.tumour for item in words):
        changed.append("the classes that are tumour")
    if changed:
        raise UsageProblem(
            f"The figures of {card.name} are not those of this recipe: {', '.join(changed)} differ."
        )
    return card


def _plain(options: TrainOptions) -> dict[str, object]:
    """The options as a card's JSON holds them."""
    values: dict[str, object] = json.loads(json.dumps(dataclasses.asdict(options)))
    return values


def _card(
    options: TrainOptions,
    material: Material,
    fitted: Calibration,
    words: tuple[ClassWords, ...],
    command: str,
) -> ModelCard:
    """The card without figures."""
    names = material.samples.class_names
    parts = material.split
    return ModelCard(
        schema=CARD_SCHEMA,
        name=options.name,
        version=__version__,
        summary=wording.summary(options, words),
        licence="Apache-2.0",
        architecture=options.student,
        teacher=options.teacher,
        class_names=names,
        display_names=tuple(item.name for item in words),
        colors=tuple(item.color for item in words),
        tumour=tuple(item.tumour for item in words),
        patch_size_pixels=options.classify_px,
        spacing_um_px=options.classify_spacing,
        spacing_note=options.spacing_note,
        large_fields=wording.LARGE_FIELDS,
        temperature=fitted.temperature,
        confidence_threshold=fitted.confidence,
        novelty_threshold=1.0,
        minimum_tissue_mm2=options.minimum_tissue_mm2,
        tumour_limit_mm2=options.tumour_limit_mm2,
        tumour_limit_share=options.tumour_limit_share,
        data={
            "summary": wording.data_summary(options, material),
            "sha256": material.data_sha256,
            "contents_sha256": material.contents_sha256,
            "protocol": options.protocol,
            "fields": {
                "train": len(parts.train),
                "validation": len(parts.validation),
                "test": len(parts.test),
            },
            "leaking_groups": len(material.leaking),
            "figures": wording.figures_note(options, material),
            "test_groups": sorted({material.samples.groups[i] for i in parts.test}),
        },
        command=command,
        seed=options.seed,
        recipe=dataclasses.asdict(options),
        metrics=(),
        reliability=(),
        facts=(("Accuracy", "not measured yet: the run that made this model was stopped"),),
        intended_use=options.intended_use or wording.INTENDED_USE,
        limits=wording.limits(options, material, words),
        files={},
    )
