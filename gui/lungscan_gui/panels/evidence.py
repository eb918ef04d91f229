"""The clearest and the most uncertain tiles; a click goes there."""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QIcon, QPainter, QPixmap
from PyQt6.QtWidgets import QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from lungscan.types import CaseResult, TilePicture
from lungscan_gui import engine
from lungscan_gui.cases import Case

SIDE = 66


class EvidenceStrip(QWidget):
    """The pictures that the report shows, in its order: surest first, then the least sure."""

    visited = pyqtSignal(object)  # TilePicture

    def __init__(self) -> None:
        super().__init__()
        self.counter = QLabel()
        self.counter.setObjectName("muted")
        self.list = QListWidget()
        self.list.setViewMode(QListWidget.ViewMode.IconMode)
        self.list.setFlow(QListWidget.Flow.LeftToRight)
        self.list.setWrapping(False)
        self.list.setMovement(QListWidget.Movement.Static)
        self.list.setIconSize(QSize(SIDE, SIDE))
        self.list.setSpacing(2)
        self.list.setFixedHeight(SIDE + 38)
        self.list.setAccessibleName("Evidence: what speaks clearest, and least clearly")
        self.list.itemClicked.connect(lambda item: self._visit(self.list.row(item)))
        self.list.itemActivated.connect(lambda item: self._visit(self.list.row(item)))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(2)
        layout.addWidget(self.counter)
        layout.addWidget(self.list)
        self._case: Case | None = None
        self.show_case(None)

    @property
    def pictures(self) -> tuple[TilePicture, ...]:
        """Those of the case that is shown."""
        return self._case.result.pictures if self._case and self._case.result else ()

    def show_case(self, case: Case | None) -> None:
        """Show the evidence of a case; nothing where there is none."""
        self._case = case
        self.list.clear()
        if case is not None and case.result is not None:
            for index, picture in enumerate(self.pictures):
                self.list.addItem(_item(picture, case.result, index))
        self.setVisible(bool(self.pictures))
        self._count()

    def step(self, by: int) -> None:
        """Go to the next tile, or the one before."""
        if self.pictures:
            now = self.list.currentRow()
            self._visit((now + by) % len(self.pictures) if now >= 0 else (0 if by > 0 else -1))

    def _visit(self, row: int) -> None:
        row %= max(1, len(self.pictures))
        self.list.setCurrentRow(row)
        if self._case is not None:
            self._case.seen.add(row)
        self._count()
        self.visited.emit(self.pictures[row])

    def _count(self) -> None:
        case = self._case
        seen, tiles = (len(case.seen), case.words.tiles) if case else (0, "tiles")
        text = f"Evidence: looked at {seen} of {len(self.pictures)} {tiles} (N next, P previous)"
        self.counter.setText(text)


def _item(picture: TilePicture, result: CaseResult, index: int) -> QListWidgetItem:
    best = picture.likeliest
    name = result.model.display_names[best]
    value = engine.probability(picture.probs[best])
    item = QListWidgetItem(_icon(picture, result, best), f"{value}")
    tile = engine.modality_of(result.model.modality).words.tile
    file = result.files[picture.file_index]
    where = f"{tile} at " if file.info.series is None else f"{tile} "
    where += engine.place_of(file.info, picture.box[0], picture.box[1])
    if len(result.files) > 1:
        where = f"{file.relative_path}, {where}"
    words = f"{name} {value}; {where}. {engine.picture_heads(result)[picture.role]}"
    item.setToolTip(words)
    item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{tile.capitalize()} {index + 1}: {words}")
    item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
    return item


def _icon(picture: TilePicture, result: CaseResult, best: int) -> QIcon:
    """The tile in a frame of its class's colour, with the letter; dashed where uncertain."""
    pixmap = QPixmap()
    pixmap.loadFromData(picture.jpeg, "JPG")
    pixmap = pixmap.scaled(
        2 * SIDE, 2 * SIDE, transformMode=Qt.TransformationMode.SmoothTransformation
    )
    rgb = engine.class_rgb(result.model)[best]
    painter = QPainter(pixmap)
    pen = painter.pen()
    pen.setColor(QColor(*rgb))
    pen.setWidth(12)
    if picture.role == "uncertain":
        pen.setStyle(Qt.PenStyle.DashLine)
    painter.setPen(pen)
    painter.drawRect(pixmap.rect().adjusted(5, 5, -6, -6))
    painter.fillRect(0, 0, 44, 44, QColor(*rgb))
    font = painter.font()
    font.setPixelSize(30)
    font.setBold(True)
    painter.setFont(font)
    painter.setPen(QColor(*engine.on_color(rgb)))
    letter = engine.class_letters(result.model)[best]
    painter.drawText(0, 0, 44, 44, Qt.AlignmentFlag.AlignCenter, letter)
    painter.end()
    pixmap.setDevicePixelRatio(2)
    return QIcon(pixmap)
