"""Runs that go on, runs that must not, and results that do not depend on how they were made."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from lungscan.events import CaseFinished, TilesScored
from lungscan.layout import LIST
from lungscan.model.card import ModelCard
from lungscan.scanning.scan import scan
from lungscan.types import CaseStatus
from lungscan.verification.verify import AMISS, verify
from tests.engine.scanning import (
    files_below,
    make_field,
    make_slide,
    options,
    results,
    rows,
    run,
    stored,
)
from tests.models import CARD, FakeRuntime, tiny_model

VOLATILE = {"seconds"}


def table(out: Path) -> list[dict[str, str]]:
    """``cases.csv`` without what differs from run to run."""
    return [{k: v for k, v in row.items() if k not in VOLATILE} for row in rows(out)]


def tiles(out: Path) -> dict[str, bytes]:
    """Each ``tiles.csv`` by its case."""
    return {path.parent.name: path.read_bytes() for path in out.glob("cases/*/tiles.csv")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two fields and a slide."""
    make_slide(tmp_path / "in" / "s.svs", 768, 640)
    make_field(tmp_path / "in" / "a.png", seed=1)
    make_field(tmp_path / "in" / "b.png", seed=2)
    return tmp_path / "in"


@pytest.mark.parametrize(("batch", "threads"), [(1, 1), (16, 4), (64, 2)])
def test_neither_batches_nor_threads_change_a_byte(
    model: Path, fake: FakeRuntime, tmp_path: Path, batch: int, threads: int, folder: Path
) -> None:
    run(options(model, tmp_path / "a", folder, mpp=0.7))
    run(options(model, tmp_path / "b", folder, mpp=0.7, batch_size=batch, threads=threads))
    assert len(tiles(tmp_path / "a")) == 3
    assert tiles(tmp_path / "a") == tiles(tmp_path / "b")
    assert table(tmp_path / "a") == table(tmp_path / "b")


def test_the_real_network_repeats_itself_with_other_batches_and_threads(
    real_model: ModelCard, tmp_path: Path
) -> None:
    make_field(tmp_path / "in" / "f.png", side=500)
    make_slide(tmp_path / "in" / "s.svs", 1024, 768)
    settings = [(16, 2), (1, 1), (64, 4), (5, 2)]
    for batch, threads in settings:
        chosen = options(real_model.folder, tmp_path / f"{batch}", tmp_path / "in", mpp=0.5)
        run(replace(chosen, threads=threads, batch_size=batch))
    for batch, _ in settings[1:]:
        assert tiles(tmp_path / f"{batch}") == tiles(tmp_path / "16")
        assert table(tmp_path / f"{batch}") == table(tmp_path / "16")
    assert {row["tiles_used"] for row in table(tmp_path / "16")} >= {"9"}


def test_finished_cases_are_taken_over(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path
) -> None:
    out = tmp_path / "out"
    run(options(model, out, folder))
    before, calls = table(out), fake.calls
    events = run(options(model, out, folder))
    assert fake.calls == calls
    assert [event.resumed for event in events if isinstance(event, CaseFinished)] == [True] * 3
    assert table(out) == before


@pytest.mark.parametrize(
    "changes", [{"overlap": 0.25}, {"abstain": "never"}, {"rule": "mean"}, {"mpp": 0.4}]
)
def test_other_settings_classify_again(
    model: Path, fake: FakeRuntime, tmp_path: Path, changes: dict[str, object]
) -> None:
    field, out = make_field(tmp_path / "f.png"), tmp_path / "out"
    run(options(model, out, field))
    events = run(options(model, out, field, **changes))
    assert [event.resumed for event in events if isinstance(event, CaseFinished)] == [False]


def test_another_model_classifies_again(fake: FakeRuntime, tmp_path: Path) -> None:
    field, out = make_field(tmp_path / "f.png"), tmp_path / "out"
    run(options(tiny_model(tmp_path / "m").folder, out, field))
    other = tiny_model(tmp_path / "n", replace(CARD, version="2.0"))
    run(options(other.folder, out, field))
    assert fake.calls == 2
    assert rows(out)[0]["model_sha256"] == other.sha256


def test_only_a_changed_file_is_classified_again(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path
) -> None:
    out = tmp_path / "out"
    run(options(model, out, folder))
    make_field(folder / "b.png", seed=3)
    events = run(options(model, out, folder))
    again = {e.result.case_id: not e.resumed for e in events if isinstance(e, CaseFinished)}
    assert again == {"a": False, "b": True, "s": False}


def test_a_damaged_record_is_made_again(model: Path, fake: FakeRuntime, tmp_path: Path) -> None:
    field, out = make_field(tmp_path / "f.png"), tmp_path / "out"
    run(options(model, out, field))
    (record,) = out.glob("cases/*/case.json")
    record.write_bytes(record.read_bytes()[:100])
    run(options(model, out, field))
    assert stored(out)["f"].status is CaseStatus.OK


