"""The output folder of a run: one writer at a time, finished cases found again."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lungscan.errors import LungScanError, OutputLocked
from lungscan.report.case_json import from_json
from lungscan.report.files import machine_error
from lungscan.types import CaseInput, CaseResult, CaseStatus

LOCK = ".lungscan-lock"


class RunStore:
    """Where a run's cases lie."""

    def __init__(self, out: Path) -> None:
        self.out = out

    def folder(self, key: str) -> Path:
        """The folder of one case."""
        return self.out / "cases" / key

    def finished(
        self, case: CaseInput, hashes: tuple[str, ...], model_sha256: str, settings_hash: str
    ) -> CaseResult | None:
        """The record of an earlier run, if input, model and settings are still the same.

        Failed and partial cases are always tried again.
        """
        path = self.folder(case.key) / "case.json"
        try:
            result = from_json(path.read_bytes())
        except (OSError, LungScanError):
            return None  # none yet, or damaged: the case is classified again
        same = (
            result.status in (CaseStatus.OK, CaseStatus.NO_RESULT)
            and tuple(file.sha256 for file in result.files) == hashes
            and result.model.sha256 == model_sha256
            and result.settings_hash == settings_hash
            and result.case_id == case.case_id
        )
        return result if same else None

    def forget(self) -> None:
        """Remove what an earlier run wrote (``--fresh``); nothing else in the folder."""
        cases = self.out / "cases"
        try:
            if cases.is_dir():
                shutil.rmtree(cases)
        except OSError as error:
            raise machine_error(error, cases) from error
        for name in ("cases.csv", "summary.pdf", "run.json"):
            with suppress(FileNotFoundError):
                (self.out / name).unlink()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process.

        Raises:
            OutputLocked: another live run holds it.
            MachineError: the folder cannot be made or written.
        """
        path = self.out / LOCK
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            self._take(path)
        except OSError as error:
            raise machine_error(error, path) from error
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()

    def _take(self, path: Path) -> None:
        owner = json.dumps({"pid": os.getpid(), "host": socket.gethostname()})
        for _ in range(2):
            try:
                descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                if not self._is_stale(path):
                    raise OutputLocked(
                        f"Another run is writing to {self.out}. Wait for it, or choose another "
                        f"--out folder. If no run is alive, remove {path}."
                    ) from None
                with suppress(FileNotFoundError):
                    path.unlink()
                continue
            with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
                handle.write(owner)
            return
        raise OutputLocked(f"Another run has just begun to write to {self.out}. Wait for it.")

    @staticmethod
    def _is_stale(path: Path) -> bool:
        """Whether the lock's process is known to be gone; a lock of another host never is."""
        try:
            owner = json.loads(path.read_text(encoding="utf-8"))
            if owner["host"] != socket.gethostname() or os.name == "nt":
                return False  # Windows has no harmless way to ask whether a process lives
            os.kill(int(owner["pid"]), 0)
        except (ProcessLookupError, FileNotFoundError):
            return True
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return int(owner["pid"]) == os.getpid()
