"""The few options of an analysis, with the engine's names and defaults."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QShowEvent
from PyQt6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from lungscan.options import (
    ABSTAIN,
    ANY_CUDA,
    DEVICES,
    EXPLAIN_CHOICES,
    MAX_MPP_UM,
    MAX_OVERLAP,
    MIN_MPP_UM,
    RULE_NAMES,
    ScanOptions,
)
from lungscan_gui.fitting import card_if_readable
from lungscan_gui.panels.pixel_size import PixelSize
from lungscan_gui.panels.typed_number import TypedNumber
from lungscan_gui.settings import Settings

DEFAULTS = ScanOptions((), Path())
CHOICES: dict[str, tuple[str, ...]] = {
    "device": tuple(name.replace(ANY_CUDA, "cuda:0") for name in DEVICES),
    "rule": RULE_NAMES,
    "abstain": ABSTAIN,
    "explain": EXPLAIN_CHOICES,
}
TITLES = {
    "model": "Model",
    "device": "Device",
    "rule": "Rule",
    "abstain": "When uncertain",
    "explain": "Explanation",
    "overlap": "Overlap",
    "threads": "Threads",
}


class OptionsPanel(QWidget):
    """What differs from the defaults is remembered."""

    folder_changed = pyqtSignal(Path)

    def __init__(self, settings: Settings, models: tuple[str, ...]) -> None:
        super().__init__()
        self._settings = settings
        self.summary, self.folder = _muted(), _muted()
        form = QFormLayout()
        self.boxes: dict[str, QComboBox] = {}
        names = models if DEFAULTS.model in models else (DEFAULTS.model, *models)
        for field, choices in {"model": names, **CHOICES}.items():
            self.boxes[field] = self._choice(field, choices)
            form.addRow(TITLES[field], self.boxes[field])
            if field == "model":
                form.addRow("", self.summary)
        self.overlap = TypedNumber()
        self.overlap.setRange(0, MAX_OVERLAP)
        self.overlap.setSingleStep(0.25)
        self.overlap.setValue(settings.number("overlap", DEFAULTS.overlap))
        self.overlap.setAccessibleName(TITLES["overlap"])
        self.overlap.valueChanged.connect(lambda value: self._keep("overlap", value))
        form.addRow(TITLES["overlap"], self.overlap)
        self.mpp = PixelSize()
        form.addRow("Pixel size", self.mpp)
        self.threads = QSpinBox()
        self.threads.setRange(0, 256)
        self.threads.setSpecialValueText("every core")
        self.threads.setValue(int(settings.number("threads", 0)))
        self.threads.setAccessibleName(TITLES["threads"])
        self.threads.valueChanged.connect(lambda value: self._keep("threads", value))
        form.addRow(TITLES["threads"], self.threads)
        change = QPushButton("Change folder ...")
        change.clicked.connect(self._choose_folder)
        restore = QPushButton("Restore defaults")
        restore.clicked.connect(self.restore)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addWidget(QLabel("Results are filed in"))
        layout.addWidget(self.folder)
        layout.addWidget(change)
        layout.addWidget(restore)
        self._show_folder()
        self.boxes["model"].currentTextChanged.connect(self._describe)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802  Qt's name
        """Cards are read once somebody looks."""
        self._describe()
        super().showEvent(event)

    def _describe(self) -> None:
        """Say what the chosen model is, and of the others in their tips."""
        if not self.isVisible() and not self.summary.text():
            return
        box = self.boxes["model"]
        for row, model in enumerate(self.models):
            box.setItemData(row, summary_of(model), Qt.ItemDataRole.ToolTipRole)
        words = summary_of(box.currentText())
        self.summary.setText(words)
        self.summary.setVisible(bool(words))
        box.setAccessibleDescription(words)

    def options(self, paths: tuple[Path, ...], out: Path, mpp: float | None) -> ScanOptions:
        """The options of a run. Raises UsageProblem for what the engine refuses."""
        return ScanOptions(
            paths=paths,
            out=out,
            mpp=mpp if mpp is not None else self.mpp.value() or None,
            model=self.boxes["model"].currentText(),
            device=self.boxes["device"].currentText(),
            rule=self.boxes["rule"].currentText(),  # type: ignore[arg-type]
            abstain=self.boxes["abstain"].currentText(),  # type: ignore[arg-type]
            explain=self.boxes["explain"].currentText(),  # type: ignore[arg-type]
            overlap=round(self.overlap.value(), 4),
            threads=self.threads.value() or None,
        )

    @property
    def models(self) -> tuple[str, ...]:
        """Names and folders of the models that can be chosen."""
        box = self.boxes["model"]
        return tuple(box.itemText(row) for row in range(box.count()))

    def restore(self) -> None:
        """Back to the engine's defaults."""
        for field, box in self.boxes.items():
            box.setCurrentText(getattr(DEFAULTS, field))
        self.overlap.setValue(DEFAULTS.overlap)
        self.threads.setValue(0)
        self.mpp.setValue(0)

    def _choice(self, field: str, choices: tuple[str, ...]) -> QComboBox:
        box = QComboBox()
        box.addItems(choices)
        kept = self._settings.option(field, getattr(DEFAULTS, field))
        box.setCurrentText(kept if kept in choices else getattr(DEFAULTS, field))
        box.setAccessibleName(TITLES[field])
        box.currentTextChanged.connect(lambda value: self._keep(field, value))
        return box

    def _keep(self, field: str, value: object) -> None:
        default = 0 if field == "threads" else getattr(DEFAULTS, field)
        self._settings.keep_option(field, value, default)

    def _choose_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(
            self, "Folder for results", str(self._settings.results)
        )
        if chosen:
            self._settings.results = Path(chosen)
            self._show_folder()

    def _show_folder(self) -> None:
        self.folder.setText(str(self._settings.results))


def _muted() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setObjectName("muted")
    return label


def summary_of(model: str) -> str:
    """What a model is, in its card's words; "" where that cannot be read."""
    card = card_if_readable(model)
    return card.summary if card else ""


class ScaleQuestion(QWidget):
    """Asks how large a pixel is, where the image does not say."""

    answered = pyqtSignal(float)  # µm per level-0 pixel

    def __init__(self) -> None:
        super().__init__()
        words = QLabel(
            "This image does not say how large a pixel is. With which objective was it scanned?"
        )
        words.setWordWrap(True)
        twenty = QPushButton("20x (0.5 µm per pixel)")
        forty = QPushButton("40x (0.25 µm per pixel)")
        twenty.clicked.connect(lambda: self.answered.emit(0.5))
        forty.clicked.connect(lambda: self.answered.emit(0.25))
        self.value = TypedNumber()
        self.value.setDecimals(4)
        self.value.setRange(MIN_MPP_UM, MAX_MPP_UM)
        self.value.setValue(0.5)
        self.value.setSuffix(" µm per pixel")
        self.value.setAccessibleName("µm per pixel")
        self.use = QPushButton("Use this")
        self.use.clicked.connect(lambda: self.answered.emit(self.value.value()))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (
            words,
            twenty,
            forty,
            QLabel("or type the scanner's value:"),
            self.value,
            self.use,
        ):
            layout.addWidget(widget)