def test_files_of_an_earlier_answer_do_not_stay_beside_a_new_one(
    model: Path, fake: FakeRuntime, tmp_path: Path
) -> None:
    field, out = make_field(tmp_path / "f.png"), tmp_path / "out"
    run(options(model, out, field, pdf="auto", heatmap=True, geojson=True))
    (case,) = (out / "cases").iterdir()
    (case / ".lungscan-0123456789ab.tmp").write_bytes(b"left by a killed process")
    (case / "my notes.txt").write_text("mine")
    field.write_bytes(b"no picture any more")
    run(options(model, out, field, pdf="auto", heatmap=True, geojson=True))
    assert {path.name for path in case.iterdir()} == {"case.json", "my notes.txt"}
    assert stored(out)["f"].status is CaseStatus.FAILED


def test_missing_files_are_made_from_the_record(
    model: Path, fake: FakeRuntime, tmp_path: Path
) -> None:
    field, out = make_field(tmp_path / "f.png"), tmp_path / "out"
    run(options(model, out, field))
    events = run(options(model, out, field, heatmap=True, geojson=True))
    assert [event.resumed for event in events if isinstance(event, CaseFinished)] == [True]
    names = {path.rsplit("/")[-1] for path in files_below(out / "cases")}
    assert names == {"case.json", "tiles.csv", "heatmap.png", "tiles.geojson", LIST}


@pytest.mark.parametrize(
    "cut_off", ["report.pdf", "tiles.csv", "tiles.geojson", "heatmap.png", LIST, "all of them"]
)
def test_files_that_a_power_cut_left_empty_are_made_again(
    model: Path, fake: FakeRuntime, tmp_path: Path, cut_off: str
) -> None:
    # Only the record is synced to the disk when it is written: see ``write_case_files``.
    slide, out = make_slide(tmp_path / "s.svs", 768, 512), tmp_path / "out"
    chosen = options(model, out, slide, pdf="auto", heatmap=True, geojson=True)
    run(chosen)
    files = {path: path.read_bytes() for path in out.glob("cases/*/*") if path.name != "case.json"}
    assert len(files) == 5
    for path in files:
        if cut_off in {path.name, "all of them"}:
            path.write_bytes(b"")
    calls = fake.calls
    events = run(chosen)
    assert [event.resumed for event in events if isinstance(event, CaseFinished)] == [True]
    assert fake.calls == calls
    assert {path: path.read_bytes() for path in files} == files
    assert [check for check in verify(out) if check.state in AMISS] == []


def test_a_run_that_was_left_goes_on_to_the_same_end(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path
) -> None:
    make_slide(folder / "t.svs", 768, 512)
    run(options(model, tmp_path / "whole", folder))
    out = tmp_path / "out"
    events = scan(options(model, out, folder, batch_size=4))
    for event in events:
        if isinstance(event, TilesScored):
            break
    events.close()
    assert not (out / ".lungscan-lock").exists()
    assert not (out / "cases.csv").exists()
    assert {case.status for case in stored(out).values()} == {CaseStatus.OK}
    assert sorted(stored(out)) == ["a", "b"]
    run(options(model, out, folder))
    assert table(out) == table(tmp_path / "whole")
    assert tiles(out) == tiles(tmp_path / "whole")
    assert files_below(out) == files_below(tmp_path / "whole")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_control_c_while_jobs_run_leaves_a_clean_folder(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = FakeRuntime.predict

    def interrupted(self: FakeRuntime, batch: object) -> object:
        if self.calls == 3:
            signal.raise_signal(signal.SIGINT)
        return answer(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(FakeRuntime, "predict", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            run(options(model, tmp_path / "out", folder, batch_size=2))
    finally:
        signal.signal(signal.SIGINT, before)
    assert not (tmp_path / "out" / ".lungscan-lock").exists()
    assert {case.status for case in stored(tmp_path / "out").values()} <= {CaseStatus.OK}
    monkeypatch.undo()


def test_fresh_forgets_but_only_once_the_run_can_begin(
    model: Path, fake: FakeRuntime, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    run(options(model, out, folder))

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("lungscan.classification.loading.load_runtime", broken)
        with pytest.raises(ZeroDivisionError):
            run(options(model, out, folder, fresh=True))
    assert len(stored(out)) == 3
    assert not (out / ".lungscan-lock").exists()
    calls = fake.calls
    (folder / "a.png").unlink()
    found = results(run(options(model, out, folder, fresh=True)))
    assert fake.calls > calls
    assert sorted(found) == sorted(stored(out)) == ["b", "s"]
