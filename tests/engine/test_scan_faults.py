"""What goes wrong: each bad case ends in its own row, and the others are unharmed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from lungscan.errors import MachineError
from lungscan.inputs.parts import PartFinder
from lungscan.layout import LIST
from lungscan.reading.field import FieldSource
from lungscan.reading.slides.slide import SlideSource
from lungscan.reading.source import TilePixels
from lungscan.types import BoxArray, CaseResult, CaseStatus, Overview
from tests.drawing import truncate
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
from tests.models import FakeRuntime


def only(found: dict[str, CaseResult]) -> CaseResult:
    """The one case."""
    (result,) = found.values()
    return result


# Bad input --------------------------------------------------------------------------------------


def test_each_bad_input_ends_in_its_own_row(model: Path, fake: FakeRuntime, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    make_slide(folder / "good.svs", 768, 512)
    make_field(folder / "good.png")
    truncate(make_slide(folder / "cut.svs", 768, 512), 0.4)
    (folder / "text.svs").write_text("this is no slide\n" * 50)
    make_slide(folder / "unscaled.svs", 768, 512, mpp=None, power=None)
    (folder / "text.jpg").write_text("this is no picture\n" * 50)
    truncate(make_field(folder / "cut.png"), 0.5)
    (folder / "empty.svs").write_bytes(b"")
    out = tmp_path / "out"
    run(options(model, out, folder))
    table = {row["relative_path"]: row for row in rows(out)}
    assert {path: row["status"] for path, row in table.items()} == {
        "in/good.svs": "ok", "in/good.png": "ok", "in/cut.svs": "failed", "in/text.svs": "failed",
        "in/unscaled.svs": "failed", "in/text.jpg": "failed", "in/cut.png": "failed",
        "in/empty.svs": "failed",
    }  # fmt: skip
    codes = {path: row["error_code"] for path, row in table.items() if row["status"] == "failed"}
    assert codes == {
        "in/cut.svs": "E_FORMAT", "in/text.svs": "E_FORMAT", "in/unscaled.svs": "E_NO_MPP",
        "in/text.jpg": "E_FORMAT", "in/cut.png": "E_FORMAT", "in/empty.svs": "E_FORMAT",
    }  # fmt: skip
    assert "--mpp" in table["in/unscaled.svs"]["error_message"]
    assert "copy it again from its source" in table["in/empty.svs"]["error_message"]


def test_a_folder_of_broken_copies_alone_says_what_they_are(
    model: Path, fake: FakeRuntime, tmp_path: Path
) -> None:
    """They were skipped, so that nobody noticed: the run ended as one in which nothing failed."""
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("lost.svs", "lost.png", "lost.dcm"):
        (folder / name).write_bytes(b"")
    (folder / "notes.txt").write_text("nothing")
    *_, finished = run(options(model, out, folder))
    assert (finished.failed, finished.skipped) == (3, 1)
    for row in (row for row in rows(out) if row["status"] == "failed"):
        name = row["relative_path"].removeprefix("in/")
        assert row["error_message"] == f"{name} is empty; copy it again from its source."


@pytest.mark.parametrize("hidden", [False, True])
def test_a_disk_that_fails_during_the_search_is_told_of(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hidden: bool
) -> None:
    def away(self: PartFinder, path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error", str(path))

    make_field(tmp_path / "Quaxby.png")
    monkeypatch.setattr(PartFinder, "parts_of", away)
    with pytest.raises(MachineError, match=r"search for images failed.*Check the drive") as caught:
        run(options(model, tmp_path / "out", tmp_path / "Quaxby.png", deidentify=hidden))
    assert ("Quaxby" in str(caught.value)) is not hidden
    assert caught.value.__suppress_context__  # a traceback would show it
    assert (caught.value.__cause__ is None) is hidden


@pytest.mark.parametrize(("damaged", "status"), [((48,), "partial"), ((46, 48, 50), "failed")])
def test_a_slide_with_damaged_tiles(
    model: Path, fake: FakeRuntime, tmp_path: Path, damaged: tuple[int, ...], status: str
) -> None:
    # So wide that its second level serves to find the tissue, but the first one to read it. 36 x 3
    # file tiles of 256 px; those in the middle row spoil every box of 128 px that meets them.
    slide = make_slide(tmp_path / "s.svs", 9216, 640, downsamples=(3,), damaged=damaged)
    out = tmp_path / "out"
    result = only(results(run(options(model, out, slide))))
    assert result.status == status
    assert result.error_code == "E_TILE"
    spoilt = result.counts.failed
    assert 4 * len(damaged) <= spoilt <= 9 * len(damaged)
    assert f"{spoilt} of {result.counts.total} tiles" in result.error_message
    assert (result.prediction is None) == (status == "failed")
    assert result.files[0].sha256
    if status == "partial":
        lines = (out / "cases" / result.key / "tiles.csv").read_text().splitlines()
        bad = [line.split(",") for line in lines if line.endswith(",failed")]
        assert len(bad) == spoilt == _meeting(result.scores[0].boxes, 256 * (damaged[0] % 36), 256)
        assert {tuple(cells[4:11]) for cells in bad} == {("",) * 7}  # no number of a tile unread


def _meeting(boxes: BoxArray, x: int, y: int) -> int:
    """How many boxes meet the file tile of 256 px at a position."""
    left, top, width, height = boxes.T
    across = (left < x + 256) & (left + width > x)
    return int((across & (top < y + 256) & (top + height > y)).sum())


def test_a_hole_in_the_only_level(model: Path, fake: FakeRuntime, tmp_path: Path) -> None:
    slide = make_slide(tmp_path / "s.svs", 2048, 1792, downsamples=(), damaged=(14,))
    result = only(results(run(options(model, tmp_path / "out", slide))))
    assert result.status is CaseStatus.PARTIAL
    assert "1.8 % of the picture could not be searched for tissue." in result.error_message
    assert "tiles_unreadable" in result.flags


@pytest.mark.parametrize(("share", "status"), [(0.01, "partial"), (0.2, "failed")])
def test_a_picture_that_could_not_be_searched_whole(
    model: Path,
    fake: FakeRuntime,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    share: float,
    status: str,
) -> None:
    whole = SlideSource.overview

    def holed(self: SlideSource, max_px: int = 2048) -> Overview:
        seen = whole(self, max_px)
        return Overview(seen.rgb, seen.valid, seen.downsample, share)

    monkeypatch.setattr(SlideSource, "overview", holed)
    result = only(results(run(options(model, tmp_path / "out", make_slide(tmp_path / "s.svs")))))
    assert result.status == status
    assert "searched for tissue" in result.error_message
    assert result.error_code == "E_TILE"


def test_a_folder_that_may_not_be_read(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_field(tmp_path / "in" / "good.png")
    make_field(tmp_path / "in" / "closed" / "x.png")
    listing = os.scandir

    def guarded(path: object = ".") -> object:
        if Path(str(path)).name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return listing(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", guarded)
    run(options(model, tmp_path / "out", tmp_path / "in"))
    monkeypatch.undo()
    found = {row["relative_path"]: row for row in rows(tmp_path / "out")}
    assert found["in/closed"]["status"] == "failed"
    assert found["in/closed"]["error_code"] == "E_PERMISSION"
    assert found["in/good.png"]["status"] == "ok"


@pytest.mark.parametrize("kind", ["svs", "png"])
def test_a_library_that_fails_while_tiles_are_read_costs_one_case(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    source: type[SlideSource] | type[FieldSource] = SlideSource if kind == "svs" else FieldSource
    make = make_slide if kind == "svs" else make_field
    for name in ("a", "bad", "c"):
        make(tmp_path / "in" / f"{name}.{kind}")
    honest, broken, opened = source.read_tiles, set(), []
    seen = source.overview

    def overview(self: SlideSource, max_px: int = 2048) -> Overview:
        opened.append(self)
        if len(opened) == 2:
            broken.add(id(self))
        return seen(self, max_px)  # type: ignore[arg-type]

    def read(
        self: SlideSource, boxes: np.ndarray, size_px: int, into: np.ndarray | None = None
    ) -> TilePixels:
        if id(self) in broken:
            raise KeyError("a library's own")
        return honest(self, boxes, size_px, into)  # type: ignore[arg-type]

    monkeypatch.setattr(source, "overview", overview)
    monkeypatch.setattr(source, "read_tiles", read)
    found = results(run(options(model, tmp_path / "out", tmp_path / "in", mpp=0.5)))
    assert {case: found[case].status.value for case in found} == {
        "a": "ok", "bad": "failed", "c": "ok",
    }  # fmt: skip
    assert found["bad"].error_code == "E_UNEXPECTED"


def test_a_report_that_cannot_be_drawn_costs_one_case(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_field(tmp_path / "in" / "a.png")
    make_field(tmp_path / "in" / "bad.png", seed=1)

    def draw(result: CaseResult, file_index: int = 0) -> bytes:
        if result.case_id == "bad":
            raise ValueError("no such glyph")
        return b"png"

    monkeypatch.setattr("lungscan.report.write.render_heatmap", draw)
    out = tmp_path / "out"
    found = results(run(options(model, out, tmp_path / "in", heatmap=True)))
    assert found["a"].status is CaseStatus.OK
    assert found["bad"].status is stored(out)["bad"].status is CaseStatus.FAILED
    assert files_below(out / "cases" / found["bad"].key) == {"case.json"}


# Cases of several files --------------------------------------------------------------------------


def test_files_joined_by_a_manifest(model: Path, fake: FakeRuntime, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    make_slide(folder / "a.svs", 768, 512)
    make_slide(folder / "b.svs", 640, 512)
    make_field(folder / "c.png")
    make_field(folder / "d.png", seed=1)
    (tmp_path / "m.csv").write_text("file,case\na.svs,P1\nb.svs,P1\nc.png,P2\nd.png,P2\n")
    out = tmp_path / "out"
    chosen = options(model, out, folder, cases=tmp_path / "m.csv", geojson=True, heatmap=True)
    found = results(run(chosen))
    assert sorted(found) == ["P1", "P2"]
    first, second = found["P1"], found["P2"]
    assert first.relative_paths == ("in/a.svs", "in/b.svs")
    assert [scores.file_index for scores in first.scores] == [0, 1]
    assert first.tissue_mm2 == pytest.approx(sum(file.tissue_mm2 or 0 for file in first.files))
    names = {path.name for path in (out / "cases" / first.key).iterdir()}
    assert names == {
        "case.json", LIST, "tiles.csv", "tiles.geojson", "tiles-2.geojson", "heatmap.png",
        "heatmap-2.png",
    }  # fmt: skip
    assert second.counts.total == 2
    calls = fake.calls
    assert all(case.resumed for case in run(chosen) if hasattr(case, "resumed"))
    assert fake.calls == calls


@pytest.mark.parametrize("kind", ["svs", "png"])
def test_one_bad_file_of_a_case_makes_it_partial(
    model: Path, fake: FakeRuntime, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "in"
    make = make_slide if kind == "svs" else make_field
    (folder).mkdir()
    (folder / f"a.{kind}").write_text("no image")
    make(folder / f"b.{kind}")
    (tmp_path / "m.csv").write_text(f"file,case\na.{kind},P\nb.{kind},P\n")
    out = tmp_path / "out"
    result = only(results(run(options(model, out, folder, cases=tmp_path / "m.csv", geojson=True))))
    assert result.status is CaseStatus.PARTIAL
    assert result.prediction is not None
    assert result.prediction.label == "adeno"
    assert result.error_message.startswith(f"in/a.{kind} is "), "the file is named once"
    assert [file.relative_path for file in result.files] == [f"in/b.{kind}"]
    lines = (out / "cases" / result.key / "tiles.csv").read_text().splitlines()
    assert {line.rsplit(",", 1)[-1] for line in lines} == {"file", f"in/b.{kind}"}
    fake.sure = 0.4
    result = only(results(run(options(model, out, folder, cases=tmp_path / "m.csv"))))
    assert result.status is CaseStatus.PARTIAL  # tried again; and never a plain "no result"
