"""No slide may have more pixels than the page takes, whatever its file says elsewhere."""

from __future__ import annotations

import threading
from contextlib import suppress

from lungscan.errors import CaseError
from lungscan.types import CaseInput
from lungscan_web.jobs.limits import TooLarge
from lungscan_web.jobs.messages import Task

LOOK_S = 30.0  # for the size of one image


class TooManyPixels(threading.Thread):
    """Looks at the sizes of all slides beside the run, and stops it for one that is too large.

    Other pictures are kept to 200 million pixels by the engine itself.
    """

    def __init__(self, cases: tuple[CaseInput, ...], task: Task, stop: threading.Event) -> None:
        super().__init__(name="sizes", daemon=True)
        self._cases, self._task, self._stop = cases, task, stop
        self.problem: TooLarge | None = None

    def run(self) -> None:
        """Look at each file in one reader process."""
        files = [f for case in self._cases for f in case.files if f.kind == "slide"]
        if not files:
            return
        from lungscan.opening.messages import Close, Look, Looked
        from lungscan.opening.process import ReaderProcess

        process = ReaderProcess(None, 1, size_px=1)
        try:
            for file in files:
                with suppress(CaseError):  # the run says what is the matter with it
                    looked: Looked = process.call(Look(file, self._task.mpp), LOOK_S)
                    process.call(Close(looked.handle), LOOK_S)
                    self._judge(looked.info.width, looked.info.height)
        finally:
            process.close()

    def _judge(self, width: int, height: int) -> None:
        if width * height > self._task.pixels and self.problem is None:
            self.problem = TooLarge(
                f"An image has {width:,} × {height:,} pixels, more than the "
                f"{self._task.pixels / 1e6:,.0f} million that are taken here. Use the command "
                "line, or export a part of it."
            )
            self._stop.set()
