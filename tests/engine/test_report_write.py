"""All files of a case and a run, and both again from JSON."""

from __future__ import annotations

import csv
import errno
import shutil
import subprocess
import time
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from lungscan.errors import MachineError, NothingToDo
from lungscan.layout import LIST
from lungscan.options import PdfChoice
from lungscan.report.write import rebuild, write_case_files, write_run_files
from lungscan.results.case_json import DamagedRecord, from_json, to_json
from lungscan.results.checksums import dump_sums, load_sums, read_sums, unseal
from lungscan.results.run_json import read_run_json, summarise
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
        wanted = {name: bool(result.files) for name in EVERYTHING}  # as a run wants them
        write_case_files(out / "cases" / result.key, result, **wanted)
    write_run_files(out, iter(results), summarise(results), pdf=True)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def names(folder: Path) -> set[str]:
    return set(contents(folder))


def test_a_slide_gets_every_file(tmp_path: Path) -> None:
    write_case_files(tmp_path, slide_result(), **EVERYTHING)
    assert names(tmp_path) == {
        "case.json", "tiles.csv", "tiles.geojson", "heatmap.png", "report.pdf", LIST,
    }  # fmt: skip
    assert from_json((tmp_path / "case.json").read_bytes()).key == slide_result().key


def test_two_images_get_two_maps(tmp_path: Path) -> None:
    write_case_files(tmp_path, two_file_result(), **EVERYTHING)
    assert {"heatmap.png", "heatmap-2.png", "tiles-2.geojson"} <= names(tmp_path)


def test_a_heat_map_that_fails_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise ZeroDivisionError("in the map")

    monkeypatch.setattr("lungscan.report.write.render_heatmap", fail)
    with pytest.raises(ZeroDivisionError, match="in the map"):
        write_case_files(tmp_path, slide_result(), **EVERYTHING)


def test_no_heat_map_is_drawn_after_the_report_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []

    def draw(_: object, index: int) -> bytes:
        drawn.append(index)
        time.sleep(0.1)
        return b""

    def fail(*_: object) -> None:
        raise MachineError("the disk is full")

    monkeypatch.setattr("lungscan.report.write.render_heatmap", draw)
    monkeypatch.setattr("lungscan.report.write.write_case_pdf", fail)
    many = two_file_result()
    many = replace(many, files=many.files * 5, scores=many.scores * 5)
    monkeypatch.setattr("lungscan.report.write.has_heatmap", lambda *_: True)
    with pytest.raises(MachineError):
        write_case_files(tmp_path, many, **(EVERYTHING | {"geojson": False}))
    assert len(drawn) < len(many.files)


def test_a_failed_case_gets_its_record_and_report_only(tmp_path: Path) -> None:
    write_case_files(tmp_path, failed_result(), **EVERYTHING)
    assert names(tmp_path) == {"case.json", "report.pdf", LIST}


def test_files_not_asked_for_are_not_written(tmp_path: Path) -> None:
    nothing = dict.fromkeys(EVERYTHING, False)
    digest = write_case_files(tmp_path, slide_result(), **nothing).sha256
    assert names(tmp_path) == {"case.json"}  # the list of the run names it
    assert digest == sha256((tmp_path / "case.json").read_bytes()).hexdigest()


def test_the_run_files_are_written_in_one_pass(tmp_path: Path) -> None:
    write_run_files(tmp_path, iter(RESULTS), summarise(RESULTS), pdf=True)
    assert names(tmp_path) == {"cases.csv", "run.json", "summary.pdf", LIST}
    with (tmp_path / "cases.csv").open(encoding="utf-8", newline="") as file:
        assert [row["case_id"] for row in csv.DictReader(file)] == [r.case_id for r in RESULTS]


def test_no_summary_when_it_is_not_wanted(tmp_path: Path) -> None:
    write_run_files(tmp_path, RESULTS, summarise(RESULTS), pdf=False)
    assert names(tmp_path) == {"cases.csv", "run.json", LIST}


