"""A folder that is watched: slides arriving, growing, renamed, removed; restarts; drives away."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lungscan.errors import MachineError, OutputLocked, UsageProblem
from lungscan.events import CaseFinished, RunFinished
from lungscan.inputs.parts import PartFinder
from lungscan.options import ScanOptions
from lungscan.report.write import rebuild
from lungscan.results.lock import output_lock
from lungscan.scanning.scan import scan
from lungscan.scanning.watching.watch import watch
from lungscan.verification.verify import AMISS, verify
from tests.engine.scanning import make_field, make_slide, rows, stored
from tests.engine.watching import Clock, Pauses, Step, ended, follow, ids, nothing, notices
from tests.models import FakeRuntime


def test_slides_are_taken_as_they_come_and_once(chosen: ScanOptions, clock: Clock) -> None:
    (folder,) = chosen.paths
    events = follow(
        chosen,
        clock,
        lambda: make_field(folder / "b.png", seed=1) and None,
        lambda: make_slide(folder / "s.svs", 640, 512) and None,
        lambda: make_field(folder / "a.png", seed=2) and None,
    )
    assert ended(events) == ["b", "s", "a"]
    assert ids(chosen.out) == ["a", "b", "s"]
    assert [e.ok + e.no_result for e in events if isinstance(e, RunFinished)] == [1, 2, 3]
    assert notices(events)[0] == f"Waiting for images in {folder}."
    assert not any(check.state in AMISS for check in verify(chosen.out))
    assert not (chosen.out / ".lungscan-lock").exists()


def test_the_tables_are_those_of_one_run_over_the_folder(
    chosen: ScanOptions, clock: Clock, tmp_path: Path
) -> None:
    (folder,) = chosen.paths

    def come(name: str, seed: int) -> Step:
        return lambda: make_field(folder / name, seed=seed) and None

    follow(chosen, clock, come("c/2.png", 1), come("c10.png", 2), come("c/10.png", 3))
    list(scan(replace(chosen, watch=False, out=tmp_path / "one")))
    one = [{**row, "seconds": ""} for row in rows(tmp_path / "one")]
    assert [{**row, "seconds": ""} for row in rows(chosen.out)] == one
    records = [out.joinpath("run.json").read_text() for out in (chosen.out, tmp_path / "one")]
    keys = [text[text.index('"case_keys"') :].splitlines()[0] for text in records]
    assert keys[0] == keys[1]


def test_a_growing_slide_waits_until_it_stands_still(chosen: ScanOptions, clock: Clock) -> None:
    (folder,) = chosen.paths
    whole = make_slide(folder.parent / "whole.svs", 768, 640).read_bytes()
    growing = folder / "s.svs"
    size = [0]

    def grow() -> None:
        size[0] = min(len(whole), size[0] + len(whole) // 10 + 1)
        growing.write_bytes(whole[: size[0]])

    steps = [one for _ in range(10) for one in (grow, nothing, nothing, nothing)]  # 8 s apart
    events = list(watch(chosen, stop=Pauses(clock, iter([*steps, *[nothing] * 8]))))
    assert ended(events) == ["s"]
    assert rows(chosen.out)[0]["status"] in {"ok", "no_result"}
    texts = notices(events)
    assert "Waiting for 1 image that is still being written, and for more in" in texts[1]
    assert len(texts) == 3  # each thing is said once


def test_an_empty_file_is_waited_for_and_has_failed_after_minutes(
    chosen: ScanOptions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was waited for without end, so that a copy that broke off stood in no table."""
    monkeypatch.setattr("lungscan.scanning.watching.settling.EMPTY_S", 40.0)
    (folder,) = chosen.paths
    seen: list[bool] = []

    def look() -> None:
        seen.append((chosen.out / "cases.csv").exists())

    def begin() -> None:
        (folder / "lost.svs").touch()
        (folder / "slow.png").touch()

    events = follow(
        chosen,
        clock,
        begin,
        lambda: make_field(folder / "slow.png") and look(),
        *[nothing] * 2,
    )
    assert seen == [False]
    assert ended(events) == ["slow", "lost"]
    messages = [row["error_message"] for row in rows(chosen.out)]
    assert messages == ["lost.svs is empty; copy it again from its source.", ""]


