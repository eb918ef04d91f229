"""The desk without a server: turns, limits, cancel, the page that is gone, deletion."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from lungscan.errors import MachineError
from lungscan_web.jobs.desk import Desk
from lungscan_web.jobs.folder import PREFIX, PrivateFolder, sweep
from lungscan_web.jobs.limits import Limits, NotHere, Refused, TooLarge, TooMany
from lungscan_web.jobs.ready import Ready
from lungscan_web.jobs.records import Choice, Job, JobState, Pace, progress_of, words_of
from lungscan_web.jobs.turns import Turns
from tests.web.serving import SMALL, Rehearsal, wait
from tests.web.test_jobs_archives import zipped

CHOICE = Choice("tiny")


class Clock:
    """Time as a test wants it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Bureau:
    """A desk, its clock, and short ways to use it."""

    def __init__(self, base: Path, rehearsal: Rehearsal, limits: Limits = SMALL) -> None:
        self.clock, self.rehearsal, self.forgotten = Clock(), rehearsal, list[str]()
        self.folder = PrivateFolder(base)
        self.desk = Desk(
            limits, self.folder, start=rehearsal.start, clock=self.clock,
            forgotten=self.forgotten.append,
        )  # fmt: skip

    def give(self, visitor: str = "kim", *files: tuple[str, bytes]) -> Job:
        """A job of these files."""
        with self.desk.intake(visitor) as intake:
            for name, data in files or (("x.png", b"x"),):
                intake.begin(name)
                intake.write(data)
            intake.unpack()
            return self.desk.submit(visitor, intake, CHOICE)

    def until(self, job: Job, state: JobState) -> Job:
        """The job, once it is so far."""
        found: Job = wait(lambda: now if (now := self.desk.look(job.id)).state is state else None)
        return found

    def gone(self, job: Job) -> bool:
        """Whether nothing is left of it."""
        try:
            self.desk.look(job.id)
        except NotHere:
            return not job.folder.exists()
        return False


@pytest.fixture
def bureau(tmp_path: Path, rehearsal: Rehearsal) -> Iterator[Bureau]:
    made = Bureau(tmp_path, rehearsal)
    yield made
    made.desk.close()


def test_a_job_comes_to_its_end_and_says_how_far_it_is(bureau: Bureau) -> None:
    job = bureau.until(bureau.give("kim", ("a.png", b"1"), ("a.png", b"2")), JobState.FINISHED)
    assert job.names == ("a.png", "a.png")
    assert [(c.name, c.state, c.status, c.headline) for c in job.cases] == [
        ("a", "ended", "ok", "Benign lung")
    ] * 2
    assert [p.read_bytes() for p in job.paths] == [b"1", b"2"]
    (task,) = [p.task for p in bureau.rehearsal.made if p.task]
    assert (task.model, task.mpp, task.pixels) == ("tiny", None, SMALL.pixels)


def test_an_archive_is_given_as_its_folder(bureau: Bureau) -> None:
    data = zipped(("1.dcm", b"1"), ("2.dcm", b"2"))
    job = bureau.until(bureau.give("kim", ("study.zip", data)), JobState.FINISHED)
    assert job.paths[0].is_dir()
    assert job.paths[0].name == "study"
    found = job.folder.joinpath("in").rglob("*.*")
    assert sorted(p.name for p in found) == ["1.dcm", "2.dcm"]
    assert [case.name for case in job.cases] == ["1", "2"]


def test_an_archive_that_is_damaged_is_a_row_with_its_reason(bureau: Bureau) -> None:
    job = bureau.give("kim", ("x.png", b"x"), ("b.zip", b"PK\3\4"))
    done = bureau.until(job, JobState.FINISHED)
    assert [(c.name, c.status, c.headline) for c in done.cases] == [
        ("x", "ok", "Benign lung"), ("b.zip", "failed", "Failed"),
    ]  # fmt: skip
    assert done.cases[1].why.startswith("The ZIP archive is damaged")
    assert done.names == ("x.png", "b.zip")


def test_a_failure_is_reported_without_our_folders(bureau: Bureau) -> None:
    bureau.rehearsal.fail = "The disk is full, so {folder}/out/x was not written."
    job = bureau.until(bureau.give(), JobState.FAILED)
    assert (job.code, job.message) == ("E_IO", "The disk is full, so out/x was not written.")


