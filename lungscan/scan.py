"""The one path: from what a person pointed at to filed results. Only this module knows the order.

``scan`` is a generator of events; closing it cancels. A small pool of workers each reads tiles and
scores them, so decoding and inference share the cores evenly without more threads than cores.
"""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

import numpy as np

from lungscan import __version__
from lungscan.aggregate import rule_named
from lungscan.cards import ModelCard, find_model
from lungscan.errors import CaseError, LungScanError, NothingToDo, UnreadableFile, UsageProblem
from lungscan.events import CaseFinished, CaseStarted, RunFinished, RunStarted, ScanEvent, TilesScored
from lungscan.fields import score_fields
from lungscan.inputs import discover
from lungscan.novelty import load_novelty
from lungscan.options import ScanOptions
from lungscan.outcome import (
    RunContext,
    failed_case,
    finished_case,
    pick_pictures,
    skipped_file,
    utc_now,
)
from lungscan.prepare import Plan, plan_file
from lungscan.report.run_json import RunSummary
from lungscan.report.write import FEW_FIELDS, write_case_files, write_run_files
from lungscan.runtimes import load_runtime
from lungscan.runtimes.base import available_threads
from lungscan.scoring import Scorer, TileBatch, join
from lungscan.store import RunStore
from lungscan.types import CaseInput, CaseResult, CaseStatus, Inputs, TileScores

SETTINGS_SCHEMA = 1  # raise it when tiling, quality limits or rules change their meaning
AHEAD = 2  # jobs in flight per worker: enough to keep it busy, few enough to bound memory
FIELDS_PER_JOB = 16

T = TypeVar("T")


@dataclass(frozen=True)
class PlannedCase:
    """What ``--dry-run`` says of a case."""

    case_id: str
    kind: str
    tiles: int
    mpp: float | None
    note: str


def plan(options: ScanOptions) -> tuple[PlannedCase, ...]:
    """Open and tile every case without loading the network or writing anything.

    Raises:
        LungScanError: as ``scan``.
    """
    check_options(options)
    card = find_model(options.model)
    inputs = _inputs(options)
    return tuple(_plan_case(case, options, card) for case in inputs.cases) + tuple(
        PlannedCase(file.relative_path, "skipped", 0, None, file.reason) for file in inputs.skipped
    )


def _plan_case(case: CaseInput, options: ScanOptions, card: ModelCard) -> PlannedCase:
    tiles, mpp, notes = 0, None, []
    for file in case.files:
        try:
            planned = plan_file(file, options, card, picture=False, digest="-")
        except CaseError as error:
            notes.append(str(error))
            continue
        planned.source.close()
        tiles += len(planned.grid.boxes)
        mpp = planned.result.info.scale.mpp_um
        notes.extend(planned.result.info.scale.flags)
    return PlannedCase(case.case_id, case.files[0].kind, tiles, mpp, " ".join(notes))


def scan(options: ScanOptions) -> Generator[ScanEvent, None, None]:
    """Classify everything that ``options`` point at, and write the results.

    Raises:
        UsageProblem, NothingToDo, ModelError, MachineError, OutputLocked: nothing more can be
            done; what was finished stays on the disk. Trouble with a single case is no error but
            a ``CaseFinished`` whose result says so.
    """
    check_options(options)
    card = find_model(options.model)
    inputs = _inputs(options)
    store = RunStore(options.out)
    with ExitStack() as stack:
        stack.enter_context(store.locked())
        if options.fresh:
            store.forget()
        threads = options.threads or available_threads()
        runtime = load_runtime(card, options.device, threads, options.batch_size)
        scorer = Scorer(card, runtime, load_novelty(card.folder / "novelty.safetensors"))
        run = RunContext(options, card, runtime.device, *_settings(options, card))
        pool = ThreadPoolExecutor(threads, "lungscan")
        stack.callback(pool.shutdown, wait=True, cancel_futures=True)
        yield from _Run(run, store, scorer, pool, threads, inputs).events()


def check_options(options: ScanOptions) -> None:
    """Refuse values that make no sense before anything is opened.

    Raises:
        UsageProblem: which value, and what it may be.
    """
    rule_named(options.rule)
    if options.mpp is not None and not 0.05 <= options.mpp <= 10:
        raise UsageProblem(
            f"--mpp {options.mpp:g} is not a plausible pixel size: it must lie between 0.05 and 10 "
            "µm per pixel (usual: 0.25 at 40x, 0.5 at 20x)."
        )
    if not 0 <= options.overlap <= 0.75:
        raise UsageProblem("--overlap must lie between 0 and 0.75 of a tile's side.")
    for name in ("batch_size", "threads"):
        value = getattr(options, name)
        if value is not None and not 1 <= value <= 4096:
            raise UsageProblem(f"--{name.replace('_', '-')} must lie between 1 and 4096.")


