"""A fake engine for the shell's tests: it sends what the engine sends, in its order."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from lungscan.door.jobs import PlanFinished
from lungscan.events import (
    CaseFinished,
    CaseStarted,
    Notice,
    RunFinished,
    RunStarted,
    ScanEvent,
    TilesScored,
)
from lungscan.options import ScanOptions
from lungscan.types import (
    CaseResult,
    CaseStatus,
    ModelStamp,
    NoResult,
    Prediction,
    TileCounts,
)
from tests.event_order import EventOrder

MODEL = ModelStamp(
    name="fake",
    version="1.0",
    sha256="0" * 64,
    class_names=("adeno", "squamous", "benign"),
    display_names=("Adenocarcinoma", "Squamous cell carcinoma", "Benign lung"),
    colors=("#d55e00", "#0072b2", "#009e73"),
    tumour=(True, True, False),
    official=False,
)


def make_result(
    case_id: str,
    status: CaseStatus = CaseStatus.OK,
    *,
    label: str | None = None,
    reason: NoResult | None = None,
    error: str = "",
    tiles: int = 1,
) -> CaseResult:
    """A case that ended as told."""
    answered = status in {CaseStatus.OK, CaseStatus.NO_RESULT, CaseStatus.PARTIAL}
    prediction = Prediction(
        label=label,
        confidence=0.93 if label else None,
        suggested=label or "adeno",
        reason=reason,
        reason_text="",
        probs=(0.93, 0.05, 0.02),
        area_mm2=None,
        tile_share=(1.0, 0.0, 0.0),
        rule="tumour-aware",
    )
    return CaseResult(
        key=f"key-{case_id}",
        case_id=case_id,
        status=status,
        model=MODEL,
        files=(),
        prediction=prediction if answered else None,
        counts=TileCounts(tiles, tiles, 0, 0, 0, 0, 0, 0),
        tissue_mm2=None,
        scores=(),
        pictures=(),
        flags=(),
        relative_paths=(case_id,),
        settings_hash="",
        settings=(),
        device="cpu",
        seconds=1.5,
        started_utc="",
        finished_utc="",
        error_code="E_OPEN" if error else "",
        error_message=error,
    )


class FakeEngine:
    """Stands in for ``lungscan.scan``; keeps the options it was called with."""

    def __init__(self) -> None:
        self.results: Sequence[CaseResult] = ()
        self.planned: tuple[object, ...] = ()
        self.raises: BaseException | None = None
        self.options: ScanOptions | None = None
        self.closed = False

    def scan(self, options: ScanOptions) -> Generator[ScanEvent, None, None]:
        """Yield one run over ``results``; ``raises`` is raised after the last of them."""
        self.options = options
        order = EventOrder()
        try:
            for event in self._events(options):
                order.take(event)
                yield event
        finally:
            self.closed = True

    def plan(self, options: ScanOptions) -> Generator[PlanFinished, None, None]:
        """Plan what it was told to plan."""
        yield PlanFinished(self.planned)  # type: ignore[arg-type]  # looks like planned cases

    def _events(self, options: ScanOptions) -> Generator[ScanEvent, None, None]:
        skipped = [r for r in self.results if r.status is CaseStatus.SKIPPED]
        cases = [r for r in self.results if r.status is not CaseStatus.SKIPPED]
        fields = [result for result in cases if result.counts.total <= 1]
        slides = [result for result in cases if result.counts.total > 1]
        yield RunStarted(len(cases), len(skipped), "fake 1.0", "CPU (fake)", options.out)
        yield Notice("only a fake")
        begun = finished = len(skipped)
        for index, result in enumerate(skipped, start=1):
            yield CaseFinished(result, index)
        for part in (fields, *([slide] for slide in slides)):  # fields are taken up together
            for result in part:
                begun += 1
                yield CaseStarted(result.key, result.case_id, begun)
            for result in part:
                finished += 1
                if result.counts.total > 1:
                    yield TilesScored(result.key, result.counts.total, result.counts.total)
                yield CaseFinished(result, finished)
        if self.raises is not None:
            raise self.raises
        by_status = {s.value: sum(r.status is s for r in self.results) for s in CaseStatus}
        yield RunFinished(**by_status, tiles=7, seconds=2.0, out=options.out)
