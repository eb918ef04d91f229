"""The second image, beside the first: whose answer it shows, what changed, and how to choose it."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lungscan.types import CaseResult
from lungscan_gui import engine
from lungscan_gui.cases import Case
from lungscan_gui.viewer.viewer import Viewer

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
        self.models.setMinimumContentsLength(10)
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
        self.head = _words("side")
        self.told = _words("muted")
        self.told.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.before = _tool("◀", "Previous changed tile (Shift+D)")
        self.after = _tool("▶", "Next changed tile (D)")
        self.before.clicked.connect(lambda: self.step_asked.emit(-1))
        self.after.clicked.connect(lambda: self.step_asked.emit(1))
        top = _row((self.models, 1), (self.start, 0), (self.run, 0), (close, 0))
        below = _row((self.told, 1), (self.before, 0), (self.after, 0))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(top)
        layout.addWidget(self.head)
        layout.addLayout(below)
        layout.addWidget(self.viewer, 1)

    def show_case(self, case: Case | None) -> None:
        """Say whose answer it is."""
        if case is None:
            self.head.setText("B: nothing chosen yet")
        elif case.result is None:
            self.head.setText(f"B: {case.name}: {case.line}")
        else:
            self.head.setText(side_text("B", case.result))

    def show_changes(self, words: str, changed: int) -> None:
        """Say what changed."""
        self.told.setText(words)
        self.told.setAccessibleName(words)
        for button in (self.before, self.after):
            button.setEnabled(changed > 0)


class SideHead(QLabel):
    """Over the first image, while there is a second one."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("side")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.hide()

    def show_result(self, result: CaseResult | None) -> None:
        """Say whose answer it is."""
        self.setText(side_text("A", result) if result else "A: not analysed yet")


def side_text(side: str, result: CaseResult) -> str:
    """``A: lung-histology 0.1.0: Adenocarcinoma 0.87``."""
    prediction = result.prediction
    sure = prediction is not None and prediction.label is not None
    value = f" {engine.probability(prediction.confidence)}" if prediction and sure else ""
    model = f"{result.model.name} {result.model.version}"
    return f"{side}: {model}: {engine.answer_line(result)}{value}"


def _words(name: str) -> QLabel:
    label = QLabel()
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def _tool(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
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
