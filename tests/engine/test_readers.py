"""Child processes that read images: same results, and nothing in a file takes the run along."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from lungscan.errors import UnreadableFile
from lungscan.inputs import discover
from lungscan.model.checked import read_card
from lungscan.opening.choice import open_readers
from lungscan.opening.messages import Close, Job, ReadTiles, Setup
from lungscan.opening.opener import OpenedField, Readers
from lungscan.opening.pool import ReaderPool
from lungscan.opening.process import ReaderProcess
from lungscan.types import InputFile
from tests.engine.scanning import make_field, make_slide, options, results, rows, run
from tests.models import FakeRuntime

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
VOLATILE = {"seconds", "started_utc", "finished_utc", "device"}


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reader processes die, hang or overeat at files called so."""
    monkeypatch.setattr("lungscan.opening.launch.CHILD", "tests.failing_reader")


def steady(out: Path) -> list[dict[str, str]]:
    """``cases.csv`` without what differs from run to run."""
    return [{k: v for k, v in row.items() if k not in VOLATILE} for row in rows(out)]


@contextmanager
def child_and_inside(
    model: Path, path: Path, work: Path
) -> Iterator[tuple[InputFile, Readers, Readers]]:
    """The file at ``path``, with readers in a child process and in this one."""
    card, file = read_card(model), discover((path,)).cases[0].files[0]
    isolated, local = (options(model, work / "out", path, isolate=apart) for apart in (True, False))
    with open_readers(isolated, card, 1) as child, open_readers(local, card, 1) as inside:
        yield file, child, inside


