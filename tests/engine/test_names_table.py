"""``--names``: the table that leads back from pseudonyms keeps what earlier runs wrote there."""

from __future__ import annotations

from pathlib import Path

import pytest

from lungscan.errors import MachineError, UsageProblem
from lungscan.scanning.deidentify import COLUMNS, write_names
from lungscan.types import HiddenName
from tests.engine.scanning import make_field, options, run
from tests.models import FakeRuntime

HEADER = ",".join(COLUMNS)


def name_of(pseudonym: str, path: str) -> HiddenName:
    return HiddenName(pseudonym, pseudonym, path, "")


def test_two_runs_into_one_folder_share_their_table(
    model: Path, fake: FakeRuntime, tmp_path: Path
) -> None:
    names = tmp_path / "n.csv"
    for seed, name in enumerate(("=Miller.png", "Jones.png", "=Miller.png")):
        make_field(tmp_path / name[:2] / name, seed=seed % 2)
        run(options(model, tmp_path / "out", tmp_path / name[:2], deidentify=True, names=names))
    lines = names.read_text(encoding="utf-8").splitlines()
    assert lines[0] == HEADER
    assert {line.split(",")[2] for line in lines[1:]} == {"Jo/Jones.png", "'=M/=Miller.png"}
    assert len(lines) == 3


def test_a_pseudonym_has_one_row_that_of_its_present_name(tmp_path: Path) -> None:
    path = tmp_path / "n.csv"
    write_names(path, [name_of("case-0000000001", "old.png"), name_of("case-0000000002", "b.png")])
    write_names(path, [name_of("case-0000000001", "new.png")])
    rows = path.read_text(encoding="utf-8").splitlines()[1:]
    assert [row.split(",")[2] for row in rows] == ["new.png", "b.png"]


@pytest.mark.parametrize(
    "data", [b"", b"case_id;relative_path\n", f"{HEADER}\ncase-1,M\xfcller\n".encode("latin-1"),
             f'{HEADER}\n"case-1\n'.encode(), f"{HEADER},note\na,b,c,d,e\n".encode()]
)  # fmt: skip
def test_a_table_that_cannot_be_read_is_never_written_over(
    model: Path, tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "n.csv"
    path.write_bytes(data)
    make_field(tmp_path / "in" / "a.png")
    chosen = options(model, tmp_path / "out", tmp_path / "in", deidentify=True, names=path)
    with pytest.raises(UsageProblem, match="another one; choose a new name"):
        run(chosen)
    with pytest.raises(MachineError, match="left as it is"):
        write_names(path, [name_of("case-0000000001", "a.png")])
    assert path.read_bytes() == data
