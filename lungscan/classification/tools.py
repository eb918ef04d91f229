"""What classifying a case takes, made once per run."""

from __future__ import annotations

from dataclasses import dataclass

from lungscan.classification.case_record import RunContext
from lungscan.classification.scoring import Scorer
from lungscan.opening.opener import Readers
from lungscan.results.store import RunStore
from lungscan.workers import Workers


@dataclass(frozen=True)
class Tools:
    """The run's own parts; all of them may be used from several threads."""

    run: RunContext
    store: RunStore
    scorer: Scorer
    workers: Workers
    readers: Readers
