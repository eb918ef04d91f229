"""When the machine refuses: a full disk ends one job or one upload, and the page goes on."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lungscan.errors import MachineError
from lungscan_web.jobs.folder import PrivateFolder, sweep
from lungscan_web.jobs.messages import Message, Taken
from lungscan_web.jobs.records import JobState
from tests.web.serving import SMALL, FakeProcess, Rehearsal, wait
from tests.web.test_jobs_desk import Bureau


@pytest.fixture
def bureau(tmp_path: Path, rehearsal: Rehearsal) -> Iterator[Bureau]:
    made = Bureau(tmp_path, rehearsal)
    yield made
    made.desk.close()


ANY = "*"


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of folders that cannot be made, as on a full disk; ``ANY`` stands for all."""
    names: set[str] = set()
    make = Path.mkdir

    def mkdir(path: Path, *args: Any, **more: Any) -> None:
        if names & {path.name, ANY}:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        make(path, *args, **more)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    return names


def test_a_full_disk_fails_a_job_and_the_next_ones_go_on(bureau: Bureau, full: set[str]) -> None:
    full.add("view")
    for _ in range(SMALL.at_once + 1):
        failed = bureau.until(bureau.give(), JobState.FAILED)
        assert failed.code == "E_IO"
        assert "No space left on device" in failed.message
        assert str(bureau.folder.path) not in failed.message
    wait(lambda: not bureau.desk.computing)
    assert not any(process.alive for process in bureau.rehearsal.made if process.task)
    full.clear()
    bureau.until(bureau.give(), JobState.FINISHED)


def test_what_nobody_foresaw_ends_one_job(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(_: FakeProcess) -> Iterator[Message]:
        yield Taken("key-0")
        raise KeyError("patient-name.svs")

    with monkeypatch.context() as patched:
        patched.setattr(FakeProcess, "events", lost)
        failed = bureau.until(bureau.give(), JobState.FAILED)
    assert failed.code == "E_UNEXPECTED"
    assert "KeyError" in failed.message
    assert "patient-name" not in failed.message
    bureau.until(bureau.give(), JobState.FINISHED)


@pytest.mark.parametrize("refused", [ANY, "in", "0001"])
def test_an_upload_that_the_disk_refuses_counts_no_longer(
    bureau: Bureau, full: set[str], refused: str
) -> None:
    full.add(refused)
    for _ in range(SMALL.jobs_in_hand + 1):
        with pytest.raises(MachineError, match="No space left") as told:
            bureau.give()
        assert str(bureau.folder.path) not in str(told.value)
    full.clear()
    assert [path.name for path in bureau.folder.path.iterdir()] == [".lock"]
    bureau.until(bureau.give(), JobState.FINISHED)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a file that is always full")
@pytest.mark.parametrize("whole", [True, False])
def test_last_bytes_that_the_disk_refuses_leave_no_file(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    real = Path.open
    with bureau.desk.intake("kim") as intake:
        with monkeypatch.context() as patched:
            patched.setattr(Path, "open", lambda *_: real(Path("/dev/full"), "wb"))
            intake.begin("x.png")
        intake.write(b"x")
        if whole:
            with pytest.raises(MachineError, match="No space left"):
                intake.end()
    assert [path.name for path in bureau.folder.path.iterdir()] == [".lock"]


def test_a_living_page_s_folder_is_kept_from_those_who_clean(bureau: Bureau) -> None:
    page, lock = bureau.folder.path, bureau.folder.path / ".lock"
    ages_ago = time.time() - 30 * 86_400
    for path in (lock, page):
        os.utime(path, (ages_ago, ages_ago))
    wait(lambda: min(lock.stat().st_mtime, page.stat().st_mtime) > ages_ago + 1)
    lock.unlink()
    wait(lock.exists)
    os.utime(page, (ages_ago, ages_ago))
    assert sweep(page.parent) == 0  # a start elsewhere
    assert [path.name for path in page.iterdir()] == [".lock"]
    bureau.until(bureau.give(), JobState.FINISHED)


def test_a_folder_that_somebody_deleted_is_no_reason_to_fall(tmp_path: Path) -> None:
    folder = PrivateFolder(tmp_path)
    (folder.path / ".lock").unlink()
    folder.path.rmdir()
    folder.keep()
    with pytest.raises(MachineError, match="could not be stored"):
        folder.new()
    folder.close()
