"""The one path: from what a person pointed at to filed results.

``scan`` is a generator of events. Closing it cancels; while it waits for a file, another thread can
stop it. Here all that a run needs is made, in the order of what has to be waited for longest; the
run itself is ``lungscan.scanning.run``.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, closing
from threading import Event

from lungscan.classification.loading import Loading, begin_loading, wanted_model
from lungscan.events import Notice, ScanEvent
from lungscan.layout import RECORD
from lungscan.model.card import ModelCard
from lungscan.opening.launch import Launched
from lungscan.options import ScanOptions
from lungscan.results.store import RunStore
from lungscan.scanning.deidentify import nameless_errors
from lungscan.scanning.part import Part
from lungscan.scanning.planning import check_options, find_inputs, looks_like_fields
from lungscan.types import InputFile, Inputs


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
    card = wanted_model(options)
    yield from run_part(_part(options, card, find_inputs(options)), card, launched, stop)


def _part(options: ScanOptions, card: ModelCard, found: Inputs) -> Part:
    """What this process takes of all that was found."""
    if options.shard is None:
        return Part(options, found)
    from lungscan.scanning.sharding.shard import ShardPart

    return ShardPart(options, options.shard, card, found)


def run_part(
    part: Part, card: ModelCard, launched: Launched | None = None, stop: Event | None = None
) -> Generator[ScanEvent, None, None]:
    """Classify one part of a run; for the rest see ``scan``."""
    options, store = part.options, RunStore(part.options.out)
    with ExitStack() as stack:
        stack.enter_context(nameless_errors(part.inputs.hidden))
        stack.enter_context(part.lock())
        first = _first_slide(part.inputs, store)
        loading = stack.enter_context(
            begin_loading(options, card, launched=launched, stop=stop, first=first)
        )
        # What follows takes as long to import as the network to compile.
        from lungscan.scanning.run import Run
        from lungscan.workers import Stopped

        classifier = loading.classifier()
        part.prepare(store)  # only now: a run that cannot begin must not cost an earlier one
        ledger = part.ledger(classifier.run, store)
        try:
            yield from _with_news(Run(classifier, store, part.inputs, ledger).events(), loading)
        except Stopped:
            return


def _with_news(
    events: Generator[ScanEvent, None, None], loading: Loading
) -> Generator[ScanEvent, None, None]:
    """The events, and between them what the runtime has to tell."""
    with closing(events):
        for event in events:
            yield event
            yield from map(Notice, loading.notices())


def _first_slide(inputs: Inputs, store: RunStore) -> InputFile | None:
    """The slide to open while the network loads, if it will be needed first."""
    for case in inputs.cases:
        if not looks_like_fields(case):
            known = (store.folder(case.key) / RECORD).exists()
            return None if known else case.files[0]
    return None
