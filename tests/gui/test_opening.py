"""The window with its reader process: an image opens, a crash costs a message."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from lungscan_gui.window import MainWindow
from tests.drawing import draw_slide, write_svs

Wait = Callable[[Callable[[], bool]], None]


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_slide_that_crashes_its_reader_costs_a_message(
    window: MainWindow, wait: Wait, tmp_path: Path
) -> None:
    path = write_svs(tmp_path / "drawn.svs", draw_slide(4096, 3072))
    window.add_paths([path])
    wait(lambda: window.viewer.picture is not None)
    loader = window.viewer.picture.loader
    window.viewer.magnify(20)
    wait(lambda: loader.idle and len(window.viewer.picture.cache) > 0)
    os.kill(loader.image.process.launched.child.pid, signal.SIGSEGV)
    window.viewer.go_to(3500, 2500)
    wait(lambda: "SIGSEGV" in window.message.words.text())
    window.viewer.fit()  # the window goes on, and other images open
    other = write_svs(tmp_path / "other.svs", draw_slide(600, 500))
    window.add_paths([other])
    wait(lambda: window.viewer.picture is not None and window.viewer.picture.size == (600, 500))
