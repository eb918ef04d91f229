"""Everything that can go wrong, as a tree.

::

    LungScanError                 exit_code, code; the message says what happened, why, what to do
    ├── UsageProblem              2   the call itself is wrong (an option, a manifest)
    ├── NothingToDo               3   no image was found
    ├── ModelError                4   unknown, incomplete, changed or unsafe model
    ├── MachineError              5   disk, permission, memory
    ├── OutputLocked              6   another run is writing to the same folder
    └── CaseError                 1   one case fails, the others go on
        ├── UnreadableFile        E_OPEN, E_FORMAT, E_UNSUPPORTED, E_NAME, E_TOO_LARGE,
        │                         E_TOO_SMALL, E_TOO_COARSE, E_IO, E_CHANGING, E_MODALITY,
        │                         E_PLANE
        ├── NoScale               E_NO_MPP, E_BAD_MPP
        └── TooManyBadTiles       E_TILE

Sentences are shown in a terminal, a window, a browser and on paper. So what is typed into a shell
stands in brackets, and each reads well without them; see ``without_flags``.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import ClassVar


class Code(StrEnum):
    """What went wrong, for programs: ``error_code`` in every record and table."""

    BAD_MPP = "E_BAD_MPP"
    CASE = "E_CASE"
    CHANGING = "E_CHANGING"
    CLOSED = "E_CLOSED"
    CRASH = "E_CRASH"
    FORMAT = "E_FORMAT"
    IO = "E_IO"
    LOCKED = "E_LOCKED"
    MACHINE = "E_MACHINE"
    MEMORY = "E_MEMORY"
    MODALITY = "E_MODALITY"
    MODEL = "E_MODEL"
    NAME = "E_NAME"
    NOTHING = "E_NOTHING"
    NOT_FOUND = "E_NOT_FOUND"
    NO_MPP = "E_NO_MPP"
    OPEN = "E_OPEN"
    PERMISSION = "E_PERMISSION"
    PLANE = "E_PLANE"
    RECORD = "E_RECORD"
    TILE = "E_TILE"
    TIMEOUT = "E_TIMEOUT"
    TOO_COARSE = "E_TOO_COARSE"
    TOO_LARGE = "E_TOO_LARGE"
    TOO_SMALL = "E_TOO_SMALL"
    UNEXPECTED = "E_UNEXPECTED"
    UNKNOWN = "E_UNKNOWN"
    UNSUPPORTED = "E_UNSUPPORTED"
    USAGE = "E_USAGE"


class LungScanError(Exception):
    """Base of all errors a user can meet; ``str(error)`` is one or two plain sentences."""

    exit_code: ClassVar[int] = 1
    code: Code = Code.UNKNOWN

    def __init__(self, message: str, *, code: Code | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class UsageProblem(LungScanError):
    """The call itself is wrong."""

    exit_code = 2
    code = Code.USAGE


class NothingToDo(LungScanError):
    """No image was found where the user pointed."""

    exit_code = 3
    code = Code.NOTHING


class ModelError(LungScanError):
    """The model is unknown, incomplete, changed or of a kind that is never loaded."""

    exit_code = 4
    code = Code.MODEL


class MachineError(LungScanError):
    """The machine stands in the way: disk full, no permission, no memory."""

    exit_code = 5
    code = Code.MACHINE


class OutputLocked(LungScanError):
    """Another run is writing to the same folder."""

    exit_code = 6
    code = Code.LOCKED


class CaseError(LungScanError):
    """One case cannot be classified; the batch goes on."""

    exit_code = 1
    code = Code.CASE


class UnreadableFile(CaseError):
    """The file cannot be opened or is not an image that LungScan reads."""

    code = Code.OPEN


class NoScale(CaseError):
    """A slide says nothing usable about the size of its pixels."""

    code = Code.NO_MPP


class TooManyBadTiles(CaseError):
    """So many tiles are unreadable that the answer would not stand for the slide."""

    code = Code.TILE


_TYPED = r"(?:--[a-z]|`?lungscan |`?python -m pip )"
_BEFORE_MORE = re.compile(rf"\({_TYPED}[^;()]*; (?!{_TYPED})")  # "(--mpp; usual: ...)"
_IN_BRACKETS = re.compile(rf" \({_TYPED}[^()]*\)")


def without_flags(text: str) -> str:
    """An engine's sentence for whoever has no shell: without options and commands in brackets."""
    return _IN_BRACKETS.sub("", _BEFORE_MORE.sub("(", text))


def case_error(error: Exception) -> CaseError:
    """What an error met while working on a case means for that case; call it in an ``except``.

    Libraries raise many kinds on damaged files, so an error that nobody foresaw fails its case
    alone. What no other case would survive either is raised instead.

    Raises:
        LungScanError, MemoryError: ``error`` concerns the whole run: the call, the model or the
            machine.
    """
    if isinstance(error, CaseError):
        return error
    if isinstance(error, LungScanError | MemoryError):
        raise error
    return UnreadableFile(
        f"The file made a library fail in an unexpected way ({type(error).__name__}: {error}). "
        "It is probably damaged; if other programs open it, please report this.",
        code=Code.UNEXPECTED,
    )
