"""Augmentation: what each change does to a picture, and that none changes what it must not."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra train")

import torch

from lungscan.training import jpeg, optics, restain
from lungscan.training.augment import augment, crop_and_turn, soften, stain_shift
from lungscan.training.options import Augment, TrainOptions, load_options
from tests.drawing import draw_he

RECIPES = Path(__file__).parents[2] / "models" / "recipes"
WIDE = Augment(0.1, 0.2, 0.25, (40, 90), 0.75, 0.4, 2.4, 0.4, 0.2)


def drawn(count: int = 16, side: int = 64) -> torch.Tensor:
    """Pictures ``(count, side, side, 3)`` uint8."""
    return torch.from_numpy(np.stack([draw_he(side, side, seed) for seed in range(count)]))


def planes(count: int = 16, side: int = 64) -> torch.Tensor:
    return drawn(count, side).permute(0, 3, 1, 2).float()


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("how", [Augment(), Augment(0.2, 0.3, 0.5)])
def test_without_the_newer_changes_the_stream_of_chance_is_the_old_one(how: Augment) -> None:
    ours, generator = source(), source()
    found = augment(drawn(), 48, (40, 64), how, ours)
    expected = crop_and_turn(planes(), 48, (40, 64), generator)
    expected = stain_shift(expected, how.stain_sigma, generator)
    expected = soften(expected, how.blur_share, generator)
    if how.jpeg_share:
        expected = jpeg.compress(expected, how.jpeg_share, how.jpeg_quality, generator)
    assert torch.equal(found, expected)
    assert torch.equal(ours.get_state(), generator.get_state())


def test_checkpoints_of_before_the_newer_options_stay_valid() -> None:
    """The fingerprints are those of the code before, whose recipe this is."""
    options = load_options(RECIPES / "lung-histology-random.toml")
    assert options.fingerprint("teacher", "data")[:12] == "cbc5ad2f57de"
    assert options.fingerprint("student", "data")[:12] == "98ac916d5067"
    assert TrainOptions("x", augment=WIDE).fingerprint("student") != TrainOptions("x").fingerprint(
        "student"
    )


@pytest.mark.parametrize(
    "change",
    [
        restain.restain,
        lambda fields, share, draw: restain.coarsen(fields, share, 2.4, draw),
        optics.sharpen,
        optics.grain,
    ],
    ids=["restain", "coarsen", "sharpen", "grain"],
)
def test_a_share_of_the_pictures_changes_and_stays_a_picture(change: object) -> None:
    assert callable(change)
    fields = planes(64)
    same = fields.clone()
    for share, least, most in ((0.0, 0, 0), (0.5, 16, 48), (1.0, 60, 64)):
        found = change(fields, share, source(1))
        assert torch.equal(fields, same)  # the batch itself is another's
        assert (found.shape, found.dtype) == (fields.shape, fields.dtype)
        assert 0 <= float(found.min()) <= float(found.max()) <= 255
        moved = (found - fields).abs().amax((1, 2, 3)) > 0.51  # a stain's way there and back rounds
        assert least <= int(moved.sum()) <= most
    again = change(fields, 0.5, source(7))
    assert torch.equal(again, change(fields, 0.5, source(7)))
    assert not torch.equal(again, change(fields, 0.5, source(8)))


def test_each_picture_is_blurred_by_its_own_gaussian() -> None:
    dot = torch.zeros(2, 3, 33, 33)
    dot[:, :, 16, 16] = 1.0
    found = optics.blurred(dot, torch.tensor([0.8, 1.6]))
    place = torch.arange(-16, 17, dtype=torch.float32)
    for picture, sigma in zip(found, (0.8, 1.6), strict=True):
        kernel = torch.exp(-(place**2) / (2 * sigma**2)) * (place.abs() <= 4)
        kernel = kernel / kernel.sum()
        torch.testing.assert_close(picture, torch.outer(kernel, kernel).expand(3, -1, -1))


def test_sharpening_steepens_edges_and_keeps_flat_colour() -> None:
    fields = torch.full((8, 3, 40, 40), 200.0)
    fields[:, :, :, 20:] = 120.0
    found = optics.sharpen(fields, 1.0, source(2))
    assert torch.all(found[:, :, 20, 19] > 200)  # overshoot on both sides of the edge
    assert torch.all(found[:, :, 20, 20] < 120)
    torch.testing.assert_close(found[:, :, 20, 2], torch.full((8, 3), 200.0))
    heights = found[:, 0, 20, 19] - 200
    assert len(set(heights.round(decimals=1).tolist())) > 5  # each by its own amount


def test_grain_has_each_pictures_own_strength_and_no_colour_of_its_own() -> None:
    fields = torch.full((32, 3, 64, 64), 128.0)
    noise = optics.grain(fields, 1.0, source(3)) - fields
    strength = noise.std((1, 2, 3))
    low, high = optics.NOISE
    assert float(strength.min()) > 0.9 * low
    assert float(strength.max()) < 1.1 * high
    assert float(strength.max()) > 2 * float(strength.min())
    assert float(noise.mean().abs()) < 0.1


def test_coarsening_takes_fine_detail_and_leaves_coarse() -> None:
    x = torch.arange(64, dtype=torch.float32)
    fine = 128 + 80 * torch.sin(math.pi * x * 0.9)  # close to the finest that pixels hold
    coarse = 128 + 80 * torch.sin(2 * math.pi * x / 32)
    fields = torch.stack([fine, coarse]).repeat(16, 1)[:, None, None].expand(32, 3, 64, 64)
    found = restain.coarsen(fields.contiguous(), 1.0, 2.4, source(4))
    kept = found.std((1, 2, 3)) / fields.std((1, 2, 3))
    assert float(kept[0::2].mean()) < 0.5
    assert float(kept[1::2].min()) > 0.9


def test_restaining_stays_plausible_and_leaves_glass_light() -> None:
    """Dark nuclei stay darker than stroma, tissue is neither black nor inverted."""
    fields = planes(64)
    found = restain.restain(fields, 1.0, source(5))
    for before, after in zip(fields, found, strict=True):
        brightness = np.corrcoef(before.mean(0).flatten(), after.mean(0).flatten())[0, 1]
        assert brightness > 0.8
    assert 60 < float(found.mean()) < 240
    glass = torch.full((64, 3, 32, 32), 250.0)
    assert float(restain.restain(glass, 1.0, source(6)).mean((1, 2, 3)).min()) > 190


def test_stains_of_a_batch_spread_as_far_as_other_laboratories() -> None:
    """Blue light absorbed by nuclei, by red: a few tenths in our data, up to 0.9 elsewhere."""
    fields = planes(64)
    found = restain.restain(fields, 1.0, source(9))
    density = -torch.log((found + 1) / 256)
    dark = density.sum(1).flatten(1).argsort(1)[:, -200:]  # nuclei
    channels = density.flatten(2).gather(2, dark[:, None].expand(-1, 3, -1)).mean(2)
    ratio = channels[:, 2] / channels[:, 0]
    before = -torch.log((fields + 1) / 256)
    own = before.flatten(2).gather(2, dark[:, None].expand(-1, 3, -1)).mean(2)
    assert float(ratio.std()) > 0.1
    assert float((ratio - own[:, 2] / own[:, 0]).abs().max()) > 0.3


def test_the_whole_wide_augmentation_is_repeatable(tmp_path: Path) -> None:
    one = augment(drawn(32), 48, (40, 64), WIDE, source(11))
    assert torch.equal(one, augment(drawn(32), 48, (40, 64), WIDE, source(11)))
    assert one.shape == (32, 3, 48, 48)
    assert bool(torch.isfinite(one).all())
