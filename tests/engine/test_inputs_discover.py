"""Folders and files become cases, in a stable order, each once; nothing stops the search."""

import os
from pathlib import Path

import pytest

from lungscan.errors import UnreadableFile, UsageProblem
from lungscan.inputs import discover, require_regular, sha256_of
from lungscan.types import FoundFile, InputFile, Inputs


def touch(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def shown(inputs: Inputs) -> list[str]:
    return [file.relative_path for case in inputs.cases for file in case.files]


def reasons(inputs: Inputs) -> dict[str, str]:
    return {skip.relative_path: skip.reason for skip in inputs.skipped}


def test_folder_is_searched_whole_in_natural_order(tmp_path: Path) -> None:
    root = tmp_path / "lab"
    for name in ("s10.svs", "s2.svs", "b/1.PNG", "a/x/deep.tiff"):
        touch(root / name)
    found = discover((root,))
    assert shown(found) == ["lab/a/x/deep.tiff", "lab/b/1.PNG", "lab/s2.svs", "lab/s10.svs"]
    assert [c.files[0].kind for c in found.cases] == ["field", "field", "slide", "slide"]


def test_order_does_not_depend_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(6):
        touch(tmp_path / f"{i}.png")
    expected = discover((tmp_path,))
    real = os.scandir

    class Backwards:
        def __init__(self, path: Path) -> None:
            with real(path) as entries:
                self.entries = sorted(entries, key=lambda e: e.name, reverse=True)

        def __enter__(self) -> list[os.DirEntry[str]]:
            return self.entries

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(os, "scandir", Backwards)
    assert discover((tmp_path,)) == expected


def test_junk_is_listed_with_its_reason(tmp_path: Path) -> None:
    root = tmp_path / "in"
    junk = ("._x.svs", "Thumbs.db", ".DS_Store", "~$x.svs", "desktop.ini", ".x.png", "notes.txt")
    for name in (*junk, "good.png"):
        touch(root / name)
    touch(root / "nothing.svs", b"")
    touch(root / "nothing.log", b"")
    touch(root / ".cache" / "old.png")
    found = discover((root,))
    assert shown(found) == ["in/good.png", "in/nothing.svs"]  # opening an empty one says so
    why = reasons(found)
    assert set(why) == {f"in/{name}" for name in (*junk, "nothing.log", ".cache")}
    assert why["in/nothing.log"] == "empty file"
    assert why["in/notes.txt"] == "not an image format LungScan reads"
    assert not any(skip.error_code for skip in found.skipped)


def test_named_file_is_tried_whatever_its_suffix(tmp_path: Path) -> None:
    assert shown(discover((touch(tmp_path / "photo.jfif"),))) == ["photo.jfif"]


def test_files_named_by_themselves_keep_the_names_that_their_folder_s_search_gave(
    tmp_path: Path,
) -> None:
    root = tmp_path / "study"
    slides = [touch(root / patient / "slide1.svs") for patient in ("P01", "P02", "P03")]
    whole = discover((root,)).cases
    named = tuple(
        FoundFile(case.files[0].path, case.files[0].relative_path, case.case_id) for case in whole
    )
    assert discover(tuple(slides), named=named).cases == whole
    assert discover(tuple(slides[1:2]), named=named).cases == whole[1:2]  # nor alone another name
    assert [case.case_id for case in discover((slides[0],)).cases] == ["slide1"]


def test_two_searches_that_gave_one_name_are_told_apart(tmp_path: Path) -> None:
    slides = [touch(tmp_path / name / "s.svs") for name in ("a", "b")]
    named = tuple(FoundFile(path, f"{path.parent.name}/s.svs", "s") for path in slides)
    found = discover(tuple(slides), named=named).cases
    assert [case.case_id for case in found] == ["a/s.svs", "b/s.svs"]


def test_each_file_counts_once(tmp_path: Path) -> None:
    file = touch(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").hardlink_to(file)
    (tmp_path / "in" / "c.png").symlink_to(file)
    assert shown(discover((file, tmp_path / "in", file.parent / ".." / "in"))) == ["a.png"]


def test_link_loop_yields_one_row(tmp_path: Path) -> None:
    root = tmp_path / "in"
    touch(root / "a.svs")
    (root / "loop").symlink_to(root, target_is_directory=True)
    found = discover((root,))
    assert shown(found) == ["in/a.svs"]
    assert reasons(found) == {}  # the loop leads where the walk has been


def test_linked_folders_are_not_followed_but_named_ones_are(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere" / "a.svs")
    link = tmp_path / "in" / "link"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert reasons(discover((link.parent,))) == {"in/link": "link to a folder, not followed"}
    assert shown(discover((link,))) == ["link/a.svs"]


def test_pipes_and_dead_links_do_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.svs")
    (tmp_path / "y.svs").symlink_to(tmp_path / "gone.svs")
    why = reasons(discover((tmp_path,)))
    assert sorted(why.values()) == ["link that leads nowhere", "not a regular file"]


def lock(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let nobody look into folders of this name; root may look into all."""
    real = os.scandir

    def scandir(path: Path) -> object:
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)


def test_unreadable_folder_is_reported_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "in" / "locked" / "a.png")
    touch(tmp_path / "in" / "open" / "b.png")
    lock(monkeypatch, "locked")
    found = discover((tmp_path / "in",))
    assert shown(found) == ["in/open/b.png"]
    assert [(s.relative_path, s.error_code) for s in found.skipped] == [
        ("in/locked", "E_PERMISSION")
    ]


def test_of_a_drive_of_windows_what_was_deleted_stays_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("slides", "$RECYCLE.BIN/S-1-5-21", "System Volume Information"):
        touch(tmp_path / "in" / folder / "a.png")
    lock(monkeypatch, "System Volume Information")
    found = discover((tmp_path / "in",))
    assert shown(found) == ["in/slides/a.png"]
    assert {(s.reason.split(",")[0], s.error_code) for s in found.skipped} == {
        ("folder of Windows itself", "")
    }
    assert shown(discover((tmp_path / "in" / "$RECYCLE.BIN",))) != []  # whoever names it means it


def test_missing_path_fails_alone_unless_nothing_is_left(tmp_path: Path) -> None:
    file, gone = touch(tmp_path / "a.png"), tmp_path / "gone.png"
    found = discover((gone, file))
    assert shown(found) == ["a.png"]
    assert [s.error_code for s in found.skipped] == ["E_NOT_FOUND"]
    with pytest.raises(UsageProblem, match=r"gone\.png"):
        discover((gone,))


def test_equal_names_stay_apart(tmp_path: Path) -> None:
    for i in range(50):
        touch(tmp_path / "in" / str(i) / "1.svs")
    cases = discover((tmp_path / "in",)).cases
    assert len({case.key for case in cases}) == 50
    assert len({case.case_id for case in cases}) == 50


def test_equal_relative_paths_of_two_arguments_stay_apart(tmp_path: Path) -> None:
    first, second = touch(tmp_path / "a" / "in" / "1.svs"), touch(tmp_path / "b" / "in" / "1.svs")
    cases = discover((first.parent, second.parent)).cases
    assert cases[0].files[0].relative_path == cases[1].files[0].relative_path
    assert cases[0].key != cases[1].key
    assert cases[0].case_id != cases[1].case_id


def test_keys_do_not_depend_on_the_machine(tmp_path: Path) -> None:
    first = touch(tmp_path / "a" / "lab" / "1.svs").parent
    second = touch(tmp_path / "b" / "c" / "lab" / "1.svs").parent
    assert discover((first,)).cases[0].key == discover((second,)).cases[0].key


def test_current_folder_is_shown_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "lab" / "a.png")
    monkeypatch.chdir(tmp_path / "lab")
    assert shown(discover((Path(),))) == ["lab/a.png"]


def test_odd_names_are_shown_and_keyed(tmp_path: Path) -> None:
    touch(tmp_path / "in" / os.fsdecode(b"x\xff.svs"))
    touch(tmp_path / "in" / "e\u0301.svs")
    touch(tmp_path / "in" / "\u00e9.svs")
    cases = discover((tmp_path / "in",)).cases
    assert len({case.key for case in cases}) == 3
    assert "in/x\\xff.svs" in {case.files[0].relative_path for case in cases}


def test_results_of_an_earlier_run_are_no_input(tmp_path: Path) -> None:
    # Also those of a run that was stopped, and also when the slides lie in the same folder.
    cases = tmp_path / "in" / "cases"
    touch(cases / "k-0123abcd" / "case.json")
    touch(cases / "k-0123abcd" / "heatmap.png")
    touch(cases / "case-0123abcdef" / "case.json")
    touch(cases / "killed-0123abcd" / ".tiles-0.journal")
    touch(cases / "reviewed-0123abcd" / "review.json")
    touch(tmp_path / "in" / "cases.csv")
    touch(tmp_path / "in" / "a.png")
    for folder in (tmp_path / "in", cases):
        found = discover((folder,))
        assert shown(found) == ["in/a.png"] * (folder != cases)
        assert reasons(found) == {}


def test_images_in_a_folder_called_cases_are_found_beside_results(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    images = ["a.png", "cases/b.png", "cases/k/c.png", "cases/ward-20260131/d.png"]
    for name in (*images, "cases/notes.txt"):
        touch(folder / name)
    before = discover((folder,))
    assert shown(before) == [f"in/{name}" for name in images]
    for key in ("a-0123abcd", "b-0123abcd", "c-0123abcd", "d-0123abcd"):
        touch(folder / "cases" / key / "case.json")
        touch(folder / "cases" / key / "heatmap.png")
    touch(folder / "cases.csv")
    touch(folder / ".lungscan-lock")
    assert discover((folder,)) == before
    touch(folder / "cases" / "k" / "case.json")  # of another program: it bears no key
    assert shown(discover((folder,))) == shown(before)


def test_a_folder_of_slides_may_be_called_cases(tmp_path: Path) -> None:
    touch(tmp_path / "in" / "cases" / "k" / "a.png")
    assert shown(discover((tmp_path / "in",))) == ["in/cases/k/a.png"]


def test_hash_covers_all_parts_in_order(tmp_path: Path) -> None:
    one, two = touch(tmp_path / "1", b"ab"), touch(tmp_path / "2", b"c")
    whole = InputFile(touch(tmp_path / "3", b"abc"), "3", "slide")
    assert sha256_of(InputFile(one, "1", "slide", (one, two))) == sha256_of(whole)
    assert sha256_of(whole).startswith("ba7816bf8f01cfea")
    with pytest.raises(UnreadableFile, match="no longer there"):
        sha256_of(InputFile(tmp_path / "gone", "gone", "field"))


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.svs")
    with pytest.raises(UnreadableFile, match="not a regular file"):
        require_regular(tmp_path / "x.svs")
    with pytest.raises(UnreadableFile, match="is empty"):
        require_regular(touch(tmp_path / "e.svs", b""))
