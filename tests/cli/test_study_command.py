"""``lungscan study``: what a person types and reads."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="a study needs the extra train")
pytest.importorskip("timm", reason="a study needs the extra train")

from lungscan_cli.main import main
from tests.training_data import draw_data

Captured = pytest.CaptureFixture[str]

TINY = """
name = "tiny"
data = "data"
protocols = ["random"]
folds = 3
input_px = 32
epochs = 1
batch_size = 8
bf16 = false

[[students]]
name = "own small CNN"
network = "small_cnn"
teacher = "small_cnn"
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    draw_data(tmp_path / "data", groups=4)
    (tmp_path / "tiny.toml").write_text(TINY, encoding="utf-8")
    return tmp_path


def test_a_study_is_reported_and_its_table_names_the_command(here: Path, capsys: Captured) -> None:
    line = ["study", str(here / "tiny.toml"), "--out", str(here / "out"), "--set", "seeds=1"]
    assert main([*line, "--threads", "1", "--no-int8"]) == 0
    printed = capsys.readouterr().err
    assert "24 pictures in 12 groups, 0 counter-examples. 2 networks, 2 to fit." in printed
    assert "random-0.small_cnn.distilled, " in printed
    text = (here / "out" / "study.md").read_text(encoding="utf-8")
    assert "`lungscan study tiny.toml --out out --set seeds=1`" in text
    assert str(here) not in text
    assert main([*line, "--threads", "1", "--no-int8"]) == 0
    assert "2 networks, 0 to fit." in capsys.readouterr().err


def test_no_time_at_all_says_what_is_missing(here: Path, capsys: Captured) -> None:
    line = ["study", str(here / "tiny.toml"), "--out", str(here / "out"), "--budget-s", "0"]
    assert main([*line, "--no-int8"]) == 0
    assert "6 networks are not fitted yet; the same command goes on." in capsys.readouterr().err


def test_a_study_that_cannot_be_met_is_a_wrong_use(here: Path, capsys: Captured) -> None:
    line = ["study", str(here / "tiny.toml"), "--out", str(here / "out")]
    assert main([*line, "--set", "protocols=['half']"]) == 2
    assert "A protocol is random or grouped" in capsys.readouterr().err
    assert main([*line, "--set", 'data="nowhere"']) == 2
    assert "There is no data folder" in capsys.readouterr().err
    assert main([*line, "--device", "tpu", "--no-int8"]) == 2
    assert "There is no device tpu" in capsys.readouterr().err
