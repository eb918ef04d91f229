"""What the window remembers of a user: differences from the defaults, folders, recent files."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QByteArray, QSettings

from lungscan_gui.theme import SCHEMES, Scheme

RECENT = 10


class Settings:
    """One file, that of the user unless another is given."""

    def __init__(self, file: Path | None = None) -> None:
        if file is None:
            self._kept = QSettings("LungScan", "LungScan")
        else:
            self._kept = QSettings(str(file), QSettings.Format.IniFormat)

    def option(self, name: str, default: str) -> str:
        """An option of the analysis; its default unless another value was kept."""
        return str(self._kept.value(f"options/{name}", default))

    def number(self, name: str, default: float) -> float:
        """The same for a number; what is none counts as not kept."""
        try:
            return float(self.option(name, str(default)))
        except ValueError:
            return default

    def keep_option(self, name: str, value: object, default: object) -> None:
        """Keep an option that differs from its default, and nothing else."""
        if value == default:
            self._kept.remove(f"options/{name}")
        else:
            self._kept.setValue(f"options/{name}", value)

    @property
    def results(self) -> Path:
        """The folder below which results are filed."""
        return Path(str(self._kept.value("results", str(Path.home() / "LungScan results"))))

    @results.setter
    def results(self, folder: Path) -> None:
        self._kept.setValue("results", str(folder))

    @property
    def reviewer(self) -> str:
        """Who reviewed last."""
        return str(self._kept.value("reviewer", ""))

    @reviewer.setter
    def reviewer(self, name: str) -> None:
        self._kept.setValue("reviewer", name)

    @property
    def scheme(self) -> Scheme:
        """Light, dark, or as the system says."""
        kept = str(self._kept.value("scheme", "system"))
        return next((scheme for scheme in SCHEMES if scheme == kept), "system")

    @scheme.setter
    def scheme(self, scheme: Scheme) -> None:
        self._kept.setValue("scheme", scheme)

    @property
    def recent(self) -> list[Path]:
        """Files and folders that were opened, the last one first."""
        kept = self._kept.value("recent", [])
        names = [kept] if isinstance(kept, str) else list(kept or [])
        return [Path(name) for name in names]

    def opened(self, path: Path) -> None:
        """Remember a file or folder."""
        rest = [other for other in self.recent if other != path]
        self._kept.setValue("recent", [str(p) for p in [path, *rest][:RECENT]])

    @property
    def folder(self) -> str:
        """Where files were opened last."""
        return str(self._kept.value("folder", str(Path.home())))

    @folder.setter
    def folder(self, folder: str) -> None:
        self._kept.setValue("folder", folder)

    @property
    def geometry(self) -> QByteArray | None:
        """Where the window was."""
        kept = self._kept.value("geometry")
        return kept if isinstance(kept, QByteArray) else None

    @geometry.setter
    def geometry(self, geometry: QByteArray) -> None:
        self._kept.setValue("geometry", geometry)

    def flush(self) -> None:
        """Put it on the disk."""
        self._kept.sync()
