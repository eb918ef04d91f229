"""A reader process that is started before the run: used, not needed, dead, or not to be had."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from lungscan.errors import UsageProblem
from lungscan.launch import Launched, beforehand
from lungscan.readers.pool import ReaderPool
from lungscan.scan import scan
from tests.engine.scanning import make_slide, options, results
from tests.models import FakeRuntime


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Launched | None]:
    """What each reader process of a pool was made from; None where it was started then."""
    seen: list[Launched | None] = []
    start = ReaderPool._start

    def noted(pool: ReaderPool, launched: Launched | None = None) -> object:
        seen.append(launched)
        return start(pool, launched)

    monkeypatch.setattr(ReaderPool, "_start", noted)
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
