"""The locks hold every runtime dependency, not below its floor, and nothing without its hashes."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = {  # and the extras that each is for
    "requirements.lock": ("dicom",),
    "requirements-web.lock": ("web", "dicom"),
}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def project() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        found: dict[str, Any] = tomllib.load(file)["project"]
    return found


def needed_by(lock: str) -> list[Requirement]:
    """What the package needs with the extras that a lock is for."""
    more = [text for extra in LOCKS[lock] for text in project()["optional-dependencies"][extra]]
    return list(map(Requirement, [*project()["dependencies"], *more]))


def locked(lock: str) -> list[tuple[Requirement, list[str]]]:
    """Each entry of the lock with its hashes; every line that is none must be a comment."""
    text = (ROOT / "packaging" / lock).read_text(encoding="utf-8").replace("\\\n", " ")
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


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("python", PYTHONS)
def test_a_lock_names_every_runtime_dependency_at_its_floor_or_above(
    python: str, lock: str
) -> None:
    where = {"python_version": python, "python_full_version": f"{python}.0"}
    where |= {"sys_platform": "linux", "platform_machine": "x86_64", "platform_system": "Linux"}
    versions: dict[str, str] = {}
    for requirement, _ in locked(lock):
        if requirement.marker is None or requirement.marker.evaluate(where):
            name = canonicalize_name(requirement.name)
            assert name not in versions, f"two versions of {name}"
            (pin,) = requirement.specifier
            assert pin.operator == "=="
            versions[name] = pin.version
    for needed in needed_by(lock):
        found = versions[canonicalize_name(needed.name)]
        assert needed.specifier.contains(found), f"{needed} but {found} is locked"
        for part in brought_by(needed):
            assert canonicalize_name(part) in versions, f"{needed} brings {part}"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_of_a_lock_bears_hashes_and_nothing_else(lock: str) -> None:
    entries = locked(lock)
    assert len(entries) >= len(needed_by(lock))
    for requirement, hashes in entries:
        assert hashes, requirement
        assert all(HASH.fullmatch(text) for text in hashes), requirement
        assert requirement.url is None
        assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_registry_and_how_it_was_made(lock: str) -> None:
    text = (ROOT / "packaging" / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert "index-url" not in text
    assert "find-links" not in text
    head = "".join(text.splitlines()[:2])
    assert "uv pip compile pyproject.toml" in head
    assert "--generate-hashes" in head
    assert all(f"--extra {extra}" in head for extra in LOCKS[lock])
    assert re.search(r"--exclude-newer \d{4}-\d\d-\d\d\b", head)


def test_the_package_says_which_pythons_the_lock_is_for() -> None:
    assert project()["requires-python"] == f">={PYTHONS[0]}"
