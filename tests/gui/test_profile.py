"""The colour profile of an image: off, named, and for the eye alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QImage
from pytestqt.qtbot import QtBot

from lungscan_gui.settings import Settings
from lungscan_gui.window import MainWindow
from tests.drawing import draw_slide, write_svs

Wait = Callable[[Callable[[], bool]], None]
pytestmark = pytest.mark.usefixtures("no_reader")
ADOBE = bytes(imagecodecs.cms_profile("adobergb"))


def mean_of(image: QImage) -> np.ndarray:
    small = image.convertToFormat(QImage.Format.Format_RGB888).scaled(
        8, 8, transformMode=Qt.TransformationMode.SmoothTransformation
    )
    pixels = [small.pixelColor(x, y).getRgb()[:3] for x in range(8) for y in range(8)]
    return np.mean(pixels, axis=0)


def test_it_is_off_and_named_until_it_is_asked_for(
    qtbot: QtBot, window: MainWindow, wait: Wait, tmp_path: Path, settings: Settings
) -> None:
    wide = write_svs(tmp_path / "wide.svs", draw_slide(1536, 1200), icc=ADOBE)
    plain = write_svs(tmp_path / "plain.svs", draw_slide(1536, 1200))
    window.add_paths([wide])
    wait(lambda: window.viewer.picture is not None)
    viewer, box = window.viewer, window.viewbar.profile
    assert box.isVisible()
    assert not box.isChecked()
    assert viewer.picture.profile in box.toolTip()
    assert "The network always sees the stored colours" in box.toolTip()
    viewer.magnify(20)
    wait(lambda: viewer.picture.is_sharp(viewer.camera, 1.0))
    before = mean_of(viewer.grab().toImage())
    overview = mean_of(viewer.picture.overview.toImage())
    qtbot.keyClick(viewer, Qt.Key.Key_C)
    assert box.isChecked()
    wait(lambda: np.abs(mean_of(viewer.picture.overview.toImage()) - overview).max() > 3)
    viewer.repaint()
    wait(lambda: viewer.picture.is_sharp(viewer.camera, 1.0))
    assert np.abs(mean_of(viewer.grab().toImage()) - before).max() > 3
    window.add_paths([plain])  # an image without one offers nothing, and keeps the wish
    wait(lambda: viewer.picture is not None and viewer.picture.profile == "")
    assert not box.isVisible()
    settings.flush()
    assert "by_profile=true" in (tmp_path / "settings.ini").read_text()
    qtbot.keyClick(viewer, Qt.Key.Key_C)
    settings.flush()
    assert "by_profile" not in (tmp_path / "settings.ini").read_text()
