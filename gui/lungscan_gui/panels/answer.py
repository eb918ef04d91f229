"""The answer of a case, or why there is none."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QFrame,
    QGridLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from lungscan.types import CaseResult
from lungscan_gui import engine
from lungscan_gui.fitting import may_adapt
from lungscan_gui.words import at_the_window

MUTED = "#7a8494"


class AnswerBox(QFrame):
    """As the first box of the report: model output, probability, reason."""

    adapt_asked = pyqtSignal()  # the tissue is of another stain than the model knows

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("card")
        self._bar = QWidget()
        self._bar.setFixedWidth(5)
        self.kicker = _label("kicker")
        self.answer = _label("answer", wrap=True)
        self.number = _label("number")
        self.number_head = _label("kicker")
        self.why = _label("", wrap=True)
        self.unspoken = _label("muted", wrap=True)
        self.model = _label("muted", wrap=True)
        self.adapt = QPushButton("Adapt a model to your own slides ...")
        self.adapt.setToolTip("From some fields or slides of your own lung, without labels")
        self.adapt.clicked.connect(self.adapt_asked)
        self.adapt.hide()
        words = QVBoxLayout()
        words.setSpacing(3)
        words.setAlignment(Qt.AlignmentFlag.AlignTop)
        for part in (self.kicker, self.answer, self.why, self.unspoken, self.adapt, self.model):
            words.addWidget(part)
        right = QVBoxLayout()
        for label in (self.number_head, self.number):
            label.setAlignment(Qt.AlignmentFlag.AlignRight)
            right.addWidget(label)
        right.addStretch()
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 12, 0)
        layout.addWidget(self._bar, 0, 0)
        words.setContentsMargins(6, 10, 0, 10)
        right.setContentsMargins(0, 10, 0, 10)
        layout.addLayout(words, 0, 1)
        layout.addLayout(right, 0, 2)
        layout.setColumnStretch(1, 1)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)

    def show_result(self, result: CaseResult) -> None:
        """Say what came out."""
        prediction = result.prediction
        answered = prediction is not None and prediction.label is not None
        self.kicker.setText("MODEL OUTPUT" if prediction else "NOT CLASSIFIED")
        self.answer.setText(engine.answer_line(result))
        _say(self.why, engine.explanation(result))
        self.adapt.setVisible(may_adapt(result))
        _say(self.unspoken, engine.unspoken(result))
        _say(self.model, f"{result.model.name} {result.model.version}")
        value = engine.probability(prediction.confidence) if prediction and answered else ""
        _say(self.number, value)
        _say(self.number_head, "CALIBRATED\nPROBABILITY" if value else "")
        self._bar.setStyleSheet(f"background: {_colour(result)}; border-radius: 2px;")
        said = f"{self.kicker.text()}: {self.answer.text()} {value}"
        self.setAccessibleName(f"{said}, {self.model.text()}")

    def show_message(self, kicker: str, message: str, more: str = "") -> None:
        """Say something else."""
        self.kicker.setText(kicker)
        self.answer.setText(message)
        _say(self.why, more)
        self.adapt.hide()
        for label in (self.unspoken, self.model, self.number, self.number_head):
            _say(label, "")
        self._bar.setStyleSheet(f"background: {MUTED}; border-radius: 2px;")
        self.setAccessibleName(f"{kicker}: {message}")


def _label(name: str, *, wrap: bool = False) -> QLabel:
    label = QLabel()
    label.setObjectName(name)
    label.setWordWrap(wrap)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _say(label: QLabel, words: str) -> None:
    label.setText(at_the_window(words))
    label.setVisible(bool(words))


def _colour(result: CaseResult) -> str:
    label = result.prediction.label if result.prediction else None
    if label not in result.model.class_names:
        return MUTED
    red, green, blue = engine.class_rgb(result.model)[result.model.class_names.index(label or "")]
    return f"rgb({red}, {green}, {blue})"
