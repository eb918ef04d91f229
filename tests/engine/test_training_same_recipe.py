"""Folds and held-out runs are of one recipe when every option is the same, told or not."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra train")
pytest.importorskip("timm", reason="training needs the extra train")

from lungscan.errors import UsageProblem
from lungscan.model.card import FILES, ModelCard, write_card
from lungscan.model.checked import read_card
from lungscan.training.folding import fold_options, is_done
from lungscan.training.model_card import held_out_run, recipe_of
from lungscan.training.options import Head, TrainOptions
from lungscan.training.same_recipe import differing
from lungscan.training.sources import DataSource
from tests.models import CARD
from tests.small_model import small_model

PLAIN = TrainOptions(name="lung", folds=2, student="test_efficientnet", teacher="")
HEAD = dataclasses.replace(PLAIN, head_fit=Head(on="fitted"))


def card_of(options: TrainOptions, folder: Path) -> ModelCard:
    """A model folder that says it was made by ``options``."""
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).write_bytes((small_model().folder / name).read_bytes())
    card = dataclasses.replace(small_model(), recipe=recipe_of(options))
    write_card(card, folder)
    return read_card(folder)


@pytest.mark.parametrize(
    ("ours", "theirs", "key"),
    [
        (PLAIN, HEAD, "head_fit"),
        (HEAD, PLAIN, "head_fit"),
        (dataclasses.replace(PLAIN, exact=True), PLAIN, "exact"),
        (PLAIN, dataclasses.replace(PLAIN, exact=True), "exact"),
    ],
)
def test_a_fold_of_a_recipe_with_another_option_is_refused(
    tmp_path: Path, ours: TrainOptions, theirs: TrainOptions, key: str
) -> None:
    card_of(fold_options(theirs, 1), tmp_path / "folds" / "1")
    with pytest.raises(UsageProblem, match=f"by another recipe: {key} differ"):
        is_done(fold_options(ours, 1), tmp_path / "folds" / "1")
    assert not is_done(fold_options(theirs, 1), tmp_path / "folds" / "1")  # it has not answered


def test_a_held_out_run_with_another_head_lends_no_figures(tmp_path: Path) -> None:
    card_of(HEAD, tmp_path / "other")
    options = dataclasses.replace(PLAIN, figures_from=str(tmp_path / "other"))
    with pytest.raises(UsageProblem, match="not those of this recipe: head_fit, the classes"):
        held_out_run(options, ())


def test_a_model_to_start_from_is_known_by_its_name(tmp_path: Path) -> None:
    started = dataclasses.replace(PLAIN, start_from=str(tmp_path / "mine"), start_sha256="0")
    card = dataclasses.replace(CARD, recipe=recipe_of(started))
    assert differing(started, card, ()) == []
    other = dataclasses.replace(started, start_sha256="1")
    assert differing(other, card, ()) == ["start_sha256"]


def test_sources_with_classes_of_their_own_are_compared() -> None:
    two = DataSource("two", "second", um_px=0.5, classes=(("adeno", "lung_aca"), ("odd", "")))
    options = dataclasses.replace(PLAIN, sources=(DataSource("one", "first"), two))
    card = dataclasses.replace(CARD, recipe=json.loads(json.dumps(recipe_of(options))))
    assert differing(options, card, ()) == []
    other = dataclasses.replace(options, sources=(dataclasses.replace(two, classes=()),))
    assert differing(other, card, ()) == ["sources"]


def test_options_that_a_card_leaves_out_stand_at_their_default() -> None:
    recipe = json.loads(json.dumps(recipe_of(HEAD)))
    del recipe["student_fit"]["mixup"]  # as if it had come later
    del recipe["split"]
    assert differing(HEAD, dataclasses.replace(CARD, recipe=recipe), ()) == []
    card = dataclasses.replace(CARD, recipe=recipe | {"of_tomorrow": 1})
    assert differing(HEAD, card, ()) == ["of_tomorrow"]
    recipe["student_fit"]["balance"] = 0.5
    assert differing(HEAD, dataclasses.replace(CARD, recipe=recipe), ()) == ["student_fit"]
