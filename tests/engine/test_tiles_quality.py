"""Focus, ink and emptiness of fields; the limits are held against the shared lung fields."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from lungscan.modalities.histology.quality import (
    MAX_BLANK,
    MAX_PEN,
    MIN_FOCUS,
    judge,
    measure_quality,
)
from lungscan.types import RgbArray, RgbBatch, TileQuality, TileState

LUNG = Path(__file__).parents[2].parent / "shared" / "data" / "lc25000-lung"
SIDE = 224


def measure(batch: RgbBatch) -> TileQuality:
    return measure_quality(batch, np.ones(len(batch), dtype=np.float32))


def blurred(batch: RgbBatch, sigma: float) -> RgbBatch:
    gauss = ImageFilter.GaussianBlur(sigma)
    return np.stack([np.asarray(Image.fromarray(field).filter(gauss)) for field in batch])


def drawn_field(seed: int = 0, air: float = 0.0) -> RgbArray:
    """Pink ground with crisp purple nuclei; the share ``air`` on the left is bare glass."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[:SIDE, :SIDE]
    field = np.full((SIDE, SIDE, 3), (214, 150, 190), dtype=np.float32)
    for x, y, r in zip(*rng.uniform(0, SIDE, (2, 120)), rng.uniform(3, 7, 120), strict=True):
        field[(xx - x) ** 2 + (yy - y) ** 2 < r * r] = (100, 60, 140)
    field[:, : int(air * SIDE)] = (243, 243, 242)
    soft = Image.fromarray(field.astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.6))
    return np.asarray(soft)


@pytest.fixture(scope="module")
def real_fields() -> RgbBatch:
    """Every sixth shared lung field."""
    if not LUNG.exists():
        pytest.skip("the shared lung fields are missing")
    paths = sorted(p for p in LUNG.rglob("*") if p.suffix.lower() in {".jpeg", ".jpg", ".png"})[::6]
    return np.stack([np.asarray(Image.open(p).convert("RGB")) for p in paths])


def test_real_fields_are_sharp_and_blurred_ones_are_not(real_fields: RgbBatch) -> None:
    assert (measure(real_fields).focus < MIN_FOCUS).mean() <= 0.005
    assert (measure(blurred(real_fields, 1)).focus < MIN_FOCUS).mean() <= 0.03
    assert (measure(blurred(real_fields, 3)).focus < MIN_FOCUS).mean() >= 0.99
    assert (measure(blurred(real_fields, 4)).focus < MIN_FOCUS).mean() >= 0.99


def test_noise_does_not_pass_for_sharpness(real_fields: RgbBatch) -> None:
    noise = np.random.default_rng(0).normal(0, 4, real_fields[::4].shape)
    noisy = np.clip(blurred(real_fields[::4], 3) + noise, 0, 255).astype(np.uint8)
    assert (measure(noisy).focus < MIN_FOCUS).mean() >= 0.99


def test_real_fields_are_used(real_fields: RgbBatch) -> None:
    quality = measure(real_fields)
    assert quality.pen.max() < 0.1
    states = judge(quality, np.full(len(real_fields), 0.3, dtype=np.float32))
    assert states.count(TileState.USED) >= 0.995 * len(states)


def test_pale_airy_field_is_not_called_blurred() -> None:
    field = drawn_field(air=0.85).astype(np.float32)
    pale = (243 - (243 - field) * 0.35).astype(np.uint8)
    quality = measure(pale[None])
    assert quality.focus[0] > MIN_FOCUS
    assert judge(quality, np.array([0.15], np.float32)) == (TileState.USED,)


