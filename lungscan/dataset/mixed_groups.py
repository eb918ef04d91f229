"""The order in which groups are dealt, class by class, where a group may hold several classes.

A patient may have tumour and normal tissue. Such a group is dealt once, with the class of its first
picture, as long as that leaves every class enough groups; so deals of before stay what they were.
Where it does not, each group counts for every class that it holds and is dealt with the rarest of
them, because what is rare is hardest to bring into every part (iterative stratification: Sechidis
et al. 2011).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lungscan.dataset.samples import Samples
from lungscan.errors import UsageProblem
from lungscan.inputs import show


@dataclass(frozen=True, slots=True)
class Turn:
    """One class and its groups."""

    label: int
    groups: tuple[str, ...]  # all that count for it, by name
    fresh: tuple[str, ...]  # those of them that no earlier turn has dealt, in a random order


def turns(samples: Samples, rng: np.random.Generator, least: int) -> Iterator[Turn]:
    """Every class once.

    Args:
        samples: pictures with their groups.
        rng: by which fresh groups are shuffled.
        least: groups that a class needs.
    """
    holders: list[set[str]] = [set() for _ in samples.class_names]
    homes: list[set[str]] = [set() for _ in samples.class_names]
    met: set[str] = set()
    for group, label in zip(samples.groups, samples.labels, strict=True):
        holders[label].add(group)
        if group not in met:
            homes[label].add(group)
            met.add(group)
    order = list(range(len(homes)))
    if min(map(len, homes)) < least:
        order.sort(key=lambda label: len(holders[label]))
        homes = holders
    dealt: set[str] = set()
    for label in order:
        fresh = sorted(homes[label] - dealt)
        dealt.update(fresh)
        rng.shuffle(fresh)
        yield Turn(label, tuple(sorted(homes[label])), tuple(fresh))


def to_folds(turn: Turn, fold_of: Mapping[str, int], count: int) -> dict[str, int]:
    """The fold of each fresh group, from 0: the one that has fewest groups of the class.

    Of several the next in turn after the last one dealt, so that the folds stay of one size.

    Args:
        turn: the class.
        fold_of: the groups that are dealt already.
        count: of folds.
    """
    have = Counter(fold_of[group] for group in turn.groups if group in fold_of)
    found: dict[str, int] = {}
    for place, group in enumerate(turn.fresh, start=len(fold_of)):
        order = [(place + step) % count for step in range(count)]
        found[group] = min(order, key=have.__getitem__)
        have[found[group]] += 1
    return found


def to_parts(
    turn: Turn, fresh: Sequence[str], part_of: Mapping[str, int], wanted: Mapping[int, int]
) -> dict[str, int]:
    """The part of each fresh group, so that the class has in each as many groups as are wanted.

    Args:
        turn: the class.
        fresh: the groups to deal, in the order in which the parts are filled.
        part_of: the groups that are dealt already.
        wanted: for each part how many groups of the class, of those dealt already and fresh ones.
    """
    have = Counter(part_of[group] for group in turn.groups if group in part_of)
    needs = {part: max(0, count - have[part]) for part, count in wanted.items()}
    while sum(needs.values()) > len(fresh):  # a part has more than its due: spare the emptiest
        spared = max(needs, key=lambda k: (needs[k] > 0 and have[k] + needs[k] > 1, needs[k]))
        needs[spared] -= 1
    places = [part for part, need in needs.items() for _ in range(need)]
    return dict(zip(fresh, places, strict=True))


def require_everywhere(
    samples: Samples, part_of: Mapping[str, int], parts: Mapping[int, str]
) -> None:
    """Refuse a deal that leaves a part without a class; only groups of several classes can do so.

    Raises:
        UsageProblem: which class, and which of ``parts``, by number and name.
    """
    found = {(label, part_of[g]) for g, label in zip(samples.groups, samples.labels, strict=True)}
    for label, name in enumerate(samples.class_names):
        for part, where in parts.items():
            if (label, part) not in found:
                raise UsageProblem(
                    f"No group of class {show(name)} could be dealt to {where}: its groups hold "
                    "other classes as well, which are needed elsewhere. Deal with another seed, or "
                    "into fewer parts, or write the parts by hand (a split file)."
                )
