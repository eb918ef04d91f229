"""Manners: the first start, keys, names for screen readers, messages, and no dialog in a batch."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QEvent, QMimeData, QPoint, QPointF, QRect, Qt, QTimer, QUrl
from PyQt6.QtGui import QDropEvent, QKeyEvent
from PyQt6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QFileDialog,
    QLabel,
    QWidget,
)
from pytestqt.qtbot import QtBot

from lungscan_gui import main as start
from lungscan_gui.cases import Case, CaseState
from lungscan_gui.engine import failure
from lungscan_gui.panels.queue import CaseList
from lungscan_gui.panels.result import NARROWEST_PX
from lungscan_gui.scanning.job import Failure
from lungscan_gui.scanning.machine import Machine, MachineJob, Question
from lungscan_gui.settings import Settings
from lungscan_gui.theme import apply_theme
from lungscan_gui.viewer.viewer import Viewer
from lungscan_gui.welcome import WELCOME
from lungscan_gui.window import MainWindow
from tests.drawing import draw_he, draw_slide, write_svs
from tests.gui.fixtures import Jobs
from tests.results import slide_result

Wait = Callable[[Callable[[], bool]], None]
pytestmark = pytest.mark.usefixtures("no_reader")
RESEARCH = "RESEARCH USE ONLY. Not for use in diagnostic procedures."


class FakeMachine:
    """Knows what this machine computes with."""

    asked: list[Question]

    def __init__(self, answer: Machine | Failure) -> None:
        self.asked, self._answer = [], answer

    def __call__(self, question: Question) -> FakeMachine:
        self.asked.append(question)
        return self

    def events(self) -> Iterator[Machine | Failure]:
        yield self._answer


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    path = tmp_path / "slide" / "drawn.svs"
    path.parent.mkdir()
    return write_svs(path, draw_slide(1536, 1024, tissue=[(0.1, 0.1, 0.9, 0.9)]))


@pytest.fixture
def unlike_demo(monkeypatch: pytest.MonkeyPatch, slide: Path) -> None:
    monkeypatch.setattr("lungscan_gui.engine.make_demo_slide", lambda folder: slide)


# The first start ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("unlike_demo")
def test_the_first_start_shows_the_demo_slide_and_the_device_and_no_later_one_does(
    qtbot: QtBot, window: MainWindow, wait: Wait, settings: Settings, slide: Path
) -> None:
    machine = FakeMachine(Machine("OpenVINO on a CPU", 42.0))
    window.welcome.make_job = machine
    window.welcome.greet()
    wait(lambda: window.viewer.picture is not None)
    assert window.queue.current.path == slide
    assert window.message.words.text() == WELCOME
    wait(lambda: "OpenVINO on a CPU" in window.run.machine.text())
    assert window.run.machine.isVisible()
    assert "about 42\u00a0s for a square centimetre" in window.run.machine.text()
    assert machine.asked == [Question("lung-histology", "auto", None)]
    assert settings.recent == []  # nobody opened it
    later = MainWindow(settings)
    qtbot.addWidget(later)
    later.welcome.make_job = machine
    later.welcome.greet()
    qtbot.wait(100)
    assert later.queue.model.cases == []
    assert later.run.machine.text() == window.run.machine.text()  # it is still known
    assert len(machine.asked) == 1
    later.options.boxes["device"].setCurrentText("cpu-fp32")
    assert later.run.machine.text() == ""  # of another choice nothing is known
    later.close()


def test_a_device_that_is_not_there_is_reported_without_a_dialog(
    window: MainWindow, wait: Wait
) -> None:
    window.welcome.make_job = FakeMachine(Failure("There is no CUDA device here.", "E_MACHINE"))
    window.ask_machine()
    wait(lambda: "no CUDA device" in window.message.words.text())
    assert window.run.machine.text() == ""


def test_the_machine_is_timed_in_a_process_of_its_own() -> None:
    (found,) = MachineJob(Question("lung-histology", "cpu", 1)).events()
    assert isinstance(found, Machine)
    assert found.device.startswith("OpenVINO")
    assert found.seconds_cm2 > 0
    (lost,) = MachineJob(Question("no-such-model", "cpu", 1)).events()
    assert isinstance(lost, Failure)
    assert "There is no model" in lost.message


# Keys and names ----------------------------------------------------------------------------------


def usable(window: MainWindow) -> list[QWidget]:
    kinds = (
        QAbstractButton,
        QAbstractSlider,
        QAbstractSpinBox,
        QComboBox,
        QAbstractItemView,
        Viewer,
    )
    own = [widget for widget in window.findChildren(QWidget) if isinstance(widget, kinds)]
    inside = (QAbstractSpinBox, QComboBox, QAbstractItemView)

    def part_of_another(widget: QWidget) -> bool:
        parent = widget.parentWidget()
        while parent is not None:
            if isinstance(parent, inside):
                return True
            parent = parent.parentWidget()
        return False

    bars = ("qt_scrollarea_hcontainer", "qt_scrollarea_vcontainer", "qt_menubar_ext_button")
    return [
        widget
        for widget in own
        if not part_of_another(widget)
        and widget.objectName() not in bars
        and (widget.parentWidget() is None or widget.parentWidget().objectName() not in bars)
    ]


def test_everything_usable_has_a_name_and_can_be_reached_by_keyboard(
    window: MainWindow, wait: Wait, quick: Jobs, slide: Path
) -> None:
    window.add_paths([slide])
    wait(lambda: window.viewer.picture is not None)
    window.analyse()
    wait(lambda: not window.analysis.running)
    window.compare_sides()
    window.run.fold.setChecked(True)
    widgets = usable(window)
    assert len(widgets) > 40
    for widget in widgets:
        texts = widget.accessibleName() or getattr(widget, "text", lambda: "")()
        assert any(c.isalpha() for c in texts), f"{widget} says {texts!r}"
        if isinstance(widget, QAbstractButton):
            assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus, f"{texts} cannot be reached"


def test_every_command_of_the_menus_has_a_way_by_keyboard(window: MainWindow) -> None:
    texts = [action.text() for action in window.menuBar().actions()]
    assert texts
    assert all("&" in text for text in texts)  # Alt and a letter opens each menu
    for action in window.actions_by_name.values():
        assert action.isEnabled()
        assert action.text()


@pytest.mark.usefixtures("with_reports")
def test_a_case_is_opened_analysed_looked_at_and_filed_by_keyboard_alone(
    qtbot: QtBot, window: MainWindow, wait: Wait, quick: Jobs, slide: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    control, none = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.NoModifier
    press = lambda key, modifier=none: qtbot.keyClick(window.viewer, key, modifier)  # noqa: E731
    target = tmp_path / "filed.pdf"
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(slide)], ""))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    press(Qt.Key.Key_O, control)
    wait(lambda: window.viewer.picture is not None)
    press(Qt.Key.Key_Return, control)
    wait(lambda: not window.analysis.running)
    press(Qt.Key.Key_N)
    assert window.evidence.counter.text().startswith("Evidence: looked at 1 of")
    before = window.viewer.camera
    press(Qt.Key.Key_Left)
    assert window.viewer.camera != before
    press(Qt.Key.Key_E, control)
    wait(target.exists)


def test_f1_shows_every_key(qtbot: QtBot, window: MainWindow) -> None:
    from lungscan_gui.actions import COMMANDS, MOUSE

    qtbot.keyClick(window.viewer, Qt.Key.Key_F1)
    (dialog,) = [d for d in window.findChildren(QDialog) if d.windowTitle() == "Keys"]
    text = dialog.findChild(QWidget, "page").toPlainText()
    for command in COMMANDS:
        for key in command.keys:
            assert key in text
    for what, _ in MOUSE:
        assert what in text
    assert not dialog.isModal()
    dialog.close()


# From the icon to a filed page -------------------------------------------------------------------


@pytest.mark.usefixtures("with_reports")
def test_from_the_icon_to_a_filed_page_takes_at_most_five_clicks(
    qtbot: QtBot, window: MainWindow, wait: Wait, quick: Jobs, slide: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Nothing but what a hand does: clicks on what can be seen, and one drop."""
    clicks = 1  # the icon
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(slide))])
    window.dropEvent(
        QDropEvent(
            QPointF(600, 300), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
    )  # fmt: skip
    clicks += 1
    wait(lambda: window.viewer.picture is not None)
    wait(window.run.start.isEnabled)
    assert window.run.start.isVisible()
    qtbot.mouseClick(window.run.start, Qt.MouseButton.LeftButton)
    clicks += 1
    wait(lambda: window.queue.current.state is CaseState.FINISHED)
    wait(window.result.report.isVisible)
    assert "PDF" in window.result.report.text()
    target = tmp_path / "filed.pdf"

    def save(_parent: QWidget, _title: str, name: str, _kind: str) -> tuple[str, str]:
        """The dialog has a name in it already: one click on Save."""
        assert Path(name).name == "drawn.pdf"
        return str(target), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", save)
    qtbot.mouseClick(window.result.report, Qt.MouseButton.LeftButton)
    clicks += 2  # Export, Save
    wait(target.exists)
    assert target.read_bytes().startswith(b"%PDF")
    assert clicks <= 5


# Messages ----------------------------------------------------------------------------------------


def test_an_error_can_be_copied_with_all_that_its_repair_needs(
    window: MainWindow, wait: Wait, tmp_path: Path
) -> None:
    (tmp_path / "bad.svs").write_bytes(b"II*\0 this is no slide")
    window.add_paths([tmp_path / "bad.svs"])
    wait(lambda: "bad.svs" in window.message.words.text())
    assert window.message.copy.isVisible()
    window.message.copy.click()
    copied = QApplication.clipboard().text()
    assert "bad" not in copied
    assert str(tmp_path) not in copied
    assert "E_FORMAT" in copied
    assert failure("E_FORMAT") in copied
    assert "LungScan 0" in copied
    assert f"Python {sys.version.split()[0]}" in copied


def test_a_copied_trace_bears_no_name_of_a_file(window: MainWindow, tmp_path: Path) -> None:
    slide = tmp_path / "Example, Ada 1951.svs"
    try:
        slide.open()
    except OSError:
        details = traceback.format_exc()
    window.message.say(f"{slide} cannot be read.", f"E_IO\n{details}")
    window.message.copy.click()
    copied = QApplication.clipboard().text()
    for name in ("Ada", "1951", tmp_path.name, str(Path.home()), str(Path(__file__).parent)):
        assert name not in copied
    assert "E_IO\n" in copied
    assert 'File "test_manners.py", line ' in copied
    assert "slide.open()" in copied
    assert "FileNotFoundError: (its words are left out" in copied


def test_what_nobody_expected_is_a_message_and_no_trace(
    window: MainWindow,
    wait: Wait,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from lungscan_gui.alarm import report_unexpected

    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    report_unexpected(window.alarmed.emit)
    error = ValueError("an odd thing")
    sys.excepthook(ValueError, error, None)
    assert "ValueError: an odd thing" in window.message.words.text()
    assert "Traceback" not in window.message.words.text()
    window.message.copy.click()
    assert "ValueError: an odd thing\n" in QApplication.clipboard().text()
    window.message.hide()
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    wait(lambda: "ZeroDivisionError" in window.message.words.text())
    window.message.copy.click()
    assert "Traceback" in QApplication.clipboard().text()
    assert "Traceback" not in capsys.readouterr().err


def test_the_program_itself_is_started_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """``main`` tells errors, and greets when nothing is to be opened."""
    source = Path(start.__file__).read_text(encoding="utf-8")
    assert source.index("report_unexpected(") < source.index("window.show()")
    assert "window.welcome.greet()" in source


def test_a_batch_of_twenty_with_three_broken_opens_no_dialog_and_ends_with_a_notice(
    window: MainWindow, wait: Wait, quick: Jobs, tmp_path: Path
) -> None:
    from PIL import Image

    folder = tmp_path / "fields"
    folder.mkdir()
    for number in range(17):
        Image.fromarray(draw_he(96, 96, number)).save(folder / f"field-{number:02}.png")
    for number in range(3):
        (folder / f"broken-{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    window.add_paths([folder])
    wait(lambda: len(window.queue.model.cases) == 20)
    dialogs: list[QWidget] = []

    def look() -> None:
        dialogs.extend(w for w in QApplication.topLevelWidgets() if isinstance(w, QDialog))
        if QApplication.activeModalWidget() is not None:
            dialogs.append(QApplication.activeModalWidget())

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(5)
    window.analyse_all()
    window.queue.choose(3)  # one case is looked at while the others run
    wait(lambda: not window.analysis.running)
    timer.stop()
    assert dialogs == []
    assert window.queue.view.currentIndex().row() == 3
    words = window.message.words.text()
    assert words.startswith("20 cases are done: ")
    assert "3 failed" in words
    assert str(window.queue.current.out) in words


# Always and never --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1280, 800), (900, 600)])
def test_research_use_is_always_to_be_seen(window: MainWindow, size: tuple[int, int]) -> None:
    window.resize(*size)
    QApplication.processEvents()
    (label,) = [w for w in window.statusBar().findChildren(QLabel) if w.text() == RESEARCH]
    assert label.isVisible()
    assert label.width() >= label.sizeHint().width()
    window.readout.setText("x" * 400)  # whatever else is said
    QApplication.processEvents()
    assert label.width() >= label.sizeHint().width()
    assert label.geometry().right() <= window.statusBar().width()


def test_a_copied_picture_says_it_too(window: MainWindow, wait: Wait, slide: Path) -> None:
    window.add_paths([slide])
    wait(lambda: window.viewer.picture is not None)
    window.copy_picture()
    copied = QApplication.clipboard().pixmap()
    assert copied.height() > window.viewer.height() * copied.devicePixelRatio()


def test_label_and_macro_pictures_are_never_shown(
    window: MainWindow, wait: Wait, tmp_path: Path
) -> None:
    odd = (0, 255, 40)  # a green that no tissue has
    picture = np.full((300, 400, 3), odd, np.uint8)
    path = write_svs(
        tmp_path / "labelled.svs", draw_slide(1536, 1024), label=picture, macro=picture,
        patient="DOE^JANE",
    )  # fmt: skip
    window.add_paths([path])
    wait(lambda: window.viewer.picture is not None)
    image = window.grab().toImage()
    near = 0
    for x in range(0, image.width(), 4):
        for y in range(0, image.height(), 4):
            red, green, blue, _ = image.pixelColor(x, y).getRgb()
            near += green > 200 and red < 90 and blue < 120
    assert near == 0
    texts = [w.text() for w in window.findChildren(QLabel)]
    texts += [w.toolTip() for w in window.findChildren(QWidget)]
    assert not any("DOE" in words for words in texts)


# Settings ----------------------------------------------------------------------------------------


def test_a_setting_that_goes_back_to_its_default_is_forgotten(settings: Settings) -> None:
    from lungscan_gui.settings import RESULTS

    file = settings.file
    settings.scheme = "dark"
    settings.flush()
    assert "scheme=dark" in file.read_text()
    settings.scheme = "system"
    settings.results = RESULTS
    settings.by_profile = False
    settings.keep_option("rule", "tumour-aware", "tumour-aware")
    settings.flush()
    text = file.read_text()
    for name in ("scheme", "results", "by_profile", "rule"):
        assert name not in text


def test_a_turn_of_the_system_s_colours_is_followed(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = QApplication.instance()
    monkeypatch.setattr("lungscan_gui.theme.is_dark", lambda app, scheme: scheme != "light")
    window.follow_system()
    assert app.palette().window().color().lightness() < 80
    assert window.viewer.backdrop.lightness() < 80
    window.scheme_light()
    window.follow_system()  # a choice of one's own stays
    assert app.palette().window().color().lightness() > 200


# The list ----------------------------------------------------------------------------------------


def test_cases_are_dragged_to_another_place(window: MainWindow) -> None:
    window.queue.model.add([Case(None, name) for name in "abcd"])
    names = lambda: "".join(case.name for case in window.queue.model.cases)  # noqa: E731
    window.queue.choose(0)
    window.queue.view.dragged.emit(0, 3)
    assert names() == "bcad"
    assert window.queue.current.name == "a"
    window.queue.view.dragged.emit(2, 0)
    assert names() == "abcd"
    window.queue.view.dragged.emit(1, 4)
    assert names() == "acdb"
    window.queue.view.dragged.emit(3, 3)
    assert names() == "acdb"


def test_files_can_be_added_by_the_list_s_own_button(
    window: MainWindow, wait: Wait, slide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(slide)], ""))
    window.queue.buttons["add"].click()
    wait(lambda: len(window.queue.model.cases) == 1)


def test_the_pixel_size_can_be_typed_beforehand(
    window: MainWindow, wait: Wait, quick: Jobs, tmp_path: Path
) -> None:
    path = write_svs(tmp_path / "bare.svs", draw_slide(1024, 800), mpp=None, power=None)
    window.add_paths([path])
    wait(lambda: window.viewer.picture is not None)
    window.options.mpp.setValue(0.5)
    window.analyse()
    wait(lambda: bool(quick))
    assert quick[0].options.mpp == 0.5
    wait(lambda: not window.analysis.running)


@pytest.fixture
def large_font(qapp: QApplication) -> Iterator[None]:
    """As of a person who needs large letters."""
    usual, large = qapp.font(), qapp.font()
    large.setPointSize(16)
    qapp.setFont(large)
    yield
    qapp.setFont(usual)


@pytest.mark.usefixtures("large_font")
def test_large_letters_cut_off_neither_the_probability_nor_a_case(
    qtbot: QtBot, window: MainWindow
) -> None:
    window.resize(1024, 700)
    result = slide_result()
    case = Case(None, "long-name-of-a-slide", result=result, state=CaseState.FINISHED)
    window.result.show_case(case, None)
    bar = window.result.horizontalScrollBar()
    qtbot.waitUntil(lambda: window.result.width() > NARROWEST_PX)
    qtbot.waitUntil(lambda: bar.maximum() == 0)
    window.queue.setFixedWidth(150)
    window.queue.model.add([case])
    cases = window.queue.findChild(CaseList)
    qtbot.waitUntil(lambda: cases.sizeHintForRow(0) > 2 * cases.fontMetrics().height())
    assert cases.horizontalScrollBar().maximum() == 0


def test_the_tab_key_goes_through_the_result_from_above_to_below(
    qtbot: QtBot, window: MainWindow, wait: Wait, quick: Jobs, slide: Path
) -> None:
    window.add_paths([slide])
    wait(lambda: window.viewer.picture is not None)
    window.analyse()
    wait(lambda: not window.analysis.running)
    panel, order = window.result, []
    widget = panel.nextInFocusChain()
    while widget is not panel:
        order.append(widget)
        widget = widget.nextInFocusChain()
    wanted = (*panel.classes.switches, panel.report, panel.card)
    assert [widget for widget in order if widget in wanted] == list(wanted)


def test_what_has_the_focus_by_the_tab_key_can_be_told(
    qtbot: QtBot, qapp: QApplication, window: MainWindow
) -> None:
    apply_theme(qapp, "light")
    try:
        window.run.show_state(can_start=True, running=False)
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow)
        places = (window.viewer, window.run.start, window.queue.view, window.result, window.readout)
        for widget in places:
            window.run.fold.setFocus()
            before = window.grab(QRect(widget.mapTo(window, QPoint()), widget.size())).toImage()
            widget.setFocus(Qt.FocusReason.TabFocusReason)
            assert widget.hasFocus()
            after = window.grab(QRect(widget.mapTo(window, QPoint()), widget.size())).toImage()
            assert after != before, widget
    finally:
        qapp.setStyleSheet("")


def test_the_key_of_the_report_is_not_taken_by_the_reviewer_s_name(window: MainWindow) -> None:
    panel = window.result.review
    for key, kept in ((Qt.Key.Key_E, True), (Qt.Key.Key_A, False)):
        control = Qt.KeyboardModifier.ControlModifier
        override = QKeyEvent(QEvent.Type.ShortcutOverride, key, control)
        assert panel.eventFilter(panel.reviewer, override) is kept  # so no field sees it
        assert not (kept and override.isAccepted())


def test_the_button_that_tries_again_shows_all_its_words(
    window: MainWindow, wait: Wait, quick: Jobs, tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    window.add_paths([tmp_path / "broken.png"])
    wait(lambda: window.queue.current is not None)
    window.analyse()
    wait(lambda: not window.analysis.running)
    button = window.queue.buttons["retry"]
    assert button.isVisible()
    assert button.width() >= button.sizeHint().width()


def test_a_long_name_does_not_push_the_window_beyond_the_screen(window: MainWindow) -> None:
    widths = []
    for name in ("S26-0117", "S26-0117, left upper lobe, block A2, field 12 of 40, scanned again"):
        window.viewbar.name.setText(name)
        widths.append(window.viewbar.minimumSizeHint().width())
    assert widths[0] == widths[1]
