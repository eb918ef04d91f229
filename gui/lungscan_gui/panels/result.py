"""Everything about the chosen case: answer, classes, map, quality, model, export."""

from __future__ import annotations

from itertools import pairwise

from PyQt6.QtCore import QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from lungscan.types import CaseResult, ModelStamp
from lungscan_gui import engine
from lungscan_gui.cases import Case, CaseState
from lungscan_gui.explaining.box import ExplainedBox
from lungscan_gui.fitting import Unfit
from lungscan_gui.panels.answer import AnswerBox
from lungscan_gui.panels.classes import ClassTable
from lungscan_gui.panels.maplook import MapPanel
from lungscan_gui.panels.options import ScaleQuestion
from lungscan_gui.panels.other_model import OtherModel
from lungscan_gui.review.panel import ReviewPanel
from lungscan_gui.words import as_typed

BUSY = (CaseState.QUEUED, CaseState.RUNNING)
NARROWEST_PX, WIDEST_PX = 360, 600  # beyond, it is scrolled


class ResultPanel(QScrollArea):
    """A column of boxes; what does not apply is hidden."""

    export_asked = pyqtSignal(object)  # Export
    card_asked = pyqtSignal()
    scale_given = pyqtSignal(float)
    model_given = pyqtSignal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setAccessibleName("Result")  # has the focus to be scrolled by the arrow keys
        self.answer = AnswerBox()
        self.question = ScaleQuestion()
        self.question.answered.connect(self.scale_given)
        self.other_model = OtherModel()
        self.other_model.chosen.connect(self.model_given)
        self.classes = ClassTable()
        self.map = MapPanel()
        self.review = ReviewPanel()
        self.classes.switched.connect(self.map.set_shown)
        self.explained = ExplainedBox()
        self.quality = QLabel()
        self.model = QLabel()
        for label in (self.quality, self.model):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.card = QPushButton("Model card ...")
        self.card.clicked.connect(self.card_asked)
        self.report = QPushButton("Export report (PDF)")
        self.report.setToolTip(as_typed("File the report of this case (Ctrl+E)"))
        self.report.clicked.connect(self._export_report)
        self.export = QPushButton("More")
        self.export.setToolTip("Tiles, map and other files")
        self.export.setAccessibleName("Export tiles, map and other files")
        self.export.setMenu(QMenu(self.export))
        self._report: engine.Export | None = None
        column = QWidget()
        self._layout = QVBoxLayout(column)
        self._layout.setContentsMargins(4, 8, 10, 8)
        self._layout.setSpacing(10)
        self._boxes = {
            "question": _boxed("Pixel size", self.question),
            "other_model": _boxed("Another model", self.other_model),
            "classes": _boxed("Classes", self.classes),
            "export": _side_by_side(self.report, self.export),
            "review": _boxed("Review", self.review),
            "map": _boxed("Map", self.map),
            "explained": _boxed("Explanation", self.explained),
            "quality": _boxed("Quality", self.quality),
            "model": _boxed("Model", self.model, self.card),
        }
        self._layout.addWidget(self.answer)
        for box in self._boxes.values():
            self._layout.addWidget(box)
        self._layout.addStretch()
        self.setWidget(column)
        self.show_review(visible=False)
        self.show_unfit(None)
        self.show_case(None, None)

    def show_case(self, case: Case | None, model: ModelStamp | None) -> None:
        """Show a case; ``model`` is that of a run that has not answered yet."""
        result = case.result if case else None
        if case is None:
            self.answer.show_message("LUNGSCAN", "No case is open", "Drop slides or fields here.")
        elif result is not None:
            self.answer.show_result(result)
        else:
            self.answer.show_message(case.state.value.upper(), case.name, case.error)
        mapped = bool(result and result.scores) or bool(case and case.maps)
        shown = self.map.look.shown or None
        if result is not None and result.prediction is not None:
            shown = shown if shown and len(shown) == len(result.model.class_names) else None
            self.classes.show_result(result, shown)
        elif mapped and model is not None:
            shown = shown if shown and len(shown) == len(model.class_names) else None
            self.classes.show_model(model, shown)
        self._show(
            question=case is not None and case.needs_scale and case.state not in BUSY,
            classes=mapped,
            export=result is not None,
            map=mapped,
            explained=bool(result and result.scores),
            quality=result is not None,
            model=result is not None,
        )
        self._order_tabs()
        self.updateGeometry()
        self.show_explained(case)
        if case is not None and result is not None:
            self.quality.setText(quality_text(result))
            self.model.setText(model_text(result))
        stamp = result.model if result is not None else model
        self.map.legend.show_modality(engine.modality_of(stamp.modality if stamp else None))

    def show_explained(self, case: Case | None) -> None:
        """What was explained of a case, by its run or since."""
        result = case.result if case else None
        if case is None or result is None:
            self.explained.show_result(None)
            return
        explained = (*(result.explained or ()), *case.asked)
        self.explained.show_result(engine.replace(result, explained=explained), case.words.tile)
        self._fill_exports(case, result)

    def minimumSizeHint(self) -> QSize:  # noqa: N802  Qt's name
        """As wide as what it shows, with whatever font: the probability stands at its right."""
        hint, column, bar = super().minimumSizeHint(), self.widget(), self.verticalScrollBar()
        if column is not None and bar is not None:
            frame = self.width() - self.contentsRect().width()
            wanted = column.minimumSizeHint().width() + bar.sizeHint().width() + frame
            hint.setWidth(min(max(NARROWEST_PX, wanted), WIDEST_PX))
        return hint

    def reveal_explained(self) -> None:
        """Scroll to the explanation, once it has its place: it lies below the fold."""
        QTimer.singleShot(0, self._scroll_to_explained)

    def _scroll_to_explained(self) -> None:
        self.ensureWidgetVisible(self.explained)

    def _order_tabs(self) -> None:
        """What is made anew would else be the last of the window that the Tab key comes to."""
        made = (self.question.use, *self.other_model.buttons, *self.classes.switches)
        for before, after in pairwise(made):
            QWidget.setTabOrder(before, after)

    def show_unfit(self, unfit: Unfit | None) -> None:
        """Offer other models, or none."""
        if unfit is not None:
            self.other_model.show_unfit(unfit)
            self._order_tabs()
        self._show(other_model=unfit is not None)

    def show_review(self, *, visible: bool) -> None:
        """Whether there is an answer to review."""
        self._show(review=visible)

    def _show(self, **wanted: bool) -> None:
        for name, visible in wanted.items():
            self._boxes[name].setVisible(visible)

    def _export_report(self) -> None:
        if self._report is not None:
            self.export_asked.emit(self._report)

    def _fill_exports(self, case: Case, result: CaseResult) -> None:
        menu = self.export.menu()
        if menu is None:
            return
        menu.clear()
        self._report, *others = engine.exports(result, case.file, case.asked)
        for export in others:
            action = menu.addAction(export.title + " ...")
            if action is not None:
                action.triggered.connect(lambda _=False, e=export: self.export_asked.emit(e))


