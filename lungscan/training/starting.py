"""Fine-tuning a shipped model: its network as torch trains it, from the numbers of its folder.

A deployed network has no batch normalisations any more: each is folded into the convolution before
it. They are set up again so that the network computes what it did, and goes on doing so when
training begins: statistics are those of the pictures at hand, measured on the network as it is,
scale and offset undo them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lungscan.dataset.learnt import WORK_FOLDER
from lungscan.errors import ModelError, UsageProblem
from lungscan.evaluation.seen_groups import Identity, adapted_to, seen_groups
from lungscan.model.card import INT8, ModelCard
from lungscan.model.checked import find_model
from lungscan.runtimes.deploy import load_deployed
from lungscan.training.classes import ClassSettings
from lungscan.training.data import Material
from lungscan.training.fit import Pictures
from lungscan.training.networks import create, normalise
from lungscan.training.options import Fit, Phase, TrainOptions
from lungscan.training.taught import judging, learnt_by

MEASURED = 128  # squares by which the statistics are set
GENTLE = 1e-4  # learning rate where the recipe says none: the weights are good already
LEAST_VARIANCE = 1e-6
NEW_ROWS = 0.01  # deviation of the weights of a class that the model did not know


def started(options: TrainOptions, root: Path) -> TrainOptions:
    """The options of a run that begins from a model: its network, input, scale and class names.

    Raises:
        ModelError: there is no such model, or none that can be trained.
        UsageProblem: the recipe asks for another network or for further stages.
    """
    if not options.start_from:
        return options
    card = find_model(options.start_from)
    if card.precision == INT8:
        raise ModelError(
            f"{card.name} is an int8 model, which cannot be trained. Start from the model that it "
            "was made from."
        )
    usual = TrainOptions(name="")
    if options.student not in (usual.student, card.architecture):
        raise UsageProblem(
            f"{card.name} is a {card.architecture}, and the recipe asks for a {options.student}: "
            "a model of another architecture cannot be started from. Leave `student` out of "
            "the recipe, and --student."
        )
    if options.features_fit is not None or options.finetune_fit is not None:
        raise UsageProblem(
            "A run that starts from a model has one stage, by labels alone: leave features_fit and "
            "finetune_fit out of the recipe."
        )
    if options.teacher not in (usual.teacher, "") or options.teacher_from:
        raise UsageProblem(
            "A run that starts from a model learns from labels alone and would ask no teacher: "
            "leave teacher and teacher_from out, or empty where the recipe's base names them "
            "(--teacher, --teacher-from)."
        )
    same = card.modality == options.modality  # pictures of another kind have their own scale
    side = card.patch_size_pixels if same else options.classify_px
    field = int(card.recipe.get("field_px", side)) if same else options.field_px
    gentle = Fit((Phase(12, side, (round(0.67 * field), field)),), 32, GENTLE, warmup_epochs=1.0)
    text = f"Fine-tuned from {card.name} {card.version} ({card.sha256[:12]})"
    return dataclasses.replace(
        options,
        teacher="",
        teacher_from="",
        student=card.architecture,
        pretrained=False,
        alone=False,
        field_px=field,
        input_px=side,
        spacing_um_px=card.spacing_um_px * side / field if same else options.spacing_um_px,
        spacing_note=options.spacing_note or (card.spacing_note if same else ""),
        student_fit=gentle if options.student_fit == usual.student_fit else options.student_fit,
        classes=(*options.classes, *_known(options, card, root)),
        start_sha256=card.sha256,
        limits=(
            f"{text}, trained on {card.data.get('summary', 'unknown data')}; whether tissue of the "
            "test part was among that is known only where the data are the very same.",
            *options.limits,
        ),
    )


def _known(options: TrainOptions, card: ModelCard, root: Path) -> Iterator[ClassSettings]:
    """What the model's card says of classes that the data have and the recipe does not describe."""
    named = {item.folder for item in options.classes}
    words = zip(card.class_names, card.display_names, card.colors, card.tumour, strict=True)
    for folder, name, color, tumour in words:
        if folder not in named and (root / options.data / folder).is_dir():
            yield ClassSettings(folder, name, color, tumour)


