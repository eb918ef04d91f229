"""A table for people: read-only, copied by Ctrl+C, read by a screen reader."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from lungscan_gui.learning.tasks import Table

ROWS = 14  # shown without scrolling
ROW_PX, HEAD_PX = 20, 26


class TableView(QWidget):
    """One ``Table`` under its title."""

    def __init__(self, table: Table) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        title = QLabel(table.title.upper())
        title.setObjectName("kicker")
        self.grid = QTableWidget(len(table.rows), len(table.heads))
        self.grid.setAccessibleName(table.title)
        self.grid.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.grid.setSelectionMode(QAbstractItemView.SelectionMode.ContiguousSelection)
        self.grid.setTabKeyNavigation(False)  # Tab leaves the table
        self.grid.setWordWrap(True)
        self.grid.setShowGrid(False)
        self.grid.setAlternatingRowColors(True)
        self.grid.setHorizontalHeaderLabels(table.heads)
        for row, cells in enumerate(table.rows):
            for column, text in enumerate(cells):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                self.grid.setItem(row, column, item)
        down, across = self.grid.verticalHeader(), self.grid.horizontalHeader()
        if down is not None:
            down.hide()
            down.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        if across is not None:
            across.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
            across.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            across.setStretchLastSection(True)
            across.setVisible(any(table.heads))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(title)
        layout.addWidget(self.grid)
        self.grid.resizeRowsToContents()
        tall = sum(max(ROW_PX, self.grid.rowHeight(row)) for row in range(len(table.rows)))
        tall = min(tall, ROW_PX * ROWS) + (HEAD_PX if any(table.heads) else 4)
        self.grid.setFixedHeight(tall + 4)
