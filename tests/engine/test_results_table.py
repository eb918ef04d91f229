"""`lungscan.read_results`: the table of a run with types, and what is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from lungscan import read_results
from lungscan.errors import NothingToDo
from lungscan.report.cases_csv import columns, write_cases_csv
from lungscan.results.case_json import DamagedRecord
from lungscan.types import CaseResult, NoResult
from tests.results import (
    CLASS_NAMES,
    failed_result,
    field_result,
    no_result,
    skipped_result,
    slide_result,
)

ODD = ("NA", "null", "None", "nan", "007", "1e5", "True", 'a "quoted", name', "ein\nBruch", "日本")


def table_of(out: Path, *results: CaseResult) -> pd.DataFrame:
    out.mkdir(exist_ok=True)
    write_cases_csv(out / "cases.csv", results, CLASS_NAMES)
    return read_results(out)


def test_numbers_counts_and_texts_have_their_types(tmp_path: Path) -> None:
    slide, refused = slide_result(), no_result(NoResult.BLURRED)
    found = table_of(tmp_path / "r", slide, field_result(), refused, failed_result())
    assert tuple(found.columns) == columns(CLASS_NAMES)
    numbers = ["confidence", "tissue_mm2", "mpp_um", "seconds"]
    numbers += [f"{kind}_{name}" for kind in ("prob", "area_mm2") for name in CLASS_NAMES]
    counts = ["tiles", "tiles_used", "width", "height", "schema_version"]
    assert {str(found[name].dtype) for name in numbers} == {"float64"}
    assert {str(found[name].dtype) for name in counts} == {"Int64"}
    rest = [name for name in found.columns if name not in numbers + counts]
    assert all(isinstance(found[name].dtype, pd.StringDtype) for name in rest)
    first = found.iloc[0]
    assert slide.prediction is not None
    assert (first["label"], first["status"]) == (slide.prediction.label, "ok")
    assert first["confidence"] == pytest.approx(slide.prediction.confidence, abs=1e-6)
    assert (first["width"], first["tiles"]) == (slide.files[0].info.width, slide.counts.total)


def test_what_is_missing_is_missing_and_what_is_empty_is_empty(tmp_path: Path) -> None:
    field, refused, failed, skipped = (
        table_of(
            tmp_path / "r", field_result(), no_result(NoResult.BLURRED), failed_result(),
            skipped_result(),
        ).iloc[row]
        for row in range(4)
    )  # fmt: skip
    for row in (refused, failed, skipped):
        assert row["label"] is pd.NA
        assert pd.isna(row["confidence"])
    assert pd.isna(field["tissue_mm2"])  # without a scale
    assert pd.isna(field["mpp_um"])
    assert field["mpp_source"] == "unknown"
    assert failed["mpp_source"] is pd.NA
    assert failed["width"] is pd.NA
    assert failed["tiles"] == 0
    assert (field["error_code"], field["error_message"]) == ("", "")
    assert failed["error_code"] == "E_OPEN"
    assert failed["flags"] == ""


def test_names_that_look_like_numbers_or_like_nothing_stay_names(tmp_path: Path) -> None:
    cases = [replace(field_result(), case_id=name, relative_paths=(name,)) for name in ODD]
    found = table_of(tmp_path / "r", *cases)
    wanted = [name.replace("\n", "\\n") for name in ODD]  # one line each, as in the file
    assert found["case_id"].tolist() == wanted
    assert found["relative_path"].tolist() == wanted
    assert not found["case_id"].isna().any()


def test_a_run_without_cases_and_columns_of_later_versions(tmp_path: Path) -> None:
    assert len(table_of(tmp_path / "r")) == 0
    path = tmp_path / "r" / "cases.csv"
    write_cases_csv(path, [field_result()], CLASS_NAMES)
    head, row = path.read_text(encoding="utf-8").splitlines()
    path.write_text(f"{head},ward\n{row},NA\n", encoding="utf-8")
    assert read_results(str(tmp_path / "r"))["ward"].tolist() == ["NA"]


def test_no_table_and_a_damaged_one_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NothingToDo, match="the folder that a finished run wrote"):
        read_results(tmp_path)
    table_of(tmp_path, field_result())
    path = tmp_path / "cases.csv"
    whole = path.read_text(encoding="utf-8")
    damages: tuple[str | bytes, ...] = (
        "", "a,b\n1,2\n", whole.replace(",1,1,", ",one,1,"), whole + '"open', b"\xff\xfe\x00",
    )  # fmt: skip
    for damage in damages:
        path.write_bytes(damage if isinstance(damage, bytes) else damage.encode())
        with pytest.raises(DamagedRecord, match="lungscan report"):
            read_results(tmp_path)
