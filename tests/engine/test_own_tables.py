"""A run replaces the tables of earlier runs, and nobody else's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lungscan.cluster.driver import scan_on_cluster
from lungscan.door import cases
from lungscan.door.jobs import RebuildOptions
from lungscan.errors import UsageProblem
from lungscan.events import CaseFinished
from lungscan.layout import LIST, RUN, SUMMARY, TABLE
from lungscan.options import ScanOptions, Shard
from lungscan.report.write import rebuild
from lungscan.scanning.planning import planned_cases
from lungscan.scanning.scan import scan
from lungscan.scanning.watching.watch import watch
from tests.engine.scanning import files_below, make_field, options, rows, run
from tests.models import FakeRuntime

THEIRS = {
    TABLE: b"file,case\na.png,Miller\n",
    SUMMARY: b"%PDF-1.4\n%\x93\x8c\x8b\x9e ReportLab Generated PDF document\n/Creator (Word)",
    RUN: b'{"schema_version": 1, "run": "of another program"}',
}


@pytest.fixture
def chosen(model: Path, fake: FakeRuntime, tmp_path: Path) -> ScanOptions:
    for name in ("a.png", "b.png"):
        make_field(tmp_path / "in" / name, seed=ord(name[0]))
    return options(model, tmp_path / "in", tmp_path / "in", pdf="auto")


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.parametrize("changes", [{}, {"fresh": True}, {"shard": Shard(1, 2)}], ids=str)
def test_a_file_of_somebody_else_is_not_replaced(
    chosen: ScanOptions, fake: FakeRuntime, name: str, changes: dict[str, object]
) -> None:
    (chosen.out / name).write_bytes(THEIRS[name])
    before = files_below(chosen.out)
    with pytest.raises(UsageProblem, match=f"holds {name} that LungScan did not write"):
        run(replace(chosen, **changes))  # type: ignore[arg-type]
    assert (chosen.out / name).read_bytes() == THEIRS[name]
    assert files_below(chosen.out) == before
    assert fake.calls == 0


@pytest.mark.parametrize("way", [scan, watch, planned_cases, scan_on_cluster])
def test_every_way_to_run_names_them_all(chosen: ScanOptions, way: object) -> None:
    for name, data in THEIRS.items():
        (chosen.out / name).write_bytes(data)
    with pytest.raises(UsageProblem, match=f"{TABLE} and {SUMMARY} and {RUN} .*Move them"):
        next(way(replace(chosen, cluster="local:1")))  # type: ignore[operator]


def test_a_file_put_beside_the_results_is_not_replaced_either(chosen: ScanOptions) -> None:
    run(replace(chosen, pdf="none"))
    (chosen.out / SUMMARY).write_bytes(THEIRS[SUMMARY])
    with pytest.raises(UsageProblem, match=SUMMARY):
        run(chosen)


@pytest.mark.parametrize("name", [TABLE, SUMMARY])
def test_reports_made_again_replace_nobody_s_either(chosen: ScanOptions, name: str) -> None:
    run(replace(chosen, pdf="none"))
    (chosen.out / LIST).unlink()  # as a run that was stopped leaves it
    (chosen.out / name).write_bytes(THEIRS[name])
    with pytest.raises(UsageProblem, match=f"holds {name} that LungScan did not write"):
        list(cases.rebuild(RebuildOptions(chosen.out)))
    assert (chosen.out / name).read_bytes() == THEIRS[name]
    (chosen.out / name).unlink()
    (done,) = cases.rebuild(RebuildOptions(chosen.out))
    assert done.rebuilt.cases == 2


@pytest.mark.parametrize("gone", [(), (LIST,), (LIST, RUN), (LIST, TABLE)])
def test_tables_of_an_earlier_run_are_ours(chosen: ScanOptions, gone: tuple[str, ...]) -> None:
    run(chosen)
    for name in gone:  # a run that was stopped took the list, a person whatever she likes
        (chosen.out / name).unlink()
    events = run(chosen)
    assert [event.resumed for event in events if isinstance(event, CaseFinished)] == [True] * 2
    assert len(rows(chosen.out)) == 2
    assert rebuild(chosen.out).cases == 2
    run(replace(chosen, fresh=True))
    assert {TABLE, SUMMARY, RUN, LIST} <= files_below(chosen.out)


@pytest.mark.parametrize("left", [b"", bytes(4096)])
def test_what_a_power_cut_left_of_the_tables_is_replaced(chosen: ScanOptions, left: bytes) -> None:
    run(chosen)
    for name in (TABLE, SUMMARY, RUN, LIST):
        (chosen.out / name).write_bytes(left)
    run(chosen)
    assert len(rows(chosen.out)) == 2
    assert (chosen.out / SUMMARY).read_bytes().startswith(b"%PDF")
