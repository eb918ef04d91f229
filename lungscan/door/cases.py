"""Cases and their results: classify, scan, plan, rebuild, verify, reviews, read_results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from lungscan.door.jobs import (
    CasePlanned,
    FileChecked,
    PlanFinished,
    RebuildFinished,
    RebuildOptions,
    ReviewsFinished,
    ReviewsOptions,
    VerifyFinished,
    VerifyOptions,
)
from lungscan.door.stopping import until
from lungscan.errors import NothingToDo, UsageProblem
from lungscan.options import DEFAULT_MODEL, ClassifierOptions, ScanOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from lungscan.events import ScanEvent
    from lungscan.opening.launch import Launched

    Scan = Callable[[ScanOptions, Launched | None, Event | None], Generator[ScanEvent, None, None]]
    from lungscan.types import CaseResult


def classify(path: str | Path, *, model: str = DEFAULT_MODEL, **options: Any) -> CaseResult:
    """The answer to one case: a slide, a field image, or the folder of a DICOM slide.

    Nothing is written. For many cases use ``scan``: it loads the model once.

    Args:
        path: the image.
        model: a shipped model's name, or a model folder.
        options: any other field of ``lungscan.options.ClassifierOptions``: ``mpp``, ``device``,
            ``abstain`` ...

    Returns:
        The same record that a run keeps as ``case.json``. A case that cannot be classified is no
        error: its ``status``, ``error_code`` and ``error_message`` say why.

    Raises:
        NothingToDo: there is no image.
        UsageProblem: there are several cases, or an option makes no sense.
        ModelError, MachineError: model or machine stand in the way.
    """
    from lungscan.opening.launch import beforehand

    chosen = ClassifierOptions(model=model, **options)
    with ExitStack() as stack:
        launched = stack.enter_context(beforehand()) if chosen.isolate else None
        from lungscan.classification.loading import load_classifier
        from lungscan.inputs import discover

        found = discover((Path(path),))
        if len(found.cases) > 1:
            raise UsageProblem(f"{path} holds {len(found.cases)} cases; give `scan` the folder.")
        if not found.cases:
            reasons = " ".join(file.reason for file in found.skipped[:1])
            raise NothingToDo(f"{path} holds no slide or field image. {reasons}".rstrip())
        classifier = stack.enter_context(load_classifier(chosen, launched=launched))
        events = classifier.large(found.cases[0])
        while True:
            try:
                next(events)
            except StopIteration as end:
                result: CaseResult = end.value
                return result


def scan(options: ScanOptions, stop: Event | None = None) -> Generator[ScanEvent, None, None]:
    """Classify everything that ``options`` point at and file the results; see ``lungscan.events``.

    A process that reads images is started before the engine's libraries are loaded. With
    ``options.watch`` the run goes on until it is stopped, in rounds that each end with
    ``RunFinished``; see ``lungscan.scanning.watching``.

    Args:
        options: what, where, how.
        stop: set it, from any thread, to end the run at its next step, even while a file is being
            opened: no ``RunFinished`` comes then, and what was finished stays on the disk. It is
            set as well once the run has been left.

    Raises:
        UsageProblem, NothingToDo, ModelError, MachineError, OutputLocked: nothing more can be
            done; what was finished stays on the disk. Trouble with a single case is no error.
    """
    from lungscan.opening.launch import beforehand

    with ExitStack() as stack:
        here = options.isolate and not options.cluster
        launched = stack.enter_context(beforehand()) if here else None
        yield from _way(options)(options, launched, stop)


def _way(options: ScanOptions) -> Scan:
    """How the options want a run: once, on a cluster, or for as long as a folder is watched."""
    if options.watch:
        from lungscan.scanning.watching.watch import watch

        return watch
    if options.cluster:
        from lungscan.cluster.driver import scan_on_cluster

        return scan_on_cluster
    from lungscan.scanning.scan import scan as run

    return run


def plan(
    options: ScanOptions, stop: Event | None = None
) -> Generator[CasePlanned | PlanFinished, None, None]:
    """Open and tile every case; no network is loaded, nothing is written.

    Raises:
        UsageProblem, NothingToDo, ModelError: as ``scan``.
    """
    from lungscan.scanning.planning import planned_cases

    def events() -> Generator[CasePlanned | PlanFinished, None, None]:
        cases = []
        for case in planned_cases(options):
            cases.append(case)
            yield CasePlanned(case)
        yield PlanFinished(tuple(cases))

    yield from until(stop, events())


def rebuild(options: RebuildOptions) -> Generator[RebuildFinished, None, None]:
    """Write the tables and reports of a run again from its ``case.json`` files.

    Raises:
        OutputLocked: a run is writing there.
        NothingToDo: there are no cases.
        UsageProblem: the folder holds a table of somebody else in the place of the run's.
        DamagedRecord: after all others are written, which cases cannot be read.
        MachineError: a file cannot be written.
    """
    from lungscan.layout import SUMMARY, TABLE
    from lungscan.report.write import rebuild as write_again
    from lungscan.results.lock import output_lock
    from lungscan.scanning.own_tables import require_own_tables

    with output_lock(options.out):
        require_own_tables(options.out, (TABLE, SUMMARY))
        rebuilt = write_again(options.out, pdf=options.pdf)
    yield RebuildFinished(rebuilt)


def verify(
    options: VerifyOptions, stop: Event | None = None
) -> Generator[FileChecked | VerifyFinished, None, None]:
    """Compare results, model and images with their checksums; nothing is written.

    Raises:
        NothingToDo, OutputLocked, UsageProblem, ModelError: see
            ``lungscan.verification.verify.verify``.
    """
    from lungscan.verification.checks import State
    from lungscan.verification.verify import verify as checks_of

    def events() -> Generator[FileChecked | VerifyFinished, None, None]:
        same: Counter[str] = Counter()
        found = []
        for check in checks_of(options.out, options.inputs, options.model):
            if check.state is State.SAME:
                same[check.area] += 1
            else:
                found.append(check)
            yield FileChecked(check)
        yield VerifyFinished(dict(same), tuple(found))

    yield from until(stop, events())


def reviews(options: ReviewsOptions) -> Generator[ReviewsFinished, None, None]:
    """Gather what people said of answers, with how often they agree; see ``lungscan.review``.

    Raises:
        NothingToDo: there is no review.
        UsageProblem: the table of groups cannot be read.
        MachineError: the table cannot be written.
    """
    from lungscan.review.reviews_table import read_reviews, write_reviews

    found = read_reviews(options.folder, options.groups)
    yield ReviewsFinished(found, write_reviews(options.out, found) if options.out else None)


def read_results(out: str | Path) -> pd.DataFrame:
    """The cases of a finished run as a table; see ``lungscan.report.results_table``."""
    from lungscan.report.results_table import read_results as read

    return read(Path(out))
