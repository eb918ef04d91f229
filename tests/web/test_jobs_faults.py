"""When the machine refuses: a full disk ends one job or one upload, and the page goes on."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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
