"""The page that adapts a model: what it asks for and shows; once with a real adaptation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PyQt6.QtWidgets import QFileDialog, QLabel
from pytestqt.qtbot import QtBot

from lungscan.model.checked import read_card
from lungscan_gui.learning.adapting_page import AdaptingPage
from lungscan_gui.learning.tasks import AdaptModel, Finding, ModelMade, Step, Table
from lungscan_gui.scanning.job import Failure
from lungscan_gui.settings import Settings
from lungscan_gui.window import MainWindow
from tests.adapting import restain, train_lab
from tests.gui.learning import script, tables_of
from tests.training_data import draw_data

Wait = Callable[[Callable[[], bool]], None]
GAIN = Table("What it gained", ("", "Before", "Adapted"), (("Answered", "5.0 %", "73.0 %"),))


@pytest.fixture
def page(qtbot: QtBot, settings: Settings) -> Iterator[AdaptingPage]:
    made = AdaptingPage(settings, ("lung-histology", "/models/mine"))
    qtbot.addWidget(made)
    made.show()
    yield made
    made.close()


def choose(page: AdaptingPage, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    page.form.choose.click()


def sentences(page: AdaptingPage) -> str:
    return " ".join(label.text() for label in page.findChildren(QLabel) if not label.isHidden())


def test_fields_of_another_stain_are_adapted_to_and_the_model_is_taken(
    qtbot: QtBot,
    window: MainWindow,
    wait: Wait,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("torch", reason="the model to adapt is trained here")
    draw_data(tmp_path / "lab", groups=12, clear=True)
    source = train_lab(tmp_path / "lab", tmp_path / "source")
    fields = restain(tmp_path / "lab", tmp_path / "own", keep_labels=False)
    window.learning.take(source.folder)
    window.open_adapting()
    page = window.learning.adapting
    page.form.model.setCurrentText("source")
    choose(page, fields, monkeypatch)
    page.form.mpp.setValue(2.0)
    page.form.start.click()
    assert page.runner.running
    wait(lambda: not page.runner.running)
    assert page.made is not None, page.message.words.text()
    made = read_card(tmp_path / "own-model")
    assert made.adaptation["source_sha256"] == source.sha256
    assert made.adaptation["command"] == "lungscan adapt source own --out own-model --mpp 2"
    ((what, before, after),) = tables_of(page)["What it gained"]
    assert what == "Your fields, answered"
    assert float(after.split()[0]) >= float(before.split()[0])
    assert "How often it is right on your tissue is not known" in sentences(page)
    assert "25 fields" in page.log.toPlainText()
    page.form.take.click()
    assert window.options.boxes["model"].currentText() == str(tmp_path / "own-model")
    assert "need their pixel size among the options, too: 2 µm." in page.message.words.text()


def test_what_is_asked_for_and_told_is_shown(
    page: AdaptingPage, wait: Wait, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = "Give it nothing but lung."
    made = ModelMade(tmp_path / "m", "m", "m is unproven: nobody knows.", (GAIN,), (note,))
    jobs = script(
        page, {AdaptModel: [Step("Reading your fields", 0, 0), Finding("40 fields"), made]}
    )
    assert not page.form.start.isEnabled()
    assert "nothing but lung" in sentences(page)
    choose(page, tmp_path, monkeypatch)
    page.form.model.setCurrentText("mine")
    page.start()
    wait(lambda: "unproven" in page.message.words.text())
    task = jobs[0].task
    assert task == AdaptModel(
        "/models/mine", tmp_path, tmp_path.with_name(f"{tmp_path.name}-model")
    )
    assert page.log.toPlainText().startswith("40 fields")
    assert tables_of(page)["What it gained"] == [["Answered", "5.0 %", "73.0 %"]]
    wait(lambda: note in sentences(page))  # a layout shows its widgets at the next event
    page.choose_folder()  # as by its key, while it runs
    assert "stop it first" in page.message.words.text()
    jobs[0].go.set()
    wait(page.form.take.isEnabled)


def test_reviews_and_a_pixel_size_are_asked_for_and_a_stop_wrote_nothing(
    page: AdaptingPage, wait: Wait, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = script(page, {})
    choose(page, tmp_path, monkeypatch)
    page.form.pick.click()
    page.form.where.click()
    page.form.mpp.setValue(0.5)
    page.start()
    wait(lambda: bool(jobs))
    assert jobs[0].task == AdaptModel("lung-histology", tmp_path, tmp_path, 0.5, tmp_path)
    page.cancel()
    wait(lambda: not page.runner.running)
    assert page.message.words.text() == "Stopped; nothing was written."
    assert not page.form.take.isEnabled()


def test_what_cannot_be_adapted_is_a_sentence_without_flags(
    page: AdaptingPage, wait: Wait, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "The tissue resembles organs: another organ, or a wrong scale (--mpp)."
    jobs = script(page, {AdaptModel: [Failure(words, "E_USAGE")]})
    choose(page, tmp_path, monkeypatch)
    page.start()
    wait(lambda: "organ" in page.message.words.text())
    assert page.message.words.text().endswith("another organ, or a wrong scale.")
    jobs[0].go.set()
    wait(lambda: not page.runner.running)
    assert not page.form.take.isEnabled()


def test_an_empty_folder_is_refused_by_the_engine(
    page: AdaptingPage, wait: Wait, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fields").mkdir()
    choose(page, tmp_path / "fields", monkeypatch)
    page.start()
    wait(lambda: not page.runner.running)
    assert "No slide or field image was found" in page.message.words.text()
    assert not (tmp_path / "fields-model").exists()


def test_only_models_of_slides_are_offered(window: MainWindow) -> None:
    window.open_adapting()
    box = window.learning.adapting.form.model
    names = [box.itemText(row) for row in range(box.count())]
    assert names[0] == "lung-histology"
    assert "lung-ct" not in names
