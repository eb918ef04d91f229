"""What a run and its reader processes say to each other, over two pipes.

Messages are pickles with their length before them: both ends are this very program. Pixels do not
travel in messages but lie in memory that both ends map, in slots that the run hands out.
"""

from __future__ import annotations

import errno
import pickle
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

from lungscan.errors import CaseError
from lungscan.model.card import ModelCard
from lungscan.opening.shared_memory import Layout
from lungscan.options import ClassifierOptions
from lungscan.types import (
    BoxArray,
    FileKind,
    FileResult,
    FloatArray,
    InputFile,
    MaskArray,
    Overview,
    SourceInfo,
    TileGrid,
)

_LENGTH_BYTES = 8
READY = -1  # the number of the first answer, which no job asked for: the process has begun
LOOK_PX = 1024  # longest side of the overview of a file that is looked at: it travels in a message


@dataclass(frozen=True, slots=True)
class Setup:
    """What all files of a run have in common."""

    options: ClassifierOptions
    card: ModelCard


@dataclass(frozen=True, slots=True)
class Start:
    """The first message. ``file`` holds the slots where the child has not inherited them.

    Without a ``setup`` files can only be looked at.
    """

    setup: Setup | None
    threads: int
    layout: Layout
    file: str


@dataclass(frozen=True, slots=True)
class PlanFile:
    """Open, hash and plan a file. Answered by ``Planned``."""

    file: InputFile
    picture: bool
    digest: str | None


@dataclass(frozen=True, slots=True)
class PlanFields:
    """Open some fields. Answered by a list of ``PlannedField`` or errors."""

    files: tuple[InputFile, ...]
    picture: bool
    slot: int


@dataclass(frozen=True, slots=True)
class ReadTiles:
    """Read tiles into a slot. Answered by ``ReadResult``."""

    handle: int
    boxes: BoxArray
    size_px: int
    slot: int


@dataclass(frozen=True, slots=True)
class AreSlides:
    """Which files hold slides? Answered by a tuple of bools."""

    files: tuple[InputFile, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """Open a file to show it to a person. Answered by ``Looked``.

    With ``soon`` an overview that takes long is left out, and made by ``Recolour``.
    """

    file: InputFile
    mpp: float | None
    soon: bool = False


@dataclass(frozen=True, slots=True)
class Looked:
    """What is known of a file that was opened to be shown; its source stays in the child."""

    handle: int
    kind: FileKind
    info: SourceInfo
    overview: Overview | None
    profile: str = ""  # name of the colour profile, where it changes anything


@dataclass(frozen=True, slots=True)
class Recolour:
    """Show a file in its stored colours, or as its profile means them. Answered by ``Overview``."""

    handle: int
    by_profile: bool


@dataclass(frozen=True, slots=True)
class Close:
    """Let go of an opened file. Answered by None."""

    handle: int


Job = PlanFile | PlanFields | ReadTiles | AreSlides | Look | Recolour | Close


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan without its source, which stays in the child under ``handle``.

    None says that it is closed already: all that will be asked for has been read.
    """

    handle: int | None
    kind: FileKind
    info: SourceInfo
    grid: TileGrid
    result: FileResult
    unreadable: float


@dataclass(frozen=True, slots=True)
class ReadResult:
    """``TilePixels`` but for the pixels, which lie in the slot from tile ``first`` on."""

    first: int
    valid: FloatArray
    failed: MaskArray


@dataclass(frozen=True, slots=True)
class PlannedField:
    """A field; ``read`` tells of its tiles when they were read at once."""

    planned: Planned
    read: ReadResult | None


@dataclass(frozen=True, slots=True)
class Request:
    """A job and the number that its answer bears."""

    number: int
    job: Job


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a job: a value, or an error that concerns the file or the whole run."""

    number: int
    kind: Literal["value", "error"]
    value: Any


FieldAnswer = PlannedField | CaseError


def send(stream: BinaryIO, message: object) -> None:
    """Write one message. Raises BrokenPipeError when the other end is gone."""
    data = pickle.dumps(message, protocol=5)
    try:
        stream.write(len(data).to_bytes(_LENGTH_BYTES, "little") + data)
        stream.flush()
    except OSError as error:
        if error.errno == errno.EINVAL:  # Windows' word for it
            raise BrokenPipeError(errno.EPIPE, "the other end of the pipe is gone") from error
        raise


def receive(stream: BinaryIO) -> Any:
    """Read one message. Raises EOFError when the other end is gone."""
    head = stream.read(_LENGTH_BYTES)
    length = int.from_bytes(head, "little")
    data = stream.read(length) if len(head) == _LENGTH_BYTES else b""
    if len(head) < _LENGTH_BYTES or len(data) < length:
        raise EOFError("the other end of the pipe is gone")
    return pickle.loads(data)  # noqa: S301  written by our own other half
