"""What a DICOM report says it tracks: one thing for one case and model, and no other's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("pydicom", reason="the extra 'dicom' is not installed")
pytest.importorskip("highdicom", reason="the extra 'dicom' is not installed")

import pydicom
from pydicom.uid import generate_uid

from lungscan.dicom_out.source_headers import read_sources
from lungscan.dicom_out.structured_report import structured_report
from lungscan.inputs import discover
from lungscan.types import CaseInput, CaseResult
from tests.dicom_sources import write_series
from tests.engine.test_dicom_out import items
from tests.results import slide_result


def series(folder: Path) -> CaseInput:
    """The series of one patient, in a folder that each patient has."""
    study, number = generate_uid(), generate_uid()
    write_series(folder / "CT", 2)
    for path in (folder / "CT").iterdir():
        header = pydicom.dcmread(path)
        header.StudyInstanceUID, header.SeriesInstanceUID = study, number
        header.save_as(path, enforce_file_format=True)
    (case,) = discover((folder / "CT",)).cases
    return case


def tracked(case: CaseInput, **other: object) -> list[str]:
    """All Tracking Unique Identifiers of the case's report: the answer's, then the classes'."""
    result: CaseResult = replace(slide_result(), key=case.key, case_id=case.case_id)
    result = replace(result, model=replace(result.model, **other))  # type: ignore[arg-type]
    report = structured_report(result, read_sources(case.files[0]), "0" * 64)
    return [str(item.UID) for item in items(report, "Tracking Unique Identifier")]


def test_two_patients_in_folders_of_one_name_share_no_identifier(tmp_path: Path) -> None:
    first, second = series(tmp_path / "patient-a"), series(tmp_path / "patient-b")
    assert first.key == second.key
    one, other = tracked(first), tracked(second)
    assert len({*one, *other}) == len(one) + len(other) == 8
    assert tracked(first) == one  # a repeated export tracks the same


def test_the_name_of_the_folder_changes_nothing_and_the_model_everything(tmp_path: Path) -> None:
    case = series(tmp_path)
    one = tracked(case)
    (tmp_path / "CT").rename(tmp_path / "renamed")
    (renamed,) = discover((tmp_path / "renamed",)).cases
    assert renamed.key != case.key
    assert tracked(renamed) == one
    assert not set(tracked(renamed, sha256="a" * 64)) & set(one)