def _inputs(options: ScanOptions) -> Inputs:
    inputs = discover(options.paths, options.cases)
    if not inputs.cases and not any(file.error_code for file in inputs.skipped):
        raise NothingToDo(
            f"No slide or field image was found ({len(inputs.skipped)} other files were skipped). "
            "LungScan reads what OpenSlide opens, and JPEG, PNG, TIFF, BMP and WebP."
        )
    return inputs


def _settings(options: ScanOptions, card: ModelCard) -> tuple[tuple[tuple[str, str], ...], str]:
    """What can change an answer besides input and model, as shown and as a hash."""
    shown = (
        ("rule", options.rule),
        ("abstain", options.abstain),
        ("overlap", f"{options.overlap:g}"),
        ("mpp", "from the file" if options.mpp is None else f"{options.mpp:g} given"),
        ("tile", f"{card.patch_size_pixels} px at {card.spacing_um_px:g} µm/px"),
        ("settings_schema", str(SETTINGS_SCHEMA)),
    )
    return shown, sha256(json.dumps(shown).encode()).hexdigest()


class _Run:
    """One run in progress."""

    def __init__(
        self,
        run: RunContext,
        store: RunStore,
        scorer: Scorer,
        pool: ThreadPoolExecutor,
        threads: int,
        inputs: Inputs,
    ) -> None:
        self._run, self._store, self._scorer, self._pool = run, store, scorer, pool
        self._window = threads * AHEAD
        self._inputs = inputs
        self._slim: dict[str, CaseResult] = {}
        self._index = 0
        self._resumed = 0
        fields = sum(case.files[0].kind == "field" for case in inputs.cases)
        self._few_fields = fields <= FEW_FIELDS

    def events(self) -> Generator[ScanEvent, None, None]:
        """Everything from the first case to the last file."""
        clock, started = time.perf_counter(), utc_now()
        cases, skipped = self._inputs.cases, self._inputs.skipped
        yield RunStarted(
            len(cases),
            len(skipped),
            0,
            self._run.card.name,
            self._run.device,
            self._run.options.out,
        )
        for file in skipped:
            yield self._finish(skipped_file(file, self._run))
        for group in _by_kind(cases):
            if _is_simple(group[0]):
                yield from self._fields(group)
            else:
                yield from self._slides(group)
        seconds = time.perf_counter() - clock
        summary = self._summary(started, seconds)
        ordered = [self._slim[key] for key in summary.case_keys]
        pdf = self._run.options.pdf != "none"
        write_run_files(self._run.options.out, ordered, summary, pdf=pdf)
        yield RunFinished(
            summary.ok,
            summary.no_result,
            summary.partial,
            summary.failed,
            summary.skipped,
            summary.tiles,
            seconds,
            self._run.options.out,
        )

    def _fields(self, cases: list[CaseInput]) -> Iterator[ScanEvent]:
        """Single field images: many files share a batch, and a job reads, scores and judges 16."""
        picture = self._wants_files("field")
        jobs = (
            self._pool.submit(score_fields, part, self._run, self._scorer, self._store, picture)
            for part in _chunks(cases, FIELDS_PER_JOB)
        )
        for done in _in_order(jobs, self._window):
            for outcome in done:
                yield self._finish(outcome.result, resumed=outcome.resumed)

    def _slides(self, cases: list[CaseInput]) -> Iterator[ScanEvent]:
        """Cases of slides or of several files, one after the other; the next is opened meanwhile."""
        jobs = (self._pool.submit(self._open, case) for case in cases)
        for opened in _in_order(jobs, 2):
            yield CaseStarted(opened.case.key, opened.case.case_id, self._index + 1)
            if opened.earlier is not None:
                yield self._finish(opened.earlier, resumed=True)
                continue
            try:
                result = yield from self._score(opened)
            finally:
                for planned in opened.plans:
                    planned.source.close()
            yield self._finish(result)

    def _open(self, case: CaseInput) -> _Opened:
        clock, started = time.perf_counter(), utc_now()
        plans: list[Plan] = []
        problems: list[LungScanError] = []
        for file in case.files:
            try:
                planned = plan_file(file, self._run.options, self._run.card, picture=True)
                plans.append(planned)
            except CaseError as error:
                problems.append(error)
            except Exception as error:  # libraries raise many kinds on damaged files; one case fails
                problems.append(unexpected(error))
        earlier = None
        if not problems:
            hashes = tuple(planned.result.sha256 for planned in plans)
            earlier = self._store.finished(
                case, hashes, self._run.card.sha256, self._run.settings_hash
            )
        if earlier is not None:
            for planned in plans:
                planned.source.close()
            plans = []
        return _Opened(case, tuple(plans), tuple(problems), earlier, started, time.perf_counter() - clock)

    def _score(self, opened: _Opened) -> Generator[ScanEvent, None, CaseResult]:
        clock, case, run = time.perf_counter() - opened.seconds, opened.case, self._run
        if not opened.plans:
            return failed_case(
                case, run, opened.problems[0], opened.started, time.perf_counter() - clock
            )
        total = sum(len(planned.grid.boxes) for planned in opened.plans)
        scores: list[TileScores] = []
        done = 0
        for index, planned in enumerate(opened.plans):
            batches: list[TileBatch] = []
            jobs = (
                self._pool.submit(self._score_tiles, planned, start, stop)
                for start, stop in _spans(len(planned.grid.boxes), self._scorer.runtime.batch_size)
            )
            for batch in _in_order(jobs, self._window):
                batches.append(batch)
                done += len(batch.state)
                yield TilesScored(case.key, done, total)
            scores.append(join(batches, planned.grid.boxes, index, len(run.card.class_names)))
        return finished_case(
            case,
            run,
            [planned.result for planned in opened.plans],
            scores,
            pick_pictures(opened.plans, scores),
            opened.problems,
            opened.started,
            time.perf_counter() - clock,
        )

    def _score_tiles(self, planned: Plan, start: int, stop: int) -> TileBatch:
        pixels = planned.source.read_tiles(planned.grid.boxes[start:stop], planned.grid.size_px)
        return self._scorer.score(pixels, planned.fraction[start:stop])

    def _finish(self, result: CaseResult, *, resumed: bool = False) -> CaseFinished:
        """Put a case on the disk, keep what the tables need, and tell of it."""
        options = self._run.options
        files = bool(result.files) and self._wants_files(result.files[0].kind)
        folder = self._store.folder(result.key)
        if not (resumed and (not files or (folder / "tiles.csv").exists())):
            write_case_files(
                folder,
                result,
                pdf=files and options.pdf in ("auto", "cases"),
                heatmap=files and options.heatmap,
                geojson=files and options.geojson,
                tiles_csv=files,
            )
        self._index += 1
        self._resumed += resumed
        files_slim = tuple(replace(file, thumbnail_jpeg=None) for file in result.files)
        self._slim[result.key] = replace(result, scores=(), pictures=(), files=files_slim)
        return CaseFinished(result, self._index, resumed)

    def _wants_files(self, kind: str) -> bool:
        """Whether a case of this kind gets more than ``case.json``."""
        return kind == "slide" or self._few_fields or self._run.options.pdf == "cases"

    def _summary(self, started: str, seconds: float) -> RunSummary:
        results = self._slim.values()
        ended = Counter(result.status for result in results)
        keys = [case.key for case in self._inputs.cases] + [f.key for f in self._inputs.skipped]
        return RunSummary(
            model=self._run.card.stamp(),
            lungscan_version=__version__,
            versions=library_versions(),
            settings=self._run.settings,
            settings_hash=self._run.settings_hash,
            device=self._run.device,
            started_utc=started,
            finished_utc=utc_now(),
            seconds=seconds,
            ok=ended[CaseStatus.OK],
            no_result=ended[CaseStatus.NO_RESULT],
            partial=ended[CaseStatus.PARTIAL],
            failed=ended[CaseStatus.FAILED],
            skipped=ended[CaseStatus.SKIPPED],
            tiles=sum(result.counts.total for result in results),
            resumed=self._resumed,
            case_keys=tuple(keys),
        )


