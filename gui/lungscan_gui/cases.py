"""The cases of the window: what each is, how far it is, what came out. No Qt."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from lungscan.errors import Code
from lungscan.types import CaseResult, CaseStatus, Explanation, FileKind
from lungscan_gui import engine
from lungscan_gui.engine import FoundFile, Verdict, Words
from lungscan_gui.viewer.tilemap import TileMap, map_of

REVIEWED = {
    Verdict.AGREE: "reviewed: agrees",
    Verdict.DISAGREE: "reviewed: disagrees",
    Verdict.NOT_ASSESSABLE: "reviewed: not assessable",
}


class CaseState(StrEnum):
    """Where a case stands."""

    WAITING = "not analysed"
    QUEUED = "queued"
    RUNNING = "running"
    STOPPED = "stopped"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a case's result needs to be shown."""

    result: CaseResult
    out: Path  # folder of the run
    maps: dict[int, TileMap]  # by file of the case
    verdict: Verdict | None  # of the review that lies beside it


@dataclass(eq=False)
class Case:
    """One image, or several that share an answer, and what is known of it."""

    path: Path | None  # of the first image; None: known from earlier results alone
    name: str
    others: tuple[Path | None, ...] = ()  # of the images beyond the first
    file: int = 0  # which of the images is looked at; as in ``CaseResult.files``, once there is one
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
    modality: str | None = None  # of the model that is answering; see ``words``
    kind: FileKind | None = None  # of its first image; None: nobody knows
    asked: tuple[Explanation, ...] = ()  # of tiles that were asked about, beside the run's own
    verdict: Verdict | None = None  # of the review that is saved
    found: tuple[FoundFile, ...] = ()  # how the search of its folder called its files
    sha256: str = ""  # of its image, where it was compared with a missing one
    proven: set[int] = field(default_factory=set)  # images whose content is that of the result
    error: str = ""  # why its run ended, where no result says so

    @property
    def identity(self) -> object:
        """What makes it the same case when it is opened again."""
        if self.path is None or self.others:
            return self.out, self.name
        return self.path

    @property
    def paths(self) -> tuple[Path, ...]:
        """What a run of it is told: every image, every slice of a series; () where one is gone."""
        if self.path is None:
            return ()
        others = tuple(path for path in self.others if path is not None)
        if len(others) < len(self.others):
            return ()
        return self.path, *others, *(path for path in self.slices if path != self.path)

    @property
    def image(self) -> Path | None:
        """The image that is looked at."""
        return self.image_of(self.file)

    def image_of(self, file: int) -> Path | None:
        """Where an image lies; files that could not be read have no number in a result."""
        return (self.path, *self.others)[self.place_of(file)]

    def place_of(self, file: int) -> int:
        """Which of the paths the image ``file`` of the result has."""
        if self.result is not None and file < len(self.result.files) < len(self.others) + 1:
            return self.result.relative_paths.index(self.result.files[file].relative_path)
        return min(file, len(self.others))

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the images that can be looked at."""
        if self.result is not None and self.result.files:
            return tuple(file.relative_path for file in self.result.files)
        return tuple(path.name if path else "" for path in (self.path, *self.others))

    @property
    def words(self) -> Words:
        """What its reports call things: a slide has tiles, a series slices."""
        if self.result is not None:
            return engine.modality_of(self.result.model.modality).words
        return engine.modality_of(self.modality or ("chest-ct" if self.slices else None)).words

    def again(self, name: str) -> Case:
        """The same images without an answer, for another one."""
        return Case(
            self.path, name, self.others, mpp=self.mpp, slices=self.slices, found=self.found,
            kind=self.kind,
        )  # fmt: skip

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
            reviewed = f" · {REVIEWED[self.verdict]}" if self.verdict else ""
            return engine.answer_line(self.result) + reviewed
        if self.state is CaseState.RUNNING and self.total:
            return f"{self.done:,} of {self.total:,} {self.words.tiles}"
        return self.error or self.state.value.capitalize()

    def begin(self) -> None:
        """Forget an earlier answer: another one comes."""
        self.result, self.maps, self.seen, self.error = None, {}, set(), ""
        self.done = self.total = 0
        self.asked, self.verdict = (), None

    def finish(self, answer: Answer) -> None:
        """Take the answer."""
        result = answer.result
        self.result, self.out, self.state, self.error = result, answer.out, CaseState.FINISHED, ""
        self.maps, self.verdict, self.asked = answer.maps, answer.verdict, ()
        self.proven = set()
        self.file = self.file if self.file < len(result.files) else 0
        self.done = self.total = result.counts.total


def answer_of(result: CaseResult, out: Path) -> Answer:
    """A map of each file, and what was said of it; it takes a while: not in the window's thread."""
    review = engine.review_of(out, result).review if result.prediction is not None else None
    return Answer(
        result,
        out,
        {part.file_index: map_of(part) for part in result.scores},
        review.opinion.verdict if review else None,
    )


@dataclass
class Pace:
    """How fast tiles come, and how long it will take."""

    began: float = field(default_factory=time.monotonic)
    first: int = 0  # tiles that an earlier run had scored

    def text(self, done: int, total: int, now: float | None = None, what: str = "tiles") -> str:
        """``1,024 of 4,096 tiles, 110 tiles/s, about 28.0 s left``."""
        words = f"{done:,} of {total:,} {what}"
        seconds = (time.monotonic() if now is None else now) - self.began
        fresh = done - self.first
        if fresh <= 0 or seconds < 1:
            return words
        rate = fresh / seconds
        left = engine.duration((total - done) / rate)
        return f"{words}, {rate:,.0f} {what}/s, about {left} left"
