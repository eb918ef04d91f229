"""Opens images beside the window's thread, and keeps a reader process ready for the next one."""

from __future__ import annotations

import threading
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal

from lungscan.errors import Code, LungScanError
from lungscan_gui.engine import Launched, ViewedImage
from lungscan_gui.spare import Spare
from lungscan_gui.viewer.loader import THREADS


class Opener(QObject):
    """The last image asked for is the one that comes; what was asked for before is let go."""

    opened = pyqtSignal(object)  # ViewedImage
    failed = pyqtSignal(str, str)  # the message, and the error's code
    _answered = pyqtSignal(int, object)

    def __init__(self) -> None:
        super().__init__()
        self._asked = 0
        self._spare = Spare(Launched, OSError)  # the opening will say what is the matter
        self._answered.connect(self._take)

    def prepare(self) -> None:
        """Start a process that the next image will find ready."""
        self._spare.prepare_beside("prepare")

    @property
    def ready(self) -> bool:
        """Whether a process waits for the next image."""
        return self._spare.waiting is not None

    def open(self, path: Path, mpp: float | None) -> None:
        """Open an image; ``opened`` or ``failed`` comes unless another is asked for."""
        self._asked += 1
        args = (self._asked, path, mpp)
        threading.Thread(target=self._open, args=args, name="open", daemon=True).start()

    def forget(self) -> None:
        """Whatever was asked for is not wanted any more."""
        self._asked += 1

    def close(self) -> None:
        """End the process that waits."""
        self._spare.close()

    def _open(self, number: int, path: Path, mpp: float | None) -> None:
        spare = self._spare.take()
        answer: ViewedImage | tuple[str, Code]
        try:
            answer = ViewedImage(path, mpp, THREADS, spare)
        except LungScanError as error:
            answer = str(error), error.code
        except OSError as error:  # the folder cannot be searched
            answer = f"{path.name} cannot be opened ({error.strerror or error}).", Code.IO
        self._answered.emit(number, answer)
        self._spare.prepare()

    def _take(self, number: int, answer: ViewedImage | tuple[str, Code]) -> None:
        current = number == self._asked
        if isinstance(answer, tuple):
            if current:
                self.failed.emit(*answer)
        elif current:
            self.opened.emit(answer)
        else:
            threading.Thread(target=answer.close, name="close-image", daemon=True).start()
