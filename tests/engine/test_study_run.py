"""A whole study on drawn pictures: fitted, stopped, gone on with, judged and told."""

from __future__ import annotations

import csv
import dataclasses
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="a study needs the extra train")
pytest.importorskip("timm", reason="a study needs the extra train")

from lungscan.dataset.resampling import GroupBootstrap
from lungscan.errors import ModelError
from lungscan.evaluation.judged import Judged
from lungscan.studies.arrays import TEST, Material
from lungscan.studies.collecting import gather
from lungscan.studies.events import NetworkFitted, OutOfTime, StudyFinished, StudyStarted
from lungscan.studies.options import Student, StudyOptions, TeacherFit
from lungscan.studies.results import Answers
from lungscan.studies.study import study
from lungscan.studies.study_table import as_csv, markdown
from lungscan.studies.tasks import tasks, units
from lungscan.studies.test_answers import lines, recalls_of
from lungscan.studies.working import Means
from tests.training_data import draw_data

ROOT = Path(__file__).parents[2]
STUDENT = Student("own small CNN", "small_cnn", "alexnet", epochs=2, seed_project=(82.67, 86.53))
TINY = StudyOptions(
    "tiny",
    "data",
    (STUDENT,),
    (TeacherFit("alexnet", 1),),
    seeds=2,
    folds=3,
    protocols=("random",),
    input_px=32,
    batch_size=8,
    bf16=False,
)
MEANS = Means(threads=1)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    draw_data(folder / "data", groups=6, clear=True)
    return folder


def run(root: Path, out: Path, chosen: StudyOptions = TINY, means: Means = MEANS) -> list[object]:
    return list(study(chosen, root, out, means, "lungscan study tiny.toml", with_int8=False))


def names(events: list[object]) -> list[str]:
    return [event.name for event in events if isinstance(event, NetworkFitted)]


def test_a_study_that_was_stopped_goes_on_and_ends_as_an_undisturbed_one(
    root: Path, tmp_path: Path
) -> None:
    whole = run(root, tmp_path / "whole")
    assert len(names(whole)) == 6  # two seeds of teacher, student, taught student
    cut = study(TINY, root, tmp_path / "cut", MEANS, "lungscan study tiny.toml", with_int8=False)
    for event in cut:
        if isinstance(event, NetworkFitted) and event.name == "random-0.small_cnn.alone":
            break
    cut.close()
    rest = run(root, tmp_path / "cut")
    assert names(rest) == names(whole)[2:]
    assert isinstance(rest[0], StudyStarted)
    assert (rest[0].networks, rest[0].finished) == (6, 2)
    for name in ("study.md", "study.csv"):
        same = (tmp_path / "whole" / name).read_text(encoding="utf-8")
        # The taught student learnt from weights in half precision here, in full precision there.
        heads = [line.split(",")[:7] for line in same.splitlines()]
        other = (tmp_path / "cut" / name).read_text(encoding="utf-8").splitlines()
        assert [line.split(",")[:7] for line in other if name.endswith("csv")] == (
            heads if name.endswith("csv") else []
        )
    again = run(root, tmp_path / "cut")
    assert names(again) == []
    assert isinstance(again[-1], StudyFinished)


