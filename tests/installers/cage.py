"""A place without Python, PATH or network in which a frozen program has to run.

As root a folder of its own (chroot) with the program, its slide and the system's C library, where
nothing else can be found; otherwise the usual file system with an empty environment.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

NAMESPACE = ("unshare", "--net", "--mount", "--pid", "--fork")


@dataclass(frozen=True)
class Cage:
    """Where the program runs. ``inside`` is what it knows as its root folder, ``home``."""

    root: Path
    closed: bool
    program: Path

    @property
    def home(self) -> Path:
        """A folder to write in, as this test sees it."""
        return self.root / "home"

    def inside(self, path: Path) -> str:
        """The same path as the program sees it."""
        return "/" + str(path.relative_to(self.root)) if self.closed else str(path)

    def command(self, *arguments: str) -> list[str]:
        """What starts the program there."""
        program = self.inside(self.program)
        if not self.closed:
            return [program, *arguments]
        proc = f"--mount-proc={self.root / 'proc'}"
        return [*NAMESPACE, proc, "chroot", str(self.root), program, *arguments]

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        """The program, under way, in ``home`` where the cage has no root of its own."""
        tools = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"} if self.closed else {"PATH": ""}
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.home,
            env=tools | {"HOME": self.inside(self.home), "LANG": "C.UTF-8"} | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """The program, run to its end."""
        with self.start(*arguments, **env) as process:
            out, err = process.communicate(timeout=240)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def can_close() -> bool:
    """Whether this user may make a root of its own."""
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    return subprocess.run([*NAMESPACE, "true"], check=False, capture_output=True).returncode == 0


def build(folder: Path, program: Path) -> Cage:
    """A cage in ``folder`` with a copy of the program."""
    closed = can_close()
    for name in ("home", "proc", "tmp", "dev"):
        (folder / name).mkdir(parents=True)
    if not closed:
        return Cage(folder, closed, program / "lungscan")
    shutil.copytree(program, folder / "lungscan", symlinks=True, copy_function=_link)
    for library in _system_libraries(program):
        target = folder / str(library).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copyfile(library, target)
            target.chmod(0o755)
    (folder / "dev" / "null").touch()
    subprocess.run(["mount", "--bind", "/dev/null", folder / "dev" / "null"], check=True)
    return Cage(folder, closed, folder / "lungscan" / "lungscan")


def tear_down(cage: Cage) -> None:
    """Undo what outlives the folder."""
    if cage.closed:
        subprocess.run(["umount", cage.root / "dev" / "null"], check=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another drive
        shutil.copy2(source, target)


def _system_libraries(program: Path) -> set[Path]:
    """What the loader takes from the system for the program's start and for all that it holds."""
    inside = [path for path in program.rglob("*.so*") if path.is_file() and not path.is_symlink()]
    found = _loaded([program / "lungscan"], "")
    found |= _loaded(inside, str(program / "_internal"))
    return {path for path in found if not path.is_relative_to(program)}


def _loaded(files: list[Path], own: str) -> set[Path]:
    printed = subprocess.run(
        ["ldd", *files],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"LD_LIBRARY_PATH": own},
    ).stdout
    return {Path(path) for path in re.findall(r"(?:=> |^\t)(/\S+)", printed, re.MULTILINE)}
