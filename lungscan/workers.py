"""Threads that do the work: results in order, few jobs ahead, nothing left behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from threading import Event
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 2  # jobs per thread in flight: enough to keep it busy, few enough to bound memory


class Workers:
    """A pool in which each thread reads and scores, so that both share the cores evenly."""

    def __init__(self, threads: int, ending: Event | None = None) -> None:
        """Start them when there is work; ``ending`` is set once nobody wants their results."""
        self._ending = ending or Event()
        self._pool = ThreadPoolExecutor(threads, "lungscan")
        self._window = threads * AHEAD

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
        """
        waiting: deque[Future[R]] = deque()
        source = iter(items)
        window = ahead or self._window

        def refill() -> None:
            for item in islice(source, window - len(waiting)):
                waiting.append(self._pool.submit(work, item))

        def results() -> Iterator[R]:
            while waiting:
                result = waiting[0].result()
                waiting.popleft()
                refill()  # before handing over, so that the threads stay busy meanwhile
                yield result

        try:
            refill()
            yield results()
        except (GeneratorExit, KeyboardInterrupt):  # the run was stopped
            self._ending.set()
            raise
        finally:
            for job in [job for job in waiting if not job.cancel()]:
                if job.exception() is None and drop is not None:
                    drop(job.result())
