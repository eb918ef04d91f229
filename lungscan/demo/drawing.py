"""Drawn tissue: one small slide and a few fields, from a seed alone.

Nothing here is real tissue. The drawing follows Beer and Lambert: two maps say how much
haematoxylin and eosin lie at each pixel, light is absorbed by both, and the eye sees H&E.
All sizes are in level-0 pixels of 0.5 µm unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from lungscan.types import FloatArray, RgbArray

MPP_UM = 0.5
SLIDE_SIZE = (4096, 3072)  # width, height
FIELD_SIDE = 768
SLIDE = "drawn-slide.svs"
COARSE = 4  # the structure is laid out at a quarter of the size, then enlarged

# Optical density of a full stain at red, green and blue.
HAEMATOXYLIN = (1.10, 1.20, 0.52)
EOSIN = (0.08, 0.80, 0.46)
MARKER = (1.60, 0.50, 1.15)  # a green felt pen
GLASS = (243.0, 243.0, 241.0)


@dataclass(frozen=True, slots=True)
class _Layout:
    """What lies where, at the coarse size: all (height, width) float32, 0 to 1."""

    eosin: FloatArray
    nuclei: FloatArray  # chance that a place for a nucleus is taken


def draw_demo(folder: Path, seed: int = 7) -> tuple[Path, ...]:
    """Draw the demo's inputs into ``folder`` and return their paths.

    One Aperio-like slide with a pyramid and a pen mark, two fields of it, one empty field, one
    blurred field, and one junk file such as a memory stick brings along. Files of these names
    are replaced. The same seed draws the same tissue. Raises OSError when it cannot write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    tissue = _stain(_layout(rng), rng)
    glands = _crop(tissue, 2560, 1450)
    fields = {
        "drawn-glands.jpg": glands,
        "drawn-alveoli.png": _crop(tissue, 760, 1560),
        "empty-glass.png": _crop(tissue, 0, 0),
        "out-of-focus.jpg": glands.filter(ImageFilter.GaussianBlur(9)),
    }
    paths = [folder / SLIDE]
    write_svs(paths[0], _with_pen(tissue))
    for name, picture in fields.items():
        paths.append(folder / name)
        picture.save(paths[-1], quality=92)
    paths.append(folder / f"._{SLIDE}")
    paths[-1].write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        ")
    return tuple(paths)


