"""Timing: the best batch first, then turns in rounds, so that drift hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from lungscan.benchmarking.records import Measured, Spread, Variant

LEAST_CALLS = 3  # of one turn, however short it is
PLENTY_OF_CALLS = 1000
PATIENCE = 3


class Network(Protocol):
    """A subject that one runtime computes on one device in one precision."""

    variant: Variant
    threads: int | None  # None on a GPU
    streams: tuple[int, ...]  # worth trying, the likeliest first

    def single(self) -> Callable[[], object]:
        """A call that answers one tile and returns with the answer."""
        ...

    def many(self, batch: int, streams: int) -> Callable[[int], object]:
        """A call that answers so many batches and returns with the last answer."""
        ...


@dataclass
class Contender:
    """A network with its best setting, and what was measured so far."""

    network: Network
    batch: int
    streams: int
    _single: Callable[[], object]
    _many: Callable[[int], object]
    _latencies: list[float] = field(default_factory=list)  # seconds
    _rates: list[float] = field(default_factory=list)  # tiles per second

    def turn(self, seconds: float) -> None:
        """Measure once more; the first call of each kind only warms up."""
        self._single()
        self._latencies += list(_calls(self._single, seconds))
        self._many(self.streams)
        self._rates.append(_rate(self._many, self.batch, self.streams, seconds))

    def measured(self) -> Measured:
        """All turns together."""
        return Measured(
            self.network.variant,
            _spread([1000 * seconds for seconds in self._latencies]),
            _spread(self._rates),
            self.batch,
            self.streams,
            self.network.threads,
        )


def seek(network: Network, batches: Sequence[int], seconds: float) -> Contender:
    """Find the batch and then the number of streams with the highest throughput.

    The two are sought one after the other, not over the whole grid: how many streams are best
    depends on the cores far more than on the batch. Batches are tried in the order given, until
    ``PATIENCE`` of them in a row brought nothing.
    """
    first, *others = network.streams
    tries: list[tuple[float, int, int]] = []
    for batch in batches:
        tries.append(_try(network, batch, first, seconds))
        if max(found[0] for found in tries) > max(found[0] for found in tries[-PATIENCE:]):
            break
    best = max(tries, key=lambda found: found[0])
    tries = [_try(network, best[1], streams, seconds) for streams in others]
    _, batch, streams = max([best, *tries], key=lambda found: found[0])
    single = network.single()
    single()
    return Contender(network, batch, streams, single, network.many(batch, streams))


def rounds(contenders: Sequence[Contender], count: int, seconds: float) -> Iterator[int]:
    """Give every contender its turn, ``count`` times; yields the rounds done.

    Every second round goes backwards: what slows down steadily then favours nobody.
    """
    for number in range(count):
        for contender in contenders if number % 2 == 0 else reversed(contenders):
            contender.turn(seconds)
        yield number + 1


def _try(network: Network, batch: int, streams: int, seconds: float) -> tuple[float, int, int]:
    many = network.many(batch, streams)
    many(streams)
    return _rate(many, batch, streams, seconds), batch, streams


def _calls(single: Callable[[], object], seconds: float) -> Iterator[float]:
    """Seconds of each call, for about so long."""
    end = time.perf_counter() + seconds
    for number in range(PLENTY_OF_CALLS):
        begun = time.perf_counter()
        if number >= LEAST_CALLS and begun > end:
            return
        single()
        yield time.perf_counter() - begun


def _rate(many: Callable[[int], object], batch: int, streams: int, seconds: float) -> float:
    """Tiles per second over about so long, the pipeline's filling and emptying included."""
    begun = time.perf_counter()
    many(streams)
    guess = max(time.perf_counter() - begun, 1e-6)
    if guess >= seconds:
        return streams * batch / guess
    count = streams * max(1, round(seconds / guess))
    begun = time.perf_counter()
    many(count)
    return count * batch / (time.perf_counter() - begun)


def _spread(values: Sequence[float]) -> Spread:
    low, middle, high = np.percentile(values, [5, 50, 95])
    return Spread(float(middle), float(low), float(high), len(values))