def _side_by_side(first: QWidget, second: QWidget) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(first, 1)
    layout.addWidget(second)
    return row


def quality_text(result: CaseResult) -> str:
    """Tissue, tiles and flags, in the words of the report."""
    counts, modality = result.counts, engine.modality_of(result.model.modality)
    words, tissue, lines = modality.words, result.tissue_mm2, []
    if modality.scaled:  # slices have no area
        known = f"{engine.area(tissue)} mm²" if tissue is not None else "area unknown"
        lines.append(f"Tissue: {known}")
    lines.append(f"{words.tiles.capitalize()}: {counts.used:,} of {counts.total:,} used")
    left_out = [
        (engine.state_name(state, words), getattr(counts, state.value, 0))
        for state in engine.STATE_NAMES
        if state.value != "used"
    ]
    if any(number for _, number in left_out):
        lines.append("Left out: " + ", ".join(f"{n:,} {name}" for name, n in left_out if n))
    lines += engine.series_lines(result)
    if result.files:
        lines.append(f"Pixel size: {engine.pixel_size(result.files[0])}")
    flags = " ".join(engine.flags_of(result))
    if flags or not engine.explanation(result):  # which may be the only one
        lines.append(f"Flags: {flags or 'none'}")
    return "\n".join(lines)


def model_text(result: CaseResult) -> str:
    """The model and its first figure."""
    model = result.model
    lines = [
        f"{model.name} {model.version}" + ("" if model.official else " (not an official model)")
    ]
    lines += [f"{name}: {value}" for name, value in model.facts[:1]]
    lines.append(f"Computed by {result.device} in {engine.duration(result.seconds)}")
    return "\n".join(lines)


def _boxed(title: str, *widgets: QWidget) -> QFrame:
    frame = QFrame()
    frame.setObjectName("card")
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(12, 8, 12, 10)
    head = QLabel(title.upper())
    head.setObjectName("kicker")
    layout.addWidget(head)
    for widget in widgets:
        layout.addWidget(widget)
    return frame
