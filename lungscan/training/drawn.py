"""Drawn pictures that are not tissue: counter-examples that cost nothing to make."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from lungscan.types import RgbArray, RgbBatch


def draw_counter_example(rng: np.random.Generator, size_px: int) -> RgbArray:
    """One drawn picture ``(size_px, size_px, 3)``: noise, ramp, shapes, stripes, plain or dots."""
    makers = (_noise, _ramp, _shapes, _stripes, _plain, _blobs)
    return makers[int(rng.integers(len(makers)))](rng, size_px)


def draw_counter_examples(rng: np.random.Generator, count: int, size_px: int) -> RgbBatch:
    """So many drawn pictures ``(count, size_px, size_px, 3)``; one at least."""
    return np.stack([draw_counter_example(rng, size_px) for _ in range(count)])


def _color(rng: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = rng.integers(0, 256, 3)
    return int(red), int(green), int(blue)


def _noise(rng: np.random.Generator, size: int) -> RgbArray:
    coarse = int(rng.integers(2, size))
    channels = int(rng.choice([1, 3]))
    low, high = sorted(rng.integers(0, 256, 2))
    noise = rng.integers(low, high + 1, (coarse, coarse, channels)).astype(np.uint8)
    rgb = np.broadcast_to(noise, (coarse, coarse, 3))
    picture = Image.fromarray(np.ascontiguousarray(rgb))
    return np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC))


def _ramp(rng: np.random.Generator, size: int) -> RgbArray:
    start, end = (np.array(_color(rng), np.float32) for _ in range(2))
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    along = np.clip(0.5 + x * np.cos(angle) + y * np.sin(angle), 0, 1)[..., None]
    ramp: RgbArray = (start * (1 - along) + end * along).astype(np.uint8)
    return ramp


def _shapes(rng: np.random.Generator, size: int) -> RgbArray:
    picture = Image.new("RGB", (size, size), _color(rng))
    pen = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(1, 40))):
        x, y = rng.integers(-20, size, 2)
        width, height = rng.integers(4, size // 2, 2)
        box = (int(x), int(y), int(x + width), int(y + height))
        kind = rng.integers(3)
        if kind == 0:
            pen.ellipse(box, fill=_color(rng))
        elif kind == 1:
            pen.rectangle(box, fill=_color(rng))
        else:
            pen.line(box, fill=_color(rng), width=int(rng.integers(1, 9)))
    return np.asarray(picture)


def _stripes(rng: np.random.Generator, size: int) -> RgbArray:
    first, second = (np.array(_color(rng), np.float32) for _ in range(2))
    angle, period = rng.uniform(0, np.pi), rng.uniform(4, size / 2)
    y, x = np.mgrid[0:size, 0:size]
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period)[..., None]
    wave = np.sign(wave) if rng.random() < 0.5 else wave
    stripes: RgbArray = (first * (1 + wave) / 2 + second * (1 - wave) / 2).astype(np.uint8)
    return stripes


def _plain(rng: np.random.Generator, size: int) -> RgbArray:
    base = np.array(_color(rng), np.float32)
    grain = rng.normal(0, rng.uniform(0, 12), (size, size, 1))
    return np.clip(base + grain, 0, 255).astype(np.uint8)


def _blobs(rng: np.random.Generator, size: int) -> RgbArray:
    """Dots on a ground in stain-like colours: has the palette of H&E and none of its structure."""
    ground = (int(rng.integers(200, 250)), int(rng.integers(120, 220)), int(rng.integers(170, 240)))
    picture = Image.new("RGB", (size, size), ground)
    pen = ImageDraw.Draw(picture)
    radius = rng.uniform(1.5, 14)
    for _ in range(int(rng.integers(10, 400))):
        x, y = rng.uniform(0, size, 2)
        color = tuple(int(v) for v in rng.integers((60, 20, 90), (160, 110, 190)))
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0, 2)))))


def draw_stained_field(rng: np.random.Generator, size_px: int) -> RgbArray:
    """A field with stroma, air and nuclei in stain colours: looks like H&E from afar, no tissue."""
    size = size_px
    waves = np.zeros((size, size), np.float32)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    for _ in range(6):
        angle, period = rng.uniform(0, np.pi), rng.uniform(size / 8, size / 1.5)
        along = (x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period
        waves += np.sin(along + rng.uniform(0, 6.3))
    stroma = np.clip((waves + rng.uniform(0, 2.5)) / 3, 0, 1)[..., None]
    glass, eosin = np.array([246, 242, 246], np.float32), np.array([226, 158, 196], np.float32)
    picture = Image.fromarray((glass * (1 - stroma) + eosin * stroma).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    radius = rng.uniform(3, 8)
    for _ in range(int(rng.integers(40, 260))):
        cx, cy = rng.uniform(0, size, 2)
        if stroma[int(cy), int(cx), 0] < 0.3:
            continue
        rx, ry = rng.uniform(0.7, 1.3, 2) * radius
        shade = int(rng.integers(-20, 30))
        color = (96 + shade, 62 + shade, 140 + shade)
        pen.ellipse((cx - rx, cy - ry, cx + rx, cy + ry), fill=color)
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(0.7)))
