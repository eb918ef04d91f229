"""The window: puts viewer, queue and panels together, and passes on what each of them tells."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from PyQt6.QtWidgets import (
    QApplication,
    QLabel,
    QMainWindow,
    QMenu,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from lungscan_gui import engine
from lungscan_gui.actions import add_commands, add_recent
from lungscan_gui.analysis import Analysis
from lungscan_gui.cases import Case
from lungscan_gui.commands import Commands
from lungscan_gui.compare.beside import Beside
from lungscan_gui.compare.pane import ComparePane, SideHead, framed
from lungscan_gui.display import Display
from lungscan_gui.explaining.asking import Asking
from lungscan_gui.learning.opening import Learning
from lungscan_gui.panels.evidence import EvidenceStrip
from lungscan_gui.panels.message import MessageBar
from lungscan_gui.panels.options import OptionsPanel
from lungscan_gui.panels.queue import QueuePanel
from lungscan_gui.panels.result import ResultPanel
from lungscan_gui.panels.run import RunPanel
from lungscan_gui.panels.slices import SliceBar
from lungscan_gui.panels.toolbar import Readout, ViewBar
from lungscan_gui.review.commands import ReviewCommands
from lungscan_gui.review.reviewing import Reviewing
from lungscan_gui.settings import Settings
from lungscan_gui.theme import apply_theme, backdrop
from lungscan_gui.viewer.minimap import Minimap
from lungscan_gui.viewer.viewer import Viewer
from lungscan_gui.welcome import Welcome


class MainWindow(Commands, ReviewCommands, QMainWindow):
    """Holds the parts; what they do together is in ``analysis``, ``display`` and ``commands``."""

    announced = pyqtSignal(str)  # a message, from any thread
    alarmed = pyqtSignal(str, str)  # the same of an error, with its details

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.setWindowTitle("LungScan")
        self.setAcceptDrops(True)
        self.viewer = Viewer()
        self.minimap = Minimap(self.viewer)
        self.viewbar = ViewBar(self.viewer)
        self.readout = Readout(self.viewer)
        self.slices = SliceBar(self.viewer)
        self.evidence = EvidenceStrip()
        self.message = MessageBar()
        self.queue = QueuePanel()
        self.options = OptionsPanel(settings, (*engine.shipped_names(), *settings.own_models))
        self.run = RunPanel(self.options)
        self.result = ResultPanel()
        self.compare = ComparePane((*engine.shipped_names(), *settings.own_models))
        self._side_head = SideHead()
        self._lay_out()
        self.analysis = Analysis(self)
        self.display = Display(self)
        self.beside = Beside(self, self.compare, self._side_head)
        self.learning = Learning(self)
        self.welcome = Welcome(self)
        self.reviewing = Reviewing(self)
        self.asking = Asking(self)
        self.actions_by_name = add_commands(self)
        files = self.actions_by_name["open_files"].associatedObjects()
        menu = next(item for item in files if isinstance(item, QMenu))
        show = lambda path: self.add_paths([path])  # noqa: E731
        self.recent = add_recent(menu, lambda: settings.recent, show)
        self.announced.connect(lambda words: self.message.say(words, error=False))
        self.alarmed.connect(self.message.say)
        self.result.export_asked.connect(self.export)
        self.result.card_asked.connect(self.show_card)
        self.result.answer.adapt_asked.connect(self.open_adapting)
        hints = QApplication.styleHints()
        if hints is not None:
            hints.colorSchemeChanged.connect(self.follow_system)
        self.recolour()
        self.resize(1280, 800)
        if settings.geometry is not None:
            self.restoreGeometry(settings.geometry)
        self.display.prepare()

    def add_paths(self, paths: list[Path]) -> None:
        """Put images, folders or finished results into the queue, and show the first of them."""
        self.analysis.add(paths)

    def recolour(self) -> None:
        """After a change of colours."""
        app = QApplication.instance()
        if isinstance(app, QApplication):
            self.viewer.backdrop = backdrop(app, self.settings.scheme)
            self.viewer.update()

    def follow_system(self) -> None:
        """The system has turned light or dark."""
        app = QApplication.instance()
        if isinstance(app, QApplication) and self.settings.scheme == "system":
            apply_theme(app)
            self.recolour()

    def show_case(self, case: Case | None) -> None:
        """Show another case."""
        self.display.show(case)

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:  # noqa: N802  Qt's name
        """Files and folders may be dropped."""
        mime = event.mimeData() if event else None
        if event and mime and mime.hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:  # noqa: N802
        """Take what was dropped."""
        mime = event.mimeData() if event else None
        if event and mime:
            self.add_paths([Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()])
            event.acceptProposedAction()

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802
        """End what runs; what was scored is kept. Unsaved reviews are asked about."""
        if not self.reviewing.may_close():
            if event:
                event.ignore()
            return
        self.settings.geometry = self.saveGeometry()
        self.settings.flush()
        self.reviewing.close()
        self.asking.close()
        self.analysis.close()
        self.beside.close()
        self.learning.close()
        self.display.close()
        super().closeEvent(event)

    def _lay_out(self) -> None:
        images = QSplitter(Qt.Orientation.Horizontal)
        images.addWidget(framed(self._side_head, self.viewer))
        images.addWidget(self.compare)
        images.setChildrenCollapsible(False)
        for number in (0, 1):
            images.setStretchFactor(number, 1)
        images.setSizes([500, 500])
        middle = _column(
            self.viewbar, self.message, self.compare.strip, images, self.slices, self.evidence
        )
        side = _column(_padded(self.run), self.result)
        split = QSplitter(Qt.Orientation.Horizontal)
        for widget, stretch in ((self.queue, 0), (middle, 1), (side, 0)):
            split.addWidget(widget)
            split.setStretchFactor(split.indexOf(widget), stretch)
        split.setSizes([200, 700, 380])
        split.setChildrenCollapsible(False)
        self.queue.setMinimumWidth(150)
        self.setCentralWidget(split)
        research = QLabel(engine.RESEARCH_USE)
        research.setObjectName("research")
        status = self.statusBar()
        if status is not None:
            status.addWidget(self.readout, 1)
            status.addPermanentWidget(research)


def _padded(widget: QWidget) -> QWidget:
    """In line with the boxes below it."""
    column = _column(widget)
    column.setContentsMargins(4, 8, 10, 0)
    return column


def _column(*widgets: QWidget) -> QWidget:
    column = QWidget()
    layout = QVBoxLayout(column)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(0)
    for widget in widgets:
        layout.addWidget(widget, 1 if isinstance(widget, QSplitter | ResultPanel) else 0)
    return column
