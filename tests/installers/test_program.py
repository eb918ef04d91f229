"""The program that needs no Python, where there is none: shell, reader processes and window.

``.ci/run`` builds it and sets ``LUNGSCAN_PROGRAM`` to its folder; by hand::

    python packaging/build_program.py --window --out dist    # in an environment as it says
    LUNGSCAN_PROGRAM=dist/lungscan pytest tests/installers
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installers import cage as cages
from tests.installers.cage import Cage

FOLDER = os.environ.get("LUNGSCAN_PROGRAM", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="no LUNGSCAN_PROGRAM: the build takes a minute")
WINDOW = bool(FOLDER) and (Path(FOLDER) / "_internal" / "PyQt6").is_dir()
needs_window = pytest.mark.skipif(not WINDOW, reason="this program was built without the window")
SLIDE = "lungscan-demo/images/stitched-slide.svs"


@pytest.fixture(scope="module")
def cage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cage]:
    built = cages.build(tmp_path_factory.mktemp("cage"), Path(FOLDER).resolve())
    yield built
    cages.tear_down(built)


@pytest.fixture(scope="module")
def demo(cage: Cage) -> Path:
    """The folder of a finished demo."""
    done = cage.run("demo", "--out", cage.inside(cage.home / "lungscan-demo"))
    assert done.returncode == 0, done.stderr
    return cage.home / "lungscan-demo"


def rows(out: Path) -> dict[str, dict[str, str]]:
    with (out / "cases.csv").open(encoding="utf-8-sig", newline="") as stream:
        return {row["case_id"]: row for row in csv.DictReader(stream)}


def test_nothing_of_python_is_there(cage: Cage) -> None:
    if not cage.closed:
        pytest.skip("only root can have a file system of its own")
    assert not list(cage.root.rglob("bin/python*"))
    assert not list(cage.root.rglob("site-packages"))


def test_no_link_leads_nowhere() -> None:
    dangling = [p for p in Path(FOLDER).rglob("*") if p.is_symlink() and not p.exists()]
    assert dangling == []


def test_the_demo_reads_classifies_and_reports(demo: Path) -> None:
    found = rows(demo / "results")
    # One is skipped, as a memory stick's junk; a reader that did not start would fail all others.
    assert {row["status"] for row in found.values()} == {"ok", "no_result", "skipped"}
    assert found["stitched-slide"]["status"] == "ok"
    assert (demo / "results" / "summary.pdf").read_bytes().startswith(b"%PDF")


def test_its_answers_are_those_of_the_installed_package(demo: Path, tmp_path: Path) -> None:
    """Same processor, same libraries: the same bytes of every tile."""
    command = [sys.executable, "-m", "lungscan_cli", "classify", str(demo / "images")]
    subprocess.run(
        [*command, "--out", str(tmp_path / "out"), "--quiet", "--pdf", "none"],
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    tables = sorted((tmp_path / "out" / "cases").glob("*/tiles.csv"))
    taken = [row for row in rows(demo / "results").values() if row["status"] != "skipped"]
    assert len(tables) == len(taken) >= 8
    for table in tables:
        theirs = demo / "results" / "cases" / table.parent.name / "tiles.csv"
        assert theirs.read_bytes() == table.read_bytes(), table.parent.name


def test_a_slide_alone(cage: Cage, demo: Path) -> None:
    slide = cage.home / "slide.svs"
    shutil.copyfile(cage.home / SLIDE, slide)
    out = cage.home / "one"
    done = cage.run("classify", cage.inside(slide), "--out", cage.inside(out), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["cases"][0]["status"] == "ok"
    assert list((out / "cases").glob("slide-*/report.pdf"))


def test_a_series_of_ct_is_read_and_answered_as_a_dicom_object(cage: Cage) -> None:
    slices = pytest.importorskip("tests.ct_slices", reason="drawing CT needs the extra dicom")
    slices.write_series(cage.home / "series")
    out = cage.home / "ct"
    named = ("classify", cage.inside(cage.home / "series"), "--out", cage.inside(out))
    done = cage.run(*named, "--model", "lung-ct", "--dicom-sr", "--json")
    assert done.returncode == 0, done.stderr
    (case,) = json.loads(done.stdout)["cases"]
    assert case["status"] in {"ok", "no_result"}
    assert rows(out)["series"]["tiles"] == "6"
    (report,) = (out / "cases").glob("series-*/report.dcm")
    assert report.read_bytes()[128:132] == b"DICM"


def test_doctor_finds_nothing(cage: Cage) -> None:
    done = cage.run("doctor", "--json")
    checks = json.loads(done.stdout)["checks"]
    assert done.returncode == 0, done.stderr
    assert {check["state"] for check in checks} <= {"ok", "warning"}
    assert "Reader process" in {check["name"] for check in checks}
    assert len(checks) >= 12


def test_a_part_that_is_none_of_ours_is_refused(cage: Cage) -> None:
    done = cage.run("--lungscan-process", "json.tool")
    assert done.returncode != 0
    assert "no part of LungScan" in done.stderr


@needs_window
@pytest.mark.skipif(sys.platform != "linux", reason="libraries of X11")
def test_the_window_brings_along_what_x11_needs() -> None:
    """Qt leaves these to the system, and a fresh one lacks them (xcb-cursor and others)."""
    plugin = Path(FOLDER) / "_internal/PyQt6/Qt6/plugins/platforms/libqxcb.so"
    printed = subprocess.run(
        ["ldd", plugin],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"LD_LIBRARY_PATH": str(Path(FOLDER).resolve() / "_internal")},
    ).stdout
    assert "not found" not in printed
    cursor = next(line for line in printed.splitlines() if "libxcb-cursor" in line)
    assert "_internal" in cursor


@needs_window
def test_the_window_opens_a_slide_and_reads_it(cage: Cage, demo: Path) -> None:
    slide = cage.inside(cage.home / SLIDE)
    with cage.start("gui", slide, QT_QPA_PLATFORM="offscreen") as window:
        try:
            program, reader = _wait_for_reader(window)
            assert "--lungscan-process" in reader
            os.kill(program, signal.SIGINT)  # closes the window
            assert window.wait(30) == 0, window.communicate()
        finally:
            window.kill()


@needs_window
def test_the_window_analyses_in_a_process_of_the_program(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window's own job, whose process is the program's and not this Python's."""
    job = pytest.importorskip("lungscan_gui.scanning.job")
    from lungscan.events import CaseFinished
    from lungscan.options import ScanOptions

    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(Path(FOLDER).resolve() / "lungscan"))
    options = ScanOptions((demo.parent / SLIDE,), tmp_path / "out")
    events = list(job.ScanJob(options).events())
    (finished,) = [event for event in events if isinstance(event, CaseFinished)]
    assert finished.result.status.value == "ok"


