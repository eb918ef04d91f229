"""What calibration learns on the validation groups, and what the test groups then show."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from lungscan.cards import Metric, ModelCard
from lungscan.evaluation.events import FieldsJudged
from lungscan.evaluation.judging import Judge, load_judge
from lungscan.evaluation.options import JudgeOptions
from lungscan.evaluation.records import FieldAnswer, LabelledField
from lungscan.novelty import Novelty
from lungscan.training.calibrate import (
    LEAST_CONFIDENCE,
    Outputs,
    confidence_limit,
    fit_novelty,
    fit_temperature,
    softmax,
)
from lungscan.training.evaluate import outputs_of, right_pictures, share_metric
from lungscan.training.material import Foreign, Material
from lungscan.training.options import TrainOptions
from lungscan.training.stages import finished, load_network, load_teacher

_FORCED = "forced choice, fields of this source alone"


@dataclass(frozen=True)
class Calibration:
    """What the validation groups taught."""

    temperature: float
    confidence: float
    novelty: Novelty


def calibrate(student: nn.Module, material: Material, twin: ModelCard | None) -> Calibration:
    """Fit temperature and limits on the validation groups.

    Of two estimates the more careful one counts: a model that was fitted on nearly all groups has
    few left to calibrate on, so it is never surer than its twin was found to be.
    """
    classes, parts = material.classes, material.split
    squares, every = material.squares, np.repeat(material.samples.labels, material.squares.counts)
    train_rows, rows = squares.rows(parts.train), squares.rows(parts.validation)
    train = outputs_of(student, squares.pixels[train_rows])
    known = outputs_of(student, squares.pixels[rows])
    labels = every[rows]
    temperature = fit_temperature(known.logits[:, :classes], labels)
    least = LEAST_CONFIDENCE
    if twin is not None:
        temperature = max(temperature, twin.temperature)
        least = max(least, twin.confidence_threshold)
    layer = student.get_classifier()  # type: ignore[operator]  # every timm network has it
    novelty = fit_novelty(
        train,
        every[train_rows],
        known,
        _foreign_outputs(student, material),
        layer.weight.detach().numpy(),
        layer.bias.detach().numpy(),
    )
    probs = softmax(known.logits[:, :classes], temperature)
    return Calibration(temperature, max(least, confidence_limit(probs)), novelty)


def _foreign_outputs(student: nn.Module, material: Material) -> Outputs | None:
    """Outputs for the validation groups of all counter-examples, each folder weighing the same."""
    parts = [f.squares.of(f.split.validation) for f in material.foreign if len(f.split.validation)]
    if not parts:
        return None
    least = min(len(part) for part in parts)
    return outputs_of(student, np.concatenate([part[:least] for part in parts]))


def compare_networks(
    student: nn.Module, options: TrainOptions, material: Material, work: Path
) -> tuple[Metric, ...]:
    """How the other networks of the run do on the test groups, and what distillation gained.

    By the networks alone, without the checks that classification makes.
    """
    rows = material.split.test
    squares, labels = material.squares.taken(rows), material.samples.labels[rows]
    groups = [material.samples.groups[i] for i in rows]
    alone_note = "network alone, without the checks of classification"
    teacher = right_pictures(load_teacher(options, material, work), squares, labels)
    found = [share_metric("accuracy teacher", teacher, groups, f"{options.teacher}; {alone_note}")]
    if finished("alone", options, material, work):
        own = right_pictures(student, squares, labels)
        other = right_pictures(load_network("alone", options, material, work), squares, labels)
        note = f"without the teacher; {alone_note}"
        found.append(share_metric("accuracy student alone", other, groups, note))
        gain = own.astype(np.float64) - other
        found.append(
            share_metric("gain by distillation", gain, groups, f"both by the {alone_note}")
        )
    return tuple(found)


def by_source(
    found: Sequence[FieldAnswer], options: TrainOptions, material: Material
) -> tuple[Metric, ...]:
    """Accuracy on the fields of each source, forced choice; none where there is one source."""
    of = material.samples.sources
    if of is None:
        return ()
    source_of = dict(zip((row.file for row in material.rows), of.tolist(), strict=True))
    metrics = []
    for number, source in enumerate(options.sources):
        own = [answer for answer in found if answer.judged and source_of[answer.file] == number]
        if own:
            right = np.array([answer.forced == answer.label for answer in own])
            groups = [answer.group for answer in own]
            metrics.append(share_metric(f"accuracy source {source.name}", right, groups, _FORCED))
    return tuple(metrics)


def refusals(card: ModelCard, material: Material, options: JudgeOptions) -> tuple[Metric, ...]:
    """How many counter-examples of the test groups get no answer, by the judge of evaluations."""
    judge = load_judge(card, options)
    return tuple(_refused(judge, foreign) for foreign in material.foreign)


def _refused(judge: Judge, foreign: Foreign) -> Metric:
    samples = foreign.samples.take(foreign.split.test)
    fields = [
        LabelledField(path.name, path, "", group)
        for path, group in zip(samples.paths, samples.groups, strict=True)
    ]
    answers = _answers(judge.ask(fields))
    refused = np.array([answer.answer is None for answer in answers if answer.judged], np.bool_)
    groups = [answer.group for answer in answers if answer.judged]
    return share_metric(f"refused {foreign.name}", refused, groups, "test groups, no result given")


def _answers(
    steps: Generator[FieldsJudged, None, tuple[FieldAnswer, ...]],
) -> tuple[FieldAnswer, ...]:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            answers: tuple[FieldAnswer, ...] = end.value
            return answers
