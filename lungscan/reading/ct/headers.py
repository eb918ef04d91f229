"""What the header of a DICOM file says of its slices; never a patient's or a study's field.

Only the elements of ``_WANTED`` are read at all, so nothing else can get into a message or a
result. Their meaning: DICOM PS3.3, C.7.6.2 (image plane), C.8.2.1 (CT image), C.7.6.16 (functional
groups of multi-frame files).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from lungscan.errors import Code, UnreadableFile
from lungscan.inputs import require_regular, show
from lungscan.inputs.dicom import CT_SLICES, DEFLATED
from lungscan.inputs.files import open_failure

MAX_SIDE_PX = 4096  # rows and columns; scanners write 512, some 1,024
MAX_SLICES = 10_000

_WANTED = (
    *("SOPClassUID", "SOPInstanceUID", "Modality", "ImageType", "InstanceNumber"),
    *("Rows", "Columns", "SamplesPerPixel", "NumberOfFrames", "PhotometricInterpretation"),
    *("BitsStored", "PixelRepresentation", "PixelPaddingValue", "PixelSpacing"),
    *("ImagePositionPatient", "ImageOrientationPatient", "RescaleSlope", "RescaleIntercept"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    "EncryptedAttributesSequence",
)
_PIXELS = b"\xe0\x7f\x10\x00"  # the tag of Pixel Data, little endian
_VIDEO = "1.2.840.10008.1.2.4.10"  # MPEG2, MPEG-4 and HEVC all begin so, with one digit more
# Of DICOM PS3.3, C.7.3.1.1.1; anything else that stands there is not shown.
_MODALITIES = frozenset(
    {"CR", "CT", "DX", "ECG", "ES", "IO", "KO", "MG", "MR", "NM", "OP", "OT", "PR", "PT", "PX",
     "RF", "RTDOSE", "RTIMAGE", "RTPLAN", "RTSTRUCT", "SC", "SEG", "SM", "SR", "US", "XA", "XC"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice of a series: a file, or a frame of one."""

    path: Path
    frame: int | None  # of a file that holds several
    uid: str  # tells copies apart; stays in memory
    number: int  # as the scanner counted
    rows: int
    columns: int
    position_mm: tuple[float, ...] | None  # (x, y, z) of the first pixel's centre, patient's frame
    orientation: tuple[float, ...] | None  # direction of rows (3), then of columns (3)
    spacing_mm: tuple[float, float] | None  # between rows, between columns
    slope: float
    intercept: float
    localizer: bool
    inverted: bool  # MONOCHROME1: to be shown with the lowest value brightest
    mirror: int  # lowest plus highest value that the pixels can have
    deflated: bool  # the file is packed whole
    padding: int | None  # the value of pixels that were never scanned


def read_slices(path: Path) -> list[Slice]:
    """The slices that a file holds.

    Raises:
        UnreadableFile: no DICOM, damaged (E_FORMAT), of another modality (E_MODALITY), without
            pixels, with video or encrypted (E_UNSUPPORTED), or too large (E_TOO_LARGE).
    """
    require_regular(path)
    try:
        with path.open("rb") as stream:
            header, has_pixels = _header(stream, path)
    except OSError as error:
        raise open_failure(path.name, error) from error
    try:
        _require_slices(header, path, has_pixels=has_pixels)
        return list(_slices(header, path))
    except UnreadableFile:
        raise
    except Exception as error:  # values of the wrong kind, sequences without items: a dozen kinds
        raise _damaged(path) from error


def _header(stream: BinaryIO, path: Path) -> tuple[Any, bool]:
    """The wanted elements, and whether pixels follow them."""
    try:
        import pydicom
    except ImportError as error:
        raise UnreadableFile(
            "Reading CT slices in DICOM needs pydicom, which is not installed here: it comes with "
            'the extra dicom (`python -m pip install "lungscan-histology[dicom]"`).',
            code=Code.UNSUPPORTED,
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of values that break a rule and do no harm
            header = pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=[*_WANTED])
            return header, _pixels_follow(stream, header)
    except OSError:
        raise
    except Exception as error:  # what a damaged file makes of pydicom has no common kind
        raise _damaged(path) from error


def _pixels_follow(stream: BinaryIO, header: Any) -> bool:
    """Whether Pixel Data comes next; of a deflated file it is known once it is decoded."""
    tag = stream.read(4)
    return tag in (_PIXELS, _PIXELS[1::-1] + _PIXELS[:1:-1]) or _is_deflated(header)


def _is_deflated(header: Any) -> bool:
    return str(header.file_meta.get("TransferSyntaxUID", "")) == DEFLATED


