"""The one path: from what a person pointed at to filed results. Only this module knows the order.

``scan`` is a generator of events; closing it cancels. A small pool of workers each reads tiles and
scores them, so decoding and inference share the cores evenly without more threads than cores.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from threading import Event

from lungscan.cards import find_model
from lungscan.errors import MachineError
from lungscan.events import CaseStarted, Notice, RunStarted, ScanEvent
from lungscan.fields import FieldOutcome, field_jobs, score_fields
from lungscan.hiding import nameless_errors, write_names
from lungscan.ledger import DriveAway, Ledger, Written
from lungscan.lock import output_lock
from lungscan.novelty import load_novelty
from lungscan.options import ScanOptions
from lungscan.outcome import RunContext, skipped_file
from lungscan.planning import PlannedCase, check_options, find_inputs, plan
from lungscan.provenance import settings_of
from lungscan.readers import PatientReaders, open_readers
from lungscan.runtimes import load_runtime
from lungscan.runtimes.base import available_threads
from lungscan.runtimes.fallback import FallbackRuntime
from lungscan.scoring import Scorer
from lungscan.slides import BegunCase, begin_case, drop_case, score_case
from lungscan.store import RunStore
from lungscan.tools import Tools
from lungscan.types import CaseInput, CaseStatus, InputFile, Inputs
from lungscan.workers import Workers

WRITERS = 8  # records of fields on their way to the disk at once

__all__ = ["PlannedCase", "check_options", "plan", "scan"]


def scan(options: ScanOptions) -> Generator[ScanEvent, None, None]:
    """Classify everything that ``options`` point at, and write the results.

    Fields come first, because they are answered at once, then the slides one by one; the tables
    at the end list all cases in the order of the inputs.

    Raises:
        UsageProblem, NothingToDo, ModelError, MachineError, OutputLocked: nothing more can be
            done; what was finished stays on the disk. Trouble with a single case is no error but
            a ``CaseFinished`` whose result says so.
    """
    check_options(options)
    card = find_model(options.model)
    inputs = find_inputs(options)
    store = RunStore(options.out)
    with ExitStack() as stack:
        stack.enter_context(nameless_errors(inputs.hidden))
        stack.enter_context(output_lock(options.out))
        threads = options.threads or available_threads()
        jobs = threads + 1  # one waits for its reader or the disk while the others use the cores
        ending = Event()
        readers = PatientReaders(stack.enter_context(open_readers(options, card, jobs)), ending)
        if first := _first_slide(inputs, store):
            readers.begin(first)
        load = partial(load_runtime, card)
        runtime = FallbackRuntime(load, options.device, threads, options.batch_size)
        scorer = Scorer(card, runtime, load_novelty(card.folder / "novelty.safetensors"))
        if options.fresh:  # only now: a run that cannot begin must not cost an earlier one
            store.forget()
        store.tidy()
        if options.deidentify:
            store.refuse_names()
        if options.names:
            write_names(options.names, inputs.hidden)
        run = RunContext(options, card, runtime.device, *settings_of(options, card))
        workers = stack.enter_context(Workers(jobs, ending))
        tools = Tools(run, store, scorer, workers, readers)
        try:
            yield from _with_news(_Run(tools, inputs, Ledger(run, store, inputs)).events(), runtime)
        except MemoryError as error:
            raise MachineError(
                "This machine ran out of memory. Try a smaller --batch-size or fewer --threads, "
                "or close other programs."
            ) from error


def _with_news(
    events: Generator[ScanEvent, None, None], runtime: FallbackRuntime
) -> Generator[ScanEvent, None, None]:
    """The events, and between them what the runtime has to tell."""
    with closing(events):
        for event in events:
            yield event
            yield from map(Notice, runtime.news())


@dataclass(frozen=True)
class _Run:
    """One run in progress."""

    tools: Tools
    inputs: Inputs
    ledger: Ledger

    def events(self) -> Generator[ScanEvent, None, None]:
        """Everything from the first case to the last file."""
        run, cases, skipped = self.tools.run, self.inputs.cases, self.inputs.skipped
        yield RunStarted(len(cases), len(skipped), run.card.name, run.device, run.options.out)
        for file in skipped:
            yield self.ledger.record(self.ledger.write(skipped_file(file, run)))
        fields = [case for case in cases if _looks_like_fields(case)]
        slides = [case for case in cases if not _looks_like_fields(case)]
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

        def work(part: Sequence[CaseInput]) -> list[FieldOutcome]:
            return score_fields(part, self.tools, picture)

        def write(outcome: FieldOutcome) -> Written | CaseInput:
            if outcome.result is None:
                return outcome.case
            return self.ledger.write(outcome.result, resumed=outcome.resumed)

        with ExitStack() as stack:
            jobs = stack.enter_context(self.tools.workers.in_order(work, field_jobs(cases)))
            # A record waits for the disk, not for the CPU, so writers come on top of the workers.
            writers = stack.enter_context(Workers(WRITERS))
            outcomes = chain.from_iterable(jobs)
            for done in stack.enter_context(writers.in_order(write, outcomes)):
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
            for begun in opened:
                with begun.files:
                    yield CaseStarted(begun.case.key, begun.case.case_id, self.ledger.next_index)
                    result = yield from score_case(begun, self.tools)
                recorded = self.ledger.record(self.ledger.write(result, resumed=begun.resumed))
                if recorded.result.status is not CaseStatus.FAILED:  # a failed one is tried again
                    self.tools.store.drop_journals(begun.case.key)
                yield recorded
                self.ledger.require_drive()


def _first_slide(inputs: Inputs, store: RunStore) -> InputFile | None:
    """The slide to open while the network loads, if it will be needed first."""
    for case in inputs.cases:
        if not _looks_like_fields(case):
            known = (store.folder(case.key) / "case.json").exists()
            return None if known else case.files[0]
    return None


def _looks_like_fields(case: CaseInput) -> bool:
    """Whether no file is a slide, as far as the names tell."""
    return all(file.kind == "field" for file in case.files)
