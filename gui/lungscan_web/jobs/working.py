"""Workers: threads that do one job after the other, each in a process of its own.

Which job comes next, and what its process tells, is for the desk alone; this module knows neither
visitors nor time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from lungscan.opening.apart import Stopped
from lungscan_web.jobs.applying import failure_of
from lungscan_web.jobs.messages import Message, Task
from lungscan_web.jobs.ready import Process, Ready
from lungscan_web.jobs.records import Job

JOIN_S = 2.0  # for a thread, whose process was asked to end


class Workers:
    """The jobs that compute."""

    def __init__(
        self,
        at_once: int,
        pixels: int,
        start: Callable[[], Process],
        next_job: Callable[[], Job | None],
        take: Callable[[Job, Message], None],
    ) -> None:
        """``next_job`` waits for one and gives None in the end; ``take`` hears what a job tells."""
        self._pixels, self._ready = pixels, Ready(start)
        self._next_job, self._take = next_job, take
        self._processes: dict[str, Process] = {}
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, name=f"jobs-{number}", daemon=True)
            for number in range(at_once)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    @property
    def computing(self) -> frozenset[str]:
        """The jobs that have a process."""
        with self._lock:
            return frozenset(self._processes)

    def prepare(self, *, wanted: bool) -> None:
        """Have a process ready for the next job; see ``Ready.prepare``."""
        self._ready.prepare(wanted=wanted)

    def stop(self, number: str) -> None:
        """Ask a job's process to end, if it has one. One that begins meanwhile sees it itself."""
        with self._lock:
            process = self._processes.get(number)
        if process is not None:
            process.stop()

    def close(self) -> None:
        """Wait until all have ended, which was asked of them, and kill what has not."""
        for thread in self._threads:
            thread.join(JOIN_S)
        self._ready.close()
        with self._lock:
            left = list(self._processes.values())
        for process in left:
            process.kill()

    def _work(self) -> None:
        while (job := self._next_job()) is not None:
            try:
                self._do(job)
            except Exception as error:  # noqa: BLE001  the end of one job, never of all
                self._take(job, failure_of(error))

    def _do(self, job: Job) -> None:
        process = self._ready.take()
        try:
            with self._lock:
                self._processes[job.id] = process
            if job.stopping:  # set before the process is looked for, so nobody is missed
                self._take(job, Stopped())
            else:
                self._run(job, process)
        finally:
            process.close()
            with self._lock:
                del self._processes[job.id]

    def _run(self, job: Job, process: Process) -> None:
        job.view.mkdir(mode=0o700, exist_ok=True)
        choice = job.choice
        process.begin(Task(job.paths, job.out, job.view, choice.model, choice.mpp, self._pixels))
        for message in process.events():
            self._take(job, message)
