"""Drafts beside their place: what a killed process leaves, and what must never be lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lungscan.errors import OutputLocked
from lungscan.layout import LOCK
from lungscan.results.scratch import folder_into_place, scratch_beside

KILLED = """
import os, sys
from pathlib import Path
from lungscan.results.scratch import folder_into_place, scratch_beside
out = Path(sys.argv[1])
with scratch_beside(out) as scratch:
    (scratch / "model").mkdir()
    (scratch / "model" / "card.json").write_text("half", encoding="utf-8")
    if out.exists():
        out.replace(scratch / "earlier")
    os._exit(9)
"""


def model(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(text, encoding="utf-8")
    return folder


def test_nothing_stays_behind(tmp_path: Path) -> None:
    out = tmp_path / "models" / "own"
    for text in ("first", "second"):
        with scratch_beside(out) as scratch:
            folder_into_place(model(scratch / "model", text), out, scratch)
        assert (out / "card.json").read_text(encoding="utf-8") == text
        assert list(out.parent.iterdir()) == [out]


def test_where_nothing_can_be_made_the_caller_names_the_place_itself(tmp_path: Path) -> None:
    """The sentence was of a lock that nobody had asked for and that was not there."""
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError), scratch_beside(tmp_path / "file" / "own"):
        pass


def test_a_name_of_any_length_can_be_drafted_for(tmp_path: Path) -> None:
    for length in (245, 246, 255):
        out = tmp_path / ("ö" * 100 + "x" * (length - 200))
        with scratch_beside(out) as scratch:
            folder_into_place(model(scratch / "model", "first"), out, scratch)
        assert out.is_dir()
    assert len(list(tmp_path.iterdir())) == 3


def test_a_link_that_leads_nowhere_is_replaced(tmp_path: Path) -> None:
    """At the end of the work "Not a directory" was said, and the model was gone."""
    out = tmp_path / "own"
    out.symlink_to("away")
    with scratch_beside(out) as scratch:
        folder_into_place(model(scratch / "model", "new"), out, scratch)
    assert (out / "card.json").read_text(encoding="utf-8") == "new"
    assert list(tmp_path.iterdir()) == [out]


def test_a_link_in_the_place_is_replaced_again_and_again(tmp_path: Path) -> None:
    """It stayed among the drafts, so that the second model could not take the place of the first.

    And where the draft cannot be moved the link comes back, though it leads nowhere from there.
    """
    real, out = model(tmp_path / "real", "linked"), tmp_path / "own"
    out.symlink_to("real")
    with pytest.raises(FileNotFoundError), scratch_beside(out) as scratch:
        folder_into_place(scratch / "no such draft", out, scratch)
    assert out.is_symlink()
    for text in ("first", "second"):
        with scratch_beside(out) as scratch:
            folder_into_place(model(scratch / "model", text), out, scratch)
        assert (out / "card.json").read_text(encoding="utf-8") == text
        assert sorted(tmp_path.iterdir()) == [out, real]
    assert (real / "card.json").read_text(encoding="utf-8") == "linked"


@pytest.mark.parametrize("earlier", [True, False])
def test_the_next_start_clears_what_a_killed_process_left(tmp_path: Path, earlier: bool) -> None:
    """And gives the earlier model back, which that one had set aside."""
    out = tmp_path / "own"
    if earlier:
        model(out, "earlier")
    assert subprocess.run([sys.executable, "-c", KILLED, str(out)], check=False).returncode == 9
    assert [path.name for path in tmp_path.iterdir()] == [".lungscan-own"]
    with scratch_beside(out) as scratch:
        assert [path.name for path in scratch.iterdir()] == [LOCK]
        assert out.exists() is earlier
    assert list(tmp_path.iterdir()) == [out] * earlier


def test_two_do_not_draft_for_one_place(tmp_path: Path) -> None:
    with (
        scratch_beside(tmp_path / "own") as scratch,
        pytest.raises(OutputLocked, match="Another run is writing"),
        scratch_beside(tmp_path / "own"),
    ):
        pass
    assert not scratch.exists()


def test_drafts_that_cannot_be_removed_are_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scanner of Windows may have one open, and the model lies in its place already."""

    def held(*_: object, **__: object) -> None:
        raise PermissionError(13, "The process cannot access the file")

    with monkeypatch.context() as patch, scratch_beside(tmp_path / "model") as scratch:
        (scratch / "model").mkdir()
        (scratch / "model" / "card.json").touch()
        patch.setattr(os, "unlink", held)
    assert scratch.is_dir()


def test_a_folder_that_cannot_be_moved_leaves_the_earlier_one_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It went with the drafts, and the new one too: neither model was left."""
    out = model(tmp_path / "own", "earlier")
    honest = Path.replace

    def held(path: Path, target: Path) -> Path:
        if path.name == "model":
            raise PermissionError(13, "The process cannot access the file")
        return honest(path, target)

    monkeypatch.setattr(Path, "replace", held)
    with pytest.raises(PermissionError), scratch_beside(out) as scratch:
        folder_into_place(model(scratch / "model", "new"), out, scratch)
    assert (out / "card.json").read_text(encoding="utf-8") == "earlier"
    assert list(tmp_path.iterdir()) == [out]
