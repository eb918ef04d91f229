"""Whether a model is proven: better than chance on fields that it was not fitted on."""

from __future__ import annotations

import dataclasses
import math

from lungscan.errors import ModelError
from lungscan.model.card import Metric, ModelCard
from lungscan.model.shares import percent
from lungscan.types import UNPROVEN

FLAG = "unproven_model"  # of every case that such a model answers
# The figure of all fields, forced choice, by the names that cards of all ages know it by.
_NAMES = ("accuracy", "accuracy student")
_TAIL = 0.025  # of a 95 % interval, on each side
_HALVINGS = 30  # of the range that a bound is looked for in: to a billionth
_MOST = 10_000  # groups that are counted: a card may name any number, and more change no word


def doubt(card: ModelCard) -> str:
    """Why a model is unproven, in a sentence; "" of one that is proven.

    It is proven when the 95 % interval of its accuracy lies above chance: above the share that
    naming always one class would reach. The interval is the card's own, over groups, and never
    narrower than the exact one of as many groups (Clopper and Pearson 1934): where every answer is
    right, the card's has no width, however few they were. Where the card has none, it is that.
    """
    metric = _accuracy(card)
    if metric is None or metric.n == 0:
        if why := card.adaptation.get("not_measured"):
            return f"{card.name} is unproven: {why}."
        return (
            f"{card.name} is unproven: how often it is right has not been measured, because no "
            "fields were held out for a test."
        )
    chance = chance_of(card)
    if (metric.low is None or metric.low > chance) and _beats(metric, chance):
        return ""
    least, most = _exact(metric)
    low = least if metric.low is None else min(metric.low, least)
    high = most if metric.high is None else metric.high
    return (
        f"{card.name} is unproven: it is right in {percent(metric.value, 0)} of {metric.n} test "
        f"fields in {metric.groups} groups (95 % interval {percent(low, 0)} to {percent(high, 0)}),"
        f" and naming always one class would be right in {percent(chance, 0)}."
    )


def chance_of(card: ModelCard) -> float:
    """Share of right answers of whoever names always the same class.

    The share of the commonest class in the test, where the card tells it, and never less than that
    of classes which are equally common.
    """
    stated = card.data.get("commonest_class", 0.0)
    known = float(stated) if isinstance(stated, int | float) else 0.0
    return max(1 / len(card.class_names), known)


def require_proven(card: ModelCard, *, unproven: bool) -> None:
    """Refuse a model that is unproven, unless it is wanted all the same.

    Raises:
        ModelError: why, and what to do.
    """
    why = doubt(card)
    if why and not unproven:
        raise ModelError(
            f"{why} Train it on more groups and hold some out for a test, or take it all the same "
            "(--unproven): every report will say so."
        )


def stated(card: ModelCard) -> ModelCard:
    """The card with its doubt as the first fact and the first limit, where there is any."""
    why = doubt(card)
    if not why:
        return card
    facts = tuple(fact for fact in card.facts if fact[0] != UNPROVEN)
    limits = tuple(limit for limit in card.limits if limit != why)
    return dataclasses.replace(card, facts=((UNPROVEN, why), *facts), limits=(why, *limits))


def _accuracy(card: ModelCard) -> Metric | None:
    known = {metric.name: metric for metric in card.metrics}
    found = [known[name] for name in _NAMES if name in known]
    return found[0] if found else None


def _beats(metric: Metric, chance: float) -> bool:
    """Whether the lower end of the exact interval lies above ``chance``."""
    return chance < 1 and _at_least(*_counts(metric), chance) < _TAIL


def _exact(metric: Metric) -> tuple[float, float]:
    """The 95 % interval of a share of so many groups."""
    right, count = _counts(metric)
    return _least(right, count), 1 - _least(count - right, count)


def _counts(metric: Metric) -> tuple[int, int]:
    """How many groups are right, and of how many; a part of a group counts as wrong."""
    count = min(max(1, metric.groups), _MOST)
    share = min(max(0.0, metric.value), 1.0)
    return math.floor(share * count + 1e-9), count


def _least(right: int, count: int) -> float:
    """The chance at which ``right`` or more of ``count`` are right once in 40 times."""
    if right == 0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _at_least(right, count, middle) < _TAIL:
            low = middle
        else:
            high = middle
    return low


def _at_least(right: int, count: int, chance: float) -> float:
    """How likely ``right`` or more of ``count`` are, each right by ``chance`` (not 0, not 1)."""
    hit, miss = math.log(chance), math.log1p(-chance)
    ways = (
        math.lgamma(count + 1)
        - math.lgamma(k + 1)
        - math.lgamma(count - k + 1)
        + k * hit
        + (count - k) * miss
        for k in range(right, count + 1)
    )
    return math.fsum(map(math.exp, ways))
