"""Two models, or two runs, of one image: which, the cameras together, and what changed."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from lungscan.errors import LungScanError
from lungscan.types import CaseResult, ModelStamp
from lungscan_gui.cases import Case, CaseState
from lungscan_gui.compare.changes import Changes, find_changes, same_classes
from lungscan_gui.compare.finding import same_image
from lungscan_gui.compare.marks import ChangeMarks, Cross
from lungscan_gui.compare.pane import CHOOSE, ComparePane, SideHead
from lungscan_gui.scanning.runner import Order
from lungscan_gui.viewer.overlay import Overlay
from lungscan_gui.viewer.tilemap import MapLook

if TYPE_CHECKING:
    from lungscan_gui.viewer.viewer import Layer, Viewer
    from lungscan_gui.window import MainWindow

NO_CASE = "Open a slide or field first: a comparison shows two answers to the same image."
NO_FILE = "The image itself was not found, so no other model can look at it. Drop the file here."
OTHERS = "These two models have no class in common, so their tiles cannot be compared."
POWER = 10.0  # at which a changed tile is shown with what lies around it
EVERY_MS = 500  # while tiles come in
NOTHING = np.zeros((0, 4), np.int32)


class Beside(QObject):
    """The second case of each case that was compared, and the pane that shows it."""

    _found = pyqtSignal(object, object, str)  # the first case, the second, a message

    def __init__(self, window: MainWindow, pane: ComparePane, head: SideHead) -> None:
        super().__init__(window)
        self._window, self.pane, self._head = window, pane, head
        self._seconds: dict[Case, Case] = {}
        self._overlay: Overlay | None = None
        self._moving = False
        self._step = -1
        self.changes = Changes(NOTHING, (), 0)
        self.marks = (ChangeMarks(), ChangeMarks())
        self.crosses = (Cross(), Cross())
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(EVERY_MS)
        self._later.timeout.connect(self._compare)
        self._connect()

    @property
    def open(self) -> bool:
        """Whether two images are shown."""
        return not self.pane.isHidden()

    @property
    def second(self) -> Case | None:
        """What the chosen case is compared with."""
        first = self._window.display.case
        return self._seconds.get(first) if first else None

    def toggle(self) -> None:
        """Show a second image, or no longer."""
        if self.open:
            self._close()
        elif self._window.display.case is None:
            self._window.message.say(NO_CASE)
        else:
            camera = self._window.viewer.camera
            fitted = camera is not None and camera == camera.fitted()
            chosen = self._window.options.boxes["model"].currentText()
            self.pane.models.setCurrentText(chosen)  # of its modality, whatever else there is
            self.pane.set_open(True)
            self._head.show()
            if fitted:  # once the images have their new sizes
                QTimer.singleShot(0, self._window.viewer.fit)
            self._follow_picture()
            self.refresh()
            self.pane.models.setFocus()

    def close(self) -> None:
        """The window closes."""
        self._later.stop()
        if self.open:
            self._close()

    def compare_model(self, model: str) -> None:
        """Analyse the image with another model too."""
        window, first = self._window, self._window.display.case
        if first is None or not first.paths or not first.paths[0].exists():
            window.message.say(NO_FILE if first else NO_CASE)
            return
        second = first.again(model)
        try:
            options = window.analysis.options_of([second])
            options = window.analysis.filed(replace(options, model=model))
        except LungScanError as error:
            window.message.say(str(error), error.code)
            return
        self._seconds[first] = second
        window.message.hide()
        window.analysis.runner.ask(Order(options, [second]))
        window.analysis.show_state()
        self.refresh()

    def compare_run(self, folder: Path) -> None:
        """Show the answer that another run gave to this image."""
        first = self._window.display.case
        if first is None:
            self._window.message.say(NO_CASE)
            return

        def find() -> None:
            try:
                self._found.emit(first, same_image(first, folder), "")
            except LungScanError as error:
                self._found.emit(first, None, str(error))
            except OSError as error:
                words = f"{folder} cannot be searched ({error.strerror or error})."
                self._found.emit(first, None, words)

        threading.Thread(target=find, name="find-run", daemon=True).start()

    def step(self, by: int) -> None:
        """Go to the next changed tile, or the one before."""
        count = len(self.changes.boxes)
        if not self.open or not count:
            return
        self._step = (self._step + by) % count if self._step >= 0 else (0 if by > 0 else count - 1)
        x, y, width, height = self.changes.boxes[self._step].tolist()
        self._window.display.marker.box = (x, y, width, height)
        self._window.viewer.go_to(x + width / 2, y + height / 2, POWER)
        old, new = self.changes.kinds[self._step]
        words = f"Changed tile {self._step + 1:,} of {count:,}: from {old} to {new}"
        self.pane.show_changes(words, count)

    def refresh(self) -> None:
        """The chosen case, or what it is compared with, has changed."""
        if not self.open:
            return
        first, second = self._window.display.case, self.second
        here, there = first.result if first else None, second.result if second else None
        self._head.show_result(here, there)
        self.pane.show_case(second, here)
        self._set_map(second)
        self._compare()

    # What it follows ---------------------------------------------------------------------------

    def _connect(self) -> None:
        window, pane = self._window, self.pane
        pane.model_asked.connect(self.compare_model)
        pane.run_asked.connect(window.compare_run)
        pane.step_asked.connect(self.step)
        pane.close_asked.connect(self.toggle)
        window.viewer.moved.connect(self._follow_picture)
        window.viewer.moved.connect(lambda: self._lead(window.viewer, pane.viewer))
        pane.viewer.moved.connect(lambda: self._lead(pane.viewer, window.viewer))
        for leader, other, cross in (
            (window.viewer, pane.viewer, self.crosses[1]),
            (pane.viewer, window.viewer, self.crosses[0]),
        ):
            leader.pointed.connect(
                lambda x, y, cross=cross, other=other: self._point(cross, other, (x, y))
            )
            leader.left.connect(lambda cross=cross, other=other: self._point(cross, other, None))
        pane.viewer.pointed.connect(window.readout.point)
        pane.viewer.left.connect(window.readout.clear)
        pane.viewer.opacity_asked.connect(window.result.map.nudge)
        window.result.map.changed.connect(self._look)
        window.queue.chosen.connect(lambda _: self.refresh())
        window.analysis.runner.changed.connect(self._case_changed)
        window.analysis.runner.mapped.connect(self._mapped)
        self._found.connect(self._take)

    def layers(self, overlay: list[Layer]) -> list[Layer]:
        """What lies over the first image."""
        return [*overlay, self.marks[0], self.crosses[0]] if self.open else overlay

    def _follow_picture(self) -> None:
        """Show the image that the first viewer shows."""
        first, second = self._window.viewer, self.pane.viewer
        second.backdrop = first.backdrop
        if self.open and second.picture is not first.picture:
            second.show_picture(first.picture, first.um_per_px, "the second answer", shared=True)
            self._lead(first, second)

    def _lead(self, leader: Viewer, other: Viewer) -> None:
        """Move one camera as the other was moved."""
        if self._moving or not self.open or leader.camera is None or other.camera is None:
            return
        self._moving = True
        try:
            other.look(replace(leader.camera, screen=other.camera.screen))
        finally:
            self._moving = False

    def _point(self, cross: Cross, other: Viewer, at: tuple[float, float] | None) -> None:
        cross.at = at
        if self.open:
            other.update()

    def _look(self, look: MapLook) -> None:
        if self._overlay is not None:
            self._overlay.look = _fitting(look, self._overlay.tiles.classes)
            self.pane.viewer.update()

    def _case_changed(self, case: Case) -> None:
        if case is self.second:
            first = self._window.display.case
            self.pane.show_case(case, first.result if first else None)
            if case.state is not CaseState.RUNNING or not case.done:
                self.refresh()
        elif case is self._window.display.case and case.state is not CaseState.RUNNING:
            self.refresh()

    def _mapped(self, case: Case, file: int, rows: slice) -> None:
        first = self._window.display.case
        if case not in (self.second, first) or not self.open or first is None or file != first.file:
            return
        if case is self.second:
            if self._overlay is None or self._overlay.tiles is not case.maps.get(file):
                self._set_map(case)
            else:
                self._overlay.redraw(rows)
            self.pane.viewer.update()
        if not self._later.isActive():
            self._later.start()

    def _take(self, first: Case, second: Case | None, message: str) -> None:
        if second is not None:
            self._seconds[first] = second
            self._window.message.hide()
        else:
            self._window.message.say(message)
        self.refresh()

    # What it shows -----------------------------------------------------------------------------

    def _close(self) -> None:
        self.pane.set_open(False)
        self._head.hide()
        self.pane.viewer.show_picture(None, None, "", shared=True)
        self._window.readout.second = None
        self._window.display.set_map()

    def _set_map(self, second: Case | None) -> None:
        first = self._window.display.case
        tiles = second.maps.get(first.file) if first and second else None
        model = self._model(second)
        self._overlay = None
        if tiles is not None and model is not None and len(model.class_names) == tiles.classes:
            self._overlay = Overlay(tiles, model)
            self._overlay.look = _fitting(self._window.result.map.look, tiles.classes)
        shown: list[Layer] = [self._overlay] if self._overlay else []
        marker = self._window.display.marker
        self.pane.viewer.layers = [*shown, self.marks[1], marker, self.crosses[1]]
        names = model.display_names if model else ()
        self._window.readout.second = (tiles, names) if tiles is not None else None
        self.pane.viewer.update()

    def _compare(self) -> None:
        first, second = self._window.display.case, self.second
        before, self.changes = self.changes, Changes(NOTHING, (), 0)
        words = CHOOSE if second is None else "Both have to be analysed to be compared."
        models = self._model(first), self._model(second)
        file = first.file if first else 0
        maps = [case.maps.get(file) if case else None for case in (first, second)]
        if maps[0] and maps[1] and models[0] and models[1]:
            if same_classes(models[0], models[1]):
                self.changes = find_changes(maps[0], models[0], maps[1], models[1])
                words = self.changes.text
            else:
                words = OTHERS
        if not np.array_equal(before.boxes, self.changes.boxes):
            self._step = -1
        for marks in self.marks:
            marks.boxes = self.changes.boxes
        self.pane.show_changes(words, len(self.changes.boxes))
        self._window.display.set_map()
        self.pane.viewer.update()

    def _model(self, case: Case | None) -> ModelStamp | None:
        """The model of a case; of one that has no answer yet, that of the run in progress."""
        result: CaseResult | None = case.result if case else None
        if result is not None:
            return result.model
        running = case is not None and case.state is CaseState.RUNNING
        return self._window.analysis.runner.model if running else None


def _fitting(look: MapLook, classes: int) -> MapLook:
    """The same look for a model with another number of classes: all of them are shown."""
    return look if len(look.shown) == classes else replace(look, shown=(True,) * classes)