def test_the_page_is_served(tmp_path: Path) -> None:
    """Outside the cage, whose network has not even a loopback."""
    if not (Path(FOLDER) / "_internal" / "lungscan_web").is_dir():
        pytest.skip("this program was built without the page")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(Path(FOLDER).resolve() / "lungscan"), "web", "--port", str(port)]
    env = {"PATH": "", "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as page:
        try:
            assert _answer(page, f"http://127.0.0.1:{port}/healthz")
            assert b"LungScan" in _answer(page, f"http://127.0.0.1:{port}/")
        finally:
            page.send_signal(signal.SIGINT)
            page.wait(30)


def _answer(page: subprocess.Popen[str], address: str) -> bytes:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert page.poll() is None, page.communicate()
        try:
            with urllib.request.urlopen(address, timeout=10) as reply:
                answer: bytes = reply.read()
                return answer
        except OSError:  # not yet open
            time.sleep(0.2)
    pytest.fail(f"{address} did not answer")


def _wait_for_reader(window: subprocess.Popen[str]) -> tuple[int, str]:
    """The window's process and the command of a reader that it has started."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert window.poll() is None, window.communicate()
        for status in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command = status.read_bytes().replace(b"\0", b" ").decode()
                parent = int((status.parent / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # it has ended
                continue
            if "lungscan.opening.child" in command and _descends(parent, window.pid):
                return parent, command
        time.sleep(0.2)
    pytest.fail("the window started no reader process")


def _descends(pid: int, from_pid: int) -> bool:
    while pid > 1:
        if pid == from_pid:
            return True
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return False
