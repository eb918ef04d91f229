"""What classifying a case takes, made once per run."""

from __future__ import annotations

from dataclasses import dataclass

from lungscan.explaining.tiles import TileExplainer
from lungscan.outcome import RunContext
from lungscan.readers import Readers
from lungscan.scoring import Scorer
from lungscan.store import RunStore
from lungscan.workers import Workers


@dataclass(frozen=True)
class Tools:
    """The run's own parts; all of them may be used from several threads."""

    run: RunContext
    store: RunStore
    scorer: Scorer
    workers: Workers
    readers: Readers
    explainer: TileExplainer | None = None  # None: nobody asked
