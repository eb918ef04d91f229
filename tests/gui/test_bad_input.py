"""What goes wrong outside costs a message, and everything else goes on."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from lungscan.errors import UnreadableFile
from lungscan.scanning.scan import scan
from lungscan_gui.cases import CaseState
from lungscan_gui.finding import leads_below
from lungscan_gui.settings import Settings
from lungscan_gui.window import MainWindow
from tests.drawing import draw_slide, write_svs
from tests.gui.fixtures import Jobs, LocalImage, LocalJob

Wait = Callable[[Callable[[], bool]], None]
pytestmark = pytest.mark.usefixtures("no_reader")


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    folder = tmp_path / "slides"
    folder.mkdir()
    return write_svs(folder / "drawn.svs", draw_slide(1536, 1024, tissue=[(0.1, 0.1, 0.9, 0.9)]))


def opened(window: MainWindow, wait: Wait, path: Path) -> None:
    window.add_paths([path])
    wait(lambda: window.viewer.picture is not None)


def goes_on(window: MainWindow, wait: Wait, tmp_path: Path) -> None:
    """Another image opens and is analysed."""
    other = write_svs(tmp_path / "other.svs", draw_slide(1200, 900, tissue=[(0.1, 0.1, 0.9, 0.9)]))
    window.add_paths([other])
    wait(lambda: window.viewer.picture is not None and window.viewer.picture.size == (1200, 900))
    window.analyse()
    wait(lambda: not window.analysis.running)
    assert window.queue.current.result.prediction is not None


def test_an_empty_file_is_shown_as_what_it_is(
    window: MainWindow, wait: Wait, tmp_path: Path
) -> None:
    (tmp_path / "empty.png").touch()
    window.add_paths([tmp_path / "empty.png"])
    wait(lambda: "empty.png is empty; copy it again" in window.message.words.text())


def test_a_file_that_vanishes_while_it_is_open(
    window: MainWindow, wait: Wait, quick: Jobs, slide: Path, tmp_path: Path
) -> None:
    opened(window, wait, slide)
    slide.unlink()
    window.viewer.magnify(20)  # what is read is seen
    window.analyse()
    wait(lambda: not window.analysis.running)
    case = window.queue.current
    words = f"{window.message.words.text()} {case.line} {window.result.answer.why.text()}"
    assert "drawn" in words
    assert case.failed
    goes_on(window, wait, tmp_path)


def test_a_drive_that_goes_away_and_comes_back(
    qtbot: QtBot, window: MainWindow, wait: Wait, quick: Jobs, slide: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    opened(window, wait, slide)
    away = UnreadableFile("The drive of drawn.svs does not answer. Connect it again.", code="E_IO")
    read = LocalImage.read

    def gone(self: LocalImage, boxes: object) -> object:
        raise away

    monkeypatch.setattr(LocalImage, "read", gone)
    window.viewer.magnify(40)
    wait(lambda: "does not answer" in window.message.words.text())
    assert "F5" in window.message.words.text()  # what to do
    monkeypatch.setattr(LocalImage, "read", read)
    before = window.viewer.picture
    qtbot.keyClick(window.viewer, Qt.Key.Key_F5)
    wait(lambda: window.viewer.picture not in (None, before))
    window.viewer.magnify(40)
    wait(lambda: window.viewer.picture.is_sharp(window.viewer.camera, 1.0))
    goes_on(window, wait, tmp_path)


def test_a_full_disk_when_a_report_is_exported(
    window: MainWindow, wait: Wait, quick: Jobs, slide: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    opened(window, wait, slide)
    window.analyse()
    wait(lambda: not window.analysis.running)
    target = tmp_path / "full" / "filed.pdf"
    target.parent.mkdir()
    replaced = os.replace

    def full(source: object, to: object) -> None:
        if Path(str(to)).parent == target.parent:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replaced(source, to)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "replace", full)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    window.export_report()
    wait(lambda: "disk is full" in window.message.words.text())
    assert window.message.copy.isVisible()
    assert not target.exists()
    assert list(target.parent.iterdir()) == []  # nothing half-written stays
    monkeypatch.undo()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    window.export_report()
    wait(target.exists)


def test_a_damaged_folder_of_results(
    window: MainWindow, wait: Wait, quick: Jobs, slide: Path, tmp_path: Path
) -> None:
    shutil.copyfile(slide, slide.with_name("second.svs"))
    opened(window, wait, slide.parent)
    window.analyse_all()
    wait(lambda: not window.analysis.running)
    out = window.queue.current.out
    first, second = sorted((out / "cases").glob("*/case.json"))
    first.write_bytes(first.read_bytes()[:200])
    (out / "run.json").write_text("no json")
    (out / "cases" / "stray").write_bytes(b"\0")
    count = len(window.queue.model.cases)
    window.queue.choose(0)
    window.remove_case()
    window.queue.choose(0)
    window.remove_case()
    assert len(window.queue.model.cases) == count - 2
    window.add_paths([out])
    wait(lambda: len(window.queue.model.cases) == 1)
    assert first.parent.name in window.message.words.text()
    assert window.queue.current.result.key == second.parent.name
    second.write_text(json.dumps({"schema_version": 99}))
    window.remove_case()
    window.add_paths([out])
    wait(lambda: second.parent.name in window.message.words.text())
    assert window.queue.model.cases == []
    goes_on(window, wait, tmp_path)


def test_a_model_that_is_removed_while_in_use(
    window: MainWindow, wait: Wait, quick: Jobs, slide: Path, tmp_path: Path, model: Path
) -> None:
    own = tmp_path / "own-model"
    shutil.copytree(model, own)
    window.settings.take_model(own)
    box = window.options.boxes["model"]
    box.addItem(str(own))
    box.setCurrentText(str(own))
    opened(window, wait, slide)
    window.analyse()
    wait(lambda: bool(quick))
    quick[0].let_on.clear()
    shutil.rmtree(own)
    quick[0].let_on.set()
    wait(lambda: not window.analysis.running)
    assert window.queue.current.state in (CaseState.FINISHED, CaseState.STOPPED)
    window.message.hide()
    window.options.overlap.setValue(0.5)
    window.analyse()
    wait(lambda: not window.analysis.running)
    assert "There is no model" in window.message.words.text()
    window.show_card()
    assert "There is no model" in window.message.words.text()
    assert window.settings.own_models == ()  # the next start does not offer it
    box.setCurrentText(str(model))
    goes_on(window, wait, tmp_path)


def test_two_windows_on_one_folder(
    qtbot: QtBot, window: MainWindow, wait: Wait, quick: Jobs, slide: Path, settings: Settings,
    tmp_path: Path,
) -> None:  # fmt: skip
    other = MainWindow(settings)
    qtbot.addWidget(other)
    other.show()
    made: list[LocalJob] = []

    def make(options: object) -> LocalJob:
        made.append(LocalJob(replace(options, isolate=False, pdf="none")))  # type: ignore[type-var]
        return made[-1]

    other.analysis.runner.make_job = make
    box = window.options.boxes["model"]
    other.options.boxes["model"].addItem(box.currentText())
    other.options.boxes["model"].setCurrentText(box.currentText())
    opened(window, wait, slide)
    opened(other, wait, slide)
    window.options.overlap.setValue(0.5)
    other.options.overlap.setValue(0.5)
    window.analyse()
    wait(lambda: bool(quick))
    quick[0].let_on.clear()
    wait(lambda: window.queue.current.done > 0)
    other.analyse()
    wait(lambda: not other.analysis.running)
    assert "Another run is writing to" in other.message.words.text()
    assert other.queue.current.state is CaseState.STOPPED
    quick[0].let_on.set()
    wait(lambda: not window.analysis.running)
    assert window.queue.current.state is CaseState.FINISHED
    other.analyse()  # now it is free; what is finished there is taken over
    wait(lambda: not other.analysis.running)
    assert other.queue.current.state is CaseState.FINISHED
    other.close()


def test_a_folder_of_results_that_cannot_be_written(
    window: MainWindow, wait: Wait, quick: Jobs, slide: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_bytes(b"a file where a folder should be")
    window.settings.results = tmp_path / "taken"
    opened(window, wait, slide)
    window.analyse()
    wait(lambda: not window.analysis.running)
    assert "taken" in window.message.words.text()
    assert window.queue.current.state is CaseState.STOPPED
    window.settings.results = tmp_path / "free"
    goes_on(window, wait, tmp_path)


def test_a_slide_that_opens_slowly_never_holds_up_the_window(
    window: MainWindow, wait: Wait, slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, first = threading.Event(), LocalImage.__init__

    def slow(self: LocalImage, path: Path, *args: object) -> None:
        if path == slide:
            go.wait(30)
        first(self, path, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(LocalImage, "__init__", slow)
    window.add_paths([slide])
    wait(lambda: window.queue.current is not None)
    other = write_svs(tmp_path / "other.svs", draw_slide(1200, 900))
    opened(window, wait, other)
    assert window.viewer.picture.size == (1200, 900)
    go.set()
    window.queue.choose(0)
    wait(lambda: window.viewer.picture is not None and window.viewer.picture.size == (1536, 1024))


def test_a_run_of_the_command_line_without_its_image_is_shown_by_its_overview(
    window: MainWindow, wait: Wait, quick: Jobs, slide: Path, tmp_path: Path, model: Path,
    fake: object,
) -> None:  # fmt: skip
    from lungscan.options import ScanOptions

    out = tmp_path / "results-of-the-shell"
    list(scan(ScanOptions((slide,), out, model=str(model), isolate=False, pdf="none")))
    slide.unlink()
    window.add_paths([out])
    wait(lambda: window.viewer.picture is not None)
    assert window.viewer.picture.profile == ""
    assert "was not found" in window.message.words.text()
    window.compare_sides()
    window.beside.compare_model("lung-histology")
    assert "image itself was not found" in window.message.words.text()


@pytest.mark.parametrize(
    ("name", "below"),
    [
        (PurePosixPath("in/a.svs"), True),
        (PurePosixPath("/etc/passwd"), False),
        (PurePosixPath("in/../../a.svs"), False),
        (PureWindowsPath("in/a.svs"), True),
        (PureWindowsPath("/Windows/win.ini"), False),
        (PureWindowsPath("C:win.ini"), False),
        (PureWindowsPath("//server/share/a.svs"), False),
    ],
    ids=str,
)
def test_a_result_names_no_image_outside_of_its_folder(name: PurePath, below: bool) -> None:
    assert leads_below(name) is below
