"""What a network may be judged on: nothing that it, its teacher or its start has learnt."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra train")
pytest.importorskip("timm", reason="training needs the extra train")

from lungscan.dataset.splits import SplitRow, write_split
from lungscan.errors import ModelError
from lungscan.training.data import gather
from lungscan.training.options import Fit, Phase, TrainOptions
from lungscan.training.train import train
from tests.training_data import SIDE, draw_data

FIT = Fit((Phase(1, 32, (40, 64)),), 8, 1e-3, ema_decay=0.5, mixup=0.0)
TINY = TrainOptions(
    name="drawn",
    data="drawn",
    drawn_examples=4,
    teacher="",
    student="test_efficientnet",
    field_px=SIDE,
    device="cpu",
    threads=1,
    student_fit=FIT,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root with eight groups of two pictures in each of three classes."""
    draw_data(tmp_path / "drawn")
    return tmp_path


def swapped(rows: tuple[SplitRow, ...]) -> list[SplitRow]:
    """The rows with a training group and a test group of each class in each other's place."""
    other: dict[str, str] = {}
    for label in {row.label for row in rows}:
        for part, to in (("train", "test"), ("test", "train")):
            group = next(row.group for row in rows if (row.label, row.part) == (label, part))
            other[group] = to
    return [dataclasses.replace(row, part=other.get(row.group, row.part)) for row in rows]


def test_a_split_file_that_was_changed_in_place_is_another_deal(root: Path) -> None:
    rows = gather(TINY, root, root / "none").rows
    write_split(root / "mine.csv", rows)
    options = dataclasses.replace(TINY, split_file=str(root / "mine.csv"))
    list(train(options, root, root / "model", ("alone",)))
    write_split(root / "mine.csv", rows[::-1])  # the same deal in another order
    list(train(options, root, root / "model", ("alone",)))
    write_split(root / "mine.csv", swapped(rows))
    with pytest.raises(ModelError, match=r"alone\.pt was made with other options or data"):
        list(train(options, root, root / "model", ("alone",)))


def test_without_a_split_file_checkpoints_belong_to_the_data_as_ever(root: Path) -> None:
    material = gather(TINY, root, root / "none")
    assert material.fingerprint_sha256 == material.data_sha256
