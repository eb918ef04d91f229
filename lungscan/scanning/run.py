"""One run in progress: its cases in their order, from the first event to the last.

A small pool of workers each reads tiles and scores them, so decoding and inference share the cores
evenly without more threads than cores.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain

from lungscan.classification.case_record import skipped_file
from lungscan.classification.large_cases import BegunCase, begin_case, drop_case, score_case
from lungscan.classification.small_cases import FieldOutcome, field_jobs, score_fields
from lungscan.classification.tools import Tools
from lungscan.events import CaseStarted, Notice, RunStarted, ScanEvent
from lungscan.scanning.ledger import DriveAway, Ledger, Written
from lungscan.scanning.planning import looks_like_fields
from lungscan.types import CaseInput, CaseStatus, Inputs
from lungscan.workers import Workers

WRITERS = 8  # records of fields on their way to the disk at once


@dataclass(frozen=True)
class Run:
    """What classifies the inputs; made once."""

    tools: Tools
    inputs: Inputs
    ledger: Ledger
    _started: set[str] = field(default_factory=set)  # keys of cases

    def events(self) -> Generator[ScanEvent, None, None]:
        """Everything from the first case to the last file."""
        run, cases, skipped = self.tools.run, self.inputs.cases, self.inputs.skipped
        yield RunStarted(len(cases), len(skipped), run.card.name, run.device, run.options.out)
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
        taken: deque[CaseInput] = deque()  # cases of jobs that nobody was told of yet

        def jobs() -> Iterator[list[CaseInput]]:
            for job in field_jobs(cases):
                taken.extend(job)
                yield job

        def work(part: Sequence[CaseInput]) -> list[FieldOutcome]:
            return score_fields(part, self.tools, picture)

        def write(outcome: FieldOutcome) -> Written | CaseInput:
            if outcome.result is None:
                return outcome.case
            return self.ledger.write(outcome.result, resumed=outcome.resumed)

        with ExitStack() as stack:
            scored = stack.enter_context(self.tools.workers.in_order(work, jobs()))
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

        def work(case: CaseInput) -> BegunCase:
            return begin_case(case, self.tools)

        with self.tools.workers.in_order(work, cases, ahead=1, drop=drop_case) as opened:
            for case in cases:
                yield from self._take_up(deque([case]))
                begun = next(opened)
                with begun.files:
                    result = yield from score_case(begun, self.tools)
                recorded = self.ledger.record(self.ledger.write(result, resumed=begun.resumed))
                if recorded.result.status is not CaseStatus.FAILED:  # a failed one is tried again
                    self.tools.store.drop_journals(begun.case.key)
                yield recorded
                self.ledger.require_drive()

    def _take_up(self, cases: deque[CaseInput]) -> Iterator[CaseStarted]:
        """Tell of each once: a picture that turned out to be a slide is taken up twice."""
        while cases:
            case = cases.popleft()
            if case.key not in self._started:
                self._started.add(case.key)
                index = len(self.inputs.skipped) + len(self._started)
                yield CaseStarted(case.key, case.case_id, index)
