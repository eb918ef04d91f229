"""Files on their way in: written as they come, counted as they come, and let go when too many.

What a browser says of sizes is not asked. Nothing here looks into a file but for the first bytes of
archives and of DICOM; pictures are decoded by the engine's reader processes alone.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import BinaryIO

from lungscan.errors import MachineError
from lungscan.inputs import show
from lungscan.inputs.dicom import is_dicom
from lungscan.results.atomic_files import into_place
from lungscan_web.jobs.folder import disk_error, remove
from lungscan_web.jobs.limits import BadArchive, Limits, NotHere, Refused, TooLarge, TooMany, size
from lungscan_web.jobs.safe_names import file_name, folder_of
from lungscan_web.jobs.unzipping import is_archive, unpack

TOGETHER = "DICOM"  # the folder of files that were given one by one
LOOK_EVERY = 64 << 20  # bytes between two looks at what the disk has left


class Intake:
    """The files of one job to be. For one thread at a time; ``close`` it when it comes to nothing.

    A file is a job of ``begin``, ``write`` as often as bytes come, and ``end``.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        """``folder`` is the job's own and empty. Raises MachineError, and then it is gone."""
        self.folder, self.limits = folder, limits
        self.paths: list[Path] = []  # what the engine is pointed at, in the order they came
        self.names: list[str] = []  # as people see them
        self.refused: list[tuple[str, str]] = []  # archives that stay out: name, and why
        self.bytes = 0
        self._folders: dict[Path, str] = {}  # in which folder each file was given
        self._next_look = 0
        self._open: BinaryIO | None = None
        self._inputs = folder / "in"
        try:
            self._inputs.mkdir(mode=0o700)
        except OSError as error:
            remove(folder)
            raise disk_error(error) from error

    def begin(self, given_name: str) -> None:
        """A file of this name comes now.

        Raises:
            TooMany: more files than are taken at once.
            MachineError: the disk refuses.
        """
        self.end()
        if len(self.paths) >= self.limits.files:
            raise TooMany(
                f"At most {self.limits.files} files are taken at once. Give fewer, or put a "
                "series into one ZIP archive."
            )
        try:
            path = self._place(given_name)
            self._open = path.open("xb")
        except OSError as error:
            raise disk_error(error) from error
        self._folders[path] = folder_of(given_name)
        self.paths.append(path)
        self.names.append(show(path.name))

    def write(self, data: bytes) -> None:
        """The next bytes of the file.

        Raises:
            TooLarge: more bytes than an upload may have.
            MachineError: the disk is full, or nearly so.
        """
        if self._open is None:
            raise RuntimeError("no file has begun")
        self._count(len(data))
        try:
            self._open.write(data)
        except OSError as error:
            raise disk_error(error) from error

    def end(self) -> None:
        """The file is complete. Raises MachineError when the disk refuses its last bytes."""
        file, self._open = self._open, None
        try:
            if file is not None:
                file.close()
        except OSError as error:
            raise disk_error(error) from error

    def add(self, path: Path, name: str | None = None) -> None:
        """Copy a file that lies on this machine: an example, or what another face was given.

        Raises: as ``begin`` and ``write``.
        """
        self.begin(name or path.name)
        with path.open("rb") as source:
            while piece := source.read(1 << 20):
                self.write(piece)
        self.end()

    def unpack(self, wanted: Callable[[], bool] = lambda: True) -> None:
        """Unpack the archives among the files; each becomes a folder. May take long.

        One that cannot be unpacked stays out and costs the other files nothing. DICOM files that
        were given one by one, or in one folder, come into a folder together: the slices of a
        series, or the levels of a slide, are one image only where they lie side by side.

        Raises:
            BadArchive: nothing else was given.
            TooLarge: all together is more than is taken; see ``unzipping``.
            NotHere: ``wanted`` said that nobody wants it any more.
        """
        self.end()
        paths = []
        for path, name in zip(self.paths, self.names, strict=True):
            try:
                paths.append(self._unpacked(path, wanted) if is_archive(path) else path)
            except BadArchive as error:
                self.refused.append((name, str(error)))
            except TooLarge as error:  # of many files, which one
                raise TooLarge(f"{name}: {error}") from error
            except OSError as error:
                raise disk_error(error) from error
        if self.refused and not paths:
            raise BadArchive(" ".join(f"{name}: {why}" for name, why in self.refused))
        self.paths = paths
        self._gather()
        # What came in a folder is searched for as in one: what is no image there has not failed.
        self.paths = [path.parent if self._folders.get(path) else path for path in self.paths]

    def _unpacked(self, archive: Path, wanted: Callable[[], bool]) -> Path:
        """The folder that an archive has become. Raises as ``unpack``, and OSError."""
        stem = file_name(archive.stem)
        into = archive.with_name(stem if stem != archive.name else f"{stem}.unpacked")
        room = self.limits.upload_bytes - self.bytes
        try:
            self.bytes += unpack(
                archive,
                into,
                members=self.limits.members,
                room=room,
                check=lambda: self._check(wanted),
            )
        except BadArchive:
            self.bytes += sum(file.stat().st_size for file in into.rglob("*") if file.is_file())
            remove(into)
            raise
        finally:
            archive.unlink()
        return into

    def require_some(self) -> None:
        """Raises Refused when nothing came."""
        if not self.paths:
            raise Refused("No file was given. Choose an image, a slide or a ZIP of a series.")

    def _gather(self) -> None:
        """Bring loose DICOM files together, those of one folder under its name."""
        loose = [path for path in self.paths if path.is_file() and _is_dicom(path)]
        sizes = Counter(self._folders[path] for path in loose)
        groups: dict[str, list[Path]] = {}
        for path in loose:
            folder = self._folders[path]
            groups.setdefault(folder if sizes[folder] > 1 else "", []).append(path)
        for number, (folder, paths) in enumerate(groups.items(), start=1):
            if len(paths) > 1:
                name = file_name(folder) if folder else TOGETHER
                self._together(paths, _free(self._inputs, name, number))

    def _together(self, files: list[Path], folder: Path) -> None:
        """Move files into a new folder, which stands in the place of the first."""
        try:
            folder.mkdir(mode=0o700)
            for number, path in enumerate(files, start=1):
                into_place(path, _free(folder, path.name, number))
        except OSError as error:
            raise disk_error(error) from error
        self.paths[self.paths.index(files[0])] = folder
        self.paths = [path for path in self.paths if path not in files]

    def close(self) -> None:
        """Delete all that came."""
        with suppress(MachineError):
            self.end()
        remove(self.folder)

    def _place(self, given_name: str) -> Path:
        """A folder of its own for each file, so that two may bear one name."""
        place = self._inputs / f"{len(self.paths) + 1:04}"
        place.mkdir(mode=0o700)
        if folder := folder_of(given_name):
            place /= file_name(folder)
            place.mkdir(mode=0o700)
        return place / file_name(given_name)

    def _count(self, more: int) -> None:
        self.bytes += more
        if self.bytes > self.limits.upload_bytes:
            raise TooLarge(
                f"This is more than {size(self.limits.upload_bytes)}, the most that is taken at "
                "once. Give fewer files, or ask whoever runs the page to take more."
            )
        if self.bytes >= self._next_look:
            self._next_look = self.bytes + LOOK_EVERY
            self._require_space()

    def _require_space(self) -> None:
        if shutil.disk_usage(self.folder).free < self.limits.free_bytes + LOOK_EVERY:
            raise MachineError(
                "The disk of this page is nearly full, so no more files are taken. Try again when "
                "others are done, or tell whoever runs the page."
            )

    def _check(self, wanted: Callable[[], bool]) -> None:
        if not wanted():
            raise NotHere("The upload was given up.")
        self._require_space()


def _free(folder: Path, name: str, number: int) -> Path:
    """Where a file of this name goes; with a number before it where another one lies already."""
    names = chain([name], (f"{more}-{name}" for more in count(number)))
    return next(path for each in names if not (path := folder / each).exists())


def _is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM does, whatever its name is."""
    with path.open("rb") as file:
        return is_dicom(file.read(132))
