"""The lock holds every runtime dependency, not below its floor, and nothing without its hashes."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "packaging" / "requirements.lock"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def project() -> dict[str, list[str]]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        found: dict[str, list[str]] = tomllib.load(file)["project"]
    return found


def locked() -> list[tuple[Requirement, list[str]]]:
    """Each entry of the lock with its hashes; every line that is none must be a comment."""
    text = LOCK.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    words = [line.split(" --", 1) for line in lines if line and not line.startswith("#")]
    entries = []
    for requirement, *hashes in words:
        listed = [f"--{text}" for text in " ".join(hashes).split(" --")]
        entries.append((Requirement(requirement), [text.strip() for text in listed]))
    return entries


def brought_by(needed: Requirement) -> list[str]:
    """What the extras of a dependency install."""
    listed = map(Requirement, requires(needed.name) or [])
    return [
        part.name
        for part in listed
        if part.marker and any(part.marker.evaluate({"extra": extra}) for extra in needed.extras)
    ]


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_names_every_runtime_dependency_at_its_floor_or_above(python: str) -> None:
    where = {"python_version": python, "python_full_version": f"{python}.0"}
    where |= {"sys_platform": "linux", "platform_machine": "x86_64", "platform_system": "Linux"}
    versions: dict[str, str] = {}
    for requirement, _ in locked():
        if requirement.marker is None or requirement.marker.evaluate(where):
            name = canonicalize_name(requirement.name)
            assert name not in versions, f"two versions of {name}"
            (pin,) = requirement.specifier
            assert pin.operator == "=="
            versions[name] = pin.version
    for needed in map(Requirement, project()["dependencies"]):
        found = versions[canonicalize_name(needed.name)]
        assert needed.specifier.contains(found), f"{needed} but {found} is locked"
        for part in brought_by(needed):
            assert canonicalize_name(part) in versions, f"{needed} brings {part}"


def test_every_entry_of_the_lock_bears_hashes_and_nothing_else() -> None:
    entries = locked()
    assert len(entries) >= len(project()["dependencies"])
    for requirement, hashes in entries:
        assert hashes, requirement
        assert all(HASH.fullmatch(text) for text in hashes), requirement
        assert requirement.url is None
        assert len(set(hashes)) == len(hashes)


def test_the_lock_names_no_registry_and_how_it_was_made() -> None:
    text = LOCK.read_text(encoding="utf-8")
    assert "://" not in text
    assert "index-url" not in text
    assert "find-links" not in text
    head = "".join(text.splitlines()[:2])
    assert "uv pip compile pyproject.toml" in head
    assert "--generate-hashes" in head
    assert re.search(r"--exclude-newer \d{4}-\d\d-\d\d\b", head)


def test_the_package_says_which_pythons_the_lock_is_for() -> None:
    assert project()["requires-python"] == f">={PYTHONS[0]}"
