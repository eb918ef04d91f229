"""Carry out the page's recipe in a chroot, then use the page as its container would run it.

    python tests/web/container_steps.py PICTURE

For root, in no container that forbids mounts. See ``packaging/container/run_steps.py``.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "packaging/container"
sys.path.insert(0, str(RECIPE))

from run_steps import Tree, built, enter_namespace  # noqa: E402  where it lies is known now


def with_a_visitor(tree: Tree, picture: Path) -> list[str]:
    """The command of a visitor in the tree, who has a password there."""
    place, users = tree.root / "opt/try", tree.root / "run/secrets/users"
    for folder in (place, users.parent):
        folder.mkdir(parents=True, exist_ok=True)
    for file in (Path(__file__).with_name("confined.py"), picture):
        shutil.copy(file, place)
    add = ["lungscan", "web", "--auth", "/run/secrets/users", "--add-user", "kim"]
    script = f"printf 'one two three\\none two three\\n' | {' '.join(add)} >&2"
    tree.run("sh", "-ec", script)
    user, _, group = tree.user.partition(":")
    shutil.chown(users, int(user), int(group))
    return ["python", "/opt/try/confined.py", f"/opt/try/{picture.name}", *tree.entrypoint[1:]]


def main(picture: Path) -> None:
    """What the visitor met, as JSON, after the steps."""
    enter_namespace()
    with built(RECIPE / "Containerfile") as tree:
        command = with_a_visitor(tree, picture)
        sys.stdout.flush()
        # The loopback of a new namespace is down: a right that the visitor does not have.
        tree.run_sealed(*command)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
