"""Threads that do the work: results in order, few jobs ahead, nothing left behind."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")

TICK_S = 0.2  # between two looks whether the run was stopped
AHEAD = 2  # jobs per thread in flight: enough to keep it busy, few enough to bound memory


def available_threads() -> int:
    """Cores that this process may use, with the limits of a container counted in."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        cores = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        if quota != "max":
            cores = min(cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass  # no cgroup limit is stated
    return max(1, cores)


def pause(seconds: float, ending: Event) -> None:
    """Wait, or until ``ending`` is set. On Windows Ctrl+C is heard only between two waits."""
    step = TICK_S if os.name == "nt" else seconds
    while seconds > 0 and not ending.wait(min(step, seconds)):
        seconds -= step


class Stopped(BaseException):
    """The run was told to stop while it waited for a job."""


class Workers:
    """A pool in which each thread reads and scores, so that both share the cores evenly."""

    def __init__(
        self,
        threads: int,
        ending: Event | None = None,
        let_go: Callable[[], None] | None = None,
    ) -> None:
        """Start them when there is work.

        ``ending`` is set once nobody wants their results, and whoever sets it stops the run;
        ``let_go`` is called then, so that jobs that wait for a file end at once.
        """
        self._ending = ending or Event()
        self._let_go = let_go or self._ending.set
        self._pool = ThreadPoolExecutor(threads, "lungscan")
        self._window = threads * AHEAD

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    @contextmanager
    def in_order(
        self,
        work: Callable[[T], R],
        items: Iterable[T],
        *,
        ahead: int | None = None,
        drop: Callable[[R], None] | None = None,
    ) -> Iterator[Iterator[R]]:
        """Give the results of ``work`` on each item, in the order of the items.

        At most ``ahead`` jobs are in flight, the first of them from the start. Whoever leaves the
        block early, or by an error, leaves no job behind: those not begun are cancelled, those
        running are waited for, and their results go to ``drop``, which may close what they hold.

        Raises:
            Stopped: when the next result is asked for, or waited for, in a run that was stopped.
        """
        waiting: deque[Future[R]] = deque()
        source = iter(items)
        window = ahead or self._window

        def refill() -> None:
            if self._ending.is_set():
                raise Stopped
            for item in islice(source, window - len(waiting)):
                waiting.append(self._pool.submit(work, item))

        def results() -> Iterator[R]:
            while waiting:
                result = self._wait_for(waiting[0])
                waiting.popleft()
                refill()  # before handing over, so that the threads stay busy meanwhile
                yield result

        try:
            refill()
            yield results()
        except (GeneratorExit, KeyboardInterrupt, Stopped):
            self._ending.set()
            self._let_go()
            raise
        finally:
            for job in [job for job in waiting if not job.cancel()]:
                if job.exception() is None and drop is not None:
                    drop(job.result())

    def _wait_for(self, job: Future[R]) -> R:
        while not self._ending.is_set():
            wait((job,), TICK_S)
            if job.done():
                return job.result()
        raise Stopped
