"""Holes that the attacks found, closed, each with the case that found it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from attacks.model import build
from attacks.models import hostile

from lungscan.errors import ModelError
from lungscan.inputs import discover
from lungscan.model.checked import read_card
from lungscan.results.csv_table import text_cell, write_csv
from lungscan.runtimes import load_runtime
from tests.engine.scanning import make_field


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("x;=1+1;y", "x;'=1+1;y"),  # a new cell where spreadsheets split at semicolons
        ("in/a; =b", "in/a;' =b"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("'=1", "''=1"),  # or it would read like the cell of "=1"
        ("=1", "'=1"),
        (" =1", "' =1"),
        ("x\n=1", "x\\n=1"),
        ("a; b-c", "a; b-c"),
    ],
)
def test_no_text_becomes_a_formula_or_another_text(text: str, cell: str) -> None:
    assert text_cell(text) == cell


def test_the_name_of_a_class_is_text_too(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", ["prob_;=1+1"], [])
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "prob_;'=1+1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return build(tmp_path / "m").folder


def test_a_card_that_never_ends_is_refused_at_once(folder: Path) -> None:
    (folder / "card.json").unlink()
    os.mkfifo(folder / "card.json")
    with pytest.raises(ModelError, match="no regular file"):
        read_card(folder)
    (folder / "card.json").unlink()
    with (folder / "card.json").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(ModelError, match="larger than any card"):
        read_card(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"facts": [["a", 1]]},
        {"facts": [["a"]]},
        {"reliability": [[2.0, 0.5, 3]]},
        {"reliability": [["a", None, 1]]},
        {"minimum_tissue_mm2": 1e999},
        {"class_names": ["a\nb", "c", "d"]},
        {"metrics": [{"name": "x", "value": None, "low": None, "high": None, "n": 1, "groups": 1}]},
    ],
    ids=repr,
)
def test_a_card_over_which_a_report_would_break(folder: Path, change: dict[str, object]) -> None:
    values = json.loads((folder / "card.json").read_bytes()) | change
    (folder / "card.json").write_text(json.dumps(values).replace("Infinity", "1e999"))
    with pytest.raises(ModelError, match="damaged or not"):
        read_card(folder)


@pytest.mark.parametrize("title", ["overlapping tensors in weights.safetensors", "external entity"])
def test_weights_that_lie_and_graphs_with_entities(folder: Path, title: str) -> None:
    (case,) = (case for case in hostile() if case.name == title)
    card = read_card(folder)
    load_runtime(card, "cpu", 1, 1)
    case.change(folder, folder / "canary")
    with pytest.raises(ModelError, match="do not make a network"):
        load_runtime(card, "cpu", 1, 1)


def test_a_link_to_itself_is_no_failure(tmp_path: Path) -> None:
    make_field(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "ring").symlink_to("ring")
    found = discover((tmp_path / "in",))
    assert len(found.cases) == 1
    assert [(file.reason, file.error_code) for file in found.skipped] == [
        ("link that leads nowhere", "")
    ]


def test_a_thousand_files_of_one_name(tmp_path: Path) -> None:
    for number in range(1_000):
        path = tmp_path / "in" / f"{number}" / "1.svs"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    cases = discover((tmp_path / "in",)).cases
    assert len({case.key for case in cases}) == len({case.case_id for case in cases}) == 1_000