def test_a_slide_that_grows_after_all_is_classified_again(
    chosen: ScanOptions, clock: Clock
) -> None:
    (folder,) = chosen.paths
    picture = make_field(folder.parent / "p.png").read_bytes()
    field = folder / "f.png"
    events = follow(
        chosen,
        clock,
        lambda: field.write_bytes(picture[: len(picture) // 2]) and None,
        lambda: field.write_bytes(picture) and None,
    )
    assert ended(events) == ["f", "f"]
    assert [row["status"] for row in rows(chosen.out)] == ["ok"]


def test_a_renamed_slide_keeps_its_answer_and_its_row_moves(
    chosen: ScanOptions, clock: Clock, fake: FakeRuntime, tmp_path: Path
) -> None:
    (folder,) = chosen.paths
    calls: list[int] = []

    def rename() -> None:
        calls.append(fake.calls)
        (folder / "done").mkdir()
        (folder / "a.svs").rename(folder / "done" / "z.svs")

    events = follow(
        chosen,
        clock,
        lambda: make_slide(folder / "a.svs", 640, 512) and make_field(folder / "b.png") and None,
        rename,
    )
    assert fake.calls == calls[0]  # nothing was computed again
    assert ended(events) == ["b", "a", "z"]
    assert ids(chosen.out) == ["b", "z"]
    assert set(stored(chosen.out)) == {"b", "z"}  # nor does `lungscan report` bring it back
    list(scan(replace(chosen, watch=False, out=tmp_path / "one")))
    for made in (tmp_path / "one" / "cases").glob("z-*/*"):
        if made.name not in {"case.json", "lungscan.sha256", "report.pdf"}:
            assert (
                chosen.out / made.relative_to(tmp_path / "one")
            ).read_bytes() == made.read_bytes()


def test_a_copy_is_no_renamed_file(chosen: ScanOptions, clock: Clock) -> None:
    (folder,) = chosen.paths
    follow(
        chosen,
        clock,
        lambda: make_field(folder / "a.png") and None,
        lambda: shutil.copy2(folder / "a.png", folder / "b.png") and None,
    )
    assert ids(chosen.out) == ["a", "b"]


def test_another_slide_of_the_same_size_and_time_is_not_taken_for_a_renamed_one(
    chosen: ScanOptions, clock: Clock
) -> None:
    (folder,) = chosen.paths
    (folder / "a.bmp").parent.mkdir(exist_ok=True)
    make_field(folder.parent / "a.bmp", seed=1)
    make_field(folder.parent / "b.bmp", seed=2)

    def put(name: str) -> None:
        shutil.copy2(folder.parent / name, folder / name)
        __import__("os").utime(folder / name, (1e9, 1e9))

    events = follow(
        chosen,
        clock,
        lambda: put("a.bmp"),
        lambda: (folder / "a.bmp").unlink() or put("b.bmp"),
    )
    assert ended(events) == ["a", "b"]
    assert ids(chosen.out) == ["a", "b"]
    assert rows(chosen.out)[0]["sha256"] != rows(chosen.out)[1]["sha256"]


def test_a_removed_slide_keeps_its_row(chosen: ScanOptions, clock: Clock) -> None:
    (folder,) = chosen.paths
    events = follow(
        chosen,
        clock,
        lambda: make_field(folder / "b.png", seed=1) and None,
        (folder / "b.png").unlink,
        lambda: make_field(folder / "c.png", seed=2) and None,
        lambda: make_field(folder / "a.png", seed=3) and None,
    )
    assert ended(events) == ["b", "c", "a"]
    assert ids(chosen.out) == ["a", "b", "c"]
    assert rebuild(chosen.out).cases == 3


def test_a_broken_file_that_is_taken_away_leaves_no_row(chosen: ScanOptions, clock: Clock) -> None:
    (folder,) = chosen.paths
    follow(
        chosen,
        clock,
        lambda: (
            (folder / "bad.png").write_bytes(b"no picture")
            and make_field(folder / "a.png")
            and None
        ),
        (folder / "bad.png").unlink,
    )
    assert ids(chosen.out) == ["a"]
    assert set(stored(chosen.out)) == {"a"}


def test_a_restart_reads_nothing_again(
    chosen: ScanOptions, clock: Clock, fake: FakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder,) = chosen.paths
    for index in range(3):
        make_field(folder / f"{index}.png", seed=index)
    follow(chosen, clock)
    (folder / "1.png").unlink()
    monkeypatch.setattr(
        "lungscan.results.store.sha256_of", lambda file: pytest.fail("it was hashed")
    )
    assert ended(follow(chosen, clock)) == []
    monkeypatch.undo()
    monkeypatch.setattr("lungscan.classification.loading.load_runtime", lambda *_: fake)
    monkeypatch.setattr("lungscan.scanning.watching.watch.time", clock)
    events = follow(chosen, clock, lambda: make_field(folder / "9.png", seed=9) and None)
    assert ended(events) == ["9"]
    assert ids(chosen.out) == ["0", "1", "2", "9"]


def test_a_restart_with_other_settings_classifies_again(chosen: ScanOptions, clock: Clock) -> None:
    (folder,) = chosen.paths
    make_field(folder / "a.png")
    follow(chosen, clock)
    assert ended(follow(replace(chosen, overlap=0.25), clock)) == ["a"]


def test_a_damaged_memory_costs_only_time(chosen: ScanOptions, clock: Clock) -> None:
    (folder,) = chosen.paths
    make_field(folder / "a.png")
    follow(chosen, clock)
    (chosen.out / ".lungscan-watch.json").write_text('{"schema_version": 1, "looks": {"a": 7}}')
    events = follow(chosen, clock)
    assert [event.resumed for event in events if isinstance(event, CaseFinished)] == [True]


def test_files_emptied_by_a_power_cut_are_made_again(chosen: ScanOptions, clock: Clock) -> None:
    make_slide(chosen.paths[0] / "s.svs", 640, 512)
    follow(chosen, clock)
    (table,) = chosen.out.glob("cases/*/tiles.csv")
    before = table.read_bytes()
    table.write_bytes(b"")
    assert ended(follow(chosen, clock)) == ["s"]
    assert table.read_bytes() == before


def test_a_drive_that_goes_away_is_waited_for(chosen: ScanOptions, clock: Clock) -> None:
    (folder,) = chosen.paths
    make_field(folder / "a.png")
    away = folder.parent / "away"
    events = follow(
        chosen,
        clock,
        (lambda: folder.rename(away) and None),
        folder.mkdir,  # the mount point of a share that is away
        (lambda: folder.rmdir() or (away.rename(folder) and None)),
        lambda: make_field(folder / "b.png", seed=1) and None,
    )
    assert ended(events) == ["a", "b"]
    assert notices(events).count(f"Waiting for {folder}: it is away or empty.") == 1
    assert ids(chosen.out) == ["a", "b"]


def test_a_drive_that_fails_during_the_search_is_waited_for(
    chosen: ScanOptions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder,) = chosen.paths
    make_field(folder / "a.png")
    honest, fails = PartFinder.parts_of, list[bool]()

    def parts_of(self: PartFinder, path: Path) -> tuple[Path, ...]:
        if fails:
            raise OSError(5, "Input/output error", str(path))
        return honest(self, path)

    monkeypatch.setattr(PartFinder, "parts_of", parts_of)
    come = lambda: make_field(folder / "b.png", seed=1) and None  # noqa: E731
    events = follow(chosen, clock, lambda: fails.append(True), come, fails.clear)
    assert ended(events) == ["a", "b"]
    assert notices(events).count(f"Waiting for {folder}: it is away or empty.") == 1
    fails.append(True)
    with pytest.raises(MachineError, match=r"search for images failed at .*a\.png"):
        next(watch(chosen))


def test_a_full_disk_is_waited_for(
    chosen: ScanOptions, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder,) = chosen.paths
    make_field(folder / "a.png")
    honest = Path.replace
    full = [True]

    def replace_file(self: Path, target: Path) -> Path:
        if full[0]:
            raise OSError(28, "No space left on device")
        return honest(self, target)

    monkeypatch.setattr(Path, "replace", replace_file)
    spaced = [nothing] * 30
    events = follow(
        chosen, clock, *spaced[:3], lambda: full.clear() or full.append(False), *spaced[:4]
    )
    assert [text for text in notices(events) if "disk is full" in text]
    assert ids(chosen.out) == ["a"]


def test_nothing_there_at_the_start_is_a_mistake(chosen: ScanOptions, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="no file or folder"):
        next(watch(replace(chosen, paths=(tmp_path / "typo",))))


def test_the_folder_of_results_is_held_while_watching(chosen: ScanOptions, clock: Clock) -> None:
    def try_it() -> None:
        with pytest.raises(OutputLocked), output_lock(chosen.out):
            pytest.fail("somebody else wrote there")

    follow(chosen, clock, try_it)


def test_results_within_the_watched_folder_are_no_images(
    chosen: ScanOptions, clock: Clock, fake: FakeRuntime
) -> None:
    (folder,) = chosen.paths
    make_slide(folder / "s.svs", 640, 512)
    inside = replace(chosen, out=folder / "results", heatmap=True, pdf="auto")
    assert ended(follow(inside, clock, nothing, nothing)) == ["s"]
    assert ids(inside.out) == ["s"]


def test_pseudonyms(chosen: ScanOptions, clock: Clock, tmp_path: Path) -> None:
    (folder,) = chosen.paths
    names = tmp_path / "names.csv"
    follow(
        replace(chosen, deidentify=True, names=names),
        clock,
        lambda: make_field(folder / "Miller.png", seed=1) and None,
        (lambda: (folder / "Miller.png").rename(folder / "Smith.png") and None),
        lambda: make_field(folder / "Jones.png", seed=2) and None,
    )
    assert len(ids(chosen.out)) == 2
    assert all(name.startswith("case-") for name in ids(chosen.out))
    with names.open(encoding="utf-8") as file:
        assert {row["original_path"] for row in csv.DictReader(file)} == {
            "in/Smith.png",
            "in/Jones.png",
        }
