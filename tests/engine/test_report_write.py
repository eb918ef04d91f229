"""All files of a case and a run, and both again from JSON."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from lungscan.errors import NothingToDo
from lungscan.report.case_json import DamagedRecord, from_json, to_json
from lungscan.report.run_json import read_run_json, summarise
from lungscan.report.write import rebuild, write_case_files, write_run_files
from lungscan.types import CaseResult
from tests.results import (
    failed_result,
    field_result,
    skipped_result,
    slide_result,
    two_file_result,
)

EVERYTHING = {"pdf": True, "heatmap": True, "geojson": True, "tiles_csv": True}
RESULTS = (field_result("b.png"), slide_result(), failed_result(), field_result("a.png"))


def write_run(out: Path, results: Iterable[CaseResult] = RESULTS) -> None:
    results = tuple(results)
    for result in results:
        write_case_files(out / "cases" / result.key, result, **EVERYTHING)
    write_run_files(out, iter(results), summarise(results), pdf=True)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def names(folder: Path) -> set[str]:
    return set(contents(folder))


def test_a_slide_gets_every_file(tmp_path: Path) -> None:
    write_case_files(tmp_path, slide_result(), **EVERYTHING)
    assert names(tmp_path) == {
        "case.json", "tiles.csv", "tiles.geojson", "heatmap.png", "report.pdf",
    }  # fmt: skip
    assert from_json((tmp_path / "case.json").read_bytes()).key == slide_result().key


def test_two_images_get_two_maps(tmp_path: Path) -> None:
    write_case_files(tmp_path, two_file_result(), **EVERYTHING)
    assert {"heatmap.png", "heatmap-2.png", "tiles-2.geojson"} <= names(tmp_path)


def test_a_failed_case_gets_its_record_and_report_only(tmp_path: Path) -> None:
    write_case_files(tmp_path, failed_result(), **EVERYTHING)
    assert names(tmp_path) == {"case.json", "report.pdf"}


def test_files_not_asked_for_are_not_written(tmp_path: Path) -> None:
    write_case_files(
        tmp_path, slide_result(), pdf=False, heatmap=False, geojson=False, tiles_csv=False
    )
    assert names(tmp_path) == {"case.json"}


def test_the_run_files_are_written_in_one_pass(tmp_path: Path) -> None:
    write_run_files(tmp_path, iter(RESULTS), summarise(RESULTS), pdf=True)
    assert names(tmp_path) == {"cases.csv", "run.json", "summary.pdf"}
    with (tmp_path / "cases.csv").open(encoding="utf-8", newline="") as file:
        assert [row["case_id"] for row in csv.DictReader(file)] == [r.case_id for r in RESULTS]


def test_no_summary_when_it_is_not_wanted(tmp_path: Path) -> None:
    write_run_files(tmp_path, RESULTS, summarise(RESULTS), pdf=False)
    assert names(tmp_path) == {"cases.csv", "run.json"}


def test_everything_can_be_rebuilt_from_the_records_byte_for_byte(tmp_path: Path) -> None:
    write_run(tmp_path)
    before = contents(tmp_path)
    for name in before:
        if not name.endswith(".json"):
            (tmp_path / name).unlink()
    assert rebuild(tmp_path) == len(RESULTS)
    assert contents(tmp_path) == before


def test_a_stopped_run_is_summarised_from_its_cases(tmp_path: Path) -> None:
    write_run(tmp_path)
    (tmp_path / "run.json").unlink()
    assert rebuild(tmp_path) == len(RESULTS)
    assert (tmp_path / "run.json").exists()


def test_cases_that_the_run_does_not_name_are_counted(tmp_path: Path) -> None:
    write_run(tmp_path)
    late = skipped_result()
    write_case_files(tmp_path / "cases" / late.key, late, **EVERYTHING)
    assert rebuild(tmp_path) == len(RESULTS) + 1
    assert b'"skipped":1' in (tmp_path / "run.json").read_bytes()


def test_a_large_run_of_fields_keeps_to_its_records(tmp_path: Path) -> None:
    fields = [field_result(f"f{index}.png") for index in range(14)]
    for result in fields:
        write_case_files(
            tmp_path / "cases" / result.key, result,
            pdf=False, heatmap=False, geojson=False, tiles_csv=False,
        )  # fmt: skip
    chosen = tmp_path / "cases" / fields[3].key
    write_case_files(chosen, fields[3], **EVERYTHING)
    assert rebuild(tmp_path) == 14
    assert len(list(tmp_path.glob("cases/*/report.pdf"))) == 1
    assert (chosen / "heatmap.png").exists()


def test_a_damaged_record_is_named_and_harms_no_other(tmp_path: Path) -> None:
    write_run(tmp_path)
    damaged = tmp_path / "cases" / slide_result().key / "case.json"
    damaged.write_bytes(damaged.read_bytes()[:5000])
    (tmp_path / "cases.csv").unlink()
    with pytest.raises(DamagedRecord, match=f"3 of 4 cases were rebuilt.*{slide_result().key}"):
        rebuild(tmp_path)
    with (tmp_path / "cases.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 3


def test_only_damaged_records(tmp_path: Path) -> None:
    folder = tmp_path / "cases" / "x"
    folder.mkdir(parents=True)
    (folder / "case.json").write_bytes(b"{")
    with pytest.raises(DamagedRecord):
        rebuild(tmp_path)


def test_a_forged_key_cannot_write_outside_its_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_run(out)
    forged = replace(slide_result(), key="../../../escaped")
    (out / "cases" / slide_result().key / "case.json").write_bytes(to_json(forged))
    with pytest.raises(DamagedRecord, match="belongs to"):
        rebuild(out)
    assert not (tmp_path / "escaped").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_empty_folder_is_nothing_to_do(tmp_path: Path) -> None:
    with pytest.raises(NothingToDo):
        rebuild(tmp_path)


def test_a_damaged_run_json_is_made_again_from_the_cases(tmp_path: Path) -> None:
    write_run(tmp_path)
    table = (tmp_path / "cases.csv").read_text(encoding="utf-8").splitlines()
    (tmp_path / "run.json").write_bytes(b'{"schema_version": 1, "mod')
    assert rebuild(tmp_path) == len(RESULTS)
    assert read_run_json((tmp_path / "run.json").read_bytes()).cases == len(RESULTS)
    again = (tmp_path / "cases.csv").read_text(encoding="utf-8").splitlines()
    assert sorted(again) == sorted(table)
