"""An upload, taken as it comes: every byte is counted, none is kept in memory, none decoded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

from anyio.to_thread import run_sync
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from lungscan.options import MAX_MPP_UM, MIN_MPP_UM
from lungscan_web.jobs.intake import Intake
from lungscan_web.jobs.limits import Gone, Limits, Refused, TooLarge, TooMany, size
from lungscan_web.server.answers import Denied

CUT_SHORT = "The upload was cut short or damaged. Try again."
PIECE = 1 << 20  # written at once, by a thread
LONGEST_FIELD = 200  # bytes of a text field
MORE_PARTS = 10  # beside the files
GRACE_S = 60.0  # before an upload's rate counts
DRAIN_BYTES, DRAIN_S = 32 << 20, 3.0  # read after a refusal, so that the browser gets to see it
_HEADER = 4096  # bytes of one header of a part
_AROUND = 1 << 20  # bytes of a form that are not files


@dataclass(slots=True)
class Form:
    """The parts of a form: files go to the intake, short texts stay here."""

    intake: Intake
    texts: dict[str, str] = field(default_factory=dict)
    _name: bytes = b""
    _value: bytes = b""
    _disposition: bytes = b""
    _text: str | None = None  # the text field that comes, None while a file does
    _ignored: bool = False
    _parts: int = 0
    complete: bool = False

    def callbacks(self) -> dict[str, object]:
        """For the parser."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data,
            "on_part_end": self.intake.end,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._parts += 1
        self._disposition, self._text, self._ignored = b"", None, False
        if self._parts > self.intake.limits.files + MORE_PARTS:
            raise TooMany(f"At most {self.intake.limits.files} files are taken at once.")

    def _end(self) -> None:
        self.complete = True

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name = self._value = b""

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        given = options.get(b"filename")
        if given is None:
            self._text = name[:LONGEST_FIELD]
            self.texts[self._text] = ""
        elif given == b"":
            self._ignored = True  # a form that was sent without a file chosen
        else:
            self.intake.begin(given.decode("utf-8", "replace"))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._ignored:
            return
        if self._text is None:
            self.intake.write(data[start:end])
            return
        self.texts[self._text] += data[start:end].decode("utf-8", "replace")
        if len(self.texts[self._text]) > LONGEST_FIELD:
            raise TooLarge("A field of the form is too long.")


async def receive_form(request: Request, intake: Intake) -> dict[str, str]:
    """Take a multipart form into the intake; its text fields.

    Raises:
        Denied: it is no such form, or comes too slowly.
        Refused: more than is taken; see ``Intake``.
        Gone: the browser left.
    """
    limits = intake.limits
    boundary = _boundary(request)
    _refuse_by_length(request, limits)
    form, pieces = Form(intake), _pieces(request, limits)
    try:
        parser = MultipartParser(boundary, form.callbacks(), max_header_size=_HEADER)  # type: ignore[arg-type]
        async for piece in pieces:
            await run_sync(parser.write, piece)
        await run_sync(parser.finalize)
    except FormParserError as error:
        raise Denied(400, "W_FORM", CUT_SHORT) from error
    except Refused:
        await _drain(pieces)
        raise
    if not form.complete:
        raise Denied(400, "W_FORM", CUT_SHORT)
    return form.texts


def micrometres(text: str) -> float | None:
    """The scale that a visitor gave, µm per pixel; a comma is taken too. Raises Refused."""
    if not text.strip():
        return None
    with suppress(ValueError):
        value = float(text.strip().replace(",", "."))
        if MIN_MPP_UM <= value <= MAX_MPP_UM:
            return value
    raise Refused(
        f"The scale must be a number from {MIN_MPP_UM:g} to {MAX_MPP_UM:g} µm per pixel (usual: "
        "0.25 at 40x, 0.5 at 20x)."
    )


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not boundary:
        raise Denied(415, "W_FORM", "Files are taken as a form (multipart/form-data) only.")
    return boundary


def _refuse_by_length(request: Request, limits: Limits) -> None:
    """What says itself that it is too large need not come; what says otherwise is counted."""
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > limits.upload_bytes + _AROUND:
        raise _too_large(limits)


def _too_large(limits: Limits) -> TooLarge:
    return TooLarge(
        f"This is more than {size(limits.upload_bytes)}, the most that is taken at once. Give "
        "fewer files, or ask whoever runs the page to take more."
    )


async def _pieces(request: Request, limits: Limits) -> AsyncIterator[bytes]:
    """The body in pieces of some size; refuses what comes too slowly."""
    stream, began = request.stream(), time.monotonic()
    waiting, total = bytearray(), 0
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream), limits.stall_seconds)
        except StopAsyncIteration:
            break
        except TimeoutError:
            raise Denied(408, "W_SLOW", "The upload stood still. Try again.") from None
        except ClientDisconnect:
            raise Gone("The browser left before the upload was complete.") from None
        waiting += chunk
        total += len(chunk)
        if total > limits.upload_bytes + _AROUND:  # also of what stands around the files
            raise _too_large(limits)
        seconds = time.monotonic() - began
        if seconds > GRACE_S and total < limits.least_rate * seconds:
            raise Denied(408, "W_SLOW", "The upload is too slow to be taken here.")
        if len(waiting) >= PIECE:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    """Read a little more, and throw it away."""
    left = DRAIN_BYTES
    with suppress(Refused, TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            async for piece in pieces:
                left -= len(piece)
                if left < 0:
                    return
