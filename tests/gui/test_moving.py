"""Mouse, touchpad and keys move the view as people expect; a dense screen gets finer tiles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt6.QtCore import QEvent, QPoint, QPointF, Qt
from PyQt6.QtGui import QMouseEvent, QNativeGestureEvent, QPixmap, QPointingDevice, QWheelEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from lungscan_gui.viewer.viewer import Viewer
from lungscan_gui.window import MainWindow
from tests.drawing import draw_slide, write_svs

Wait = Callable[[Callable[[], bool]], None]
pytestmark = pytest.mark.usefixtures("no_reader")
AT = QPointF(120, 150)


@pytest.fixture
def viewer(window: MainWindow, wait: Wait, tmp_path: Path) -> Viewer:
    """An image, seen at 20x."""
    path = tmp_path / "drawn.svs"
    write_svs(path, draw_slide(1536, 1024, tissue=[(0.1, 0.1, 0.9, 0.9)]))
    window.add_paths([path])
    wait(lambda: window.viewer.picture is not None)
    window.viewer.magnify(20)
    return window.viewer


def test_two_fingers_pan_and_a_pinch_zooms_at_the_cursor(viewer: Viewer) -> None:
    before = viewer.camera
    fingers = QWheelEvent(
        AT, QPointF(viewer.mapToGlobal(AT)), QPoint(30, -12), QPoint(60, -24),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.ScrollUpdate, False,
    )  # fmt: skip
    QApplication.sendEvent(viewer, fingers)
    assert viewer.camera.zoom == before.zoom
    assert viewer.camera == before.panned(30, -12)
    before = viewer.camera
    under = before.to_image(AT.x(), AT.y())
    pinch = QNativeGestureEvent(
        Qt.NativeGestureType.ZoomNativeGesture, QPointingDevice.primaryPointingDevice(), 2,
        AT, AT, QPointF(viewer.mapToGlobal(AT)), 0.25, QPointF(),
    )  # fmt: skip
    QApplication.sendEvent(viewer, pinch)
    assert viewer.camera.zoom == pytest.approx(before.zoom * 1.25)
    assert viewer.camera.to_image(AT.x(), AT.y()) == pytest.approx(under)


def test_a_drag_pans_and_a_double_click_fits(qtbot: QtBot, viewer: Viewer) -> None:
    before = viewer.camera
    QTest.mousePress(viewer, Qt.MouseButton.LeftButton, pos=AT.toPoint())
    to = AT + QPointF(40, 25)
    QApplication.sendEvent(
        viewer,
        QMouseEvent(
            QEvent.Type.MouseMove, to, QPointF(viewer.mapToGlobal(to)), Qt.MouseButton.NoButton,
            Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
        ),
    )  # fmt: skip
    QTest.mouseRelease(viewer, Qt.MouseButton.LeftButton, pos=to.toPoint())
    assert viewer.camera == before.panned(40, 25)
    qtbot.mouseDClick(viewer, Qt.MouseButton.LeftButton)
    assert viewer.camera == before.fitted()


def test_arrows_pan_and_plus_and_minus_zoom(qtbot: QtBot, viewer: Viewer) -> None:
    before = viewer.camera
    for key, axis, sign in (
        (Qt.Key.Key_Right, 0, 1), (Qt.Key.Key_Left, 0, -1),
        (Qt.Key.Key_Down, 1, 1), (Qt.Key.Key_Up, 1, -1),
    ):  # fmt: skip
        viewer.look(before)
        qtbot.keyClick(viewer, key)
        moved = viewer.camera.centre[axis] - before.centre[axis]
        assert moved * sign > 0
        assert viewer.camera.centre[1 - axis] == before.centre[1 - axis]
    viewer.look(before)
    qtbot.keyClick(viewer, Qt.Key.Key_Plus)
    assert viewer.camera.zoom > before.zoom
    qtbot.keyClick(viewer, Qt.Key.Key_Minus)
    assert viewer.camera.zoom == pytest.approx(before.zoom)


def test_a_dense_screen_gets_tiles_of_a_finer_step(
    viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer.look(viewer.camera.zoomed_to(0.5))  # two level-0 pixels for a point
    steps = {}
    for ratio in (1.0, 2.0):
        monkeypatch.setattr(viewer, "devicePixelRatioF", lambda ratio=ratio: ratio)
        viewer.picture.wishes.clear()
        viewer.render(QPixmap(viewer.size()))
        steps[ratio] = {key.step for key in viewer.picture.wishes.get(viewer, [])}
    assert max(steps[1.0], default=0) in (0, 2)  # the overview may be as sharp
    assert min(steps[2.0]) == 1
