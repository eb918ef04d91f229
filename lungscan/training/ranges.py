"""Ranges of options: a value that nobody can mean is refused before anything is read."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any

from lungscan.errors import UsageProblem
from lungscan.inputs import show

_UNKNOWN = re.compile(r"unexpected keyword argument '([^']*)'")
_LACKING = re.compile(r"missing \d+ required .*arguments?: (.+)")


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """What a number may be; of several each by itself."""

    least: float = 0.0
    most: float = math.inf
    above: bool = False  # whether it must be more than ``least``
    below: bool = False  # and less than ``most``

    def holds(self, value: object) -> bool:
        """Whether ``value`` is a number within."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        low = value > self.least if self.above else value >= self.least
        return low and (value < self.most if self.below else value <= self.most)

    def __str__(self) -> str:
        low = f"{'more than ' if self.above else ''}{self.least:g}"
        if self.most == math.inf:
            return low if self.above else f"{low} or more"
        return f"from {low} to {'less than ' if self.below else ''}{self.most:g}"


COUNT, SOME = Span(), Span(1)
SHARE, PART = Span(0, 1), Span(0, 1, below=True)
POSITIVE = Span(above=True)


def require_ranges(record: Any, spans: Mapping[str, Span], where: str = "") -> None:
    """Refuse a value of ``record`` that lies outside of its span.

    Args:
        record: of options; a field of type ``int`` wants a whole number.
        spans: by the names of fields; a field that is a tuple wants each value within.
        where: stands before the names, such as ``student_fit.``.

    Raises:
        UsageProblem: which option, and what it may be.
    """
    whole = {field.name for field in dataclasses.fields(record) if field.type == "int"}
    for name, span in spans.items():
        value = getattr(record, name)
        for each in value if isinstance(value, tuple) else (value,):
            if not span.holds(each) or (name in whole and not isinstance(each, int)):
                kind = "a whole number, " if name in whole else ""
                raise UsageProblem(
                    f"{where}{name} is {show(str(each))}, but must be {kind}{span}. Change it in "
                    "the recipe, or give it with --set."
                )


def require_split(shares: tuple[float, ...], wanted: Mapping[int, str]) -> None:
    """Refuse shares that leave a part without pictures.

    Args:
        shares: of training, validation and test.
        wanted: the parts that must not be empty, and what for.

    Raises:
        UsageProblem: which.
    """
    if len(shares) != 3 or not all(COUNT.holds(share) and share < math.inf for share in shares):
        raise UsageProblem(
            f"split is {show(str(list(shares)))}, but must be three shares, none below 0: of "
            "training, validation and test, such as [0.7, 0.15, 0.15]."
        )
    for part, purpose in wanted.items():
        if shares[part] <= 0:
            raise UsageProblem(
                f"split is {show(str(list(shares)))}, which leaves nothing to {purpose}. Give "
                "three shares, of training, validation and test, such as [0.7, 0.15, 0.15]."
            )


def fault(error: Exception) -> str:
    """What keeps a table from being a record of options, without Python's words for it."""
    text = str(error)
    if unknown := _UNKNOWN.search(text):
        return f"there is no key {show(unknown[1])!r}"
    lacking = _LACKING.search(text)
    return f"it lacks {lacking[1]}" if lacking else text


def require_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    """Refuse a word that is none of those ``known``. Raises UsageProblem."""
    if value not in known:
        raise UsageProblem(
            f"{name} is {show(str(value))!r}, but must be one of {', '.join(known)}. Capitals "
            "count; change it in the recipe, or give it with --set."
        )


def require_order(name: str, pair: tuple[float, ...]) -> None:
    """Refuse what is no least and most. Raises UsageProblem."""
    if len(pair) != 2 or pair[0] > pair[1]:
        raise UsageProblem(
            f"{name} is {show(str(list(pair)))}, but must be two numbers, the least and the most."
        )
