"""Which of the images in a folder are finished: those that look the same for a while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lungscan.inputs.motion import SETTLED_S
from lungscan.types import CaseInput, Stamp

EMPTY_S = 600.0  # after which an empty file is no slide that a scanner has just begun with

Look = tuple[Stamp | None, ...]  # of every part of a case: its bytes and the time of its change


def look_of(case: CaseInput) -> Look:
    """How a case looked when it was found."""
    return tuple(stamp for file in case.files for stamp in file.stamps)


@dataclass
class Settling:
    """Remembers since when each case looks as it does.

    It counts as finished after SETTLED_S, with an empty file after EMPTY_S: opening it says so.
    Only the time between own looks counts: the clock of a scanner or of a share may be wrong.
    """

    _seen: dict[str, tuple[Look, float]] = field(default_factory=dict)

    def settled(self, cases: Sequence[CaseInput], now: float) -> list[CaseInput]:
        """Those of ``cases`` that have not changed for long enough; ``now`` in seconds."""
        before, self._seen = self._seen, {}
        found = []
        for case in cases:
            look = look_of(case)
            earlier, since = before.get(case.key, (None, now))
            if earlier != look:
                since = now
            self._seen[case.key] = (look, since)
            empty = any(stamp and not stamp[0] for stamp in look)
            if None not in look and now - since >= (EMPTY_S if empty else SETTLED_S):
                found.append(case)
        return found
