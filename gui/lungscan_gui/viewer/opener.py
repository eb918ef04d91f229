"""Opens images beside the window's thread, and keeps a reader process ready for the next one."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal

from lungscan.errors import LungScanError
from lungscan_gui.engine import Launched, ViewedImage
from lungscan_gui.viewer.loader import THREADS


class Opener(QObject):
    """The last image asked for is the one that comes; what was asked for before is let go."""

    opened = pyqtSignal(object)  # ViewedImage
    failed = pyqtSignal(str)
    _answered = pyqtSignal(int, object)

    def __init__(self) -> None:
        super().__init__()
        self._asked = 0
        self._spare: Launched | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._answered.connect(self._take)

    def prepare(self) -> None:
        """Start a process that the next image will find ready."""
        threading.Thread(target=self._prepare, name="prepare", daemon=True).start()

    @property
    def ready(self) -> bool:
        """Whether a process waits for the next image."""
        return self._spare is not None

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
        with self._lock:
            self._closed, spare, self._spare = True, self._spare, None
        if spare is not None:
            spare.close()

    def _prepare(self) -> None:
        with self._lock:
            if self._spare is None and not self._closed:
                with suppress(OSError):  # the opening will say what is the matter
                    self._spare = Launched()

    def _open(self, number: int, path: Path, mpp: float | None) -> None:
        with self._lock:
            spare, self._spare = self._spare, None
        answer: ViewedImage | str
        try:
            answer = ViewedImage(path, mpp, THREADS, spare)
        except LungScanError as error:
            answer = str(error)
        except OSError as error:  # the folder cannot be searched
            answer = f"{path.name} cannot be opened ({error.strerror or error})."
        self._answered.emit(number, answer)
        self._prepare()

    def _take(self, number: int, answer: ViewedImage | str) -> None:
        current = number == self._asked
        if isinstance(answer, str):
            if current:
                self.failed.emit(answer)
        elif current:
            self.opened.emit(answer)
        else:
            threading.Thread(target=answer.close, name="close-image", daemon=True).start()
