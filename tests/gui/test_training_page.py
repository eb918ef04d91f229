"""The training page: what it asks for and what it shows; once with a real training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PyQt6.QtGui import QShortcut
from PyQt6.QtWidgets import QFileDialog, QLabel
from pytestqt.qtbot import QtBot

from lungscan.training.events import EpochFinished, StageFinished, StageStarted
from lungscan_gui.learning.job import LearnJob
from lungscan_gui.learning.tasks import (
    DataSeen,
    JudgeModel,
    LookAtData,
    ModelMade,
    Step,
    Table,
    TrainModel,
)
from lungscan_gui.learning.training_page import TrainingPage
from lungscan_gui.scanning.job import Failure, Stopped
from lungscan_gui.settings import Settings
from lungscan_gui.window import MainWindow
from tests.gui.learning import FakeJob, script, tables_of
from tests.training_data import draw_data

Wait = Callable[[Callable[[], bool]], None]
TINY = """
name = "drawn"
data = "."
drawn_examples = 4
teacher = ""
student = "test_efficientnet"
field_px = 64
threads = 1
[student_fit]
batch_size = 8
learning_rate = 1e-3
mixup = 0.0
phases = [{epochs = 2, crop_px = 32, span_px = [40, 64]}]
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    draw_data(tmp_path / "drawn")
    return tmp_path / "drawn"


@pytest.fixture
def page(qtbot: QtBot, settings: Settings) -> Iterator[TrainingPage]:
    made = TrainingPage(settings)
    qtbot.addWidget(made)
    made.show()
    yield made
    made.close()


def test_a_real_folder_is_audited_split_trained_judged_and_taken(
    qtbot: QtBot, window: MainWindow, wait: Wait, data: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="training needs the extra train")
    window.open_training()
    page = window.learning.training
    page.look_at(data)
    wait(lambda: not page.runner.running)
    assert page.message.words.text() == "" or "Look at these first" in page.message.words.text()
    tables = tables_of(page)
    assert [row[:2] for row in tables["Classes"]] == [
        ["lung_aca", "16"], ["lung_n", "16"], ["lung_scc", "16"],
    ]  # fmt: skip
    assert tables["Split by groups"][0][0] == "lung_aca"
    assert tables["Split by groups"][0][1] == "12 in 6 groups"
    assert page.form.start.isEnabled()
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(TINY)
    page.form.recipe = recipe
    page.form.device.setCurrentText("cpu")
    page.form.out = tmp_path / "model"
    page.start()
    assert page.runner.running
    wait(lambda: not page.runner.running)
    assert page.made is not None, page.message.words.text()
    (curve,) = page.curves.all
    assert [epoch for epoch, _ in curve.loss] == [1, 2]
    assert page.made.folder == tmp_path / "model"
    assert (tmp_path / "model" / "card.json").is_file()
    assert "The model lies in" in page.log.toPlainText()
    page.form.evaluate.click()
    wait(lambda: not page.runner.running)
    tables = tables_of(page)
    assert [row[0] for row in tables["Confusion"]] == [
        "Adenocarcinoma", "Benign lung", "Squamous cell carcinoma",
    ]  # fmt: skip
    counts = sum(int(cell) for row in tables["Confusion"] for cell in row[1:])
    assert counts == 6  # one group of two of each class was held out
    assert (tmp_path / "model" / "evaluation" / "metrics.csv").is_file()
    page.form.take.click()
    assert window.options.boxes["model"].currentText() == str(tmp_path / "model")
    assert window.settings.own_models == (str(tmp_path / "model"),)


def test_events_are_drawn_as_they_come_and_cancel_keeps_epochs(
    page: TrainingPage, wait: Wait, tmp_path: Path
) -> None:
    seen = DataSeen((Table("Classes", ("Class",), (("a",),)),), ("a/1.png cannot be read",), 1)
    jobs = script(page, {
        LookAtData: [Step("Looking at pictures", 3, 9), seen],
        TrainModel: [
            StageStarted("student", "ghostnet", 3), EpochFinished("student", 1, 3, 0.9, 0.5, 10, 1),
            EpochFinished("student", 2, 3, 0.4, None, 10, 1), StageFinished("student", "well"),
        ],
    })  # fmt: skip
    assert not page.form.start.isEnabled()
    page.look_at(tmp_path)
    wait(lambda: page.now.text() == "Looking at pictures: 3 of 9")
    assert page.form.cancel.isEnabled()
    wait(lambda: "cannot be read" in page.message.words.text())
    jobs[0].go.set()
    wait(page.form.start.isEnabled)
    page.form.folds.setValue(5)
    page.form.name.setText('my "own"')
    page.start()
    wait(lambda: "well" in page.log.toPlainText())
    task = jobs[1].task
    assert isinstance(task, TrainModel)
    assert task.changes == (r'name="my \"own\""', 'device="auto"', "folds=5")
    assert task.out == tmp_path.with_name(f"{tmp_path.name}-model")
    assert page.curves.all[0].loss == [(1, 0.9), (2, 0.4)]
    assert page.curves.all[0].accuracy == [(1, 0.5)]
    assert "loss 0.400, validation 50.0 %" in page.now.text()
    assert page.curves.accessibleDescription().endswith("validation 50.0 %")
    page.cancel()
    wait(lambda: not page.runner.running)
    assert "Every finished epoch is kept" in page.message.words.text()
    assert not page.form.evaluate.isEnabled()


