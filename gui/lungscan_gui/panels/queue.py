"""The cases of the window: what each is, how it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PyQt6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    pyqtSignal,
)
from PyQt6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragMoveEvent,
    QDropEvent,
    QPainter,
    QPalette,
)
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lungscan.types import CaseStatus
from lungscan_gui.cases import Case, CaseState
from lungscan_gui.engine import Verdict
from lungscan_gui.words import as_typed

ROW_PX = 44
MARK_PX = 18
DARK = 127  # of a lightness up to 255
# No letters: those are the classes'.
MARKS = {Verdict.AGREE: "=", Verdict.DISAGREE: "≠", Verdict.NOT_ASSESSABLE: "?"}


class CaseModel(QAbstractListModel):
    """The cases in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.cases: list[Case] = []

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802  Qt's name
        """How many there are."""
        return 0 if parent is not None and parent.isValid() else len(self.cases)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Name and state, also for a screen reader."""
        if not index.isValid():
            return None
        case = self.cases[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return case.name
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{case.path or case.name}\n{case.line}"
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{case.name}: {case.line}"
        return case if role == Qt.ItemDataRole.UserRole else None

    def add(self, cases: list[Case]) -> None:
        """Put these at the end."""
        first = len(self.cases)
        self.beginInsertRows(QModelIndex(), first, first + len(cases) - 1)
        self.cases += cases
        self.endInsertRows()

    def remove(self, row: int) -> Case:
        """Take one out."""
        self.beginRemoveRows(QModelIndex(), row, row)
        case = self.cases.pop(row)
        self.endRemoveRows()
        return case

    def move(self, row: int, by: int) -> int:
        """Move a case up or down; returns its new row."""
        to = min(max(row + by, 0), len(self.cases) - 1)
        if to != row:
            self.layoutAboutToBeChanged.emit()
            self.cases.insert(to, self.cases.pop(row))
            self.layoutChanged.emit()
        return to

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Cases can be dragged to another place in the list."""
        return super().flags(index) | Qt.ItemFlag.ItemIsDragEnabled

    def mimeData(self, indexes: Iterable[QModelIndex]) -> QMimeData:  # noqa: N802, ARG002
        """Nothing that another program could take."""
        data = QMimeData()
        data.setData("application/x-lungscan-case", b"")
        return data

    def touch(self, case: Case) -> None:
        """A case has changed."""
        if case in self.cases:
            index = self.index(self.cases.index(case))
            self.dataChanged.emit(index, index)


class CaseList(QListView):
    """The list; a case that is dragged in it moves, files from elsewhere are the window's."""

    dragged = pyqtSignal(int, int)  # from this row, before that row

    def __init__(self) -> None:
        super().__init__()
        self.setDragEnabled(True)
        self.setAcceptDrops(True)
        self.setDropIndicatorShown(True)

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:  # noqa: N802
        """Only its own cases."""
        if event:
            event.setAccepted(event.source() is self)

    def dragMoveEvent(self, event: QDragMoveEvent | None) -> None:  # noqa: N802
        """The same."""
        if event:
            event.setAccepted(event.source() is self)

    def dropEvent(self, event: QDropEvent | None) -> None:  # noqa: N802
        """Move the chosen case to where it was dropped."""
        if event is None or event.source() is not self:
            return
        at = self.indexAt(event.position().toPoint())
        count = self.model().rowCount() if self.model() else 0  # type: ignore[union-attr]
        self.dragged.emit(self.currentIndex().row(), at.row() if at.isValid() else count)
        event.setDropAction(Qt.DropAction.IgnoreAction)  # the model has moved it
        event.accept()


class CaseDelegate(QStyledItemDelegate):
    """Draws a case: a sign, its name, and below how it stands."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # noqa: N802, ARG002
        """All rows are alike: as wide as the list, which shortens words, and two lines high."""
        return QSize(0, max(ROW_PX, 2 * option.fontMetrics.height() + 8))

    def paint(
        self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Draw one row."""
        case = index.data(Qt.ItemDataRole.UserRole)
        if painter is None or not isinstance(case, Case):
            return
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        role = QPalette.ColorRole
        palette = option.palette
        if chosen:
            painter.fillRect(option.rect, palette.color(role.Highlight))
        ink = palette.color(role.HighlightedText if chosen else role.Text)
        quiet = ink if chosen else palette.color(role.PlaceholderText)
        sign, colour = sign_of(case)
        rect = option.rect.adjusted(8, 4, -8, -4)
        painter.setPen(ink if chosen else seen_on(palette.color(role.Base), colour))
        place = QRect(rect.left(), rect.top(), 20, rect.height())
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, sign)
        words = rect.adjusted(26, 0, 0, 0)
        if case.verdict is not None:
            words.setRight(words.right() - _mark(painter, rect, MARKS[case.verdict]))
        metrics = painter.fontMetrics()
        half = words.height() // 2
        middle, right = Qt.TextElideMode.ElideMiddle, Qt.TextElideMode.ElideRight
        for top, text, pen, mode in ((0, case.name, ink, middle), (half, case.line, quiet, right)):
            painter.setPen(pen)
            line = QRect(words.left(), words.top() + top, words.width(), half)
            shown = metrics.elidedText(text, mode, line.width())
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, shown)


