"""The output folder: found again, tidied, forgotten, and held by one run at a time."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lungscan.errors import MachineError, OutputLocked
from lungscan.inputs import sha256_of
from lungscan.layout import LOCK
from lungscan.results import windows_process
from lungscan.results.case_json import to_json
from lungscan.results.lock import output_lock, refuse_if_locked, shard_lock
from lungscan.results.store import RunStore
from lungscan.types import CaseInput, CaseResult, CaseStatus, InputFile
from tests.engine.scanning import files_below
from tests.results import field_result, slide_result

# Finding again ----------------------------------------------------------------------------------


@pytest.fixture
def case(tmp_path: Path) -> CaseInput:
    path = tmp_path / "in.png"
    path.write_bytes(b"picture")
    return CaseInput("in-0123abcd", "in", (InputFile(path, "in.png", "field"),))


def put(store: RunStore, case: CaseInput, **changes: object) -> CaseResult:
    """Store a finished record of the case."""
    base = field_result()
    digest = sha256_of(case.files[0])
    files = (replace(base.files[0], sha256=digest, thumbnail_jpeg=b"jpeg"),)
    result = replace(
        base, key=case.key, case_id=case.case_id, files=files, status=CaseStatus.OK,
        settings_hash="s", **changes,
    )  # type: ignore[arg-type]  # fmt: skip
    folder = store.folder(case.key)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "case.json").write_bytes(to_json(result))
    return result


def test_a_finished_case_is_found_again(tmp_path: Path, case: CaseInput) -> None:
    store = RunStore(tmp_path / "out")
    assert store.finished(case, "m", "s", pictures=False) is None
    result = put(store, case)
    model = result.model.sha256
    found = store.finished(case, model, "s", pictures=True)
    assert found is not None
    assert to_json(found) == to_json(result)
    assert store.finished(case, "other model", "s", pictures=False) is None
    assert store.finished(case, model, "other settings", pictures=False) is None
    assert store.finished(replace(case, case_id="x"), model, "s", pictures=False) is None
    case.files[0].path.write_bytes(b"another picture")
    assert store.finished(case, model, "s", pictures=False) is None
    case.files[0].path.unlink()
    assert store.finished(case, model, "s", pictures=False) is None


@pytest.mark.parametrize("status", [CaseStatus.FAILED, CaseStatus.PARTIAL, CaseStatus.SKIPPED])
def test_what_did_not_end_well_is_tried_again(
    tmp_path: Path, case: CaseInput, status: CaseStatus
) -> None:
    store = RunStore(tmp_path / "out")
    result = put(store, case)
    (store.folder(case.key) / "case.json").write_bytes(to_json(replace(result, status=status)))
    assert store.finished(case, result.model.sha256, "s", pictures=False) is None


def test_a_record_without_pictures_will_not_do_where_they_are_needed(
    tmp_path: Path, case: CaseInput
) -> None:
    store = RunStore(tmp_path / "out")
    result = put(store, case)
    bare = replace(result, files=(replace(result.files[0], thumbnail_jpeg=None),))
    (store.folder(case.key) / "case.json").write_bytes(to_json(bare))
    assert store.finished(case, result.model.sha256, "s", pictures=True) is None
    assert store.finished(case, result.model.sha256, "s", pictures=False) is not None


def test_damaged_and_foreign_records_are_no_results(tmp_path: Path, case: CaseInput) -> None:
    store = RunStore(tmp_path / "out")
    result = put(store, case)
    path = store.folder(case.key) / "case.json"
    data = path.read_bytes()
    other = to_json(replace(slide_result(), key="another-0123abcd"))
    for damaged in (b"", data[:-10], b"[]", b"\x80\x04", other):
        path.write_bytes(damaged)
        assert store.finished(case, result.model.sha256, "s", pictures=False) is None


# Removing ---------------------------------------------------------------------------------------


def fill(out: Path, *names: str) -> None:
    for name in names:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(b"x")


OURS = (
    "cases.csv", "summary.pdf", "run.json", "lungscan.sha256", ".lungscan-0123456789ab.tmp",
    "cases/a-0123abcd/lungscan.sha256",
    "cases/a-0123abcd/case.json", "cases/a-0123abcd/tiles.csv", "cases/a-0123abcd/tiles-2.geojson",
    "cases/a-0123abcd/heatmap.png", "cases/a-0123abcd/report.pdf", "cases/b-0123abcd/case.json",
)  # fmt: skip
THEIRS = {
    "notes.txt", "slides/case.json", "cases/mine/report.pdf", "cases/slide.svs",
    "cases/b-0123abcd/remarks.docx", "cases.csv.bak", "tiles.csv", "SHA256SUMS", "cases (1).csv",
}  # fmt: skip


def test_fresh_removes_ours_and_nothing_else(tmp_path: Path) -> None:
    fill(tmp_path, *OURS, *THEIRS)
    RunStore(tmp_path).forget()
    assert files_below(tmp_path) == THEIRS
    assert not (tmp_path / "cases" / "a-0123abcd").exists()


def test_fresh_does_not_follow_links(tmp_path: Path) -> None:
    fill(tmp_path, "away/case.json")
    (tmp_path / "out" / "cases").mkdir(parents=True)
    (tmp_path / "out" / "cases" / "x-0123abcd").symlink_to(tmp_path / "away")
    RunStore(tmp_path / "out").forget()
    assert (tmp_path / "away" / "case.json").exists()


def test_forgetting_nothing_is_no_trouble(tmp_path: Path) -> None:
    RunStore(tmp_path / "none").forget()
    RunStore(tmp_path / "none").tidy()
    RunStore(tmp_path / "none").clear("k", stale=True)
    assert not (tmp_path / "none").exists()


def test_clear_keeps_the_record_and_what_is_not_ours(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    fill(
        tmp_path, *OURS, "cases/a-0123abcd/mine.txt", "cases/a-0123abcd/.lungscan-0123456789ab.tmp"
    )
    store.clear("a-0123abcd", stale=False)
    assert len(files_below(store.folder("a-0123abcd"))) == 7
    store.clear("a-0123abcd", stale=True)
    assert files_below(store.folder("a-0123abcd")) == {"case.json", "mine.txt"}


def test_what_may_not_be_removed_is_a_trouble_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "cases.csv")

    def denied(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", denied)
        with pytest.raises(MachineError, match=r"cases\.csv"):
            RunStore(tmp_path).forget()


# The lock ---------------------------------------------------------------------------------------


def write_lock(out: Path, **owner: object) -> None:
    out.mkdir(exist_ok=True)
    (out / LOCK).write_text(json.dumps({"pid": 1, "host": socket.gethostname()} | owner))


def test_the_lock_is_held_and_let_go(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    with output_lock(out):
        assert json.loads((out / LOCK).read_text())["pid"] == os.getpid()
        with pytest.raises(OutputLocked) as caught, output_lock(out):
            pytest.fail("two runs hold one folder")
        assert caught.value.exit_code == 6
        assert str(out) in str(caught.value)
    assert files_below(out) == set()
    with pytest.raises(ZeroDivisionError), output_lock(out):
        raise ZeroDivisionError
    assert files_below(out) == set()


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import os; print(os.getpid())"],
        check=True,
        capture_output=True,
        text=True,
    )
    write_lock(tmp_path, pid=int(done.stdout))
    with output_lock(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()


def test_a_lock_with_our_own_number_from_an_earlier_life_is_taken_over(tmp_path: Path) -> None:
    # In a container each run may get the same number.
    write_lock(tmp_path, pid=os.getpid())
    with output_lock(tmp_path):
        pass


class Kernel:
    """Windows' answers about one process: its exit code, or why it cannot be opened."""

    def __init__(self, code: int | None = None, error: int = 0) -> None:
        self.code, self.error, self.open = code, error, 0

    def OpenProcess(self, access: int, inherit: int, pid: int) -> int:  # noqa: N802
        self.open += self.code is not None
        return self.open

    def GetExitCodeProcess(self, handle: int, into: Any) -> int:  # noqa: N802
        ctypes.cast(into, ctypes.POINTER(ctypes.c_ulong)).contents.value = self.code
        return 1

    def CloseHandle(self, handle: int) -> int:  # noqa: N802
        self.open -= 1
        return 1


