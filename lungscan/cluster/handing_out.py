"""One run on a cluster in progress: a few cases ahead, results as they come."""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any

from lungscan.classification.case_record import RunContext, failed_case, skipped_file
from lungscan.cluster.books import ClusterLedger
from lungscan.cluster.connecting import Link
from lungscan.cluster.fetching import WorkerGone, fetch, leave
from lungscan.cluster.remote import TOPIC, run_task
from lungscan.cluster.remote_tasks import Done, Job, Task, whole
from lungscan.errors import CaseError, Code, LungScanError, MachineError, UnreadableFile
from lungscan.events import CaseFinished, CaseStarted, Notice, RunStarted, ScanEvent, TilesScored
from lungscan.results.provenance import utc_now
from lungscan.results.store import RunStore
from lungscan.scanning.ledger import DriveAway
from lungscan.scanning.planning import looks_like_fields
from lungscan.types import CaseInput, CaseResult, CaseStatus, Inputs
from lungscan.workers import TICK_S, Stopped

if TYPE_CHECKING:
    from distributed import Future

AHEAD = 4  # cases handed out per worker: the scheduler keeps those that wait
LEAST_AHEAD = 16
SILENT_S = 20.0  # without a scheduler, until the run ends


class SchedulerGone(MachineError):
    """The scheduler does not answer any more."""


