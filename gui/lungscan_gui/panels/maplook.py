"""What of the map is shown: on or off, opacity, threshold, and the legend."""

from __future__ import annotations

from dataclasses import replace

from PyQt6.QtCore import QRect, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QBrush, QColor, QPainter, QPaintEvent
from PyQt6.QtWidgets import QCheckBox, QGridLayout, QLabel, QSlider, QVBoxLayout, QWidget

from lungscan_gui.engine import UNCERTAIN_BELOW, Modality, modality_of
from lungscan_gui.viewer.overlay import DARK, GREY, PALE
from lungscan_gui.viewer.tilemap import MapLook

NOTE = "Changes what the map shows, not the answer."


class MapPanel(QWidget):
    """Switches and sliders; ``changed`` brings the look."""

    changed = pyqtSignal(object)  # MapLook

    def __init__(self) -> None:
        super().__init__()
        self.look = MapLook(())
        self.visible = QCheckBox("Show map (H)")
        self.visible.setChecked(True)
        self.filled = QCheckBox("Fill (O: outlines only)")
        self.filled.setChecked(True)
        self.opacity = _slider("Opacity of the map", 100, round(self.look.opacity * 100))
        self.threshold = _slider("Least probability shown", 100, 0)
        self.number = QLabel("0.00")
        self.note = QLabel(NOTE)
        self.note.setObjectName("muted")
        self.note.setWordWrap(True)
        self.visible.toggled.connect(lambda on: self._set(visible=on))
        self.filled.toggled.connect(lambda on: self._set(filled=on))
        self.opacity.valueChanged.connect(lambda value: self._set(opacity=value / 100))
        self.threshold.valueChanged.connect(lambda value: self._set(threshold=value / 100))
        grid = QGridLayout()
        grid.addWidget(self.visible, 0, 0, 1, 1)
        grid.addWidget(self.filled, 0, 1, 1, 2)
        grid.addWidget(QLabel("Opacity"), 1, 0)
        grid.addWidget(self.opacity, 1, 1, 1, 2)
        grid.addWidget(QLabel("Least probability"), 2, 0)
        grid.addWidget(self.threshold, 2, 1)
        grid.addWidget(self.number, 2, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(grid)
        layout.addWidget(self.note)
        self.legend = Legend()
        layout.addWidget(self.legend)

    def set_shown(self, shown: tuple[bool, ...]) -> None:
        """Which classes are shown."""
        self._set(shown=shown)

    def nudge(self, by: int) -> None:
        """A little more or less opaque."""
        self.opacity.setValue(self.opacity.value() + 10 * by)

    def _set(self, **changes: object) -> None:
        self.look = replace(self.look, **changes)  # type: ignore[arg-type]
        self.number.setText(f"{self.look.threshold:.2f}")
        self.changed.emit(self.look)


class Legend(QWidget):
    """What is drawn beside the classes' colours."""

    ROW = 19

    def __init__(self) -> None:
        super().__init__()
        self.entries: tuple[tuple[str, Qt.BrushStyle | None, tuple[int, int, int]], ...] = ()
        self.show_modality(modality_of(None))

    def show_modality(self, modality: Modality) -> None:
        """Name what is left out as the case's reports do."""
        measured = ("focus", "pen") if modality.scaled else ()
        left_out = ", ".join((*measured, modality.words.blank, modality.words.foreign))
        low = f"Uncertain (best class below {UNCERTAIN_BELOW:.2f})"
        self.entries = (
            (low, Qt.BrushStyle.BDiagPattern, DARK),
            (f"Left out ({left_out})", Qt.BrushStyle.FDiagPattern, GREY),
            ("Not readable", Qt.BrushStyle.DiagCrossPattern, DARK),
            ("Not yet scored", None, PALE),
        )  # fmt: skip
        self.setAccessibleName("Legend: " + "; ".join(words for words, *_ in self.entries))
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802  Qt's name
        """Four rows."""
        return QSize(200, self.ROW * len(self.entries))

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """No less."""
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802, ARG002
        """Draw the rows."""
        painter = QPainter(self)
        for row, (words, pattern, rgb) in enumerate(self.entries):
            box = QRect(1, row * self.ROW + 2, 15, 14)
            painter.fillRect(box, QColor(255, 255, 255))
            if pattern is None:
                painter.fillRect(
                    QRect(box.center().x() - 1, box.center().y() - 1, 4, 4), QColor(*rgb)
                )
            else:
                painter.fillRect(box, QBrush(QColor(*rgb), pattern))
            painter.setPen(QColor(*GREY))
            painter.drawRect(box)
            painter.setPen(self.palette().color(self.foregroundRole()))
            space = QRect(24, row * self.ROW, self.width() - 24, self.ROW)
            painter.drawText(space, Qt.AlignmentFlag.AlignVCenter, words)


def _slider(name: str, top: int, value: int) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(0, top)
    slider.setValue(value)
    slider.setAccessibleName(name)
    return slider
