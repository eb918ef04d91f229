"""Which model answers: the window names it, says what each is, and offers one that fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFileDialog, QPushButton

pytest.importorskip("pydicom", reason="CT series need the extra dicom")

import lungscan
from lungscan_gui.cases import CaseState
from lungscan_gui.engine import shipped_names
from lungscan_gui.fitting import card_if_readable, unfit
from lungscan_gui.settings import Settings
from lungscan_gui.window import MainWindow
from tests.ct_slices import write_series
from tests.drawing import draw_slide, write_svs
from tests.gui.fixtures import Jobs
from tests.models import CARD, tiny_model

Wait = Callable[[Callable[[], bool]], None]
pytestmark = pytest.mark.usefixtures("no_reader")


@pytest.fixture
def ct_model(tmp_path: Path) -> Path:
    """A model of one's own for chest CT."""
    card = replace(CARD, name="own-ct", modality="chest-ct", window=(-500.0, 1500.0),
                   spacing_um_px=1800.0)  # fmt: skip
    return tiny_model(tmp_path / "own-ct", card).folder


@pytest.fixture
def settings(settings: Settings, ct_model: Path) -> Settings:
    settings.take_model(ct_model)
    return settings


@pytest.fixture
def series(tmp_path: Path) -> Path:
    write_series(tmp_path / "series", 4, 2.5)
    return tmp_path / "series"


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    return write_svs(tmp_path / "slide.svs", draw_slide(1536, 1200))


def opened(window: MainWindow, wait: Wait, path: Path) -> None:
    window.add_paths([path])
    wait(lambda: window.viewer.picture is not None)


def offered(window: MainWindow) -> list[QPushButton]:
    box = window.result.other_model
    return box.buttons if box.isVisible() else []


def test_a_series_is_offered_the_models_of_ct_before_any_run_fails(
    window: MainWindow, wait: Wait, series: Path, quick: Jobs, ct_model: Path
) -> None:
    opened(window, wait, series)
    words = window.result.other_model.words.text()
    assert words.startswith("series is a DICOM series, and tiny judges H&E-stained tissue")
    names = [button.text() for button in offered(window)]
    assert names == ["Analyse with lung-ct", "Analyse with own-ct"]
    window.analyse()
    assert not window.analysis.running
    assert "series is a DICOM series" in window.message.words.text()
    assert "--" not in window.message.words.text()
    window.analyse_all()
    assert not window.analysis.running
    assert "they wait" in window.message.words.text()
    offered(window)[1].click()
    wait(lambda: window.display.case.result is not None and not window.analysis.running)
    assert window.display.case.result.model.name == "own-ct"
    assert window.options.boxes["model"].currentText() == str(ct_model)
    assert not offered(window)


def test_a_slide_is_offered_the_models_of_tissue(
    window: MainWindow, wait: Wait, slide: Path, quick: Jobs, ct_model: Path
) -> None:
    window.options.boxes["model"].setCurrentText(str(ct_model))
    opened(window, wait, slide)
    assert "is a slide, and own-ct judges axial slices" in window.result.other_model.words.text()
    assert offered(window)[0].text() == "Analyse with lung-histology"
    assert not any("ct" in button.text() for button in offered(window))
    window.options.boxes["model"].setCurrentText("lung-histology")
    assert not offered(window)


def test_a_picture_in_which_a_model_finds_nothing_of_its_kind_may_be_of_another(
    window: MainWindow, wait: Wait, quick: Jobs, ct_model: Path, tmp_path: Path
) -> None:
    from PIL import Image

    Image.new("L", (256, 256), 20).save(tmp_path / "dark.png")
    opened(window, wait, tmp_path / "dark.png")
    assert not offered(window)  # a picture does not say what it is
    window.analyse()
    wait(lambda: window.display.case.state is CaseState.FINISHED)
    assert window.display.case.result.prediction.label is None
    assert "Is this something else than H&E-stained" in window.result.other_model.words.text()
    assert [button.text() for button in offered(window)][-1] == "Analyse with own-ct"


def test_an_answer_names_its_model_beside_it(
    window: MainWindow, wait: Wait, slide: Path, quick: Jobs
) -> None:
    opened(window, wait, slide)
    window.analyse()
    wait(lambda: window.display.case.result is not None and not window.analysis.running)
    box, model = window.result.answer, window.display.case.result.model
    assert box.model.isVisible()
    assert box.model.text() == f"{model.name} {model.version}"
    assert model.name in box.accessibleName()


def test_the_default_and_its_kin_come_first_and_each_says_what_it_is(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("lung-ct", "lung-histology-fast", "lung-histology", "another"):
        (tmp_path / "shipped" / name).mkdir(parents=True)
        (tmp_path / "shipped" / name / "card.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr("lungscan_models.shipped_models", lambda: tmp_path / "shipped")
    assert shipped_names() == ("lung-histology", "lung-histology-fast", "another", "lung-ct")
    monkeypatch.undo()
    assert tuple(card.name for card in lungscan.models()) == shipped_names()
    window.run.fold.setChecked(True)
    box = window.options.boxes["model"]
    for row, name in enumerate(window.options.models):
        box.setCurrentText(name)
        summary = card_if_readable(name).summary
        assert window.options.summary.text() == summary
        assert box.itemData(row, Qt.ItemDataRole.ToolTipRole) == summary


def test_nothing_is_said_where_a_model_cannot_be_read(
    window: MainWindow, wait: Wait, series: Path, tmp_path: Path
) -> None:
    opened(window, wait, series)
    assert unfit(window.display.case, str(tmp_path / "gone"), ()) is None
    none_left = unfit(window.display.case, "lung-histology", ())
    assert none_left.words.endswith("No model here judges it.")


def test_a_model_s_folder_is_taken_into_the_options(
    window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapted = tiny_model(tmp_path / "adapted", replace(CARD, name="own-stain")).folder
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    window.use_model()  # holds no model
    assert "card.json" in window.message.words.text()
    assert str(tmp_path) not in window.options.models
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(adapted))
    window.use_model()
    assert window.options.boxes["model"].currentText() == str(adapted)
    assert str(adapted) in window.settings.own_models
    assert window.message.words.text().startswith("own-stain ")
