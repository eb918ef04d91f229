"""What a run trains on: the lung fields, the counter-examples, and who sees which."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lungscan.dataset.folds import read_fold, split_fold
from lungscan.dataset.listing import Listing, read_listing
from lungscan.dataset.pixels import load_pixels
from lungscan.dataset.samples import Samples, data_hash
from lungscan.dataset.similar import find_similar
from lungscan.dataset.splits import (
    Split,
    SplitRow,
    apply_split,
    leaks,
    read_split,
    split_at_random,
    split_by_group,
    split_rows,
)
from lungscan.errors import UsageProblem
from lungscan.reading import resize
from lungscan.training.fit import Pictures
from lungscan.training.more import More, gather_more
from lungscan.training.options import TrainOptions

SPLIT_FILE = "split.csv"  # in the folder of checkpoints


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
    skipped: tuple[str, ...] = ()  # broken pictures, each with the reason
    rows: tuple[SplitRow, ...] = ()  # the split as a table
    more: More | None = None  # for the stage features

    @property
    def classes(self) -> int:
        """Number of lung classes."""
        return len(self.samples.class_names)


def gather(options: TrainOptions, root: Path, work: Path) -> Material:
    """Read, split and decode the folders that ``options`` names below ``root``.

    Groups come from the split file, else from the folder's ``groups.csv``, else near-duplicates are
    searched once; ``work`` holds the split of an earlier start, which spares the search.

    Raises:
        UsageProblem: data that cannot be read or split, or a split that leaks without
            ``allow_leakage``.
    """
    listing = read_listing(root / options.data)
    samples, split = _dealt(listing, options, work)
    leaking = _leaking(listing, samples, split)
    if leaking and not options.allow_leakage:
        raise UsageProblem(
            f"The split leaks: {len(leaking)} groups stand in more than one part, so the test "
            "would ask for tissue that was learnt. Split by group, or say --allow-leakage, and "
            "every report will name it."
        )
    foreign = tuple(_foreign(root / name, options) for name in options.counter_examples)
    pixels = load_pixels(samples.paths, options.field_px)
    more = None
    if options.features_fit is not None and options.more_pictures:
        others = [(f.samples, f.split) for f in foreign]
        more = gather_more(root, options.more_pictures, samples, split, others, options.field_px)
    return Material(
        samples,
        split,
        pixels,
        foreign,
        data_hash(samples),
        leaking,
        tuple(f"{item.name}: {item.reason}" for item in listing.skipped if item.broken),
        split_rows(listing, samples.groups, split),
        more,
    )


def _dealt(listing: Listing, options: TrainOptions, work: Path) -> tuple[Samples, Split]:
    if options.fold and (options.split_file or options.protocol != "grouped"):
        raise UsageProblem(
            "A fold is dealt by group and by itself: give it without a split file, and with the "
            "protocol grouped."
        )
    if options.split_file:
        return apply_split(read_split(Path(options.split_file)), listing)
    groups = listing.groups or _groups_of_earlier(listing, work)
    if groups is None:
        groups = find_similar(listing.paths).groups
    samples = listing.samples(groups)
    return samples, _deal(samples, options, options.protocol)


def _deal(samples: Samples, options: TrainOptions, protocol: str = "grouped") -> Split:
    if options.fold:
        return split_fold(samples, read_fold(options.fold), options.split, options.seed)
    deal = split_at_random if protocol == "random" else split_by_group
    return deal(samples, options.split, options.seed)


def _groups_of_earlier(listing: Listing, work: Path) -> tuple[str, ...] | None:
    """The groups that an earlier start found for these very pictures, if there was one."""
    path = work / SPLIT_FILE
    if not path.exists():
        return None
    try:
        return apply_split(read_split(path), listing)[0].groups
    except UsageProblem:  # other pictures than then: their groups are found anew
        return None


def _leaking(listing: Listing, samples: Samples, split: Split) -> tuple[str, ...]:
    """Groups in several parts: those of the split, and those that the folder itself knows."""
    rows = split_rows(listing, samples.groups, split)
    found = {leak.group for leak in leaks(rows)}
    if listing.groups is not None:
        known = dict(zip(listing.names, listing.groups, strict=True))
        found |= {leak.group for leak in leaks(rows, known)}
    return tuple(sorted(found))


def _foreign(folder: Path, options: TrainOptions) -> Foreign:
    listing = read_listing(folder, check=False)
    others = listing.samples(listing.groups or listing.names)
    split = _deal(others, options)
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


def pictures_before_labels(material: Material) -> Pictures:
    """What the stage features learns from: the training pictures and the further ones."""
    own = training_pictures(material)
    if material.more is None:
        return own
    further = material.more.pictures
    return Pictures(
        torch.cat([own.pixels, further.pixels]), torch.cat([own.labels, further.labels])
    )


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
