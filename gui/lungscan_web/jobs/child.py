"""The process of one job: ``python -m lungscan_web.jobs.child``. See ``lungscan.opening.apart``.

It is started before anybody has given anything, so that its libraries are there when somebody does.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from contextlib import closing, suppress
from pathlib import Path

import lungscan.scanning.run  # noqa: F401  all that a scan imports is loaded before there is one
from lungscan.errors import CaseError
from lungscan.events import (
    CaseFinished,
    CaseStarted,
    Notice,
    RunFinished,
    RunStarted,
    ScanEvent,
    TilesScored,
)
from lungscan.inputs import discover
from lungscan.opening.apart import Send, Stopped, serve
from lungscan.opening.launch import Launched, beforehand
from lungscan.options import ScanOptions
from lungscan.report.wording import headline
from lungscan.runtimes.runtime import import_ahead
from lungscan.scanning.scan import scan
from lungscan.types import CaseInput, CaseResult
from lungscan_web.jobs.answering import color_of, confidence_text, file_answer, kind_of
from lungscan_web.jobs.limits import TooLarge
from lungscan_web.jobs.models import resolved
from lungscan_web.jobs.messages import (
    Began,
    Ended,
    Finished,
    Found,
    FoundCase,
    Message,
    Scored,
    Taken,
    Task,
    Noticed,
)

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


def work(
    task: Task, stop: threading.Event, send: Send, launched: Launched | None
) -> Finished | Stopped:
    """Classify, file the answers, and tell of each."""
    cases = discover(task.paths).cases
    options = options_of(task, {file.kind for case in cases for file in case.files})
    send(Found(tuple(FoundCase(c.key, c.case_id, c.files[0].kind, c.files) for c in cases)))
    sizes = TooManyPixels(cases, task, stop)
    sizes.start()
    finished = None
    with closing(scan(options, launched, stop)) as events:
        for event in events:
            if isinstance(event, RunFinished):
                finished = Finished(event.seconds)
            else:
                send(_message(event, task.view))
    if sizes.problem:
        raise sizes.problem
    return finished or Stopped()


def options_of(task: Task, kinds: Collection[str]) -> ScanOptions:
    """As the shell would be told: the answers are the same, byte for byte."""
    return ScanOptions(
        task.paths, task.out, model=resolved(task.model, kinds), mpp=task.mpp, pdf="cases"
    )


def _message(event: ScanEvent, view: Path) -> Message:
    match event:
        case RunStarted(model=model, device=device):
            return Began(model, device)
        case CaseStarted(key=key):
            return Taken(key)
        case TilesScored(key=key, done=done, total=total):
            return Scored(key, done, total)
        case CaseFinished(result=result):
            return _ended(result, view / result.key)
        case Notice(text=text):
            return Noticed(text)
        case RunFinished(seconds=seconds):
            return Finished(seconds)


def _ended(result: CaseResult, folder: Path) -> Ended:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file_answer(folder, result)
    return Ended(
        result.key,
        result.case_id,
        kind_of(result),
        result.status.value,
        headline(result),
        confidence_text(result),
        color_of(result),
        any(file.thumbnail_jpeg for file in result.files[:1]),
    )


def main() -> None:
    """Load what every job needs, then wait for one."""
    with beforehand() as launched:
        import_ahead("auto")
        serve(lambda task, stop, send: work(task, stop, send, launched))


if __name__ == "__main__":
    main()
