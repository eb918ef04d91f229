"""A manifest joins files to cases, and says plainly what is wrong with it."""

from pathlib import Path

import pytest

from lungscan.errors import UsageProblem
from lungscan.inputs import discover
from lungscan.types import CaseInput


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.png", "b.png", "c.png", "sub/d.png"):
        (folder / name).write_bytes(b"x")
    return folder


def cases(
    root: Path, text: str, encoding: str = "utf-8", at: Path | None = None
) -> list[CaseInput]:
    manifest = (at or root.parent) / "cases.csv"
    manifest.write_bytes(text.encode(encoding))
    return list(discover((root,), manifest).cases)


def names(case: CaseInput) -> list[str]:
    return [file.path.name for file in case.files]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_files_are_joined_and_the_rest_stays_alone(root: Path, encoding: str) -> None:
    found = cases(root, "file,case\nin/c.png,P1\nin/a.png,P1\n", encoding)
    assert [(c.case_id, names(c)) for c in found] == [
        ("P1", ["c.png", "a.png"]),
        ("b", ["b.png"]),
        ("d", ["d.png"]),
    ]


@pytest.mark.parametrize("name", ["sub/d.png", "sub\\d.png", "in/sub/d.png", "{root}/sub/d.png"])
def test_every_way_to_name_a_file(root: Path, name: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    text = f"File;Case\r\n{name.format(root=root)};Ä 1\r\n\r\n"
    found = cases(root, text, at=elsewhere)
    assert [names(c) for c in found if c.case_id == "Ä 1"] == [["d.png"]]


def test_a_case_named_like_another_file_stays_apart(root: Path) -> None:
    found = cases(root, "file,case\nin/a.png,b\n")
    assert len({c.case_id for c in found}) == len({c.key for c in found}) == 4


def test_keys_of_cases_do_not_depend_on_their_files(root: Path) -> None:
    one = cases(root, "file,case\nin/a.png,P1\n")[0]
    two = cases(root, "file,case\nin/a.png,P1\nin/b.png,P1\n")[0]
    assert one.key == two.key


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("file,case\nmissing.png,P1\n", r"line 2: 'missing\.png' is not among"),
        ("name,case\nin/a.png,P1\n", "no column 'file'.*first line must be 'file,case'"),
        ("file\nin/a.png\n", "no column 'case'"),
        ("", "no column 'file'"),
        ("file,case\nin/a.png,\n", "line 2: the file or the case is empty"),
        ("file,case\nin/a.png,P1\nin/a.png,P2\n", "line 3: .*two cases, 'P1' and 'P2'"),
    ],
)
def test_mistakes_are_named(root: Path, text: str, expected: str) -> None:
    with pytest.raises(UsageProblem, match=expected):
        cases(root, text)


def test_unreadable_manifests(root: Path) -> None:
    with pytest.raises(UsageProblem, match="UTF-8"):
        cases(root, "file,case\nin/a.png,Ä\n", "latin-1")
    with pytest.raises(UsageProblem, match="cannot be read"):
        discover((root,), root / "none.csv")
