"""Draw an Aperio-like slide of any size, strip by strip, so that memory stays small.

    python benchmarks/drawing.py FOLDER SIDE [--field] [--fields N] [--seed N]

Prints the path; a drawing that is there already is kept. ``--field`` draws a JPEG full of tissue,
``--fields`` a folder of N such, all different.

The slide is square: a wavy-edged piece of H&E-like tissue on glass, 0.5 µm per pixel, 256 px JPEG
tiles, levels at 1, 4 and 16. At 11,200 px the grid of 224 px has some 1,300 tissue tiles; the same
drawing at 22,400 px has four times as many. Nothing in it is tissue; it has the colours, the grain
and about the bytes per tile of a real scan, which is what decoding and masking cost.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

VERSION = 1  # part of a cached slide's name: raise it when the drawing changes
MPP_UM = 0.5
TILE = 256
SHRINK = 4  # from one level to the next
LEVELS = 3
STRIP = TILE * SHRINK  # rows drawn at a time: whole tiles on the first two levels
PATCH = 2048  # side of the piece of tissue that is repeated, shifted anew in every strip
JPEG_QUALITY = 80

GLASS = (243, 241, 243)
EOSIN = (222, 148, 184)
PALE = (244, 216, 230)
NUCLEUS = (98, 66, 134)

Rgb = NDArray[np.uint8]  # (height, width, 3)


def draw_slide(path: Path, side: int, seed: int = 7) -> Path:
    """Write a slide of ``side`` x ``side`` level-0 pixels; it appears only when it is whole.

    Raises ValueError unless ``side`` divides by 16: the levels' sizes would be rounded.
    """
    if side < TILE or side % SHRINK ** (LEVELS - 1):
        raise ValueError(f"the side must divide by 16 and be at least {TILE}, not {side}")
    smaller: list[Rgb] = []  # filled with the next level's rows while a level is written
    temporary = path.with_name(path.name + ".part")
    with tifffile.TiffWriter(temporary, bigtiff=True) as tiff:
        _write_level(tiff, side, side, _noting(draw_strips(side, seed), smaller))
        for level in range(1, LEVELS):
            rgb, smaller = np.concatenate(smaller), []
            rows = (rgb[top : top + STRIP] for top in range(0, len(rgb), STRIP))
            _write_level(tiff, side, side // SHRINK**level, _noting(rows, smaller))
    temporary.replace(path)
    return path


def draw_field(path: Path, side: int, seed: int = 7) -> Path:
    """Write a JPEG of ``side`` x ``side`` pixels, without a scale."""
    Image.fromarray(draw_tissue(side, np.random.default_rng(seed))).save(path, quality=90)
    return path


def draw_fields(folder: Path, side: int, count: int, seed: int = 7) -> Path:
    """Write a folder of JPEGs cut from one drawing; it appears only when all are there."""
    rng = np.random.default_rng(seed)
    tissue = draw_tissue(PATCH, rng)
    part = folder.with_name(folder.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    for at, (y, x) in enumerate(rng.integers(0, PATCH - side, (count, 2))):
        cut = Image.fromarray(tissue[y : y + side, x : x + side])
        cut.save(part / f"field-{at:05}.jpg", quality=90)
    return part.rename(folder)


def draw_strips(side: int, seed: int) -> Iterator[Rgb]:
    """Level 0 from top to bottom, ``STRIP`` rows at a time (the last may be lower)."""
    rng = np.random.default_rng(seed)
    patch = draw_tissue(PATCH, rng)
    glass = np.clip(rng.normal(GLASS, 1.2, (STRIP, PATCH, 3)), 0, 255).astype(np.uint8)
    repeats = (1, -(-side // PATCH), 1)
    for top in range(0, side, STRIP):
        height = min(STRIP, side - top)
        moved = np.roll(patch, rng.integers(0, PATCH, 2), (0, 1))
        tissue = np.tile(moved[:height], repeats)[:, :side]
        ground = np.tile(glass[:height], repeats)[:, :side]
        yield np.where(is_tissue(top, height, side)[..., None], tissue, ground)


def is_tissue(top: int, height: int, side: int) -> NDArray[np.bool_]:
    """Which pixels of some rows of the slide lie in the tissue: (height, side)."""
    y = (np.arange(top, top + height, dtype=np.float32)[:, None] / side - 0.5) / 0.39
    x = (np.arange(side, dtype=np.float32)[None, :] / side - 0.5) / 0.41
    wave = 0.05 * np.sin(9 * x + 4 * y) + 0.04 * np.sin(13 * y - 5 * x)
    return np.asarray(np.hypot(x, y) + wave < 1)


def draw_tissue(side: int, rng: np.random.Generator) -> Rgb:
    """Draw a square full of tissue: stroma in waves with grain, and nuclei with chromatin."""
    coarse = rng.random((side // 24 + 2, side // 24 + 2)).astype(np.float32)
    waves = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    share = np.clip(np.asarray(waves), 0, 1)[..., None]
    stroma = np.array(EOSIN, np.float32) * share + np.array(PALE, np.float32) * (1 - share)
    picture = Image.fromarray(stroma.astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for _ in range(side * side // 900):
        x, y = rng.integers(0, side, 2)
        wide, high = rng.integers(3, 8, 2)
        tint = int(rng.integers(-18, 19))
        red, green, blue = (part + tint for part in NUCLEUS)
        pen.ellipse((x - wide, y - high, x + wide, y + high), fill=(red, green, blue))
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.8)), np.float32)
    grain = rng.normal(0, 6, (side, side, 1)).astype(np.float32)
    rgb: Rgb = np.clip(soft + grain, 0, 255).astype(np.uint8)
    return rgb


def _noting(strips: Iterator[Rgb], smaller: list[Rgb]) -> Iterator[Rgb]:
    """Pass strips on and keep each, reduced, for the next level."""
    for strip in strips:
        smaller.append(np.asarray(Image.fromarray(strip).reduce(SHRINK)))
        yield strip


def _write_level(tiff: tifffile.TiffWriter, full: int, side: int, strips: Iterator[Rgb]) -> None:
    size = f"{full}x{full}"
    made_from = "" if side == full else f" -> {side}x{side}"
    head = f"Aperio Image Library v12.0.0\r\n{size} [0,0 {size}] ({TILE}x{TILE}){made_from}"
    tiff.write(
        _tiles(strips),
        shape=(side, side, 3),
        dtype=np.uint8,
        tile=(TILE, TILE),
        photometric="rgb",  # stored as YCbCr because of the subsampling
        subsampling=(2, 2),
        compression="jpeg",
        compressionargs={"level": JPEG_QUALITY},
        description=f"{head} JPEG/RGB Q={JPEG_QUALITY}|AppMag = 20|MPP = {MPP_UM}",
        metadata=None,
        software=False,
        subfiletype=0 if side == full else 1,
        maxworkers=1,
    )


def _tiles(strips: Iterator[Rgb]) -> Iterator[Rgb]:
    """Cut strips into tiles, row by row; those over the edge are filled up with glass."""
    for strip in strips:
        for top in range(0, len(strip), TILE):
            for left in range(0, strip.shape[1], TILE):
                part = strip[top : top + TILE, left : left + TILE]
                tile = np.full((TILE, TILE, 3), GLASS, np.uint8)
                tile[: part.shape[0], : part.shape[1]] = part
                yield tile


def main() -> None:
    """Draw one slide, field or folder of fields and print where it is."""
    parser = argparse.ArgumentParser(description="Draw an Aperio-like slide.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("side", type=int, help="pixels; of a slide, a multiple of 16")
    parser.add_argument("--field", action="store_true", help="draw a field image instead")
    parser.add_argument("--fields", type=int, metavar="N", help="draw a folder of N fields")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    name = f"drawn-{given.side}-seed{given.seed}-v{VERSION}"
    if given.fields:
        path: Path = given.folder / f"{name}-{given.fields}-fields"
        if not path.exists():
            draw_fields(path, given.side, given.fields, given.seed)
    else:
        path = given.folder / (f"{name}.jpg" if given.field else f"{name}.svs")
        if not path.exists():
            (draw_field if given.field else draw_slide)(path, given.side, given.seed)
    print(path)


if __name__ == "__main__":
    main()