def _layout(rng: np.random.Generator) -> _Layout:
    """Lay out a piece of lung: airspaces with thin walls, a nest of glands, a vessel."""
    width, height = (side // COARSE for side in SLIDE_SIZE)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x += 26 * _noise(rng, 40)
    y += 26 * _noise(rng, 40)
    outline = np.hypot((x - width * 0.50) / (width * 0.41), (y - height * 0.50) / (height * 0.38))
    tissue = _step(1.0 + 0.14 * _noise(rng, 120) - outline, 0.02)
    nest = np.hypot((x - width * 0.68) / (width * 0.19), (y - height * 0.58) / (height * 0.27))
    tumour = _step(1.0 + 0.20 * _noise(rng, 60) - nest, 0.05)

    near, second = _cells(rng, x, y, 62)
    wall = _step(5.0 + 3.0 * _noise(rng, 30) - (second - near), 2.0)
    near, second = _cells(rng, x, y, 52)
    depth: FloatArray = (
        near - 9.0 - 5.0 * _noise(rng, 40)
    )  # below the surface of a gland, coarse pixels
    lumen = _step(-depth, 0.8)
    lining = _step(10.0 - depth, 1.0) * _step(second - near - 3.0, 1.0) * (1 - lumen)
    basal = lining * np.exp(-(((depth - 6.5) / 2.6) ** 2))  # where a gland's nuclei stand
    fibres = np.sin((x + 0.6 * y + 14 * _noise(rng, 24)) * 0.9)
    stroma = (0.44 + 0.06 * fibres + 0.15 * _noise(rng, 8)) * (1 - lumen) * (1 - lining)

    glands = 0.34 * lining + stroma
    eosin = tissue * ((1 - tumour) * wall * (0.62 + 0.15 * _noise(rng, 8)) + tumour * glands)
    crowd = 0.95 * basal + 0.22 * lining + 0.16 * (1 - lumen) * (1 - lining)
    nuclei = tissue * ((1 - tumour) * wall * 0.62 + tumour * crowd)
    _vessel(eosin, nuclei, centre=(int(width * 0.33), int(height * 0.36)))
    return _Layout(eosin, nuclei)


def _vessel(eosin: FloatArray, nuclei: FloatArray, centre: tuple[int, int]) -> None:
    """Set a muscular artery filled with blood into both maps."""
    height, width = eosin.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    radius = np.hypot((x - centre[0]) * 0.92, (y - centre[1]) * 1.12)
    blood = _step(40.0 - radius, 1.5)
    wall = _step(64.0 - radius, 2.0) * (1 - blood)
    rings = 0.66 + 0.08 * np.sin(radius * 0.9)
    eosin *= 1 - blood - wall
    eosin += 0.86 * blood + rings * wall
    nuclei *= 1 - blood - wall
    nuclei += 0.16 * wall


def _stain(layout: _Layout, rng: np.random.Generator) -> RgbArray:
    """Turn the layout into colours at full size, with nuclei drawn one by one."""
    chromatin = np.asarray(_draw_nuclei(layout.nuclei, rng))
    enlarged = Image.fromarray((255 * layout.eosin.clip(0, 1)).astype(np.uint8))
    eosin = np.asarray(enlarged.resize(SLIDE_SIZE, Image.Resampling.BICUBIC))
    grain = rng.normal(0, 1, (512, 512, 1)).astype(np.float32)
    grain = np.tile(grain, (SLIDE_SIZE[1] // 512, SLIDE_SIZE[0] // 512, 1))[..., 0]
    level = np.arange(256, dtype=np.float32) / 255
    rgb = np.empty((*eosin.shape, 3), np.uint8)
    for channel in range(3):
        light = (10 ** (-HAEMATOXYLIN[channel] * level))[chromatin]
        light *= (10 ** (-EOSIN[channel] * level))[eosin]
        # Grain stands for fibres and granules: strong where there is stain, faint on glass.
        light *= 1 + grain * (0.006 + 0.06 * (1 - light))
        rgb[..., channel] = (GLASS[channel] * light).clip(0, 255)
    return rgb


def _draw_nuclei(density: FloatArray, rng: np.random.Generator) -> Image.Image:
    """Draw nuclei as tilted ovals where ``density`` allows, never two at one place."""
    pitch = 17  # px between places, a small nucleus and its rim
    columns, rows = SLIDE_SIZE[0] // pitch, SLIDE_SIZE[1] // pitch
    places = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1).reshape(-1, 2)
    centres = (places + rng.uniform(0.2, 0.8, places.shape)) * pitch
    at = (centres / COARSE).astype(int)
    centres = centres[rng.random(len(centres)) < density[at[:, 1], at[:, 0]]]
    turn = np.linspace(0, 2 * np.pi, 13)[:-1]
    long_axis = rng.uniform(6.0, 9.5, (len(centres), 1))
    short_axis = long_axis * rng.uniform(0.55, 0.9, (len(centres), 1))
    tilt = rng.uniform(0, np.pi, (len(centres), 1))
    along, across = long_axis * np.cos(turn), short_axis * np.sin(turn)
    outline_x = centres[:, :1] + along * np.cos(tilt) - across * np.sin(tilt)
    outline_y = centres[:, 1:] + along * np.sin(tilt) + across * np.cos(tilt)
    shade = rng.integers(95, 165, len(centres))

    # Crowded places have a bluish ground: the ribosomes of busy cells take up haematoxylin too.
    picture = Image.fromarray((40 * density.clip(0, 1)).astype(np.uint8)).resize(SLIDE_SIZE)
    draw = ImageDraw.Draw(picture)
    for xs, ys, dark, (x, y) in zip(outline_x, outline_y, shade, centres, strict=True):
        draw.polygon(list(zip(xs, ys, strict=True)), fill=int(dark))
        draw.ellipse((x - 2, y - 2, x + 1, y + 1), fill=int(dark) + 45)  # a nucleolus
    return picture.filter(ImageFilter.GaussianBlur(1.1))


def _with_pen(rgb: RgbArray) -> RgbArray:
    """Return the picture with a felt-pen stroke along its upper left edge."""
    width, height = SLIDE_SIZE
    mask = Image.new("L", (width // 2, height // 2), 0)
    draw = ImageDraw.Draw(mask)
    for turn in np.linspace(0, 1, 400):
        x = 1050 - 900 * turn + 60 * np.sin(4 * turn)
        y = 110 + 60 * np.sin(5 * turn) + 880 * turn**2.6
        draw.ellipse((x - 22, y - 22, x + 22, y + 22), fill=215)
    ink = np.asarray(mask.filter(ImageFilter.GaussianBlur(3)).resize(SLIDE_SIZE))
    level = np.arange(256, dtype=np.float32) / 255
    marked = np.empty_like(rgb)
    for channel, density in enumerate(MARKER):
        marked[..., channel] = rgb[..., channel] * (10 ** (-density * level))[ink]
    return marked


def write_svs(path: Path, rgb: RgbArray) -> None:
    """Write a pyramid as Aperio scanners do: 256 px JPEG tiles, the scale in the description."""
    height, width = rgb.shape[:2]
    size = f"{width}x{height}"
    head = f"Aperio Image Library v12.0.0\r\n{size} [0,0 {size}] (256x256) JPEG/RGB Q=85"
    picture = Image.fromarray(rgb)
    with tifffile.TiffWriter(path) as tiff:
        for shrink in (1, 4, 8):
            level = rgb if shrink == 1 else np.asarray(picture.reduce(shrink))
            tiff.write(
                level,
                tile=(256, 256),
                photometric="rgb",
                compression="jpeg",
                compressionargs={"level": 85},
                description=f"{head}|AppMag = 20|MPP = {MPP_UM}",
                metadata=None,
                subfiletype=0 if shrink == 1 else 1,
            )


def _crop(rgb: RgbArray, x: int, y: int) -> Image.Image:
    return Image.fromarray(rgb[y : y + FIELD_SIDE, x : x + FIELD_SIDE])


def _noise(rng: np.random.Generator, scale: int) -> FloatArray:
    """Smooth noise at the coarse size, about -1 to 1, with bumps of ``scale`` coarse pixels."""
    width, height = (side // COARSE for side in SLIDE_SIZE)
    seeds = rng.uniform(-1, 1, (height // scale + 3, width // scale + 3)).astype(np.float32)
    enlarged = Image.fromarray(seeds).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(enlarged, np.float32)


def _cells(
    rng: np.random.Generator, x: FloatArray, y: FloatArray, pitch: int
) -> tuple[FloatArray, FloatArray]:
    """Distance from each coarse pixel to its nearest and second nearest cell centre."""
    column, row = (np.floor(axis / pitch).astype(int) + 8 for axis in (x, y))
    jitter: NDArray[np.float64] = rng.uniform(0.1, 0.9, (row.max() + 9, column.max() + 9, 2))
    near = np.full(x.shape, np.inf, np.float32)
    second = near.copy()
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            r, c = row + down, column + right
            centre = jitter[r, c]
            distance = np.hypot(
                x - (c - 8 + centre[..., 0]) * pitch, y - (r - 8 + centre[..., 1]) * pitch
            ).astype(np.float32)
            second = np.minimum(second, np.maximum(near, distance))
            near = np.minimum(near, distance)
    return near, second


def _step(value: FloatArray, softness: float) -> FloatArray:
    """Rise from 0 to 1 where ``value`` crosses zero, over about ``softness``."""
    return (1 / (1 + np.exp(-value.clip(-20 * softness, 20 * softness) / softness))).astype(
        np.float32
    )
