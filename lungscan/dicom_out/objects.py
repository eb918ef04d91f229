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
from lungscan.layout import DICOM_MAP, DICOM_REPORT, numbered
from lungscan.results.atomic_files import write_atomic
from lungscan.results.checksums import sealed
from lungscan.types import CaseInput, CaseResult

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
        Sentences about what could not be made. The answer stands all the same.

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

    by_path = {file.relative_path: read_sources(file) for file in case.files}
    sources = [part for parts in by_path.values() for part in parts]
    if len({(part.StudyInstanceUID, part.PatientID) for part in sources}) > 1:
        raise UnreadableFile(
            "its images belong to several studies or patients, and a report belongs to one."
        )
    files = {DICOM_REPORT: _as_bytes(structured_report(result, sources, digest))}
    problems = []
    for index, file in enumerate(result.files):
        if file.kind != "slide":
            continue
        try:
            shown = class_segmentation(result, index, by_path[file.relative_path][0], digest)
        except UnreadableFile as error:
            problems.append(f"No DICOM map was made of {case.case_id}: {error}")
        else:
            if shown is not None:
                files[numbered(DICOM_MAP, index)] = _as_bytes(shown)
    return DicomFiles(files, tuple(problems))


def _as_bytes(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
