"""Several processes that share a run: who takes what, who writes what, and what is left of it."""

from __future__ import annotations

import csv
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lungscan.errors import MachineError, OutputLocked, UsageProblem
from lungscan.events import CaseFinished, Notice, RunFinished
from lungscan.layout import LOCK, SHARDS
from lungscan.options import ScanOptions, Shard
from lungscan.report.write import rebuild
from lungscan.results.lock import output_lock, refuse_if_locked, shard_lock
from lungscan.results.shard_files import finished_shards, read_plan, shards_folder
from lungscan.scanning.scan import scan
from lungscan.scanning.sharding.cutting import CASE_BYTES, cut
from lungscan.types import CaseStatus
from lungscan.verification.verify import AMISS, verify
from tests.engine.scanning import files_below, make_field, make_slide, options, run, stored
from tests.models import FakeRuntime

TIMES = re.compile(rb'"(seconds|started_utc|finished_utc|resumed)":("[^"]*"|[0-9.e-]+)')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two slides, five fields, one damaged picture and one file that is none."""
    make_slide(tmp_path / "in" / "s.svs", 768, 640)
    make_slide(tmp_path / "in" / "deep" / "t.svs", 640, 512)
    for index in range(5):
        make_field(tmp_path / "in" / f"f{index}.png", seed=index)
    (tmp_path / "in" / "bad.png").write_bytes(b"no picture")
    (tmp_path / "in" / "notes.txt").write_text("not an image")
    return tmp_path / "in"


def shards(chosen: ScanOptions, of: int) -> Iterator[ScanOptions]:
    """The options of each shard."""
    return (replace(chosen, shard=Shard(number, of)) for number in range(1, of + 1))


def contents(out: Path) -> dict[str, bytes]:
    """Every file but lists of checksums and PDFs, without times."""
    found = {}
    for name in files_below(out):
        if name.endswith(("lungscan.sha256", ".pdf")):
            continue
        data = (out / name).read_bytes()
        if name == "cases.csv":
            table = list(csv.DictReader(data.decode().splitlines()))
            data = json.dumps([{**row, "seconds": ""} for row in table]).encode()
        found[name] = TIMES.sub(rb'"\1":0', data)
    return found


# Who takes what ----------------------------------------------------------------------------------


def test_shards_are_cut_by_bytes() -> None:
    sizes = [9_000_000_000, *[10_000_000] * 900]
    owners = cut(sizes, 2)
    loads = Counter[int]()
    for size, owner in zip(sizes, owners, strict=True):
        loads[owner] += size
    assert owners.count(owners[0]) < 20  # the large one is nearly alone
    assert abs(loads[1] - loads[2]) <= 0.03 * sum(sizes)


@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_no_two_shards_differ_by_more_than_the_largest_case(of: int) -> None:
    sizes = [(index * 7919) % 1000 * 1_000_000 for index in range(100)]
    loads = dict.fromkeys(range(1, of + 1), 0)
    for size, owner in zip(sizes, cut(sizes, of), strict=True):
        loads[owner] += size + CASE_BYTES
    assert max(loads.values()) - min(loads.values()) <= max(sizes) + CASE_BYTES
    assert set(cut(sizes, of)) == set(range(1, of + 1))


def test_empty_files_are_spread_as_well() -> None:
    assert Counter(cut([0] * 9, 3)) == {1: 3, 2: 3, 3: 3}


@pytest.mark.parametrize("text", ["3/8", " 3/8 "])
def test_a_shard_is_read_as_it_is_written(text: str) -> None:
    assert Shard.parse(text) == Shard(3, 8)
    assert str(Shard(3, 8)) == "3/8"


@pytest.mark.parametrize(
    "text", ["0/8", "9/8", "3", "3/", "a/b", "-1/2", "1/20000", "1 / 2", "³/8"]
)
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageProblem):
        Shard.parse(text)


@pytest.mark.parametrize(
    "more", [{"fresh": True}, {"watch": True}, {"cluster": "local:2"}, {"shard": "1/2"}]
)
def test_a_shard_goes_with_nothing_that_contradicts_it(
    tmp_path: Path, more: dict[str, object]
) -> None:
    chosen = {"shard": Shard(1, 2)} | more
    with pytest.raises(UsageProblem):
        ScanOptions((tmp_path,), tmp_path / "out", **chosen)  # type: ignore[arg-type]


# What is written ---------------------------------------------------------------------------------


@pytest.mark.parametrize("of", [2, 3, 12])
def test_shards_leave_what_one_machine_leaves(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path, of: int
) -> None:
    chosen = options(model, tmp_path / "one", folder, pdf="auto", heatmap=True, geojson=True)
    run(chosen)
    events = []
    for part in shards(replace(chosen, out=tmp_path / "many"), of):
        assert not (tmp_path / "many" / "cases.csv").exists()
        events.append(run(part))
    assert contents(tmp_path / "many") == contents(tmp_path / "one")
    assert (tmp_path / "many" / "summary.pdf").stat().st_size > 1000
    assert not any(check.state in AMISS for check in verify(tmp_path / "many"))
    ended = Counter(
        e.result.case_id for part in events for e in part if isinstance(e, CaseFinished)
    )
    assert set(ended.values()) == {1}
    assert len(ended) == 9
    assert all(isinstance(part[-1], RunFinished) for part in events)


def test_the_order_in_which_shards_end_does_not_matter(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path
) -> None:
    chosen = options(model, tmp_path / "out", folder)
    second, first = (scan(part) for part in reversed(list(shards(chosen, 2))))
    next(second)
    next(first)  # both at work
    list(first)
    assert finished_shards(tmp_path / "out", 2) == (1,)
    notices = [event.text for event in second if isinstance(event, Notice)]
    assert any("this one wrote the tables" in text for text in notices)
    run(replace(chosen, out=tmp_path / "one"))
    assert contents(tmp_path / "out") == contents(tmp_path / "one")


def test_a_shard_says_how_many_are_still_to_come(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path
) -> None:
    first, *_ = shards(options(model, tmp_path / "out", folder), 3)
    notices = [event.text for event in run(first) if isinstance(event, Notice)]
    assert notices == [
        "Shard 1/3 is finished, 2 still to come. The last one writes the tables of all."
    ]


def test_pseudonyms_are_the_same_in_all_shards(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path
) -> None:
    chosen = options(model, tmp_path / "many", folder, deidentify=True)
    for part in shards(chosen, 3):
        run(part)
    run(replace(chosen, out=tmp_path / "one"))
    assert contents(tmp_path / "many") == contents(tmp_path / "one")


def test_the_output_folder_may_lie_among_the_slides(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path
) -> None:
    run(options(model, tmp_path / "one", folder))
    first, second = (scan(part) for part in shards(options(model, folder / "out", folder), 2))
    next(first)  # holds its lock when the second one looks for images
    list(second)
    list(first)
    assert contents(folder / "out") == contents(tmp_path / "one")


# What goes wrong ---------------------------------------------------------------------------------


def test_a_shard_that_was_killed_goes_on(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path
) -> None:
    chosen = options(model, tmp_path / "out", folder)
    first, second = shards(chosen, 2)
    fake.fails_at, fake.error = 2, MachineError("the disk is full")
    with pytest.raises(MachineError):
        run(first)
    run(second)
    assert not (tmp_path / "out" / "cases.csv").exists()
    fake.fails_at = None
    run(first)
    run(replace(chosen, out=tmp_path / "one"))
    assert contents(tmp_path / "out") == contents(tmp_path / "one")


def test_report_makes_the_tables_of_what_is_finished_in_the_order_of_one_machine(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path
) -> None:
    chosen = options(model, tmp_path / "out", folder)
    first, second = shards(chosen, 2)
    run(first)
    part = rebuild(tmp_path / "out").cases
    assert 0 < part < 9
    assert (tmp_path / "out" / "cases.csv").exists()
    run(second)  # goes on, and replaces them
    run(replace(chosen, out=tmp_path / "one"))
    assert contents(tmp_path / "out") == contents(tmp_path / "one")


def test_report_does_what_a_last_shard_could_not(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = options(model, tmp_path / "out", folder)

    def killed(out: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("lungscan.scanning.sharding.shard.close_shards", killed)
        first, second = shards(chosen, 2)
        run(first)
        with pytest.raises(KeyboardInterrupt):
            run(second)
    assert rebuild(tmp_path / "out").cases == 9
    assert not shards_folder(tmp_path / "out").exists()
    run(replace(chosen, out=tmp_path / "one"))
    assert contents(tmp_path / "out") == contents(tmp_path / "one")


def test_what_comes_or_goes_after_the_cut_costs_nothing_else(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path
) -> None:
    first, second = shards(options(model, tmp_path / "out", folder), 2)
    run(first)
    plan = read_plan(tmp_path / "out")
    assert plan is not None
    lost = next(name for name, owner in zip(plan.case_ids, plan.owners, strict=True) if owner == 2)
    (gone,) = folder.rglob(f"{lost}.*")
    gone.unlink()
    make_field(folder / "late.png", seed=9)
    notices = [event.text for event in run(second) if isinstance(event, Notice)]
    assert any("came after the shards were cut: 1 case." in text for text in notices)
    records = stored(tmp_path / "out")
    assert records[lost].status is CaseStatus.FAILED
    assert records[lost].error_code == "E_IO"
    assert "late" not in records
    with (tmp_path / "out" / "cases.csv").open(encoding="utf-8") as file:
        assert [row["case_id"] for row in csv.DictReader(file)] == list(plan.case_ids)
    run(first)  # a new cut, now that all had finished
    run(second)
    assert "late" in stored(tmp_path / "out")


def test_other_options_do_not_mix_with_an_unfinished_run(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path
) -> None:
    chosen = options(model, tmp_path / "out", folder)
    first, second = shards(chosen, 2)
    run(first)
    make_field(tmp_path / "elsewhere" / "x.png")
    for other in (
        replace(second, shard=Shard(2, 3)),
        replace(second, overlap=0.25),
        replace(second, geojson=True),
        replace(second, paths=(tmp_path / "elsewhere",)),
    ):
        with pytest.raises(UsageProblem, match="unfinished run"):
            run(other)
    run(chosen)  # without --shard it is finished by one process
    assert not shards_folder(tmp_path / "out").exists()
    run(replace(chosen, out=tmp_path / "one"))
    whole, one = contents(tmp_path / "out"), contents(tmp_path / "one")
    assert whole["cases.csv"] == one["cases.csv"]


# Locks -------------------------------------------------------------------------------------------


def test_shards_share_a_folder_with_each_other_alone(tmp_path: Path) -> None:
    with shard_lock(tmp_path, 1), shard_lock(tmp_path, 2):
        with pytest.raises(OutputLocked), shard_lock(tmp_path, 2):
            pytest.fail("one shard, twice")
        with pytest.raises(OutputLocked), output_lock(tmp_path):
            pytest.fail("a whole run beside shards")
        with pytest.raises(OutputLocked, match=re.escape(f"writing to {tmp_path}:")):
            refuse_if_locked(tmp_path)
        assert not (tmp_path / LOCK).exists()
    with output_lock(tmp_path):
        with pytest.raises(OutputLocked), shard_lock(tmp_path, 1):
            pytest.fail("a shard beside a whole run")
        assert not list((tmp_path / SHARDS).glob("*.lock"))


@pytest.mark.parametrize("age", [10.0, 2000.0])
def test_a_shard_of_another_machine_is_dead_once_it_gives_no_sign_of_life(
    tmp_path: Path, age: float
) -> None:
    path = tmp_path / SHARDS / "1.lock"
    path.parent.mkdir()
    path.write_text(json.dumps({"pid": 1, "host": "elsewhere", "lease_s": 900.0}))
    written = path.stat().st_mtime - age
    os.utime(path, (written, written))
    if age < 900:
        with pytest.raises(OutputLocked, match="elsewhere"), shard_lock(tmp_path, 1):
            pytest.fail("it may be alive")
    else:
        with shard_lock(tmp_path, 1):
            assert "elsewhere" not in path.read_text()
    assert not list(path.parent.glob(".clock*"))


def test_a_whole_run_of_another_machine_is_never_taken_for_dead(tmp_path: Path) -> None:
    path = tmp_path / LOCK
    path.write_text(json.dumps({"pid": 1, "host": "elsewhere"}))
    os.utime(path, (0, 0))
    with pytest.raises(OutputLocked), output_lock(tmp_path):
        pytest.fail("it may be alive")


def test_the_lock_of_a_shard_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lungscan.results.lock.RENEW_S", 0.01)
    with shard_lock(tmp_path, 1):
        path = tmp_path / SHARDS / "1.lock"
        os.utime(path, (0, 0))
        for _ in range(1000):
            if path.stat().st_mtime > 0:
                break
            os.sched_yield()
            __import__("time").sleep(0.01)
        assert path.stat().st_mtime > 0


def test_a_shard_whose_place_was_taken_ends(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path
) -> None:
    first, *_ = shards(options(model, tmp_path / "out", folder), 2)
    events = scan(first)
    next(events)
    path = tmp_path / "out" / SHARDS / "1.lock"
    path.write_text(path.read_text().replace('"pid"', '"pid" '))  # as another process would
    with pytest.raises(OutputLocked, match="took its place"):
        list(events)
    assert path.exists()  # it is the other's
