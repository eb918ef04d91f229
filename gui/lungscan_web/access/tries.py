"""How often somebody may try: a few wrong passwords, then a wait.

Counted by address and by name, so that neither one machine with many names nor many machines with
one name get further than a few guesses in a quarter of an hour.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator

PERIOD_S = 900.0
BY_ADDRESS, BY_NAME = 10, 20  # wrong tries in a period
MOST_KEPT = 10_000  # addresses and names; the oldest go
Key = tuple[str, str]  # kind and value


class Tries:
    """Wrong tries of late. May be used by several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[Key, deque[tuple[float, str]]] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, address: str, name: str) -> int:
        """Take a try, which counts as wrong until ``right`` is called.

        Returns: 0, or the seconds to wait first. Counted before the password is looked at, so that
        tries at the same time count too.
        """
        with self._lock:
            waits = [self._wait(key, most) for key, most, _ in _keys(address, name)]
            if any(waits):
                return max(1, math.ceil(max(waits)))
            for key, _, other in _keys(address, name):
                self._wrong.setdefault(key, deque()).append((self._clock(), other))
                self._wrong.move_to_end(key)
            while len(self._wrong) > MOST_KEPT:
                self._wrong.popitem(last=False)
        return 0

    def right(self, address: str, name: str) -> None:
        """It was right: earlier tries of this address under this name are forgiven.

        Those under other names, or of other addresses, are not: else whoever has one password could
        guess at all others.
        """
        with self._lock:
            for key, _, other in _keys(address, name):
                left = [wrong for wrong in self._wrong.pop(key, ()) if wrong[1] != other]
                if left:
                    self._wrong[key] = deque(left)

    def _wait(self, key: Key, most: int) -> float:
        tries, now = self._wrong.get(key), self._clock()
        while tries and now - tries[0][0] > PERIOD_S:
            tries.popleft()
        return PERIOD_S - (now - tries[-most][0]) if tries and len(tries) >= most else 0.0


def _keys(address: str, name: str) -> Iterator[tuple[Key, int, str]]:
    """What tries are counted by: how many are allowed, and what tells its tries apart."""
    name = name[:64]
    yield ("address", address), BY_ADDRESS, name
    yield ("name", name), BY_NAME, address
