"""The one path: from what a person pointed at to filed results.

``scan`` is a generator of events. Closing it cancels; while it waits for a file, another thread can
stop it. Here all that a run needs is made, in the order of what has to be waited for longest; the
run itself is ``lungscan.scanning.run``.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from threading import Event

from lungscan.errors import MachineError
from lungscan.events import Notice, ScanEvent
from lungscan.layout import RECORD
from lungscan.model.card import ModelCard, find_model
from lungscan.model.doubt import require_proven, stated
from lungscan.model.novelty import load_novelty
from lungscan.opening.choice import open_readers
from lungscan.opening.launch import Launched
from lungscan.opening.retrying import PatientReaders
from lungscan.options import ScanOptions
from lungscan.results.lock import output_lock
from lungscan.results.provenance import settings_of
from lungscan.results.store import RunStore
from lungscan.runtimes import load_runtime
from lungscan.runtimes.fallback import FallbackRuntime
from lungscan.runtimes.runtime import import_ahead
from lungscan.scanning.deidentify import nameless_errors, write_names
from lungscan.scanning.planning import (
    PlannedCase,
    check_options,
    find_inputs,
    looks_like_fields,
    plan,
)
from lungscan.types import InputFile, Inputs
from lungscan.workers import available_threads

__all__ = ["PlannedCase", "check_options", "plan", "scan"]


def scan(
    options: ScanOptions, launched: Launched | None = None, stop: Event | None = None
) -> Generator[ScanEvent, None, None]:
    """Classify everything that ``options`` point at, and write the results.

    Fields come first, because they are answered at once, then the slides one by one; the tables
    at the end list all cases in the order of the inputs.

    Args:
        launched: a reader process that was started beforehand, see ``lungscan.opening.launch``.
        stop: set it, from any thread, to end the run at its next step, even while a file is being
            opened: no ``RunFinished`` comes then, and what was finished stays on the disk. It is
            set as well once the run has been left.

    Raises:
        UsageProblem, NothingToDo, ModelError, MachineError, OutputLocked: nothing more can be
            done; what was finished stays on the disk. Trouble with a single case is no error but
            a ``CaseFinished`` whose result says so.
    """
    check_options(options)
    card = stated(find_model(options.model))
    require_proven(card, unproven=options.unproven)
    inputs = find_inputs(options)
    store = RunStore(options.out)
    with ExitStack() as stack:
        stack.enter_context(nameless_errors(inputs.hidden))
        stack.enter_context(output_lock(options.out))
        threads = options.threads or available_threads()
        jobs = threads + 1  # one waits for its reader or the disk while the others use the cores
        ending = stop or Event()
        opened = stack.enter_context(open_readers(options, card, jobs, launched))
        readers = PatientReaders(opened, ending)
        if first := _first_slide(inputs, store):
            readers.begin(first)
        with _loading(card, options, threads) as network:
            # What follows takes as long to import as the network to compile.
            from lungscan.classification.case_record import RunContext
            from lungscan.classification.scoring import Scorer
            from lungscan.classification.tools import Tools
            from lungscan.scanning.ledger import Ledger
            from lungscan.scanning.run import Run
            from lungscan.workers import Stopped, Workers
        runtime = network.result()
        novelty = load_novelty(card.folder / "novelty.safetensors")
        if options.fresh:  # only now: a run that cannot begin must not cost an earlier one
            store.forget()
        store.tidy()
        if options.deidentify:
            store.refuse_names()
        if options.names:
            write_names(options.names, inputs.hidden)
        run = RunContext(options, card, runtime.device, *settings_of(options, card))
        workers = stack.enter_context(Workers(jobs, ending, readers.stop))
        tools = Tools(run, store, Scorer(card, runtime, novelty), workers, readers)
        try:
            yield from _with_news(Run(tools, inputs, Ledger(run, store, inputs)).events(), runtime)
        except Stopped:
            return
        except MemoryError as error:
            raise MachineError(
                "This machine ran out of memory. Try a smaller --batch-size or fewer --threads, "
                "or close other programs."
            ) from error


@contextmanager
def _loading(
    card: ModelCard, options: ScanOptions, threads: int
) -> Iterator[Future[FallbackRuntime]]:
    """The network, loaded by the end of the block; a thread of its own has it compiled."""
    import_ahead(options.device)  # two threads that import at once only wait for each other
    load = partial(load_runtime, card)
    with ThreadPoolExecutor(1, "loading") as beside:
        yield beside.submit(FallbackRuntime, load, options.device, threads, options.batch_size)


def _with_news(
    events: Generator[ScanEvent, None, None], runtime: FallbackRuntime
) -> Generator[ScanEvent, None, None]:
    """The events, and between them what the runtime has to tell."""
    with closing(events):
        for event in events:
            yield event
            yield from map(Notice, runtime.news())


def _first_slide(inputs: Inputs, store: RunStore) -> InputFile | None:
    """The slide to open while the network loads, if it will be needed first."""
    for case in inputs.cases:
        if not looks_like_fields(case):
            known = (store.folder(case.key) / RECORD).exists()
            return None if known else case.files[0]
    return None
