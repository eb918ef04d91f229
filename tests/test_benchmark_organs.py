"""What the scripts on other organs and other stains count, join and write."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="the scripts change pictures as training does")

from lungscan.evaluation.judging import load_judge
from lungscan.evaluation.options import JudgeOptions
from lungscan.evaluation.records import LabelledField
from lungscan.model.appearance import Appearance
from lungscan.model.card import NOVELTY
from lungscan.model.checked import find_model
from lungscan.model.novelty import load_novelty
from lungscan.options import DEFAULT_MODEL
from tests.drawing import draw_he
from tests.engine.test_two_novelties import model_of_two
from tests.models import CARD

HERE = Path(__file__).parents[1] / "benchmarks"


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(HERE)  # the scripts import each other by name
    return importlib.import_module(name)


def picture(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 64), (200, 120, 170)).save(path)
    return path.name


def test_each_organ_is_counted_by_itself_and_what_was_learnt_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapting = script("adapting", monkeypatch)
    groups = ["file,label,group"]
    for number in range(10):
        for label in ("colon_aca", "colon_n"):
            name = f"{label}/{label}-{number}.png"
            picture(tmp_path / "lc25000-colon" / name)
            groups.append(f"{name},{label},{label}-{number}")
    (tmp_path / "lc25000-colon" / "groups.csv").write_text("\n".join(groups), encoding="utf-8")
    lines = ["file,label,group,um_px,source,licence,use"]
    for label, use in (
        ("colon_norm", "training allowed"),
        ("colon_tum", "training allowed"),
        ("bone_viable", "evaluation only"),
        ("bone_non-tumor", "evaluation only"),
        ("kidney", "evaluation only"),
    ):
        for number in range(10):
            name = f"{label}/{number}.png"
            picture(tmp_path / "foreign" / name)
            lines.append(f"{name},{label},,0.5,s,l,{use}")
    (tmp_path / "foreign" / "files.csv").write_text("\n".join(lines), encoding="utf-8")
    recipe = {"split": [0.5, 0.2, 0.3], "fold": "", "counter_examples": ["foreign"]}
    kinds = adapting.organs_of(tmp_path, replace(CARD, recipe=recipe))
    counts = {kind.name: len(kind.fields) for kind in kinds}
    assert set(counts) == {"colon (LC25000)", "colon (NCT)", "bone", "kidney"}
    assert counts["colon (LC25000)"] == 6  # those of the test part
    assert counts["colon (NCT)"] == 6
    assert counts["bone"] == 20
    assert counts["kidney"] == 10
    assert {kind.mpp for kind in kinds} == {None, 0.5}


def test_the_table_of_organs_adds_the_draws_of_each_model(monkeypatch: pytest.MonkeyPatch) -> None:
    adapting = script("adapting", monkeypatch)
    found = [
        adapting.Organ("", "as it is", "kidney", 4, 0),
        adapting.Organ("lab", "adapted without labels", "kidney", 4, 1),
        adapting.Organ("lab", "adapted without labels", "kidney", 4, 2),
    ]
    lines = adapting.organ_table(found).splitlines()
    assert lines[0] == "| fields answered, of | as it is | adapted without labels, lab |"
    assert lines[2:] == ["| kidney | 0 of 4 | 3 of 8 |"]


def test_the_reach_is_drawn_in_to_where_answers_hold_and_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reach = script("reach", monkeypatch)
    card = model_of_two(tmp_path / "m", 2.0, replace(CARD, appearance_limit=2.0))
    novelty = load_novelty(card.folder / NOVELTY)
    assert novelty.appearance is not None
    distances = np.concatenate([np.full(50, 1.0), 2 + np.arange(1, 101) / 50])
    right = np.arange(150) < 100  # the fifty nearest of the hundred beyond the limit
    seen = reach.Seen(distances, np.ones(150, np.bool_), right)
    found = reach.refitted(novelty.appearance, seen)
    np.testing.assert_allclose(found.limits, [2.0, 3.04], atol=1e-5)
    made = reach.write(card, found, tmp_path / "out")
    assert made.appearance_limit == pytest.approx(1.52)
    again = load_novelty(made.folder / NOVELTY)
    assert isinstance(again.appearance, Appearance)
    np.testing.assert_allclose(again.appearance.limits, found.limits)
    np.testing.assert_array_equal(again.basis, novelty.basis)
    changed = {name for name, digest in made.files.items() if card.files[name] != digest}
    assert changed == {NOVELTY}
    assert "| 1.25 to 1.5 | 25 | 100.0 % | 100.0 % |" in reach.table(seen, 2.0)
    assert "| 1.5 to 2 | 50 | 100.0 % | 2.0 % |" in reach.table(seen, 2.0)
    assert "| 0.5 to 0.75 | 50 | 100.0 % | 100.0 % |" in reach.table(seen, 2.0)


def test_a_kind_is_asked_at_the_scale_that_its_table_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = script("answers", monkeypatch)
    path = tmp_path / "field.png"
    Image.fromarray(draw_he(448, 448, 3)).save(path)
    field = LabelledField("field.png", path, "", "field")
    judge = load_judge(find_model(DEFAULT_MODEL), JudgeOptions())
    kinds = [
        answers.Kind("drawn", answers.OTHER_LAB, (replace(field, um_px=own),), mpp, "never")
        for own, mpp in ((None, 1.0), (1.0, None), (None, 0.25))
    ]
    by_kind, by_field, other = (answers.ask(judge, kind)[0].probs for kind in kinds)
    assert by_kind == by_field
    assert by_kind != other