def unseen(options: TrainOptions, material: Material) -> Material:
    """The material, with the groups that the model has seen as leaking ones.

    Raises:
        UsageProblem: the model was trained on, or adapted to, groups that shall validate or test,
            and leakage is not allowed.
    """
    if not options.start_from:
        return material
    card = find_model(options.start_from)
    rows = [*material.split.validation, *material.split.test]
    judged = {material.samples.groups[row] for row in rows}
    seen = _seen(card, options, material, judged)
    if seen is None:  # other data folders, which may hold the same pictures all the same
        learnt = learnt_by(card.folder / WORK_FOLDER, material)
        seen = frozenset(judging(material, learnt))
        # Its own run tells what it learnt there, not what it had learnt before.
        known = learnt.told and not card.recipe.get("start_from")
        material = dataclasses.replace(material, origin="" if known else card.name)
    if seen and not options.allow_leakage:
        adapted = any(adapted_to(card, part) for part, _ in _parts(options, material))
        raise UsageProblem(
            f"{card.name} was {'adapted to' if adapted else 'trained on'} these very data: "
            f"{len(seen)} of the {len(judged)} groups that validate or test are none that it held "
            "out, so the test would ask for tissue that was learnt. Give other data, or say "
            "--allow-leakage, and every report will name it."
        )
    return dataclasses.replace(material, leaking=tuple(sorted({*material.leaking, *seen})))


def _seen(
    card: ModelCard, options: TrainOptions, material: Material, judged: set[str]
) -> frozenset[str] | None:
    """Which of the groups the model learnt; None: its card does not name this data folder."""
    spared = card.held_out | frozenset(card.data.get("validation_groups", ()))
    found: set[str] = set()
    named = False
    for part, prefix in _parts(options, material):
        own = {group.removeprefix(prefix) for group in judged if group.startswith(prefix)}
        seen = seen_groups(card, part, own, spared)
        if seen is not None:
            named = True
            found |= {prefix + group for group in seen}
    if named:
        return frozenset(found)
    # All sources as one, where the card of an earlier version does not know them apart.
    whole = Identity(material.contents_sha256, material.data_sha256)
    return seen_groups(card, whole, judged, spared)


def _parts(options: TrainOptions, material: Material) -> Iterator[tuple[Identity, str]]:
    """Each data folder of the run, and what stands before its groups."""
    if not options.sources:
        yield Identity(material.contents_sha256, material.data_sha256), ""
    for source, contents in zip(options.sources, material.source_contents, strict=True):
        yield Identity(contents), f"{source.name}/"


def start_text(options: TrainOptions, names: tuple[str, ...]) -> str:
    """What becomes of the last layer, in a sentence."""
    card = find_model(options.start_from)
    if names == card.class_names:
        return f"starts from {card.name} ({card.sha256[:12]}), with the same classes"
    kept = [name for name in names if name in card.class_names]
    new = [name for name in names if name not in card.class_names]
    gone = [name for name in card.class_names if name not in names]
    parts = [
        f"{word}: {', '.join(part)}"
        for word, part in (("kept", kept), ("new", new), ("left out", gone))
        if part
    ]
    return (
        f"starts from {card.name} ({card.sha256[:12]}), with a new last layer; {'; '.join(parts)}"
    )


def network_of(options: TrainOptions, names: tuple[str, ...], pictures: Pictures) -> nn.Module:
    """The model's network, ready to be trained, with a last layer for the classes ``names``.

    Args:
        options: as ``started`` returned them.
        names: of the data's classes; the counter-examples' output follows.
        pictures: what will be learnt from; the statistics of normalisations are measured on them.

    Raises:
        ModelError: the weights do not fit the architecture.
    """
    card = find_model(options.start_from)
    try:
        folded = load_deployed(card).network
    except (RuntimeError, KeyError) as error:
        raise ModelError(
            f"The weights of {card.name} do not fit {card.architecture} ({error})."
        ) from error
    network = create(card.architecture, len(card.class_names) + 1, pretrained=False)
    rows = np.unique(np.linspace(0, len(pictures.pixels) - 1, MEASURED).astype(np.int64))
    unfold(network, folded, pictures.pixels[torch.from_numpy(rows)].cpu())
    if names != card.class_names:
        _new_last_layer(network, card.class_names, names)
    return network


