"""What a file may hold: by its name where that is known, else by its first bytes.

This is the one place that decides which files of a folder are images. Content is asked only where
the name is unknown, and no more than a few hundred bytes of it (of DICOM the first elements,
without their values), so that a folder of other things stays quick to search. What a TIFF holds is
found by ``lungscan.reading.kind_of``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from lungscan.inputs.dicom import (
    CT_SLICES,
    DICOM_DIRECTORY,
    WHOLE_SLIDE,
    is_dicom,
    media_class,
)
from lungscan.types import FileKind

SLIDE_SUFFIXES = frozenset(
    {".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".dcm", ".svslide", ".czi"}
)
TIFF_SUFFIXES = frozenset({".tif", ".tiff", ".btf", ".tf2", ".tf8", ".qptiff"})
PLAIN_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".webp"}
)  # never a slide, unless the name lies
FIELD_SUFFIXES = PLAIN_SUFFIXES | TIFF_SUFFIXES

# Copies that another program keeps or has not finished: the picture itself lies beside them.
_COPY_SUFFIXES = frozenset(
    {".bak", ".crdownload", ".download", ".filepart", ".old", ".orig", ".part", ".partial", ".swp",
     ".temp", ".tmp"}
)  # fmt: skip
# TIFFs whose first picture is a thumbnail of the raw data of a camera.
_RAW_SUFFIXES = frozenset(
    {".3fr", ".arw", ".cr2", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mos", ".nef", ".nrw", ".orf",
     ".pef", ".raf", ".rw2", ".sr2", ".srf"}
)  # fmt: skip

_HEAD_BYTES = 256
TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PLAIN_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_CZI_MAGIC = b"ZISRAWFILE"
_BMP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})  # bytes of the header in a BMP

Content = Literal["picture", "tiff", "dicom", "czi"]

UNKNOWN = "not an image format LungScan reads"


def guess(path: Path) -> FileKind | None:
    """Whether a file is a slide, a series or a field; None: nothing that LungScan reads.

    A TIFF counts as a field until it is opened. DICOM that is no whole slide counts as a series:
    opening it says what else it is.
    """
    suffix = path.suffix.lower()
    if suffix == ".dcm":
        return _dicom_kind(path)
    if suffix in SLIDE_SUFFIXES:
        return "slide"
    if suffix in FIELD_SUFFIXES:
        return "field"
    if why_not(path):
        return None
    content = content_of(path)
    if content == "dicom":
        return _dicom_kind(path)
    return "slide" if content == "czi" else "field"


def _dicom_kind(path: Path) -> FileKind:
    return "slide" if media_class(path) in {None, WHOLE_SLIDE} else "series"


def why_not(path: Path) -> str:
    """Why a file found in a folder is no image, in a few words; "" when it may be one."""
    suffix = path.suffix.lower()
    if suffix in SLIDE_SUFFIXES | FIELD_SUFFIXES:
        return ""
    if suffix in _COPY_SUFFIXES or path.name.endswith("~"):
        return "backup or unfinished copy, by its name"
    content = None if suffix in _RAW_SUFFIXES else content_of(path)
    if content == "dicom":
        kind = media_class(path)
        if kind == DICOM_DIRECTORY:
            return "index of a DICOM file set, not an image"
        known = kind == WHOLE_SLIDE or kind in CT_SLICES
        return "" if known else "DICOM, but neither a whole-slide image nor CT slices"
    return "" if content else UNKNOWN


def content_of(path: Path) -> Content | None:
    """What a file's first bytes say that it is; None where they say nothing or cannot be read."""
    try:
        return content_in(first_bytes(path))
    except OSError:
        return None


def first_bytes(path: Path) -> bytes:
    """As many as ``content_in`` needs. Raises OSError where the disk does not hand them out."""
    with path.open("rb", buffering=0) as stream:
        return stream.read(_HEAD_BYTES)


def content_in(head: bytes) -> Content | None:
    """As ``content_of``, of the first bytes of a file, or all of them."""
    if head.startswith(TIFF_MAGIC):
        return "tiff"
    if head.startswith(_PLAIN_MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "picture"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "picture"
    if head.startswith(_CZI_MAGIC):
        return "czi"
    return "dicom" if is_dicom(head) else None
