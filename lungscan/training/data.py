"""Folders of pictures, their groups, and a split that keeps a group on one side."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lungscan.errors import UsageProblem
from lungscan.reading import resize

IndexArray = NDArray[np.int64]


@dataclass(frozen=True)
class Samples:
    """Pictures with their labels and groups; row i of every field is picture i."""

    paths: tuple[Path, ...]
    labels: NDArray[np.int64]  # index into class_names
    groups: tuple[str, ...]
    class_names: tuple[str, ...]

    def take(self, index: IndexArray) -> Samples:
        """The pictures at ``index``, in that order."""
        return Samples(
            tuple(self.paths[i] for i in index),
            self.labels[index],
            tuple(self.groups[i] for i in index),
            self.class_names,
        )


@dataclass(frozen=True)
class Split:
    """Row numbers of each part; no group stands in two of them."""

    train: IndexArray
    validation: IndexArray
    test: IndexArray


def read_samples(folder: Path) -> Samples:
    """List a data folder: one sub-folder per class and ``groups.csv`` (``file,label,group``).

    Raises:
        UsageProblem: there is no ``groups.csv``, or it names fewer than two classes' pictures.
    """
    table = folder / "groups.csv"
    try:
        with table.open(newline="", encoding="utf-8") as handle:
            rows = sorted(csv.DictReader(handle), key=lambda row: row["file"])
        names = tuple(sorted({row["label"] for row in rows}))
        labels = np.array([names.index(row["label"]) for row in rows], np.int64)
        paths = tuple(folder / row["file"] for row in rows)
        groups = tuple(row["group"] for row in rows)
    except (OSError, KeyError) as error:
        raise UsageProblem(
            f"{folder.name}: groups.csv is missing or has no columns file,label,group ({error})."
        ) from error
    if len(names) < 2:
        raise UsageProblem(f"{folder.name}: two classes at least are needed, found {len(names)}.")
    return Samples(paths, labels, groups, names)


def split_by_group(samples: Samples, shares: tuple[float, float, float], seed: int) -> Split:
    """Deal whole groups to train, validation and test, class by class.

    A group that holds several classes is dealt once, with the class of its first picture.

    Raises:
        UsageProblem: a class has fewer groups than there are parts.
    """
    rng = np.random.default_rng(seed)
    home: dict[str, int] = {}
    for group, label in zip(samples.groups, samples.labels, strict=True):
        home.setdefault(group, int(label))
    part_of: dict[str, int] = {}
    for label, name in enumerate(samples.class_names):
        groups = sorted(group for group, owner in home.items() if owner == label)
        if len(groups) < 3:
            raise UsageProblem(f"Class {name} has {len(groups)} groups; three at least are needed.")
        rng.shuffle(groups)
        edges = np.cumsum(shares)[:2] / sum(shares) * len(groups)
        tested = 1 if shares[2] > 0 else 0  # groups that a class must keep for the test
        first = min(max(1, round(edges[0])), len(groups) - 1 - tested)
        second = min(max(first + 1, round(edges[1])), len(groups) - tested)
        for rank, group in enumerate(groups):
            part_of[group] = 0 if rank < first else 1 if rank < second else 2
    part = np.array([part_of[group] for group in samples.groups])
    train, validation, test = (np.flatnonzero(part == k).astype(np.int64) for k in range(3))
    return Split(train, validation, test)


def split_at_random(samples: Samples, shares: tuple[float, float, float], seed: int) -> Split:
    """Deal single pictures, class by class: the literature's protocol, which leaks."""
    alone = replace(samples, groups=tuple(str(row) for row in range(len(samples.groups))))
    return split_by_group(alone, shares, seed)


def straddling(samples: Samples, split: Split) -> tuple[str, ...]:
    """The groups that stand in more than one part of a split."""
    home: dict[str, int] = {}
    found = set()
    for part, rows in enumerate((split.train, split.validation, split.test)):
        for row in rows:
            if home.setdefault(samples.groups[row], part) != part:
                found.add(samples.groups[row])
    return tuple(sorted(found))


def load_pixels(paths: Sequence[Path], size_px: int) -> NDArray[np.uint8]:
    """Decode pictures once into a cache, ``(n, size_px, size_px, 3)`` uint8 RGB.

    Pictures of another size are resized with the kernel that classification uses.

    Raises:
        UsageProblem: one of the pictures is missing or cannot be decoded.
    """
    cache = np.empty((len(paths), size_px, size_px, 3), np.uint8)

    def load(row: int) -> None:
        try:
            with Image.open(paths[row]) as image:
                rgb = image.convert("RGB")
        except OSError as error:
            why = error.strerror or "no picture, or damaged"
            name = f"{paths[row].parent.name}/{paths[row].name}"
            raise UsageProblem(f"{name} of groups.csv cannot be read: {why}.") from error
        cache[row] = resize(np.asarray(rgb), (size_px, size_px))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(load, range(len(paths))))
    return cache


def data_hash(samples: Samples) -> str:
    """SHA-256 over names, labels, groups and the bytes of every picture."""
    digest = sha256()
    for path, label, group in zip(samples.paths, samples.labels, samples.groups, strict=True):
        digest.update(f"{path.name}\0{label}\0{group}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