def _mark(painter: QPainter, rect: QRect, sign: str) -> int:
    """Draw a sign in a ring at the right: this case is reviewed. Returns what it takes."""
    ring = QRect(0, 0, MARK_PX, MARK_PX)
    ring.moveCenter(QPoint(rect.right() - MARK_PX // 2, rect.center().y()))
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawEllipse(ring)
    font = painter.font()
    font.setPixelSize(11)
    font.setBold(True)
    painter.setFont(font)
    painter.drawText(ring, Qt.AlignmentFlag.AlignCenter, sign)
    painter.restore()
    return MARK_PX + 6


def sign_of(case: Case) -> tuple[str, str]:
    """A sign and its colour; the words beside it say the same."""
    if case.state is CaseState.FINISHED and case.result is not None:
        return {
            CaseStatus.OK: ("✓", "#1a7f4b"),
            CaseStatus.NO_RESULT: ("○", "#8a6100"),
            CaseStatus.PARTIAL: ("◐", "#8a6100"),
        }.get(case.result.status, ("!", "#c0392b"))
    if case.error:
        return "!", "#c0392b"
    signs = {CaseState.RUNNING: "▶", CaseState.QUEUED: "…", CaseState.STOPPED: "■"}
    return signs.get(case.state, "·"), "#6b7686"


def seen_on(ground: QColor, colour: str) -> QColor:
    """A sign's colour, which is meant for a light ground, so that a dark one shows it, too."""
    return QColor(colour) if ground.lightness() > DARK else QColor(colour).lighter(180)


class QueuePanel(QWidget):
    """The list and what can be done with it."""

    chosen = pyqtSignal(object)  # Case or None
    add_asked = pyqtSignal()
    retry_asked = pyqtSignal()
    removed = pyqtSignal(object)  # Case
    kept = pyqtSignal(object)  # Case that was to be removed, but belongs to the run in progress
    moved = pyqtSignal()  # the cases have another order

    def __init__(self) -> None:
        super().__init__()
        self.held: Callable[[Case], bool] = lambda case: case.state is CaseState.RUNNING
        self.model = CaseModel()
        self.view = CaseList()
        self.view.dragged.connect(self._drag)
        self.view.setModel(self.model)
        self.view.setItemDelegate(CaseDelegate(self.view))
        self.view.setUniformItemSizes(True)
        self.view.setAccessibleName("Cases")
        self.view.setAccessibleDescription("Each case with how it stands.")
        selection = self.view.selectionModel()
        if selection is not None:
            selection.currentChanged.connect(self._choose)
        buttons = QHBoxLayout()
        self.buttons = {
            "add": self._button("+", "Add files (Ctrl+O)", self.add_asked.emit),
            "remove": self._button("−", "Remove from the list (Delete)", self.remove),
            "up": self._button("↑", "Move up (Alt+Up)", lambda: self.shift(-1)),
            "down": self._button("↓", "Move down (Alt+Down)", lambda: self.shift(1)),
            "retry": self._button(
                "Retry failed", "Try all failed cases again", self.retry_asked.emit
            ),
        }
        retry = self.buttons["retry"]
        for button in self.buttons.values():
            if button is not retry:
                buttons.addWidget(button)
        buttons.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 4, 8)
        layout.addWidget(self.view)
        layout.addLayout(buttons)
        layout.addWidget(retry)  # in a row of its own: beside the others its words were cut off
        self.refresh()

    @property
    def current(self) -> Case | None:
        """The case that is chosen."""
        row = self.view.currentIndex().row()
        return self.model.cases[row] if 0 <= row < len(self.model.cases) else None

    def choose(self, row: int) -> None:
        """Choose a case."""
        self.view.setCurrentIndex(self.model.index(row))

    def step(self, by: int) -> None:
        """Choose the next or the one before."""
        row = self.view.currentIndex().row() + by
        if 0 <= row < len(self.model.cases):
            self.choose(row)

    def remove(self) -> None:
        """Take the chosen case out of the list; files stay. One that a run holds stays, too."""
        case = self.current
        if case is not None and self.held(case):
            self.kept.emit(case)
        elif case is not None:
            self.model.remove(self.view.currentIndex().row())
            self.removed.emit(case)
            self.refresh()

    def shift(self, by: int) -> None:
        """Move the chosen case."""
        row = self.view.currentIndex().row()
        if row >= 0:
            self.choose(self.model.move(row, by))
            self.moved.emit()

    def _drag(self, row: int, before: int) -> None:
        if row >= 0 and before not in (row, row + 1):
            self.choose(self.model.move(row, before - row - (1 if before > row else 0)))
            self.moved.emit()

    def refresh(self) -> None:
        """What can be done now."""
        self.buttons["retry"].setVisible(any(case.failed for case in self.model.cases))

    def _choose(self, now: QModelIndex, _before: QModelIndex) -> None:
        self.chosen.emit(self.model.cases[now.row()] if now.isValid() else None)

    def _button(self, text: str, tip: str, do: Callable[[], object]) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(as_typed(tip))
        button.setAccessibleName(tip.split(" (", maxsplit=1)[0])
        button.clicked.connect(lambda _checked=False: do())
        return button
