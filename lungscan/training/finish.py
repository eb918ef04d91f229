"""The last stages: calibrate, evaluate, and bundle the distilled student as a model folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save
from torch import nn

from lungscan import __version__
from lungscan.cards import CARD_SCHEMA, Metric, ModelCard, read_card, write_card
from lungscan.novelty import Novelty
from lungscan.training import wording
from lungscan.training.bundle import deploy, write_network
from lungscan.training.calibrate import (
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
from lungscan.training.events import StageFinished, StageStarted, TrainEvent
from lungscan.training.golden import golden_fields
from lungscan.training.material import Material, at_input_size
from lungscan.training.options import TrainOptions
from lungscan.training.stages import load_network

# A field of 224 px at 0.5 µm/px holds 0.0125 mm²; less tissue than this cannot be judged.
MINIMUM_TISSUE_MM2 = 0.002
# Tumour area from which a slide is not called benign: eight fields, or 2 % of the tissue, whichever
# is more; single false alarms among a thousand benign tiles stay below it.
TUMOUR_LIMIT_MM2 = 0.1
TUMOUR_LIMIT_SHARE = 0.02


@dataclass(frozen=True)
class Calibration:
    """What the validation groups taught."""

    temperature: float
    confidence: float
    novelty: Novelty


def finish(
    options: TrainOptions, material: Material, work: Path, out: Path, command: str
) -> Generator[TrainEvent, None, None]:
    """Write the model folder ``out`` from finished checkpoints in ``work``.

    Raises:
        ModelError: a stage is not finished, or a network cannot be folded.
    """
    torch.set_num_threads(options.threads)
    material = at_input_size(material, options.classify_px)
    student = load_network("student", options, material.classes, work)
    yield StageStarted("calibrate", "on the validation groups")
    fitted = _calibrate(student, material)
    yield StageFinished(
        "calibrate",
        f"temperature {fitted.temperature:.3f}, least confidence {fitted.confidence:.3f}",
    )
    yield StageStarted("evaluate", "on the test groups, once")
    metrics, bins = _evaluate(student, fitted, options, material, work)
    for metric in metrics:
        yield StageFinished("evaluate", wording.metric_line(metric))
    yield StageStarted("bundle", out.name)
    out.mkdir(parents=True, exist_ok=True)
    probe = torch.from_numpy(golden_fields(options.classify_px, options.seed))
    deployed = deploy(student, material.classes, fitted.temperature, probe)
    write_network(deployed, options.classify_px, out)
    numbers = {k: np.ascontiguousarray(v) for k, v in dataclasses.asdict(fitted.novelty).items()}
    # Not `save_file`: that makes a file which only its owner may read.
    (out / "novelty.safetensors").write_bytes(save(numbers))
    with torch.inference_mode():
        golden = deployed(probe)[0].numpy()
    np.savez_compressed(out / "golden.npz", fields=probe.numpy(), probs=golden)
    card = _card(options, material, fitted, metrics, bins, command)
    write_card(card, out)
    card = read_card(out)
    (out / "README.md").write_text(wording.model_card(card), encoding="utf-8")
    yield StageFinished("bundle", f"{out.name} {card.sha256[:12]}")


def _calibrate(student: nn.Module, material: Material) -> Calibration:
    classes, parts = material.classes, material.split
    train = outputs_of(student, material.pixels[parts.train])
    known = outputs_of(student, material.pixels[parts.validation])
    labels = material.samples.labels[parts.validation]
    temperature = fit_temperature(known.logits[:, :classes], labels)
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
    return Calibration(temperature, confidence_limit(probs), novelty)


def _foreign_outputs(student: nn.Module, material: Material) -> Outputs | None:
    """Outputs for the validation groups of all counter-examples, each folder weighing the same."""
    parts = [f.pixels[f.split.validation] for f in material.foreign if len(f.split.validation)]
    if not parts:
        return None
    least = min(len(part) for part in parts)
    return outputs_of(student, np.concatenate([part[:least] for part in parts]))


def _evaluate(
    student: nn.Module,
    fitted: Calibration,
    options: TrainOptions,
    material: Material,
    work: Path,
) -> tuple[list[Metric], tuple[tuple[float, float, int], ...]]:
    classes, rows = material.classes, material.split.test
    labels = material.samples.labels[rows]
    groups = [material.samples.groups[i] for i in rows]
    pixels = material.pixels[rows]
    own = outputs_of(student, pixels)
    right = {"student": own.logits[:, :classes].argmax(1) == labels}
    for stage in ("teacher", "alone"):
        network = load_network(stage, options, classes, work)
        right[stage] = outputs_of(network, pixels).logits[:, :classes].argmax(1) == labels
    probs = softmax(own.logits[:, :classes], fitted.temperature)
    metrics = [
        accuracy_metric("accuracy teacher", right["teacher"], groups, options.teacher),
        accuracy_metric("accuracy student", right["student"], groups, "distilled; the model"),
        accuracy_metric("accuracy student alone", right["alone"], groups, "without the teacher"),
        difference_metric(
            "gain by distillation", right["student"], right["alone"], groups, "student minus alone"
        ),
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
    probs: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    fitted: Calibration,
    labels: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
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


def _card(
    options: TrainOptions,
    material: Material,
    fitted: Calibration,
    metrics: list[Metric],
    bins: tuple[tuple[float, float, int], ...],
    command: str,
) -> ModelCard:
    names = material.samples.class_names
    parts = material.split
    return ModelCard(
        schema=CARD_SCHEMA,
        name=options.name,
        version=__version__,
        summary=wording.summary(options, names),
        licence="Apache-2.0",
        architecture=options.student,
        teacher=options.teacher,
        class_names=names,
        display_names=tuple(wording.display_name(name) for name in names),
        colors=tuple(wording.color(i, name) for i, name in enumerate(names)),
        tumour=tuple(wording.is_tumour(name) for name in names),
        patch_size_pixels=options.classify_px,
        spacing_um_px=options.spacing_um_px * options.field_px / options.classify_px,
        spacing_note=options.spacing_note,
        large_fields=wording.LARGE_FIELDS,
        temperature=fitted.temperature,
        confidence_threshold=fitted.confidence,
        novelty_threshold=1.0,
        minimum_tissue_mm2=MINIMUM_TISSUE_MM2,
        tumour_limit_mm2=TUMOUR_LIMIT_MM2,
        tumour_limit_share=TUMOUR_LIMIT_SHARE,
        data={
            "summary": wording.data_summary(options, material),
            "sha256": material.data_sha256,
            "protocol": options.protocol,
            "fields": {
                "train": len(parts.train),
                "validation": len(parts.validation),
                "test": len(parts.test),
            },
            "test_groups": sorted({material.samples.groups[i] for i in parts.test}),
        },
        command=command,
        seed=options.seed,
        recipe=dataclasses.asdict(options),
        metrics=tuple(metrics),
        reliability=bins,
        facts=wording.facts(metrics, options),
        intended_use=wording.INTENDED_USE,
        limits=wording.limits(options, names),
        files={},
    )
