"""The DICOM files of a case: ``report.dcm``, and of each slide ``classes.dcm``."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from lungscan.dicom_out.source_headers import has_source, read_sources
from lungscan.errors import CaseError, UnreadableFile
from lungscan.inputs import sha256_of
from lungscan.layout import DICOM_MAP, DICOM_REPORT, numbered
from lungscan.results.atomic_files import write_atomic
from lungscan.results.checksums import sealed
from lungscan.types import CaseInput, CaseResult, CaseStatus

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


@dataclass(frozen=True, slots=True)
class DicomFiles:
    """What was made of a case."""

    files: dict[str, bytes]  # by name
    problems: tuple[str, ...]  # sentences about what could not be made


_ONE_AT_A_TIME = Lock()  # warnings are switched off for the whole process


def write_dicom(folder: Path, result: CaseResult, case: CaseInput, digest: str) -> tuple[str, ...]:
    """Write a case's DICOM files; nothing where an image has no DICOM source.

    Args:
        folder: of the case.
        digest: SHA-256 of its ``case.json``.

    Returns:
        Sentences about what could not be made. The answer stands all the same; of a case that
        failed its row says enough.

    Raises:
        MachineError: a file cannot be written.
    """
    if not all(map(has_source, case.files)):
        return ()
    try:
        made = dicom_files(result, case, digest)
    except MemoryError:
        raise
    except CaseError as error:
        if result.status is CaseStatus.FAILED:
            return ()
        return (f"No DICOM report was made of {case.case_id}: {error}",)
    except Exception as error:  # noqa: BLE001  the libraries raise many kinds over odd headers
        return (
            f"No DICOM report was made of {case.case_id}: its images' headers hold what the "
            f"standard does not allow ({type(error).__name__}).",
        )
    with sealed(folder) as written:
        for name, data in made.files.items():
            write_atomic(folder / name, data, durable=False)
            written[name] = None
    return made.problems


def dicom_files(result: CaseResult, case: CaseInput, digest: str) -> DicomFiles:
    """The DICOM files of a case. A map that cannot be made costs only itself.

    Raises:
        UnreadableFile: a source cannot be read, or the sources are of several studies.
    """
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names without "^" and the like, which are not ours
        return _made(result, case, digest)


def _made(result: CaseResult, case: CaseInput, digest: str) -> DicomFiles:
    from lungscan.dicom_out.class_map import class_segmentation
    from lungscan.dicom_out.structured_report import structured_report

    read = [read_sources(file) for file in case.files]
    sources = [part for parts in read for part in parts]
    if len({(part.StudyInstanceUID, part.PatientID) for part in sources}) > 1:
        raise UnreadableFile(
            "its images belong to several studies or patients, and a report belongs to one."
        )
    places = _places(result, case)
    # Where some files could not be read the answer rests on the others alone.
    judged = [part for place in places for part in read[place]] or sources
    files = {DICOM_REPORT: _as_bytes(structured_report(result, judged, digest))}
    problems = []
    for index, (file, place) in enumerate(zip(result.files, places, strict=True)):
        if file.kind != "slide":
            continue
        try:
            shown = class_segmentation(result, index, read[place][0], digest)
        except UnreadableFile as error:
            problems.append(f"No DICOM map was made of {case.case_id}: {error}")
        else:
            if shown is not None:
                files[numbered(DICOM_MAP, index)] = _as_bytes(shown)
    return DicomFiles(files, tuple(problems))


def _places(result: CaseResult, case: CaseInput) -> list[int]:
    """Which of the case's files each file of the result is.

    Several may have an equal path: then their order counts, or, where some file of the case could
    not be read, their content. Raises UnreadableFile when none of them is the file of the result.
    """
    named: dict[str, list[int]] = {}
    for place, file in enumerate(case.files):
        named.setdefault(file.relative_path, []).append(place)
    places, complete = [], len(result.files) == len(case.files)
    for read in result.files:
        same = named[read.relative_path]
        if len(same) > 1 and not complete:
            fits = [place for place in same if sha256_of(case.files[place]) == read.sha256]
        else:
            fits = same[:1]
        if not fits:
            raise UnreadableFile(
                f"several of its files are called {read.relative_path}, and none holds what was "
                "classified. Classify it again."
            )
        places.append(fits[0])
        same.remove(fits[0])
    return places


def _as_bytes(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
