"""What the menu and keys of the review do; mixed into the window."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PyQt6.QtWidgets import QFileDialog

from lungscan.errors import LungScanError
from lungscan_gui import engine
from lungscan_gui.engine import Verdict

if TYPE_CHECKING:
    from lungscan_gui.window import MainWindow

TABLE = "reviews.csv"


class ReviewCommands:
    """Every method here is a ``Command`` of ``actions``, but those that begin with a line."""

    @property
    def _window(self) -> MainWindow:
        return cast("MainWindow", self)

    def agree(self) -> None:
        """The model output is right."""
        self._window.reviewing.choose(Verdict.AGREE)

    def disagree(self) -> None:
        """It is wrong."""
        self._window.reviewing.choose(Verdict.DISAGREE)

    def not_assessable(self) -> None:
        """Nobody can tell."""
        self._window.reviewing.choose(Verdict.NOT_ASSESSABLE)

    def leave_out_region(self) -> None:
        """Draw a region that does not count; of a series, leave out the slice that is seen."""
        self._window.reviewing.draw()

    def leave_out_freehand(self) -> None:
        """The same with one stroke."""
        self._window.reviewing.draw(freehand=True)

    def remove_region(self) -> None:
        """Let the last region count again."""
        self._window.reviewing.remove_region()

    def undo_review(self) -> None:
        """Take the last change back."""
        self._window.reviewing.undo()

    def redo_review(self) -> None:
        """Make it again."""
        self._window.reviewing.redo()

    def save_review(self) -> None:
        """Save it beside the result."""
        self._window.reviewing.save()

    def export_reviews(self) -> None:
        """All reviews below a folder of results as one table."""
        window = self._window
        start = str(window.settings.results)
        root = QFileDialog.getExistingDirectory(window, "Folder of reviewed results", start)
        if not root:
            return
        chosen, _ = QFileDialog.getSaveFileName(
            window, "All reviews (CSV)", str(Path(root) / TABLE), "*.csv"
        )
        if chosen:
            self._write_reviews(Path(root), Path(chosen))

    def _write_reviews(self, root: Path, path: Path) -> None:
        window = self._window

        def work() -> None:
            try:
                words = engine.write_reviews(root, path)
            except LungScanError as error:
                words = str(error)
            except OSError as error:
                words = f"{path} could not be written ({error.strerror or error})."
            window.announced.emit(words)

        threading.Thread(target=work, name="reviews", daemon=False).start()
