"""What is taken over from the images that an answer rests on: an explicit list, nothing else.

A DICOM header may hold names anywhere: in descriptions, comments, private elements, nested
sequences. The objects made here get a patient's and a study's identity because they belong into
that study, the geometry because a map must lie on its slide, and nothing that is not listed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from lungscan.errors import CaseError, MachineError, UnreadableFile, UsageProblem
from lungscan.inputs.dicom import is_dicom
from lungscan.types import CaseInput, InputFile

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# Of the Patient and General Study modules; what is missing is written empty, as type 2 allows.
PATIENT_AND_STUDY = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate",
    "StudyTime", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
_IDENTITY = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_GEOMETRY = (
    "FrameOfReferenceUID", "PositionReferenceIndicator", "Modality",
    "ImageType", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated",
    "PhotometricInterpretation", "PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient",
    "SliceThickness", "ImageOrientationSlide", "TotalPixelMatrixColumns", "TotalPixelMatrixRows",
    "TotalPixelMatrixFocalPlanes", "NumberOfOpticalPaths", "DimensionOrganizationType",
    "ImagedVolumeWidth", "ImagedVolumeHeight", "ImagedVolumeDepth", "ContainerIdentifier",
)  # fmt: skip
# What is taken of the items of sequences.
_NESTED = {
    "TotalPixelMatrixOriginSequence": (
        "XOffsetInSlideCoordinateSystem", "YOffsetInSlideCoordinateSystem",
        "ZOffsetInSlideCoordinateSystem",
    ),
    "SharedFunctionalGroupsSequence": ("PixelMeasuresSequence",),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "SpecimenDescriptionSequence": ("SpecimenIdentifier", "SpecimenUID"),
    "OpticalPathSequence": ("OpticalPathIdentifier",),
}  # fmt: skip
_EMPTY_SEQUENCES = (  # of the Specimen module, type 2: they must be there
    "IssuerOfTheContainerIdentifierSequence", "ContainerTypeCodeSequence",
    "IssuerOfTheSpecimenIdentifierSequence", "SpecimenPreparationSequence",
)  # fmt: skip
_DATE, _TIME = re.compile(r"(\d{8})?"), re.compile(r"(([01]\d|2[0-3])([0-5]\d){0,2}(\.\d{1,6})?)?")
_FORMS = {
    "PatientBirthDate": _DATE, "StudyDate": _DATE, "StudyTime": _TIME,
    "PatientSex": re.compile("[MFO]?"),
}  # fmt: skip
_LARGEST_VALUE = 1 << 20  # bytes; longer ones, the pixels before all, are left in the file


def require_libraries() -> None:
    """Raises MachineError when the extra is not installed."""
    missing = [name for name in ("pydicom", "highdicom") if find_spec(name) is None]
    if missing:
        raise MachineError(
            f"--dicom-sr needs {' and '.join(missing)}, which cannot be loaded here. Install with "
            '`python -m pip install "lungscan-histology[dicom]"`, or leave --dicom-sr out.'
        )


def require_sources(cases: Sequence[CaseInput]) -> None:
    """Raises UsageProblem when there are cases, and none has a DICOM source."""
    if cases and not any(all(map(has_source, case.files)) for case in cases):
        raise UsageProblem(
            "--dicom-sr has nothing to refer to: none of the images is DICOM, and a structured "
            "report belongs to a patient, a study and the images that it is about. Leave it out, "
            "or classify the DICOM files that the images were exported from."
        )


def sourceless(cases: Sequence[CaseInput]) -> tuple[str, ...]:
    """A sentence about cases of which no object can be made, if there are any."""
    without = [case.case_id for case in cases if not all(map(has_source, case.files))]
    if not without:
        return ()
    count = f"{len(without)} case" + "s" * (len(without) > 1)
    return (f"No DICOM report is made of {count} without a DICOM source, such as {without[0]}.",)


def has_source(file: InputFile) -> bool:
    """Whether every part of an image is a DICOM file, by its content."""
    return all(map(_is_dicom, file.parts or (file.path,)))


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return is_dicom(stream.read(132))
    except OSError:
        return False


def read_sources(file: InputFile) -> tuple[Dataset, ...]:
    """The headers of an image's parts, reduced by ``reduced``; the largest pixel matrix first.

    Raises:
        UnreadableFile: a part cannot be read, or does not say what it is and where it belongs.
    """
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError
    from pydicom.filereader import read_file_meta_info
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    found = []
    for path in file.parts or (file.path,):
        try:
            if read_file_meta_info(path).get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
                raise UnreadableFile(f"{path.name} is compressed as a whole, so it is not opened.")
            header = dcmread(path, stop_before_pixels=True, defer_size=_LARGEST_VALUE)
            found.append(reduced(header))
        except CaseError:
            raise
        # Whatever pydicom meets in a damaged header: it raises a dozen kinds.
        except (
            InvalidDicomError,
            OSError,
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            NotImplementedError,
            EOFError,
            RecursionError,
        ) as error:
            raise UnreadableFile(
                f"The header of {path.name} cannot be read ({type(error).__name__})."
            ) from error  # fmt: skip
    return tuple(sorted(found, key=_matrix_pixels, reverse=True))


def reduced(header: Dataset) -> Dataset:
    """A copy with the listed attributes only; those of type 2 that are missing stand empty.

    Raises:
        UnreadableFile: it lacks an identity, so nothing can refer to it.
    """
    copy = _picked(header, (*_IDENTITY, *PATIENT_AND_STUDY, *_GEOMETRY))
    copy.SpecificCharacterSet = "ISO_IR 192"  # UTF-8: names of classes and units are ours
    lacking = [name for name in _IDENTITY if not copy.get(name)]
    if lacking:
        raise UnreadableFile(f"A DICOM header lacks {', '.join(lacking)}: nothing can refer to it.")
    for name in PATIENT_AND_STUDY:
        if name not in copy or not _is_allowed(name, copy.get(name)):
            setattr(copy, name, "")
    for name in _NESTED:
        if name in header and name != "PixelMeasuresSequence":
            setattr(copy, name, _items(header, name))
    if "ContainerIdentifier" in copy:
        _complete_specimen(copy)
    return copy


def _is_allowed(name: str, value: object) -> bool:
    """Whether a date, a time or a sex is one; whatever else a hospital wrote is taken over."""
    form = _FORMS.get(name)
    return form is None or form.fullmatch(str(value or "")) is not None


def _picked(item: Dataset, names: Iterable[str]) -> Dataset:
    from pydicom.dataset import Dataset

    copy = Dataset()
    for name in names:
        if name in item:
            value = _items(item, name) if name in _NESTED else item.get(name)
            # As text: a person's name remembers the encoding of the header it came from.
            setattr(copy, name, str(value) if item[name].VR == "PN" else value)
    return copy


def _items(item: Dataset, name: str) -> list[Dataset]:
    return [_picked(part, _NESTED[name]) for part in item.get(name) or ()]


def _complete_specimen(copy: Dataset) -> None:
    """Write empty what a specimen must have and may not tell here."""
    for name in _EMPTY_SEQUENCES[:2]:
        setattr(copy, name, [])
    for specimen in copy.get("SpecimenDescriptionSequence") or ():
        for name in _EMPTY_SEQUENCES[2:]:
            setattr(specimen, name, [])


def _matrix_pixels(header: Dataset) -> int:
    columns, rows = header.get("TotalPixelMatrixColumns"), header.get("TotalPixelMatrixRows")
    return int(columns or 0) * int(rows or 0)
