"""The process of one job: ``python -m lungscan_web.jobs.child``. See ``lungscan.opening.apart``.

It is started before anybody has given anything, so that its libraries are there when somebody does.
"""

from __future__ import annotations

import threading
from contextlib import closing, suppress

import lungscan.scanning.run  # noqa: F401  all that a scan imports is loaded before there is one
from lungscan.errors import LungScanError
from lungscan.events import (
    CaseFinished,
    CaseStarted,
    Notice,
    RunFinished,
    RunStarted,
    ScanEvent,
    TilesScored,
)
from lungscan.layout import case_folder
from lungscan.model.checked import find_model
from lungscan.opening.apart import Send, Stopped, serve
from lungscan.opening.launch import Launched, beforehand
from lungscan.processes import give_way
from lungscan.report.wording import answer_line
from lungscan.runtimes.runtime import import_ahead
from lungscan.scanning.scan import scan
from lungscan.types import CaseResult, CaseStatus
from lungscan_web.jobs.answering import color_of, confidence_text, file_answer, kind_of
from lungscan_web.jobs.live import LiveMap
from lungscan_web.jobs.messages import (
    Began,
    Ended,
    Filed,
    Finished,
    Found,
    FoundCase,
    Noticed,
    Scored,
    Taken,
    Task,
)
from lungscan_web.jobs.parts import Part, again, is_foreign, joined, other_model, parts_of
from lungscan_web.jobs.sizes import TooManyPixels


class Work:
    """One job: its runs one after the other, and what they tell."""

    def __init__(
        self, task: Task, stop: threading.Event, send: Send, launched: Launched | None
    ) -> None:
        self._task, self._stop, self._send, self._launched = task, stop, send, launched
        self._maps: dict[str, LiveMap] = {}
        self._first: dict[str, Ended] = {}  # answers that wait for a second look, by page key
        self._asked: dict[str, list[FoundCase]] = {}  # of these, by the model to ask

    def run(self) -> Finished | Stopped:
        """Classify, file the answers, and tell of each. Raises LungScanError."""
        parts, cases = parts_of(self._task)
        self._send(Found(tuple(case for part in parts for case in part.cases.values())))
        sizes = TooManyPixels(cases, self._task, self._stop)
        sizes.start()
        seconds = [self._part(self._joined(part)) for part in parts]
        if not self._stop.is_set():
            self._second_looks(len(parts))
        if sizes.problem:
            raise sizes.problem
        if self._stop.is_set() or None in seconds:
            return Stopped()
        return Finished(sum(filter(None, seconds)))

    def _joined(self, part: Part) -> Part:
        """With the pictures that this run's model is to look at, too."""
        cases = self._asked.pop(part.options.model, None)
        return joined(self._task, part, cases) if cases else part

    def _part(self, part: Part) -> float | None:
        """One run; how long it took, None of one that was stopped."""
        if self._stop.is_set():
            return None
        launched, self._launched = self._launched, None
        seconds = None
        with closing(scan(part.options, launched, self._stop)) as events:
            for event in events:
                if isinstance(event, RunFinished):
                    seconds = event.seconds
                else:
                    self._hear(event, part)
        return seconds

    def _hear(self, event: ScanEvent, part: Part) -> None:
        match event:
            case RunStarted(model=model):
                self._send(Began(model, part.options.out))
            case CaseStarted(key=key):
                self._send(Taken(part.page_key(key)))
            case TilesScored(key=key, done=done, total=total):
                self._map(event, part)
                self._send(Scored(part.page_key(key), done, total))
            case CaseFinished(result=result):
                self._finished(result, part)
            case Notice(text=text):
                self._send(Noticed(text))

    def _finished(self, result: CaseResult, part: Part) -> None:
        key = part.page_key(result.key)
        if key in self._maps:
            self._maps.pop(key).end()
        first = self._first.pop(key, None)
        if first is not None and (result.status is CaseStatus.FAILED or is_foreign(result)):
            self._send(first)
            return
        filed = Filed(case_folder(part.options.out, result.key), part.options.model)
        ended = self._ended(result, key, filed)
        other = None if first else other_model(self._task, result)
        if other is None or result.key not in part.cases:
            self._send(ended)
        else:
            self._first[key] = ended
            self._asked.setdefault(other, []).append(part.cases[result.key])

    def _ended(self, result: CaseResult, key: str, filed: Filed) -> Ended:
        folder = self._task.view / key
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file_answer(folder, result)
        return Ended(
            key,
            result.case_id,
            kind_of(result),
            result.status.value,
            answer_line(result),
            confidence_text(result),
            color_of(result),
            any(file.thumbnail_jpeg for file in result.files[:1]),
            filed,
        )

    def _map(self, event: TilesScored, part: Part) -> None:
        """Keep what is scored of a slide until its answer comes: it is shown, nothing rests on it.

        A full disk is said where it matters.
        """
        case = part.cases.get(event.key)
        if event.tiles is None or case is None or case.kind != "slide":
            return
        with suppress(OSError):
            if case.key not in self._maps:
                stamp = find_model(part.options.model).stamp()
                self._maps[case.key] = LiveMap(self._task.view / case.key, stamp)
            self._maps[case.key].add(event.tiles)

    def _second_looks(self, runs: int) -> None:
        """Ask another model about single pictures that the first one would not judge.

        Its answer stands where it finds its own kind in them; else the first one does, also where
        this run comes to no end.
        """
        try:
            for number, (model, cases) in enumerate(self._asked.items(), start=runs + 1):
                self._part(again(self._task, cases, model, number))
        except LungScanError as error:
            self._send(Noticed(str(error)))
        for ended in self._first.values():
            self._send(ended)


def main() -> None:
    """Load what every job needs, then wait for one. Whoever looks at a picture goes first."""
    give_way()
    with beforehand() as launched:
        import_ahead("auto")
        serve(lambda task, stop, send: Work(task, stop, send, launched).run())


if __name__ == "__main__":
    main()
