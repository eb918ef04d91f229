"""The answer without the regions, beside the first one."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from lungscan.types import CaseResult
from lungscan_gui import engine
from lungscan_gui.review.draft import Sheet

HEADS = ("", "First answer", "Without")


class SecondAnswerTable(QWidget):
    """Two columns of the same numbers; hidden while nothing is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(10)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(1, 1)
        self._grid.setColumnStretch(2, 1)
        self.cells: list[list[QLabel]] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.words)
        layout.addLayout(self._grid)

    def show_sheet(self, sheet: Sheet) -> None:
        """Show what is known of the second answer."""
        regions = sheet.history.now.regions
        self.setVisible(bool(regions))
        current = sheet.second is not None and sheet.second_of == regions
        self._clear()
        if not regions:
            return
        if sheet.second is None or not current:
            self.words.setText(sheet.trouble or "Forming the answer without it ...")
            return
        kept = engine.second_answer(sheet.result, sheet.second)
        text = engine.left_out_text(kept, len(regions), sheet.result.model)
        if not kept.tiles_left_out:
            tile = engine.modality_of(sheet.result.model.modality).words.tile
            text += f". No {tile} lies in a region by half, so nothing changes."
        self.words.setText(f"Left out: {text}")
        self._fill(sheet.result, sheet.second)

    @property
    def texts(self) -> list[list[str]]:
        """What stands in the table, row by row."""
        return [[label.text() for label in row] for row in self.cells]

    def _fill(self, first: CaseResult, second: CaseResult) -> None:
        rows = [list(HEADS), *(list(row) for row in engine.side_by_side(first, second))]
        changed = engine.answer_line(first) != engine.answer_line(second)
        for number, row in enumerate(rows):
            labels = []
            for column, text in enumerate(row):
                label = QLabel(text)
                label.setWordWrap(True)
                label.setTextFormat(Qt.TextFormat.PlainText)
                if number == 0 or column == 0:
                    label.setObjectName("head")
                elif number == 1 and column == 2 and changed:
                    label.setStyleSheet("font-weight: 600;")
                label.setAccessibleName(f"{row[0]}, {HEADS[column]}: {text}" if column else text)
                self._grid.addWidget(label, number, column)
                labels.append(label)
            self.cells.append(labels)

    def _clear(self) -> None:
        self.cells = []
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
