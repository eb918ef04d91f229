"""Novelty: what lies far from the training features, or looks like a counter-example, is novel."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from lungscan.errors import ModelError
from lungscan.model.appearance import STATISTICS, Appearance
from lungscan.model.novelty import Novelty, fit_distance, load_novelty
from lungscan.types import FloatArray
from tests.models import write_novelty

CLASSES, SIZE, DIRECTIONS = 3, 12, 4


@pytest.fixture(scope="module")
def features() -> FloatArray:
    """Three clouds that vary most in the first four of twelve directions, (300, 12)."""
    rng = np.random.default_rng(0)
    spread = np.array([3.0] * DIRECTIONS + [0.1] * (SIZE - DIRECTIONS))
    centres = rng.normal(0, 6, (CLASSES, SIZE)) * (spread > 1)
    rows = centres[np.arange(300) % CLASSES] + rng.normal(0, 1, (300, SIZE)) * spread
    return rows.astype(np.float32)


@pytest.fixture(scope="module")
def fitted(features: FloatArray) -> Novelty:
    parts = fit_distance(features, np.arange(300) % CLASSES, DIRECTIONS)
    weight = np.zeros((CLASSES + 1, SIZE), np.float32)
    weight[-1, 0] = 1.0  # the first feature says "counter-example"
    bias = np.array([0, 0, 0, -40], np.float32)
    return Novelty(
        **parts, output_weight=weight, output_bias=bias, limits=np.array([0.5, 3.0], np.float32)
    )


def test_shapes_of_what_is_fitted(fitted: Novelty) -> None:
    assert fitted.centre.shape == (SIZE,)
    assert fitted.basis.shape == (SIZE, DIRECTIONS)
    assert fitted.class_means.shape == (CLASSES, DIRECTIONS)
    assert fitted.residual_scale.shape == (1,)
    for name, value in fitted.tensors().items():
        assert value.dtype == np.float32, name


def test_training_features_are_near(fitted: Novelty, features: FloatArray) -> None:
    distance = fitted.distance(features)
    assert distance.shape == (300,)
    assert np.quantile(distance, 0.95) < 3
    assert (fitted.score(features) <= 1).mean() > 0.95
    assert fitted.score(features).dtype == np.float32


def test_far_inside_and_outside_the_main_directions_is_novel(
    fitted: Novelty, features: FloatArray
) -> None:
    inside, outside = features[:5].copy(), features[:5].copy()
    inside[:, 1] += 60  # along a direction in which training varies
    outside[:, -1] += 2  # across one in which it hardly does
    assert (fitted.score(inside) > 1).all()
    assert (fitted.score(outside) > 1).all()


def test_a_counter_example_is_novel_however_near(fitted: Novelty, features: FloatArray) -> None:
    near = dataclasses.replace(fitted, limits=np.array([0.5, 1e9], np.float32))
    foreign = features[:5].copy()
    foreign[:, 0] = 45
    probability = near.foreign_probability(foreign)
    assert probability == pytest.approx(np.exp(5) / (np.exp(5) + 3), rel=1e-5)
    assert near.score(foreign) == pytest.approx(probability / 0.5, rel=1e-5)
    assert near.foreign_probability(np.full((1, SIZE), 1e4, np.float32)) == pytest.approx(1.0)


def test_the_distance_is_that_to_the_nearest_class(fitted: Novelty) -> None:
    # A point in the span of the basis whose whitened place is a class mean has distance 0.
    solution, *_ = np.linalg.lstsq(fitted.basis.T, fitted.class_means.T, rcond=None)
    point = (fitted.centre[:, None] + solution).T.astype(np.float32)
    assert fitted.distance(point) == pytest.approx(np.zeros(CLASSES), abs=0.02)


def test_neighbours_in_a_batch_do_not_change_a_score(fitted: Novelty, features: FloatArray) -> None:
    together = fitted.score(features)
    alone = np.concatenate([fitted.score(row[None]) for row in features])
    assert together.tobytes() == alone.tobytes()


def test_a_file_is_read_back(tmp_path: Path, fitted: Novelty, features: FloatArray) -> None:
    path = tmp_path / "novelty.safetensors"
    save_file(fitted.tensors(), path)
    assert load_novelty(path).score(features).tobytes() == fitted.score(features).tobytes()


@pytest.mark.parametrize(
    "change",
    [
        {"limits": None},
        {"limits": np.array([1, 0], np.float32)},
        {"limits": np.array([np.nan, 1], np.float32)},
        {"centre": np.zeros(3, np.float32)},
        {"basis": np.zeros(4, np.float32)},
        {"output_bias": np.zeros(2, np.float32)},
        {"residual_scale": np.zeros(1, np.float32)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_parameters_that_do_not_fit_are_refused(
    tmp_path: Path, change: dict[str, FloatArray | None]
) -> None:
    path = tmp_path / "novelty.safetensors"
    write_novelty(path, features=4)
    arrays = load_file(path) | change
    save_file({name: value for name, value in arrays.items() if value is not None}, path)
    with pytest.raises(ModelError, match=r"novelty\.safetensors is damaged"):
        load_novelty(path)


def test_what_is_no_safetensors_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "novelty.safetensors"
    for data in (b"", b"\x80\x04K\x01.", b"\xff" * 64):
        path.write_bytes(data)
        with pytest.raises(ModelError):
            load_novelty(path)
    with pytest.raises(ModelError):
        load_novelty(tmp_path / "none.safetensors")


def test_the_second_kind_is_read_back_whole_or_not_at_all(
    tmp_path: Path, fitted: Novelty, features: FloatArray
) -> None:
    rng = np.random.default_rng(1)
    appearance = Appearance(
        rng.normal(size=STATISTICS).astype(np.float32),
        rng.normal(size=(STATISTICS, STATISTICS)).astype(np.float32),
        np.array([2.0, 5.0], np.float32),
    )
    path = tmp_path / "novelty.safetensors"
    both = dataclasses.replace(fitted, appearance=appearance)
    save_file(both.tensors(), path)
    read = load_novelty(path)
    assert read.appearance is not None
    assert read.appearance.reach == 2.5
    assert read.appearance.whitening.tobytes() == appearance.whitening.tobytes()
    assert read.score(features).tobytes() == fitted.score(features).tobytes()
    for key, values in (
        ("appearance_limits", np.array([5, 2], np.float32)),
        ("appearance_mean", np.full(STATISTICS, np.nan, np.float32)),
        ("appearance_whitening", np.zeros((STATISTICS, 2), np.float32)),
        ("appearance_mean", None),
    ):
        arrays = both.tensors() | ({} if values is None else {key: values})
        save_file({k: v for k, v in arrays.items() if values is not None or k != key}, path)
        with pytest.raises(ModelError, match=r"novelty\.safetensors is damaged"):
            load_novelty(path)


def test_a_model_of_one_kind_has_no_second(tmp_path: Path, fitted: Novelty) -> None:
    path = tmp_path / "novelty.safetensors"
    save_file(fitted.tensors(), path)
    assert load_novelty(path).appearance is None
