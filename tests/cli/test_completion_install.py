"""`lungscan completion install`: shells themselves find what it wrote."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lungscan_cli.main import main

ROOT = Path(__file__).parents[2]
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_the_shell_in_use_is_taken(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert main(["completion", "install"]) == 0
    script = home / ".config/fish/completions/lungscan.fish"
    assert "_LUNGSCAN_COMPLETE=fish_complete" in script.read_text(encoding="utf-8")


def test_an_unknown_shell_is_asked_for(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    assert main(["completion", "install"]) == 2
    assert "lungscan completion install bash|zsh|fish" in capsys.readouterr().err
    assert list(home.iterdir()) == []


def test_zsh_is_set_up_once_and_keeps_what_it_had(home: Path) -> None:
    start = home / ".zshrc"
    start.write_text("alias ll='ls -l'", encoding="utf-8")
    assert main(["completion", "install", "zsh"]) == 0
    first = start.read_text(encoding="utf-8")
    assert main(["completion", "install", "zsh"]) == 0
    assert start.read_text(encoding="utf-8") == first
    assert first.startswith("alias ll='ls -l'\n")
    assert first.count("fpath=") == 1
    assert (home / ".local/share/zsh/site-functions/_lungscan").is_file()


def test_a_folder_that_takes_nothing_is_reported(home: Path, capsys: Captured) -> None:
    (home / ".local").write_text("a file", encoding="utf-8")
    assert main(["completion", "install", "bash"]) == 5
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_with_the_script(home: Path) -> None:
    assert main(["completion", "install", "bash"]) == 0
    script = home / ".local/share/bash-completion/completions/lungscan"
    program = home / "bin" / "lungscan"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -m lungscan_cli "$@"\n', encoding="utf-8"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    ask = (
        f'source "{script}"; COMP_WORDS=(lungscan cla); COMP_CWORD=1; '
        '_lungscan_completion lungscan; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", ask],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ
        | {
            "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(
                str(ROOT / part) for part in ("", "cli", "gui", "models")
            ),
        },
    )
    assert done.stdout.split() == ["classify"]
