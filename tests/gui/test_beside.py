"""Two runs of one image side by side, through the front door."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QPointF, Qt
from PyQt6.QtGui import QMouseEvent
from PyQt6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from lungscan.scanning.scan import scan
from lungscan_gui.cases import CaseState
from lungscan_gui.compare.pane import side_text
from lungscan_gui.window import MainWindow
from tests.drawing import draw_slide, write_svs
from tests.gui.fixtures import Jobs
from tests.models import FakeRuntime

Wait = Callable[[Callable[[], bool]], None]
pytestmark = pytest.mark.usefixtures("no_reader")


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slides") / "drawn.svs"
    write_svs(path, draw_slide(1536, 1024, tissue=[(0.1, 0.1, 0.9, 0.9)]))
    return path


@pytest.fixture
def analysed(window: MainWindow, wait: Wait, quick: Jobs, slide: Path) -> MainWindow:
    window.resize(1400, 800)
    window.add_paths([slide])
    wait(lambda: window.viewer.picture is not None)
    window.analyse()
    wait(lambda: not window.analysis.running)
    return window


@pytest.fixture
def other(tmp_path: Path, model: Path) -> str:
    """The same network under another name."""
    folder = tmp_path / "other-model"
    shutil.copytree(model, folder)
    return str(folder)


def turn(fake: FakeRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the network names the last class where it named the first."""
    predict = fake.predict

    def turned(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        probs, novelty = predict(rgb)
        return np.ascontiguousarray(probs[:, ::-1]), novelty

    monkeypatch.setattr(fake, "predict", turned)


def test_another_model_looks_at_the_same_image_and_changed_tiles_are_marked(
    qtbot: QtBot, analysed: MainWindow, wait: Wait, fake: FakeRuntime, other: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    window = analysed
    first = window.queue.current
    qtbot.keyClick(window.viewer, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    assert window.beside.open
    assert "another model" in window.compare.message.text()
    turn(fake, monkeypatch)
    window.compare.models.addItem(other)
    window.compare.models.setCurrentText(other)
    window.compare.start.click()
    assert window.message.words.text() == ""
    second = window.beside.second
    assert second.state in (CaseState.QUEUED, CaseState.RUNNING)
    wait(lambda: not window.analysis.running)
    assert len(window.queue.model.cases) == 1
    assert first.result is not None
    assert second.out != first.out  # two models, two folders
    ours, theirs = first.result.scores[0], second.result.scores[0]
    used = [a.value == b.value == "used" for a, b in zip(ours.state, theirs.state, strict=True)]
    turns = used & (ours.probs.argmax(1) != theirs.probs.argmax(1))
    assert turns.any()
    assert len(window.beside.changes.boxes) == int(turns.sum())
    for marks in window.beside.marks:
        assert {tuple(b) for b in marks.boxes} == {tuple(b) for b in ours.boxes[turns]}
    assert window.compare.head.text().startswith("B: ")
    assert f"{int(turns.sum()):,} of " in window.compare.message.text()
    assert window.beside.marks[0] in window.viewer.layers
    assert window.beside.marks[1] in window.compare.viewer.layers


def test_both_images_move_together_and_the_mouse_is_seen_in_both(
    qtbot: QtBot, analysed: MainWindow
) -> None:
    window = analysed
    window.compare_sides()
    QApplication.processEvents()  # the images take their new sizes
    left, right = window.viewer, window.compare.viewer
    assert right.picture is left.picture  # read once
    left.magnify(20)
    left.go_to(700, 300)
    assert right.camera.centre == left.camera.centre == (700, 300)
    assert right.camera.zoom == left.camera.zoom
    right.zoom_by(0.5)
    right.look(right.camera.panned(-40, 10))
    assert left.camera.centre == right.camera.centre
    assert left.camera.zoom == right.camera.zoom
    where = QPointF(30, 40)
    right.mouseMoveEvent(
        QMouseEvent(
            QMouseEvent.Type.MouseMove,
            where,
            Qt.MouseButton.NoButton,
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
        )
    )
    assert window.beside.crosses[0].at == right.camera.to_image(30, 40)
    window.compare_sides()
    assert not window.beside.open
    assert left.picture is not None
    assert window.beside.marks[0] not in left.layers
    before = right.camera
    left.fit()
    assert right.camera == before


def test_two_viewers_of_one_picture_both_become_sharp(analysed: MainWindow, wait: Wait) -> None:
    window = analysed
    window.compare_sides()
    QApplication.processEvents()  # the images take their new sizes
    window.viewer.magnify(40)
    window.viewer.go_to(200, 200)
    sharp = lambda v: v.picture.is_sharp(v.camera, v.devicePixelRatioF())  # noqa: E731
    wait(lambda: sharp(window.viewer) and sharp(window.compare.viewer))
    picture = window.viewer.picture
    assert set(picture.wishes) == {window.viewer, window.compare.viewer}
    window.compare_sides()
    assert window.compare.viewer not in picture.wishes


def test_a_run_of_the_command_line_is_shown_beside(
    qtbot: QtBot, analysed: MainWindow, wait: Wait, quick: Jobs, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    window, out = analysed, tmp_path / "command-line"
    list(scan(replace(quick[0].options, out=out, rule="mean", overlap=0.5)))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(out))
    window.compare_run()
    wait(lambda: window.beside.second is not None)
    assert len(quick) == 1  # nothing is computed
    assert window.beside.open
    assert window.beside.changes.compared > 0
    assert "tiles changed" in window.compare.message.text()
    ours, theirs = window.queue.current.result, window.beside.second.result
    assert side_text("A", ours, theirs).endswith("(rule tumour-aware, overlap 0, tiny 1.0)")
    assert window.compare.head.text() == side_text("B", theirs, ours)
    assert window.compare.head.text().endswith("(rule mean, overlap 0.5, tiny 1.0)")
    window.readout.point(700, 500)
    assert "A: " in window.readout.text()
    assert "B: " in window.readout.text()


def test_a_run_of_another_image_is_refused(
    analysed: MainWindow, wait: Wait, quick: Jobs, tmp_path: Path
) -> None:
    window, out = analysed, tmp_path / "other"
    write_svs(tmp_path / "x.svs", draw_slide(900, 800))
    list(scan(replace(quick[0].options, paths=(tmp_path / "x.svs",), out=out)))
    window.compare_sides()
    window.beside.compare_run(out)
    wait(lambda: "no answer to this image" in window.message.words.text())
    window.beside.compare_run(tmp_path)
    wait(lambda: "no cases" in window.message.words.text())
    assert window.beside.second is None


def test_changed_tiles_are_stepped_through_by_keyboard(
    qtbot: QtBot, analysed: MainWindow, wait: Wait, fake: FakeRuntime, other: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    window = analysed
    turn(fake, monkeypatch)
    window.compare_sides()
    window.beside.compare_model(other)
    wait(lambda: not window.analysis.running)
    boxes = window.beside.changes.boxes
    assert len(boxes) > 1
    qtbot.keyClick(window.viewer, Qt.Key.Key_J)
    x, y, width, height = boxes[0].tolist()
    assert window.viewer.camera.centre == pytest.approx((x + width / 2, y + height / 2))
    assert window.compare.viewer.camera.centre == window.viewer.camera.centre
    assert window.compare.message.text().startswith(f"Changed tile 1 of {len(boxes)}")
    qtbot.keyClick(window.viewer, Qt.Key.Key_K)
    assert window.compare.message.text().startswith(f"Changed tile {len(boxes)} of {len(boxes)}")


def test_without_a_case_it_says_what_to_do(window: MainWindow) -> None:
    window.compare_sides()
    assert not window.beside.open
    assert "Open a slide" in window.message.words.text()
