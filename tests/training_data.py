"""A small drawn data set that a network learns in an epoch or two."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64
HUES = {"lung_aca": (150, 60, 160), "lung_n": (230, 180, 210), "lung_scc": (210, 70, 110)}


def draw_data(root: Path, groups: int = 8, *, clear: bool = False) -> None:
    """Three classes told apart by colour, ``groups`` groups of two pictures each.

    ``clear`` classes differ in their texture as well, which training's changes of colour leave as
    it is: any processor's arithmetic learns them.
    """
    rng = np.random.default_rng(0)
    rows = []
    for label, hue in HUES.items():
        (root / label).mkdir(parents=True)
        for index in range(groups * 2):
            noise = np.array(hue) + (
                _texture(rng, label) if clear else rng.normal(0, 12, (SIDE, SIDE, 3))
            )
            name = f"{label}/{index}.png"
            Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8)).save(root / name)
            rows.append({"file": name, "label": label, "group": f"{label}-{index // 2}"})
    with (root / "groups.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, ["file", "label", "group"])
        writer.writeheader()
        writer.writerows(rows)


def _texture(rng: np.random.Generator, label: str) -> NDArray[np.float64]:
    """``(SIDE, SIDE, 1)``: large blots, hardly anything, or a fine grain."""
    size, spread = {"lung_aca": (16, 60), "lung_n": (4, 6), "lung_scc": (2, 60)}[label]
    cells = rng.normal(0, spread, (SIDE // size, SIDE // size, 1))
    return cells.repeat(size, axis=0).repeat(size, axis=1)
