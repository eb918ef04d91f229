"""What a watch must not lose: its tables after a full disk, whose pseudonyms are whose, reviews."""

from __future__ import annotations

import csv
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lungscan.layout import REVIEW
from lungscan.options import PdfChoice, ScanOptions
from lungscan.results.review_json import review_beside
from lungscan.review.storing import save_review
from lungscan.verification.verify import AMISS, verify
from tests.engine.scanning import make_field, rows, stored
from tests.engine.watching import Clock, ended, follow, ids, nothing, notices
from tests.models import FakeRuntime, tiny_model
from tests.reviewing import review_of


@pytest.mark.parametrize("last_row", ["comes", "goes"])
def test_tables_that_a_full_disk_held_up_are_written_once_there_is_room(
    chosen: ScanOptions, clock: Clock, monkeypatch: pytest.MonkeyPatch, last_row: str
) -> None:
    (folder,) = chosen.paths
    honest = Path.replace
    full = [False]

    def replace_file(self: Path, target: Path) -> Path:
        if full[0] and Path(target).name == "cases.csv":
            raise OSError(28, "No space left on device")
        return honest(self, target)

    def fill_up() -> None:
        full[0] = True
        if last_row == "comes":
            make_field(folder / "b.png", seed=2)
        else:
            (folder / "bad.png").unlink()

    def make_room() -> None:
        full[0] = False

    monkeypatch.setattr(Path, "replace", replace_file)
    make_field(folder / "a.png", seed=1)
    if last_row == "goes":
        (folder / "bad.png").write_bytes(b"no picture")
    events = follow(chosen, clock, fill_up, nothing, make_room, nothing, nothing)
    assert len([text for text in notices(events) if "disk is full" in text]) == 1
    assert ids(chosen.out) == (["a", "b"] if last_row == "comes" else ["a"])
    assert not any(check.state in AMISS for check in verify(chosen.out))


@pytest.mark.parametrize("deidentify", [False, True])
def test_a_series_whose_first_slices_come_last_leaves_no_row_of_its_part(
    chosen: ScanOptions, clock: Clock, tmp_path: Path, deidentify: bool
) -> None:
    pytest.importorskip("pydicom", reason="CT series need the extra dicom")
    from tests.ct_slices import write_series
    from tests.engine.test_ct_modality import CT_CARD

    (folder,) = chosen.paths
    model = str(tiny_model(tmp_path / "ct", CT_CARD).folder)
    ct = replace(chosen, model=model, deidentify=deidentify)
    slices = sorted(write_series(tmp_path / "made", count=6))
    other = write_series(folder / "other", count=3, SeriesInstanceUID="9")

    def bring(paths: list[Path]) -> None:
        (folder / "thorax").mkdir(exist_ok=True)
        for path in paths:
            shutil.copy2(path, folder / "thorax")

    events = follow(
        ct,
        clock,
        lambda: bring(slices[3:]),
        other[0].unlink,  # a slice less is no part of anything that is there
        lambda: bring(slices),
    )
    assert len(ended(events)) == 4
    assert sorted(row["tiles"] for row in rows(chosen.out)) == ["2", "3", "6"]
    assert not any(check.state in AMISS for check in verify(chosen.out))


def test_a_restart_keeps_whose_the_pseudonyms_of_removed_slides_are(
    chosen: ScanOptions, clock: Clock, tmp_path: Path
) -> None:
    (folder,) = chosen.paths
    names = tmp_path / "names.csv"
    hidden = replace(chosen, deidentify=True, names=names)
    make_field(folder / "Miller.png", seed=1)
    follow(hidden, clock)
    (folder / "Miller.png").unlink()
    make_field(folder / "Jones.png", seed=2)
    follow(hidden, clock)
    with names.open(encoding="utf-8", newline="") as file:
        found = {row["case_id"]: row["original_path"] for row in csv.DictReader(file)}
    assert set(found) == set(ids(chosen.out))
    assert set(found.values()) == {"in/Miller.png", "in/Jones.png"}


@pytest.mark.parametrize("pdf", ["none", "cases"])
def test_a_renamed_slide_takes_its_review_along(
    chosen: ScanOptions, clock: Clock, fake: FakeRuntime, pdf: PdfChoice
) -> None:
    (folder,) = chosen.paths
    shown = replace(chosen, pdf=pdf)

    def review() -> None:
        result = stored(chosen.out)["a"]
        save_review(chosen.out, result, review_of(result))

    make_field(folder / "a.png", seed=1)
    calls: list[int] = []

    def rename() -> None:
        calls.append(fake.calls)
        (folder / "a.png").rename(folder / "b.png")

    follow(shown, clock, review, rename)
    assert fake.calls == calls[0]  # nothing was computed again
    assert ids(chosen.out) == ["b"]
    (place,) = chosen.out.glob(f"cases/*/{REVIEW}")
    kept = review_beside(place.parent, stored(chosen.out)["b"])
    assert (kept.problem, kept.review and kept.review.case_id) == ("", "b")
    assert kept.review == review_of(stored(chosen.out)["b"])
    assert len(list((chosen.out / "cases").iterdir())) == 1  # nothing is left of the old name
    assert not any(check.state in AMISS for check in verify(chosen.out))


def test_another_slide_of_the_same_size_and_time_inherits_no_review(
    chosen: ScanOptions, clock: Clock
) -> None:
    (folder,) = chosen.paths
    for seed, name in enumerate(("a.bmp", "b.bmp")):
        os.utime(make_field(folder.parent / name, seed=seed), (1e9, 1e9))

    def review_and_replace() -> None:
        result = stored(chosen.out)["a"]
        save_review(chosen.out, result, review_of(result))
        (folder / "a.bmp").unlink()
        shutil.copy2(folder.parent / "b.bmp", folder / "b.bmp")

    shutil.copy2(folder.parent / "a.bmp", folder / "a.bmp")
    follow(chosen, clock, review_and_replace)
    assert ids(chosen.out) == ["a", "b"]
    (place,) = chosen.out.glob(f"cases/*/{REVIEW}")
    assert review_beside(place.parent, stored(chosen.out)["a"]).review is not None
