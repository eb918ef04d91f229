"""Deal whole groups to folds, so that every picture is judged once by a network that never saw it.

Of n folds one is the test part; what is left is shared out between training and validation. Each
class is dealt by itself, so every fold holds every class, and no class more than one group more
often in one fold than in another (stratified grouped cross-validation). Where groups hold several
classes that is so as far as it goes (``lungscan.dataset.mixed_groups``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass

import numpy as np

from lungscan.dataset.mixed_groups import Turn, require_everywhere, to_folds, to_parts, turns
from lungscan.dataset.samples import Samples
from lungscan.dataset.splits import LEAST, Split, split_of
from lungscan.errors import UsageProblem
from lungscan.inputs import show

_SPELLING = re.compile(r"([0-9]{1,3})/([0-9]{1,3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fold:
    """One of ``count`` folds; ``number`` counts from 1, as in ``2/5``."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def read_fold(text: str) -> Fold:
    """The fold that a text such as ``2/5`` names.

    Raises:
        UsageProblem: it names none.
    """
    found = _SPELLING.fullmatch(text.strip())
    number, count = (int(part) for part in found.groups()) if found else (0, 0)
    if count < 2 or not 1 <= number <= count:
        raise UsageProblem(
            f"{show(text)!r:.40} is no fold. Write which one of how many, two at least: 1/5 to 5/5."
        )
    return Fold(number, count)


def split_fold(
    samples: Samples, fold: Fold, shares: tuple[float, float, float], seed: int
) -> Split:
    """The split whose test part is one fold; the same seed deals all folds of a count the same.

    Args:
        samples: pictures with their groups.
        fold: which fold is the test part.
        shares: of training, validation and test; the groups outside of the fold are dealt by the
            first two, the third is the fold's own.
        seed: of the deal.

    Raises:
        UsageProblem: a class has too few groups for so many folds.
    """
    part_of: dict[str, int] = {}
    fold_of: dict[str, int] = {}
    for turn in turns(samples, np.random.default_rng(seed), _least(fold)):
        _require_enough(samples.class_names[turn.label], len(turn.groups), fold)
        fold_of |= to_folds(turn, fold_of, fold.count)
        tested = {group for group in turn.groups if fold_of[group] == fold.number - 1}
        part_of |= dict.fromkeys(tested, 2)
        part_of |= _trained_or_validated(turn, tested, part_of, shares)
    require_everywhere(samples, part_of, {0: "training", 2: f"fold {fold}"})
    return split_of(samples, part_of)


def split_source(
    samples: Samples, source: int, name: str, shares: tuple[float, float, float], seed: int
) -> Split:
    """The split whose test part is one source of several; the others train and validate.

    Args:
        samples: pictures of all sources, with their groups.
        source: which source is the test part, as ``samples.sources`` counts, and its ``name``.
        shares: as in ``split_fold``.
        seed: of the deal.

    Raises:
        UsageProblem: without it a class is gone, or has one group.
    """
    of = () if samples.sources is None else samples.sources.tolist()
    tested = {group for group, own in zip(samples.groups, of, strict=True) if own == source}
    part_of = dict.fromkeys(tested, 2)
    kept = np.array([group not in tested for group in samples.groups])
    others = samples.take(np.flatnonzero(kept))
    for turn in turns(others, np.random.default_rng(seed), 2):
        count = len(turn.groups)
        if count < 2:
            raise UsageProblem(
                f"Source {show(name)} cannot be left out: the others have "
                f"{count or 'no'} group{'' if count == 1 else 's'} of class "
                f"{show(samples.class_names[turn.label])}, and two are needed, to train and to "
                "validate."
            )
        part_of |= _trained_or_validated(turn, set(), part_of, shares)
    require_everywhere(samples, part_of, {0: "training", 1: "validation"})
    return split_of(samples, part_of)


def _trained_or_validated(
    turn: Turn, tested: Set[str], part_of: Mapping[str, int], shares: tuple[float, float, float]
) -> dict[str, int]:
    """The part of each fresh group outside of the test part: the first ones validate."""
    count = len(turn.groups) - len(tested)
    held = round(shares[1] / (shares[0] + shares[1]) * count)
    held = max(0, min(max(1, held), count - 1))
    fresh = [group for group in turn.fresh if group not in tested]
    return to_parts(turn, fresh, part_of, {1: held, 0: count - held})


def _least(fold: Fold) -> int:
    """Groups that a class needs."""
    return max(fold.count, LEAST)


def _require_enough(name: str, groups: int, fold: Fold) -> None:
    if groups < _least(fold):
        raise UsageProblem(
            f"Class {show(name)} has {groups} groups, too few for {fold.count} folds: each fold "
            "needs one, and two must be left to train and to validate."
        )