@pytest.mark.parametrize(
    ("kernel", "pid", "ended"),
    [
        (Kernel(error=87), 4711, True),  # nobody has the number
        (Kernel(code=1), 4711, True),  # ended, but somebody holds it open
        (Kernel(code=259), 4711, False),
        (Kernel(error=5), 4711, False),  # somebody else's
        (Kernel(error=87), 10**30, False),
        (Kernel(error=87), 0, False),
    ],
)
def test_what_windows_tells_of_a_process(kernel: Kernel, pid: int, ended: bool) -> None:
    assert windows_process.has_ended(pid, kernel, lambda: kernel.error) is ended
    assert kernel.open == 0


@pytest.mark.parametrize(
    "owner",
    [{"pid": os.getppid()}, {"host": "elsewhere", "pid": 2**22}, {"pid": 10**30}, {"pid": "x"}],
)
def test_a_lock_that_may_be_alive_is_respected(tmp_path: Path, owner: dict[str, object]) -> None:
    write_lock(tmp_path, **owner)
    with pytest.raises(OutputLocked, match="remove"), output_lock(tmp_path):
        pytest.fail("the lock was ignored")
    assert (tmp_path / LOCK).exists()


def test_a_lock_that_says_nothing_is_respected_for_a_while(tmp_path: Path) -> None:
    lock = tmp_path / LOCK
    lock.write_text("")
    with pytest.raises(OutputLocked), output_lock(tmp_path):
        pytest.fail("the lock was ignored")
    os.utime(lock, (1_000_000_000, 1_000_000_000))  # its maker was killed before it wrote
    with output_lock(tmp_path):
        assert json.loads(lock.read_text())["pid"] == os.getpid()
    lock.write_text("nonsense")
    os.utime(lock, (1_000_000_000, 1_000_000_000))
    with pytest.raises(OutputLocked), output_lock(tmp_path):
        pytest.fail("the lock was ignored")


