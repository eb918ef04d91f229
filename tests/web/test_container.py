"""The container's recipe: what it promises, and its command run as confined as it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "packaging/container"
LINES = (RECIPE / "Containerfile").read_text().splitlines()

# In the namespace: a read-only root, memory to write to, no capabilities, no network but loopback.
CONFINED = """
set -e
"$1" "$2" loopback
mount --make-rprivate /
mount -t tmpfs -o mode=0700 tmpfs /mnt
mount -o remount,bind,ro /
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
"""


def _lines_of(instruction: str) -> list[str]:
    return [line.partition(" ")[2] for line in LINES if line.startswith(f"{instruction} ")]


def test_nothing_runs_as_root_and_nothing_is_fetched_but_by_hash_or_from_the_lock() -> None:
    user = _lines_of("USER")[-1]
    assert all(part.isdecimal() and int(part) > 0 for part in user.split(":"))
    assert LINES.index(f"USER {user}") < next(
        number for number, line in enumerate(LINES) if line.startswith("ENTRYPOINT")
    )
    assert not _lines_of("ADD")
    assert "--require-hashes -r /src/packaging/requirements.lock" in _lines_of("RUN")[1]
    for base in _lines_of("FROM"):
        assert re.search(r":\d", base), base  # never "latest"
    for name in re.findall(r"/src/(\S+)", " ".join(_lines_of("RUN"))):
        assert (ROOT / name).is_file(), name


def test_the_page_is_closed_off() -> None:
    compose = (RECIPE / "compose.yaml").read_text()
    page = compose.partition("  page:")[2].partition("  proxy:")[0]
    for promise in ("read_only: true", "cap_drop: [ALL]", "no-new-privileges:true", "[inside]\n"):
        assert promise in page, promise
    assert "ports" not in page
    assert "inside: { internal: true }" in compose


def _may_confine() -> bool:
    tried = ["unshare", "-rmn", "sh", "-c", CONFINED, "sh", "true", "true"]
    try:
        return subprocess.call(tried, stderr=subprocess.DEVNULL, timeout=20) == 0
    except OSError:
        return False


@pytest.mark.skipif(not _may_confine(), reason="namespaces are not permitted here")
def test_its_command_works_read_only_without_network_and_capabilities(tmp_path: Path) -> None:
    command = json.loads(_lines_of("ENTRYPOINT")[0])
    assert command[0] == "lungscan"
    users = tmp_path / "users"
    make = [sys.executable, "-m", "lungscan_cli", "web", "--auth", users, "--add-user", "kim"]
    subprocess.run(make, input="one two three\n" * 2, text=True, check=True, capture_output=True)
    command = [str(users) if part == "/run/secrets/users" else part for part in command]
    program = Path(__file__).with_name("confined.py")
    picture = ROOT / "lungscan/demo/fields/single/squamous/lungscc2365.jpeg"
    done = subprocess.run(
        ["unshare", "-rmn", "sh", "-c", CONFINED, "sh", sys.executable, program, picture,
         *command[1:]],
        capture_output=True, text=True, timeout=180, check=False,
        env={**os.environ, "TMPDIR": "/mnt", "HOME": "/mnt", "PYTHONDONTWRITEBYTECODE": "1",
             "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == {
        "healthy": "ok",
        "root": "read-only",
        "capabilities": 0,
        "answer": "Squamous cell carcinoma",
        "left": [],
    }
