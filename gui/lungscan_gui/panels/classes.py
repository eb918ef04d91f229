"""The classes of a result: colour, letter, tiles, area, probability, and a switch for each."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QColor, QIcon, QPainter, QPixmap
from PyQt6.QtWidgets import QCheckBox, QGridLayout, QLabel, QWidget

from lungscan.types import CaseResult, ModelStamp
from lungscan_gui import engine

SHORT = {"Area in mm²": "mm²", "Calibrated probability": "Prob."}  # the column is narrow


class ClassTable(QWidget):
    """Rows of classes. Switches change what the map shows, never the answer."""

    switched = pyqtSignal(tuple)  # shown, per class

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(8)
        self._grid.setColumnStretch(0, 1)
        self.switches: list[QCheckBox] = []

    def show_model(self, model: ModelStamp, shown: tuple[bool, ...] | None = None) -> None:
        """The classes without numbers, while the tiles are being scored."""
        self._begin(model, shown)

    def show_result(self, result: CaseResult, shown: tuple[bool, ...] | None = None) -> None:
        """The classes with their numbers, as the report's table has them."""
        model, prediction = result.model, result.prediction
        self._begin(model, shown)
        if prediction is None or not prediction.probs:
            return
        counts = engine.used_counts(result.scores, len(model.class_names))
        modality = engine.modality_of(model.modality)
        tiles, measured = modality.words.tiles.capitalize(), "Area in mm²"
        if not modality.scaled:  # slices have no area
            measured = modality.words.share
        heads = ("", tiles, measured, "Calibrated probability")
        for index in range(len(model.class_names)):
            areas, shares = prediction.area_mm2, prediction.tile_share
            share = engine.percent(shares[index]) if shares else "–"
            cells = (
                f"{counts[index]:,}",
                engine.area(areas[index] if areas else None) if modality.scaled else share,
                engine.probability(prediction.probs[index]),
            )
            bold = model.class_names[index] == prediction.label
            for column, text in enumerate(cells, start=1):
                label = QLabel(f"<b>{text.replace('<', '&lt;')}</b>" if bold else text)
                label.setTextFormat(Qt.TextFormat.RichText if bold else Qt.TextFormat.PlainText)
                label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                label.setAccessibleName(f"{model.display_names[index]}, {heads[column]}: {text}")
                self._grid.addWidget(label, index + 1, column)
        for column, head in enumerate(heads):
            label = QLabel(SHORT.get(head, head))
            label.setToolTip(head)
            label.setObjectName("head")
            label.setAlignment(Qt.AlignmentFlag.AlignRight)
            self._grid.addWidget(label, 0, column)

    def clear(self) -> None:
        """Nothing to show."""
        self.switches = []
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()

    @property
    def shown(self) -> tuple[bool, ...]:
        """Which classes the map shows."""
        return tuple(switch.isChecked() for switch in self.switches)

    def _begin(self, model: ModelStamp, shown: tuple[bool, ...] | None) -> None:
        self.clear()
        looks = zip(
            model.display_names, engine.class_rgb(model), engine.class_letters(model), strict=True
        )
        for index, (name, rgb, letter) in enumerate(looks):
            switch = QCheckBox(name)
            switch.setIcon(QIcon(swatch(rgb, letter)))
            switch.setChecked(shown[index] if shown else True)
            switch.setToolTip(f"Show or hide on the map. Letter {letter}")
            switch.toggled.connect(lambda _: self.switched.emit(self.shown))
            self._grid.addWidget(switch, index + 1, 0)
            self.switches.append(switch)


def swatch(rgb: tuple[int, int, int], letter: str) -> QPixmap:
    """A class's colour with its letter."""
    pixmap = QPixmap(36, 36)
    pixmap.fill(QColor(*rgb))
    painter = QPainter(pixmap)
    font = painter.font()
    font.setPixelSize(24)
    font.setBold(True)
    painter.setFont(font)
    painter.setPen(QColor(*engine.on_color(rgb)))
    painter.drawText(pixmap.rect(), Qt.AlignmentFlag.AlignCenter, letter)
    painter.end()
    pixmap.setDevicePixelRatio(2)
    return pixmap
