"""Appearance: another stain or scanner is told by colours and sharpness, not by the tissue."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from lungscan.model.appearance import STATISTICS, Appearance, fit_appearance, statistics
from lungscan.training.calibrate import trusted_reach

SIDE = 64
# What two stains absorb per red, green, blue.
OWN = np.array([[0.64, 0.75, 0.18], [0.36, 0.92, 0.13]])


def draw(seed: int, count: int, stains: NDArray[np.float64] = OWN) -> NDArray[np.uint8]:
    """Tissue of two stains whose amounts vary from tile to tile and from place to place."""
    rng = np.random.default_rng(seed)
    amount = rng.uniform(0.5, 1.0, (count, 1, 1, 2))
    grains = rng.uniform(0.2, 1.0, (count, SIDE, SIDE, 2)) * amount
    return np.clip(256 * np.exp(-grains @ stains) - 1, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def own() -> NDArray[np.float64]:
    return statistics(draw(0, 300))


def test_each_tile_has_its_statistics_whatever_the_batch(own: NDArray[np.float64]) -> None:
    tiles = draw(0, 300)
    assert own.shape == (300, STATISTICS)
    assert statistics(tiles[7:9]).tobytes() == own[7:9].tobytes()
    assert np.isfinite(statistics(np.zeros((1, SIDE, SIDE, 3), np.uint8))).all()
    assert np.isfinite(statistics(np.full((1, SIDE, SIDE, 3), 255, np.uint8))).all()


def test_the_mean_density_is_that_of_the_tissue() -> None:
    plain = np.full((1, SIDE, SIDE, 3), 255, np.uint8)
    plain[:, :, : SIDE // 2] = (99, 49, 149)  # tissue beside glass
    found = statistics(plain)[0, :3]
    density = -np.log(np.array([100, 50, 150]) / 256)
    assert found == pytest.approx(np.log(density + 0.02))


def test_another_stain_is_unlike_and_the_own_is_not(own: NDArray[np.float64]) -> None:
    fitted = fit_appearance(own, own, 0.99)
    assert (fitted.score(draw(1, 100)) <= 1).mean() >= 0.95
    bluer = OWN + np.array([0.0, 0.0, 0.25])
    assert (fitted.score(draw(2, 50, bluer)) > 1).all()


def test_another_scanner_is_unlike_by_sharpness_alone(own: NDArray[np.float64]) -> None:
    fitted = fit_appearance(own, own, 0.99)
    coarse = draw(3, 50)[:, ::2, ::2].repeat(2, 1).repeat(2, 2)  # the same colours, fewer pixels
    assert (fitted.score(coarse) > 1).all()


def test_the_reach_is_how_far_the_training_went(own: NDArray[np.float64]) -> None:
    changed = statistics(draw(4, 300, OWN + np.array([0.0, 0.0, 0.1])))
    fitted = fit_appearance(own, changed, 0.99)
    assert fitted.reach > 1
    scores = fitted.distance(changed) / fitted.limits[0]
    assert (scores <= fitted.reach).mean() == pytest.approx(0.99, abs=0.01)
    assert fit_appearance(own, own[:10] * 0 + own.mean(0), 0.99).reach == 1  # never below the first


@pytest.mark.parametrize(
    ("wrong", "reach"),
    [
        ((), 3.0),  # all right: as far as the training reached
        (range(50, 100), 1.52),  # right in fifty, then two wrong ones, 96 % of all to there
        (range(0, 100, 10), 1.0),  # wrong now and then everywhere: no farther than its own look
        (range(18, 100), 1.0),  # right for a while, too few to tell
    ],
)
def test_it_is_judged_as_far_as_the_answers_are_right(wrong: Sequence[int], reach: float) -> None:
    distances = np.concatenate([np.linspace(0, 0.99, 40), 1 + np.arange(1, 101) / 100, [9.0]])
    right = np.ones(141, np.bool_)
    right[[40 + row for row in wrong]] = False
    right[:40] = right[-1] = False  # nothing is asked of its own look, or of what is too far off
    axes = np.eye(2, dtype=np.float32)
    look = Appearance(np.zeros(2, np.float32), axes, np.array([1.0, 3.0], np.float32))
    limits = trusted_reach(distances, right, look).limits
    np.testing.assert_allclose(limits, [1.0, reach], atol=1e-5)
