"""Folds in one command: each trained, joined, and the model that they speak for."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra train")
pytest.importorskip("timm", reason="training needs the extra train")


from lungscan.cards import read_card
from lungscan.training.run import train
from tests.engine.test_training_runs import TINY
from tests.training_data import draw_data

FOLDED = dataclasses.replace(
    TINY, folds=2, split=(0.8, 0.2, 0.0), counter_examples=("others",), alone=True
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root: three classes of eight groups, and counter-examples."""
    folder = tmp_path_factory.mktemp("data")
    draw_data(folder / "drawn")
    draw_data(folder / "others", groups=4)
    return folder


@pytest.fixture(scope="module")
def model(root: Path) -> Path:
    """The model of two folds."""
    out = root / "model"
    list(train(FOLDED, root, out, command="lungscan train"))
    return out


def test_one_command_judges_every_picture_once(root: Path, model: Path) -> None:
    card = read_card(model)
    metrics = {metric.name: metric for metric in card.metrics}
    assert (metrics["accuracy"].n, metrics["accuracy"].groups) == (48, 24)
    assert metrics["gain by distillation"].n == 48
    assert metrics["refused others"].n == 24
    assert card.data["fields"]["test"] == 0
    assert card.data["test_groups"] == []
