"""Deal whole groups to folds, so that every picture is judged once by a network that never saw it.

Of n folds one is the test part; what is left is shared out between training and validation. Each
class is dealt by itself, so every fold holds every class, and no class more than one group more
often in one fold than in another (stratified grouped cross-validation).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lungscan.dataset.samples import Samples
from lungscan.dataset.splits import Split, by_class, split_of
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
    begin = 0  # the next class goes on where the last one ended: the folds stay of one size
    rng = np.random.default_rng(seed)
    for label, groups in enumerate(by_class(samples)):
        _require_enough(samples.class_names[label], len(groups), fold)
        rng.shuffle(groups)
        turn = (fold.number - 1 - begin) % fold.count
        begin += len(groups)
        tested = [group for rank, group in enumerate(groups) if rank % fold.count == turn]
        others = [group for rank, group in enumerate(groups) if rank % fold.count != turn]
        part_of |= dict.fromkeys(tested, 2)
        part_of |= _trained_or_validated(others, shares)
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
    rng = np.random.default_rng(seed)
    for label, every in enumerate(by_class(samples)):
        groups = [group for group in every if group not in tested]
        if len(groups) < 2:
            raise UsageProblem(
                f"Source {show(name)} cannot be left out: the others have "
                f"{len(groups) or 'no'} group{'' if len(groups) == 1 else 's'} of class "
                f"{show(samples.class_names[label])}, and two are needed, to train and to validate."
            )
        rng.shuffle(groups)
        part_of |= _trained_or_validated(groups, shares)
    return split_of(samples, part_of)


def _trained_or_validated(
    groups: Sequence[str], shares: tuple[float, float, float]
) -> dict[str, int]:
    """The part of each group outside of the test part: the first ones validate."""
    held = round(shares[1] / (shares[0] + shares[1]) * len(groups))
    held = min(max(1, held), len(groups) - 1)
    return dict.fromkeys(groups[:held], 1) | dict.fromkeys(groups[held:], 0)


def _require_enough(name: str, groups: int, fold: Fold) -> None:
    if groups < max(fold.count, 3):
        raise UsageProblem(
            f"Class {show(name)} has {groups} groups, too few for {fold.count} folds: each fold "
            "needs one, and two must be left to train and to validate."
        )
