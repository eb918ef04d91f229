"""What a run trains on: the lung fields, the counter-examples, and who sees which."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lungscan.errors import UsageProblem
from lungscan.reading import resize
from lungscan.training.data import (
    Samples,
    Split,
    data_hash,
    load_pixels,
    read_samples,
    split_at_random,
    split_by_group,
    straddling,
)
from lungscan.training.fit import Pictures
from lungscan.training.options import TrainOptions


@dataclass(frozen=True)
class Foreign:
    """One folder of counter-examples, split by its own groups."""

    name: str
    samples: Samples
    split: Split
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Material:
    """Everything decoded, in memory."""

    samples: Samples
    split: Split
    pixels: NDArray[np.uint8]  # (n, side, side, 3)
    foreign: tuple[Foreign, ...]
    data_sha256: str
    leaking: tuple[str, ...] = ()  # groups that stand in more than one part

    @property
    def classes(self) -> int:
        """Number of lung classes."""
        return len(self.samples.class_names)


def gather(options: TrainOptions, root: Path) -> Material:
    """Read, split and decode the folders that ``options`` names below ``root``.

    Raises:
        UsageProblem: data that cannot be read or split, or a split that leaks without
            ``allow_leakage``.
    """
    samples = read_samples(root / options.data)
    deal = split_at_random if options.protocol == "random" else split_by_group
    split = deal(samples, options.split, options.seed)
    leaking = straddling(samples, split)
    if leaking and not options.allow_leakage:
        raise UsageProblem(
            f"The split leaks: {len(leaking)} groups stand in more than one part, so the test "
            "would ask for tissue that was learnt. Split by group, or say --allow-leakage, and "
            "every report will name it."
        )
    foreign = tuple(_foreign(root / name, options) for name in options.counter_examples)
    pixels = load_pixels(samples.paths, options.field_px)
    return Material(samples, split, pixels, foreign, data_hash(samples), leaking)


def _foreign(folder: Path, options: TrainOptions) -> Foreign:
    others = read_samples(folder)
    split = split_by_group(others, options.split, options.seed)
    if options.counter_limit:
        rng = np.random.default_rng(options.seed)
        keep = rng.permutation(split.train)[: options.counter_limit]
        split = Split(np.sort(keep), split.validation, split.test)
    return Foreign(folder.name, others, split, load_pixels(others.paths, options.field_px))


def told(material: Material) -> str:
    """The split in a sentence."""
    parts = material.split
    leak = f"LEAKING: {len(material.leaking)} groups stand in more than one part"
    return (
        f"{len(parts.train)} fields to train on, {len(parts.validation)} to validate, "
        f"{len(parts.test)} to test; " + (leak if material.leaking else "no group on two sides")
    )


def training_pictures(material: Material) -> Pictures:
    """Lung fields of the training groups, then the counter-examples as one more class."""
    rows = material.split.train
    pixels = [material.pixels[rows]] + [f.pixels[f.split.train] for f in material.foreign]
    others = sum(len(f.split.train) for f in material.foreign)
    labels = [material.samples.labels[rows], np.full(others, material.classes, np.int64)]
    return Pictures.of(np.concatenate(pixels), np.concatenate(labels))


def validation_pictures(material: Material, input_px: int) -> Pictures:
    """Lung fields of the validation groups, as the network sees them when classifying."""
    rows = material.split.validation
    pixels = as_classified(material.pixels[rows], input_px)
    return Pictures.of(pixels, material.samples.labels[rows])


def as_classified(pixels: NDArray[np.uint8], input_px: int) -> NDArray[np.uint8]:
    """Cached fields at the size of the network's input, by the kernel that classification uses."""
    if len(pixels) == 0 or pixels.shape[1] == input_px:
        return pixels
    return np.stack([resize(field, (input_px, input_px)) for field in pixels])


def at_input_size(material: Material, input_px: int) -> Material:
    """The same material with every field at the size of the network's input."""
    foreign = tuple(replace(f, pixels=as_classified(f.pixels, input_px)) for f in material.foreign)
    return replace(material, pixels=as_classified(material.pixels, input_px), foreign=foreign)
