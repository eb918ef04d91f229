"""The box in which a case is reviewed."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QObject, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lungscan_gui import engine
from lungscan_gui.engine import Verdict
from lungscan_gui.review.draft import Draft, Sheet
from lungscan_gui.review.second import SecondAnswerTable
from lungscan_gui.words import as_typed

KEYS = {Verdict.AGREE: "A", Verdict.DISAGREE: "D", Verdict.NOT_ASSESSABLE: "X"}
COMMENT_PX = 56


class ReviewPanel(QWidget):
    """Shows a ``Sheet``; what a person does comes out as a changed draft or a request."""

    changed = pyqtSignal(object, str)  # Draft, kind of change
    draw_asked = pyqtSignal()
    freehand_asked = pyqtSignal()
    remove_asked = pyqtSignal()
    undo_asked = pyqtSignal()
    redo_asked = pyqtSignal()
    save_asked = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self._draft = Draft()
        self._filling = False
        self.verdicts = {verdict: self._verdict(verdict) for verdict in Verdict}
        self._group = QButtonGroup(self)
        for button in self.verdicts.values():
            self._group.addButton(button)
        self.right_head = QLabel("Right would be")
        self.right = QComboBox()
        self.right.setAccessibleName("Class that you hold right")
        self.right.activated.connect(lambda _: self._say("right", right_class=self._chosen()))
        self.comment = QPlainTextEdit()
        self.comment.setPlaceholderText("Comment")
        self.comment.setAccessibleName("Comment")
        self.comment.setFixedHeight(COMMENT_PX)
        self.comment.setTabChangesFocus(True)
        self.comment.textChanged.connect(
            lambda: self._say("comment", comment=self.comment.toPlainText())
        )
        self.reviewer = QLineEdit()
        self.reviewer.setPlaceholderText("Reviewer")
        self.reviewer.setAccessibleName("Reviewer")
        self.reviewer.textEdited.connect(lambda text: self._say("reviewer", reviewer=text))
        self.draw = QPushButton("Leave out a region")
        self.draw.setToolTip("Draw a region to leave out (R)")
        self.draw.clicked.connect(lambda _=False: self.draw_asked.emit())
        self.draw.setCheckable(True)
        self.freehand = QPushButton("Freehand")
        self.freehand.setToolTip("Draw a region to leave out, freehand (L)")
        self.freehand.setAccessibleName("Leave out a region, drawn freehand")
        self.freehand.clicked.connect(lambda _=False: self.freehand_asked.emit())
        self.freehand.setCheckable(True)
        self.remove = _tool(
            "Remove", "Let the last region count again (Shift+R)", self.remove_asked
        )
        self.undo = _tool("Undo", "Undo (Ctrl+Z)", self.undo_asked)
        self.redo = _tool("Redo", "Redo (Ctrl+Shift+Z)", self.redo_asked)
        self.second = SecondAnswerTable()
        self.save = QPushButton("Save review")
        self.save.setToolTip(as_typed("Save beside the result, and in its report (Ctrl+S)"))
        self.save.clicked.connect(self.save_asked)
        self.state = QLabel()
        self.state.setObjectName("muted")
        self.state.setWordWrap(True)
        self.state.setTextFormat(Qt.TextFormat.PlainText)
        self.reviewer.installEventFilter(self)
        self._lay_out()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Leave the window its Ctrl+E, "to the end of the line" of a name on Linux."""
        if isinstance(event, QKeyEvent) and event.type() is QEvent.Type.ShortcutOverride:
            control = Qt.KeyboardModifier.ControlModifier
            if event.key() == Qt.Key.Key_E and event.modifiers() == control:
                event.ignore()
                return True
        return super().eventFilter(watched, event)

    def show_drawing(self, *, slices: bool, active: bool, freehand: bool) -> None:
        """What is being drawn; of a series single slices are left out, nothing is drawn."""
        self.draw.setText("Leave out this slice" if slices else "Leave out a region")
        self.draw.setToolTip(
            "The answer without this slice; again: it counts (R)"
            if slices
            else "Draw a region to leave out, by its corners (R)"
        )
        self.draw.setChecked(active and not freehand)
        self.freehand.setChecked(active and freehand)
        self.freehand.setVisible(not slices)

    def show_sheet(self, sheet: Sheet, words: str) -> None:
        """Show a review as it stands; ``words`` say whether it is saved."""
        draft = sheet.history.now
        self._filling = True
        self._draft = draft
        self._group.setExclusive(False)
        for verdict, button in self.verdicts.items():
            button.setChecked(draft.verdict is verdict)
        self._group.setExclusive(True)
        self._fill_classes(sheet)
        disagrees = draft.verdict is Verdict.DISAGREE
        self.right.setVisible(disagrees)
        self.right_head.setVisible(disagrees)
        if self.comment.toPlainText() != draft.comment:
            self.comment.setPlainText(draft.comment)
        if self.reviewer.text() != draft.reviewer:
            self.reviewer.setText(draft.reviewer)
        self.remove.setVisible(bool(draft.regions))
        self.undo.setEnabled(sheet.history.can_undo)
        self.redo.setEnabled(sheet.history.can_redo)
        self.second.show_sheet(sheet)
        self.save.setEnabled(sheet.may_save)
        self.state.setText(words)
        self.state.setVisible(bool(words))
        self._filling = False

    def _fill_classes(self, sheet: Sheet) -> None:
        model, prediction = sheet.result.model, sheet.result.prediction
        label = prediction.label if prediction else None
        names = [name for name in model.class_names if name != label]
        self.right.clear()
        self.right.addItem(engine.NONE_OF_THESE.capitalize(), "")
        for name in names:
            self.right.addItem(engine.display_name(model, name), name)
        chosen = self.right.findData(self._draft.right_class)
        self.right.setCurrentIndex(max(0, chosen))

    def _chosen(self) -> str:
        return str(self.right.currentData() or "")

    def _say(self, kind: str, **changes: object) -> None:
        if not self._filling:
            draft = engine.replace(self._draft, **changes)  # type: ignore[arg-type]
            self.changed.emit(draft, kind)

    def _verdict(self, verdict: Verdict) -> QPushButton:
        button = QPushButton(engine.VERDICTS[verdict])
        button.setCheckable(True)
        button.setToolTip(f"{engine.VERDICTS[verdict]} ({KEYS[verdict]})")
        button.clicked.connect(lambda _=False: self.choose(verdict))
        return button

    def choose(self, verdict: Verdict) -> None:
        """Say agree, disagree or not assessable; a class belongs to a disagreement only."""
        kept = self._draft.right_class if verdict is Verdict.DISAGREE else ""
        self._say("", verdict=verdict, right_class=kept)

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(4)
        for button in self.verdicts.values():
            row.addWidget(button, 1)
        classes = QGridLayout()
        classes.addWidget(self.right_head, 0, 0)
        classes.addWidget(self.right, 0, 1)
        classes.setColumnStretch(1, 1)
        tools = QHBoxLayout()
        tools.setSpacing(2)
        drawing = QHBoxLayout()
        drawing.setSpacing(4)
        drawing.addWidget(self.draw, 1)
        drawing.addWidget(self.freehand)
        tools.addWidget(self.remove)
        tools.addStretch()
        tools.addWidget(self.undo)
        tools.addWidget(self.redo)
        end = QHBoxLayout()
        end.addWidget(self.reviewer, 1)
        end.addWidget(self.save)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(row)
        layout.addLayout(classes)
        layout.addWidget(self.comment)
        layout.addLayout(drawing)
        layout.addLayout(tools)
        layout.addWidget(self.second)
        layout.addLayout(end)
        layout.addWidget(self.state)


def _tool(text: str, tip: str, request: object) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(as_typed(tip))
    button.setAccessibleName(tip.split(" (", maxsplit=1)[0])
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.clicked.connect(lambda _=False: request.emit())  # type: ignore[attr-defined]
    return button