def test_cancelling_waits_for_the_end_and_leaves_others_alone(bureau: Bureau) -> None:
    bureau.rehearsal.hold.clear()
    bureau.rehearsal.deaf = True  # killed after 0.3 s
    first, second = bureau.give(), bureau.give("lee")
    bureau.until(first, JobState.RUNNING)
    assert bureau.desk.cancel(second.id, "lee").state is JobState.CANCELLED  # it only waited
    assert bureau.desk.cancel(first.id, "kim").state is JobState.CANCELLED
    assert [c.state for c in bureau.desk.look(first.id).cases] == ["waiting"]
    bureau.rehearsal.hold.set()
    bureau.until(bureau.give(), JobState.FINISHED)


def test_nobody_ends_another_s_job(bureau: Bureau) -> None:
    bureau.rehearsal.hold.clear()
    job = bureau.give("kim")
    for act in (bureau.desk.cancel, bureau.desk.delete):
        with pytest.raises(NotHere, match="Only who gave"):
            act(job.id, "lee")
    assert not bureau.desk.look(job.id).state.ended


def test_a_job_ends_when_its_page_is_gone(bureau: Bureau) -> None:
    bureau.rehearsal.hold.clear()
    watched, left, asked = bureau.give("a"), bureau.give("b"), bureau.give("c")
    with bureau.desk.watching(watched.id, lambda: None):
        bureau.clock.now += SMALL.absent_seconds - 1
        bureau.desk.look(asked.id)
        bureau.clock.now += 2
        bureau.desk.look_round()
        ended = bureau.until(left, JobState.CANCELLED)
        assert ended.message == "Ended, because its page was closed."
        assert not bureau.desk.look(watched.id).state.ended
        assert not bureau.desk.look(asked.id).state.ended
    bureau.clock.now += SMALL.absent_seconds + 1
    bureau.desk.look_round()
    bureau.until(watched, JobState.CANCELLED)


def test_who_follows_one_job_watches_all_of_their_own(bureau: Bureau) -> None:
    bureau.rehearsal.hold.clear()
    first, second, another = bureau.give(), bureau.give(), bureau.give("lee")
    with bureau.desk.watching(first.id, lambda: None, "kim"):
        bureau.clock.now += SMALL.absent_seconds + 1
        bureau.desk.look_round()
        assert bureau.desk.peek(second.id).state is JobState.WAITING
        assert bureau.desk.peek(another.id).state is JobState.CANCELLED
    bureau.clock.now += SMALL.absent_seconds - 1  # the page has as long to come again
    bureau.desk.look_round()
    assert bureau.desk.peek(second.id).state is JobState.WAITING
    bureau.clock.now += 2
    bureau.desk.look_round()
    assert bureau.desk.peek(second.id).state is JobState.CANCELLED


def test_a_job_that_takes_too_long_is_ended(bureau: Bureau) -> None:
    bureau.rehearsal.hold.clear()
    job = bureau.give()
    with bureau.desk.watching(job.id, lambda: None):
        bureau.until(job, JobState.RUNNING)
        bureau.clock.now += SMALL.job_seconds + 1
        bureau.desk.look_round()
        assert "longer than a job may" in bureau.until(job, JobState.CANCELLED).message


def test_a_result_is_deleted_after_its_time(bureau: Bureau) -> None:
    job = bureau.until(bureau.give(), JobState.FINISHED)
    bureau.clock.now += SMALL.kept_seconds - 1
    bureau.desk.look_round()
    assert job.folder.exists()
    bureau.clock.now += 2
    bureau.desk.look_round()
    assert bureau.gone(job)
    assert bureau.forgotten == [job.id]


def test_deleting_ends_a_job_and_leaves_no_file(bureau: Bureau) -> None:
    bureau.rehearsal.hold.clear()
    job = bureau.give()
    bureau.until(job, JobState.RUNNING)
    bureau.desk.delete(job.id, "kim")
    assert bureau.gone(job)


