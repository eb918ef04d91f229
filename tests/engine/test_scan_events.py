"""What a scan tells, in which order, and that it can be stopped while a slide is being opened."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event, Timer

import numpy as np
import pytest

from lungscan.classification.classifier import Classifier
from lungscan.events import CaseFinished, CaseStarted, RunFinished, RunStarted, TilesScored
from lungscan.scanning.scan import scan
from lungscan.types import CaseInput, CaseStatus
from tests.drawing import draw_slide, truncate, write_generic_tiff
from tests.engine.scanning import make_field, make_slide, options, results, run, stored
from tests.event_order import check_order
from tests.models import FakeRuntime


def make_inputs(folder: Path) -> None:
    """Two slides, one of which is cut, a picture that holds one, many fields, a bad one, junk."""
    make_slide(folder / "a.svs", 768, 512)
    truncate(make_slide(folder / "cut.svs", 512, 512), 0.3)
    drawn = draw_slide(768, 512, tissue=((0.1, 0.1, 0.9, 0.9),))
    write_generic_tiff(folder / "x.tif", drawn, downsamples=(4,))
    for index in range(70):  # more than are in flight at once
        make_field(folder / f"{index:02}.png", side=60, seed=index)
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "Thumbs.db").write_bytes(b"x")


@pytest.mark.parametrize("isolate", [False, True])
def test_events_come_in_the_documented_order(
    model: Path, fake: FakeRuntime, tmp_path: Path, isolate: bool
) -> None:
    make_inputs(tmp_path / "in")
    chosen = options(model, tmp_path / "out", tmp_path / "in", mpp=0.5, isolate=isolate)
    first = check_order(run(chosen))
    assert first.run is not None
    assert (first.run.cases, first.run.skipped) == (74, 1)
    assert first.ended is not None
    assert first.ended.failed == 2
    again = check_order(run(chosen))  # most of it by the first run
    assert again.ended is not None
    assert sum(item.resumed for item in again.finished) == 72


def test_a_case_is_announced_before_anything_of_it_is_read(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_slide(tmp_path / "in" / "a.svs", 768, 512)
    opened, opening = Event(), Event()

    begin = Classifier.begin

    def held(self: Classifier, case: CaseInput) -> object:
        opening.set()
        assert opened.wait(20)
        return begin(self, case)

    monkeypatch.setattr(Classifier, "begin", held)
    events = scan(options(model, tmp_path / "out", tmp_path / "in"))
    assert isinstance(next(events), RunStarted)
    event = next(events)  # would wait for ever if the slide had to be open first
    assert isinstance(event, CaseStarted)
    assert (event.case_id, event.index) == ("a", 1)
    opened.set()
    assert isinstance(list(events)[-1], RunFinished)


@pytest.mark.parametrize("name", ["hang", "later-hang"])
def test_a_run_is_stopped_while_a_slide_hangs_and_goes_on_later(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("lungscan.opening.launch.CHILD", "tests.failing_reader")
    make_field(tmp_path / "in" / "done.png")
    make_slide(tmp_path / "in" / f"{name}.svs", 768, 512)
    chosen = options(model, tmp_path / "out", tmp_path / "in", isolate=True)
    stop, seen, asked = Event(), [], 0.0
    for event in scan(chosen, stop=stop):
        seen.append(event)
        if isinstance(event, CaseStarted) and event.case_id == name:
            asked = time.monotonic()
            Timer(0.5, stop.set).start()  # by then the child hangs
    assert 0.5 <= time.monotonic() - asked < 10  # its --timeout is 60 s
    assert not any(isinstance(event, RunFinished | TilesScored) for event in seen)
    check_order(seen)
    assert [e.result.case_id for e in seen if isinstance(e, CaseFinished)] == ["done"]
    assert set(stored(tmp_path / "out")) == {"done"}  # no record calls the slide unreadable

    monkeypatch.setattr("lungscan.opening.launch.CHILD", "lungscan.opening.child")
    after = check_order(run(chosen))
    assert {item.result.status for item in after.finished} == {CaseStatus.OK}
    assert [item.resumed for item in after.finished] == [True, False]


def test_a_run_stopped_before_it_begins_classifies_nothing(
    model: Path, fake: FakeRuntime, tmp_path: Path
) -> None:
    make_field(tmp_path / "in" / "f.png")
    stop = Event()
    stop.set()
    seen = list(scan(options(model, tmp_path / "out", tmp_path / "in"), stop=stop))
    assert not any(isinstance(event, CaseFinished | RunFinished) for event in seen)
    assert fake.tiles == 0
    assert stored(tmp_path / "out") == {}


def test_scored_tiles_come_with_their_boxes_and_answers(
    tmp_path: Path, model: Path, fake: FakeRuntime
) -> None:
    path = make_slide(tmp_path / "s.svs", 1536, 1024)
    events = run(options(model, tmp_path / "out", path))
    scores = results(events)["s"].scores[0]
    scored = [event.tiles for event in events if isinstance(event, TilesScored)]
    assert len(scored) > 1
    assert all(tiles is not None and tiles.file_index == 0 for tiles in scored)
    assert all((tiles.grid == scores.boxes).all() for tiles in scored if tiles)
    firsts = [tiles.first for tiles in scored if tiles]
    assert firsts == list(range(0, len(scores.state), fake.batch_size))
    probs = np.concatenate([tiles.probs for tiles in scored if tiles])
    assert (probs == scores.probs).all()
    assert tuple(state for tiles in scored if tiles for state in tiles.state) == scores.state
