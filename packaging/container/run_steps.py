"""Run the steps of a container recipe without a container: in a chroot over this system, as root.

    python packaging/container/run_steps.py packaging/container/Containerfile.cpu [COMMAND...]

The place of the base image takes this very system (its Python has to be 3.11 or newer) under an
overlay, so nothing outside changes. COPY, RUN, WORKDIR and ENV are carried out in order, all stages
in one tree; at the end COMMAND (``--version``) goes to the ENTRYPOINT, which runs as the recipe's
USER on a read-only root, with memory at /tmp and without any network. It shows that the steps fit
the repository and each other, not that the base image has what they need. What they write lies in
memory, or below TMPDIR where that is set: CUDA's libraries take 7 GB.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
SEALED = """
ip link set lo up 2>/dev/null || true
mount -t tmpfs -o "mode=0700,uid=$2,gid=$3" tmpfs "$1/tmp"
mount -o remount,ro "$1"
root=$1 user=$2 group=$3 folder=$4
shift 4
exec chroot "--userspec=$user:$group" "--groups=$group" "$root" \\
  setpriv --no-new-privs sh -ec 'cd "$0" && exec "$@"' "$folder" "$@"
"""


@dataclass
class Tree:
    """The file system so far, and what the steps have set."""

    root: Path
    folder: str = "/"
    env: dict[str, str] = field(default_factory=dict)
    entrypoint: list[str] = field(default_factory=list)
    user: str = "0"

    def run(self, *command: str) -> None:
        """Run a command inside. Raises CalledProcessError."""
        line = shlex.join(command)
        script = f"cd {shlex.quote(self.folder)} && exec {line}"
        subprocess.run(
            ["chroot", str(self.root), "sh", "-ec", script],
            check=True,
            env=os.environ | self.env,
        )

    def run_sealed(self, *command: str) -> None:
        """Run a command as a container of the recipe does. Raises CalledProcessError."""
        user, _, group = self.user.partition(":")
        arguments = ["sh", str(self.root), user, group or user, self.folder, *command]
        subprocess.run(
            ["unshare", "--net", "--mount", "sh", "-ec", SEALED, *arguments],
            check=True,
            env=os.environ | self.env,
        )

    def step(self, word: str, rest: str) -> None:
        """Carry out one instruction."""
        match word:
            case "FROM":
                self.folder = "/"
            case "WORKDIR":
                self.folder = rest
                (self.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "COPY" if not rest.startswith("--from"):
                *sources, target = rest.split()
                for source in sources:
                    self.copy(ROOT / source, target)
            case "ENV":
                for pair in shlex.split(rest):
                    name, _, value = pair.partition("=")
                    value = re.sub(r"\$(\w+)", lambda m: os.environ.get(m[1], ""), value)
                    self.env[name] = value
            case "RUN":
                self.run("sh", "-ec", rest)
            case "USER":
                self.user = rest
            case "ENTRYPOINT":
                self.entrypoint = json.loads(rest)

    def copy(self, source: Path, target: str) -> None:
        """COPY of one file or folder, whose contents it takes, as a container's does."""
        place = self.root / Path(self.folder, target).as_posix().lstrip("/")
        if source.is_dir():
            shutil.copytree(source, place, dirs_exist_ok=True)
        else:
            into = target.endswith("/") or place.is_dir()
            place = place / source.name if into else place
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)


def instructions(recipe: str) -> list[tuple[str, str]]:
    """Word and rest of each instruction, with continued lines joined."""
    lines = [line for line in recipe.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [
        (word, rest.strip())
        for word, _, rest in (line.partition(" ") for line in joined.splitlines())
        if word
    ]


@contextmanager
def built(recipe: Path) -> Iterator[Tree]:
    """The tree after all steps; the overlay goes with the block."""
    memory = os.environ.get("TMPDIR", "/dev/shm")  # noqa: S108  # a folder of random name below it
    with tempfile.TemporaryDirectory(dir=memory) as scratch:
        upper, work, root = (Path(scratch) / name for name in ("upper", "work", "root"))
        for path in (upper, work, root):
            path.mkdir()
        options = f"lowerdir=/,upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, root], check=True)
        for name in ("dev", "proc"):
            subprocess.run(["mount", "--rbind", f"/{name}", root / name], check=True)
        # A base image's Python is for everybody; this one may lie in somebody's home.
        for folder in list(Path(sys.executable).resolve().parents)[:-1]:
            inside = root / folder.relative_to("/")
            inside.chmod(inside.stat().st_mode | 0o055)
        tree = Tree(root)
        try:
            for word, rest in instructions(recipe.read_text(encoding="utf-8")):
                print(f"{word} {rest[:90]}", flush=True)
                tree.step(word, rest)
            yield tree
        finally:
            subprocess.run(["umount", "--recursive", "--lazy", root], check=True)


def main(recipe: Path, command: list[str]) -> None:
    """Run all steps, and the command."""
    enter_namespace()
    with built(recipe) as tree:
        tree.run_sealed(*tree.entrypoint, *command)


def enter_namespace() -> None:
    """Run this program again where mounts are its own; returns where they are."""
    if "LUNGSCAN_STEPS" not in os.environ:
        os.environ["LUNGSCAN_STEPS"] = "1"
        again = ["unshare", "--mount", sys.executable, *sys.argv]
        sys.exit(subprocess.run(again, check=False).returncode)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or ["--version"])
