"""Whole training runs of one epoch: leaks, another run's teacher, fine-tuning, two processes."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("torch", reason="training needs the extra train")
pytest.importorskip("timm", reason="training needs the extra train")

import torch

from lungscan.errors import ModelError, UsageProblem
from lungscan.model.checked import read_card
from lungscan.training import wording
from lungscan.training.classes import ClassSettings, described
from lungscan.training.data import gather
from lungscan.training.events import EpochFinished, StageFinished, StageStarted
from lungscan.training.options import Fit, Phase, TrainOptions
from lungscan.training.train import train
from tests.schemas import check_file
from tests.training_data import draw_data

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
FIT = Fit((Phase(1, 32, (40, 64)),), 8, 1e-3, ema_decay=0.5, mixup=0.0)
TINY = TrainOptions(
    name="drawn",
    data="drawn",
    drawn_examples=4,
    teacher="test_efficientnet",
    student="test_efficientnet",
    field_px=64,
    device="cpu",
    threads=1,
    teacher_fit=FIT,
    student_fit=FIT,
)
GHOST = dataclasses.replace(TINY, teacher="ghostnet_050")  # its loss hardly depends on the crops


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root with eight groups of two pictures in each of three classes."""
    draw_data(tmp_path / "drawn")
    return tmp_path


def stages_of(events: Iterable[object]) -> list[str]:
    return [e.stage for e in events if isinstance(e, EpochFinished)]


def test_a_leaking_split_is_refused_or_named_in_every_report(root: Path) -> None:
    leaking = dataclasses.replace(TINY, protocol="random")
    with pytest.raises(UsageProblem, match=r"split leaks: \d+ groups"):
        list(train(leaking, root, root / "model"))
    allowed = dataclasses.replace(leaking, allow_leakage=True)
    list(train(allowed, root, root / "model"))
    card = read_card(root / "model")
    assert any("LEAKING" in limit for limit in card.limits)
    assert any("LEAKING" in value for _, value in card.facts)
    assert "LEAKING" in (root / "model" / "README.md").read_text(encoding="utf-8")
    assert "LEAKING" in str(card.data["summary"])


def data_details(options: TrainOptions, root: Path) -> list[str]:
    """What a run says before its first network; it is stopped there."""
    events = train(options, root, root / "model")
    details = []
    for event in events:
        if isinstance(event, StageStarted) and event.stage == "teacher":
            break
        if isinstance(event, StageFinished):
            details.append(event.detail)
    events.close()
    return details


def test_a_class_of_which_nobody_said_whether_it_is_tumour_is_named(root: Path) -> None:
    (root / "drawn" / "lung_n").rename(root / "drawn" / "alveoli")
    table = root / "drawn" / "groups.csv"
    table.write_text(table.read_text().replace("lung_n", "alveoli"))
    details = data_details(TINY, root)
    assert details[-1].startswith("It was not stated whether Alveoli is tumour")
    assert "[classes.alveoli]" in details[-1]
    material = gather(TINY, root, root / "work")
    words = described((), material.samples.class_names)
    assert [item.tumour for item in words] == [False, True, True]
    assert "whether Alveoli is tumour" in wording.limits(TINY, material, words)[0]
    stated = dataclasses.replace(TINY, classes=(ClassSettings("alveoli", tumour=False),))
    assert "stated" not in data_details(stated, root)[-1]
    wrong = dataclasses.replace(TINY, classes=(ClassSettings("lung_n", tumour=False),))
    with pytest.raises(UsageProblem, match="describes the class 'lung_n'"):
        data_details(wrong, root)


def test_tiny_pictures_are_left_out_and_named(root: Path) -> None:
    """40 px, where the network's input is 96 px: enlarged, they would show nothing."""
    for path in sorted((root / "drawn" / "lung_n").iterdir())[:2]:
        Image.open(path).resize((40, 40)).save(path)
    details = data_details(dataclasses.replace(TINY, input_px=96), root)
    assert [text.split(":")[1].split(";")[0] for text in details[:2]] == [
        " lung_n/0.png",
        " lung_n/1.png",
    ]
    assert all("measures only 40 × 40 px" in text for text in details[:2])
    assert all(text.startswith("left out: ") for text in details[:2])
    assert not details[2].startswith("left out")


def test_the_teacher_of_another_run_can_teach(root: Path) -> None:
    list(train(TINY, root, root / "first", ("teacher",)))
    teacher = root / "first" / "training" / "checkpoints" / "teacher.pt"
    borrowed = dataclasses.replace(TINY, teacher_from=str(teacher))
    assert stages_of(train(borrowed, root, root / "second")) == ["student"]
    assert (root / "second" / "card.json").exists()


