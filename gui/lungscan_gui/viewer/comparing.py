"""Compares an image with the one that was analysed, beside the window's thread."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal

from lungscan.errors import LungScanError
from lungscan_gui import engine
from lungscan_gui.cases import Case


class Comparing(QObject):
    """One comparison at a time: whoever looks at another image is not kept waiting for the first.

    A slide is read whole for it, which takes a while.
    """

    compared = pyqtSignal(object, int, bool)  # Case, which of its images, whether it is the same

    def __init__(self) -> None:
        super().__init__()
        self._unwanted = threading.Event()

    def ask(self, case: Case, file: int, path: Path) -> None:
        """Compare an image of a case with its answer, once; ``compared`` comes."""
        self.forget()
        if case.result is None or file in case.proven or file >= len(case.result.files):
            return
        args = (case, file, path, case.result.files[file].sha256, self._unwanted)
        threading.Thread(target=self._compare, args=args, name="compare", daemon=True).start()

    def forget(self) -> None:
        """Give up the comparison in progress."""
        self._unwanted.set()
        self._unwanted = threading.Event()

    def _compare(
        self, case: Case, file: int, path: Path, sha256: str, unwanted: threading.Event
    ) -> None:
        try:
            same = engine.sha256_of(engine.input_file(path), unwanted) == sha256
        except (LungScanError, OSError, CancelledError):
            return  # what cannot be read is told where it is shown
        if not unwanted.is_set():
            self.compared.emit(case, file, same)
