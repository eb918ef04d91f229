"""The journal: what is scored stays scored, whatever happens to the run or to the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lungscan.classification.journal import Journal
from lungscan.classification.scoring import TileBatch, score_span
from lungscan.errors import MachineError
from lungscan.events import CaseFinished, ScanEvent, TilesScored
from lungscan.opening.plan import Plan
from lungscan.options import ScanOptions
from lungscan.scanning.scan import scan
from lungscan.types import TileQuality, TileState
from tests.engine.scanning import files_below, make_slide, options, rows, run
from tests.models import FakeRuntime

KEY = "0" * 64
BLOCK = 8


def batch(count: int, seed: int, state: TileState = TileState.USED) -> TileBatch:
    """Made-up scores."""
    rng = np.random.default_rng(seed)
    columns = rng.random((5, count)).astype(np.float32)
    probs = rng.random((count, 3)).astype(np.float32)
    probs[0] = np.nan
    quality, device = TileQuality(*columns[1:5]), "gpü" * seed
    return TileBatch(columns[0], probs, columns[1], quality, (state,) * count, device)


def same(one: TileBatch, other: TileBatch) -> bool:
    """Bit for bit."""
    arrays = [
        (b.tissue_fraction, b.probs, b.novelty, b.quality.focus, b.quality.pen, b.quality.blank,
         b.quality.valid)
        for b in (one, other)
    ]  # fmt: skip
    return (one.state, one.device) == (other.state, other.device) and all(
        np.array_equal(a, b, equal_nan=True) for a, b in zip(*arrays, strict=True)
    )


def written(path: Path, *batches: TileBatch) -> bytes:
    """A journal of these, each a block of its own."""
    with Journal(path, KEY, 3) as journal:
        for part in batches:
            journal.add(part)
            journal.flush()
    return path.read_bytes()


def test_what_went_in_comes_out(tmp_path: Path) -> None:
    parts = [batch(5, 0), batch(2, 1, TileState.NOVEL)]
    written(tmp_path / "j", *parts)
    with Journal(tmp_path / "j", KEY, 3) as again:
        assert again.done == 7
        assert all(same(a, b) for a, b in zip(again.earlier, parts, strict=True))
        again.add(batch(1, 2))
    with Journal(tmp_path / "j", KEY, 3) as again:
        assert [len(part.state) for part in again.earlier] == [5, 2, 1]


def test_cut_anywhere_it_keeps_the_whole_bands(tmp_path: Path) -> None:
    path = tmp_path / "j"
    one = len(written(path, batch(4, 0)))
    path.unlink()
    data = written(path, batch(4, 0), batch(3, 1))
    for end in range(len(data)):
        path.write_bytes(data[:end])
        with Journal(path, KEY, 3) as journal:
            assert journal.done == (4 if end >= one else 0)


def test_a_flipped_bit_costs_its_band_and_those_behind(tmp_path: Path) -> None:
    path = tmp_path / "j"
    one = len(written(path, batch(4, 0)))
    path.unlink()
    data = bytearray(written(path, batch(4, 0), batch(3, 1)))
    data[one + 20] ^= 4
    path.write_bytes(data)
    with Journal(path, KEY, 3) as journal:
        assert journal.done == 4
        journal.add(batch(2, 5))
    with Journal(path, KEY, 3) as journal:
        assert [len(part.state) for part in journal.earlier] == [4, 2]


def test_another_question_takes_nothing_over(tmp_path: Path) -> None:
    written(tmp_path / "j", batch(4, 0))
    with Journal(tmp_path / "j", "1" * 64, 3) as journal:
        assert journal.done == 0
    with Journal(tmp_path / "j", KEY, 3) as journal:
        assert journal.done == 0


def test_a_tile_that_could_not_be_read_is_tried_again(tmp_path: Path) -> None:
    written(tmp_path / "j", batch(4, 0), batch(1, 1, TileState.FAILED), batch(2, 2))
    with Journal(tmp_path / "j", KEY, 3) as journal:
        assert journal.done == 4


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"in the way")
    with pytest.raises(MachineError):
        Journal(tmp_path / "file" / "j", KEY, 3)


@pytest.fixture
def slide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small slide of several blocks."""
    monkeypatch.setattr("lungscan.classification.journal.BLOCK_TILES", BLOCK)
    return make_slide(tmp_path / "s.svs")


