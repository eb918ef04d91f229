"""The desk: takes jobs, has them done in turn, tells how far they are, and forgets them in time.

All that a face calls may be called from any thread, and never waits for a job but ``cancel``, for
about a second. A job belongs to a visitor, who alone may end it; whoever knows its long random
number may look at it. Nothing here knows what a browser is.
"""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lungscan_web.jobs.applying import apply
from lungscan_web.jobs.folder import PrivateFolder, remove
from lungscan_web.jobs.intake import Intake
from lungscan_web.jobs.limits import Limits, NotHere, TooMany
from lungscan_web.jobs.messages import Message
from lungscan_web.jobs.ready import Process, start_process
from lungscan_web.jobs.records import CLOCK, Choice, Clock, Job, JobState
from lungscan_web.jobs.turns import Turns
from lungscan_web.jobs.working import Workers

CANCEL_S = 2.0  # to wait for the end of a job, which is killed before
LOOK_S = 0.5  # between two looks for jobs whose time has come


class Desk:
    """All jobs of one page."""

    def __init__(
        self,
        limits: Limits,
        folder: PrivateFolder,
        *,
        start: Callable[[], Process] = start_process,
        clock: Clock = CLOCK,
        forgotten: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``forgotten`` is called with a job's number before its files are deleted."""
        self.limits, self.folder = limits, folder
        self._clock, self._forgotten = clock, forgotten
        self._jobs: dict[str, Job] = {}
        self._left: set[Path] = set()  # folders that could not be deleted yet
        self._intakes = Counter[str]()  # uploads under way, by visitor
        self._present = Counter[str]()  # visitors who follow a job, and so watch all of their own
        self._turns = Turns()
        self._listeners: dict[str, set[Callable[[], None]]] = {}
        self._change = threading.Condition(threading.RLock())
        self._closed = False
        self._workers = Workers(limits.at_once, limits.pixels, start, self._next, self._take)
        self._workers.start()
        self._keeper = threading.Thread(target=self._keep, name="jobs-time", daemon=True)
        self._keeper.start()

    # Taking ------------------------------------------------------------------------------------

    @contextmanager
    def intake(self, visitor: str) -> Iterator[Intake]:
        """A place for the files of a visitor's next job; emptied unless ``submit`` took it.

        Raises:
            TooMany: the visitor, or the page, has as many jobs as may be.
            MachineError: the disk refuses.
        """
        with self._counted(visitor):
            made = Intake(self.folder.new(), self.limits)
            try:
                yield made
            finally:
                with self._change:
                    taken = any(job.folder == made.folder for job in self._jobs.values())
                if taken:
                    made.end()
                else:
                    made.close()
                    self._delete(made.folder)

    @contextmanager
    def _counted(self, visitor: str) -> Iterator[None]:
        """Within the block a visitor's upload is under way. Raises TooMany."""
        with self._change:
            self._require_room(visitor)
            self._intakes[visitor] += 1
        try:
            yield
        finally:
            with self._change:
                self._intakes[visitor] -= 1
                if not self._intakes[visitor]:
                    del self._intakes[visitor]

    def submit(self, visitor: str, intake: Intake, choice: Choice) -> Job:
        """Put a job in line.

        Raises:
            Refused: no file was given.
            TooMany: the page is full.
        """
        intake.require_some()
        now = self._clock()
        with self._change:
            self._require_open()
            paths, names = tuple(intake.paths), tuple(intake.names)
            job = Job(secrets.token_urlsafe(24), visitor, intake.folder, names, paths, choice, now)
            job.refused = tuple(intake.refused)
            job.seen = now
            self._jobs[job.id] = job
            self._turns.add(visitor, job.id)
            self._change.notify_all()
        self._drop_surplus(visitor)
        return job

    def _require_room(self, visitor: str) -> None:
        self._require_open()
        mine = sum(j.visitor == visitor and not j.state.ended for j in self._jobs.values())
        if mine + self._intakes[visitor] >= self.limits.jobs_in_hand:
            raise TooMany(
                f"You have {self.limits.jobs_in_hand} jobs under way, as many as one visitor may. "
                "Wait until one is done, or cancel one."
            )
        everybody = sum(not job.state.ended for job in self._jobs.values())
        if everybody + self._intakes.total() >= self.limits.jobs_waiting:
            raise TooMany("The page is busy: too many jobs are waiting. Try again in some minutes.")

    def _require_open(self) -> None:
        if self._closed:
            raise TooMany("The page is closing; nothing more is taken.")

    def _drop_surplus(self, visitor: str) -> None:
        """Forget a visitor's oldest results when there are more than are kept."""
        with self._change:
            ended = [j for j in self._jobs.values() if j.visitor == visitor and j.state.ended]
            surplus = max(0, len(ended) - self.limits.jobs_kept + 1)
            old = sorted(ended, key=lambda job: job.ended)[:surplus]
        for job in old:
            self._forget(job)

    # Looking -----------------------------------------------------------------------------------

    def job(self, number: str) -> Job:
        """A job by its number; somebody has seen it now. Raises NotHere."""
        with self._change:
            job = self._jobs.get(number)
            if job is None:
                raise NotHere(NotHere.KEPT)
            job.seen = self._clock()
            return job

    def look(self, number: str) -> Job:
        """A copy of a job as it stands; somebody has seen it now. Raises NotHere."""
        with self._change:
            self.job(number)
            return self.peek(number)

    def peek(self, number: str) -> Job:
        """A copy of a job, for whoever does not count as a watcher. Raises NotHere."""
        with self._change:
            job = self._jobs.get(number)
            if job is None:
                raise NotHere(NotHere.KEPT)
            return job.copy()

    def jobs_of(self, visitor: str) -> list[Job]:
        """Copies of a visitor's jobs, the newest first."""
        with self._change:
            mine = [job.id for job in self._jobs.values() if job.visitor == visitor]
            return [self.look(number) for number in reversed(mine)]

    def place(self, job: Job) -> int:
        """Its place in line, from 1; 0 when it no longer waits."""
        with self._change:
            return self._turns.place(job.id)

    def now(self) -> float:
        """The time of the desk's clock, in seconds."""
        return self._clock()

    @property
    def computing(self) -> frozenset[str]:
        """The jobs that have a process."""
        return self._workers.computing

    @contextmanager
    def watching(
        self, number: str, changed: Callable[[], None], visitor: str = ""
    ) -> Iterator[Job]:
        """Whoever is in the block watches the job, and all jobs of the visitor's, so they go on.

        ``changed`` is called, from any thread and holding a lock, at each change and deletion.

        Raises:
            NotHere: there is no such job.
        """
        with self._change:
            job = self.job(number)
            job.watchers += 1
            self._present += Counter((visitor,))
            self._listeners.setdefault(number, set()).add(changed)
        try:
            yield job
        finally:
            with self._change:
                job.watchers -= 1
                self._present -= Counter((visitor,))
                job.seen = self._clock()
                for mine in (j for j in self._jobs.values() if j.visitor == visitor):
                    mine.seen = job.seen
                listeners = self._listeners.get(number, set())
                listeners.discard(changed)
                if not listeners:
                    self._listeners.pop(number, None)

    def wait(self, number: str, version: int, timeout: float) -> Job:
        """A copy of the job once it is newer than ``version``, or after ``timeout`` seconds.

        Raises:
            NotHere: it has been deleted.
        """
        with self._change:
            self._change.wait_for(
                lambda: number not in self._jobs or self._jobs[number].version > version, timeout
            )
            return self.look(number)

    # Ending ------------------------------------------------------------------------------------

    def cancel(self, number: str, visitor: str) -> Job:
        """End a job, and wait for its end, about a second at most; a copy of it.

        Raises:
            NotHere: there is no such job of this visitor.
        """
        self._mine(number, visitor)
        self._end(number, "Cancelled.")
        with self._change:
            self._change.wait_for(
                lambda: number not in self._jobs or self._jobs[number].state.ended, CANCEL_S
            )
            return self.look(number)

    def delete(self, number: str, visitor: str) -> None:
        """End a job and delete all its files. Raises NotHere."""
        job = self._mine(number, visitor)
        with suppress(NotHere):
            self.cancel(number, visitor)
        self._forget(job)

    def close(self) -> None:
        """End all jobs, and delete the folder with everything in it."""
        with self._change:
            self._closed = True
            numbers = list(self._jobs)
            self._change.notify_all()
        for number in numbers:
            self._end(number, "The page was closed.")
        self._workers.close()
        self._keeper.join(CANCEL_S)
        self.folder.close()

    def _mine(self, number: str, visitor: str) -> Job:
        job = self.job(number)
        if not secrets.compare_digest(job.visitor, visitor):
            raise NotHere("Only who gave the files can end this job.")
        return job

    def _end(self, number: str, why: str) -> None:
        """Ask a job to end; one that waits has ended at once."""
        with self._change:
            job = self._jobs.get(number)
            if job is None or job.state.ended:
                return
            job.stopping, job.message = True, why
            self._turns.drop(number)
            if job.state is JobState.WAITING:
                self._finish(job, JobState.CANCELLED)
        self._workers.stop(number)

    def _finish(self, job: Job, state: JobState) -> None:
        job.state, job.ended = state, self._clock()
        for case in job.cases:
            if case.state != "ended":
                case.state = "waiting"
        self._touch(job)

    def _forget(self, job: Job) -> None:
        with self._change:
            self._jobs.pop(job.id, None)
            self._touch(job)
        self._forgotten(job.id)
        self._delete(job.folder)

    def _delete(self, folder: Path) -> None:
        """Delete a job's files; where a process still holds one open (Windows), again and again."""
        if not remove(folder):
            self._left.add(folder)

    def _touch(self, job: Job) -> None:
        """Tell everybody who watches."""
        job.version += 1
        self._change.notify_all()
        for listener in list(self._listeners.get(job.id, ())):
            listener()

    # Time --------------------------------------------------------------------------------------

    def _keep(self) -> None:
        """Until the page closes: end jobs whose time is over or whose page is gone."""
        while True:
            with self._change:
                if self._change.wait_for(lambda: self._closed, LOOK_S):
                    return
            self.look_round()
            with self._change:
                wanted = self._turns.waits
            self._workers.prepare(wanted=wanted)

    def look_round(self) -> None:
        """End and delete what has had its time, and keep the folder; done every half second."""
        self.folder.keep()
        for folder in tuple(self._left):
            if remove(folder):
                self._left.discard(folder)
        now, limits = self._clock(), self.limits
        with self._change:
            jobs = list(self._jobs.values())
        for job in jobs:
            watched = job.watchers or self._present[job.visitor]
            if job.state.ended:
                if now - job.ended > limits.kept_seconds:
                    self._forget(job)
            elif not watched and now - job.seen > limits.absent_seconds:
                self._end(job.id, "Ended, because its page was closed.")
            elif job.began and now - job.began > limits.job_seconds:
                self._end(job.id, "Ended: it took longer than a job may take here.")

    # Work --------------------------------------------------------------------------------------

    def _next(self) -> Job | None:
        """The job whose turn it is; waits for one. None when the page closes."""
        with self._change:
            while not self._closed:
                number = self._turns.next()
                if number is not None and (job := self._jobs.get(number)) is not None:
                    job.state, job.began = JobState.STARTING, self._clock()
                    self._touch(job)
                    self._notify_waiting()
                    return job
                if number is None:
                    self._change.wait()
        return None

    def _notify_waiting(self) -> None:
        """All that wait have moved up."""
        for job in self._jobs.values():
            if job.state is JobState.WAITING:
                self._touch(job)

    def _take(self, job: Job, message: Message) -> None:
        with self._change:
            if not job.state.ended:
                end = apply(job, message, self._clock())
                if end is None:
                    self._touch(job)
                else:
                    self._finish(job, end)