def test_the_table_holds_each_student_beside_the_seed_project(root: Path, tmp_path: Path) -> None:
    chosen = dataclasses.replace(TINY, seeds=1)
    run(root, tmp_path, chosen)
    text = (tmp_path / "study.md").read_text(encoding="utf-8")
    assert "| own small CNN | – | 82.67 % |" in text
    assert "| own small CNN | alexnet | 86.53 % |" in text
    assert "LEAKING" in text
    assert "12 lung_aca, 12 lung_n, 12 lung_scc" in text
    with (tmp_path / "study.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    figures = {row["figure"] for row in rows if row["role"] == "distilled"}
    assert {"accuracy", "balanced accuracy", "recall lung_aca", "gain by distillation"} <= figures
    assert all(row["groups"] for row in rows)


def test_a_study_out_of_time_tells_what_is_missing_and_keeps_the_rest(
    root: Path, tmp_path: Path
) -> None:
    events = run(root, tmp_path, means=Means(threads=1, until=time.time() - 1))
    assert OutOfTime(6) in events
    assert "Nothing is finished yet" in (tmp_path / "study.md").read_text(encoding="utf-8")


def test_results_of_other_options_are_refused(root: Path, tmp_path: Path) -> None:
    run(root, tmp_path, means=Means(threads=1, until=0))
    with pytest.raises(ModelError, match="other pictures, groups or options"):
        run(root, tmp_path, dataclasses.replace(TINY, mixup=0.5))


def test_results_of_other_groups_are_refused(root: Path, tmp_path: Path) -> None:
    # Networks of the first deal have learnt what the second one would judge them on.
    shutil.copytree(root / "data", tmp_path / "data")
    out, stopped = tmp_path / "out", Means(threads=1, until=0)
    chosen = dataclasses.replace(TINY, protocols=("grouped",))
    run(tmp_path, out, chosen, stopped)
    run(tmp_path, out, chosen, stopped)  # the same ones go on
    table = tmp_path / "data" / "groups.csv"
    rows = table.read_text(encoding="utf-8").splitlines()
    patients = [f"{row.rsplit('-', 1)[0]}-P{n % 6}" for n, row in enumerate(rows[1:])]
    table.write_text("\n".join([rows[0], *patients]), encoding="utf-8")
    with pytest.raises(ModelError, match="other pictures, groups or options"):
        run(tmp_path, out, chosen, stopped)


def test_another_deal_of_a_unit_is_refused_and_a_further_unit_goes_on(
    root: Path, tmp_path: Path
) -> None:
    kept, _ = gather(TINY, root)
    further = dataclasses.replace(kept, parts={**kept.parts, "random-2": kept.parts["random-0"]})
    assert kept.continued_by(further)
    swapped = dataclasses.replace(kept, parts={**kept.parts, "random-0": kept.parts["random-1"]})
    assert not kept.continued_by(swapped)


def test_other_epochs_of_a_finished_network_are_refused(root: Path, tmp_path: Path) -> None:
    chosen = dataclasses.replace(TINY, seeds=1)
    run(root, tmp_path, chosen)
    longer = dataclasses.replace(chosen, students=(dataclasses.replace(STUDENT, epochs=3),))
    with pytest.raises(ModelError, match=r"small_cnn\.alone\.npz was made with other options"):
        run(root, tmp_path, longer)


def test_two_processes_fit_what_one_would(root: Path, tmp_path: Path) -> None:
    events = run(root, tmp_path, means=Means(threads=1, workers=2, lanes=2))
    assert sorted(names(events)) == sorted(
        task.name for unit in units(TINY) for task in tasks(TINY, unit)
    )


def test_int8_forms_are_made_judged_and_not_made_again(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("nncf", reason="int8 needs the extra train")
    chosen = dataclasses.replace(TINY, seeds=1)
    events = [type(e).__name__ for e in study(chosen, root, tmp_path, MEANS)]
    assert events.count("Quantized") == 2  # alone and distilled
    with (tmp_path / "study.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    value = {(row["role"], row["figure"]): row["value"] for row in rows}
    assert 0 <= float(value["distilled", "accuracy int8"]) <= 1
    assert float(value["alone", "int8_mb"]) < 0.4 * float(value["alone", "fp32_mb"])
    assert float(value["alone", "fp32_ms"]) > 0
    again = [type(e).__name__ for e in study(chosen, root, tmp_path, MEANS)]
    assert "Quantized" not in again


def test_networks_are_fitted_without_what_only_classifying_needs(
    root: Path, tmp_path: Path
) -> None:
    """Another machine needs torch, timm and safetensors, and the folder with its pictures."""
    out = tmp_path / "out"
    list(study(TINY, root, out, MEANS, only_material=True))
    assert not (out / "study.md").exists()
    code = (
        "import sys\n"
        "for name in ('click','rich','openvino','openslide','imagecodecs','nncf','reportlab'):\n"
        "    sys.modules[name] = None\n"
        "from pathlib import Path\n"
        "from lungscan.studies.options import *\n"
        "from lungscan.studies.tasks import units\n"
        "from lungscan.studies.working import Means, fit_units\n"
        "student = Student('own small CNN', 'small_cnn', 'alexnet', epochs=2)\n"
        "chosen = StudyOptions('tiny', 'data', (student,), (TeacherFit('alexnet', 1),), seeds=2,\n"
        "    folds=3, protocols=('random',), input_px=32, batch_size=8, bf16=False)\n"
        "list(fit_units(Path(sys.argv[1]), chosen, units(chosen), Means(threads=1)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(out)],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert names(run(root, out)) == []  # all are here, and belong


def _judged(truth: list[int], predicted: list[int]) -> Judged:
    count = len(truth)
    return Judged(
        tuple(f"u/{i}" for i in range(count)),
        tuple(str(i) for i in range(count)),
        np.array(truth),
        np.array(predicted),
        np.ones(count, bool),
        np.full(count, 0.9),
        np.eye(3)[predicted],
    )


def test_balanced_accuracy_is_the_mean_of_the_recalls() -> None:
    judged = _judged([0, 0, 1, 1, 1, 1, 2, 2], [1, 1, 1, 1, 1, 0, 2, 1])
    recalls, balanced = recalls_of(judged, ("a", "b", "c"), GroupBootstrap(judged.groups))
    assert [metric.value for metric in recalls] == [0.0, 0.75, 0.5]
    assert balanced.value == pytest.approx(1.25 / 3)
    assert balanced.low is not None
    assert balanced.low < balanced.value
    judged = _judged([0, 1, 1, 1, 1, 2, 2], [1, 1, 1, 1, 0, 2, 1])
    recalls, balanced = recalls_of(judged, ("a", "b", "c"), GroupBootstrap(judged.groups))
    assert (recalls[0].low, balanced.low) == (None, None)  # of one group nobody can tell


def _known(chosen: StudyOptions) -> tuple[Material, dict[str, Answers]]:
    """Twelve pictures, and answers of which a fold's taught student has one wrong."""
    labels = np.array([0, 1, 2] * 4)
    parts = {}
    for unit in units(chosen):
        part = np.zeros(12, np.uint8)
        part[0:3] = 1
        part[3 * unit.fold : 3 * unit.fold + 3] = TEST
        parts[unit.name] = part
    pixels = np.zeros((12, 4, 4, 3), np.uint8)
    groups = tuple(f"g{row}" for row in range(12))
    material = Material(pixels, labels, groups, ("a", "b", "c"), parts, pixels[:0], "f")
    answers = {}
    for unit in units(chosen):
        for task in tasks(chosen, unit):
            logits = np.eye(4, dtype=np.float32)[labels] * 5
            if task.role == "alone":
                logits[3 * unit.fold] = [0, 5, 0, 0]  # the first picture of each fold is wrong
            answers[task.name] = Answers(logits, np.zeros(1, np.float32), 1.0, "cpu")
    return material, answers


def test_folds_are_pooled_and_gains_are_paired() -> None:
    chosen = dataclasses.replace(TINY, protocols=("grouped",))
    material, answers = _known(chosen)
    alone, taught, teacher = lines(chosen, material, answers, {})
    assert (alone.role, taught.role, teacher.role) == ("alone", "distilled", "teacher")
    assert (teacher.student.name, teacher.accuracy.value) == ("teacher: alexnet", 1.0)
    assert alone.accuracy.value == pytest.approx(6 / 9)
    assert (alone.accuracy.n, alone.accuracy.groups) == (9, 9)
    assert [metric.value for metric in alone.recalls] == [0.0, 1.0, 1.0]
    assert taught.accuracy.value == 1.0
    assert taught.gain is not None
    assert taught.gain.value == pytest.approx(3 / 9)
    assert alone.gain is None


def test_the_table_of_a_single_group_has_no_interval() -> None:
    chosen = dataclasses.replace(TINY, protocols=("grouped",))
    material, answers = _known(chosen)
    one = dataclasses.replace(material, groups=("g",) * 12)
    found = lines(chosen, one, answers, {})
    text = markdown(chosen, found, {}, one.class_names, "", ())
    assert "| 66.67 % | 66.7 % |" in text
    assert as_csv(found, {}).splitlines()[1].split(",").count("") >= 2


def test_a_seed_whose_folds_are_not_all_there_is_left_out() -> None:
    chosen = dataclasses.replace(TINY, protocols=("grouped",))
    material, answers = _known(chosen)
    del answers["grouped-0-2.small_cnn.distilled"]
    assert [line.role for line in lines(chosen, material, answers, {})] == ["alone", "teacher"]


def test_int8_is_compared_on_the_units_that_have_one() -> None:
    chosen = dataclasses.replace(TINY, protocols=("random",))
    material, answers = _known(dataclasses.replace(chosen, protocols=("random",)))
    probs = np.eye(3)[[1] * 12].astype(float)  # the int8 form of seed 0 says b of everything
    (alone, taught, _) = lines(chosen, material, answers, {"random-0.small_cnn.distilled": probs})
    assert alone.int8 is None
    assert taught.int8 is not None
    assert taught.int8_gain is not None
    assert taught.int8.value == pytest.approx(1 / 3)
    assert taught.int8_gain.value == pytest.approx(1 / 3 - 1)
    assert taught.int8_units == 1
