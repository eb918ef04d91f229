"""Where each shell looks for completions of a command, and how ours gets there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lungscan.errors import MachineError, UsageProblem

SHELLS = ("bash", "zsh", "fish")
BEGIN, END = "# >>> lungscan completion >>>", "# <<< lungscan completion <<<"


@dataclass(frozen=True, slots=True)
class Installed:
    """What was written."""

    script: Path
    start_file: Path | None  # the shell's own, where it had to be changed


def shell_in_use() -> str:
    """The user's login shell. Raises UsageProblem for one that we have no script for."""
    name = Path(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        raise UsageProblem(
            f"The shell in use is {name or 'not known'}. Name one: lungscan completion install "
            f"{'|'.join(SHELLS)}."
        )
    return name


def install(shell: str, script: str) -> Installed:
    """Write the script where the shell finds it from its next start on. Again: the same files.

    bash-completion and fish read their folder by themselves; zsh needs one named, in
    ``.zshrc``. Raises MachineError when a file cannot be written.
    """
    data = _folder("XDG_DATA_HOME", ".local/share")
    place = {
        "bash": data / "bash-completion/completions/lungscan",
        "zsh": data / "zsh/site-functions/_lungscan",
        "fish": _folder("XDG_CONFIG_HOME", ".config") / "fish/completions/lungscan.fish",
    }[shell]
    start = None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(script.rstrip("\n") + "\n", encoding="utf-8", newline="\n")
        if shell == "zsh":
            start = Path(os.environ.get("ZDOTDIR") or Path.home()) / ".zshrc"
            _append(start, f'fpath=("{place.parent}" $fpath)\nautoload -Uz compinit && compinit')
    except OSError as error:
        raise MachineError(
            f"{error.filename or place} cannot be written ({error.strerror}). Print the script "
            f"with `lungscan completion {shell}` and put it where you can."
        ) from error
    return Installed(place, start)


def _folder(variable: str, usual: str) -> Path:
    named = os.environ.get(variable, "")
    return Path(named) if Path(named).is_absolute() else Path.home() / usual


def _append(file: Path, lines: str) -> None:
    """Put our lines at the end of a start file, in the place of those of an earlier time."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    before, begun, rest = text.partition(BEGIN)
    if begun:
        text = before + rest.partition(END)[2].lstrip("\n")
    gap = "" if not text or text.endswith("\n") else "\n"
    file.write_text(f"{text}{gap}{BEGIN}\n{lines}\n{END}\n", encoding="utf-8", newline="\n")
