"""What the window remembers of a user: differences from the defaults, folders, recent files."""

from __future__ import annotations

import tempfile
from pathlib import Path

from PyQt6.QtCore import QByteArray, QSettings, QStandardPaths

from lungscan_gui.theme import SCHEMES, Scheme

RECENT = 10
RESULTS = Path.home() / "LungScan results"


class Settings:
    """One file, that of the user unless another is given."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
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
        self._keep(f"options/{name}", value, default)

    @property
    def results(self) -> Path:
        """The folder below which results are filed."""
        return Path(str(self._kept.value("results", str(RESULTS))))

    @results.setter
    def results(self, folder: Path) -> None:
        self._keep("results", str(folder), str(RESULTS))

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
        self._keep("scheme", scheme, "system")

    @property
    def started(self) -> bool:
        """Whether the window was ever open before."""
        return self._kept.value("started", "false") in (True, "true")

    @started.setter
    def started(self, on: bool) -> None:
        self._keep("started", "true" if on else "false", "false")

    @property
    def machine(self) -> tuple[str, str] | None:
        """What was found out of this machine: for which choice, and in which words."""
        kept = self._kept.value("machine", [])
        return (str(kept[0]), str(kept[1])) if isinstance(kept, list) and len(kept) == 2 else None

    @machine.setter
    def machine(self, found: tuple[str, str]) -> None:
        self._kept.setValue("machine", list(found))

    @property
    def scratch(self) -> Path:
        """A folder of this user for what can be made again."""
        if self.file is not None:
            return self.file.parent / "scratch"
        place = QStandardPaths.StandardLocation.CacheLocation
        return Path(QStandardPaths.writableLocation(place) or tempfile.gettempdir())

    @property
    def by_profile(self) -> bool:
        """Whether images are shown in the colours that their profiles mean."""
        return self._kept.value("by_profile", "false") in (True, "true")

    @by_profile.setter
    def by_profile(self, on: bool) -> None:
        self._keep("by_profile", "true" if on else "false", "false")

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
    def own_models(self) -> tuple[str, ...]:
        """Model folders beside the shipped ones; those that are gone are left out."""
        kept = self._kept.value("models", [])
        names = [kept] if isinstance(kept, str) else list(kept or [])
        return tuple(name for name in names if (Path(name) / "card.json").is_file())

    def take_model(self, folder: Path) -> None:
        """Remember a model folder."""
        names = [name for name in self.own_models if name != str(folder)]
        self._kept.setValue("models", [*names, str(folder)])

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

    def _keep(self, name: str, value: object, default: object) -> None:
        if value == default:
            self._kept.remove(name)
        else:
            self._kept.setValue(name, value)

    def flush(self) -> None:
        """Put it on the disk."""
        self._kept.sync()
