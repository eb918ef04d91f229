"""A reader process that is started before the run: used, not needed, dead, or not to be had."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from lungscan import processes
from lungscan.errors import MachineError, ModelError, UsageProblem
from lungscan.opening.apart import Apart
from lungscan.opening.launch import Launched, beforehand
from lungscan.opening.messages import send
from lungscan.opening.pool import ReaderPool
from lungscan.runtimes.runtime import import_ahead
from lungscan.scanning.scan import scan
from tests.engine.scanning import make_slide, options, results
from tests.models import FakeRuntime


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Launched | None]:
    """What each reader process of a pool was made from; None where it was started then."""
    seen: list[Launched | None] = []
    start = ReaderPool.start_process

    def noted(pool: ReaderPool, launched: Launched | None = None) -> object:
        seen.append(launched)
        return start(pool, launched)

    monkeypatch.setattr(ReaderPool, "start_process", noted)
    return seen


def open_descriptors() -> int:
    """How many files this process has open; 0 where that cannot be seen."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def classify(model: Path, folder: Path, launched: Launched | None) -> str:
    """The status of a slide."""
    slide = make_slide(folder / "s.svs", 768, 512)
    chosen = options(model, folder / "out", slide, isolate=True)
    return results(list(scan(chosen, launched)))["s"].status.value


def test_the_run_takes_it_and_ends_it(
    model: Path, fake: FakeRuntime, tmp_path: Path, started: list[Launched | None]
) -> None:
    with beforehand() as launched:
        assert launched is not None
        assert launched.child.poll() is None
        assert classify(model, tmp_path, launched) == "ok"
        assert launched.child.returncode is not None
    assert started == [launched]


def test_one_that_is_not_needed_ends_with_the_block(model: Path, tmp_path: Path) -> None:
    missing = options(model, tmp_path / "out", tmp_path / "missing", isolate=True)
    with beforehand() as launched:
        with pytest.raises(UsageProblem):
            list(scan(missing, launched))
        assert launched is not None
        assert launched.child.poll() is None
    assert launched.child.returncode is not None
    assert launched.memory is None


def test_one_that_died_is_replaced(
    model: Path, fake: FakeRuntime, tmp_path: Path, started: list[Launched | None]
) -> None:
    with beforehand() as launched:
        assert launched is not None
        launched.child.kill()
        launched.child.wait()
        assert classify(model, tmp_path, launched) == "ok"
    assert started == [launched, None]


def test_one_that_is_over_is_not_taken(
    model: Path, fake: FakeRuntime, tmp_path: Path, started: list[Launched | None]
) -> None:
    with beforehand() as launched:
        pass
    assert classify(model, tmp_path, launched) == "ok"
    assert started == [launched]
    assert launched is not None
    assert launched.memory is None  # not opened again


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_one_that_will_not_die_is_waited_for_once(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lungscan.opening.launch.DEATH_S", 0.01)
    waits: list[float | None] = []
    with beforehand() as launched:
        assert launched is not None
        kill, wait = launched.child.kill, launched.child.wait

        def noted(timeout: float | None = None) -> int:
            if timeout is not None:  # the thread that listens waits without an end
                waits.append(timeout)
            return wait(timeout)

        monkeypatch.setattr(launched.child, "kill", lambda: None)  # as on a dead drive
        monkeypatch.setattr(launched.child, "wait", noted)
        os.kill(launched.child.pid, signal.SIGSTOP)
        slow = options(model, tmp_path / "out", make_slide(tmp_path / "s.svs", 768, 512))
        events = scan(replace(slow, isolate=True, timeout=0.5), launched)
        assert {case.error_code for case in results(list(events)).values()} == {"E_TIMEOUT"}
    assert waits == [0.01]
    kill()
    wait()


@pytest.mark.parametrize("error", [ModelError("no"), UsageProblem("no"), MachineError("no")])
def test_an_error_of_the_network_arrives_as_it_is(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def load(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr("lungscan.classification.loading.load_runtime", load)
    chosen = options(model, tmp_path / "out", make_slide(tmp_path / "s.svs", 768, 512))
    with pytest.raises(type(error)) as caught:
        list(scan(replace(chosen, device="cpu")))
    assert caught.value is error


def test_without_openvino_other_devices_still_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lungscan.runtimes.openvino", None)
    for device in ("auto", "cpu", "cuda"):
        import_ahead(device)


def test_where_none_can_be_started_the_run_is_asked_again(
    model: Path,
    fake: FakeRuntime,
    tmp_path: Path,
    started: list[Launched | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    before = open_descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", refuse)
        with beforehand() as launched:
            assert launched is None
    assert open_descriptors() == before
    assert classify(model, tmp_path, launched) == "ok"
    assert started == [None]


def test_no_part_opens_a_console_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows; elsewhere there is no such flag, and no process starts with one."""
    asked: list[object] = []

    def refuse(*_: object, **how: object) -> NoReturn:
        asked.append(how.get("creationflags"))
        raise OSError

    monkeypatch.setattr(processes, "NO_CONSOLE", 0x08000000, raising=False)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    with beforehand() as launched:
        assert launched is None
    with pytest.raises(MachineError):
        Apart("lungscan_gui.scanning.child", others="the window is")
    assert asked == [0x08000000, 0x08000000]


def test_a_pipe_that_windows_calls_invalid_is_a_broken_one() -> None:
    class Gone(io.BytesIO):
        def flush(self) -> None:
            raise OSError(22, "Invalid argument")

    with pytest.raises(BrokenPipeError):
        send(Gone(), "event")
