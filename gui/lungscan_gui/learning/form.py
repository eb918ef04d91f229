"""What the forms of both pages have: a folder, where the model goes, and the buttons."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
)

from lungscan_gui.words import as_typed


class ModelForm(QFrame):
    """Folder and where to; start, cancel, take. A form of this kind adds what else is asked."""

    def __init__(
        self, choose: str, nothing: str, where: str, start: QPushButton, cancel: str
    ) -> None:
        """``start`` is the main button, the others are tips of buttons.

        ``nothing`` stands where no folder is chosen yet.
        """
        super().__init__()
        self.setObjectName("card")
        self.folder: Path | None = None
        self.out: Path | None = None
        self.choose = button("Choose folder ...", choose)
        self._folder = note(nothing)
        self.where = button("Model folder ...", where)
        self.where.clicked.connect(self._choose_out)
        self._out = note()
        self.start = start
        self.start.setObjectName("primary")
        self.cancel = button("Cancel", cancel)
        self.take = button("Take the model", "Use it for the next analysis")

    def show_folder(self, folder: Path) -> None:
        """Another folder; the model goes beside it unless another place is chosen."""
        self.folder, self.out = folder, folder.with_name(f"{folder.name}-model")
        self._folder.setText(str(folder))
        self._out.setText(str(self.out))

    def _lay_out(self, form: QFormLayout, *buttons: QPushButton) -> None:
        row = QHBoxLayout()
        for one in buttons:
            row.addWidget(one)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 10)
        layout.addLayout(form)
        layout.addLayout(row)

    def _choose_out(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder of the model", str(self.out or ""))
        if chosen:
            self.out = Path(chosen)
            self._out.setText(chosen)


def button(text: str, tip: str) -> QPushButton:
    """A button, and what it does in more words."""
    made = QPushButton(text)
    made.setToolTip(as_typed(tip))
    return made


def note(text: str = "") -> QLabel:
    """A path, or a remark: beside what it is about, and quieter."""
    made = QLabel(text)
    made.setObjectName("muted")
    made.setWordWrap(True)
    return made
