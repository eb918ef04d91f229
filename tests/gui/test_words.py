"""What the engine says is said at the window without flags and commands of a shell."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PyQt6.QtCore import QEvent, QLocale
from PyQt6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from lungscan.classification import decide
from lungscan.errors import Code, ModelError
from lungscan.model.checked import find_model
from lungscan.reading.scale import _CURE as NO_SCALE
from lungscan.report import wording
from lungscan.report.write import moved
from lungscan.results.atomic_files import _GO_ON
from lungscan.types import NoResult
from lungscan_gui import actions, engine, handed_over
from lungscan_gui.learning.adapting_page import AdaptingPage
from lungscan_gui.learning.training_page import TrainingPage
from lungscan_gui.panels.answer import AnswerBox
from lungscan_gui.panels.options import ScaleQuestion
from lungscan_gui.panels.pixel_size import PixelSize
from lungscan_gui.settings import Settings
from lungscan_gui.viewer.viewer import Viewer
from lungscan_gui.window import MainWindow
from lungscan_gui.words import at_the_window
from tests.results import slide_result

SHELL = re.compile(r"(?<![\w-])--[a-z]|lungscan [a-z]+\)|the same command")


@pytest.mark.parametrize("code", list(Code), ids=str)
def test_no_cure_of_a_failed_case_is_typed_into_a_shell(code: Code) -> None:
    words = at_the_window(wording.failure(code))
    assert not SHELL.search(words), words


@pytest.mark.parametrize(
    "words",
    [decide._DOUBT, decide._SHIPPED[1], NO_SCALE, _GO_ON, *wording._FLAGS.values(),],
)  # fmt: skip
def test_no_reason_or_error_is_either(words: str) -> None:
    assert not SHELL.search(at_the_window(words)), at_the_window(words)


def test_a_model_that_is_not_there_sends_nobody_to_a_shell() -> None:
    with pytest.raises(ModelError) as caught:
        find_model("nowhere")
    assert "`" not in at_the_window(str(caught.value))


def test_a_report_that_was_open_elsewhere_is_made_anew_by_what_the_window_has(
    tmp_path: Path,
) -> None:
    report = tmp_path / "cases" / "a" / "report.pdf"
    (words,) = moved({report: report.with_name("report (1).pdf")}, tmp_path)
    assert at_the_window(words).endswith("Close the old one and analyse again.")


@pytest.mark.parametrize("reason", [NoResult.OTHER_STAIN, NoResult.NOT_LUNG], ids=str)
def test_tissue_that_may_be_one_s_own_lung_offers_to_adapt(qtbot: QtBot, reason: NoResult) -> None:
    result = slide_result()
    refused = engine.replace(result.prediction, label=None, reason=reason)
    box = AnswerBox()
    qtbot.addWidget(box)
    box.show_result(engine.replace(result, prediction=refused))
    assert not box.adapt.isHidden()
    with qtbot.waitSignal(box.adapt_asked):
        box.adapt.click()
    box.show_result(result)
    assert box.adapt.isHidden()


def test_what_is_no_chest_ct_offers_no_adapting(qtbot: QtBot) -> None:
    result = slide_result()
    refused = engine.replace(result.prediction, label=None, reason=NoResult.NOT_CHEST_CT)
    ct = engine.replace(result.model, modality="chest-ct")
    box = AnswerBox()
    qtbot.addWidget(box)
    box.show_result(engine.replace(result, prediction=refused, model=ct))
    assert box.adapt.isHidden()


def test_another_stain_names_the_window_s_own_way_to_adapt(qtbot: QtBot) -> None:
    result = slide_result()
    text = f"Nearly all is of another stain; {decide._SHIPPED[1]}."
    refused = engine.replace(
        result, prediction=engine.replace(result.prediction, label=None, reason_text=text)
    )
    box = AnswerBox()
    box.show_result(refused)
    assert "Case > Adapt a model to your own slides" in box.why.text()


def test_on_macos_every_key_is_called_as_it_is_there(
    qtbot: QtBot, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Qt takes Cmd for Ctrl, so whoever presses Ctrl+O on a Mac gets nothing."""
    monkeypatch.setattr("lungscan_gui.words.sys", SimpleNamespace(platform="darwin"))
    told = [actions.keys_html()]
    pages = (TrainingPage(settings), AdaptingPage(settings, ("lung-histology",)))
    for window in (MainWindow(settings), *pages):
        qtbot.addWidget(window)
        told += [part.toolTip() for part in window.findChildren(QWidget)]
        told += [part.message for part in window.findChildren(Viewer)]
        window.close()
    assert not [words for words in told if "Ctrl" in words or "Alt+" in words]
    assert any("Cmd+O" in words for words in told)


def test_the_only_key_of_a_mac_that_is_called_delete_removes_a_case(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = importlib.util.find_spec("lungscan_gui.actions")
    assert spec is not None
    assert spec.loader is not None
    there = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, there)
    monkeypatch.setattr(sys, "platform", "darwin")
    spec.loader.exec_module(there)
    keys = {command.name: command.keys for command in there.COMMANDS}
    assert keys["remove_case"] == ("Del", "Backspace")


def test_what_finder_asks_to_open_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    class Asked(QEvent):  # Qt's own cannot be made by hand
        def __init__(self, file: str) -> None:
            super().__init__(QEvent.Type.FileOpen)
            self.file = lambda: file

    monkeypatch.setattr(handed_over, "QFileOpenEvent", Asked)
    taken: list[Path] = []
    app = SimpleNamespace(take=taken.extend)
    assert handed_over.Application.event(app, Asked("/slides/a.svs"))  # type: ignore[arg-type]
    assert taken == [Path("/slides/a.svs")]
    assert handed_over.file_of(Asked("")) is None  # an address
    assert handed_over.file_of(QEvent(QEvent.Type.KeyPress)) is None


@pytest.mark.parametrize("system", ["de_DE", "de_CH", "en_US"])
@pytest.mark.parametrize("typed", ["0.25", "0,25"])
def test_a_pixel_s_size_is_what_was_typed_with_a_comma_or_a_point(
    qtbot: QtBot, system: str, typed: str
) -> None:
    """Qt took the one that the system does not use for nothing: 2 µm, eight times the size."""
    before = QLocale()
    QLocale.setDefault(QLocale(system))
    try:
        question, alone = ScaleQuestion(), PixelSize()
        for widget, box in ((alone, alone), (question, question.value)):
            qtbot.addWidget(widget)
            box.selectAll()
            qtbot.keyClicks(box, typed)
            box.interpretText()
            assert box.value() == 0.25
            assert box.text().startswith("0.25")
    finally:
        QLocale.setDefault(before)
