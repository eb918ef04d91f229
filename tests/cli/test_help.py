"""Help, version, completion: what a person meets first, and how little it loads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from lungscan import __version__
from lungscan_cli.groups import LazyGroup
from lungscan_cli.main import COMMANDS, lungscan, main

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "openvino", "pandas", "reportlab", "numpy", "PIL", "openslide", "rich")
Captured = pytest.CaptureFixture[str]


def run_python(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a fresh interpreter that finds the packages of this checkout."""
    path = os.pathsep.join(str(ROOT / part) for part in ("", "cli", "gui", "models"))
    return subprocess.run(
        [sys.executable, *args],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path} | env,
    )


def commands(*path: str) -> list[tuple[str, ...]]:
    """Every command and sub-command below ``path``."""
    command = find(path)
    if not isinstance(command, LazyGroup):
        return []
    below = [(*path, name) for name in command.commands_at]
    return below + [deeper for one in below for deeper in commands(*one)]


def find(path: tuple[str, ...]) -> click.Command:
    """The command object at ``path``."""
    command: click.Command = lungscan
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    return command


@pytest.mark.parametrize(
    "line", ["--help", "--version", "classify --help", "train --help", "completion zsh"]
)
def test_first_contact_loads_nothing_heavy(line: str) -> None:
    done = run_python(
        "-c",
        "import sys; from lungscan_cli.main import main\n"
        f"code = main({line.split()!r})\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
        "sys.exit(code)",
    )
    assert done.returncode == 0
    assert done.stdout
    assert done.stderr.strip() == "[]"


def test_running_the_package_is_the_same_command() -> None:
    done = run_python("-m", "lungscan_cli", "--version")
    assert (done.returncode, done.stdout) == (0, f"lungscan {__version__}\n")


def test_help_begins_with_examples_and_lists_all_commands(capsys: Captured) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Examples:\n  lungscan demo")
    for name in COMMANDS:
        assert f"\n  {name} " in out
    assert "..." not in out.split("Commands:")[1]  # each summary fits its line


def test_sub_commands_are_found() -> None:
    assert {("verify",), ("models", "list"), ("data", "audit"), ("data", "get")} <= set(commands())


@pytest.mark.parametrize("path", commands(), ids=" ".join)
def test_each_option_says_what_it_does_and_its_default(path: tuple[str, ...]) -> None:
    command = find(path)
    assert command.help
    with click.Context(command, show_default=True) as ctx:
        for param in command.params:
            if isinstance(param, click.Option):
                assert param.help, param.name
                assert {"default", "required"} & set(param.get_help_extra(ctx)), param.name


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("clasify x", "Did you mean 'classify'?"),
        ("models lits", "Did you mean 'list'?"),
        ("classify --overlp 0.1 x", "'--overlap'"),
    ],
)
def test_a_misspelt_word_is_answered_with_the_nearest(
    line: str, hint: str, capsys: Captured
) -> None:
    assert main(line.split()) == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(shell: str, capsys: Captured) -> None:
    assert main(["completion", shell]) == 0
    out = capsys.readouterr().out
    assert f"_LUNGSCAN_COMPLETE={shell}_complete" in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("lungscan cl", {"plain,classify"}),
        ("lungscan classify --abstain s", {"plain,strict"}),
        ("lungscan classify --device cu", {"plain,cuda", "plain,cuda:0"}),
    ],
)
def test_the_shell_gets_its_completions(words: str, expected: set[str]) -> None:
    done = run_python(
        "-m",
        "lungscan_cli",
        _LUNGSCAN_COMPLETE="bash_complete",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split()) - 1),
    )
    assert set(done.stdout.split()) == expected