@torch.no_grad()
def unfold(network: nn.Module, folded: nn.Module, pixels: Tensor) -> None:
    """Give ``network``, which has normalisations, the numbers of ``folded``, which has none.

    Both compute the same afterwards, and ``network`` nearly so while it trains on such pictures.

    Args:
        pixels: ``(n, s, s, 3)`` uint8.
    """
    moments = _moments(folded.eval(), pixels)
    numbers = folded.state_dict()
    own = network.state_dict()
    for name, value in numbers.items():
        if name in own:
            own[name].copy_(value)
    for parent, conv, norm in _pairs(network):
        prefix = f"{parent}." if parent else ""
        bias = numbers[f"{prefix}{conv}.bias"]
        if f"{prefix}{conv}.bias" in own:  # it stays with the convolution
            bias = torch.zeros_like(bias)
        mean, variance = moments[f"{prefix}{conv}"]
        deviation = (variance + _module(network, f"{prefix}{norm}").eps).sqrt()
        own[f"{prefix}{norm}.running_mean"].copy_(mean - bias)
        own[f"{prefix}{norm}.running_var"].copy_(variance)
        own[f"{prefix}{norm}.weight"].copy_(deviation)
        own[f"{prefix}{norm}.bias"].copy_(mean)
    network.eval()


def _moments(network: nn.Module, pixels: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Mean and variance of each convolution's output, by its name."""
    sums: dict[str, list[Tensor]] = {}
    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):

            def note(_: nn.Module, __: Any, out: Tensor, name: str = name) -> None:
                flat = out.double().transpose(0, 1).flatten(1)
                found = [flat.sum(1), (flat * flat).sum(1), torch.tensor(float(flat.shape[1]))]
                earlier = sums.get(name, [torch.zeros(())] * len(found))
                sums[name] = [a + b for a, b in zip(earlier, found, strict=True)]

            hooks.append(module.register_forward_hook(note))
    for part in torch.split(pixels, 16):
        network(normalise(part.permute(0, 3, 1, 2).float()))
    for hook in hooks:
        hook.remove()
    moments = {}
    for name, (total, square, count) in sums.items():
        mean = total / count
        variance = (square / count - mean * mean).clamp_min(LEAST_VARIANCE)
        moments[name] = (mean.float(), variance.float())
    return moments


def _pairs(network: nn.Module) -> Iterator[tuple[str, str, str]]:
    """Each convolution and the normalisation behind it, paired as ``deploy.fold_batch_norm``."""
    for name, parent in network.named_modules():
        for first, second in pairwise(list(parent._modules)):
            conv, norm = parent._modules[first], parent._modules[second]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                yield name, first, second


def _module(network: nn.Module, name: str) -> Any:
    return network.get_submodule(name)


@torch.no_grad()
def _new_last_layer(network: nn.Module, old: tuple[str, ...], new: tuple[str, ...]) -> None:
    """Outputs for other classes: those of the same name are kept, as is the counter-examples'."""
    layer: Any = network.get_classifier()  # type: ignore[operator]  # every timm network has it
    weight, bias = layer.weight.clone(), layer.bias.clone()
    network.reset_classifier(len(new) + 1)  # type: ignore[operator]
    layer = network.get_classifier()  # type: ignore[operator]
    nn.init.normal_(layer.weight, std=NEW_ROWS)
    nn.init.zeros_(layer.bias)
    places: list[tuple[int, int]] = [(len(new), len(old))]
    places += [(row, old.index(name)) for row, name in enumerate(new) if name in old]
    for row, source in places:
        layer.weight[row].copy_(weight[source])
        layer.bias[row].copy_(bias[source])
