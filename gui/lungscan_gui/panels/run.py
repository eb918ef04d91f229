"""Start, cancel, and how far it is."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lungscan_gui.words import as_typed


class RunPanel(QFrame):
    """The one button, the bar, and the options behind a fold."""

    start_asked = pyqtSignal()
    cancel_asked = pyqtSignal()
    ask_machine = pyqtSignal()

    def __init__(self, options: QWidget) -> None:
        super().__init__()
        self.setObjectName("card")
        self.start = QPushButton("Analyse")
        self.start.setObjectName("primary")
        self.start.setToolTip(as_typed("Analyse this case (Ctrl+Enter)"))
        self.start.clicked.connect(self.start_asked)
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop; what is scored is kept (Esc)")
        self.cancel.clicked.connect(self.cancel_asked)
        self.fold = QToolButton()
        self.fold.setText("Options")
        self.fold.setCheckable(True)
        self.fold.setToolTip("Model, device and more")
        self.fold.toggled.connect(options.setVisible)
        options.setVisible(False)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress")
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setObjectName("muted")
        self.machine = QLabel()
        self.machine.setObjectName("muted")
        self.machine.setWordWrap(True)
        self.machine.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        row = QHBoxLayout()
        row.addWidget(self.start, 1)
        row.addWidget(self.cancel)
        row.addWidget(self.fold)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 10)
        layout.addLayout(row)
        layout.addWidget(self.bar)
        layout.addWidget(self.words)
        layout.addWidget(self.machine)
        layout.addWidget(options)
        self.show_state(can_start=False, running=False)

    def show_state(self, *, can_start: bool, running: bool, again: str = "Analyse") -> None:
        """What can be done now."""
        self.start.setEnabled(can_start)
        self.start.setText(again)
        self.cancel.setVisible(running)
        self.bar.setVisible(running)
        self.words.setVisible(bool(self.words.text()))

    def show_machine(self, words: str) -> None:
        """Which device will be used; "" while nobody has asked."""
        self.machine.setText(words)
        self.machine.setAccessibleName(words)
        self.machine.setVisible(bool(words))

    def show_progress(self, words: str, done: int = 0, total: int = 0) -> None:
        """How far it is; without a total the bar only moves."""
        self.words.setText(words)
        self.words.setVisible(bool(words))
        self.bar.setRange(0, total)
        self.bar.setValue(done)
