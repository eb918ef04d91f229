"""What a DICOM file is and which series it belongs to, without a DICOM library.

A whole slide is a series of files; only two elements are needed to group them. The reader walks the
data set in the three encodings that slides use (explicit and implicit, little endian) and gives
up on everything else: a file without a known series simply stands for itself.
"""

from __future__ import annotations

import struct
from pathlib import Path

WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"  # VL Whole Slide Microscopy Image Storage
DICOM_DIRECTORY = "1.2.840.10008.1.3.10"  # Media Storage Directory Storage: a DICOMDIR
CT_SLICES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.2",  # CT Image Storage
        "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT Image Storage: all slices in one file
        "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT Image Storage
    }
)

_PREAMBLE_BYTES = 132
_HEAD_BYTES = 1 << 16
_MEDIA_CLASS, _SOP_CLASS = (0x0002, 0x0002), (0x0008, 0x0016)
_SERIES_INSTANCE_UID = (0x0020, 0x000E)
_TRANSFER_SYNTAX = (0x0002, 0x0010)
_IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
_UNREADABLE_SYNTAXES = ("1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99")  # big endian, deflated
_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR",
                       b"UT", b"UV"})  # fmt: skip
_UNDEFINED = 0xFFFFFFFF
_ITEM_END = (0xFFFE, 0xE00D)
_SEQUENCE_END = (0xFFFE, 0xE0DD)


def is_dicom(head: bytes) -> bool:
    """Whether a file that begins so is DICOM: 128 bytes of anything, then its mark."""
    return head[128:_PREAMBLE_BYTES] == b"DICM"


def series_uid(path: Path) -> str | None:
    """Read the SeriesInstanceUID of a DICOM file; None when it cannot be told."""
    return _element(path, _SERIES_INSTANCE_UID)


def media_class(path: Path) -> str | None:
    """Read the SOP class of a DICOM file, which says what it holds; None when it cannot be told."""
    return _element(path, _MEDIA_CLASS) or _element(path, _SOP_CLASS)


def _element(path: Path, wanted: tuple[int, int]) -> str | None:
    try:
        with path.open("rb") as stream:
            head = stream.read(_PREAMBLE_BYTES)
            if not is_dicom(head):
                return None
            head += stream.read(_HEAD_BYTES - _PREAMBLE_BYTES)
    except OSError:
        return None
    try:
        return _find(head, wanted)
    # Cut short, not what it claims to be, or nested without end.
    except (struct.error, UnicodeDecodeError, RecursionError):
        return None


def _find(head: bytes, wanted: tuple[int, int]) -> str | None:
    explicit = True
    syntax = ""
    at = _PREAMBLE_BYTES
    while True:
        tag = struct.unpack_from("<HH", head, at)
        if tag[0] != 0x0002 and syntax:  # the file's meta group ends, its data set begins
            explicit = syntax != _IMPLICIT_LITTLE_ENDIAN
            syntax = ""
        start, length = _value(head, at, explicit)
        if length == _UNDEFINED:
            at = _skip_sequence(head, start, explicit)
            continue
        if tag == wanted:
            return _text(head, start, length) or None
        if tag == _TRANSFER_SYNTAX:
            syntax = _text(head, start, length)
            if syntax in _UNREADABLE_SYNTAXES:
                return None
        elif tag > wanted:
            return None
        at = start + length


def _text(head: bytes, start: int, length: int) -> str:
    return head[start : start + length].decode("ascii").rstrip("\0 ")


def _value(head: bytes, at: int, explicit: bool) -> tuple[int, int]:
    """Where the value of the element at ``at`` starts, and its length in bytes."""
    if not explicit:
        return at + 8, struct.unpack_from("<I", head, at + 4)[0]
    if head[at + 4 : at + 6] in _LONG_VRS:
        return at + 12, struct.unpack_from("<I", head, at + 8)[0]
    return at + 8, struct.unpack_from("<H", head, at + 6)[0]


def _skip_sequence(head: bytes, at: int, explicit: bool) -> int:
    """Find the position after a sequence of undefined length whose items start at ``at``."""
    while True:
        tag = struct.unpack_from("<HH", head, at)
        length = struct.unpack_from("<I", head, at + 4)[0]
        at += 8
        if tag == _SEQUENCE_END:
            return at
        at = _skip_item(head, at, explicit) if length == _UNDEFINED else at + length


def _skip_item(head: bytes, at: int, explicit: bool) -> int:
    while struct.unpack_from("<HH", head, at) != _ITEM_END:
        start, length = _value(head, at, explicit)
        at = _skip_sequence(head, start, explicit) if length == _UNDEFINED else start + length
    return at + 8
