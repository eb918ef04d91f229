"""Pictures that show no tissue: samples of a library, drawings, noise, plain colours.

Made by another generator than the counter-examples of training.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SAMPLES = (
    *("astronaut", "brick", "camera", "cat", "cell", "checkerboard", "chelsea", "clock", "coffee"),
    *("coins", "colorwheel", "grass", "gravel", "horse", "hubble_deep_field"),
    *("immunohistochemistry", "logo", "microaneurysms", "moon", "page", "retina", "rocket"),
    *("shepp_logan_phantom", "text"),
)


def sample_pictures(folder: Path) -> list[Path]:
    """scikit-image's sample pictures, those that come with it."""
    from skimage import data

    for name in SAMPLES:
        try:
            picture = np.asarray(getattr(data, name)())
        except (OSError, AttributeError, ModuleNotFoundError, ValueError):
            continue  # kept on a server, not in the package
        if picture.dtype != np.uint8:
            picture = (255 * (picture / max(float(picture.max()), 1e-9))).astype(np.uint8)
        if picture.ndim == 2 or picture.shape[2] in (3, 4):
            Image.fromarray(picture).save(folder / f"{name}.png")
    return sorted(folder.glob("*.png"))


def _letters(rng: np.random.Generator, pen: ImageDraw.ImageDraw, side: int) -> None:
    for line in range(0, side, 14):
        word = "".join(chr(int(c)) for c in rng.integers(33, 126, side // 7))
        pen.text((4, line), word, fill=(20, 20, 20))


def _houses(rng: np.random.Generator, pen: ImageDraw.ImageDraw, side: int) -> None:
    pen.rectangle((0, side * 2 // 3, side, side), fill=(70, 140, 60))
    for x in range(10, side - 40, 60):
        top = int(rng.integers(side // 4, side // 2))
        pen.rectangle((x, top, x + 40, side * 3 // 4), fill=(180, 90, 70), outline=(40, 20, 20))
        pen.polygon([(x - 6, top), (x + 20, top - 25), (x + 46, top)], fill=(120, 40, 40))


def _rings(rng: np.random.Generator, pen: ImageDraw.ImageDraw, side: int) -> None:
    color = tuple(int(v) for v in rng.integers(40, 220, 3))
    for radius in range(int(rng.integers(4, 12)), side, int(rng.integers(8, 24))):
        c = side // 2
        pen.ellipse((c - radius, c - radius, c + radius, c + radius), outline=color, width=3)


def _pie(rng: np.random.Generator, pen: ImageDraw.ImageDraw, side: int) -> None:
    start = 0.0
    for share in rng.dirichlet(np.ones(6)) * 360:
        color = tuple(int(v) for v in rng.integers(0, 255, 3))
        pen.pieslice((20, 20, side - 20, side - 20), start, start + share, fill=color)
        start += float(share)


def drawings(folder: Path, count: int = 60, side: int = 224) -> list[Path]:
    """Letters, houses, rings and pies in changing colours."""
    rng = np.random.default_rng(2026)
    for index in range(count):
        ground = tuple(int(v) for v in rng.integers(150, 256, 3))
        picture = Image.new("RGB", (side, side), ground)
        (_letters, _houses, _rings, _pie)[index % 4](rng, ImageDraw.Draw(picture), side)
        picture.save(folder / f"drawing-{index:03}.png")
    return sorted(folder.glob("*.png"))


def noises(folder: Path, count: int = 60, side: int = 224) -> list[Path]:
    """White, coarse, coloured, grey and salt-and-pepper noise."""
    rng = np.random.default_rng(2027)
    for index in range(count):
        grain = (1, 2, 7, 28, 56)[index % 5]
        mean, spread = rng.uniform(60, 200), rng.uniform(20, 80)
        cells = rng.normal(mean, spread, (side // grain, side // grain, 3))
        if index % 3 == 0:
            cells[:] = cells[..., :1]
        cells = np.kron(np.clip(cells, 0, 255), np.ones((grain, grain, 1)))
        Image.fromarray(cells.astype(np.uint8)).save(folder / f"noise-{index:03}.png")
    return sorted(folder.glob("*.png"))


def blanks(folder: Path, side: int = 224) -> list[Path]:
    """Plain pictures with a little camera noise: glass, black, grey, eosin pink, blue."""
    rng = np.random.default_rng(2028)
    colors = [(255,) * 3, (244, 243, 245), (0,) * 3, (128,) * 3, (235, 180, 205), (150, 110, 180)]
    colors += [(60, 90, 200), (230, 225, 200)]
    for index, color in enumerate(color for color in colors for _ in range(5)):
        noise = rng.normal(0, (index % 5) * 1.5, (side, side, 3))
        Image.fromarray(np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)).save(
            folder / f"blank-{index:03}.png"
        )
    return sorted(folder.glob("*.png"))
