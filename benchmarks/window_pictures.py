"""Pictures of the window on a real display: what the README shows, and what must be looked at.

    xvfb-run -s "-screen 0 2600x1600x24" python benchmarks/window_pictures.py FOLDER [--dark]

Writes the window with the demo's slide: just opened, analysed, a tile of the evidence, two models
side by side (``--other``), the options, and the training page; ``--twofold``: 2560 x 1440 on a
dense screen.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PyQt6.QtWidgets import QApplication, QWidget

    from lungscan_gui.window import MainWindow

PATIENCE_S = 180


class Camera:
    """Waits for the window and takes its picture."""

    def __init__(self, app: QApplication, folder: Path) -> None:
        self._app, self._folder = app, folder

    def until(self, true: Callable[[], bool]) -> None:
        """Let events pass until something is true."""
        end = time.monotonic() + PATIENCE_S
        while not true():
            if time.monotonic() > end:
                raise TimeoutError
            self.rest(0.02)

    def rest(self, seconds: float) -> None:
        """Let events pass."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._app.processEvents()
            time.sleep(0.005)

    def take(self, widget: QWidget, name: str) -> None:
        """Write ``name.png``."""
        self.rest(0.6)
        widget.grab().save(str(self._folder / f"{name}.png"))


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--twofold", action="store_true", help="2560 x 1440 at twofold scaling")
    parser.add_argument("--data", type=Path, help="a folder of classes for the training page")
    parser.add_argument("--other", default="", help="a second model, for two side by side")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.twofold:
        os.environ["QT_SCALE_FACTOR"] = "2"
    from PyQt6.QtWidgets import QApplication

    from lungscan_gui.settings import Settings
    from lungscan_gui.theme import apply_theme
    from lungscan_gui.window import MainWindow

    app = QApplication(["pictures"])
    scratch = Path(tempfile.mkdtemp())
    settings = Settings(scratch / "settings.ini")
    settings.results = scratch / "results"
    settings.scheme = "dark" if options.dark else "light"
    apply_theme(app, settings.scheme)
    window = MainWindow(settings)
    window.resize(1280, 720 if options.twofold else 800)
    window.show()
    camera = Camera(app, options.folder)
    camera.take(window, "0-empty")
    _take_case(window, camera)
    if options.other:
        _take_two(window, camera, options.other)
    _take_training(window, camera, options.data)
    window.close()
    sys.stdout.write(f"{options.folder}\n")


def _take_case(window: MainWindow, camera: Camera) -> None:
    window.welcome.greet()
    camera.until(lambda: window.viewer.picture is not None)
    camera.until(lambda: window.run.machine.text().startswith("Computes"))
    camera.take(window, "1-first-start")
    window.analyse()
    camera.until(lambda: bool(window.queue.current and window.queue.current.result))
    window.message.hide()
    camera.take(window, "2-analysed")
    window.next_tile()
    camera.until(lambda: _sharp(window))
    camera.take(window, "3-tile")
    window.fit()
    window.run.fold.setChecked(True)
    camera.take(window, "4-options")
    window.run.fold.setChecked(False)


def _take_two(window: MainWindow, camera: Camera, other: str) -> None:
    window.compare_sides()
    window.compare.models.addItem(other)
    window.compare.models.setCurrentText(other)
    window.compare.start.click()
    camera.until(lambda: bool(window.beside.second and window.beside.second.result))
    camera.take(window, "5-side-by-side")
    window.next_change()
    camera.until(lambda: _sharp(window))
    camera.take(window, "6-changed-tile")
    window.compare_sides()


def _take_training(window: MainWindow, camera: Camera, data: Path | None) -> None:
    window.open_training()
    page = window.training.page
    if page is None:
        return
    camera.take(page, "7-training")
    if data is not None:
        page.look_at(data)
        camera.until(lambda: not page.runner.running)
        camera.take(page, "8-audit")


def _sharp(window: MainWindow) -> bool:
    viewer = window.viewer
    picture, camera = viewer.picture, viewer.camera
    return bool(picture and camera and picture.is_sharp(camera, viewer.devicePixelRatioF()))


if __name__ == "__main__":
    main()
