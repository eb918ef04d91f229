"""Drawn folders of classes, and a network that tells them apart by their colour."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lungscan.types import FloatArray, RgbBatch
from tests.drawing import draw_he
from tests.models import FEATURES, FakeRuntime

CLASSES = ("adeno", "benign", "squamous")  # as the tiny model knows them
_RED = {"adeno": 1.0, "benign": 0.85, "squamous": 0.7}  # share of the red light that is left
SIDE = 96


class ColourRuntime(FakeRuntime):
    """Names the class by how red a tile is beside its blue; ``sure`` of it."""

    def predict(self, batch: RgbBatch) -> tuple[FloatArray, FloatArray]:
        """See ``lungscan.runtimes.Runtime.predict``."""
        self.calls += 1
        self.tiles += len(batch)
        red, blue = batch[..., 0].mean((1, 2)), batch[..., 2].mean((1, 2))
        best = np.digitize(-red / blue, [-0.98, -0.83])
        probs = np.full((len(batch), 3), (1 - self.sure) / 2, np.float32)
        probs[np.arange(len(batch)), best] = self.sure
        return probs, np.ones((len(batch), FEATURES), np.float32)


def draw_class(path: Path, look: str, seed: int, side: int = SIDE) -> Path:
    """A field that the network takes for the class ``look``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rgb = draw_he(side, side, seed) * np.array([_RED[look], 1, 1])
    Image.fromarray(rgb.astype(np.uint8)).save(path)
    return path


def draw_folder(
    root: Path, groups: int = 4, per_group: int = 2, wrong: Sequence[str] = ()
) -> list[tuple[str, str, str]]:
    """A folder of classes with ``groups.csv``; returns its rows file, label, group.

    ``wrong`` names files that are drawn as the next class, so that the network errs there.
    """
    rows = []
    for number, label in enumerate(CLASSES):
        for group in range(groups):
            for place in range(per_group):
                file = f"{label}/g{group}-{place}.png"
                look = CLASSES[(number + (file in wrong)) % 3]
                draw_class(root / file, look, seed=100 * number + 10 * group + place)
                rows.append((file, label, f"{label}-{group}"))
    write_table(root / "groups.csv", ("file", "label", "group"), rows)
    return rows


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Path:
    """A CSV."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def write_split(path: Path, rows: Sequence[tuple[str, str, str]], *, leaking: bool = False) -> Path:
    """A split file: group 0 of each class to test, group 1 to validation; or one of each pair."""
    parts = []
    for number, row in enumerate(rows):
        by_group = {"0": "test", "1": "validation"}.get(row[2][-1], "train")
        parts.append((*row, ("test", "train")[number % 2] if leaking else by_group))
    return write_table(path, ("file", "label", "group", "part"), parts)
