"""A review while it is being made: each change can be undone, and whether it is saved. No Qt."""

from __future__ import annotations

from dataclasses import dataclass, field

from lungscan.types import CaseResult
from lungscan_gui import engine
from lungscan_gui.engine import Opinion, Region, Review, Verdict


@dataclass(frozen=True, slots=True)
class Draft:
    """What a reviewer has said so far."""

    verdict: Verdict | None = None
    right_class: str = ""
    comment: str = ""
    reviewer: str = ""
    regions: tuple[Region, ...] = ()


class History:
    """Drafts in the order in which they were made; undo goes back, redo forward."""

    def __init__(self, first: Draft) -> None:
        self._drafts = [first]
        self._at = 0
        self._kind = ""  # of the last change

    @property
    def now(self) -> Draft:
        """The draft as it stands."""
        return self._drafts[self._at]

    @property
    def can_undo(self) -> bool:
        """Whether there is something to go back to."""
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        """Whether something was undone."""
        return self._at + 1 < len(self._drafts)

    def change(self, draft: Draft, kind: str = "") -> None:
        """A new draft. Changes of one ``kind`` in a row, such as typing, are undone together."""
        if draft == self.now:
            return
        joined = bool(kind) and kind == self._kind and self.can_undo and not self.can_redo
        del self._drafts[self._at + (0 if joined else 1) :]
        self._drafts.append(draft)
        self._at = len(self._drafts) - 1
        self._kind = kind

    def undo(self) -> None:
        """Back by one."""
        self._at, self._kind = max(0, self._at - 1), ""

    def redo(self) -> None:
        """Forward by one."""
        self._at, self._kind = min(len(self._drafts) - 1, self._at + 1), ""


@dataclass(eq=False)
class Sheet:
    """The review of one answer in the window."""

    result: CaseResult
    stored: Review | None  # as it lies on the disk
    history: History
    saved: Draft  # what of it is on the disk
    second: CaseResult | None = None  # the answer without ``second_of``
    second_of: tuple[Region, ...] = ()
    trouble: str = ""  # why there is no second answer
    report_open: bool = False  # elsewhere: the report of the last saving lies beside it
    seen: set[int] = field(default_factory=set)  # pictures of the evidence; shared with the case

    @property
    def unsaved(self) -> bool:
        """Whether a person would lose something."""
        return self.history.now != self.saved

    @property
    def may_save(self) -> bool:
        """Whether saving would change something on the disk."""
        return self.unsaved or self.report_open

    def review(self, reviewed_utc: str) -> Review:
        """The draft as a record. The word of another reviewer is kept among the earlier ones."""
        draft, stored = self.history.now, self.stored
        stated = Opinion(draft.verdict, draft.right_class, draft.comment, draft.reviewer)
        opinion = engine.replace(stated, reviewed_utc=reviewed_utc if draft.verdict else "")
        earlier: tuple[Opinion, ...] = ()
        if stored is not None:
            before = stored.opinion
            if not self.unsaved:
                opinion = before
            another = before.verdict is not None and before.reviewer != draft.reviewer
            earlier = (*stored.earlier, *((before,) if another else ()))
        second = None
        if draft.regions and self.second is not None and self.second_of == draft.regions:
            second = engine.second_answer(self.result, self.second)
        return Review(
            self.result.key,
            self.result.case_id,
            engine.answer_digest(self.result),
            opinion,
            draft.regions,
            second,
            tuple(sorted(self.seen)),
            len(self.result.pictures),
            earlier,
            engine.__version__,
        )


def sheet_of(result: CaseResult, stored: Review | None, reviewer: str) -> Sheet:
    """A sheet with what was saved of this answer, else an empty one."""
    draft = Draft(reviewer=reviewer)
    if stored is not None:
        stated = stored.opinion
        draft = Draft(
            stated.verdict, stated.right_class, stated.comment, stated.reviewer, stored.regions
        )
    sheet = Sheet(result, stored, History(draft), draft)
    if stored is not None:
        sheet.seen |= set(stored.seen)
        if stored.second is not None:
            sheet.second = engine.as_second(result, stored.second)
            sheet.second_of = stored.regions
    return sheet
