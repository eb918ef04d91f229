"""A model that tells "not lung" from "another stain or scanner", through the front door."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from lungscan.classification.journal import Journal
from lungscan.classification.scoring import TileBatch
from lungscan.model.appearance import STATISTICS
from lungscan.model.card import ModelCard, write_card
from lungscan.model.checked import read_card
from lungscan.results.case_json import from_json, to_json
from lungscan.types import CaseResult, NoResult, TileQuality, TileState
from tests.engine.scanning import make_field, make_slide, options, results, run
from tests.models import CARD, FakeRuntime, tiny_model

HEADER = (
    "minx,miny,width,height,prob_adeno,prob_benign,prob_squamous,"
    "novelty,focus,pen,blank,valid,tissue_fraction"
)


def model_of_two(folder: Path, near: float, card: ModelCard = CARD) -> ModelCard:
    """A tiny model whose training's pictures had all statistics 0, at most ``near`` away."""
    tiny_model(folder, card)
    path = folder / "novelty.safetensors"
    arrays = load_file(path) | {
        "appearance_mean": np.zeros(STATISTICS, np.float32),
        "appearance_whitening": np.eye(STATISTICS, dtype=np.float32),
        "appearance_limits": np.array([near, 2 * near], np.float32),
    }
    save_file(arrays, path)
    write_card(card, folder)
    return read_card(folder)


def classified(card: ModelCard, out: Path, path: Path) -> CaseResult:
    (result,) = results(run(options(card.folder, out, path, geojson=True))).values()
    return result


def far(out: Path, path: Path, tmp_path: Path) -> float:
    """The farthest appearance of a picture's tiles, in plain deviations."""
    scores = classified(model_of_two(tmp_path / "plain", 1.0), out, path).scores[0]
    assert scores.appearance is not None
    return float(np.nanmax(scores.appearance))


@pytest.mark.parametrize(
    ("near", "reason", "flags"),
    [
        (2.0, None, ()),
        (0.7, None, ("other_stain_or_scanner",)),
        (0.4, NoResult.OTHER_STAIN, ()),
    ],
)
def test_within_reach_it_answers_with_a_flag_and_beyond_it_refuses(
    fake: FakeRuntime, tmp_path: Path, near: float, reason: NoResult | None, flags: tuple[str, ...]
) -> None:
    field = make_field(tmp_path / "f.png")
    away = far(tmp_path / "first", field, tmp_path)
    card = model_of_two(tmp_path / "m", near * away, replace(CARD, appearance_limit=2.0))
    result = classified(card, tmp_path / "out", field)
    assert result.prediction is not None
    assert result.prediction.reason is reason
    assert (result.prediction.label is None) == (reason is not None)
    assert tuple(f for f in result.flags if "stain" in f) == flags
    assert (result.counts.other_stain == result.counts.total) == (reason is not None)


@pytest.mark.parametrize(
    ("near", "reason"), [(2.0, NoResult.NOT_LUNG), (0.4, NoResult.OTHER_STAIN)]
)
def test_beyond_its_reach_nothing_is_called_other_tissue(
    fake: FakeRuntime, tmp_path: Path, near: float, reason: NoResult
) -> None:
    field = make_field(tmp_path / "f.png")
    away = far(tmp_path / "first", field, tmp_path)
    card = model_of_two(tmp_path / "m", near * away, replace(CARD, appearance_limit=2.0))
    path = card.folder / "novelty.safetensors"
    save_file(load_file(path) | {"limits": np.full(2, 1e-6, np.float32)}, path)
    write_card(card, card.folder)  # to its features all tissue is foreign
    result = classified(read_card(card.folder), tmp_path / "out", field)
    assert result.prediction is not None
    assert result.prediction.reason is reason
    assert result.prediction.label is None
    state = TileState.NOVEL if reason is NoResult.NOT_LUNG else TileState.OTHER_STAIN
    assert set(result.scores[0].state) == {state}


def test_the_kind_stands_in_every_table(fake: FakeRuntime, tmp_path: Path) -> None:
    slide = make_slide(tmp_path / "s.svs")
    card = model_of_two(tmp_path / "m", 1e-3)
    result = classified(card, tmp_path / "out", slide)
    folder = tmp_path / "out" / "cases" / result.key
    lines = (folder / "tiles.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"{HEADER},appearance,state"
    assert all(line.endswith(",other_stain") for line in lines[1:] if ",used" not in line[-9:])
    assert TileState.OTHER_STAIN in result.scores[0].state
    geojson = (folder / "tiles.geojson").read_text(encoding="ascii")
    assert '"Appearance":' in geojson
    assert '"state":"other_stain"' in geojson
    again = from_json(to_json(result))
    assert again.counts.other_stain == result.counts.other_stain
    assert to_json(again) == to_json(result)


def test_a_model_of_one_kind_writes_what_it_always_wrote(fake: FakeRuntime, tmp_path: Path) -> None:
    slide = make_slide(tmp_path / "s.svs")
    result = classified(tiny_model(tmp_path / "m"), tmp_path / "out", slide)
    folder = tmp_path / "out" / "cases" / result.key
    first = (folder / "tiles.csv").read_text(encoding="utf-8").splitlines()[0]
    assert first == f"{HEADER},state"
    for name in ("tiles.csv", "tiles.geojson", "case.json"):
        text = (folder / name).read_bytes()
        assert b"ppearance" not in text
        assert b"other_stain" not in text


def test_a_journal_keeps_the_appearance(tmp_path: Path) -> None:
    column = np.arange(4, dtype=np.float32)
    quality = TileQuality(column, column, column, column)
    states = (TileState.USED, TileState.OTHER_STAIN, TileState.NOVEL, TileState.USED)
    batch = TileBatch(column, np.zeros((4, 3), np.float32), column, quality, states, "cpu", column)
    for name, written in (("two", batch), ("one", replace(batch, appearance=None))):
        with Journal(tmp_path / name, "0" * 64, 3) as journal:
            journal.add(written)
        with Journal(tmp_path / name, "0" * 64, 3) as journal:
            (read,) = journal.earlier
        assert read.state == states
        if written.appearance is None:
            assert read.appearance is None
        else:
            assert read.appearance is not None
            assert read.appearance.tolist() == column.tolist()
