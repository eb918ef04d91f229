"""Slides of much glass and little tissue, and glass of many tints, drawn for tests.

The truth is what was drawn: every drawing comes with the mask of its tissue.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import cos, radians, sin
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, ImageDraw

from lungscan.types import FloatArray, MaskArray, RgbArray
from tests.drawing import GLASS, draw_he

MPP = 0.5
_TILE = 512


def core(
    length_um: float, width_um: float, angle: float = 0.0, mpp: float = MPP, margin: int = 64
) -> MaskArray:
    """A needle core, straight, with square ends: (height, width) in level-0 pixels."""
    half, thin = length_um / mpp / 2, width_um / mpp / 2
    along, across = (cos(radians(angle)), sin(radians(angle))), (
        -sin(radians(angle)), cos(radians(angle)),
    )  # fmt: skip
    corners = np.array(
        [
            (a * half * along[0] + b * thin * across[0], a * half * along[1] + b * thin * across[1])
            for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ]
    )
    size = np.ceil(np.ptp(corners, axis=0) / 16).astype(int) * 16 + 2 * margin
    canvas = Image.new("1", (int(size[0]), int(size[1])))
    ImageDraw.Draw(canvas).polygon([tuple(p) for p in corners + size / 2], fill=1)
    return np.asarray(canvas)


def stained(where: MaskArray, seed: int = 0, tissue: RgbArray | None = None) -> RgbArray:
    """Drawn tissue (or a picture of it, repeated) where a mask says so, glass around it."""
    patch = draw_he(1024, 1024, seed) if tissue is None else tissue
    height, width = where.shape
    repeats = (-(-height // len(patch)), -(-width // patch.shape[1]), 1)
    rgb = np.tile(patch, repeats)[:height, :width]
    return np.where(where[..., None], rgb, np.uint8(GLASS))


def through(rgb: RgbArray, light: FloatArray, noise: float = 1.2, seed: int = 3) -> RgbArray:
    """The same slide in light of another tint (broadcast to the picture; 255 is white)."""
    seen = rgb.astype(np.float32) * (np.asarray(light, np.float32) / np.float32(GLASS))
    seen += np.random.default_rng(seed).normal(0, noise, rgb.shape).astype(np.float32)
    return np.clip(seen + 0.5, 0, 255).astype(np.uint8)


def write_on_glass(
    path: Path,
    piece: RgbArray,
    side: int,
    at: tuple[int, int],
    *,
    mpp: float = MPP,
    downsamples: Sequence[int] = (4, 16),
) -> Path:
    """Put ``piece`` at a position (x, y; multiples of 16) of ``side`` x ``side`` pixels of glass.

    All tiles of mere glass share the same bytes, so the file stays small whatever its size.
    """
    description = f"Aperio Drawn v1.0\r\n{side}x{side}|AppMag = {10 / mpp:g}|MPP = {mpp}"
    bare = np.full((_TILE, _TILE, 3), GLASS, np.uint8)
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        for downsample in (1, *downsamples):
            small = np.asarray(Image.fromarray(piece).reduce(downsample))
            place = (at[0] // downsample, at[1] // downsample)
            tiff.write(
                _tiles(small, place, side // downsample, bare),
                shape=(side // downsample, side // downsample, 3),
                dtype=np.uint8,
                tile=(_TILE, _TILE),
                photometric="rgb",
                compression="deflate",
                description=description,
                metadata=None,
                software=False,
                subfiletype=0 if downsample == 1 else 1,
            )
    _share_glass(path)
    return path


def _tiles(
    piece: RgbArray, at: tuple[int, int], side: int, bare: RgbArray
) -> Iterator[RgbArray | None]:
    """Tiles row by row; None for those of mere glass, but the first."""
    height, width = piece.shape[:2]
    shown = False
    for top in range(0, side, _TILE):
        for left in range(0, side, _TILE):
            x0, y0 = max(left, at[0]), max(top, at[1])
            x1, y1 = min(left + _TILE, at[0] + width), min(top + _TILE, at[1] + height)
            if x0 >= x1 or y0 >= y1:
                yield None if shown else bare
                shown = True
            else:
                tile = bare.copy()
                part = piece[y0 - at[1] : y1 - at[1], x0 - at[0] : x1 - at[0]]
                tile[y0 - top : y1 - top, x0 - left : x1 - left] = part
                yield tile


def _share_glass(path: Path) -> None:
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        for page in tiff.pages:
            offsets, counts = list(page.dataoffsets), list(page.databytecounts)
            bare = counts.index(min(filter(None, counts)))  # nothing is shorter than mere glass
            for index, count in enumerate(counts):
                if not count:
                    offsets[index], counts[index] = offsets[bare], counts[bare]
            page.tags["TileOffsets"].overwrite(offsets)
            page.tags["TileByteCounts"].overwrite(counts)
