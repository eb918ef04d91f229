"""Files are whole or not there, and a machine in the way is reported in one sentence."""

from __future__ import annotations

import errno
import os
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from lungscan.errors import MachineError
from lungscan.results import atomic_files
from lungscan.results.atomic_files import (
    atomic_writer,
    machine_error,
    write_atomic,
)


def write_then(path: Path, error: BaseException | None) -> None:
    """Write a little, durably, and stop with the error if there is one."""
    with atomic_writer(path, durable=True) as file:
        file.write(b"half")
        if error is not None:
            raise error


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "case.json"
    write_atomic(path, b"one")
    write_atomic(path, b"two", durable=False)
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_in_the_block_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    write_atomic(path, b"old")
    with pytest.raises(KeyboardInterrupt):
        write_then(path, KeyboardInterrupt())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_final_name_appears_only_when_the_file_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    with atomic_writer(path) as file:
        file.write(b"half")
        assert not path.exists()
    assert path.read_bytes() == b"half"


def test_a_name_of_255_bytes_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    write_atomic(path, b"x")
    assert path.exists()


@pytest.mark.parametrize("call", ["fsync", "write", "replace"])
@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "disk is full"), (errno.EACCES, "may not be written"), (errno.EIO, "drive")],
)
def test_each_failing_call_becomes_one_sentence_and_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, words: str
) -> None:
    path = tmp_path / "case.json"
    write_atomic(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        if call == "replace":
            patch.setattr(Path, "replace", fail)
        elif call == "fsync":
            patch.setattr(os, "fsync", fail)
        error = OSError(number, os.strerror(number)) if call == "write" else None
        with pytest.raises(MachineError, match=words):
            write_then(path, error)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(MachineError, match="may not be written"):
        write_atomic(tmp_path / "case.json", b"x")


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(MachineError, match="could not be written"):
        write_atomic(tmp_path / "file" / "case.json", b"x")


def test_the_message_names_the_file_and_the_cure() -> None:
    error = machine_error(OSError(errno.ENOSPC, "x"), Path("out/case.json"))
    assert "case.json" in str(error)
    assert "free some space" in str(error)
    assert error.exit_code == 5


@pytest.mark.parametrize(
    ("system", "tries", "there"), [("nt", 2, True), ("nt", 9, False), ("posix", 1, False)]
)
def test_windows_is_asked_again_while_a_scanner_holds_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str, tries: int, there: bool
) -> None:
    asked: list[Path] = []
    honest = Path.replace

    def held(path: Path, target: Path) -> Path:
        asked.append(path)
        if len(asked) <= tries:
            raise PermissionError(13, "The process cannot access the file")
        return honest(path, target)

    monkeypatch.setattr(atomic_files, "os", SimpleNamespace(name=system))
    monkeypatch.setattr(atomic_files, "time", SimpleNamespace(sleep=lambda _: None))
    monkeypatch.setattr(Path, "replace", held)
    with nullcontext() if there else pytest.raises(MachineError, match="close it"):
        write_atomic(tmp_path / "a.json", b"x", durable=False)
    assert (tmp_path / "a.json").exists() is there
    assert len(list(tmp_path.iterdir())) == there  # no draft is left