@dataclass(frozen=True)
class _Opened:
    """A case whose files are open and planned, or are known not to open."""

    case: CaseInput
    plans: tuple[Plan, ...]
    problems: tuple[LungScanError, ...]
    earlier: CaseResult | None
    started: str
    seconds: float


def unexpected(error: Exception) -> LungScanError:
    """An error that nobody foresaw, as the failure of one case."""
    return UnreadableFile(
        f"The file made a library fail in an unexpected way ({type(error).__name__}: {error}). "
        "It is probably damaged; if other programs open it, please report this.",
        code="E_UNEXPECTED",
    )


def library_versions() -> tuple[tuple[str, str], ...]:
    """Versions of the libraries that can change an answer."""
    found = []
    for name in ("numpy", "pillow", "openslide-python", "openslide-bin", "openvino", "torch"):
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return tuple(found)


def _is_simple(case: CaseInput) -> bool:
    """Whether a case is one field image, as far as its name tells."""
    return len(case.files) == 1 and case.files[0].kind == "field"


def _by_kind(cases: Iterable[CaseInput]) -> Iterator[list[CaseInput]]:
    """Runs of cases that are handled alike, in order."""
    group: list[CaseInput] = []
    for case in cases:
        if group and _is_simple(case) != _is_simple(group[0]):
            yield group
            group = []
        group.append(case)
    if group:
        yield group


def _chunks(cases: list[CaseInput], size: int) -> Iterator[list[CaseInput]]:
    return (cases[start : start + size] for start in range(0, len(cases), size))


def _spans(total: int, size: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + size, total)) for start in range(0, total, size))


def _in_order(jobs: Iterable[Future[T]], window: int) -> Iterator[T]:
    """Results in the order of submission, with at most ``window`` jobs submitted ahead."""
    waiting: deque[Future[T]] = deque()
    for job in jobs:
        waiting.append(job)
        if len(waiting) >= window:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


