"""Folds in one command: each trained, joined, and the model that they speak for."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra train")
pytest.importorskip("timm", reason="training needs the extra train")

from lungscan.errors import MachineError, UsageProblem
from lungscan.inputs.csv_input import read_table
from lungscan.model.card import NOVELTY, write_card
from lungscan.model.checked import read_card
from lungscan.model.folder import write_novelty
from lungscan.model.novelty import load_novelty
from lungscan.training import checkpoint
from lungscan.training.calibrate import fit_temperature, novelty_limits
from lungscan.training.events import EpochFinished, RunStarted, StageFinished
from lungscan.training.joined import Joined, calibration_of
from lungscan.training.options import Fit, Phase, TrainOptions
from lungscan.training.out_of_fold import ANSWERS_FILE, OTHERS_FILE, Answers, read_answers
from lungscan.training.train import train
from tests.training_data import draw_data

FIT = Fit((Phase(1, 32, (40, 64)),), 8, 5e-3, ema_decay=0.5, mixup=0.0, warmup_epochs=0.0)
FOLDED = TrainOptions(
    name="drawn",
    data="drawn",
    counter_examples=("others",),
    drawn_examples=4,
    teacher="test_efficientnet",
    student="test_efficientnet",
    alone=True,
    field_px=64,
    split=(0.8, 0.2, 0.0),
    folds=2,
    device="cpu",
    threads=1,
    teacher_fit=FIT,
    student_fit=FIT,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root: three classes of eight groups, and counter-examples."""
    folder = tmp_path_factory.mktemp("data")
    draw_data(folder / "drawn", clear=True)
    draw_data(folder / "others", groups=4)
    return folder


@pytest.fixture(scope="module")
def model(root: Path) -> Path:
    """The model of two folds. Nothing may change it."""
    out = root / "model"
    list(train(FOLDED, root, out, command="lungscan train"))
    return out


@pytest.fixture
def copied(model: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(model, tmp_path / "model"))


def answers_of(model: Path, name: str = ANSWERS_FILE) -> Answers:
    return read_answers([model / "folds" / str(n) / "training" / name for n in (1, 2)])


def epochs_of(events: Iterable[object]) -> list[str]:
    return [e.stage for e in events if isinstance(e, EpochFinished)]


def test_few_fields_that_are_all_right_make_no_network_sure() -> None:
    """Any confidence would be likely then, and the least temperature the likeliest."""
    logits = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]] * 8
    temperature = fit_temperature(logits, np.array([0, 1, 2, 0]))
    probs = np.exp(logits / temperature)
    assert (probs.max(1) / probs.sum(1)).mean() == pytest.approx(5 / 6, abs=0.01)


def test_that_groups_were_few_stands_beside_the_figures(model: Path) -> None:
    card = read_card(model)
    assert card.limits[1].startswith("FEW GROUPS: of class lung_aca 8")  # the doubt is the first
    assert "FEW GROUPS" in dict(card.facts)["Test set"]
    above, _, below = (model / "README.md").read_text(encoding="utf-8").partition("| figure |")
    assert "**FEW GROUPS: of class lung_aca 8" in above
    assert below.count("FEW GROUPS: of class lung_aca 8") == 2


def test_every_picture_is_judged_once_by_a_network_that_never_saw_its_group(model: Path) -> None:
    card, answers = read_card(model), answers_of(model)
    metrics = {metric.name: metric for metric in card.metrics}
    assert (metrics["accuracy"].n, metrics["accuracy"].groups) == (48, 24)
    assert metrics["gain by distillation"].n == metrics["accuracy teacher"].n == 48
    assert (metrics["refused others"].n, metrics["refused others"].groups) == (24, 12)
    for number in (1, 2):
        folder = model / "folds" / str(number)
        learnt = {
            row["group"]
            for row in read_table(folder / "training" / "split.csv", ("file", "group", "part"))
            if row["part"] != "test"
        }
        judged = {
            row["group"]
            for row in read_table(folder / "evaluation" / "predictions.csv", ("file", "group"))
        }
        assert judged == set(read_card(folder).data["test_groups"])
        assert not judged & learnt
    found = read_table(model / "evaluation" / "predictions.csv", ("file", "group", "forced_answer"))
    right = {row["file"]: row["forced_answer"] == row["label"] for row in found}
    assert set(right) == set(answers.files)
    assert np.mean(list(right.values())) == pytest.approx(metrics["accuracy"].value)
    # The model itself has seen them all, so that no evaluation takes them for held out.
    assert card.data["test_groups"] == []
    assert card.data["fields"]["test"] == 0