def test_a_child_gives_the_same_bytes(model: Path, fake: FakeRuntime, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    make_slide(folder / "a.svs")
    make_field(folder / "small.png")
    make_field(folder / "large.png", 700, seed=1)
    make_field(folder / "tiff.tif", 300, seed=2)
    for isolate in (False, True):
        run(options(model, tmp_path / str(isolate), folder, isolate=isolate, mpp=0.5, pdf="cases"))
    inside, child = tmp_path / "False", tmp_path / "True"
    assert steady(child) == steady(inside)
    assert {(row["status"], row["error_message"]) for row in rows(child)} == {("ok", "")}
    tables = sorted(path.relative_to(inside) for path in inside.glob("cases/*/tiles.csv"))
    assert len(tables) == 4
    assert all((child / name).read_bytes() == (inside / name).read_bytes() for name in tables)


@pytest.mark.usefixtures("failing")
@pytest.mark.parametrize("kind", ["svs", "png"])
def test_each_way_to_die_is_one_row(
    model: Path, fake: FakeRuntime, tmp_path: Path, kind: str
) -> None:
    make = make_slide if kind == "svs" else make_field
    names = ["a", "abort", "b", "hang", "hog", "killed", "z"]
    names += ["later-abort", "later-hang"] if kind == "svs" else []
    for name in names:
        make(tmp_path / "in" / f"{name}.{kind}")
    chosen = options(model, tmp_path / "out", tmp_path / "in", isolate=True, timeout=3.0)
    found = results(run(chosen))
    codes = {case: found[case].error_code for case in found}
    expected = {
        "a": "", "b": "", "z": "", "abort": "E_CRASH", "killed": "E_CRASH", "hang": "E_TIMEOUT",
        "hog": "E_MEMORY", "later-abort": "E_CRASH", "later-hang": "E_TIMEOUT",
    }  # fmt: skip
    assert codes == {name: expected[name] for name in names}
    assert "SIGABRT" in found["abort"].error_message
    assert "--timeout" in found["hang"].error_message
    assert {row["status"] for row in rows(tmp_path / "out")} == {"ok", "failed"}


@pytest.mark.usefixtures("failing")
def test_a_field_that_found_no_room_beside_others_gets_its_own(
    model: Path, fake: FakeRuntime, tmp_path: Path
) -> None:
    for name in ("a", "b", "crowded", "d"):
        make_field(tmp_path / "in" / f"{name}.png")
    found = results(run(options(model, tmp_path / "out", tmp_path / "in", isolate=True)))
    assert {case: found[case].error_code for case in found} == dict.fromkeys(found, "")
    assert len(found) == 4


def test_no_process_outlives_the_run(model: Path, tmp_path: Path) -> None:
    chosen = options(model, tmp_path / "out", make_slide(tmp_path / "s.svs"), isolate=True)
    file = discover(chosen.paths).cases[0].files[0]
    with open_readers(chosen, read_card(model), 2) as readers:
        assert isinstance(readers, ReaderPool)
        first, second = (readers.plan(file, picture=False) for _ in range(2))
        children = [process.launched.child for process in readers.processes]
        assert len(children) == 2
        assert all(child.poll() is None for child in children)
        first.source.close()
        third = readers.plan(file, picture=False)
        assert len(readers.processes) == 2  # the process that was given back served again
    assert all(child.returncode is not None for child in children)
    for plan in (second, third):
        with pytest.raises(UnreadableFile) as caught:
            plan.source.read_tiles(plan.grid.boxes, 64)
        assert caught.value.code == "E_CRASH"
        plan.source.close()


def test_a_process_that_died_between_files_costs_none(model: Path, tmp_path: Path) -> None:
    slide = make_slide(tmp_path / "s.svs", 768, 512)
    field = make_field(tmp_path / "f.png")
    chosen = options(model, tmp_path / "out", slide, field, isolate=True)
    files = {case.files[0].kind: case.files[0] for case in discover(chosen.paths).cases}
    with open_readers(chosen, read_card(model), 1) as readers:
        assert isinstance(readers, ReaderPool)
        for _ in range(2):
            for process in readers.idle:  # the pool believes them alive for a moment
                os.kill(process.launched.child.pid, signal.SIGSTOP)
                os.kill(process.launched.child.pid, signal.SIGKILL)
            readers.plan(files["slide"], picture=False).source.close()
            for process in readers.idle:
                os.kill(process.launched.child.pid, signal.SIGKILL)
            (opened,) = readers.fields([files["field"]], picture=False)
            assert isinstance(opened, OpenedField)
            opened.plan.source.close()
        assert len(readers.processes) == len(readers.idle)


def test_a_killed_process_that_will_not_die_is_not_waited_for(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lungscan.opening.launch.CHILD", "tests.failing_reader")
    monkeypatch.setattr("lungscan.opening.launch.DEATH_S", 0.2)
    slide = make_slide(tmp_path / "hang.svs", 768, 512)
    chosen = options(model, tmp_path / "out", slide, isolate=True, timeout=0.5)
    file = discover(chosen.paths).cases[0].files[0]
    with open_readers(chosen, read_card(model), 1) as readers:
        assert isinstance(readers, ReaderPool)
        (process,) = readers.processes
        kill = process.launched.child.kill
        process.launched.child.kill = lambda: None  # type: ignore[method-assign]  as on a dead drive
        with pytest.raises(UnreadableFile) as caught:
            readers.plan(file, picture=False)
        assert caught.value.code == "E_TIMEOUT"
        kill()
        process.launched.child.wait()


def test_the_watchdog_ends_a_process_that_takes_no_requests(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One caller waits for an answer while another is stuck handing over a request."""
    monkeypatch.setattr("lungscan.opening.launch.CHILD", "tests.hanging_reader")
    card = read_card(model)
    process = ReaderProcess(Setup(options(model, Path("out"), Path("in")), card), threads=2)
    boxes = np.zeros((100_000, 4), np.int32)  # more than a pipe holds

    def code(job: Job) -> str:
        try:
            process.call(job, 0.5)
        except UnreadableFile as error:
            return error.code
        return ""

    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(code, Close(0))
        while not process.waiting:  # the first must be waiting before the second begins
            time.sleep(0.01)
        stuck = pool.submit(code, ReadTiles(0, boxes, 8, 0))
        assert {waiting.result(30), stuck.result(30)} == {"E_TIMEOUT"}
    process.close()


@pytest.mark.usefixtures("failing")
def test_a_lone_field_is_tried_twice(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    start = ReaderPool.start_process
    monkeypatch.setattr(
        ReaderPool, "start_process", lambda pool, *given: started.append(1) or start(pool, *given)
    )
    make_field(tmp_path / "in" / "abort.png")
    found = results(run(options(model, tmp_path / "out", tmp_path / "in", isolate=True)))
    assert found["abort"].error_code == "E_CRASH"
    assert len(started) == 2


def test_without_nameless_memory_a_file_serves(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    slide = make_slide(tmp_path / "in" / "s.svs", 768, 512)
    with child_and_inside(model, slide, tmp_path) as (file, *both):
        assert len(list(tmp_path.glob("lungscan-*"))) == 1
        plans = [readers.plan(file, picture=False) for readers in both]
        remote, local = (plan.source.read_tiles(plan.grid.boxes, 64) for plan in plans)
        assert (remote.rgb == local.rgb).all()
        for plan in plans:
            plan.source.close()
    assert not list(tmp_path.glob("lungscan-*"))


def test_more_tiles_than_a_slot_holds(model: Path, tmp_path: Path) -> None:
    slide = make_slide(tmp_path / "s.svs", 2048, 1536)
    with child_and_inside(model, slide, tmp_path) as (file, *both):
        plans = [readers.plan(file, picture=True) for readers in both]
        boxes = plans[0].grid.boxes
        assert len(boxes) > 64
        remote, local = (plan.source.read_tiles(boxes, 64) for plan in plans)
        assert (remote.rgb == local.rgb).all()
        assert (remote.valid == local.valid).all()
        assert plans[0].result == plans[1].result
        for plan in plans:
            plan.source.close()


def test_a_reader_that_never_started_is_no_damaged_file(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lungscan.opening.launch.CHILD", "tests.idle_reader")
    make_slide(tmp_path / "in" / "s.svs", 768, 512)
    found = results(run(options(model, tmp_path / "out", tmp_path / "in", isolate=True)))["s"]
    assert found.error_code == "E_CRASH"
    assert "did not start" in found.error_message
    assert "damaged" not in found.error_message