@pytest.mark.parametrize("ink", [(205, 18, 20), (50, 105, 198), (30, 140, 80), (38, 37, 40)])
def test_ink_share(ink: tuple[int, int, int]) -> None:
    field = drawn_field().copy()
    assert measure(field[None]).pen[0] == 0
    field[: SIDE // 2] = (field[: SIDE // 2] * (np.array(ink) / 255)).astype(np.uint8)
    quality = measure(field[None])
    assert 0.4 < quality.pen[0] < 0.52  # pale ground under thin ink may still look stained
    assert judge(quality, np.ones(1, np.float32)) == (TileState.PEN,)


@pytest.mark.parametrize(
    "glass", [(243, 243, 242), (205, 215, 250), (250, 240, 205), (190, 191, 193)]
)
def test_blank_share_whatever_the_white_balance(glass: tuple[int, int, int]) -> None:
    noise = np.random.default_rng(0).normal(0, 2, (SIDE, SIDE, 1))
    field = np.clip(np.array(glass) + noise, 0, 255).astype(np.uint8)
    half = field.copy()
    half[:, : SIDE // 2] = drawn_field()[:, : SIDE // 2]
    quality = measure(np.stack([field, half, drawn_field()]))
    assert quality.blank == pytest.approx([1, 0.5, 0], abs=0.04)
    states = judge(quality, np.array([0.1, 0.5, 1], np.float32))
    assert states == (TileState.BLANK, TileState.USED, TileState.USED)


@pytest.mark.parametrize("tint", [(240, 200, 220), (235, 160, 200), (170, 120, 150), (90, 80, 95)])
@pytest.mark.parametrize("noise", [1, 5])
def test_tinted_and_shaded_glass_is_blank(tint: tuple[int, int, int], noise: float) -> None:
    slope = np.linspace(0.9, 1, SIDE)[:, None, None]
    grain = np.random.default_rng(0).normal(0, noise, (SIDE, SIDE, 3))
    field = np.clip(np.array(tint) * slope + grain, 0, 255).astype(np.uint8)
    quality = measure(np.stack([field, drawn_field(air=0.9)]))
    assert quality.blank[0] == 1
    assert quality.blank[1] < 1
    assert judge(quality, np.array([0.1, 0.1], np.float32))[0] is TileState.BLANK


def test_no_real_field_is_smooth(real_fields: RgbBatch) -> None:
    assert measure(real_fields).blank.max() < 1


@pytest.mark.parametrize("level", [0, 90, 255])
def test_even_field_is_blank(level: int) -> None:
    field = np.full((1, SIDE, SIDE, 3), level, dtype=np.uint8)
    assert measure(field).blank[0] == 1


def test_judge_gives_the_first_reason() -> None:
    def column(*values: float) -> np.ndarray:
        return np.array(values, dtype=np.float32)

    quality = TileQuality(
        valid=column(1, 0.4, 1, 1, 1, 1),
        pen=column(0, 1, MAX_PEN + 0.01, 0, 0, 0),
        blank=column(0, 1, 1, MAX_BLANK + 0.01, MAX_BLANK + 0.01, 0),
        focus=column(0.9, 0, 0, 0, 0.9, 0.4),
    )
    states = judge(quality, column(1, 1, 0.1, 0.1, 0.8, 1))
    assert states == (
        TileState.USED,
        TileState.UNSCANNED,
        TileState.PEN,
        TileState.BLANK,
        TileState.USED,  # the overview knows this pale field for tissue
        TileState.BLURRED,
    )
    assert all(isinstance(state, TileState) for state in states)


@pytest.mark.parametrize("side", [96, 160, 224, 256])
def test_shapes_and_ranges_for_any_input_size(side: int) -> None:
    rng = np.random.default_rng(0)
    batch = rng.integers(0, 256, (3, side, side, 3), dtype=np.uint8)
    quality = measure(batch)
    for values in (quality.focus, quality.pen, quality.blank, quality.valid):
        assert values.shape == (3,)
        assert values.dtype == np.float32
        assert ((values >= 0) & (values <= 1)).all()


def test_empty_batch() -> None:
    quality = measure(np.zeros((0, SIDE, SIDE, 3), dtype=np.uint8))
    assert quality.focus.shape == (0,)
    assert judge(quality, np.zeros(0, np.float32)) == ()
