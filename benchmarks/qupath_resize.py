"""How far another program's resizing moves probabilities: what QuPath shows beside what we answer.

    python benchmarks/qupath_resize.py [MODEL...]

QuPath reads a tile at the nearest level above the model's scale and resizes it by halving and
linear interpolation; LungScan's kernel widens with the reduction. Here the demo's slide, whose
pieces are training fields, is cut at level 0 into tiles of 1.5 to 3 times the network's size, and
each is brought to that size in both ways; the same network answers both.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from lungscan.demo.making import make_demo
from lungscan.model.checked import find_model
from lungscan.reading.resize import resize
from lungscan.runtimes import load_runtime
from lungscan.types import FloatArray, RgbArray

FACTORS = (1.5, 2.0, 2.5, 3.0)


def as_qupath(rgb: RgbArray, side: int) -> RgbArray:
    """Halve while it stays larger, then interpolate linearly between four neighbours."""
    image = Image.fromarray(rgb)
    while image.width >= 2 * side:
        image = image.reduce(2)
    # AFFINE takes each new pixel from its neighbours alone, whatever the reduction.
    step = image.width / side
    matrix = (step, 0, 0.0, 0, step, 0.0)
    return np.asarray(
        image.transform((side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    )


def differences(name: str, slide: RgbArray) -> dict[float, FloatArray]:
    """Of each tile the largest difference of a probability, by the factor of reduction."""
    card = find_model(name)
    runtime = load_runtime(card, "cpu-fp32")
    side = card.patch_size_pixels
    found = {}
    for factor in FACTORS:
        large = round(side * factor)
        tiles = [
            slide[y : y + large, x : x + large]
            for y in range(0, slide.shape[0] - large, large)
            for x in range(0, slide.shape[1] - large, large)
        ]
        tiles = [tile for tile in tiles if tile.mean() < 225]  # no glass
        ours, _ = runtime.predict(np.stack([resize(tile, (side, side)) for tile in tiles]))
        theirs, _ = runtime.predict(np.stack([as_qupath(tile, side) for tile in tiles]))
        found[factor] = np.abs(ours - theirs).max(axis=1)
    return found


def main() -> None:
    """Print a table for each model."""
    names = sys.argv[1:] or ["lung-histology"]
    with tempfile.TemporaryDirectory() as scratch:
        make_demo(Path(scratch))
        with Image.open(Path(scratch) / "stitched-slide.svs", formats=("TIFF",)) as image:
            slide = np.asarray(image.convert("RGB"))
    print("| model | reduction | tiles | median | 90 % below | 95 % below | largest |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name in names:
        for factor, moved in differences(name, slide).items():
            cuts = np.quantile(moved, (0.5, 0.9, 0.95, 1.0))
            cells = " | ".join(f"{cut:.3f}" for cut in cuts)
            print(f"| {name} | {factor:g} | {len(moved)} | {cells} |")


if __name__ == "__main__":
    main()
