"""A drive that goes away: asked again after pauses, then the run ends and can go on."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from openslide import OpenSlide, OpenSlideError, OpenSlideUnsupportedFormatError

from lungscan.errors import MachineError, UnreadableFile
from lungscan.events import CaseFinished, RunFinished
from lungscan.inputs import require_readable
from lungscan.opening.retrying import PAUSES_S, patiently, wait
from lungscan.reading.slides.positional import PositionalFile
from lungscan.reading.slides.slide import SlideSource
from lungscan.reading.slides.slide_file import open_handle
from lungscan.reading.slides.tile_cache import TileCache
from lungscan.scanning.scan import scan
from lungscan.types import CaseStatus, InputFile
from lungscan.workers import Workers
from tests.engine.scanning import make_field, make_slide, options, results, rows, run, stored
from tests.models import FakeRuntime

# ENOENT: the mount is gone, and its folder empty. EINVAL: Windows' network errors, 59 and 64, as
# the C library hands them on.
KINDS = ("EIO", "ESTALE", "ENOENT", "ENODEV", "ENOTCONN", "EHOSTDOWN", "EINVAL")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made; nobody sleeps."""
    made: list[float] = []
    monkeypatch.setattr("lungscan.opening.retrying.wait", lambda seconds, _: made.append(seconds))
    return made