def test_temperature_and_limits_are_those_of_unseen_tissue(model: Path) -> None:
    """The model's from all answers; a fold's, under which it is judged, from the other's alone."""
    answers, others = answers_of(model), answers_of(model, OTHERS_FILE)
    for folder, rows, foreign in (
        (model, answers.numbers > 0, others.numbers > 0),
        (model / "folds" / "1", answers.numbers == 2, others.numbers == 2),
        (model / "folds" / "2", answers.numbers == 1, others.numbers == 1),
    ):
        wanted = fit_temperature(answers.logits[rows], answers.truth[rows])
        assert read_card(folder).temperature == pytest.approx(wanted)
        limits = novelty_limits(answers.measures[rows], others.measures[foreign])
        novelty = load_novelty(folder / "novelty.safetensors")
        assert (novelty.limits >= limits).all()  # wider where own lung stained elsewhere lies
        plain = dataclasses.replace(novelty, appearance=None)
        without = 0 if folder == model else int(folder.name)
        found = calibration_of(Joined(answers, others, None, None), plain, without)
        np.testing.assert_array_equal(found.novelty.limits, limits)
        assert found.temperature == wanted
        assert found.confidence == pytest.approx(read_card(folder).confidence_threshold)


def test_card_and_readme_lead_with_the_folds(model: Path) -> None:
    card = read_card(model)
    facts = [fact for fact in card.facts if fact[0] != "Unproven"]  # after one epoch it is
    assert facts[0][0] == "Accuracy, 2-fold cross-validation"
    assert "48 fields in 24 groups, each judged by a fold that never saw it" in facts[1][1]
    assert len(card.data["folds"]) == 2
    text = (model / "README.md").read_text(encoding="utf-8")
    assert "Every picture was judged once, by one of 2 networks" in text
    assert "the answers of all folds" in text
    found = json.loads((model / "evaluation" / "evaluation.json").read_text(encoding="utf-8"))
    assert (found["data"]["split"], found["data"]["seen"]) == ("2 folds", "held out")


def test_the_card_holds_accuracy_against_coverage(model: Path) -> None:
    card = read_card(model)
    share, accuracy, low, high = card.coverage[-1]
    known = next(metric for metric in card.metrics if metric.name == "accuracy")
    assert (share, accuracy) == (1.0, pytest.approx(known.value, abs=1e-4))
    assert low <= accuracy <= high
    assert card.coverage[0][0] == 0.5


def test_what_is_finished_is_not_done_again(root: Path, copied: Path) -> None:
    """Two folds as another machine left them, and a model of its own whose student alone came."""
    checkpoints = copied / "training" / "checkpoints"
    (checkpoints / "teacher.pt").unlink()
    state = checkpoint.load(checkpoints / "student.pt", None)
    assert state is not None
    slim = {k: v.half() if v.is_floating_point() else v for k, v in state["average"].items()}
    checkpoint.save(
        checkpoints / "student.pt", state | {"average": slim, "network": {}, "optimiser": {}}
    )
    (copied / "card.json").unlink()
    events = list(train(FOLDED, root, copied))
    assert epochs_of(events) == []
    runs = [e for e in events if isinstance(e, RunStarted)]
    assert [(e.number, e.count) for e in runs] == [(1, 3), (2, 3), (3, 3)]
    found = [e.detail for e in events if isinstance(e, StageFinished)]
    assert found.count("finished already") == 2
    assert "teacher is not needed: what comes of it is there" in found
    assert read_card(copied).metrics[0].n == 48


def test_a_fold_s_limits_do_not_depend_on_earlier_joinings(
    root: Path, model: Path, copied: Path
) -> None:
    """Limits that other answers once made wide are forgotten, when all is joined again."""
    folder = copied / "folds" / "1"
    card, wide = read_card(folder), load_novelty(folder / NOVELTY)
    write_novelty(folder, dataclasses.replace(wide, limits=wide.limits * 9))
    write_card(card, folder)
    list(train(FOLDED, root, copied))
    limits = load_novelty(folder / NOVELTY).limits
    np.testing.assert_array_equal(limits, load_novelty(model / "folds" / "1" / NOVELTY).limits)


