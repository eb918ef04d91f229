"""One case in, one ``CaseResult`` out. No output folder, no journal unless one is given.

A run, an evaluation, a worker of a cluster and ``lungscan.classify`` all classify by this.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lungscan.classification.case_record import RunContext
from lungscan.classification.large_cases import BegunCase, begin_case, score_case
from lungscan.classification.scoring import Scorer
from lungscan.classification.small_cases import classify_fields
from lungscan.events import TilesScored
from lungscan.opening.opener import Readers
from lungscan.types import CaseInput, CaseResult
from lungscan.workers import Workers


@dataclass(frozen=True)
class Classifier:
    """A loaded model, and what reads the images for it. Safe to use from several threads at once.

    Raises, from every method:
        LungScanError: the model or the machine failed, so no other case would do better. Trouble
            with a file is no error, but a ``CaseResult`` that says so.
    """

    run: RunContext
    scorer: Scorer
    workers: Workers
    readers: Readers

    def small(self, cases: Sequence[CaseInput], *, picture: bool = True) -> list[CaseResult | None]:
        """Cases of field images, in order: a handful that share batches, in the caller's thread.

        None stands for a case that holds a slide after all: give it to ``large``. With ``picture``
        the results hold the small pictures that reports show.
        """
        return classify_fields(cases, self.run, self.scorer, self.readers, picture=picture)

    def large(
        self, case: CaseInput, journal: Callable[[int], Path] | None = None
    ) -> Generator[TilesScored, None, CaseResult]:
        """A case with a slide among its files; its tiles are spread over all threads.

        Args:
            case: any case; fields are classified as ``small`` would.
            journal: where the tiles of each of its files are kept while it runs, so that a run
                that is killed goes on behind them; None: nowhere.
        """
        begun = self.begin(case)
        with begun.files:
            return (yield from self.finish(begun, journal))

    def begin(self, case: CaseInput) -> BegunCase:
        """Open a case's first file while another is scored. Its ``files`` are to be closed."""
        return begin_case(case, self.readers)

    def finish(
        self, begun: BegunCase, journal: Callable[[int], Path] | None = None
    ) -> Generator[TilesScored, None, CaseResult]:
        """Score a case that was begun, as ``large`` does."""
        return (
            yield from score_case(begun, self.run, self.scorer, self.workers, self.readers, journal)
        )
