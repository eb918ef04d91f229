"""What a DICOM file is and which series it belongs to, without a DICOM library.

A whole slide is a series of files, and so is a CT; four elements are needed to group them. The
reader walks the data set in every encoding of DICOM; a file whose series cannot be told simply
stands for itself. The patient's number is compared, as a hash, and goes nowhere.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"  # VL Whole Slide Microscopy Image Storage
DEFLATED = "1.2.840.10008.1.2.1.99"  # of a transfer syntax: the data set is packed whole
DICOM_DIRECTORY = "1.2.840.10008.1.3.10"  # Media Storage Directory Storage: a DICOMDIR
CT_SLICES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.2",  # CT Image Storage
        "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT Image Storage: all slices in one file
        "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT Image Storage
    }
)

_PREAMBLE_BYTES = 132
_MEDIA_CLASS, _SOP_CLASS = (0x0002, 0x0002), (0x0008, 0x0016)
_PATIENT_ID = (0x0010, 0x0020)
_STUDY_INSTANCE_UID, _SERIES_INSTANCE_UID = (0x0020, 0x000D), (0x0020, 0x000E)
_TRANSFER_SYNTAX = (0x0002, 0x0010)
_IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR",
                       b"UT", b"UV"})  # fmt: skip
_UNDEFINED = 0xFFFFFFFF
_ITEM_END = (0xFFFE, 0xE00D)
_SEQUENCE_END = (0xFFFE, 0xE0DD)

# What is read of a file at the most. Values are skipped, so a usual header is found in one piece.
_PIECE_BYTES = 1 << 13
_MOST_HEADERS = 100_000  # of elements and items: sequences of some 25,000 images before the series
_DEEPEST = 64  # sequences in sequences
_LONGEST_VALUE = 256  # the standard allows 64 letters, of up to four bytes each
_INFLATED_BYTES = 1 << 20  # of a deflated data set; what is looked for stands at its beginning


def is_dicom(head: bytes) -> bool:
    """Whether a file that begins so is DICOM: 128 bytes of anything, then its mark."""
    return head[128:_PREAMBLE_BYTES] == b"DICM"


def series_uid(path: Path) -> str | None:
    """Which series a DICOM file is of; None if unknown.

    The UID of the series should do alone, but hiding names has given the series of two patients
    one of them, and one of their studies. So these count, too, and of CT the patient: the levels of
    a whole slide are one slide, whatever patient each of them names.
    """
    found = _elements(path, _SOP_CLASS, _PATIENT_ID, _STUDY_INSTANCE_UID, _SERIES_INSTANCE_UID)
    if not found.get(_SERIES_INSTANCE_UID):
        return None
    is_slide = found.pop(_SOP_CLASS, b"") == WHOLE_SLIDE.encode()
    patient = found.pop(_PATIENT_ID, b"")
    if patient and not is_slide:
        found[_PATIENT_ID] = sha256(patient).hexdigest().encode()
    return b"/".join(filter(None, found.values())).decode("ascii", "backslashreplace")


def media_class(path: Path) -> str | None:
    """Read the SOP class of a DICOM file, which says what it holds; None when it cannot be told."""
    for wanted in (_MEDIA_CLASS, _SOP_CLASS):
        if found := _elements(path, wanted).get(wanted):
            return found.decode("ascii", "backslashreplace")
    return None


def _elements(path: Path, *wanted: tuple[int, int]) -> dict[tuple[int, int], bytes]:
    """The values of these elements, in the order of their tags; without those it does not have."""
    try:
        with path.open("rb", buffering=_PIECE_BYTES) as stream:
            if not is_dicom(stream.read(_PREAMBLE_BYTES)):
                return {}
            return dict(_find(_Headers(stream, _MOST_HEADERS), wanted))
    # Not there, cut short, not what it claims to be, or without end.
    except (OSError, struct.error, ValueError, zlib.error):
        return {}


@dataclass(slots=True)
class _Headers:
    """The headers of elements and items one after the other; their values are passed over."""

    stream: BinaryIO
    left: int  # how many more are read
    order: str = "<"  # of bytes, as ``struct`` writes it

    def begin(self, syntax: str) -> None:
        """The data set of this encoding begins where the header that was read last does."""
        self.stream.seek(-8, os.SEEK_CUR)
        if syntax == _BIG_ENDIAN:
            self.order = ">"
        elif syntax == DEFLATED:
            packed = self.stream.read(_INFLATED_BYTES)
            inflate = zlib.decompressobj(-zlib.MAX_WBITS)
            self.stream = BytesIO(inflate.decompress(packed, _INFLATED_BYTES))

    def next(self) -> tuple[tuple[int, int], bytes]:
        """A tag and the four bytes that follow it."""
        self.left -= 1
        if self.left < 0:
            raise ValueError("more elements than a header has")
        group, number, rest = struct.unpack(f"{self.order}HH4s", self.stream.read(8))
        return (group, number), rest

    def length(self, rest: bytes, explicit: bool) -> int:
        """Bytes of the value that comes next."""
        if explicit and rest[:2] not in _LONG_VRS:
            return int(struct.unpack(f"{self.order}H", rest[2:])[0])
        four = self.stream.read(4) if explicit else rest
        return int(struct.unpack(f"{self.order}I", four)[0])

    def value(self, length: int) -> bytes:
        """A short value, such as a UID."""
        value = self.stream.read(min(length, _LONGEST_VALUE + 1))
        if len(value) < length or length > _LONGEST_VALUE:
            raise ValueError("cut short, or no UID")
        return value.strip(b"\0 ")

    def skip(self, rest: bytes, explicit: bool, depth: int = 0) -> None:
        """Pass over a value.

        What is UN and of undefined length is a sequence in implicit encoding, whatever that of the
        rest (PS3.5 6.2.2): so is written what a program did not know the encoding of.
        """
        length = self.length(rest, explicit)
        if length == _UNDEFINED:
            self._skip_sequence(explicit and rest[:2] != b"UN", depth + 1)
        else:
            self.stream.seek(length, os.SEEK_CUR)

    def _skip_sequence(self, explicit: bool, depth: int) -> None:
        if depth > _DEEPEST:
            raise ValueError("nested without end")
        while True:
            tag, rest = self.next()
            length = self.length(rest, explicit=False)
            if tag == _SEQUENCE_END:
                return
            if length == _UNDEFINED:
                self._skip_item(explicit, depth)
            else:
                self.stream.seek(length, os.SEEK_CUR)

    def _skip_item(self, explicit: bool, depth: int) -> None:
        while True:
            tag, rest = self.next()
            if tag == _ITEM_END:
                return
            self.skip(rest, explicit, depth)


def _find(
    headers: _Headers, wanted: Sequence[tuple[int, int]]
) -> Iterator[tuple[tuple[int, int], bytes]]:
    explicit = True
    syntax = ""
    while True:
        tag, rest = headers.next()
        if tag[0] != 0x0002 and syntax:  # the file's meta group ends
            headers.begin(syntax)
            tag, rest = headers.next()
            explicit = syntax != _IMPLICIT_LITTLE_ENDIAN
            syntax = ""
        if tag > wanted[-1]:
            return
        if tag in wanted:
            yield tag, headers.value(headers.length(rest, explicit))
            if tag == wanted[-1]:
                return
        elif tag == _TRANSFER_SYNTAX:
            syntax = headers.value(headers.length(rest, explicit)).decode("ascii")
        else:
            headers.skip(rest, explicit)