def test_the_message_names_the_first_run(tmp_path: Path) -> None:
    write_lock(tmp_path, pid=4711, host="ward-\x1b[2J", started_utc="2026-01-31T10:00:00+00:00")
    with pytest.raises(OutputLocked) as caught, output_lock(tmp_path):
        pytest.fail("the lock was ignored")
    text = r"process 4711 on ward-\u001b[2J, begun 2026-01-31T10:00:00+00:00. Wait"
    assert text in str(caught.value)
    (tmp_path / LOCK).unlink()
    with output_lock(tmp_path), pytest.raises(OutputLocked) as caught, output_lock(tmp_path):
        pytest.fail("two runs hold one folder")
    assert f"process {os.getpid()} on {socket.gethostname()}, begun 20" in str(caught.value)


def test_asking_for_the_lock_takes_nothing(tmp_path: Path) -> None:
    refuse_if_locked(tmp_path)
    assert files_below(tmp_path) == set()
    with output_lock(tmp_path), pytest.raises(OutputLocked):
        refuse_if_locked(tmp_path)
    write_lock(tmp_path, pid=os.getpid())  # of an earlier life
    refuse_if_locked(tmp_path)
    assert files_below(tmp_path) == {LOCK}


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells this in /proc")


@pytest.fixture
def neighbour() -> Iterator[subprocess.Popen[bytes]]:
    """Another process that lives."""
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as child:
        yield child
        child.kill()


