"""The run in a process of its own, with the real model; and what is told when it fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from lungscan.errors import ModelError
from lungscan.events import CaseFinished, RunFinished, ScoredTiles, TilesScored
from lungscan.options import ScanOptions
from lungscan_gui.scanning.child import Slim
from lungscan_gui.scanning.job import Failure, Jobs, ScanJob, Stopped
from lungscan_gui.viewer.tilemap import TileMap, map_of

ROOT = Path(__file__).parents[2]


def test_the_live_map_is_the_answer_s(demo_slide: Path, tmp_path: Path) -> None:
    job = ScanJob(ScanOptions((demo_slide,), tmp_path / "out", threads=2, pdf="none"))
    events = list(job.events())
    assert isinstance(events[-1], RunFinished)
    scored = [e.tiles for e in events if isinstance(e, TilesScored)]
    (result,) = [e.result for e in events if isinstance(e, CaseFinished)]
    assert result.prediction.label == "lung_aca"
    assert scored
    live = TileMap(scored[0].grid, 3)
    for tiles in scored:
        live.put(tiles.first, tiles.probs, tiles.state)
    done = map_of(result.scores[0])
    assert (live.boxes == done.boxes).all()
    assert np.array_equal(live.probs, done.probs, equal_nan=True)
    assert (live.state == done.state).all()
    assert all(len(tiles.grid) == 0 for tiles in scored[1:])  # sent once


def test_stop_answers_soon_and_keeps_what_is_scored(demo_slide: Path, tmp_path: Path) -> None:
    job = ScanJob(ScanOptions((demo_slide,), tmp_path / "out", overlap=0.75, threads=1))
    ended = 0.0
    for event in job.events():
        if isinstance(event, TilesScored) and not ended:
            ended = time.monotonic()
            job.stop()
    assert isinstance(event, Stopped)
    assert time.monotonic() - ended < 5  # under load; benchmarks/window.py measures it
    (journal,) = (tmp_path / "out").rglob(".tiles-0.journal")
    assert journal.stat().st_size > 500


def test_a_run_that_cannot_begin_says_why(demo_slide: Path, tmp_path: Path) -> None:
    options = ScanOptions((demo_slide,), tmp_path / "out", model=str(tmp_path / "none"))
    (event,) = ScanJob(options).events()
    assert isinstance(event, Failure)
    assert event.code == ModelError.code
    assert "There is no model" in event.message


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_process_that_dies_costs_a_message(tmp_path: Path, demo_slide: Path) -> None:
    job = ScanJob(ScanOptions((demo_slide,), tmp_path / "out"))
    threading.Timer(0.2, os.kill, (job.pid, signal.SIGSEGV)).start()
    *_, event = job.events()
    assert isinstance(event, Failure)
    assert event.code == "E_CRASH"
    assert "the window is not affected" in event.message


def test_a_prepared_process_takes_the_next_run_and_ends_with_the_window(
    tmp_path: Path, demo_slide: Path
) -> None:
    jobs = Jobs()
    jobs.prepare()
    deadline = time.monotonic() + 30
    while jobs.spare is None and time.monotonic() < deadline:
        time.sleep(0.01)
    waiting = jobs.spare
    options = ScanOptions((demo_slide,), tmp_path / "out", model=str(tmp_path / "none"))
    job = jobs.start(options)
    assert job is waiting
    assert jobs.spare is None
    (event,) = job.events()
    assert "There is no model" in event.message
    jobs.prepare()
    while jobs.spare is None and time.monotonic() < deadline:
        time.sleep(0.01)
    waiting = jobs.spare
    waiting.kill()  # the system needed its memory
    while waiting.alive:
        time.sleep(0.01)
    other = jobs.start(options)
    assert other is not waiting
    (event,) = other.events()
    assert "There is no model" in event.message
    jobs.prepare()
    while jobs.spare is None and time.monotonic() < deadline:
        time.sleep(0.01)
    waiting = jobs.spare
    jobs.close()
    assert not waiting.alive
    jobs.prepare()
    time.sleep(0.2)
    assert jobs.spare is None  # the window is closed


def test_boxes_are_sent_once_for_each_file() -> None:
    slim, grid = Slim(), np.zeros((5, 4), np.int32)

    def event(key: str, file: int) -> TilesScored:
        tiles = ScoredTiles(file, grid, 0, np.zeros((1, 3), np.float32), ())
        return TilesScored(key, 1, 5, tiles)

    sent = [slim(event(*of)) for of in (("a", 0), ("a", 0), ("a", 1), ("b", 1))]
    assert [len(item.tiles.grid) for item in sent] == [5, 0, 5, 5]
    assert slim("anything else") == "anything else"


def test_the_process_loads_no_qt() -> None:
    code = (
        "import sys, lungscan_gui, lungscan_gui.scanning.child, lungscan_gui.engine\n"
        "print([name for name in sys.modules if name.startswith(('PyQt6', 'openvino', 'torch'))])"
    )
    path = os.pathsep.join(str(ROOT / part) for part in (".", "gui", "models"))
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
