"""One run in progress: its cases in their order, from the first event to the last.

A small pool of workers each reads tiles and scores them, so decoding and inference share the cores
evenly without more threads than cores.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from lungscan.classification.case_record import skipped_file
from lungscan.classification.classifier import Classifier
from lungscan.classification.large_cases import BegunCase, drop_case
from lungscan.classification.small_cases import field_jobs
from lungscan.events import CaseStarted, Notice, RunStarted, ScanEvent
from lungscan.results.store import RunStore
from lungscan.scanning.ledger import DriveAway, Ledger, Written
from lungscan.scanning.planning import looks_like_fields
from lungscan.types import CaseInput, CaseResult, CaseStatus, Inputs
from lungscan.workers import Workers

WRITERS = 8  # records of fields on their way to the disk at once


@dataclass(frozen=True)
class Outcome:
    """How a case of fields ended; ``result`` is None when it holds a slide after all."""

    case: CaseInput
    result: CaseResult | None
    resumed: bool = False  # an earlier run had finished it


@dataclass(frozen=True)
class Run:
    """What classifies the inputs; made once."""

    classifier: Classifier
    store: RunStore
    inputs: Inputs
    ledger: Ledger
    _started: set[str] = field(default_factory=set)  # keys of cases

    def events(self) -> Generator[ScanEvent, None, None]:
        """Everything from the first case to the last file."""
        run, cases, skipped = self.classifier.run, self.inputs.cases, self.inputs.skipped
        card, counts = run.card, (len(cases), len(skipped))
        yield RunStarted(*counts, card.name, run.device, self.store.out, card.modality)
        for file in skipped:
            yield self.ledger.record(self.ledger.write(skipped_file(file, run)))
        fields = [case for case in cases if looks_like_fields(case)]
        slides = [case for case in cases if not looks_like_fields(case)]
        try:
            slides += yield from self._fields(fields)
            yield from self._slides(slides)
        except DriveAway:
            self.ledger.fill()
            self.ledger.close()  # the tables of what is finished
            yield from map(Notice, self.ledger.notices)
            raise
        finished = self.ledger.close()
        yield from map(Notice, self.ledger.notices)
        yield finished

    def _fields(self, cases: Sequence[CaseInput]) -> Generator[ScanEvent, None, list[CaseInput]]:
        """Many fields share a job and a batch. Returns the cases that hold a slide after all."""
        picture = self.ledger.wants_files("field")
        slides = []
        taken: deque[CaseInput] = deque()  # cases of jobs that no event has named yet

        def jobs() -> Iterator[list[CaseInput]]:
            for job in field_jobs(cases):
                taken.extend(job)
                yield job

        def work(part: Sequence[CaseInput]) -> list[Outcome]:
            earlier = {case.key: self._earlier(case, pictures=picture) for case in part}
            todo = [case for case in part if not earlier[case.key]]
            fresh = iter(self.classifier.small(todo, picture=picture) if todo else ())
            return [
                Outcome(case, known, resumed=True)
                if (known := earlier[case.key])
                else Outcome(case, next(fresh))
                for case in part
            ]

        def write(outcome: Outcome) -> Written | CaseInput:
            if outcome.result is None:
                return outcome.case
            return self.ledger.write(outcome.result, resumed=outcome.resumed)

        with ExitStack() as stack:
            scored = stack.enter_context(self.classifier.workers.in_order(work, jobs()))
            yield from self._take_up(taken)
            # A record waits for the disk, not for the CPU, so writers come on top of the workers.
            writers = stack.enter_context(Workers(WRITERS))
            outcomes = chain.from_iterable(scored)
            for done in stack.enter_context(writers.in_order(write, outcomes)):
                yield from self._take_up(taken)
                if isinstance(done, Written):
                    yield self.ledger.record(done)
                    self.ledger.require_drive()
                else:
                    slides.append(done)
        return slides

    def _slides(self, cases: Sequence[CaseInput]) -> Generator[ScanEvent, None, None]:
        """One after the other, the next one opened meanwhile."""

        def work(case: CaseInput) -> CaseResult | BegunCase:
            return self._earlier(case, pictures=True) or self.classifier.begin(case)

        with self.classifier.workers.in_order(work, cases, ahead=1, drop=_drop) as opened:
            for case in cases:
                yield from self._take_up(deque([case]))
                found = next(opened)
                if isinstance(found, CaseResult):
                    written = self.ledger.write(found, resumed=True)
                else:
                    journal = partial(self.store.journal, case.key)
                    with found.files:
                        result = yield from self.classifier.finish(found, journal)
                    written = self.ledger.write(result)
                recorded = self.ledger.record(written)
                if recorded.result.status is not CaseStatus.FAILED:  # a failed one is tried again
                    self.store.drop_journals(case.key)
                yield recorded
                self.ledger.require_drive()

    def _earlier(self, case: CaseInput, *, pictures: bool) -> CaseResult | None:
        """What an earlier run has found out about the same case with the same settings."""
        run = self.classifier.run
        return self.store.finished(case, run.card.sha256, run.settings_hash, pictures=pictures)

    def _take_up(self, cases: deque[CaseInput]) -> Iterator[CaseStarted]:
        """Tell of each once: a picture that turned out to be a slide is taken up twice."""
        while cases:
            case = cases.popleft()
            if case.key not in self._started:
                self._started.add(case.key)
                index = len(self.inputs.skipped) + len(self._started)
                yield CaseStarted(case.key, case.case_id, index)


def _drop(found: CaseResult | BegunCase) -> None:
    if isinstance(found, BegunCase):
        drop_case(found)
