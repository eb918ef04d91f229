"""The second image, beside the first: whose answer it shows, what changed, and how to choose it."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lungscan.types import CaseResult
from lungscan_gui import engine
from lungscan_gui.cases import Case
from lungscan_gui.panels.short_label import ShortLabel
from lungscan_gui.viewer.viewer import Viewer
from lungscan_gui.words import as_typed

UNSAID = ("model", "settings_schema")  # named already, or nothing that was set
CHOOSE = "Choose another model, or a folder of results of the same image."


class ComparePane(QWidget):
    """Head, what changed, and a viewer. It decides nothing."""

    model_asked = pyqtSignal(str)
    run_asked = pyqtSignal()
    step_asked = pyqtSignal(int)
    close_asked = pyqtSignal()

    def __init__(self, models: tuple[str, ...]) -> None:
        super().__init__()
        self.viewer = Viewer()
        self.viewer.setAccessibleName("Second image")
        self.viewer.setMinimumSize(240, 200)
        self.models = QComboBox()
        self.models.addItems(models)
        self.models.setAccessibleName("Model to compare with")
        self.models.setMinimumContentsLength(22)
        self.models.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.start = QPushButton("Compare")
        self.start.setToolTip("Analyse this image with the chosen model")
        self.start.clicked.connect(lambda: self.model_asked.emit(self.models.currentText()))
        self.run = QPushButton("Open a run ...")
        self.run.setToolTip("Compare with a folder of results of the same image")
        self.run.clicked.connect(self.run_asked)
        close = _tool("✕", "Close the comparison (Ctrl+D)")
        close.clicked.connect(self.close_asked)
        self.head = SideHead()
        self.head.show()
        self.message = _words("muted")
        self.message.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.before = _tool("◀", "Previous changed tile (K)")
        self.after = _tool("▶", "Next changed tile (J)")
        self.before.clicked.connect(lambda: self.step_asked.emit(-1))
        self.after.clicked.connect(lambda: self.step_asked.emit(1))
        self.strip = QFrame()  # across both images
        self.strip.setObjectName("bar")
        choice = _row((self.models, 0), (self.start, 0), (self.run, 0))
        choice.addStretch()
        choice.addWidget(close)
        rows = QVBoxLayout(self.strip)
        rows.setContentsMargins(10, 6, 6, 6)
        rows.setSpacing(4)
        rows.addLayout(choice)
        rows.addLayout(_row((self.message, 1), (self.before, 0), (self.after, 0)))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.head)
        layout.addWidget(self.viewer, 1)
        self.set_open(False)

    def set_open(self, on: bool) -> None:
        """Show it, or not."""
        self.setVisible(on)
        self.strip.setVisible(on)

    def show_case(self, case: Case | None, first: CaseResult | None = None) -> None:
        """Say whose answer it is, and what was set otherwise than for the first."""
        if case is None:
            self.head.say("B: nothing chosen yet")
        elif case.result is None:
            self.head.say(f"B: {case.name}: {case.line}")
        else:
            self.head.say(side_text("B", case.result, first))

    def show_changes(self, words: str, changed: int) -> None:
        """Say what changed."""
        self.message.setText(words)
        self.message.setAccessibleName(words)
        for button in (self.before, self.after):
            button.setEnabled(changed > 0)


class SideHead(ShortLabel):
    """One line over an image, while there are two."""

    def __init__(self) -> None:
        super().__init__(Qt.TextElideMode.ElideRight)
        self.setObjectName("side")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.hide()

    def show_result(self, result: CaseResult | None, other: CaseResult | None = None) -> None:
        """The same of the first image."""
        self.say(side_text("A", result, other) if result else "A: not analysed yet")


def side_text(side: str, result: CaseResult, other: CaseResult | None = None) -> str:
    """``A: Adenocarcinoma 0.87 (overlap 0.5, lung-histology 0.1.0)``: what differs comes first."""
    prediction = result.prediction
    sure = prediction is not None and prediction.label is not None
    value = f" {engine.probability(prediction.confidence)}" if prediction and sure else ""
    model = f"{result.model.name} {result.model.version}"
    differences = [f"{name} {setting}" for name, setting in differing(result, other)]
    one_model = other is not None and other.model.sha256 == result.model.sha256
    facts = ", ".join((*differences, model) if one_model else (model, *differences))
    return f"{side}: {engine.answer_line(result)}{value} ({facts})"


def differing(result: CaseResult, other: CaseResult | None) -> list[tuple[str, str]]:
    """The settings of a result that another one does not share, but for the model."""
    if other is None:
        return []
    theirs = dict(other.settings)
    rest = ((name, value) for name, value in result.settings if name not in UNSAID)
    return [(name, value) for name, value in rest if theirs.get(name) != value]


def _words(name: str) -> QLabel:
    label = QLabel()
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def _tool(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(as_typed(tip))
    button.setAccessibleName(tip.split(" (", maxsplit=1)[0])
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


def _row(*widgets: tuple[QWidget, int]) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(4)
    for widget, stretch in widgets:
        row.addWidget(widget, stretch)
    return row


def framed(head: SideHead, viewer: Viewer) -> QFrame:
    """The first image under its head."""
    frame = QFrame()
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(2)
    layout.addWidget(head)
    layout.addWidget(viewer, 1)
    return frame
