"""What calibration learns on the validation groups, and what the test groups then show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lungscan.evaluation.judging import load_judge
from lungscan.evaluation.options import JudgeOptions
from lungscan.evaluation.records import FieldAnswer, LabelledField
from lungscan.model.appearance import fit_appearance, statistics
from lungscan.model.card import Metric, ModelCard
from lungscan.model.novelty import Novelty
from lungscan.training.augment import views
from lungscan.training.calibrate import (
    LEAST_CONFIDENCE,
    LUNG_SHARE,
    Outputs,
    confidence_limit,
    fit_novelty,
    fit_temperature,
    softmax,
    trusted_reach,
)
from lungscan.training.data import Material
from lungscan.training.network_answers import (
    not_measured,
    outputs_of,
    right_pictures,
    share_metric,
)
from lungscan.training.options import Augment, TrainOptions
from lungscan.training.stages import finished, has_teacher, load_network, load_teacher

VALIDATION_VIEWS = 2  # of each field

_FORCED = "forced choice, fields of this source alone"


@dataclass(frozen=True)
class Calibration:
    """What the validation groups taught."""

    temperature: float
    confidence: float
    novelty: Novelty


def calibrate(
    student: nn.Module, material: Material, held_out: ModelCard | None, how: Augment
) -> Calibration:
    """Fit temperature and limits on the validation groups.

    Lung of other laboratories may judge a model, not fit it, so own fields changed by ``how``, the
    augmentation of training, stand for it: they lie within the distance's cloud, within its limits,
    and tell how far ``lungscan.model.appearance`` lets a tile be judged: as far as the answers to
    them are right.

    Of two estimates the more careful one counts: a model that was fitted on nearly all groups has
    few left to calibrate on, so it is never surer than its held-out run was found to be.
    """
    classes, parts = material.classes, material.split
    squares, every = material.squares, np.repeat(material.samples.labels, material.squares.counts)
    train_rows, rows = squares.rows(parts.train), squares.rows(parts.validation)
    seen, changed = squares.pixels[train_rows], views(squares.pixels[train_rows], how, seed=1)
    validation_views = views(np.repeat(squares.pixels[rows], VALIDATION_VIEWS, 0), how, seed=2)
    known = outputs_of(student, squares.pixels[rows])
    labels = every[rows]
    temperature = fit_temperature(known.logits[:, :classes], labels)
    least = LEAST_CONFIDENCE
    if held_out is not None:
        temperature = max(temperature, held_out.temperature)
        least = max(least, held_out.confidence_threshold)
    elsewhere = outputs_of(student, validation_views)
    appearance = fit_appearance(statistics(seen), statistics(changed), LUNG_SHARE)
    probs = softmax(known.logits[:, :classes], temperature)
    least = max(least, confidence_limit(probs))
    if how.restain_share > 0:  # it was taught stains of elsewhere: how far do its answers hold?
        guesses = softmax(elsewhere.logits[:, :classes], temperature)
        given = guesses.max(1) >= least
        right = guesses.argmax(1) == np.repeat(labels, VALIDATION_VIEWS)
        away = appearance.distance(statistics(validation_views))
        appearance = trusted_reach(away[given], right[given], appearance)
    layer = student.get_classifier()  # type: ignore[operator]  # every timm network has it
    novelty = fit_novelty(
        outputs_of(student, seen) + outputs_of(student, changed),
        np.tile(every[train_rows], 2),
        known,
        foreign_outputs(student, material),
        layer.weight.detach().numpy(),
        layer.bias.detach().numpy(),
        elsewhere,
        appearance,
    )
    return Calibration(temperature, least, novelty)


def foreign_outputs(student: nn.Module, material: Material) -> Outputs | None:
    """Outputs for the validation groups of all counter-examples, each folder weighing the same."""
    parts = [f.squares.of(f.split.validation) for f in material.foreign if len(f.split.validation)]
    if not parts:
        return None
    least = min(len(part) for part in parts)
    return outputs_of(student, np.concatenate([spread(part, least) for part in parts]))


def spread(part: NDArray[Any], count: int) -> NDArray[Any]:
    """``count`` rows, evenly over all, not the first ones: a folder may sort by organ."""
    return part[np.arange(count) * len(part) // count]


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
    found: list[Metric] = []
    if has_teacher(options, material, work):
        teacher = right_pictures(load_teacher(options, material, work), squares, labels)
        note = f"{options.teacher}; {alone_note}"
        found.append(share_metric("accuracy teacher", teacher, groups, note))
    else:
        found.append(not_measured("accuracy teacher", "the teacher is not in this folder"))
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
    found = []
    for foreign in material.foreign:
        samples = foreign.samples.take(foreign.split.test)
        fields = [
            LabelledField(path.name, path, "", group, samples.scales.get(path))
            for path, group in zip(samples.paths, samples.groups, strict=True)
        ]
        found.append(refused(foreign.name, judge.answers(fields)))
    return tuple(found)


def refused(name: str, answers: Sequence[FieldAnswer]) -> Metric:
    """The share of one folder's counter-examples that get no answer."""
    readable = [answer for answer in answers if answer.judged]
    silent = np.array([answer.answer is None for answer in readable], np.bool_)
    groups = [answer.group for answer in readable]
    return share_metric(f"refused {name}", silent, groups, "test groups, no result given")
