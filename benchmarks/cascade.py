"""What two networks answer together: the fast one where it is sure, else the full one.

Both were fitted without the field's group, so the shares are those of unseen tissue. A field that
the fast network passes on is judged by the full one alone, under its own temperature.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lungscan.dataset.resampling import GroupBootstrap
from lungscan.evaluation.curves import Ranking
from lungscan.evaluation.judged import Judged
from lungscan.evaluation.wording import points, with_interval

LIMITS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99)


def joined(fast: Judged, full: Judged, limit: float) -> Judged:
    """The answers of both; ``limit`` is the confidence from which the fast network is believed."""
    sure = fast.confidence >= limit
    return replace(
        full,
        probs=np.where(sure[:, None], fast.probs, full.probs),
        confidence=np.where(sure, fast.confidence, full.confidence),
        forced=np.where(sure, fast.forced, full.forced),
        answered=np.where(sure, fast.answered, full.answered),
    )


def cascade_table(names: tuple[str, str], fast: Judged, full: Judged) -> str:
    """The limits beside each other, as a Markdown section."""
    bootstrap = GroupBootstrap(full.groups)
    alone = Ranking(full, bootstrap)
    lines = [
        f"A cascade: {names[0]} where it is as sure as the limit says, else {names[1]}; against "
        f"{names[1]} alone, paired, in points.",
        "",
        "| limit | sure | right of the sure | all fields | against it alone "
        "| the most certain 95 %, against it alone |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for limit in LIMITS:
        both, sure = joined(fast, full, limit), fast.confidence >= limit
        gain = bootstrap.mean("gain", both.right.astype(np.float64) - full.right)
        certain = Ranking(both, bootstrap).minus(alone, 0.95, "gain at 95 %")
        cells = (
            with_interval(bootstrap.mean("sure", sure.astype(np.float64))),
            with_interval(bootstrap.ratio("right", fast.right & sure, sure)),
            with_interval(bootstrap.mean("right", both.right.astype(np.float64))),
            points(gain),
            points(certain),
        )
        lines.append(f"| {limit:g} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
