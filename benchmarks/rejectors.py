"""Which measure of doubt keeps the most wrong answers back, on tissue that no network has seen.

Measures, each asked to leave the same share of fields without an answer:

- *confidence*: the likeliest class's probability, under the temperature of the other folds;
- *margin*: that probability minus the second's;
- *distance* and *counter-example*: what novelty is judged by, where the tables hold it;
- *ensemble*: the mean probability that several networks give the class that the model names. All of
  them were fitted without the field's group, so their spread is that of unseen tissue;
- *spread*: the standard deviation of that probability over the networks;
- sums of ranks of two of them. Ranks are taken within a fold, as distances of two networks need
  not have one scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lungscan.dataset.resampling import GroupBootstrap
from lungscan.evaluation.curves import Ranking
from lungscan.evaluation.wording import points, with_interval
from lungscan.training.nested import judged_of
from lungscan.training.out_of_fold import Answers

Floats = NDArray[np.float64]


def measures_of(answers: Answers, others: Sequence[Answers]) -> dict[str, Floats]:
    """Each measure ``(n,)`` as trust: the higher, the sooner a field is answered."""
    judged = judged_of(answers)
    ordered = np.sort(judged.probs, 1)
    found = {
        "confidence": judged.confidence,
        "margin": ordered[:, -1] - ordered[:, -2],
        "counter-example": -answers.counter_example.astype(np.float64),
    }
    if not np.isnan(answers.distances).any():
        found["distance"] = -answers.distances.astype(np.float64)
    if others:
        every = np.stack([judged.probs, *(judged_of(one).probs for one in others)])
        named = every[:, np.arange(len(judged.forced)), judged.forced]  # (networks, n)
        found["ensemble"], found["spread"] = named.mean(0), -named.std(0)
    ranks = {name: _ranks(values, answers) for name, values in found.items()}
    for second in ("distance", "counter-example", "ensemble", "spread"):
        if second in ranks:
            found[f"confidence + {second}"] = ranks["confidence"] + ranks[second]
    return found


def _ranks(values: Floats, answers: Answers) -> Floats:
    """Shares of the fold's own fields that lie at or below each."""
    ranks = np.empty(len(values))
    for number in np.unique(answers.numbers):
        own = answers.numbers == number
        ranks[own] = np.searchsorted(np.sort(values[own]), values[own], "right") / own.sum()
    return ranks


def rejector_table(name: str, answers: Answers, others: Sequence[Answers]) -> str:
    """The measures beside each other, as a Markdown section."""
    judged = judged_of(answers)
    bootstrap = GroupBootstrap(answers.groups)
    rankings = {
        title: Ranking(replace(judged, confidence=values), bootstrap)
        for title, values in measures_of(answers, others).items()
    }
    base = rankings["confidence"]
    lines = [
        f"What to leave unanswered: {name}, wrong among the answered, and points less than by "
        f"confidence alone ({len(others)} further networks in the ensemble).",
        "",
        "| measure | wrong at 95 % answered | less | wrong at 90 % answered | less |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for title, ranking in rankings.items():
        cells = []
        for share in (0.95, 0.90):
            right = ranking.at(share, "share", "")
            wrong = replace(
                right,
                value=1 - right.value,
                low=None if right.high is None else 1 - right.high,
                high=None if right.low is None else 1 - right.low,
            )
            less = points(ranking.minus(base, share, "less")) if ranking is not base else ""
            cells += [with_interval(wrong), less]
        lines.append("| " + " | ".join((title, *cells)) + " |")
    return "\n".join(lines) + "\n"