class Drive:
    """Fails to hand out files of some stems: for ever, or the first few times they are opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.failing: dict[str, int | None] = {}
        self.error: OSError = OSError(errno.EIO, "Input/output error")
        for name in ("stat", "open"):
            monkeypatch.setattr(Path, name, self._guarded(getattr(Path, name)))

    def _guarded(self, honest: Any) -> Any:
        def guarded(path: Path, *arguments: Any, **more: Any) -> Any:
            self.require(path, honest.__name__)
            return honest(path, *arguments, **more)

        return guarded

    def require(self, path: Path, asked: str) -> None:
        """Raise, if ``path`` is withheld now."""
        if path.suffix not in {".png", ".svs"} or path.stem not in self.failing:
            return
        left = self.failing[path.stem]
        if left is None:
            raise self.error
        if left and asked == "open":
            self.failing[path.stem] = left - 1
            raise self.error

    def leave(self, *stems: str, times: int | None = None) -> None:
        """From now on these are withheld."""
        self.failing = dict.fromkeys(stems, times)


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Drive:
    return Drive(monkeypatch)


def scan_and_leave(chosen: Any, drive: Drive, *stems: str, times: int | None = None) -> list[Any]:
    """Every event of a scan; the drive leaves once the inputs are found."""
    events = scan(chosen)
    seen = [next(events)]
    drive.leave(*stems, times=times)
    return [*seen, *events]


# One file ----------------------------------------------------------------------------------------


def test_what_the_drive_withholds_is_asked_for_four_times(pauses: list[float]) -> None:
    asked: list[int] = []

    def away(code: str) -> None:
        asked.append(1)
        raise UnreadableFile("withheld", code=code)

    with pytest.raises(UnreadableFile):
        patiently(lambda: away("E_IO"), Event())
    assert len(asked) == 4
    assert pauses == list(PAUSES_S) == sorted(PAUSES_S)
    with pytest.raises(UnreadableFile):
        patiently(lambda: away("E_FORMAT"), Event())  # damage does not go away
    assert len(asked) == 5
    assert pauses == list(PAUSES_S)


@pytest.mark.parametrize("kind", KINDS)
def test_each_error_of_a_lost_drive_fails_its_case(
    model: Path, fake: FakeRuntime, tmp_path: Path, drive: Drive, pauses: list[float], kind: str
) -> None:
    make_field(tmp_path / "in" / "a.png")
    make_slide(tmp_path / "in" / "b.svs", 768, 512)
    drive.error = OSError(getattr(errno, kind), os.strerror(getattr(errno, kind)))
    chosen = options(model, tmp_path / "out", tmp_path / "in")
    scan_and_leave(chosen, drive, "a", "b")
    table = {row["case_id"]: row for row in rows(tmp_path / "out")}
    assert {row["error_code"] for row in table.values()} == {"E_IO"}
    assert all("run again" in row["error_message"] for row in table.values())
    assert sorted(pauses) == sorted(PAUSES_S * 2)


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("name", ["a.png", "b.svs"])
def test_a_drive_that_comes_back_costs_nothing_but_time(
    model: Path,
    fake: FakeRuntime,
    tmp_path: Path,
    drive: Drive,
    pauses: list[float],
    name: str,
    times: int,
) -> None:
    file = tmp_path / "in" / name
    make_field(file) if name.endswith("png") else make_slide(file, 768, 512)
    chosen = options(model, tmp_path / "out", file)
    found = results(scan_and_leave(chosen, drive, file.stem, times=times))
    assert found[file.stem].status is CaseStatus.OK
    assert pauses == list(PAUSES_S[:times])


def test_fields_wait_for_the_drive_together(
    model: Path, fake: FakeRuntime, tmp_path: Path, drive: Drive, pauses: list[float]
) -> None:
    names = [f"f{index}" for index in range(8)]
    for index, name in enumerate(names):
        make_field(tmp_path / "in" / f"{name}.png", seed=index)
    chosen = options(model, tmp_path / "out", tmp_path / "in")
    found = results(scan_and_leave(chosen, drive, "f1", "f3", "f6"))
    failed = {name for name in names if found[name].error_code == "E_IO"}
    assert failed == {"f1", "f3", "f6"}
    assert {found[name].status for name in set(names) - failed} == {CaseStatus.OK}
    assert pauses == list(PAUSES_S)


def test_a_damaged_file_is_not_waited_for(
    model: Path, fake: FakeRuntime, tmp_path: Path, pauses: list[float]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"no picture")
    (tmp_path / "in" / "b.svs").write_bytes(b"no slide" * 100)
    run(options(model, tmp_path / "out", tmp_path / "in"))
    assert {row["error_code"] for row in rows(tmp_path / "out")} == {"E_FORMAT"}
    assert pauses == []


# In the midst of a slide -------------------------------------------------------------------------


def test_tiles_that_the_drive_withholds_are_read_once_it_is_back(
    model: Path,
    fake: FakeRuntime,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pauses: list[float],
) -> None:
    slide = make_slide(tmp_path / "s.svs")
    whole = results(run(options(model, tmp_path / "whole", slide, batch_size=4)))["s"]
    honest, away = PositionalFile.read, [0]

    def read(self: PositionalFile, offset: int, size: int) -> bytes:
        if fake.calls == calls + 2 and away[0] < 2:
            away[0] += 1
            raise OSError(errno.ESTALE, "Stale file handle")
        return honest(self, offset, size)

    calls = fake.calls
    monkeypatch.setattr(PositionalFile, "read", read)
    monkeypatch.setattr("lungscan.reading.slides.native.TileCache.get", _uncached)
    chosen = options(model, tmp_path / "out", slide, batch_size=4, threads=1)
    result = results(run(chosen))["s"]
    assert away == [2]
    assert len(pauses) >= 1
    assert result.status is CaseStatus.OK
    assert result.counts == whole.counts
    assert (result.scores[0].probs == whole.scores[0].probs).all()


def _uncached(self: object, key: Any, first: Any, decode: Any) -> Any:
    return decode(key)


def test_a_drive_lost_in_a_slide_is_no_damage_and_the_next_run_goes_on(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slide = make_slide(tmp_path / "s.svs", 3712, 2560)
    chosen = options(model, tmp_path / "out", slide, batch_size=16, threads=1)
    tiles = results(run(replace(chosen, out=tmp_path / "whole")))["s"].counts.total
    assert tiles > 256
    calls = fake.calls

    def read(self: PositionalFile, offset: int, size: int) -> bytes:
        if fake.calls > calls + 12:
            raise OSError(errno.EIO, "Input/output error")
        return honest(self, offset, size)

    honest = PositionalFile.read
    with monkeypatch.context() as patch:
        patch.setattr(PositionalFile, "read", read)
        patch.setattr("lungscan.reading.slides.native.TileCache.get", _uncached)
        result = results(run(chosen))["s"]
    assert (result.status, result.error_code) == (CaseStatus.FAILED, "E_IO")
    assert "check the drive" in result.error_message
    before = fake.tiles
    result = results(run(chosen))["s"]
    assert result.status is CaseStatus.OK
    assert fake.tiles - before <= tiles - 128  # a band at least came from the journal


def test_openslide_at_a_lost_drive_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drive: Drive
) -> None:
    path = make_slide(tmp_path / "s.svs", 768, 512)
    file = InputFile(path, path.name, "slide")
    source = SlideSource(file, None, native=False)
    boxes = np.array([(0, 0, 128, 128), (128, 0, 128, 128)], np.int32)

    def broken(*_: object) -> None:
        raise OpenSlideError("cannot read")

    with monkeypatch.context() as patch:
        patch.setattr(OpenSlide, "read_region", broken)
        assert source.read_tiles(boxes, 64).failed.all()  # the drive is there: this is damage
        with pytest.raises(UnreadableFile, match="none of its pixels"):
            source.overview()
        drive.leave("s")
        for read in (lambda: source.read_tiles(boxes, 64), source.overview):
            with pytest.raises(UnreadableFile) as caught:
                read()
            assert caught.value.code == "E_IO"
    with pytest.raises(UnreadableFile) as caught:
        require_readable(file)
    assert caught.value.code == "E_IO"
    source.close()


@pytest.mark.parametrize("error", [OpenSlideUnsupportedFormatError(), OpenSlideError("cut")])
def test_a_slide_that_the_drive_withholds_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drive: Drive, error: OpenSlideError
) -> None:
    path = make_slide(tmp_path / "s.svs", 768, 512)
    lost = [False]

    def fail(*_: object) -> None:
        if lost[0]:
            drive.leave("s")
        raise error

    monkeypatch.setattr("lungscan.reading.slides.slide_file.OpenSlide", fail)
    for lost[0], code in ((False, "E_FORMAT"), (True, "E_IO")):
        with pytest.raises(UnreadableFile) as caught:
            open_handle(InputFile(path, path.name, "slide"))
        assert caught.value.code == code


def test_a_place_that_no_file_has_is_damage(tmp_path: Path) -> None:
    path = make_slide(tmp_path / "s.svs", 768, 512, downsamples=())
    source = SlideSource(InputFile(path, path.name, "slide"), None)
    native, boxes = source.native, np.array([(0, 0, 64, 64), (512, 256, 64, 64)], np.int32)
    assert native is not None
    (level,) = native.levels
    assert level is not None
    offsets = level.offsets.copy()
    offsets[0] = 2**63 - 100  # the system refuses to read there, as it does on a lost drive
    with pytest.raises(OSError, match=r"Invalid|large"):
        native.file.read(int(offsets[0]), 1000)
    hostile = replace(native, levels=[replace(level, offsets=offsets)], tiles=TileCache())
    source.native = hostile
    assert source.read_tiles(boxes, 64).failed.tolist() == [True, False]
    source.close()


# All of them -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["svs", "png"])
def test_results_of_an_earlier_run_outlive_a_lost_drive(
    model: Path, fake: FakeRuntime, tmp_path: Path, drive: Drive, kind: str
) -> None:
    names = [f"c{index}" for index in range(9)]
    for index, name in enumerate(names):
        file = tmp_path / "in" / f"{name}.{kind}"
        make_field(file, seed=index) if kind == "png" else make_slide(file, 768, 512)
    chosen = options(model, tmp_path / "out", tmp_path / "in")
    run(chosen)
    records = {path: path.read_bytes() for path in tmp_path.glob("out/cases/*/*") if path.is_file()}
    with pytest.raises(MachineError, match="5 cases in a row"):
        scan_and_leave(chosen, drive, *names)
    assert {path: path.read_bytes() for path in records} == records
    table = {row["case_id"]: row for row in rows(tmp_path / "out")}
    assert sorted(table) == names
    failed = [name for name in names if table[name]["status"] == "failed"]
    assert len(failed) == 5
    assert all("earlier run is kept" in table[name]["error_message"] for name in failed)
    drive.leave()
    done = fake.tiles
    assert {result.status for result in results(run(chosen)).values()} == {CaseStatus.OK}
    assert fake.tiles == done  # nothing had to be scored again


def test_a_run_that_ends_does_not_sit_out_its_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lungscan.opening.retrying.wait", wait)
    ending, asked = Event(), []
    ending.set()

    def away() -> None:
        asked.append(1)
        raise UnreadableFile("withheld", code="E_IO")

    with pytest.raises(UnreadableFile):
        patiently(away, ending)
    assert asked == [1]


@pytest.mark.parametrize(("error", "ends"), [(GeneratorExit, True), (ValueError, False)])
def test_only_a_stopped_run_ends_the_pauses(error: type[BaseException], ends: bool) -> None:
    ending = Event()

    def leave() -> None:
        with workers.in_order(abs, range(9)) as numbers:
            next(numbers)
            raise error

    with Workers(2, ending) as workers:
        with workers.in_order(abs, range(9)) as numbers:
            assert list(numbers) == list(range(9))
        assert not ending.is_set()
        with pytest.raises(error):
            leave()
    assert ending.is_set() == ends


@pytest.mark.parametrize("isolate", [False, True])
@pytest.mark.parametrize("kind", ["svs", "png"])
def test_a_drive_that_stays_away_ends_the_run_which_goes_on_later(
    model: Path,
    fake: FakeRuntime,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    isolate: bool,
) -> None:
    monkeypatch.setattr("lungscan.classification.small_cases.FIELDS_PER_JOB", 1)
    folder, out = tmp_path / "in", tmp_path / "out"
    make = make_slide if kind == "svs" else make_field
    names = [f"s{index:02}" for index in range(48 if kind == "png" else 9)]
    make(folder / f"{names[0]}.{kind}")
    for name in names[1:]:
        (folder / f"{name}.{kind}").write_bytes((folder / f"{names[0]}.{kind}").read_bytes())
    chosen = options(model, out, folder, isolate=isolate, threads=1)
    seen: list[CaseFinished] = []

    def watch() -> None:
        for event in scan(chosen):
            if isinstance(event, CaseFinished):
                seen.append(event)
                if len(seen) == 1:
                    folder.rename(tmp_path / "unmounted")
                    folder.mkdir()  # the empty folder that a mount leaves

    with pytest.raises(MachineError, match="then start it again") as caught:
        watch()
    assert caught.value.exit_code == 5
    ends = [event.result.status for event in seen]
    assert ends[-5:] == [CaseStatus.FAILED] * 5
    assert ends[0] is CaseStatus.OK  # and others that were read before the drive went
    assert set(ends[:-5]) <= {CaseStatus.OK, CaseStatus.FAILED}
    assert len(ends) < len(names)
    assert not (out / ".lungscan-lock").exists()
    table = rows(out)
    assert [row["case_id"] for row in table] == names[: len(ends)]
    assert {row["error_code"] for row in table if row["status"] == "failed"} == {"E_IO"}
    kept = {case for case, result in stored(out).items() if result.status is CaseStatus.OK}
    assert len(kept) == ends.count(CaseStatus.OK), "one read ahead may be answered after a failure"
    folder.rmdir()
    (tmp_path / "unmounted").rename(folder)
    events = run(chosen)
    resumed = {e.result.case_id for e in events if isinstance(e, CaseFinished) and e.resumed}
    assert resumed == kept
    assert [row["status"] for row in rows(out)] == ["ok"] * len(names)


def test_few_files_gone_do_not_end_the_run(
    model: Path, fake: FakeRuntime, tmp_path: Path, drive: Drive
) -> None:
    names = [f"f{index}" for index in range(12)]
    for index, name in enumerate(names):
        make_field(tmp_path / "in" / f"{name}.png", seed=index)
    gone = {*names[0:4], *names[5:9]}  # four in a row, twice
    events = scan_and_leave(options(model, tmp_path / "out", tmp_path / "in"), drive, *gone)
    assert any(isinstance(event, RunFinished) for event in events)
    failed = {row["case_id"] for row in rows(tmp_path / "out") if row["status"] == "failed"}
    assert failed == gone