def test_everything_can_be_rebuilt_from_the_records_byte_for_byte(tmp_path: Path) -> None:
    write_run(tmp_path)
    before = contents(tmp_path)
    for name in before:
        if not name.endswith((".json", LIST)):
            (tmp_path / name).unlink()
    assert rebuild(tmp_path).cases == len(RESULTS)
    assert contents(tmp_path) == before


def test_a_stopped_run_is_summarised_from_its_cases(tmp_path: Path) -> None:
    write_run(tmp_path)
    (tmp_path / "run.json").unlink()
    assert rebuild(tmp_path).cases == len(RESULTS)
    assert (tmp_path / "run.json").exists()


def test_cases_of_a_stopped_run_are_counted(tmp_path: Path) -> None:
    write_run(tmp_path)
    unseal(tmp_path)  # as a later run did that was stopped
    late = skipped_result()
    write_case_files(tmp_path / "cases" / late.key, late, **EVERYTHING)
    assert rebuild(tmp_path).cases == len(RESULTS) + 1
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
    assert rebuild(tmp_path).cases == 14
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
    assert rebuild(tmp_path).cases == len(RESULTS)
    assert read_run_json((tmp_path / "run.json").read_bytes()).cases == len(RESULTS)
    again = (tmp_path / "cases.csv").read_text(encoding="utf-8").splitlines()
    assert sorted(again) == sorted(table)


def test_a_changed_record_is_not_made_good_by_its_reports(tmp_path: Path) -> None:
    write_run(tmp_path)
    record = tmp_path / "cases" / slide_result().key / "case.json"
    record.write_bytes(record.read_bytes().replace(b'"ok"', b'"no_result"', 1))
    assert from_json(record.read_bytes()).status == "no_result"
    with pytest.raises(DamagedRecord, match=r"3 of 4 cases.*the record was changed"):
        rebuild(tmp_path)


# What the run was told --------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [False, True])
def test_the_reports_are_those_that_the_run_wanted(tmp_path: Path, lost: bool) -> None:
    chosen = {"pdf": False, "heatmap": False, "geojson": False, "tiles_csv": True}
    for result in RESULTS:
        write_case_files(tmp_path / "cases" / result.key, result, **chosen)
    summary = replace(summarise(RESULTS), pdf="none", heatmap=False, geojson=False)
    cases = summary.case_keys[1:] if lost else summary.case_keys  # a later run was stopped
    write_run_files(tmp_path, RESULTS, replace(summary, case_keys=cases), pdf=False)
    before = names(tmp_path)
    if lost:
        unseal(tmp_path)
    rebuild(tmp_path)
    assert names(tmp_path) == before
    assert not any(name.endswith((".pdf", ".png", ".geojson")) for name in before)


@pytest.mark.parametrize(
    ("choice", "cases", "summaries"),
    [("auto", 3, 1), ("cases", 3, 1), ("summary", 0, 1), ("none", 0, 0)],  # one could not be read
)
def test_another_choice_of_pdfs_replaces_the_run_s(
    tmp_path: Path, choice: PdfChoice, cases: int, summaries: int
) -> None:
    nothing = dict.fromkeys(EVERYTHING, False)
    for result in RESULTS:
        write_case_files(tmp_path / "cases" / result.key, result, **nothing)
    write_run_files(tmp_path, RESULTS, replace(summarise(RESULTS), pdf="none"), pdf=False)
    rebuild(tmp_path, pdf=choice)
    assert len(list(tmp_path.glob("cases/*/report.pdf"))) == cases
    assert len(list(tmp_path.glob("summary.pdf"))) == summaries
    assert read_run_json((tmp_path / "run.json").read_bytes()).pdf == choice


# Checksums --------------------------------------------------------------------------------------


