"""The last stages: calibrate, evaluate, and bundle the distilled student as a model folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Generator
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save
from torch import nn

from lungscan import __version__
from lungscan.cards import CARD_SCHEMA, Metric, ModelCard, read_card, write_card
from lungscan.dataset.folds import read_fold
from lungscan.errors import UsageProblem
from lungscan.training import wording
from lungscan.training.after import compress_bundle, judge_bundle
from lungscan.training.bundle import deploy, write_network
from lungscan.training.evaluate import outputs_of
from lungscan.training.events import StageFinished, StageStarted, TrainEvent
from lungscan.training.golden import golden_fields
from lungscan.training.judge import Calibration, calibrate, judge
from lungscan.training.material import Material, at_input_size
from lungscan.training.options import TrainOptions
from lungscan.training.out_of_fold import ANSWERS_FILE, write_answers
from lungscan.training.stages import load_network

# A field of 224 px at 0.5 µm/px holds 0.0125 mm²; less tissue than this cannot be judged.
MINIMUM_TISSUE_MM2 = 0.002
# Tumour area from which a slide is not called benign: eight fields, or 2 % of the tissue, whichever
# is more; single false alarms among a thousand benign tiles stay below it.
TUMOUR_LIMIT_MM2 = 0.1
TUMOUR_LIMIT_SHARE = 0.02

# What a twin that lends its figures may be told otherwise.
MAY_DIFFER = {
    "name",
    "summary",
    "limits",
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
    twin = _twin(options) if options.figures_from and not tested else None
    fitted = calibrate(student, material, twin)
    yield StageFinished(
        "calibrate",
        f"temperature {fitted.temperature:.3f}, least confidence {fitted.confidence:.3f}",
    )
    metrics: list[Metric] = []
    bins: tuple[tuple[float, float, int], ...] = ()
    if tested:
        yield StageStarted("evaluate", "on the test groups, once")
        metrics, bins = judge(student, fitted, options, material, work)
        if options.fold:
            _keep_answers(student, options, material, work)
    elif twin is not None:
        metrics, bins = list(twin.metrics), twin.reliability
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
    yield StageFinished("bundle", f"{out.name} {read_card(out).sha256[:12]}")
    yield from judge_bundle(options, root, work, out, tested=tested)
    if options.int8:
        yield from compress_bundle(options, material, out, command)


def _keep_answers(
    student: nn.Module, options: TrainOptions, material: Material, work: Path
) -> None:
    """Write what the student says of its fold, for whoever joins all folds."""
    rows = material.split.test
    names, told = material.samples.class_names, [material.rows[row] for row in rows]
    logits = outputs_of(student, material.pixels[rows]).logits
    write_answers(work / ANSWERS_FILE, told, read_fold(options.fold), names, logits)


def _twin(options: TrainOptions) -> ModelCard:
    """The card of a model that was fitted by the same recipe with groups held out.

    Raises:
        UsageProblem: its recipe is another one.
    """
    card = read_card(Path(options.figures_from))
    ours = json.loads(json.dumps(dataclasses.asdict(options)))
    # A card of an earlier release lacks the options that came later: they stood at their default.
    standard = json.loads(json.dumps(dataclasses.asdict(TrainOptions(name=card.name))))
    theirs = {**standard, **json.loads(json.dumps(card.recipe))}
    changed = [key for key in ours if key not in MAY_DIFFER and ours[key] != theirs.get(key)]
    if changed:
        raise UsageProblem(
            f"The figures of {card.name} are not those of this recipe: {', '.join(changed)} differ."
        )
    return card


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
            "leaking_groups": len(material.leaking),
            "figures": wording.figures_note(options, material),
            "test_groups": sorted({material.samples.groups[i] for i in parts.test}),
        },
        command=command,
        seed=options.seed,
        recipe=dataclasses.asdict(options),
        metrics=tuple(metrics),
        reliability=bins,
        facts=wording.facts(metrics, options, material),
        intended_use=wording.INTENDED_USE,
        limits=wording.limits(options, material),
        files={},
    )
