"""The whole training path on drawn pictures: fit, resume, distil, calibrate, bundle, classify."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra train")
pytest.importorskip("timm", reason="training needs the extra train")

from lungscan.dataset.listing import read_listing
from lungscan.dataset.splits import split_by_group
from lungscan.errors import ModelError, UsageProblem
from lungscan.model.checked import find_model, read_card
from lungscan.training.events import EpochFinished, StageFinished
from lungscan.training.folding import final_options, of_one_network
from lungscan.training.model_card import recipe_of
from lungscan.training.options import Fit, Phase, TrainOptions, load_options
from lungscan.training.train import train
from tests.schemas import check_file
from tests.training_data import SIDE, draw_data


def recipe(epochs: int = 2) -> TrainOptions:
    phases = (Phase(epochs, 32, (40, 64)),)
    return TrainOptions(
        name="drawn",
        data="drawn",
        drawn_examples=8,
        teacher="ghostnet_050",
        student="ghostnet_050",
        field_px=SIDE,
        teacher_fit=Fit(phases, 8, 1e-3, ema_decay=0.5, mixup=0.0),
        student_fit=Fit(phases, 8, 2e-3, ema_decay=0.5),
        alone=True,
        threads=1,
        device="cpu",
    )


def test_a_recipe_becomes_a_model_folder_that_resumes(tmp_path: Path) -> None:
    draw_data(tmp_path / "drawn")
    out = tmp_path / "model"
    first = train(recipe(), tmp_path, out)
    for event in first:
        if isinstance(event, EpochFinished):
            break  # stopped after the teacher's first epoch
    first.close()

    events = [e for e in train(recipe(), tmp_path, out) if isinstance(e, EpochFinished)]

    assert [(e.stage, e.epoch) for e in events] == [
        ("teacher", 2),
        ("student", 1),
        ("student", 2),
        ("alone", 1),
        ("alone", 2),
    ]
    card = read_card(out)
    assert card.class_names == ("lung_aca", "lung_n", "lung_scc")
    assert card.tumour == (True, False, True)
    names = {metric.name for metric in card.metrics}
    assert {"accuracy", "accuracy teacher", "accuracy student alone"} <= names
    _figures_are_of_one_judge(out)
    assert not card.official
    _runtimes_agree(out)


def _figures_are_of_one_judge(folder: Path) -> None:
    """Card, evaluation and README hold the same figures of the same model."""
    card = read_card(folder)
    found = check_file("evaluation.json", folder / "evaluation" / "evaluation.json")
    check_file("card.json", folder / "card.json")
    assert found["model"]["sha256"] == card.sha256
    ours = {metric.name: metric for metric in card.metrics}
    assert len(found["metrics"]) >= 7
    for metric in found["metrics"]:
        if metric["value"] is not None:
            own = ours[metric["name"]]
            assert (own.value, own.low, own.high) == (
                metric["value"],
                metric["low"],
                metric["high"],
            )
    accuracies = [name for name in ours if name.startswith("accuracy")]
    assert "accuracy student" not in accuracies
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert f"| accuracy | {100 * ours['accuracy'].value:.1f} % (" in text
    assert f"Model SHA-256 `{card.sha256[:12]}`" in text
    assert dict(card.facts)["Accuracy, grouped test"].startswith(
        f"{100 * ours['accuracy'].value:.1f} %"
    )


def _runtimes_agree(folder: Path) -> None:
    """The graph and the named weights are one network: the same golden answers from both."""
    from lungscan.runtimes import load_runtime

    card = read_card(folder)
    golden = np.load(folder / "golden.npz", allow_pickle=False)
    for device in ("cpu-fp32", "torch-cpu"):
        probs, features = load_runtime(card, device, threads=1).predict(golden["fields"])
        assert features.shape[0] == len(golden["fields"])
        np.testing.assert_allclose(probs, golden["probs"], atol=1e-4)


def test_an_interrupted_run_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    draw_data(tmp_path / "drawn")
    plain = list(train(recipe(), tmp_path, tmp_path / "a", ("teacher",)))
    stopped = train(recipe(), tmp_path, tmp_path / "b", ("teacher",))
    next(e for e in stopped if isinstance(e, EpochFinished))
    stopped.close()
    resumed = list(train(recipe(), tmp_path, tmp_path / "b", ("teacher",)))

    def last_loss(events: list[object]) -> float:
        return [e.loss for e in events if isinstance(e, EpochFinished)][-1]

    assert last_loss(plain) == pytest.approx(last_loss(resumed), rel=1e-3)


def test_checkpoints_of_another_recipe_are_refused(tmp_path: Path) -> None:
    draw_data(tmp_path / "drawn")
    list(train(recipe(1), tmp_path, tmp_path / "model", ("teacher",)))
    with pytest.raises(ModelError, match="other options"):
        list(train(recipe(2), tmp_path, tmp_path / "model", ("teacher",)))


def test_a_student_needs_its_teacher(tmp_path: Path) -> None:
    draw_data(tmp_path / "drawn")
    with pytest.raises(ModelError, match="stage teacher is not finished"):
        list(train(recipe(), tmp_path, tmp_path / "model", ("student",)))


def test_no_group_stands_on_two_sides(tmp_path: Path) -> None:
    draw_data(tmp_path, groups=11)
    samples = read_listing(tmp_path).samples()
    split = split_by_group(samples, (0.7, 0.15, 0.15), seed=3)
    parts = (split.train, split.validation, split.test)
    sides = [{samples.groups[i] for i in rows} for rows in parts]
    assert sum(len(side) for side in sides) == len(set(samples.groups))
    assert sorted(np.concatenate(parts)) == list(range(len(samples.paths)))
    for rows in parts:
        assert set(samples.labels[rows]) == {0, 1, 2}


def test_too_few_groups_are_named(tmp_path: Path) -> None:
    draw_data(tmp_path, groups=2)
    with pytest.raises(UsageProblem, match="lung_aca has 2 groups"):
        split_by_group(read_listing(tmp_path).samples(), (0.7, 0.15, 0.15), seed=0)


def test_a_picture_that_cannot_be_read_is_left_out_and_named(tmp_path: Path) -> None:
    draw_data(tmp_path / "drawn")
    (tmp_path / "drawn" / "lung_n" / "3.png").write_bytes(b"no picture")
    (tmp_path / "drawn" / "lung_scc" / "5.png").unlink()
    events = list(train(recipe(1), tmp_path, tmp_path / "model", ("teacher",)))
    details = [e.detail for e in events if isinstance(e, StageFinished) and e.stage == "data"]
    assert [text.split(":")[1].split()[0] for text in details[:-1]] == [
        "lung_n/3.png",
        "lung_scc/5.png",
    ]
    assert all(text.startswith("left out: ") for text in details[:-1])
    rows = (tmp_path / "model" / "training" / "split.csv").read_text(encoding="utf-8")
    assert "lung_n/3.png" not in rows
    assert "lung_n/4.png" in rows


def test_the_recipe_of_lite0_can_be_read() -> None:
    path = Path(__file__).parents[2] / "models" / "recipes" / "lung-histology-lite0-mild.toml"
    options = load_options(path)
    assert (options.teacher, options.student) == ("tf_efficientnet_lite2", "tf_efficientnet_lite0")
    assert options.protocol == "grouped"


def test_the_recipe_of_ghostnet_begins_with_features() -> None:
    path = Path(__file__).parents[2] / "models" / "recipes" / "lung-histology-ghostnet.toml"
    options = load_options(path)
    assert options.stages == ("features", "student", "alone")  # its teachers are runs of their own
    assert len(options.teachers) == 2
    assert options.student == "ghostnet_100"


def test_the_shipped_model_is_that_of_its_recipe() -> None:
    recipes = Path(__file__).parents[2] / "models" / "recipes"
    options = load_options(recipes / "lung-histology-ghostnet-cpu.toml")
    fold = of_one_network(dataclasses.replace(options, fold="1/5"))
    assert fold.stages == ("features", "student")
    assert options.stages == ("student",)  # the model on all groups has its features of a fold
    card = find_model(options.name)
    assert card.official
    judged = ("fold", "folds", "figures_from")
    details = {key: card.recipe[key] for key in (*judged, "threads")}  # as it was judged, and where
    made = dataclasses.replace(options, **details)
    final = final_options(made) if made.folds else of_one_network(made)
    assert card.recipe == json.loads(json.dumps(recipe_of(final)))


def test_a_wrong_recipe_is_refused_with_the_option_named(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('name = "x"\ndata = "y"\nlerning_rate = 1\n', encoding="utf-8")
    with pytest.raises(UsageProblem, match="lerning_rate"):
        load_options(path)
