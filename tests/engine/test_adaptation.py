"""A drawn laboratory's model adapted to another one's stain; and all that is refused."""

from __future__ import annotations

import dataclasses
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="the models are trained here")
pytest.importorskip("timm", reason="the models are trained here")

from lungscan.adaptation.adapt import adapting
from lungscan.adaptation.last_layer import Layer, Squares, fit_head
from lungscan.adaptation.own_fields import gather
from lungscan.adaptation.records import Adapted, AdaptOptions, AdaptResult, Own
from lungscan.adaptation.refitting import (
    Source,
    at_home,
    features_of,
    resemblance,
    some_squares,
)
from lungscan.dataset.listing import read_listing
from lungscan.dataset.pixels import load_squares
from lungscan.errors import MachineError, ModelError, UsageProblem
from lungscan.events import CaseFinished
from lungscan.model.card import STATISTICS_FILE, Metric, ModelCard, write_card
from lungscan.model.checked import read_card
from lungscan.model.doubt import FLAG, chance_of, doubt
from lungscan.model.novelty import load_novelty
from lungscan.options import ScanOptions
from lungscan.report.wording import UNPROVEN
from lungscan.results.review_json import Verdict
from lungscan.review.storing import save_review
from lungscan.runtimes import load_runtime
from lungscan.runtimes.layers import Moments, Network
from lungscan.runtimes.statistics import load_statistics
from lungscan.scanning.scan import scan
from lungscan.types import NoResult
from tests.adapting import restain, train_lab
from tests.reviewing import review_of
from tests.training_data import SIDE, draw_data


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn data of the laboratory that the model comes from."""
    folder = tmp_path_factory.mktemp("data") / "lab"
    draw_data(folder, groups=12, clear=True)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, lab: Path) -> ModelCard:
    """Trained on it."""
    return train_lab(lab, tmp_path_factory.mktemp("models") / "lab")


def adapt(card: ModelCard, fields: Path, out: Path, **options: object) -> AdaptResult:
    chosen = AdaptOptions(fields, threads=1, command="lungscan adapt", **options)  # type: ignore[arg-type]
    for event in adapting(card, chosen, out):
        if isinstance(event, Adapted):
            return event.result
    raise AssertionError("no end")


def test_statistics_are_kept_when_a_model_is_bundled(model: ModelCard, lab: Path) -> None:
    kept = load_statistics(model.folder)
    assert kept is not None
    assert model.files[STATISTICS_FILE]
    network = Network(model.folder, SIDE)
    assert set(kept.mean) == set(network.early)
    squares, _ = load_squares(sorted(lab.glob("*/*.png")), model, SIDE)
    found = network.moments(squares.pixels)
    first = network.early[0]
    # Measured on the training part, some 70 % of these pictures.
    np.testing.assert_allclose(kept.mean[first], found.mean[first], atol=0.15)


def test_matched_layers_put_out_what_they_did_on_the_source(
    model: ModelCard, lab: Path, tmp_path: Path
) -> None:
    kept = load_statistics(model.folder)
    assert kept is not None
    tiles = gather(AdaptOptions(restain(lab, tmp_path / "own", keep_labels=False)), model).tiles
    before = Network(model.folder, SIDE).moments(tiles)
    network = Network(model.folder, SIDE)
    network.match(tiles, kept, 1.0)
    (tmp_path / "out").mkdir()
    network.write(tmp_path / "out")
    after = Network(tmp_path / "out", SIDE).moments(tiles)
    for name in network.early:
        np.testing.assert_allclose(after.mean[name], kept.mean[name], atol=0.03)
    off = {name: np.abs(before.mean[name] - kept.mean[name]).max() for name in network.early}
    assert max(off.values()) > 0.3


def test_both_runtimes_compute_the_adapted_network_alike(
    model: ModelCard, lab: Path, tmp_path: Path
) -> None:
    own = restain(lab, tmp_path / "own", keep_labels=True)
    card = adapt(model, own, tmp_path / "mine").card
    with np.load(card.folder / "golden.npz") as golden:
        fields, probs = golden["fields"], golden["probs"]
    for device in ("cpu-fp32", "torch-cpu"):
        found, _ = load_runtime(card, device, 1).predict(fields)
        np.testing.assert_allclose(found, probs, atol=2e-3)


def test_without_labels_more_fields_are_answered_and_the_card_says_what_it_is(
    model: ModelCard, lab: Path, tmp_path: Path
) -> None:
    own = restain(lab, tmp_path / "own", keep_labels=False)
    result = adapt(model, own, tmp_path / "mine", original=lab)
    assert result.after.answered >= result.before.answered + 0.1
    assert result.after.right is None
    card = read_card(tmp_path / "mine")
    facts = dict(card.facts)
    assert facts["Adapted"] == (
        f"from lab {model.version} ({model.sha256[:12]}) to 36 fields of own, without labels"
    )
    assert "not measured" in facts["Accuracy, own fields"]
    assert " points on " in facts["Original data"]
    assert card.adaptation["fields"] == 36
    assert card.sha256 != model.sha256
    text = (tmp_path / "mine" / "README.md").read_text(encoding="utf-8")
    assert facts["Adapted"] in text
    assert str(tmp_path) not in text + (tmp_path / "mine" / "card.json").read_text()


def test_the_own_stain_is_the_usual_one_of_an_adapted_model_and_no_other_is_judged(
    model: ModelCard, lab: Path, tmp_path: Path
) -> None:
    known = load_novelty(model.folder / "novelty.safetensors")
    assert known.appearance is not None
    options = AdaptOptions(restain(lab, tmp_path / "own", keep_labels=False))
    own = gather(options, model)
    assert (known.appearance.score(own.tiles) > 1).mean() > 0.5
    adapted = at_home(known, own).appearance
    assert adapted is not None
    within = adapted.score(own.tiles) <= adapted.reach
    assert within.mean() >= 0.95
    elsewhere, _ = load_squares(sorted(lab.rglob("*.png")), model, SIDE)
    assert (adapted.score(elsewhere.pixels) > adapted.reach).mean() >= 0.9
    blind = dataclasses.replace(known, appearance=None)
    assert at_home(blind, own) is blind
    # The same squares as one slide's: no file can be compared with the others.
    alone = dataclasses.replace(own, files=own.files[:1], owner=np.zeros_like(own.owner))
    single = at_home(known, alone).appearance
    assert single is not None
    assert (single.score(own.tiles) <= single.reach).mean() >= 0.95


def test_an_adapted_model_refuses_what_is_stained_as_nobody_here_does(
    model: ModelCard, lab: Path, tmp_path: Path
) -> None:
    own = restain(lab, tmp_path / "own", keep_labels=False)
    card = read_card(adapt(model, own, tmp_path / "mine").card.folder)
    novelty = load_novelty(card.folder / "novelty.safetensors")
    assert novelty.appearance is not None
    assert card.appearance_limit == pytest.approx(novelty.appearance.reach)
    states = {}
    for name, folder in (("own", own), ("source", lab)):
        asked = ScanOptions((folder,), tmp_path / name, model=str(card.folder), pdf="none")
        cases = [event.result for event in scan(asked) if isinstance(event, CaseFinished)]
        reasons = [case.prediction.reason for case in cases if case.prediction]
        states[name] = sum(r is NoResult.OTHER_STAIN for r in reasons) / len(reasons)
    assert states["own"] <= 0.1
    assert states["source"] >= 0.9


def test_with_labels_it_is_judged_by_fields_it_did_not_see_and_classifies(
    model: ModelCard, lab: Path, tmp_path: Path
) -> None:
    own = restain(lab, tmp_path / "own", keep_labels=True)
    result = adapt(model, own, tmp_path / "mine", folds=3)
    assert result.before.right is not None
    assert result.after.right is not None
    assert result.after.right.n == 36
    assert result.after.right.value >= max(0.75, result.before.right.value)
    assert doubt(result.card) == ""
    assert result.card.metrics[0].name == "accuracy"
    assert "3 folds" in result.card.metrics[0].note
    asked = ScanOptions((own,), tmp_path / "results", model=str(tmp_path / "mine"), pdf="none")
    cases = [event.result for event in scan(asked) if isinstance(event, CaseFinished)]
    labels = [(c.relative_paths[0], c.prediction.label) for c in cases if c.prediction]
    given = [(path, label) for path, label in labels if label]
    right = [label == Path(path).parent.name for path, label in given]
    assert len(given) >= 18
    assert sum(right) >= 0.8 * len(right)


def test_the_card_knows_the_own_fields_and_the_chance_that_they_leave(
    model: ModelCard, lab: Path, tmp_path: Path
) -> None:
    own = restain(lab, tmp_path / "own", keep_labels=True)
    for path in sorted((own / "lung_scc").iterdir())[8:]:
        path.unlink()  # 12, 12 and 8 fields
    result = adapt(model, own, tmp_path / "mine", folds=3)
    assert model.data["commonest_class"] == pytest.approx(1 / 3)
    assert result.card.data["commonest_class"] == pytest.approx(12 / 32)
    assert chance_of(result.card) == pytest.approx(12 / 32)
    assert result.card.adaptation["contents_sha256"] == read_listing(own).contents_sha256
    assert result.card.data["contents_sha256"] == model.data["contents_sha256"]  # its training's


def test_reviewed_answers_are_labels(model: ModelCard, lab: Path, tmp_path: Path) -> None:
    own = restain(lab, tmp_path / "own", keep_labels=False)
    asked = ScanOptions((own,), tmp_path / "results", model=str(model.folder), pdf="none")
    results = [event.result for event in scan(asked) if isinstance(event, CaseFinished)]
    truth = {}
    for number, result in enumerate(results):
        name = Path(result.relative_paths[0]).name
        truth[name] = name.rpartition("-")[0]
        answered = result.prediction.label == truth[name]
        verdict = Verdict.AGREE if answered else Verdict.DISAGREE
        review = review_of(result, verdict, "" if answered else truth[name])
        if number == 0:  # nobody can tell: used, but without a label
            del truth[name]
            review = review_of(result, Verdict.NOT_ASSESSABLE)
        save_review(tmp_path / "results", result, review)
    (own / "fields").rename(own / "renamed")  # known by their content
    chosen = {"reviews": tmp_path / "results", "folds": 3}
    found = gather(AdaptOptions(own, **chosen), model)
    assert {Path(f.file).name: f.label for f in found.labelled} == truth
    assert len(found.files) == len(truth) + 1
    assert "names no class" in found.notes[0]
    result = adapt(model, own, tmp_path / "mine", **chosen)
    assert result.after.right.n == len(truth)
    assert result.after.right.value >= max(0.75, result.before.right.value)
    assert f"{len(truth)} by review" in dict(result.card.facts)["Adapted"]
    assert any("saw the answer first" in limit for limit in result.card.limits)
    assert result.card.adaptation["reviewed"] == len(truth)
    for path in (own / "renamed").iterdir():
        path.write_bytes(path.read_bytes() + b" ")  # other content
    with pytest.raises(UsageProblem, match="None of the images is one whose answer was reviewed"):
        gather(AdaptOptions(own, **chosen), model)


def test_labelled_slides_teach_and_the_model_is_unproven(
    model: ModelCard, lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert doubt(model) == ""

    def slides(*given: object) -> Own:
        found = gather(*given)  # type: ignore[arg-type]
        return dataclasses.replace(found, slides=frozenset(file.file for file in found.files))

    monkeypatch.setattr("lungscan.adaptation.adapt.gather", slides)
    own = restain(lab, tmp_path / "own", keep_labels=True)
    result = adapt(model, own, tmp_path / "mine", folds=2)
    assert result.after.right is None
    said = "labelled slides taught it; how often it is right on them was not measured"
    assert doubt(result.card) == f"mine is unproven: {said}."
    facts = dict(result.card.facts)
    assert facts["Accuracy, own fields"] == f"not measured: {said}"
    assert any(limit.startswith("Labelled slides taught it") for limit in result.card.limits)
    assert all(m.name.startswith("before it was adapted: ") for m in result.card.metrics)


@pytest.mark.parametrize(
    ("labels", "count", "expected"),
    [(True, 3, "labelled fields in 3 groups"), (False, 1, "at least 20 fields or two slides")],
)
def test_too_few_fields_are_refused(
    model: ModelCard, lab: Path, tmp_path: Path, labels: bool, count: int, expected: str
) -> None:
    own = restain(lab, tmp_path / "own", keep_labels=labels, count=count)
    if labels:  # enough fields, but few that are labelled
        restain(lab, own, keep_labels=False)
    with pytest.raises(UsageProblem, match=expected):
        adapt(model, own, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_one_class_is_refused(model: ModelCard, lab: Path, tmp_path: Path) -> None:
    own = restain(lab, tmp_path / "own", keep_labels=True, count=24)
    for label in ("lung_n", "lung_scc"):
        (own / label).rename(own / f"not-{label}")
    with pytest.raises(UsageProblem, match="All 24 labelled fields are of one class"):
        adapt(model, own, tmp_path / "mine")


def test_grey_slices_are_refused(model: ModelCard, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    (tmp_path / "ct").mkdir()
    for number in range(24):
        cells = rng.integers(0, 256, (16, 16), np.uint8).repeat(4, 0).repeat(4, 1)
        Image.fromarray(cells).convert("RGB").save(tmp_path / "ct" / f"{number}.png")
    with pytest.raises(UsageProblem, match="24 of 24 pictures show no H&E-stained tissue"):
        adapt(model, tmp_path / "ct", tmp_path / "mine")


def test_other_tissue_is_refused_even_in_the_right_stain(
    model: ModelCard, lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = restain(lab, tmp_path / "own", keep_labels=False)
    monkeypatch.setattr("lungscan.model.novelty.Novelty.score", lambda _, f: np.full(len(f), 2.0))
    with pytest.raises(UsageProblem, match="100 % of the tissue of own still does not look like"):
        adapt(model, own, tmp_path / "mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own"]


def test_an_organ_that_the_model_knows_is_refused_before_its_stain_is_matched(
    model: ModelCard, lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = restain(lab, tmp_path / "own", keep_labels=False)

    def foreign(novelty: object, features: np.ndarray) -> np.ndarray:
        return np.full(len(features), 0.85)

    monkeypatch.setattr("lungscan.model.novelty.Novelty.foreign_probability", foreign)
    with pytest.raises(UsageProblem, match=r"resembles the organs .* by 85 % on average"):
        adapt(model, own, tmp_path / "mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own"]


def test_resemblance_counts_files_not_squares(model: ModelCard, lab: Path) -> None:
    novelty = load_novelty(model.folder / "novelty.safetensors")
    source = Source(model, Moments({}, {}), novelty, 1)
    files = sorted(lab.rglob("*.png"))
    squares, _ = load_squares(files[:4], model, SIDE)
    own = Own("own", (), frozenset(), squares.pixels, np.array([0, 0, 0, 1]), (), ())
    each = novelty.foreign_probability(features_of(model, squares.pixels, 1))
    expected = (each[:3].mean() + each[3]) / 2
    assert resemblance(own, source) == pytest.approx(expected, rel=1e-4)


def test_a_loss_is_refused_and_the_earlier_model_stays(
    model: ModelCard, lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = restain(lab, tmp_path / "own", keep_labels=True)
    adapt(model, own, tmp_path / "mine", folds=2)
    earlier = (tmp_path / "mine" / "card.json").read_bytes()
    worse = dataclasses.replace

    def spoilt(*args: object, **kwargs: object) -> object:
        found = fit_head(*args, **kwargs)  # type: ignore[arg-type]
        layer = found.layer
        return worse(found, layer=Layer(-layer.weight, -layer.bias, layer.temperature))

    monkeypatch.setattr("lungscan.adaptation.refitting.fit_head", spoilt)
    with pytest.raises(UsageProblem, match="points fewer of the labelled fields"):
        adapt(model, own, tmp_path / "mine", folds=2)
    assert (tmp_path / "mine" / "card.json").read_bytes() == earlier
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "own"]


def test_a_full_disk_leaves_the_earlier_model(
    model: ModelCard, lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = restain(lab, tmp_path / "own", keep_labels=False)
    adapt(model, own, tmp_path / "mine")
    earlier = (tmp_path / "mine" / "card.json").read_bytes()
    full: Callable[..., Iterator[None]] = _full
    monkeypatch.setattr("lungscan.adaptation.adapted_folder.write_card", full)
    with pytest.raises(MachineError, match="The disk is full"):
        adapt(model, own, tmp_path / "mine")
    assert (tmp_path / "mine" / "card.json").read_bytes() == earlier
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "own"]


def _full(*_: object) -> Iterator[None]:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "card.json")


def test_nothing_else_is_replaced_and_no_int8_model_is_adapted(
    model: ModelCard, lab: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageProblem, match="is no adapted model"):
        adapt(model, lab, model.folder)
    with pytest.raises(ModelError, match="int8 model, whose layers cannot be adapted"):
        adapt(dataclasses.replace(model, precision="int8"), lab, tmp_path / "mine")


def test_a_model_without_statistics_asks_for_its_data(
    model: ModelCard, lab: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    for path in model.folder.iterdir():
        if path.is_file() and path.name != STATISTICS_FILE:
            (folder / path.name).write_bytes(path.read_bytes())
    write_card(model, folder)
    own = restain(lab, tmp_path / "own", keep_labels=False)
    with pytest.raises(ModelError, match=r"keeps no statistics.*--original"):
        adapt(read_card(folder), own, tmp_path / "mine")
    assert adapt(read_card(folder), own, tmp_path / "mine", original=lab).card.adaptation


def test_every_file_lends_squares_before_any_lends_a_second(
    model: ModelCard, lab: Path, tmp_path: Path
) -> None:
    own = gather(AdaptOptions(restain(lab, tmp_path / "own", keep_labels=True)), model)
    assert len(some_squares(own)) == len(own.files) == 36
    assert {file.label for file in own.labelled} == {"lung_aca", "lung_n", "lung_scc"}


def test_absent_classes_keep_their_outputs() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 20)
    features = rng.normal(0, 1, (40, 6)).astype(np.float32) + 2 * labels[:, None]
    layer = Layer(rng.normal(0, 0.1, (3, 6)).astype(np.float32), np.zeros(3, np.float32), 1.0)
    order = np.arange(40)
    fitted = fit_head(Squares(features.astype(np.float32), labels, order, order), layer, 0)
    assert (fitted.layer.logits(features)[:, :2].argmax(1) == labels).mean() > 0.9
    np.testing.assert_array_equal(fitted.layer.weight[2], layer.weight[2])
    moved = fitted.layer.weight[:2] - layer.weight[:2]
    np.testing.assert_allclose(moved.sum(0), 0, atol=1e-5)  # only against each other


def test_an_unproven_model_is_taken_only_when_told_and_every_record_says_so(
    model: ModelCard, lab: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "chance"
    folder.mkdir()
    for path in model.folder.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    metric = Metric("accuracy", 0.31, 0.14, 0.52, 29, 15)
    write_card(dataclasses.replace(model, metrics=(metric,)), folder)
    asked = ScanOptions((lab / "lung_n",), tmp_path / "results", model=str(folder))
    with pytest.raises(ModelError, match=r"right in 31 % of 29 test fields.*--unproven"):
        list(scan(asked))
    assert not (tmp_path / "results").exists()
    expected = dataclasses.replace(asked, unproven=True)
    cases = [event.result for event in scan(expected) if isinstance(event, CaseFinished)]
    assert cases
    for case in cases:
        assert FLAG in case.flags
        assert case.model.facts[0][0] == UNPROVEN
        assert "31 %" in case.model.limits[0]
    assert FLAG in (tmp_path / "results" / "cases.csv").read_text(encoding="utf-8")
