"""Where slices lie within the bounds of an axial chest, by folder.

    python benchmarks/ct_shapes.py ../shared/data/iq-oth-nccd ../shared/data/foreign-ct

Prints the least, 1 %, middle, 99 % and largest value of each measure, its bounds, and how many
slices pass all of them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from lungscan.modalities.ct.lungs import BOUNDS, LEAST_LUNG, Shape, shape_of, unlike

SIDE = 144  # of the shipped model's input
PICTURES = {".jpg", ".jpeg", ".png"}


def main() -> None:
    """Measure each folder that is named."""
    for name in sys.argv[1:]:
        tiles = [_square(path) for path in sorted(Path(name).rglob("*")) if _is_picture(path)]
        shapes = [shape_of(tile) for tile in tiles]
        fine = [
            unlike(tile[None])[0] <= 1 and shape.lung >= LEAST_LUNG
            for tile, shape in zip(tiles, shapes, strict=True)
        ]
        print(f"{Path(name).name}: {sum(fine)} of {len(fine)} within all bounds")
        for field in Shape.__dataclass_fields__:
            values = [getattr(shape, field) for shape in shapes]
            percentiles = "  ".join(f"{v:7.3f}" for v in np.percentile(values, (0, 1, 50, 99, 100)))
            print(f"  {field:9} {percentiles}   {BOUNDS.get(field, '')}")


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURES


def _square(path: Path) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    picture = Image.open(path).convert("RGB")
    side = max(picture.size)
    square = Image.new("RGB", (side, side))
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return np.asarray(square.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


if __name__ == "__main__":
    main()
