"""What calibration learns on the validation groups, and what the test groups then show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from lungscan.cards import Metric, ModelCard
from lungscan.novelty import Novelty
from lungscan.training.calibrate import (
    LEAST_CONFIDENCE,
    LabelArray,
    Outputs,
    calibration_error,
    confidence_limit,
    fit_novelty,
    fit_temperature,
    reliability,
    softmax,
)
from lungscan.training.evaluate import (
    accuracy_metric,
    class_metrics,
    difference_metric,
    outputs_of,
)
from lungscan.training.material import Material
from lungscan.training.options import TrainOptions
from lungscan.training.stages import finished, load_network, load_teacher
from lungscan.types import FloatArray


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
    train = outputs_of(student, material.pixels[parts.train])
    known = outputs_of(student, material.pixels[parts.validation])
    labels = material.samples.labels[parts.validation]
    temperature = fit_temperature(known.logits[:, :classes], labels)
    least = LEAST_CONFIDENCE
    if twin is not None:
        temperature = max(temperature, twin.temperature)
        least = max(least, twin.confidence_threshold)
    layer = student.get_classifier()  # type: ignore[operator]  # every timm network has it
    novelty = fit_novelty(
        train,
        material.samples.labels[parts.train],
        known,
        _foreign_outputs(student, material),
        layer.weight.detach().numpy(),
        layer.bias.detach().numpy(),
    )
    probs = softmax(known.logits[:, :classes], temperature)
    return Calibration(temperature, max(least, confidence_limit(probs)), novelty)


def _foreign_outputs(student: nn.Module, material: Material) -> Outputs | None:
    """Outputs for the validation groups of all counter-examples, each folder weighing the same."""
    parts = [f.pixels[f.split.validation] for f in material.foreign if len(f.split.validation)]
    if not parts:
        return None
    least = min(len(part) for part in parts)
    return outputs_of(student, np.concatenate([part[:least] for part in parts]))


def judge(
    student: nn.Module,
    fitted: Calibration,
    options: TrainOptions,
    material: Material,
    work: Path,
) -> tuple[list[Metric], tuple[tuple[float, float, int], ...]]:
    """The figures of the test groups, and the reliability diagram's bins."""
    classes, rows = material.classes, material.split.test
    labels = material.samples.labels[rows]
    groups = [material.samples.groups[i] for i in rows]
    pixels = material.pixels[rows]
    own = outputs_of(student, pixels)
    right = own.logits[:, :classes].argmax(1) == labels
    probs = softmax(own.logits[:, :classes], fitted.temperature)
    teacher = load_teacher(options, material, work)
    taught = outputs_of(teacher, pixels).logits[:, :classes].argmax(1) == labels
    metrics = [
        accuracy_metric("accuracy teacher", taught, groups, options.teacher),
        accuracy_metric("accuracy student", right, groups, "distilled; the model"),
    ]
    if finished("alone", options, material, work):
        network = load_network("alone", options, material, work)
        alone = outputs_of(network, pixels).logits[:, :classes].argmax(1) == labels
        metrics += [
            accuracy_metric("accuracy student alone", alone, groups, "without the teacher"),
            difference_metric("gain by distillation", right, alone, groups, "student minus alone"),
        ]
    metrics += [
        *_answered(own, probs, fitted, labels, groups),
        *class_metrics(probs, labels, groups, material.samples.class_names),
    ]
    error = calibration_error(probs, labels)
    metrics.append(
        Metric("calibration error", error, None, None, len(labels), len(set(groups)), "10 bins")
    )
    metrics.extend(_refused(student, fitted, material))
    return metrics, reliability(probs, labels)


def _answered(
    own: Outputs,
    probs: FloatArray,
    fitted: Calibration,
    labels: LabelArray,
    groups: list[str],
) -> list[Metric]:
    """How many test fields get an answer, and how many of these answers are right."""
    answered = (fitted.novelty.score(own.features) <= 1) & (probs.max(1) >= fitted.confidence)
    right = probs.argmax(1) == labels
    kept = [group for group, answer in zip(groups, answered, strict=True) if answer]
    return [
        accuracy_metric("answered", answered, groups, "network alone, before the tissue checks"),
        accuracy_metric("accuracy of the answered", right[answered], kept),
    ]


def _refused(student: nn.Module, fitted: Calibration, material: Material) -> list[Metric]:
    """How many counter-examples of the test groups are refused."""
    found = []
    for foreign in material.foreign:
        rows = foreign.split.test
        own = outputs_of(student, foreign.pixels[rows])
        probs = softmax(own.logits[:, : material.classes], fitted.temperature)
        refused = (fitted.novelty.score(own.features) > 1) | (probs.max(1) < fitted.confidence)
        groups = [foreign.samples.groups[i] for i in rows]
        note = "network alone, test groups"
        found.append(accuracy_metric(f"refused {foreign.name}", refused, groups, note))
    return found
