"""Pictures of the window on a real display: what the README shows, and what must be looked at.

    xvfb-run -s "-screen 0 2600x1600x24" python benchmarks/window_pictures.py FOLDER [--dark]

Writes the window with the demo's slide: just opened, analysed, a tile of the evidence, explained, a
region left out, the options, two runs side by side (``--other``: another model; else the same one
with tiles that overlap), and the pages that train and adapt; ``--series``: a CT series, too;
``--twofold``: 2560 x 1440 on a dense screen.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from math import cos, sin
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PyQt6.QtWidgets import QApplication, QWidget

    from lungscan_gui.window import MainWindow

PATIENCE_S = 400
OVERLAP = 0.5


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
    parser.add_argument("--series", type=Path, help="a folder of one CT series")
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
    _take_two(window, camera, options.other)
    _take_training(window, camera, options.data)
    _take_adapting(window, camera)
    if options.series:
        _take_series(window, camera, options.series)
    for _ in range(2):  # what was drawn is not asked about
        window.undo_review()
    window.close()
    sys.stdout.write(f"{options.folder}\n")


def _take_case(window: MainWindow, camera: Camera) -> None:
    window.welcome.greet()
    camera.until(lambda: window.viewer.picture is not None)
    camera.until(lambda: window.run.machine.text().startswith("Computes"))
    camera.take(window, "1-first-start")
    window.analyse()
    camera.until(lambda: bool(window.queue.current and window.queue.current.result))
    camera.until(lambda: not window.analysis.running)
    window.message.hide()
    camera.take(window, "2-analysed")
    window.next_tile()
    camera.until(lambda: _sharp(window))
    camera.take(window, "3-tile")
    window.explain_tile()
    camera.until(lambda: not window.asking.busy)
    camera.rest(0.5)
    window.result.ensureWidgetVisible(window.result.model)  # all of the box above it is seen then
    camera.take(window, "3-tile-explained")
    window.fit()
    _take_region(window, camera)
    window.run.fold.setChecked(True)
    camera.take(window, "4-options")
    window.run.fold.setChecked(False)


def _take_two(window: MainWindow, camera: Camera, other: str) -> None:
    window.compare_sides()
    if other:
        window.compare.models.addItem(other)
        window.compare.models.setCurrentText(other)
    else:
        window.options.overlap.setValue(OVERLAP)
    window.compare.start.click()
    camera.until(lambda: bool(window.beside.second and window.beside.second.result))
    camera.take(window, "5-side-by-side")
    window.options.overlap.setValue(0)
    window.next_change()
    camera.until(lambda: _sharp(window))
    camera.take(window, "6-changed-tile")
    window.compare_sides()


def _take_region(window: MainWindow, camera: Camera) -> None:
    view = window.viewer.camera
    if view is None:
        return
    width, height = view.image
    ellipse = [(0.25 + 0.12 * cos(turn / 5), 0.35 + 0.16 * sin(turn / 5)) for turn in range(31)]
    window.leave_out_freehand()
    window.reviewing.drawing.corners = [(x * width, y * height) for x, y in ellipse]
    window.reviewing.drawing.close()
    camera.until(lambda: bool(window.reviewing.sheet and window.reviewing.sheet.second))
    window.result.ensureWidgetVisible(window.result.review)
    camera.take(window, "3-region-left-out")
    window.undo_review()
    window.result.ensureVisible(0, 0)


def _take_series(window: MainWindow, camera: Camera, series: Path) -> None:
    window.options.boxes["model"].setCurrentText("lung-ct")
    window.add_paths([series])
    camera.until(window.slices.isVisible)
    window.analyse()
    camera.until(lambda: bool(window.queue.current and window.queue.current.result))
    camera.rest(1)
    window.next_tile()
    camera.until(lambda: _sharp(window))
    camera.take(window, "9-series")


def _take_training(window: MainWindow, camera: Camera, data: Path | None) -> None:
    window.open_training()
    page = window.learning.training
    if page is None:
        return
    camera.take(page, "7-training")
    if data is not None:
        page.look_at(data)
        camera.until(lambda: not page.runner.running)
        camera.take(page, "8-audit")


def _take_adapting(window: MainWindow, camera: Camera) -> None:
    window.open_adapting()
    if window.learning.adapting is not None:
        camera.take(window.learning.adapting, "10-adapting")


def _sharp(window: MainWindow) -> bool:
    viewer = window.viewer
    picture, camera = viewer.picture, viewer.camera
    return bool(picture and camera and picture.is_sharp(camera, viewer.devicePixelRatioF()))


if __name__ == "__main__":
    main()