def test_shortcuts_leave_a_training_alone_while_it_runs(
    page: TrainingPage, wait: Wait, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = [
        StageStarted("student", "ghostnet", 3),
        EpochFinished("student", 1, 3, 0.9, 0.5, 10, 1),
        StageFinished("student", "well"),
    ]
    jobs = script(page, {LookAtData: [DataSeen((), (), 2)], TrainModel: training})
    page.look_at(tmp_path)
    wait(lambda: bool(jobs))
    jobs[0].go.set()
    wait(lambda: not page.runner.running)
    page.start()
    wait(lambda: "well" in page.log.toPlainText())
    other = str(tmp_path / "other")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: other)
    shortcuts = {s.key().toString(): s for s in page.findChildren(QShortcut)}
    for keys in ("Ctrl+Return", "Ctrl+O"):
        shortcuts[keys].activated.emit()
        assert "stop it first" in page.message.words.text()
    page.look_at(Path(other))  # as when a folder comes from elsewhere
    assert "well" in page.log.toPlainText()
    assert page.curves.all[0].loss == [(1, 0.9)]
    assert page.form.folder == tmp_path
    assert len(jobs) == 2


def test_a_training_that_does_not_answer_is_given_up_when_the_page_closes(
    page: TrainingPage, wait: Wait, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lungscan_gui.learning.runner.CLOSE_S", 0.1)
    monkeypatch.setattr(FakeJob, "stop", lambda _: None)
    jobs = script(page, {LookAtData: [Step("Looking", 1, 9)]})
    page.look_at(tmp_path)
    wait(lambda: page.now.text() == "Looking: 1 of 9")
    page.close()
    assert not page.runner.running
    assert jobs[0].go.is_set()  # killed
    page.show()
    assert page.form.choose.isEnabled()
    page.look_at(tmp_path)
    wait(lambda: len(jobs) == 2 and page.now.text() == "Looking: 1 of 9")
    jobs[1].go.set()
    wait(lambda: not page.runner.running)


def test_a_model_that_is_no_better_than_chance_says_so(
    page: TrainingPage, wait: Wait, tmp_path: Path
) -> None:
    made = ModelMade(tmp_path, "mine", "mine is unproven: nobody knows.")
    jobs = script(page, {LookAtData: [DataSeen((), (), 2)], TrainModel: [made], JudgeModel: []})
    page.look_at(tmp_path)
    wait(lambda: bool(jobs))
    jobs[0].go.set()
    wait(lambda: not page.runner.running)
    page.start()
    wait(lambda: "is unproven" in page.message.words.text())
    jobs[1].go.set()
    wait(page.form.take.isEnabled)
    taken: list[Path] = []
    page.model_taken.connect(taken.append)
    page.form.take.click()
    assert taken == [tmp_path]
    assert "is unproven" in page.message.words.text()


def test_research_use_is_reported_on_this_page_too(page: TrainingPage) -> None:
    texts = [label.text() for label in page.statusBar().findChildren(QLabel)]
    assert "RESEARCH USE ONLY. Not for use in diagnostic procedures." in texts


def test_a_folder_that_is_no_data_costs_a_message(
    page: TrainingPage, wait: Wait, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    page.look_at(tmp_path / "empty")
    wait(lambda: not page.runner.running)
    assert page.message.words.text()
    assert not page.form.start.isEnabled()


def test_a_training_in_its_process_stops_in_the_middle(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="training needs the extra train")
    recipe = tmp_path / "long.toml"
    recipe.write_text(TINY.replace("epochs = 2", "epochs = 5000"))
    job = LearnJob(TrainModel(data, tmp_path / "model", recipe, ('device="cpu"',)))
    events = []
    for event in job.events():
        events.append(event)
        if isinstance(event, EpochFinished) and event.epoch == 1:
            job.stop()
    assert isinstance(events[-1], Stopped)
    assert not any(isinstance(event, Failure) for event in events)
    assert list((tmp_path / "model" / "training" / "checkpoints").iterdir())  # of epoch 1