@dataclass
class ClusterRun:
    """What hands out the cases; made once."""

    link: Link
    job: Job
    run: RunContext
    store: RunStore
    inputs: Inputs
    ledger: ClusterLedger
    ending: Event
    _messages: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)
    _flying: dict[str, tuple[Future, Task]] = field(default_factory=dict)  # by key of the case
    _started: set[str] = field(default_factory=set)  # keys of cases
    _tries: dict[str, int] = field(default_factory=dict)  # of cases that were lost on the way
    _cases: dict[str, CaseInput] = field(default_factory=dict)
    _waiting: bool = False  # whether it was said that there are no workers

    def events(self) -> Generator[ScanEvent, None, None]:
        """Everything from the first case to the last file."""
        cases, skipped, run = self.inputs.cases, self.inputs.skipped, self.run
        yield RunStarted(
            cases=len(cases),
            skipped=len(skipped),
            model=run.card.name,
            device=self._workers_text(),
            out=self.store.out,
            modality=run.card.modality,
        )
        yield from map(Notice, self.link.notices)
        if self.link.dashboard:
            yield Notice(f"The cluster's dashboard: {self.link.dashboard}")
        for file in skipped:
            yield self.ledger.record(self.ledger.write(skipped_file(file, run)))
        self._cases = {case.key: case for case in cases}
        try:
            yield from self._all()
        except (DriveAway, SchedulerGone):
            self.ledger.fill()
            self.ledger.close()  # the tables of what is finished
            yield from map(Notice, self.ledger.notices)
            raise
        finished = self.ledger.close()
        yield from map(Notice, self.ledger.notices)
        yield finished

    def _workers_text(self) -> str:
        count = len(self.link.workers())
        return f"{count} worker{'s' if count != 1 else ''} ({self.run.device})"

    def _all(self) -> Generator[ScanEvent, None, None]:
        """The largest cases first, so that none is alone in the end."""
        size = {key: sum(f.bytes_found for f in case.files) for key, case in self._cases.items()}
        todo = deque(sorted(self._cases.values(), key=lambda case: -size[case.key]))
        client = self.link.client
        client.subscribe_topic(TOPIC, lambda event: self._messages.put(event[1]))
        try:
            while todo or self._flying:
                self._hand_out(todo)
                for message in self._wait():
                    if isinstance(message, str):
                        yield from self._take_in(message, todo)
                    else:
                        yield from self._progress(*message)
        finally:
            self._cancel()

    def _hand_out(self, todo: deque[CaseInput]) -> None:
        window = max(LEAST_AHEAD, AHEAD * self.link.count())
        while todo and len(self._flying) < window:
            case = todo.popleft()
            task = Task(case, self._known(case))
            tries = self._tries.get(case.key, 0)
            future = self.link.client.submit(
                run_task,
                self.job,
                task,
                key=f"lungscan-{case.key}-{self.job.token[:8]}-{tries}",
                pure=False,
                resources=self.link.resources or None,
            )
            self._await(future, task)

    def _await(self, future: Future, task: Task) -> None:
        """See to a message, once the case has ended."""
        key = task.case.key
        self._flying[key] = future, task
        future.add_done_callback(lambda _: self._messages.put(key))

    def _known(self, case: CaseInput) -> tuple[str, ...]:
        """What an earlier run recorded of the files, if its answer may be taken over."""
        result = self._earlier(case)
        pictures = not looks_like_fields(case) or self.ledger.wants_files("field")
        if result is None or result.status not in {CaseStatus.OK, CaseStatus.NO_RESULT}:
            return ()
        if result.case_id != case.case_id:
            return ()
        if pictures and any(file.thumbnail_jpeg is None for file in result.files):
            return ()
        return tuple(file.sha256 for file in result.files)

    def _earlier(self, case: CaseInput) -> CaseResult | None:
        return self.store.recorded(case.key, self.run.card.sha256, self.run.settings_hash)

    def _wait(self) -> Iterator[Any]:
        """What came meanwhile. Raises Stopped, SchedulerGone."""
        silent_since = time.monotonic()
        while True:
            if self.ending.is_set():
                raise Stopped
            with suppress(queue.Empty):
                yield self._messages.get(timeout=TICK_S)
                while not self._messages.empty():
                    yield self._messages.get()
                return
            if self.link.client.status == "running":
                silent_since = time.monotonic()
                if text := self._no_workers():
                    yield text
                    return
            elif time.monotonic() - silent_since > SILENT_S:
                raise _gone()

    def _no_workers(self) -> tuple[str, int, int] | None:
        """Say once that cases wait for workers."""
        nobody = not self.link.count()
        waited, self._waiting = self._waiting, nobody
        return ("", 0, 0) if nobody and not waited else None

    def _progress(self, key: str, done: int, total: int) -> Iterator[ScanEvent]:
        if not key:
            yield Notice("No worker is connected. Cases wait until one comes.")
        elif key in self._flying:
            yield from self._take_up(self._cases[key])
            if total:
                yield TilesScored(key, done, total)

    def _take_up(self, case: CaseInput) -> Iterator[CaseStarted]:
        if case.key not in self._started:
            self._started.add(case.key)
            index = len(self.inputs.skipped) + len(self._started)
            yield CaseStarted(case.key, case.case_id, index)

    def _take_in(self, key: str, todo: deque[CaseInput]) -> Iterator[ScanEvent]:
        """The end of a case: its files to their place, its row to the tables."""
        if key not in self._flying:
            return
        future, task = self._flying.pop(key)
        case = task.case
        if future.status in {"lost", "pending"}:  # with the worker that held it; it is done again
            self._await(future, task)
            return
        try:
            done = self._outcome(future)
            finished = self._file(case, done)
        except WorkerGone:
            self._tries[key] = self._tries.get(key, 0) + 1
            if self._tries[key] < 3:
                todo.append(case)
                return
            finished = self._failed(case, _lost(case))
        except CaseError as problem:
            finished = self._failed(case, problem)
        yield from self._take_up(case)
        yield finished
        self.ledger.require_drive()

    def _file(self, case: CaseInput, done: Done) -> CaseFinished:
        if done.result is None or done.stage is None:
            earlier = self._earlier(case)
            if earlier is None:  # removed since by somebody
                raise WorkerGone
            return self.ledger.record(self.ledger.write(earlier, resumed=True))
        result = whole(done.result, self.run.card.stamp(), self.run.settings)
        stage = done.stage
        if done.files:
            stage = fetch(self.link.client, done, self.job.stages)
        written = self.ledger.adopt(result, stage, done.record_sha256)
        return self.ledger.record(written)

    def _failed(self, case: CaseInput, problem: CaseError) -> CaseFinished:
        result = failed_case(case, self.run, problem, utc_now(), 0.0)
        return self.ledger.record(self.ledger.write(result))

    def _outcome(self, future: Future) -> Done:
        """What a worker gave back.

        Raises:
            CaseError: the case took its workers down.
            SchedulerGone: nobody knows of the case any more.
            LungScanError: nothing more can be done.
        """
        from distributed import KilledWorker

        if future.status == "cancelled":
            raise _gone()
        try:
            done: Done = future.result(timeout=SILENT_S)
        except LungScanError:
            raise
        except KilledWorker as error:
            raise UnreadableFile(
                f"Reading it ended {error.allowed_failures + 1} worker processes one after the "
                "other. The file is probably damaged, or needs more memory than a worker has. Copy "
                "it again from its source, or classify it without the cluster.",
                code=Code.CRASH,
            ) from error
        except TimeoutError as error:
            raise WorkerGone from error
        except Exception as error:
            raise MachineError(
                f"A worker failed ({type(error).__name__}: {error}). See its log, and whether the "
                "same versions are installed everywhere."
            ) from error
        return done

    def _cancel(self) -> None:
        futures = [future for future, _ in self._flying.values()]
        self._flying.clear()
        client = self.link.client
        if client.status == "running":  # one that is gone would be waited for
            with suppress(Exception):
                client.unsubscribe_topic(TOPIC)
                client.cancel(futures, force=True)
            leave(client, self.job.token)


def _gone() -> SchedulerGone:
    return SchedulerGone(
        "The scheduler of the cluster does not answer any more. Start it again, then run the same "
        "command: finished cases are kept."
    )


def _lost(case: CaseInput) -> CaseError:
    return UnreadableFile(
        f"{case.case_id} was classified, but the worker that did it went away before its files "
        "could be fetched, three times. Run the same command again.",
        code=Code.CRASH,
    )
