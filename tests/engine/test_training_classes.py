"""Which classes are tumour, how they are called and drawn: said in a recipe, or not guessed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra train")
pytest.importorskip("timm", reason="training needs the extra train")

from lungscan.errors import UsageProblem
from lungscan.model.checked import read_card
from lungscan.training.classes import ClassSettings, cure, described, unstated
from lungscan.training.options import TrainOptions, changed, load_options
from tests.models import SHIPPED

RECIPES = Path(__file__).parents[2] / "models" / "recipes"
OF_MODALITY = {"he-histology": "lung-histology", "chest-ct": "lung-ct"}
PLAIN = TrainOptions(name="x")


@pytest.mark.parametrize(
    ("folder", "tumour"),
    [
        ("Bengin cases", False),
        ("Malignant cases", True),
        ("Normal cases", False),
        ("lung_aca", True),
        ("lung_n", False),
        ("lung_scc", True),
        ("colon_aca", True),
        ("colon_n", False),
        ("non_tumour", False),
        ("Non-Tumor", False),
        ("stroma", False),
        ("benign", False),
        ("tumour", True),
        ("squamous.cell.carcinoma", True),
        ("adenocarcinoma", True),
    ],
)
def test_names_that_say_it_are_known(folder: str, tumour: bool) -> None:
    (words,) = described((), [folder])
    assert (words.tumour, words.stated) == (tumour, True)


@pytest.mark.parametrize(
    "folder", ["necrosis", "n", "Lymphocytes", "class 1", "adenocarcinoma_left.lower.lobe", "TUM"]
)
def test_of_other_names_nothing_is_guessed(folder: str) -> None:
    words = described((), [folder, "tumour"])
    assert (words[0].tumour, words[0].stated) == (False, False)
    assert unstated(words).startswith(f"It was not stated whether {words[0].name} is tumour")


def test_a_folder_keeps_its_capitals_in_the_name_for_people() -> None:
    words = described((), ["NSCLC_left", "papillary Type II"])
    assert [item.name for item in words] == ["NSCLC left", "Papillary Type II"]


def test_what_is_not_stated_is_reported_with_its_cure() -> None:
    folders = ["debris", "muscle tissue"]
    words = described((), folders)
    text = unstated(words)
    assert "Debris or Muscle tissue is tumour, so none of it counts as tumour" in text
    assert "no answer looks for a small tumour" in text
    assert "[classes.debris]" in cure(words, folders)
    assert unstated(described((), ["benign", "tumour"])) == ""
    stated = (ClassSettings("debris", tumour=False),)
    left = described(stated, folders)
    assert "Debris" not in unstated(left)
    assert '[classes."muscle tissue"]' in cure(left, folders)


def test_a_recipe_says_it_for_any_name(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(
        'name = "x"\n[classes."Bengin cases"]\nname = "Gutartig"\n'
        '[classes.stroma]\ncolor = "#123456"\ntumour = true\n',
        encoding="utf-8",
    )
    options = load_options(path)
    options = changed(
        options, ('classes."Bengin cases".tumour=true', 'classes.glass={name = "Glas"}')
    )
    folders = ["Bengin cases", "glass", "stroma"]
    first, second, third = described(options.classes, folders)
    assert (first.name, first.tumour) == ("Gutartig", True)
    assert (second.name, second.stated) == ("Glas", False)
    assert (third.name, third.color, third.tumour) == ("Stroma", "#123456", True)
    whole = changed(options, ("classes={stroma = {tumour = false}}",))
    assert whole.classes == (ClassSettings("stroma", tumour=False),)


def test_a_class_that_the_data_do_not_have_is_named() -> None:
    with pytest.raises(UsageProblem, match=r"class 'lung'.* classes benign, tumour: .*folder"):
        described((ClassSettings("lung"),), ["benign", "tumour"])


@pytest.mark.parametrize(
    "pair",
    [
        'classes.a.tumour="yes"',
        "classes.a.tumour=1",
        'classes.a.color="red"',
        'classes.a.name="two\\nlines"',
        "classes.a.size=1",
        "classes.a.name.x=1",
        "classes.a=1",
        "classes=3",
    ],
)
def test_what_no_card_could_hold_is_refused(pair: str) -> None:
    with pytest.raises(UsageProblem, match="sets no option"):
        changed(PLAIN, (pair,))


def test_no_two_classes_share_a_colour() -> None:
    stated = (ClassSettings("a", color="#e69f00"),)
    words = described(stated, ["a", "b", "c", "lung_n", "d", "e", "f"])
    assert len({item.color.upper() for item in words}) == 7


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_recipes_say_what_the_shipped_card_says(recipe: Path) -> None:
    options = load_options(recipe)
    card = read_card(SHIPPED.with_name(OF_MODALITY[options.modality]))
    found: tuple[tuple[ClassSettings, ...], ...] = (options.classes, ())
    for settings in found[: 1 if options.modality == "chest-ct" else 2]:
        # the recipe's words are those that are known anyway, but for CT's
        words = described(settings, card.class_names)
        assert tuple(item.name for item in words) == card.display_names
        assert tuple(item.color for item in words) == card.colors
        assert tuple(item.tumour for item in words) == card.tumour
        assert unstated(words) == ""
    assert options.intended_use == card.intended_use
    assert options.minimum_tissue_mm2 == card.minimum_tissue_mm2
    assert options.tumour_limit_mm2 == card.tumour_limit_mm2
    assert options.tumour_limit_share == card.tumour_limit_share


def test_words_do_not_change_what_checkpoints_belong_to() -> None:
    options = load_options(RECIPES / "lung-histology-lite0-mild.toml")
    bare = dataclasses.replace(options, classes=(), intended_use="", tumour_limit_mm2=9.0)
    assert options.fingerprint("student", "x") == bare.fingerprint("student", "x")