def _require_slices(header: Any, path: Path, *, has_pixels: bool) -> None:
    """Refuse what holds no slices of CT.

    Raises:
        UnreadableFile: see ``read_slices``.
    """
    name = show(path.name)
    if "EncryptedAttributesSequence" in header:
        raise UnreadableFile(
            f"Parts of {name} are encrypted, so what it shows cannot be known. Export it without "
            "encryption.",
            code=Code.UNSUPPORTED,
        )
    if str(header.file_meta.get("TransferSyntaxUID", "")).startswith(_VIDEO):
        raise UnreadableFile(
            f"{name} holds a video, and no slices. Export the CT series itself.",
            code=Code.UNSUPPORTED,
        )
    modality = str(header.get("Modality", ""))
    if str(header.get("SOPClassUID", "")) not in CT_SLICES:
        kind = f" ({modality})" if modality in _MODALITIES else ""
        raise UnreadableFile(
            f"{name} is DICOM of another kind{kind}: neither CT slices nor a whole-slide image. "
            "Choose the series of CT slices.",
            code=Code.MODALITY,
        )
    if not has_pixels:
        raise UnreadableFile(
            f"{name} holds no pixels: it was cut short, or exported without its picture. Copy or "
            "export it again.",
            code=Code.FORMAT,
        )
    rows, columns, frames = _size(header)
    if not (0 < rows <= MAX_SIDE_PX and 0 < columns <= MAX_SIDE_PX and 0 < frames <= MAX_SLICES):
        raise UnreadableFile(
            f"{name} claims {frames:,} slices of {columns:,} × {rows:,} px, which no CT has; it "
            "was not read. Copy or export it again.",
            code=Code.TOO_LARGE,
        )
    if int(header.get("SamplesPerPixel", 1)) != 1:
        raise UnreadableFile(
            f"{name} holds a picture in colour, and CT slices have none. Choose the original "
            "series.",
            code=Code.UNSUPPORTED,
        )


def _size(header: Any) -> tuple[int, int, int]:
    return int(header.Rows), int(header.Columns), int(header.get("NumberOfFrames") or 1)


def _slices(header: Any, path: Path) -> Iterator[Slice]:
    rows, columns, frames = _size(header)
    shared = _first(header, "SharedFunctionalGroupsSequence")
    each = header.get("PerFrameFunctionalGroupsSequence") or []
    bits, signed = int(header.get("BitsStored", 16)), int(header.get("PixelRepresentation", 0))
    padding = header.get("PixelPaddingValue")
    for frame in range(frames):
        groups = [header]  # the innermost that says something counts
        groups += [shared] if shared is not None else []
        groups += [each[frame]] if frame < len(each) else []
        value = _Values(groups)
        spacing = value.numbers("PixelMeasuresSequence", "PixelSpacing", 2)
        yield Slice(
            path=path,
            frame=frame if frames > 1 else None,
            uid=f"{header.get('SOPInstanceUID', '')} {frame}",
            number=int(header.get("InstanceNumber") or 0) + frame,
            rows=rows,
            columns=columns,
            position_mm=value.numbers("PlanePositionSequence", "ImagePositionPatient", 3),
            orientation=value.numbers("PlaneOrientationSequence", "ImageOrientationPatient", 6),
            spacing_mm=(spacing[0], spacing[1]) if spacing and min(spacing) > 0 else None,
            slope=value.number("PixelValueTransformationSequence", "RescaleSlope", 1.0),
            intercept=value.number("PixelValueTransformationSequence", "RescaleIntercept", 0.0),
            localizer="LOCALIZER" in (header.get("ImageType") or ()),
            inverted=header.get("PhotometricInterpretation") == "MONOCHROME1",
            mirror=-1 if signed else (1 << bits) - 1,
            deflated=_is_deflated(header),
            padding=int(padding) if isinstance(padding, int) else None,
        )


@dataclass(frozen=True, slots=True)
class _Values:
    """Elements of a frame, wherever a file says them."""

    groups: list[Any]

    def numbers(self, sequence: str, name: str, count: int) -> tuple[float, ...] | None:
        """A vector; None where nobody says it, or not as numbers."""
        found = self._last(sequence, name)
        values = tuple(float(value) for value in found) if found is not None else ()
        sound = len(values) == count and all(abs(value) < 1e6 for value in values)
        return values if sound else None

    def number(self, sequence: str, name: str, default: float) -> float:
        """A number."""
        found = self._last(sequence, name)
        return default if found is None else float(found)

    def _last(self, sequence: str, name: str) -> Any:
        for group in reversed(self.groups):
            inner = _first(group, sequence)
            for place in (inner, group):
                if place is not None and place.get(name) is not None:
                    return place.get(name)
        return None


def _first(group: Any, name: str) -> Any:
    items = group.get(name)
    return items[0] if items else None


def _damaged(path: Path) -> UnreadableFile:
    return UnreadableFile(
        f"{show(path.name)} is no DICOM file that can be read: it is damaged, cut short or "
        "encrypted. Copy or export it again.",
        code=Code.FORMAT,
    )
