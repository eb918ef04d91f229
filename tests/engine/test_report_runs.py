"""Several runs in one folder: tables that are written again are of one run and its settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lungscan.options import PdfChoice, ScanOptions
from lungscan.report.write import rebuild, write_case_files, write_run_files
from lungscan.results.checksums import unseal
from lungscan.results.run_json import RunSummary, read_run_json, summarise
from lungscan.types import CaseResult
from lungscan.verification.verify import AMISS, verify
from tests.engine.scanning import make_field, options, rows, run
from tests.models import FakeRuntime
from tests.results import field_result

NO_FILES = dict.fromkeys(("pdf", "heatmap", "geojson", "tiles_csv"), False)


def made(*names: str, settings: str, day: int) -> list[CaseResult]:
    """Cases of a run with some settings, on some day."""
    when = f"2026-01-{day:02}T00:00:00+00:00"
    return [
        replace(field_result(f"{name}.png"), settings_hash=settings, finished_utc=when)
        for name in names
    ]


def write(out: Path, cases: Sequence[CaseResult], *, ended: bool = True) -> None:
    """What a run leaves that came to its end, or was stopped."""
    unseal(out)
    for case in cases:
        write_case_files(out / "cases" / case.key, case, **NO_FILES)
    if ended:
        write_run_files(out, cases, summarise(cases), pdf=False)


def ids(out: Path) -> list[str]:
    return [row["case_id"] for row in rows(out)]


def summary(out: Path) -> RunSummary:
    return read_run_json((out / "run.json").read_bytes())


@pytest.fixture
def chosen(model: Path, fake: FakeRuntime, tmp_path: Path) -> ScanOptions:
    for seed, name in enumerate("ab"):
        make_field(tmp_path / name / f"{name}.png", seed=seed)
    return options(model, tmp_path / "out", tmp_path / "a", pdf="auto")


@pytest.mark.parametrize("other", [{}, {"rule": "mean"}])
def test_tables_stay_those_of_the_last_run(
    chosen: ScanOptions, tmp_path: Path, other: dict[str, str]
) -> None:
    run(chosen)
    run(replace(chosen, paths=(tmp_path / "b",), **other))  # type: ignore[arg-type]
    files = [chosen.out / name for name in ("cases.csv", "run.json")]
    before = [file.read_bytes() for file in files]
    (of_a,) = chosen.out.glob("cases/a-*/report.pdf")
    of_a.unlink()
    rebuilt = rebuild(chosen.out)
    assert [file.read_bytes() for file in files] == before
    assert rebuilt.cases == 1
    assert rebuilt.notices == (
        "Left out of the tables, because they are of another run or of other settings: 1 of 2 "
        f"cases ({of_a.parent.name}). Give each run a folder of its own (--out).",
    )
    assert of_a.exists()  # its own report is written again all the same
    assert not any(check.state in AMISS for check in verify(chosen.out))


def test_a_stopped_run_of_other_settings_counts_its_own_cases_alone(tmp_path: Path) -> None:
    write(tmp_path, made("a", "b", "c", "d", "e", settings="1" * 64, day=1))
    write(tmp_path, made("b", "f", settings="2" * 64, day=2), ended=False)
    (notice,) = rebuild(tmp_path).notices
    assert ids(tmp_path) == ["b", "f"]
    assert {row["settings_hash"] for row in rows(tmp_path)} == {"2" * 64}
    found = summary(tmp_path)
    assert (found.settings_hash, found.ok, len(found.case_keys)) == ("2" * 64, 2, 2)
    assert "4 of 6 cases (field-" in notice
    assert notice.count("field-") == 3
    assert ", …)" in notice


def test_a_stopped_run_that_goes_on_counts_what_was_finished_before(tmp_path: Path) -> None:
    write(tmp_path, made("a", "b", settings="1" * 64, day=1))
    write(tmp_path, made("c", settings="1" * 64, day=2), ended=False)
    assert rebuild(tmp_path).notices == ()
    assert ids(tmp_path) == ["a", "b", "c"]


def test_a_run_that_lost_its_drive_does_not_count_records_of_other_settings(
    tmp_path: Path,
) -> None:
    write(tmp_path, made("a", "b", settings="1" * 64, day=1))
    again = made("a", "b", settings="2" * 64, day=2)
    write(tmp_path, again[:1], ended=False)
    wanted = replace(summarise(again[:1]), case_keys=tuple(case.key for case in again))
    write_run_files(tmp_path, again[:1], wanted, pdf=False)
    assert rebuild(tmp_path).cases == 1
    assert ids(tmp_path) == ["a"]
    assert summary(tmp_path).case_keys == (again[0].key,)


@pytest.mark.parametrize("pdf", ["auto", "cases"])
def test_a_case_that_failed_has_the_same_files_when_reports_are_written_again(
    model: Path, fake: FakeRuntime, tmp_path: Path, pdf: PdfChoice
) -> None:
    make_field(tmp_path / "in" / "good.png")
    (tmp_path / "in" / "bad.png").write_text("no picture")
    (tmp_path / "in" / "empty.png").write_bytes(b"")
    chosen = options(model, tmp_path / "out", tmp_path / "in", pdf=pdf)
    run(chosen)
    before = sorted(path for path in chosen.out.rglob("*") if path.is_file())
    assert sum(path.name == "report.pdf" for path in before) == 1
    rebuild(chosen.out)
    assert sorted(path for path in chosen.out.rglob("*") if path.is_file()) == before