def test_a_fold_of_one_network_alone_is_calibrated_and_judged_without_its_teacher(
    root: Path, copied: Path
) -> None:
    fold = copied / "folds" / "2"
    for path in fold.rglob("*"):
        if path.is_file() and path.name != "student.pt":
            path.unlink()
    events = list(train(dataclasses.replace(FOLDED, alone=False), root, copied))
    assert epochs_of(events) == []
    teacher = {metric.name: metric for metric in read_card(copied).metrics}["accuracy teacher"]
    assert teacher.n == 0
    assert teacher.note == "not measured: not every fold's folder holds its teacher"


def test_a_killed_fold_goes_on_where_it_stood(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    events = train(dataclasses.replace(FOLDED, alone=False), root, out)
    for event in events:
        if isinstance(event, EpochFinished) and event.stage == "teacher":
            break
    events.close()
    assert not (out / "card.json").exists()
    again = train(dataclasses.replace(FOLDED, alone=False), root, out)
    assert next(e for e in again if isinstance(e, EpochFinished)).stage == "student"
    again.close()


def test_a_fold_made_elsewhere_is_the_same(root: Path, copied: Path, tmp_path: Path) -> None:
    alone = dataclasses.replace(FOLDED, folds=0, fold="1/2")
    list(train(alone, root, tmp_path / "one"))
    ours = (copied / "folds" / "1" / "training" / ANSWERS_FILE).read_text(encoding="utf-8")
    theirs = (tmp_path / "one" / "training" / ANSWERS_FILE).read_text(encoding="utf-8")
    assert ours == theirs
    shutil.rmtree(copied / "folds" / "1")
    shutil.copytree(tmp_path / "one", copied / "folds" / "1")
    assert epochs_of(train(FOLDED, root, copied)) == []
    assert read_card(copied).metrics[0].n == 48


def test_folds_of_another_recipe_or_of_other_data_are_refused(root: Path, copied: Path) -> None:
    with pytest.raises(UsageProblem, match=r"folds/1 was trained by another recipe: seed differ"):
        list(train(dataclasses.replace(FOLDED, seed=1), root, copied))
    shutil.rmtree(copied / "folds" / "1")
    shutil.copytree(copied / "folds" / "2", copied / "folds" / "1")
    with pytest.raises(UsageProblem, match=r"folds/1 was trained by another recipe: fold differ"):
        list(train(FOLDED, root, copied))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"fold": "1/2"}, "which fold"),
        ({"split_file": "x.csv"}, "without a split file"),
        ({"protocol": "random"}, "protocol grouped"),
        ({"teacher_from": "teacher.pt"}, "has learnt from tissue"),
        ({"folds": 1}, "cannot be dealt"),
    ],
)
def test_what_would_make_folds_say_nothing_is_refused(
    root: Path, tmp_path: Path, options: dict[str, object], why: str
) -> None:
    with pytest.raises(UsageProblem, match=why):
        list(train(dataclasses.replace(FOLDED, **options), root, tmp_path / "new"))  # type: ignore[arg-type]


def test_a_full_disk_leaves_the_model_that_was_there(
    root: Path, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    before = read_card(copied).sha256
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(MachineError, match="full"):
        list(train(FOLDED, root, copied))
    assert read_card(copied).sha256 == before
    assert not list(copied.glob(".lungscan-*"))


def test_pictures_that_went_away_since_are_reported(
    root: Path, copied: Path, tmp_path: Path
) -> None:
    shutil.copytree(root / "drawn", tmp_path / "drawn")
    shutil.copytree(root / "others", tmp_path / "others")
    table = tmp_path / "drawn" / "groups.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("lung_n-0", "lung_n-9"), "utf-8")
    shutil.rmtree(copied / "training")
    with pytest.raises(UsageProblem, match="Fold 1 was trained on other data than these"):
        list(train(FOLDED, tmp_path, copied))
    assert not (copied / "training" / "checkpoints").exists()  # refused before it was learnt from
