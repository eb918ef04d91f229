"""The cases of the window: what each is, how far it is, what came out. No Qt."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from lungscan.errors import Code
from lungscan.types import CaseResult, CaseStatus
from lungscan_gui import engine
from lungscan_gui.viewer.tilemap import TileMap, map_of


class CaseState(StrEnum):
    """Where a case stands."""

    WAITING = "not analysed"
    QUEUED = "queued"
    RUNNING = "running"
    STOPPED = "stopped"
    FINISHED = "finished"


@dataclass(eq=False)
class Case:
    """One image, or the files of one slide, and what is known of it."""

    path: Path | None  # None: known from earlier results alone
    name: str
    state: CaseState = CaseState.WAITING
    mpp: float | None = None  # given by the user
    unscaled: bool = False  # a slide that was opened and does not say how large its pixels are
    out: Path | None = None  # folder of the run that answered
    result: CaseResult | None = None
    maps: dict[int, TileMap] = field(default_factory=dict)  # by file of the case
    done: int = 0
    total: int = 0
    seen: set[int] = field(default_factory=set)  # pictures of the evidence that were looked at
    slices: tuple[Path, ...] = ()  # the files of a CT series; ``path`` is one of them
    error: str = ""  # why its run ended, where no result says so

    @property
    def identity(self) -> object:
        """What makes it the same case when it is opened again."""
        return self.path or (self.out, self.name)

    @property
    def paths(self) -> tuple[Path, ...]:
        """What a run of it is told: every slice of a series, as only those named are judged."""
        if self.path is None:
            return ()
        return self.path, *(path for path in self.slices if path != self.path)

    @property
    def failed(self) -> bool:
        """Whether it may be tried again."""
        if self.result is not None:
            return self.result.status in (CaseStatus.FAILED, CaseStatus.PARTIAL)
        return bool(self.error)

    @property
    def needs_scale(self) -> bool:
        """Whether a person has to say how large its pixels are, or could get an answer by it."""
        if self.result is None:
            return self.unscaled and self.mpp is None
        prediction = self.result.prediction
        refused = prediction is not None and prediction.label is None
        return self.result.error_code in (Code.NO_MPP, Code.BAD_MPP) or (
            refused and "scale_unknown" in self.result.flags
        )

    @property
    def line(self) -> str:
        """How it stands, in a few words."""
        if self.result is not None and self.state is CaseState.FINISHED:
            return engine.answer_line(self.result)
        if self.state is CaseState.RUNNING and self.total:
            return f"{self.done:,} of {self.total:,} tiles"
        return self.error or self.state.value.capitalize()

    def begin(self) -> None:
        """Forget an earlier answer: another one comes."""
        self.result, self.maps, self.seen, self.error = None, {}, set(), ""
        self.done = self.total = 0

    def finish(self, result: CaseResult, out: Path, maps: dict[int, TileMap]) -> None:
        """Take the answer, and the maps that ``maps_of`` made of it."""
        self.result, self.out, self.state, self.error = result, out, CaseState.FINISHED, ""
        self.maps = maps
        self.done = self.total = result.counts.total


def maps_of(result: CaseResult) -> dict[int, TileMap]:
    """A map of each file; of many tiles it takes a while, so not in the window's thread."""
    return {part.file_index: map_of(part) for part in result.scores}


@dataclass
class Pace:
    """How fast tiles come, and how long it will take."""

    began: float = field(default_factory=time.monotonic)
    first: int = 0  # tiles that an earlier run had scored

    def text(self, done: int, total: int, now: float | None = None) -> str:
        """``1,024 of 4,096 tiles, 110 tiles/s, about 28.0 s left``."""
        words = f"{done:,} of {total:,} tiles"
        seconds = (time.monotonic() if now is None else now) - self.began
        fresh = done - self.first
        if fresh <= 0 or seconds < 1:
            return words
        rate = fresh / seconds
        left = engine.duration((total - done) / rate)
        return f"{words}, {rate:,.0f} tiles/s, about {left} left"
