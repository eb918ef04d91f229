"""What a check says of one file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class State(StrEnum):
    """What became of a file since it was written or read."""

    SAME = "same"
    CHANGED = "changed"
    MISSING = "missing"
    UNEXPECTED = "unexpected"  # bears a name of ours, but no list names it
    DAMAGED = "damaged"  # a list or record that cannot be understood
    UNREADABLE = "unreadable"  # the disk or its permissions stand in the way
    NOT_CHECKED = "not_checked"


AMISS = frozenset(State) - {State.SAME, State.NOT_CHECKED}


@dataclass(frozen=True, slots=True)
class Check:
    """One file, or one thing that was not checked and then has no path."""

    area: Literal["output", "model", "input"]
    state: State
    path: str  # below the --out folder, or as the run named the input; of a model its name
    text: str = ""  # a sentence for people, "" when all is well
