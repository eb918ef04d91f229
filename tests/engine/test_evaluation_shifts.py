"""What may differ between laboratories, done to a field."""

from __future__ import annotations

import numpy as np
import pytest

from lungscan.evaluation.shifts import SHIFTS, Shift, blur, brightness, jpeg, rescale, stain
from lungscan.types import RgbArray
from tests.drawing import draw_he


@pytest.fixture(scope="module")
def field() -> RgbArray:
    return draw_he(120, 90, seed=5)


def detail(rgb: RgbArray) -> float:
    """Mean step from pixel to pixel."""
    return float(np.abs(np.diff(rgb.astype(int), axis=1)).mean())


@pytest.mark.parametrize("shift", SHIFTS, ids=lambda shift: f"{shift.kind} {shift.amount}")
def test_each_change_keeps_the_size_and_changes_something(shift: Shift, field: RgbArray) -> None:
    before = field.copy()
    changed = shift.apply(field)
    assert (changed.shape, changed.dtype) == (field.shape, field.dtype)
    assert (changed != field).any()
    assert (field == before).all()
    assert (changed == shift.apply(field)).all()  # nothing is random


def test_the_names_are_told_apart() -> None:
    names = {(shift.kind, shift.amount) for shift in SHIFTS}
    assert len(names) == len(SHIFTS) == 19


def test_no_change_is_no_change(field: RgbArray) -> None:
    assert (stain(field) == field).all()
    assert (rescale(field, 1.0) == field).all()
    assert (brightness(field, 1.0) == field).all()


def test_haematoxylin_darkens_nuclei_and_eosin_the_stroma() -> None:
    optics = {"nucleus": (0.650, 0.704, 0.286), "stroma": (0.072, 0.990, 0.105)}
    pixels = {k: 256 * np.exp(-np.array(v)) - 1 for k, v in optics.items()}
    picture = np.rint(np.array([[pixels["nucleus"], pixels["stroma"]]])).astype(np.uint8)
    strong = stain(picture, haematoxylin=1.4)
    assert strong[0, 0].sum() < picture[0, 0].sum() - 60
    assert strong[0, 1] == pytest.approx(picture[0, 1], abs=2)
    pink = stain(picture, eosin=0.6)
    assert pink[0, 1].sum() > picture[0, 1].sum() + 30
    assert pink[0, 0] == pytest.approx(picture[0, 0], abs=2)
    # Density is what doubles, not darkness.
    doubled = -np.log((stain(picture, haematoxylin=2.0)[0, 0] + 1.0) / 256)
    assert doubled == pytest.approx(2 * np.array(optics["nucleus"]), abs=0.03)


def test_glass_stays_white() -> None:
    white = np.full((4, 4, 3), 255, np.uint8)
    assert (stain(white, 1.4, 1.4) == 255).all()
    assert (brightness(white, 1.1) == 255).all()
    assert (brightness(white, 0.9) == 230).all()


def test_blur_and_storage_take_detail(field: RgbArray) -> None:
    assert detail(blur(field, 2)) < detail(blur(field, 1)) < detail(field)
    loss = [np.abs(jpeg(field, q).astype(int) - field).mean() for q in (70, 50, 30)]
    assert 0 < loss[0] < loss[1] < loss[2]


def test_scale_makes_a_disc_larger_or_smaller() -> None:
    y, x = np.mgrid[0:101, 0:101] - 50
    disc = np.where((x**2 + y**2 < 30**2)[..., None], 60, 230).repeat(3, 2).astype(np.uint8)
    area = float((disc < 145).sum())
    assert (rescale(disc, 1.2) < 145).sum() == pytest.approx(1.44 * area, rel=0.03)
    assert (rescale(disc, 0.8) < 145).sum() == pytest.approx(0.64 * area, rel=0.03)


def test_a_picture_shown_smaller_has_no_seam(field: RgbArray) -> None:
    changed = rescale(field, 0.8)
    assert changed.min() > 0  # no black margin
    assert detail(changed[:, :12]) == pytest.approx(detail(changed[:, 40:52]), rel=0.6)
