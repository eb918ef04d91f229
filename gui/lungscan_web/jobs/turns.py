"""Whose turn it is: visitors in turn, each with their own jobs in the order they came.

Twenty jobs of one visitor thus hold up another's by one job, not by twenty.
"""

from __future__ import annotations

from collections import OrderedDict, deque


class Turns:
    """The jobs that wait, by number. Not for several threads at once."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[str]] = OrderedDict()  # by visitor, whose turn is first

    def add(self, visitor: str, number: str) -> None:
        """One more job of a visitor, at the end of the visitor's own line."""
        self._lines.setdefault(visitor, deque()).append(number)

    def next(self) -> str | None:
        """Take the job whose turn it is; its visitor goes to the end. None when none waits."""
        if not self._lines:
            return None
        visitor, line = self._lines.popitem(last=False)
        number = line.popleft()
        if line:
            self._lines[visitor] = line
        return number

    @property
    def waits(self) -> bool:
        """Whether any job does."""
        return bool(self._lines)

    def drop(self, number: str) -> None:
        """Forget a job that waits, if it does."""
        for visitor, line in list(self._lines.items()):
            if number in line:
                line.remove(number)
                if not line:
                    del self._lines[visitor]

    def place(self, number: str) -> int:
        """How many turns until it is taken, from 1; 0 when it does not wait."""
        rounds = {visitor: line.index(number) for visitor, line in self._lines.items()
                  if number in line}  # fmt: skip
        if not rounds:
            return 0
        ((own, depth),) = rounds.items()
        order = list(self._lines)
        before = sum(
            min(len(line), depth + (order.index(visitor) < order.index(own)))
            for visitor, line in self._lines.items()
            if visitor != own
        )
        return before + depth + 1
