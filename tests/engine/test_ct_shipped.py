"""The shipped model of chest CT: what its card says, and what it does with real pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from lungscan.model.card import write_card
from lungscan.model.checked import find_model
from lungscan.model.doubt import doubt
from lungscan.model.folder import size_of
from lungscan.runtimes import load_runtime
from tests.engine.scanning import options, results, run
from tests.models import copy_model

DATA = Path(__file__).parents[3] / "shared" / "data"
real = pytest.mark.skipif(not DATA.is_dir(), reason="the shared pictures are not here")


def test_the_card_says_what_it_judges_and_how_well() -> None:
    card = find_model("lung-ct")
    assert (card.modality, card.window) == ("chest-ct", (-500.0, 1500.0))
    assert card.class_names == ("benign", "malignant", "normal")
    assert card.tumour == (False, True, False)
    assert doubt(card) == ""
    assert card.official
    assert len(card.data["folds"]) == 5
    figures = {metric.name: metric for metric in card.metrics}
    assert figures["accuracy"].n == 916
    assert {"recall benign", "recall malignant", "recall normal"} <= figures.keys()
    assert any("collection" in limit for limit in card.limits)
    assert size_of(card.folder) < 8 << 20


@real
def test_slices_of_its_collection_are_answered_and_other_pictures_are_not(tmp_path: Path) -> None:
    own = sorted((DATA / "iq-oth-nccd").glob("*/*.jpg"))[::60]
    others = [
        path
        for folder in ("lc25000-lung", "lc25000-colon", "foreign")
        for path in sorted((DATA / folder).rglob("*.jp*g"))[::90]
    ]
    found = results(run(options(Path("lung-ct"), tmp_path, *own, *others)))
    paths = {case.relative_paths[0]: case for case in found.values()}
    answered = [paths[path.name] for path in own if paths[path.name].prediction]
    labels = [case.prediction.label for case in answered if case.prediction]
    assert sum(label is not None for label in labels) >= 0.7 * len(own)
    for path in others:
        prediction = paths[path.name].prediction
        assert prediction is None or prediction.label is None


@real
def test_real_series_are_judged_slice_by_slice(tmp_path: Path) -> None:
    found = results(run(options(Path("lung-ct"), tmp_path, DATA / "ct-dicom")))
    assert set(found) == {"lungfcp", "ricord"}
    for case in found.values():
        assert case.counts.total == 24
        assert case.counts.failed == 0
        assert case.files[0].info.series is not None


@real
def test_histology_gives_no_label_to_ct(tmp_path: Path) -> None:
    slices = sorted((DATA / "iq-oth-nccd").glob("*/*.jpg"))[::40]
    found = results(run(options(Path("lung-histology"), tmp_path, *slices)))
    assert all(case.prediction and case.prediction.label is None for case in found.values())


def test_it_is_computed_exactly_where_nobody_asks_for_less(tmp_path: Path) -> None:
    card = find_model("lung-ct")
    assert card.exact
    assert load_runtime(card, "cpu", 1).device.endswith("CPU f32")
    histology = find_model("lung-histology")
    assert not histology.exact
    write_card(histology, copy_model(tmp_path / "m").folder)
    assert b'"exact"' not in (tmp_path / "m" / "card.json").read_bytes()
