"""Reviewing in the window: one sheet for each answer that was looked at, saved when asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtWidgets import QMessageBox

from lungscan.errors import LungScanError
from lungscan.types import CaseResult
from lungscan_gui import engine
from lungscan_gui.cases import Case
from lungscan_gui.engine import Beside, Region, Review, Verdict
from lungscan_gui.review.draft import Draft, Sheet, sheet_of
from lungscan_gui.review.drawing import FREEHAND, HELP, Drawing

if TYPE_CHECKING:
    from lungscan_gui.window import MainWindow

Place = tuple[Path, str]  # folder of a run, digest of the answer
Asked = QMessageBox.StandardButton
UNSAVED = "Unsaved review"
ONE_SLICE = "Show a single slice first (Page Down, or the slider): it is what is left out."
NO_SLICES = (
    "The slices of this series are not here, so none can be left out. Drop the folder that they "
    "lie in on the window."
)


class Reviewing(QObject):
    """Keeps the sheets, draws regions, asks for the second answer, saves."""

    _formed = pyqtSignal(object, object, object, str)  # Sheet, regions, CaseResult, trouble
    _kept = pyqtSignal(object, object, object, str)  # Sheet, Review, Draft, trouble

    def __init__(self, window: MainWindow) -> None:
        super().__init__()
        self._window = window
        self._sheets: dict[Place, Sheet] = {}
        self._case: Case | None = None
        self._closed = False
        self.panel = window.result.review
        self.drawing = Drawing(window.viewer)
        window.display.over.append(self.drawing)
        self.drawing.drawn.connect(self._add_region)
        self.drawing.ended.connect(self._show_drawing)
        self.panel.changed.connect(self._changed)
        self.panel.draw_asked.connect(self.draw)
        self.panel.freehand_asked.connect(lambda: self.draw(freehand=True))
        self.panel.remove_asked.connect(self.remove_region)
        self.panel.undo_asked.connect(self.undo)
        self.panel.redo_asked.connect(self.redo)
        self.panel.save_asked.connect(self.save)
        self._formed.connect(self._take_second)
        self._kept.connect(self._take_saved)

    @property
    def sheet(self) -> Sheet | None:
        """That of the case that is shown, if it can be reviewed."""
        place = _place(self._case)
        return self._sheets.get(place) if place else None

    @property
    def unsaved(self) -> list[tuple[Place, Sheet]]:
        """Those that a person would lose."""
        return [(place, sheet) for place, sheet in self._sheets.items() if sheet.unsaved]

    def show(self, case: Case | None) -> None:
        """Another case is shown, or the same one with another answer."""
        if case is not self._case:
            self.drawing.give_up()
        self._case = case
        place = _place(case)
        if case is not None and place is not None:
            if place not in self._sheets:
                self._sheets[place] = self._opened(case)
            sheet = self._sheets[place]
            sheet.seen |= case.seen
            case.seen = sheet.seen
        self._refresh()

    # What a person does ------------------------------------------------------------------------

    def choose(self, verdict: Verdict) -> None:
        """Agree, disagree or not assessable."""
        if self.sheet is not None:
            self.panel.choose(verdict)

    def draw(self, *, freehand: bool = False) -> None:
        """Begin with a region, or give up the one that was begun; of a series take the slice."""
        begun = self.drawing.active and self.drawing.freehand == freehand
        self.drawing.give_up()
        if self.sheet is not None and self._window.slices.series is not None:
            self._leave_out_slice()
        elif self.sheet is not None and self._slices_missing():
            self._window.message.say(NO_SLICES, error=False)
        elif self.sheet is not None and not begun:
            self.drawing.begin(freehand=freehand)
            self._window.message.say(FREEHAND if freehand else HELP, error=False)
        self._show_drawing()

    def _slices_missing(self) -> bool:
        """Whether only the overview of a series is here, which has other places than its slices."""
        case = self._case
        if case is None or case.result is None:
            return False
        series = [file.info.series for file in case.result.files[case.file : case.file + 1]]
        return any(one is not None and one.slices > 1 for one in series)

    def _leave_out_slice(self) -> None:
        """Leave out the slice that is seen, or let it count again."""
        box, case, sheet = self._window.slices.box, self._case, self.sheet
        if box is None or case is None or sheet is None:
            self._window.message.say(ONE_SLICE, error=False)
            return
        left, top, width, height = (float(value) for value in box)
        right, bottom = left + width, top + height
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        region, draft = Region(case.file, corners), sheet.history.now
        if region in draft.regions:
            kept = tuple(other for other in draft.regions if other != region)
            self._changed(engine.replace(draft, regions=kept), "")
        else:
            self._add_region(region)

    def _show_drawing(self) -> None:
        drawing, slices = self.drawing, self._window.slices.series is not None
        self.panel.show_drawing(slices=slices, active=drawing.active, freehand=drawing.freehand)

    def remove_region(self) -> None:
        """Let the region that was drawn last count again."""
        if self.sheet is not None:
            draft = self.sheet.history.now
            self._changed(engine.replace(draft, regions=draft.regions[:-1]), "")

    def undo(self) -> None:
        """Take the last change back."""
        if self.sheet is not None:
            self.sheet.history.undo()
            self._refresh()

    def redo(self) -> None:
        """Make it again."""
        if self.sheet is not None:
            self.sheet.history.redo()
            self._refresh()

    def save(self) -> None:
        """Write the review beside its result, in a thread of its own."""
        place, sheet = _place(self._case), self.sheet
        if place is None or sheet is None or not sheet.may_save:
            return
        self._window.settings.reviewer = sheet.history.now.reviewer
        work = partial(self._write, place, sheet, self._window.options.models)
        threading.Thread(target=work, name="review").start()

    def for_report(self) -> Callable[[], Beside | None]:
        """The review as a report of the case that is shown now has it, whatever is shown later.

        It may be asked for in any thread, and is saved first: a filed page must not say what no
        record holds.
        """
        place, sheet = _place(self._case), self.sheet
        if place is None or sheet is None or not (sheet.seen or sheet.stored or sheet.unsaved):
            return lambda: None
        if sheet.unsaved:
            return partial(self._saved, place, sheet, self._window.options.models)
        beside = Beside(sheet.review(engine.utc_now()))
        return lambda: beside

    def may_close(self) -> bool:
        """Ask about unsaved reviews; False: stay open."""
        lost = self.unsaved
        if not lost:
            return True
        names = ", ".join(sheet.result.case_id for _, sheet in lost[:3])
        more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
        words = f"The review of {names}{more} is not saved. Save it?"
        choice = QMessageBox.question(
            self._window, UNSAVED, words, Asked.Save | Asked.Discard | Asked.Cancel, Asked.Save
        )
        if choice == Asked.Save:
            for place, sheet in lost:
                self._write(place, sheet, self._window.options.models)
            return not self.unsaved
        return choice == Asked.Discard

    def close(self) -> None:
        """The window closes; what a thread still tells is not shown any more."""
        self._closed = True

    # Behind it ---------------------------------------------------------------------------------

    def _opened(self, case: Case) -> Sheet:
        assert case.result is not None  # noqa: S101  it has a place
        assert case.out is not None  # noqa: S101
        beside = engine.review_of(case.out, case.result)
        if beside.problem:
            self._window.message.say(f"{case.name}: {beside.problem}")
        return sheet_of(case.result, beside.review, self._window.settings.reviewer)

    def _changed(self, draft: Draft, kind: str) -> None:
        if self.sheet is not None:
            self.sheet.history.change(draft, kind)
            self._refresh()

    def _add_region(self, region: Region) -> None:
        if self.sheet is not None:
            draft = self.sheet.history.now
            self._changed(engine.replace(draft, regions=(*draft.regions, region)), "")
            self._window.message.hide()

    def _refresh(self) -> None:
        sheet = self.sheet
        self._window.result.show_review(visible=sheet is not None)
        file = self._case.file if self._case else 0
        self.drawing.show_regions(sheet.history.now.regions if sheet else (), file)
        self._show_drawing()
        if sheet is not None:
            self.panel.show_sheet(sheet, _state(sheet))
            self._form(sheet)

    def _form(self, sheet: Sheet) -> None:
        """Have the second answer formed beside the window's thread."""
        regions = sheet.history.now.regions
        if not regions or sheet.second_of == regions:
            return
        sheet.second, sheet.second_of, sheet.trouble = None, regions, ""
        places = self._window.options.models

        def work() -> None:
            second, trouble = _formed(sheet.result, regions, places)
            self._formed.emit(sheet, regions, second, trouble)

        threading.Thread(target=work, name="second answer", daemon=True).start()

    def _take_second(
        self, sheet: Sheet, regions: tuple[Region, ...], second: CaseResult | None, trouble: str
    ) -> None:
        if sheet.second_of == regions and not self._closed:
            sheet.second, sheet.trouble = second, trouble
            if sheet is self.sheet:
                self.panel.show_sheet(sheet, _state(sheet))

    def _saved(self, place: Place, sheet: Sheet, models: tuple[str, ...]) -> Beside:
        """Save, in whatever thread; the review as it was saved, or as it would have been."""
        return Beside(self._write(place, sheet, models) or sheet.review(engine.utc_now()))

    def _write(self, place: Place, sheet: Sheet, models: tuple[str, ...]) -> Review | None:
        """Save, in whatever thread, and tell of it by a signal; what was, or should be, saved."""
        draft = sheet.history.now
        trouble, review = "", None
        try:
            if (there := engine.review_of(place[0], sheet.result).review) is not None:
                sheet.stored = there  # perhaps of another window: its word is kept, too
            if draft.regions and (sheet.second is None or sheet.second_of != draft.regions):
                second, sheet.trouble = _formed(sheet.result, draft.regions, models)
                sheet.second, sheet.second_of = second, draft.regions
            review = sheet.review(engine.utc_now())
            told = engine.save_review(place[0], sheet.result, review)
            sheet.report_open = bool(told)
            if told and not self._closed:
                self._window.alarmed.emit(told, "")
        except LungScanError as error:
            trouble = f"The review was not saved. {error}"
        except OSError as error:
            trouble = f"The review could not be saved ({error.strerror or error})."
        self._kept.emit(sheet, review, draft, trouble)
        return review

    def _mark(self, sheet: Sheet, verdict: Verdict | None) -> None:
        """Say in the list that the case is reviewed."""
        place = next((place for place, kept in self._sheets.items() if kept is sheet), None)
        for case in self._window.queue.model.cases:
            if place is not None and _place(case) == place:
                case.verdict = verdict
                self._window.queue.model.touch(case)

    def _take_saved(self, sheet: Sheet, review: Review, draft: Draft, trouble: str) -> None:
        if not trouble:
            sheet.stored, sheet.saved = review, draft
            self._mark(sheet, review.opinion.verdict)
        if not self._closed:
            if trouble:
                self._window.message.say(trouble)
            self._refresh()


def _place(case: Case | None) -> Place | None:
    """Where the review of a case lies; None where there is nothing to review."""
    if case is None or case.result is None or case.out is None or case.result.prediction is None:
        return None
    return case.out, engine.answer_digest(case.result)


def _formed(
    result: CaseResult, regions: tuple[Region, ...], places: tuple[str, ...]
) -> tuple[CaseResult | None, str]:
    """The second answer, or why there is none."""
    try:
        return engine.answer_again(result, regions, places), ""
    except LungScanError as error:
        return None, str(error)


def _state(sheet: Sheet) -> str:
    if sheet.unsaved:
        return "Not saved yet."
    if sheet.stored is None or sheet.stored.opinion.verdict is None:
        return "Saved." if sheet.stored else ""
    return f"Saved: {engine.opinion_line(sheet.stored.opinion, sheet.result.model)}."
