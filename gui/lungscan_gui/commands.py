"""What the menus and keys do; mixed into the window."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QTextBrowser,
    QVBoxLayout,
)

from lungscan.errors import LungScanError
from lungscan.types import CaseResult
from lungscan_gui import engine
from lungscan_gui.actions import keys_html
from lungscan_gui.card import card_html
from lungscan_gui.footer import with_footer
from lungscan_gui.theme import Scheme, apply_theme
from lungscan_gui.viewer.viewer import PER_NOTCH

if TYPE_CHECKING:
    from lungscan_gui.window import MainWindow


class Commands:
    """Every method here is a ``Command`` of ``actions``, but those that begin with a line."""

    @property
    def _me(self) -> MainWindow:
        return cast("MainWindow", self)

    # Files -------------------------------------------------------------------------------------

    def open_files(self) -> None:
        """Choose images."""
        settings = self._me.settings
        chosen, _ = QFileDialog.getOpenFileNames(self._me, "Open", settings.folder)
        if chosen:
            settings.folder = str(Path(chosen[0]).parent)
            self._me.add_paths([Path(name) for name in chosen])

    def open_folder(self) -> None:
        """Choose a folder of images."""
        self._open_folder("Open folder")

    def open_results(self) -> None:
        """Choose the folder of a finished run, also one of the command line."""
        self._open_folder("Open results", str(self._me.settings.results))

    def open_demo(self) -> None:
        """The slide that comes along."""
        self._me.analysis.add_demo()

    def export_report(self) -> None:
        """Write the PDF of the chosen case."""
        case = self._me.display.case
        if case is not None and case.result is not None:
            self.export(engine.report_of(case.result))

    def export(self, export: engine.Export) -> None:
        """Ask where, and write. A report gets the review of the case that is shown now."""
        window = self._me
        case = window.display.case
        if case is None or case.result is None:
            return
        made = lambda: export  # noqa: E731
        if export.suffix == ".pdf":
            made = partial(_reviewed, case.result, window.reviewing.for_report())
        start = Path(window.settings.folder) / f"{case.name}{export.suffix}"
        kind = f"*{export.suffix}"
        chosen, _ = QFileDialog.getSaveFileName(window, export.title, str(start), kind)
        if chosen:
            self._write(made, Path(chosen))

    def copy_picture(self) -> None:
        """Put what the viewer shows on the clipboard."""
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setPixmap(with_footer(self._me.viewer.grab(), engine.RESEARCH_USE))

    # Cases -------------------------------------------------------------------------------------

    def analyse(self) -> None:
        """Analyse the chosen case."""
        self._me.analysis.start()

    def analyse_all(self) -> None:
        """Analyse all that have no answer."""
        self._me.analysis.start_all()

    def cancel(self) -> None:
        """Stop."""
        self._me.analysis.runner.cancel()

    def retry_failed(self) -> None:
        """Try the failed ones again."""
        self._me.analysis.retry()

    def next_case(self) -> None:
        """The next one."""
        self._me.queue.step(1)

    def previous_case(self) -> None:
        """The one before."""
        self._me.queue.step(-1)

    def page_down(self) -> None:
        """The next slice where a series is shown, or the next case."""
        if not self._me.slices.step(1):
            self.next_case()

    def page_up(self) -> None:
        """The slice or the case before."""
        if not self._me.slices.step(-1):
            self.previous_case()

    def remove_case(self) -> None:
        """Out of the list; files stay."""
        self._me.queue.remove()

    def move_up(self) -> None:
        """Earlier in the list."""
        self._me.queue.shift(-1)

    def move_down(self) -> None:
        """Later in the list."""
        self._me.queue.shift(1)

    def compare_sides(self) -> None:
        """Two images side by side, or one."""
        self._me.beside.toggle()

    def compare_run(self) -> None:
        """Choose a folder of results to compare with."""
        window = self._me
        start = str(window.settings.results)
        chosen = QFileDialog.getExistingDirectory(window, "Compare with the run in", start)
        if chosen:
            if not window.beside.open:
                window.beside.toggle()
            window.beside.compare_run(Path(chosen))

    def next_change(self) -> None:
        """The next tile that changed."""
        self._me.beside.step(1)

    def previous_change(self) -> None:
        """The one before."""
        self._me.beside.step(-1)

    def use_model(self) -> None:
        """Choose the folder of a model that was trained or adapted; the options keep it."""
        window = self._me
        chosen = QFileDialog.getExistingDirectory(
            window, "Folder of a model", window.settings.folder
        )
        if not chosen:
            return
        try:
            card = engine.find_model(chosen)
        except LungScanError as error:
            window.message.say(str(error), error.code)
            return
        window.learning.take(Path(chosen))
        window.message.say(f"{card.name} {card.version} is chosen: {card.summary}", error=False)

    def open_training(self) -> None:
        """The training page, in a window of its own."""
        self._me.learning.train()

    def open_adapting(self) -> None:
        """The page that adapts a model, in a window of its own."""
        self._me.learning.adapt()

    # View --------------------------------------------------------------------------------------

    def fit(self) -> None:
        """The whole image."""
        self._me.viewer.fit()

    def zoom_in(self) -> None:
        """Nearer."""
        self._me.viewer.zoom_by(PER_NOTCH)

    def zoom_out(self) -> None:
        """Farther."""
        self._me.viewer.zoom_by(1 / PER_NOTCH)

    def magnify_1(self) -> None:
        """As with an objective of 1x."""
        self._me.viewer.magnify(1)

    def magnify_5(self) -> None:
        """5x."""
        self._me.viewer.magnify(5)

    def magnify_10(self) -> None:
        """10x."""
        self._me.viewer.magnify(10)

    def magnify_20(self) -> None:
        """20x."""
        self._me.viewer.magnify(20)

    def magnify_40(self) -> None:
        """40x."""
        self._me.viewer.magnify(40)

    def toggle_map(self) -> None:
        """Show or hide the map."""
        self._me.result.map.visible.toggle()

    def toggle_fill(self) -> None:
        """Fill, or outlines alone."""
        self._me.result.map.filled.toggle()

    def reopen(self) -> None:
        """Open the image again: a drive is back, or the file was repaired."""
        self._me.display.reopen()

    def toggle_profile(self) -> None:
        """Colours as the image's profile means them, or as stored."""
        self._me.viewbar.profile.toggle()

    def next_file(self) -> None:
        """The next image of a case that has several."""
        self._me.display.step_file(1)

    def previous_file(self) -> None:
        """The image before."""
        self._me.display.step_file(-1)

    def explain_tile(self) -> None:
        """What the answer of the tile under the cursor depends on."""
        self._me.asking.ask()

    def next_tile(self) -> None:
        """The next tile of the evidence."""
        self._me.evidence.step(1)

    def previous_tile(self) -> None:
        """The one before."""
        self._me.evidence.step(-1)

    def scheme_system(self) -> None:
        """Colours as the system says."""
        self._recolour("system")

    def scheme_light(self) -> None:
        """Light."""
        self._recolour("light")

    def scheme_dark(self) -> None:
        """Dark."""
        self._recolour("dark")

    # Help --------------------------------------------------------------------------------------

    def show_keys(self) -> None:
        """All keys on one page."""
        _page(self._me, "Keys", keys_html())

    def show_card(self) -> None:
        """The card of the model that answered; without an answer, of the one that is chosen."""
        window = self._me
        case = window.display.case
        try:
            if case is not None and case.result is not None:
                card = engine.card_of(case.result, window.options.models)
            else:
                card = engine.find_model(window.options.boxes["model"].currentText())
        except LungScanError as error:
            window.message.say(str(error), error.code)
            return
        _page(window, "Model card", card_html(card))

    def ask_machine(self) -> None:
        """Name the device, and how fast it is."""
        self._me.welcome.ask()

    # Beside ------------------------------------------------------------------------------------

    def _open_folder(self, title: str, start: str = "") -> None:
        settings = self._me.settings
        chosen = QFileDialog.getExistingDirectory(self._me, title, start or settings.folder)
        if chosen:
            self._me.add_paths([Path(chosen)])

    def _write(self, made: Callable[[], engine.Export], path: Path) -> None:
        window = self._me

        def work() -> None:
            try:
                place = made().write(path)
            except LungScanError as error:
                window.alarmed.emit(str(error), error.code)
            except OSError as error:
                words = f"{path} could not be written ({error.strerror or error})."
                window.alarmed.emit(f"{words} Choose another place, or make room there.", "")
            else:
                if place == path:
                    window.announced.emit(f"{path} is written.")
                else:  # Windows
                    words = f"{path} is open in another program and stayed as it was; the new one"
                    window.alarmed.emit(f"{words} is {place.name} beside it.", "")

        threading.Thread(target=work, name="export", daemon=False).start()

    def _recolour(self, scheme: Scheme) -> None:
        window = self._me
        window.settings.scheme = scheme
        app = QApplication.instance()
        if isinstance(app, QApplication):
            apply_theme(app, scheme)
        window.recolour()


def _reviewed(result: CaseResult, review: Callable[[], engine.Beside | None]) -> engine.Export:
    return engine.report_of(result, review())


def _page(window: MainWindow, title: str, html: str) -> None:
    dialog = QDialog(window)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(title)
    dialog.resize(560, 560)
    text = QTextBrowser()
    text.setObjectName("page")
    text.setAccessibleName(title)
    text.setHtml(html)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.close)
    layout = QVBoxLayout(dialog)
    layout.addWidget(text)
    layout.addWidget(buttons)
    dialog.show()
