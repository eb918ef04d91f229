"""The pool: results in order, bounded work ahead, nothing left behind; and every file is closed."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from lungscan import workers
from lungscan.errors import MachineError
from lungscan.events import CaseStarted, TilesScored
from lungscan.reading.slides.slide import SlideSource
from lungscan.scanning.scan import scan
from lungscan.workers import AHEAD, Workers
from tests.engine.scanning import make_slide, options, run
from tests.models import FakeRuntime


def test_results_come_in_the_order_of_the_items() -> None:
    gate = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert gate.wait(30)
        elif item == 3:
            gate.set()
        return item * 10

    with Workers(4) as workers, workers.in_order(work, range(50)) as results:
        assert list(results) == [item * 10 for item in range(50)]


def test_no_more_jobs_are_begun_than_asked_for() -> None:
    begun: list[int] = []
    with Workers(3) as workers:
        with workers.in_order(begun.append, range(100)) as results:
            for done, _ in enumerate(results, start=1):
                assert len(begun) <= done + 3 * AHEAD
        assert len(begun) == 100
        begun.clear()
        with workers.in_order(begun.append, range(100), ahead=1) as results:
            next(results)
            next(results)
        assert len(begun) <= 3


def test_the_first_job_begins_before_it_is_asked_for() -> None:
    begun = threading.Event()
    with Workers(1) as workers, workers.in_order(lambda _: begun.set(), [1], ahead=1):
        assert begun.wait(30)


def test_what_was_begun_and_not_taken_is_dropped_once() -> None:
    made: list[int] = []
    dropped: list[int] = []

    def work(item: int) -> int:
        made.append(item)
        return item

    with Workers(2) as workers:
        with workers.in_order(work, range(20), drop=dropped.append) as results:
            taken = [next(results), next(results)]
        assert sorted(taken + dropped) == sorted(made)
        assert len(made) < 20
        made.clear()
        dropped.clear()
        with workers.in_order(work, range(3), drop=dropped.append) as results:
            assert list(results) == [0, 1, 2]
        assert dropped == []


def test_an_error_in_a_job_is_raised_in_its_turn() -> None:
    dropped: list[int] = []

    def work(item: int) -> int:
        if item == 2:
            raise ZeroDivisionError
        return item

    taken = []
    with (
        Workers(2) as workers,
        pytest.raises(ZeroDivisionError),
        workers.in_order(work, range(9), drop=dropped.append) as results,
    ):
        taken.extend(results)
    assert taken == [0, 1]
    assert 2 not in dropped


# Files ------------------------------------------------------------------------------------------


@pytest.fixture
def open_slides(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The slides that are open; closing one twice is an error."""
    sources: set[int] = set()
    begin, end = SlideSource.__init__, SlideSource.close

    def opened(self: SlideSource, *args: object) -> None:
        begin(self, *args)  # type: ignore[arg-type]
        sources.add(id(self))

    def closed(self: SlideSource) -> None:
        sources.remove(id(self))
        end(self)

    monkeypatch.setattr(SlideSource, "__init__", opened)
    monkeypatch.setattr(SlideSource, "close", closed)
    return sources


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four slides, three of which are one case by the manifest beside them."""
    for name in "abcd":
        make_slide(tmp_path / "in" / f"{name}.svs", 512, 384)
    (tmp_path / "m.csv").write_text("file,case\na.svs,P\nb.svs,P\nc.svs,P\n")
    return tmp_path / "in"


def test_every_slide_is_closed_and_few_are_open_at_once(
    model: Path, fake: FakeRuntime, folder: Path, open_slides: set[int], tmp_path: Path
) -> None:
    chosen = options(model, tmp_path / "out", folder, cases=tmp_path / "m.csv", batch_size=4)
    most = 0
    for event in scan(chosen):
        if isinstance(event, TilesScored):
            most = max(most, len(open_slides))
    assert 1 <= most <= 3  # the present one, the case's next file, and the next case's first
    assert open_slides == set()
    assert run(chosen)
    assert open_slides == set()


@pytest.mark.parametrize("kind", [CaseStarted, TilesScored])
@pytest.mark.parametrize("case", ["P", "d"])
def test_every_slide_is_closed_when_a_run_is_left(
    model: Path,
    fake: FakeRuntime,
    folder: Path,
    open_slides: set[int],
    tmp_path: Path,
    kind: type,
    case: str,
) -> None:
    chosen = options(model, tmp_path / "out", folder, cases=tmp_path / "m.csv", batch_size=4)
    events = scan(chosen)
    current = ""
    for event in events:
        if isinstance(event, CaseStarted):
            current = event.case_id
        if isinstance(event, kind) and current == case:
            break
    events.close()
    assert open_slides == set()


@pytest.mark.parametrize("call", [1, 3])
def test_every_slide_is_closed_when_the_network_fails(
    model: Path, fake: FakeRuntime, folder: Path, open_slides: set[int], tmp_path: Path, call: int
) -> None:
    fake.fails_at = call
    with pytest.raises(MachineError):
        run(options(model, tmp_path / "out", folder, batch_size=4))
    assert open_slides == set()


@pytest.mark.parametrize(("system", "longest"), [("posix", 30.0), ("nt", 0.2)])
def test_on_windows_no_pause_keeps_ctrl_c_waiting(
    monkeypatch: pytest.MonkeyPatch, system: str, longest: float
) -> None:
    class Ending(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            return False

    waits: list[float] = []
    monkeypatch.setattr(workers, "os", SimpleNamespace(name=system))
    workers.pause(30.0, Ending())
    assert max(waits) == longest
    assert sum(waits) == pytest.approx(30.0)