def leave(chosen: ScanOptions, done: int) -> None:
    """A run that is left once so many tiles are scored."""
    events = scan(chosen)
    for event in events:
        if isinstance(event, TilesScored) and event.done >= done:
            break
    events.close()


def journals(out: Path) -> list[str]:
    """Names of the journals."""
    return [name for name in files_below(out) if name.endswith(".journal")]


def total_of(events: list[ScanEvent]) -> int:
    """All tiles of the only case."""
    (finished,) = (event for event in events if isinstance(event, CaseFinished))
    return finished.result.counts.total


@pytest.mark.parametrize("isolate", [False, True])
def test_a_run_goes_on_inside_a_slide(
    model: Path, fake: FakeRuntime, tmp_path: Path, slide: Path, *, isolate: bool
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    run(options(model, whole, slide))
    total = fake.tiles
    leave(options(model, out, slide, isolate=isolate, batch_size=4), 20)
    assert len(journals(out)) == 1
    fake.tiles = 0
    again = run(options(model, out, slide, isolate=isolate, threads=1, batch_size=5))
    assert fake.tiles <= total - 20
    first = next(event for event in again if isinstance(event, TilesScored))
    assert first.done == total - fake.tiles
    assert first.tiles is not None
    assert (first.tiles.first, len(first.tiles.state)) == (0, first.done)
    assert files_below(out) == files_below(whole)
    (name,) = (name for name in files_below(out) if name.endswith("tiles.csv"))
    assert (out / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize("changes", [{"overlap": 0.1}, {"fresh": True}, {"mpp": 0.4}])
def test_other_settings_and_fresh_start_over(
    model: Path, fake: FakeRuntime, tmp_path: Path, slide: Path, changes: dict[str, object]
) -> None:
    out = tmp_path / "out"
    leave(options(model, out, slide, batch_size=4), 20)
    fake.tiles = 0
    again = run(options(model, out, slide, **changes))
    assert fake.tiles == total_of(again)
    assert journals(out) == []


@pytest.mark.parametrize(
    ("what", "other"),
    [
        ("__version__", "99.0"),
        ("library_versions", lambda: (("numpy", "99.0"),)),
        ("library_versions", tuple),
    ],
    ids=["LungScan", "a library", "no library"],
)
def test_other_versions_start_over(
    model: Path,
    fake: FakeRuntime,
    tmp_path: Path,
    slide: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    other: object,
) -> None:
    out = tmp_path / "out"
    leave(options(model, out, slide, batch_size=4), 20)
    assert journals(out)
    monkeypatch.setattr(f"lungscan.classification.large_cases.{what}", other)
    fake.tiles = 0
    again = run(options(model, out, slide))
    assert fake.tiles == total_of(again)


def test_another_device_starts_over(
    model: Path, fake: FakeRuntime, tmp_path: Path, slide: Path
) -> None:
    out = tmp_path / "out"
    leave(options(model, out, slide, batch_size=4), 20)
    fake.tiles, fake.device = 0, "another"
    again = run(options(model, out, slide))
    assert fake.tiles == total_of(again)


def test_a_failed_slide_keeps_its_journal_and_a_finished_one_does_not(
    model: Path, fake: FakeRuntime, tmp_path: Path, slide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, calls = tmp_path / "out", []

    def read(planned: Plan, start: int, *more: Any) -> TileBatch:
        calls.append(start)
        if start >= 24:
            raise OSError("the drive is gone")
        return score_span(planned, start, *more)

    with monkeypatch.context() as patch:
        patch.setattr("lungscan.classification.large_cases.score_span", read)
        run(options(model, out, slide, batch_size=4))
    assert [row["status"] for row in rows(out)] == ["failed"]
    assert len(journals(out)) == 1
    fake.tiles = 0
    run(options(model, out, slide, batch_size=4))
    (row,) = rows(out)
    assert row["status"] == "ok"
    assert fake.tiles == int(row["tiles"]) - 24
    assert journals(out) == []
