"""Long, reserved and odd names: each file gets its row, and what is written fits every disk.

These tests run where they run; what Windows and macOS forbid is tested as rules on the names.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungscan.inputs.names import KeyMaker
from lungscan.types import CaseStatus
from tests.engine.scanning import make_field, make_slide, options, results, rows, run
from tests.models import FakeRuntime

# learn.microsoft.com/windows/win32/fileio/naming-a-file
DEVICES = ("con", "prn", "aux", "nul", "conin$", "conout$")
DEVICES += tuple(f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³")
FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')

NAMES = (
    "CON.png",
    "nul.png",
    "aux.PNG",
    "COM1.png",
    "LPT9.tar.png",
    "PRN .png",
    "conin$.png",
    "x..png",
    "x .png",
    " x.png",
    "a:b.png",
    'a"b<c>|d?*.png',
    "back\\slash.png",
    "-rf.png",
    "%TEMP%.png",
    "l" * 251 + ".png",
    "é" * 125 + ".png",
    "组织切片" * 20 + ".png",
    "É.png",
    unicodedata.normalize("NFD", "É.png"),
)


def faults(name: str) -> list[str]:
    """What Windows, macOS or a memory stick would not take of a file's or folder's name."""
    wrong = {
        "not ASCII": not name.isascii(),
        "longer than 80": len(name) > 80,
        "forbidden character": bool(FORBIDDEN.search(name)),
        "ends with a dot or space": name.endswith((".", " ")),
        "a device": name.split(".", maxsplit=1)[0].rstrip(" ").lower() in DEVICES,
        "empty": not name,
    }
    return [fault for fault, there in wrong.items() if there]


@pytest.mark.parametrize(
    "name", ["CON", "nul.txt", "Com1 .x", "a.", "a ", "é", "a?b", "l" * 81, ""]
)
def test_the_rules_notice(name: str) -> None:
    assert faults(name)


@given(st.one_of(st.text(max_size=90), st.sampled_from(DEVICES), st.sampled_from(NAMES)))
def test_a_case_s_folder_is_fit_for_windows_and_macos(name: str) -> None:
    assert not faults(KeyMaker().make(name, name.encode("utf-8", "replace").decode()))


def test_twenty_odd_names_give_twenty_rows(
    model: Path, fake: FakeRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = make_field(tmp_path / "plain.png").read_bytes()
    (tmp_path / "in").mkdir()
    for name in NAMES:
        (tmp_path / "in" / name).write_bytes(drawn)
    written: set[str] = set()
    honest = Path.open

    def noted(self: Path, mode: str = "r", *more: object, **named: object) -> object:
        if set(mode) & set("wxa+"):
            written.update(self.relative_to(tmp_path / "out").parts)
        return honest(self, mode, *more, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", noted)
    chosen = options(
        model, tmp_path / "out", tmp_path / "in", pdf="cases", heatmap=True, geojson=True
    )
    run(chosen)
    monkeypatch.undo()
    stored = len(list((tmp_path / "in").iterdir()))  # a disk may take two of them for one
    found = rows(tmp_path / "out")
    assert [row["status"] for row in found] == ["ok"] * stored
    assert len({row["case_id"] for row in found}) == stored
    folders = {path.parent.name for path in (tmp_path / "out").glob("cases/*/report.pdf")}
    assert len({folder.casefold() for folder in folders}) == stored
    assert stored >= len(NAMES) - 1
    for path in (tmp_path / "out").rglob("*"):
        written.update(path.relative_to(tmp_path / "out").parts)
    assert {name: faults(name) for name in written if faults(name)} == {}
    assert len(written) > stored + 6  # of what is moved into place, the name before as well


@pytest.mark.parametrize("isolate", [False, True])
@pytest.mark.parametrize("part", ["folder-with-a-rather-long-name", "Gewebe-äöü-组织"])
def test_paths_beyond_260_characters(
    model: Path, fake: FakeRuntime, tmp_path: Path, part: str, *, isolate: bool
) -> None:
    deep = tmp_path.joinpath("in", *[f"{part}-{number}" for number in range(16)])
    slide, field = make_slide(deep / "s.svs"), make_field(deep / "f.png")
    assert len(str(slide)) > 260
    out = tmp_path.joinpath(*[f"results-in-{part}-{number}" for number in range(12)])
    found = results(run(options(model, out, tmp_path / "in", isolate=isolate)))
    assert [result.status for result in found.values()] == [CaseStatus.OK] * 2
    paths = {path for result in found.values() for path in result.relative_paths}
    assert paths == {file.relative_to(tmp_path).as_posix() for file in (slide, field)}
    assert len(rows(out)) == 2
    again = run(options(model, out, slide, field, isolate=isolate))
    assert len(results(again)) == 2  # named one by one as well