def test_a_teacher_with_other_classes_is_refused(root: Path) -> None:
    list(train(TINY, root, root / "first", ("teacher",)))
    teacher = root / "first" / "training" / "checkpoints" / "teacher.pt"
    (root / "drawn" / "lung_n").rename(root / "drawn" / "lung_b")
    table = root / "drawn" / "groups.csv"
    table.write_text(table.read_text().replace("lung_n", "lung_b"))
    borrowed = dataclasses.replace(TINY, teacher_from=str(teacher))
    with pytest.raises(UsageProblem, match=r"knows the classes lung_aca, lung_n.* lung_b"):
        list(train(borrowed, root, root / "second"))
    with pytest.raises(ModelError, match=r"no teacher nowhere\.pt"):
        list(train(dataclasses.replace(TINY, teacher_from="nowhere.pt"), root, root / "third"))


def test_fine_tuning_goes_on_from_the_distilled_student(root: Path) -> None:
    tuned = dataclasses.replace(TINY, finetune_fit=dataclasses.replace(FIT, learning_rate=0.0))
    events = list(train(tuned, root, root / "model"))
    assert stages_of(events) == ["teacher", "student", "finetune"]
    folder = root / "model" / "training" / "checkpoints"
    first, then = (
        torch.load(folder / f"{s}.pt", weights_only=True)["average"]
        for s in ("student", "finetune")
    )
    same = [k for k, v in first.items() if k.endswith("weight") and torch.equal(v, then[k])]
    assert "classifier.weight" in same  # a rate of zero moves nothing: it began from the student


def test_a_run_is_recorded_beside_its_weights(root: Path) -> None:
    events = list(train(TINY, root, root / "model", ("teacher",)))
    assert any(isinstance(e, StageStarted) and e.stage == "teacher" for e in events)
    folder = root / "model" / "training"
    assert {p.name for p in folder.iterdir()} >= {"run.json", "split.csv", "curves.json"}
    kept = check_file("training/run.json", folder / "run.json")
    assert kept["options"]["name"] == TINY.name
    assert kept["options"]["teacher_fit"]["phases"][0]["span_px"] == [*FIT.phases[0].span_px]
    curves = check_file("training/curves.json", folder / "curves.json")
    assert [epoch["epoch"] for epoch in curves["teacher"]] == list(range(1, FIT.epochs + 1))
    assert list(curves) == ["teacher"]
    rows = (folder / "split.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "file,label,group,part"
    assert len(rows) == 1 + 3 * 16


def test_without_groups_near_duplicates_are_found(root: Path) -> None:
    (root / "drawn" / "groups.csv").unlink()
    list(train(TINY, root, root / "model", ("teacher",)))
    rows = (root / "model" / "training" / "split.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 3 * 16


def test_two_processes_train_as_one(root: Path) -> None:
    """torchrun with gloo on the CPU: one checkpoint, and the accuracy of a single process."""
    code = (
        "import sys; from pathlib import Path; from tests.engine.test_training_runs import GHOST; "
        "from lungscan.training.train import train; "
        "list(train(GHOST, Path(sys.argv[1]), Path(sys.argv[1]) / 'two', ('teacher',)))"
    )
    script = root / "script.py"
    script.write_text(code, encoding="utf-8")
    here = Path(__file__).parents[2]
    paths = os.pathsep.join([str(here), *sys.path])
    subprocess.run(  # our own script
        [sys.executable, *TORCHRUN, str(script), str(root)],
        check=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
    )
    (one,) = (
        e for e in train(GHOST, root, root / "one", ("teacher",)) if isinstance(e, EpochFinished)
    )
    files = list((root / "two" / "training" / "checkpoints").iterdir())
    assert [f.name for f in files] == ["teacher.pt"]
    two = torch.load(files[0], weights_only=True)["history"][-1]
    assert two["loss"] == pytest.approx(one.loss, rel=0.2)


def test_a_model_fitted_on_all_groups_takes_its_held_out_run_s_figures_and_care(root: Path) -> None:
    list(train(TINY, root, root / "twin"))
    whole = dataclasses.replace(TINY, split=(0.8, 0.2, 0.0), figures_from=str(root / "twin"))
    list(train(whole, root, root / "model"))
    held_out, card = read_card(root / "twin"), read_card(root / "model")
    assert card.metrics == held_out.metrics
    assert card.temperature >= held_out.temperature
    assert card.confidence_threshold >= held_out.confidence_threshold
    text = (root / "model" / "README.md").read_text(encoding="utf-8")
    assert "those of a held-out run" in text
    assert "## Evaluation of drawn" in text
    other = dataclasses.replace(whole, drawn_examples=3)
    with pytest.raises(UsageProblem, match="drawn_examples differ"):
        list(train(other, root, root / "other"))
