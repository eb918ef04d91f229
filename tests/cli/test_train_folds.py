"""Drawn tissue, from pictures to answers by the command line: folds, a model, classification."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra train")
pytest.importorskip("timm", reason="training needs the extra train")

from lungscan.model.checked import read_card
from lungscan_cli.main import main
from tests.training_data import draw_data

RECIPE = """
name = "drawn"
data = "drawn"
teacher = ""
student = "test_efficientnet"
drawn_examples = 4
field_px = 64
spacing_um_px = 2.0
split = [0.8, 0.2, 0.0]
threads = 1

[student_fit]
phases = [{ epochs = 20, crop_px = 48, span_px = [48, 64] }]
batch_size = 8
learning_rate = 5e-3
warmup_epochs = 1.0
ema_decay = 0.8
mixup = 0.0
"""


def test_from_pictures_to_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw_data(tmp_path / "drawn", clear=True)
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    model, results = tmp_path / "model", tmp_path / "results"
    recipe = str(tmp_path / "recipe.toml")
    line = ["train", str(tmp_path), "--recipe", recipe, "--folds", "2", "--device", "cpu"]
    assert main([*line, "--out", str(model)]) == 0
    printed = capsys.readouterr().err
    for title in ("Fold 1 of 2", "Fold 2 of 2", "The model, on all groups"):
        assert title in printed
    card = read_card(model)
    assert card.metrics[0].n == 48  # each picture once
    assert card.metrics[0].value > 0.6  # by chance a third
    assert (model / "coverage.svg").is_file()

    fields = str(tmp_path / "drawn")
    line = ["classify", fields, "--model", str(model), "--abstain", "never"]
    assert main([*line, "--out", str(results)]) == 0
    with (results / "cases.csv").open(encoding="utf-8", newline="") as table:
        rows = [row for row in csv.DictReader(table) if row["relative_path"].endswith(".png")]
    assert len(rows) == 48
    right = [row["label"] == Path(row["relative_path"]).parent.name for row in rows]
    assert sum(right) > 0.6 * len(rows)
