"""Files that are still being copied are left for the next run, and nobody waits for them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lungscan.events import CaseFinished, Notice
from lungscan.inputs import discover, in_motion, look
from lungscan.opening.pool import ReaderPool
from lungscan.reading.field import FieldSource
from lungscan.reading.slides.slide import SlideSource
from lungscan.scanning.scan import scan
from lungscan.types import CaseStatus, InputFile
from tests.engine.scanning import make_field, make_slide, options, results, rows, run
from tests.models import FakeRuntime


def found(path: Path) -> InputFile:
    return discover((path,)).cases[0].files[0]


def aged(path: Path, seconds: float) -> Path:
    """Written so many seconds ago."""
    os.utime(path, (time.time() - seconds,) * 2)
    return path


def append(path: Path) -> None:
    with path.open("ab") as stream:
        stream.write(b"more")


# One file ----------------------------------------------------------------------------------------


def test_a_file_that_was_just_finished_stands_still(tmp_path: Path) -> None:
    file = found(make_field(tmp_path / "f.png"))
    assert in_motion(file, look(file)) is None


@pytest.mark.parametrize(
    "write",
    [
        append,
        lambda path: os.truncate(path, 100),
        lambda path: aged(path, 86_400),  # the end of a copy that keeps the time of the original
        lambda path: aged(path, 0.0),  # written within its size: room was made for it beforehand
    ],
)
def test_a_file_that_changes_while_it_is_read_moves(
    tmp_path: Path, write: Callable[[Path], object]
) -> None:
    file = found(aged(make_field(tmp_path / "f.png"), 3600))
    before = look(file)
    write(file.path)
    moving = in_motion(file, before)
    assert moving is not None
    assert moving.code == "E_CHANGING"
    assert str(moving) == "f.png is still being written; run again when the copy is finished."


@pytest.mark.parametrize(("ago", "moves"), [(0, True), (9, True), (11, False), (-5, True)])
def test_a_file_that_changed_since_it_was_found_must_settle(
    tmp_path: Path, ago: float, moves: bool
) -> None:
    file = found(make_field(tmp_path / "f.png"))
    append(file.path)
    aged(file.path, ago)
    assert (in_motion(file, look(file)) is not None) == moves


def test_a_file_that_is_gone_does_not_move(tmp_path: Path) -> None:
    file = found(make_field(tmp_path / "f.png"))
    before = look(file)
    file.path.unlink()
    assert in_motion(file, before) is None


def test_each_part_of_a_slide_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    for name in ("s.mrxs", "s/Slidedat.ini", "s/Data0000.dat"):
        (tmp_path / name).write_bytes(b"part")
    file = found(tmp_path / "s.mrxs")
    assert len(file.stamps) == len(file.parts) == 3
    before = look(file)
    assert in_motion(file, before) is None
    append(tmp_path / "s" / "Data0000.dat")
    assert in_motion(file, before) is not None


# Runs --------------------------------------------------------------------------------------------


def moving_while_read(
    monkeypatch: pytest.MonkeyPatch, source: type[Any], move: Callable[[], object]
) -> None:
    """Somebody writes whenever tiles are read."""
    honest = source.read_tiles

    def read(self: Any, *arguments: Any) -> Any:
        move()
        return honest(self, *arguments)

    monkeypatch.setattr(source, "read_tiles", read)


@pytest.mark.parametrize("kind", ["svs", "png"])
def test_a_growing_file_is_skipped_and_the_next_run_takes_it(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    for name in ("a", "growing", "z"):
        (make_slide if kind == "svs" else make_field)(folder / f"{name}.{kind}")
    chosen = options(model, out, folder)
    source: type[Any] = SlideSource if kind == "svs" else FieldSource
    with monkeypatch.context() as patch:
        moving_while_read(patch, source, lambda: append(folder / f"growing.{kind}"))
        events = run(chosen)
    table = {row["case_id"]: row for row in rows(out)}
    ends = {case: (row["status"], row["error_code"]) for case, row in table.items()}
    assert ends == {"a": ("ok", ""), "growing": ("skipped", "E_CHANGING"), "z": ("ok", "")}
    assert "run again when the copy is finished" in table["growing"]["error_message"]
    assert table["growing"]["label"] == table["growing"]["confidence"] == ""
    (notice,) = [event.text for event in events if isinstance(event, Notice)]
    assert "still being written: 1." in notice
    events = run(chosen)
    again = {e.result.case_id: not e.resumed for e in events if isinstance(e, CaseFinished)}
    assert again == {"a": False, "growing": True, "z": False}
    assert {row["status"] for row in rows(out)} == {"ok"}
    assert not any(isinstance(event, Notice) for event in events)


def test_a_copy_that_ends_between_planning_and_scoring_is_seen(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first slide is planned while the network loads."""
    slide = aged(make_slide(tmp_path / "in" / "s.svs", 768, 512), 3600)
    whole = make_slide(tmp_path / "whole.svs", 1536, 1024).read_bytes()
    honest = ReaderPool.begin

    def begin(pool: ReaderPool, file: InputFile) -> None:
        honest(pool, file)
        pool.begun[file].result()
        slide.write_bytes(whole)
        aged(slide, 3600)  # as a copy does that keeps the time of the original

    chosen = options(model, tmp_path / "out", slide, isolate=True)
    with monkeypatch.context() as patch:
        patch.setattr(ReaderPool, "begin", begin)
        found = results(run(chosen))["s"]
    assert (found.status, found.error_code) == (CaseStatus.SKIPPED, "E_CHANGING")
    assert results(run(chosen))["s"].status is CaseStatus.OK