def test_every_file_stands_in_one_list(tmp_path: Path) -> None:
    write_run(tmp_path)
    listed = set()
    for path in tmp_path.rglob(LIST):
        for name, digest in (read_sums(path.parent) or {}).items():
            file = path.parent / name
            assert sha256(file.read_bytes()).hexdigest() == digest
            listed.add(file.relative_to(tmp_path).as_posix())
    assert listed == names(tmp_path) - {LIST}


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum here")
def test_the_lists_are_those_of_sha256sum(tmp_path: Path) -> None:
    write_run(tmp_path)
    command = ["sha256sum", "--check", "--strict", "--warn", LIST]
    for folder in (tmp_path, tmp_path / "cases" / slide_result().key):
        subprocess.run(command, cwd=folder, check=True)


def test_a_case_is_not_listed_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_case_files(tmp_path, slide_result(), **EVERYTHING)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("lungscan.report.write.write_tiles_csv", killed)
        with pytest.raises(KeyboardInterrupt):
            write_case_files(tmp_path, slide_result(), **EVERYTHING)
    assert names(tmp_path) >= {"case.json", "report.pdf"}
    assert LIST not in names(tmp_path)


def test_a_file_not_written_again_keeps_its_checksum(tmp_path: Path) -> None:
    write_case_files(tmp_path, slide_result(), **EVERYTHING)
    before = read_sums(tmp_path)
    (tmp_path / "heatmap.png").write_bytes(b"other")
    write_case_files(tmp_path, slide_result(), **{**EVERYTHING, "heatmap": False})
    assert read_sums(tmp_path) == before


def test_no_flipped_bit_of_a_list_goes_unseen() -> None:
    data = dump_sums({"case.json": "0" * 64, "report.pdf": "f" * 64})
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamagedRecord):
            load_sums(bytes(changed))
    with pytest.raises(DamagedRecord):
        load_sums(data[:-30])


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "cases/../../x", "cases/A/x", "a/b", ".x", "", "a\nb"]
)
def test_a_list_never_leads_out_of_its_folder(name: str) -> None:
    with pytest.raises(DamagedRecord):
        load_sums(dump_sums({name: "0" * 64}))


# A table open elsewhere -------------------------------------------------------------------------


def write_with(
    out: Path, monkeypatch: pytest.MonkeyPatch, locked: set[str], number: int = 13
) -> tuple[str, ...]:
    """Write the tables while another program has some files open, as Windows has it."""
    honest = Path.replace

    def replace_unless_open(self: Path, target: Path) -> Path:
        if Path(target).name in locked:
            raise OSError(number, "The process cannot access the file")
        return honest(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace_unless_open)
        return write_run_files(out, iter(RESULTS), summarise(RESULTS), pdf=True)


def test_a_table_open_elsewhere_is_put_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cases.csv").write_text("the old one")
    (tmp_path / "cases (1).csv").write_text("somebody's copy")
    first, second = write_with(tmp_path, monkeypatch, {"cases.csv", "summary.pdf"})
    assert "'cases (2).csv'" in first
    assert "'summary (1).pdf'" in second
    assert (tmp_path / "cases.csv").read_text() == "the old one"
    assert (tmp_path / "cases (1).csv").read_text() == "somebody's copy"
    with (tmp_path / "cases (2).csv").open(encoding="utf-8", newline="") as file:
        assert [row["case_id"] for row in csv.DictReader(file)] == [r.case_id for r in RESULTS]
    listed = read_sums(tmp_path) or {}
    assert set(listed) == {"cases (2).csv", "summary (1).pdf", "run.json"}
    assert not list(tmp_path.glob(".*"))


def test_a_full_disk_is_no_table_open_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MachineError, match="disk is full"):
        write_with(tmp_path, monkeypatch, {"cases.csv"}, errno.ENOSPC)
    assert names(tmp_path) == set()


def test_tables_replaced_as_ever_need_no_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert write_with(tmp_path, monkeypatch, set()) == ()