@linux
def test_a_number_given_to_another_process_is_recognised(
    tmp_path: Path, neighbour: subprocess.Popen[bytes]
) -> None:
    with output_lock(tmp_path):
        owner = json.loads((tmp_path / LOCK).read_text())
    assert all(owner[name] for name in ("boot", "namespace", "born"))
    fields = Path(f"/proc/{neighbour.pid}/stat").read_text().rpartition(")")[2].split()
    owner |= {"pid": neighbour.pid, "born": fields[19]}
    write_lock(tmp_path, **owner)  # the very process that holds it
    with pytest.raises(OutputLocked), output_lock(tmp_path):
        pytest.fail("the lock was ignored")
    write_lock(tmp_path, **owner | {"born": str(int(fields[19]) - 1)})
    with output_lock(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()


@linux
@pytest.mark.parametrize(
    ("changes", "stale"),
    [
        ({"boot": "an earlier start of the machine"}, True),
        ({"boot": ""}, False),
        ({"namespace": "pid:[1]"}, False),  # another container may still run
        ({"namespace": "pid:[1]", "pid": 2**22}, False),
        ({"boot": "another", "host": "elsewhere"}, False),
        ({"born": ""}, False),
    ],
    ids=str,
)
def test_what_a_lock_tells_of_machine_and_container(
    tmp_path: Path, neighbour: subprocess.Popen[bytes], changes: dict[str, object], stale: bool
) -> None:
    with output_lock(tmp_path):
        owner = json.loads((tmp_path / LOCK).read_text())
    born = Path(f"/proc/{neighbour.pid}/stat").read_text().rpartition(")")[2].split()[19]
    write_lock(tmp_path, **owner | {"pid": neighbour.pid, "born": born} | changes)
    if stale:
        with output_lock(tmp_path):
            pass
    else:
        with pytest.raises(OutputLocked), output_lock(tmp_path):
            pytest.fail("the lock was ignored")


@linux
def test_a_process_with_an_odd_name_is_read_right(tmp_path: Path) -> None:
    program = tmp_path / "a ) b (1"
    program.symlink_to(sys.executable)
    script = "from lungscan.results.lock_owner import _born; import os; print(_born(os.getpid()))"
    done = subprocess.run(
        [program, "-c", f"import sys; sys.path[:0] = {sys.path!r}; {script}"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert int(done.stdout) > 0


def test_a_disk_too_full_for_the_lock_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("lungscan.results.lock.json.dump", full)
        with pytest.raises(MachineError, match="full"), output_lock(tmp_path):
            pytest.fail("the lock was taken")
    assert files_below(tmp_path) == set()


# Two that take over one lock ---------------------------------------------------------------------

DEAD = {"pid": 2**22 + 1}  # no process has such a number
ELSEWHERE = {"host": "elsewhere"}  # of another machine, so nobody may call it dead


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let ``act`` happen once a lock was judged to be stale, before anything is done about it."""
    honest, acts = Path.replace, [act]

    def replace(self: Path, target: Path) -> Path:
        if acts:
            acts.pop()()
        return honest(self, target)

    monkeypatch.setattr(Path, "replace", replace)


def test_a_lock_taken_over_by_another_process_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lock(tmp_path, **DEAD)
    meanwhile(monkeypatch, lambda: write_lock(tmp_path, **ELSEWHERE))
    with pytest.raises(OutputLocked, match="elsewhere"), output_lock(tmp_path):
        pytest.fail("two processes hold one folder")
    assert json.loads((tmp_path / LOCK).read_text())["host"] == "elsewhere"
    assert files_below(tmp_path) == {LOCK}


@pytest.mark.parametrize("shards", [False, True])
def test_a_lock_that_could_not_be_put_back_still_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shards: bool
) -> None:
    # A third process took the free place, or the disk has no links.
    write_lock(tmp_path, pid=os.getpid())  # of an earlier life
    meanwhile(monkeypatch, lambda: write_lock(tmp_path, **ELSEWHERE))

    def no_links(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(OutputLocked, match="elsewhere"), output_lock(tmp_path):
        pytest.fail("two processes hold one folder")
    held = shard_lock(tmp_path, 3) if shards else output_lock(tmp_path)
    with pytest.raises(OutputLocked, match="elsewhere"), held:
        pytest.fail("two processes hold one folder")
    (left,) = files_below(tmp_path)
    assert left.startswith(f"{LOCK}.")
    with pytest.raises(OutputLocked, match="elsewhere"):
        refuse_if_locked(tmp_path)


def test_what_a_killed_process_set_aside_is_removed(tmp_path: Path) -> None:
    write_lock(tmp_path, pid=os.getpid())  # of an earlier life
    (tmp_path / LOCK).rename(tmp_path / f"{LOCK}.0123456789ab")
    with output_lock(tmp_path):
        assert files_below(tmp_path) == {LOCK}
        (tmp_path / LOCK).rename(tmp_path / f"{LOCK}.0123456789ab")  # by another, just now
        with pytest.raises(OutputLocked), output_lock(tmp_path):
            pytest.fail("two runs hold one folder")
    assert files_below(tmp_path) == set()