@pytest.mark.parametrize("isolate", [False, True])
@pytest.mark.parametrize("kind", ["svs", "png"])
def test_half_a_file_is_no_damage_while_it_grows(
    model: Path, fake: FakeRuntime, tmp_path: Path, kind: str, isolate: bool
) -> None:
    path = (make_slide if kind == "svs" else make_field)(tmp_path / "in" / f"half.{kind}")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 4])
    chosen = options(model, tmp_path / "out", path, isolate=isolate)
    events = scan(chosen)
    first = next(events)  # the inputs are found, and a slide may be open already
    path.write_bytes(whole[: len(whole) // 2])
    half = results([first, *events])["half"]
    assert (half.status, half.error_code) == (CaseStatus.SKIPPED, "E_CHANGING")
    path.write_bytes(whole)
    assert results(run(chosen))["half"].status is CaseStatus.OK


def test_an_old_copy_that_ended_before_its_turn_is_taken(
    model: Path, fake: FakeRuntime, tmp_path: Path
) -> None:
    path = make_field(tmp_path / "f.png")
    whole = path.read_bytes()
    path.write_bytes(whole[:500])
    events = scan(options(model, tmp_path / "out", path))
    first = next(events)
    path.write_bytes(whole)
    aged(path, 86_400)
    assert results([first, *events])["f"].status is CaseStatus.OK


def test_a_case_waits_for_all_its_files(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        make_field(tmp_path / "in" / f"{name}.png")
    (tmp_path / "m.csv").write_text("file,case\na.png,P\nb.png,P\n")
    chosen = options(model, tmp_path / "out", tmp_path / "in", cases=tmp_path / "m.csv")
    with monkeypatch.context() as patch:
        moving_while_read(patch, FieldSource, lambda: append(tmp_path / "in" / "b.png"))
        case = results(run(chosen))["P"]
    assert (case.status, case.prediction) == (CaseStatus.SKIPPED, None)
    assert case.error_message.startswith("in/b.png is still being written")
    assert results(run(chosen))["P"].status is CaseStatus.OK


def test_thousands_of_fresh_files_are_not_waited_for(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(40):
        make_field(tmp_path / "in" / f"{index}.png", side=80)
    make_slide(tmp_path / "in" / "s.svs", 768, 512)

    def waited(seconds: float) -> None:
        raise AssertionError(f"somebody sleeps for {seconds} s")

    monkeypatch.setattr(time, "sleep", waited)
    run(options(model, tmp_path / "out", tmp_path / "in"))
    assert {row["status"] for row in rows(tmp_path / "out")} == {"ok"}


def test_seven_kinds_of_junk_end_without_an_error(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    make_field(folder / "good.png")
    growing = make_field(folder / "growing.png", seed=1)
    junk = ("._x.svs", "Thumbs.db", "~$x.svs", ".DS_Store", ".x.svs.Qm3aTz", "x.svs.part")
    for name in junk:
        (folder / name).write_bytes(b"junk")
    moving_while_read(monkeypatch, FieldSource, lambda: append(growing))
    run(options(model, tmp_path / "out", folder))
    ends = {row["relative_path"].removeprefix("in/"): row for row in rows(tmp_path / "out")}
    skipped = {name for name, row in ends.items() if row["status"] == "skipped"}
    assert skipped == {*junk, "growing.png"}
    assert len(skipped) == 7
    assert all(ends[name]["error_message"] for name in skipped)
    assert ends["good.png"]["status"] == "ok"
    assert len(ends) == 8
