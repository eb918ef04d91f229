"""Explains the tile that a person points at, when it is asked for."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, pyqtSignal

from lungscan.errors import LungScanError
from lungscan.options import Explain
from lungscan.types import CaseResult, Explanation, TilePicture
from lungscan_gui import engine
from lungscan_gui.cases import Case
from lungscan_gui.explaining.job import ExplainJob, Question
from lungscan_gui.scanning.job import Failure
from lungscan_gui.viewer.tilemap import TileMap

if TYPE_CHECKING:
    from lungscan_gui.window import MainWindow

Box = tuple[int, int, int, int]
NO_ANSWER = "Analyse this case first: an explanation tells what the answer of a {tile} depends on."
NO_IMAGE = "The image itself is not open, so no {tile} of it can be explained. Drop the file here."
NO_TILE = (
    "There is no scored {tile} at this place. Point at one, or choose one of the evidence (N, P)."
)
WORKING = "Explaining a {tile} ..."


class Asking(QObject):
    """One question at a time; answers stay with their case until it is analysed again."""

    _answered = pyqtSignal(object, object, object)  # Case, its result, Explanation or message

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._pointed: tuple[float, float] | None = None
        self._now: object = None  # the question that is being answered
        self.make_job = ExplainJob
        self.box = window.result.explained
        self.box.asked.connect(self.ask)
        self._answered.connect(self._take)
        window.viewer.pointed.connect(lambda x, y: self._point((x, y)))
        window.viewer.left.connect(lambda: self._point(None))
        window.evidence.visited.connect(self._visit)
        window.queue.chosen.connect(lambda _: self._point(None))

    @property
    def busy(self) -> bool:
        """Whether a question is being answered."""
        return self._now is not None

    def ask(self) -> None:
        """Explain the tile under the cursor, the marked one, or the one in the middle."""
        window, case = self._window, self._window.display.case
        if self.busy or case is None:
            return
        words = case.words
        tiles, picture = case.maps.get(case.file), window.viewer.picture
        if case.result is None or tiles is None:
            window.message.say(NO_ANSWER.format(tile=words.tile), error=False)
        elif picture is None or picture.loader is None or case.image is None:
            window.message.say(NO_IMAGE.format(tile=words.tile), error=False)
        elif (box := _scored(tiles, *self._place())) is None:
            window.message.say(NO_TILE.format(tile=words.tile), error=False)
        else:
            window.message.hide()
            self._ask(case, case.result, box)

    def _ask(self, case: Case, result: CaseResult, box: Box) -> None:
        window, path, file = self._window, case.image, case.file
        assert path is not None  # noqa: S101  asked by the caller
        before = (*(result.explained or ()), *case.asked)
        wanted = window.options.boxes["explain"].currentText()
        method: Explain = "cam" if wanted == "cam" else "occlusion"
        method = before[0].method if before else method  # one colour scale, one sentence
        device = window.options.boxes["device"].currentText()
        places, mpp = window.options.models, case.mpp
        whole = result.files[file].kind == "field" and len(case.maps[file].boxes) == 1
        self._now = question = object()
        self.box.say(WORKING.format(tile=case.words.tile))
        window.result.reveal_explained()

        def work() -> None:
            answer: object = None
            try:
                model = str(engine.card_of(result, places).folder)
                asked = Question(path, None if whole else box, model, method, mpp, device)
                for event in self.make_job(asked).events():
                    answer = event
            except LungScanError as error:
                answer = Failure(str(error), error.code)
            if self._now is question:
                if isinstance(answer, Explanation):
                    answer = replace(answer, file_index=file)
                self._answered.emit(case, result, answer)

        threading.Thread(target=work, name="explaining", daemon=True).start()

    def close(self) -> None:
        """The window closes; an answer that still comes is not shown."""
        self._now = None

    def _take(self, case: Case, result: CaseResult, answer: object) -> None:
        self._now = None
        self.box.say("")
        if isinstance(answer, Explanation):
            if case.result is result:  # not analysed again meanwhile
                case.asked = (*(part for part in case.asked if part.box != answer.box), answer)
        elif isinstance(answer, Failure):
            self._window.message.say(answer.message, f"{answer.code}\n{answer.details}".strip())
        if case is self._window.display.case:
            self._window.result.show_explained(case)
            self._window.result.reveal_explained()

    # Which tile --------------------------------------------------------------------------------

    def _point(self, at: tuple[float, float] | None) -> None:
        self._pointed = at

    def _visit(self, picture: TilePicture) -> None:
        x, y, width, height = picture.box
        self._pointed = (x + width / 2, y + height / 2)

    def _place(self) -> tuple[float, float]:
        """The place that was pointed at last; else the marked tile, the slice, or the middle."""
        window, camera = self._window, self._window.viewer.camera
        box = window.slices.box or window.display.marker.box
        if window.slices.box is None and self._pointed is not None:
            return self._pointed
        if box is not None:
            return box[0] + box[2] / 2, box[1] + box[3] / 2
        return camera.centre if camera else (-1.0, -1.0)


def _scored(tiles: TileMap, x: float, y: float) -> Box | None:
    """The tile at a place, of several the likeliest; None where none has probabilities."""
    rows = [row for row in tiles.at(x, y).tolist() if tiles.probs[row].max() >= 0]
    if not rows:
        return None
    best = max(rows, key=lambda row: float(tiles.probs[row].max()))
    left, top, width, height = (int(value) for value in tiles.boxes[best])
    return left, top, width, height