def test_files_that_are_held_open_are_deleted_once_they_are_not(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows deletes no file that a process has open, as one that was killed a moment ago has."""
    job = bureau.until(bureau.give(), JobState.FINISHED)
    with monkeypatch.context() as held:
        held.setattr(shutil, "rmtree", lambda *_, **__: None)
        bureau.desk.delete(job.id, "kim")
        with pytest.raises(ZeroDivisionError), bureau.desk.intake("kim") as intake:
            raise ZeroDivisionError
        bureau.desk.look_round()
        assert job.folder.exists()
        assert intake.folder.exists()
    bureau.desk.look_round()
    assert not job.folder.exists()
    assert not intake.folder.exists()


def test_a_visitor_keeps_so_many_results(bureau: Bureau) -> None:
    jobs = [bureau.until(bureau.give(), JobState.FINISHED) for _ in range(SMALL.jobs_kept + 2)]
    assert [bureau.gone(job) for job in jobs] == [True, True] + [False] * SMALL.jobs_kept


def test_limits_on_jobs_files_and_bytes(bureau: Bureau) -> None:
    bureau.rehearsal.hold.clear()
    with pytest.raises(TooMany, match="At most 5 files"):
        bureau.give("kim", *[("x.png", b"x")] * 6)
    with pytest.raises(TooLarge, match="more than 2 MB"):
        bureau.give("kim", ("x.png", bytes(1_500_000)), ("y.png", bytes(600_000)))
    with pytest.raises(TooLarge, match="unpacks to more"):
        bureau.give("kim", ("x.zip", zipped(("a", bytes(2_000_000)))))
    with pytest.raises(Refused, match="No file"), bureau.desk.intake("kim") as intake:
        bureau.desk.submit("kim", intake, CHOICE)
    kept = {path.name for path in bureau.folder.path.iterdir()}
    assert kept == {".lock"}  # nothing of what was refused
    for _ in range(SMALL.jobs_in_hand):
        bureau.give("kim")
    with pytest.raises(TooMany, match="You have 3 jobs"):
        bureau.give("kim")
    for visitor in "abcde":
        bureau.give(visitor)
    with pytest.raises(TooMany, match="page is busy"):
        bureau.give("z")


def test_uploads_under_way_count_as_jobs(bureau: Bureau) -> None:
    with bureau.desk.intake("kim"), bureau.desk.intake("kim"), bureau.desk.intake("kim"):
        with pytest.raises(TooMany), bureau.desk.intake("kim"):
            pytest.fail("a fourth upload was let in")
        with bureau.desk.intake("lee"):
            pass
    bureau.give("kim")


def test_a_disk_nearly_full_takes_nothing(tmp_path: Path, rehearsal: Rehearsal) -> None:
    bureau = Bureau(tmp_path, rehearsal, replace(SMALL, free_bytes=1 << 60))
    with pytest.raises(MachineError, match="nearly full"):
        bureau.give()
    bureau.desk.close()


def test_without_a_process_a_job_fails_and_the_next_goes_on(
    tmp_path: Path, rehearsal: Rehearsal
) -> None:
    rehearsal.none = True
    bureau = Bureau(tmp_path, rehearsal)
    assert bureau.until(bureau.give(), JobState.FAILED).message == "No process can be started."
    rehearsal.none = False
    bureau.until(bureau.give(), JobState.FINISHED)
    bureau.desk.close()


def test_whoever_waits_is_notified_of_changes(bureau: Bureau) -> None:
    bureau.rehearsal.hold.clear()
    job = bureau.give()
    notified = threading.Event()
    with bureau.desk.watching(job.id, notified.set):
        version = bureau.until(job, JobState.RUNNING).version
        notified.clear()
        bureau.rehearsal.hold.set()
        assert notified.wait(10)
        assert bureau.desk.wait(job.id, version, 10).version > version
    with pytest.raises(NotHere), bureau.desk.watching("nothing", notified.set):
        pytest.fail("there is no such job")


def test_closing_ends_all_and_deletes_the_folder(tmp_path: Path, rehearsal: Rehearsal) -> None:
    rehearsal.hold.clear()
    bureau = Bureau(tmp_path, rehearsal)
    job = bureau.give()
    bureau.until(job, JobState.RUNNING)
    bureau.desk.close()
    assert not bureau.folder.path.exists()
    assert not any(process.alive for process in rehearsal.made)
    with pytest.raises(TooMany, match="closing"), bureau.desk.intake("kim"):
        pytest.fail("it was closed")


# Turns ------------------------------------------------------------------------------------------


def test_visitors_take_turns_and_places_say_so() -> None:
    turns = Turns()
    for visitor, number in ("a1", "a2", "a3", "b1", "c1", "b2"):
        turns.add(visitor, visitor + number)
    numbers = ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert [turns.place(number) for number in numbers] == [1, 2, 3, 4, 5, 6]
    assert [turns.next() for _ in numbers] == numbers
    assert turns.next() is None
    assert turns.place("a1") == 0


def test_a_job_that_no_longer_waits_is_passed_over() -> None:
    turns = Turns()
    for visitor, number in ("a1", "b1", "b2"):
        turns.add(visitor, visitor + number)
    turns.drop("b1")
    turns.drop("a1")
    turns.drop("nothing")
    assert [turns.next(), turns.next()] == ["b2", None]


# Words ------------------------------------------------------------------------------------------


def test_rate_and_time_left_in_words(bureau: Bureau) -> None:
    job = bureau.give()
    job = replace(
        bureau.until(job, JobState.FINISHED), state=JobState.RUNNING, tiles=Pace(1000.0, 50, 150)
    )
    notified = progress_of(job, 1010.0)
    assert (notified.rate, notified.left, notified.left_seconds) == (
        "5 tiles/s",
        "about 20.0 s left",
        20.0,
    )
    assert words_of(job, 0) == "50 of 150 tiles."
    assert progress_of(job, 1000.5).rate == ""  # too early
    several = replace(job, cases=job.cases * 4, pace=Pace(1000.0, 1, 4))
    assert progress_of(several, 1010.0).rate == "0.1 cases/s"
    waiting = replace(job, state=JobState.WAITING)
    assert [words_of(waiting, place) for place in (1, 3)] == ["Next in line.", "2 before yours."]


# The folder -------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="modes")
def test_the_folder_and_all_in_it_are_for_the_owner_alone(bureau: Bureau) -> None:
    job = bureau.give("kim", ("x.zip", zipped(("a/b", b"x"))), ("cd/x.png", b"x"))
    bureau.until(job, JobState.FINISHED)
    for path in (bureau.folder.path, job.folder, *(job.folder / "in").rglob("*")):
        if path.is_dir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o700, path


def test_what_a_killed_page_left_is_deleted_at_the_next_start(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from lungscan_web.jobs.folder import PrivateFolder\n"
        "made = PrivateFolder(Path(sys.argv[1]))\n"
        "(made.new() / 'slide.svs').write_bytes(b'x')\n"
        "os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, 'SIGKILL') else signal.SIGTERM)\n"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=False,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    assert [p.name for p in tmp_path.rglob("slide.svs")] == ["slide.svs"]
    alive = PrivateFolder(tmp_path)  # sweeps, as every start does
    assert alive.removed == 1
    assert list(tmp_path.iterdir()) == [alive.path]
    assert sweep(tmp_path) == 0  # one that lives is left alone
    alive.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="plays Windows elsewhere")
def test_on_windows_no_open_file_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def locking(number: int, _mode: int, _bytes: int) -> None:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def rename(path: Path, _target: Path) -> None:
        raise PermissionError(13, "The process cannot access the file", str(path))

    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2))
    monkeypatch.setattr("lungscan_web.jobs.folder.sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(Path, "rename", rename)
    alive = PrivateFolder(tmp_path)
    assert sweep(tmp_path) == 0  # its lock is held
    assert [path.name for path in alive.path.iterdir()] == [".lock"]
    (alive.path / ".lock").unlink()
    alive.keep()
    assert sweep(tmp_path) == 0
    alive.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="links")
def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").write_bytes(b"x")
    (tmp_path / f"{PREFIX}link").symlink_to(outside)
    (tmp_path / f"{PREFIX}file").write_bytes(b"x")
    (tmp_path / f"{PREFIX}fresh").mkdir()  # of a page that is just starting
    folder = PrivateFolder(tmp_path)
    (folder.new() / "link").symlink_to(outside)
    folder.close()
    assert {p.name for p in tmp_path.iterdir()} == {
        "outside", f"{PREFIX}link", f"{PREFIX}file", f"{PREFIX}fresh",
    }  # fmt: skip
    assert (outside / "keep").exists()


def test_a_spare_process_is_started_once_a_job_has_had_the_machine(rehearsal: Rehearsal) -> None:
    now = [100.0]
    ready = Ready(rehearsal.start, lambda: now[0])
    ready.prepare()
    assert len(rehearsal.made) == 1  # at the start of the page, at once
    assert ready.take() is rehearsal.made[0]
    now[0] += 1
    ready.prepare()
    assert len(rehearsal.made) == 1  # the job has the machine first
    ready.prepare(wanted=True)
    assert len(rehearsal.made) == 2  # another one waits
    ready.take()
    now[0] += 10
    ready.prepare()
    ready.prepare()
    assert len(rehearsal.made) == 3  # and no more than one is kept


LOADED = """
import sys
import lungscan_web.main, lungscan_web.server.app, lungscan_web.server.services, uvicorn
print([name for name in ("PIL", "openslide", "tifffile", "imagecodecs", "pydicom", "openvino",
                         "reportlab") if name in sys.modules])
"""


def test_nothing_that_decodes_is_loaded_on_the_way_to_the_first_answer() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "[]\n"
