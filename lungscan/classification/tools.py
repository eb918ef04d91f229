"""What classifying a case takes, made once per run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lungscan.classification.case_record import RunContext
from lungscan.classification.scoring import Scorer
from lungscan.opening.opener import Readers
from lungscan.opening.plan import Plan
from lungscan.reading import TilePixels
from lungscan.results.store import RunStore
from lungscan.types import Explanation, TileScores
from lungscan.workers import Workers


class FileExplainer(Protocol):
    """Explains the answers of files; see ``lungscan.explaining``."""

    def of_file(
        self, planned: Plan, scores: TileScores, pixels: TilePixels | None = None
    ) -> tuple[Explanation, ...]:
        """Explain the tiles that speak for a file's answer; ``pixels`` are those of all tiles."""


@dataclass(frozen=True)
class Tools:
    """The run's own parts; all of them may be used from several threads."""

    run: RunContext
    store: RunStore
    scorer: Scorer
    workers: Workers
    readers: Readers
    explainer: FileExplainer | None = None  # None: nobody asked
