"""The inputs of a run against the hashes in its records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from lungscan.errors import UnreadableFile
from lungscan.inputs import discover, sha256_of
from lungscan.types import InputFile
from lungscan.verify.checks import Check, State
from lungscan.verify.records import CaseFacts, FileFacts


def check_inputs(cases: Sequence[CaseFacts], paths: tuple[Path, ...]) -> Iterator[Check]:
    """Hash every input that a sound record names. Raises UsageProblem: no path exists."""
    known = [file for case in cases for file in case.files]
    if paths:
        yield from _compare(known, paths)
    elif known:
        yield _not_checked(
            f"Not compared with the images ({len(known):,}): give the paths that classify got, as "
            "in `lungscan verify DIR slides/`."
        )
    failed = sum(not case.files and bool(case.error_code) for case in cases)
    if failed:
        yield _not_checked(
            f"Images that the run could not read ({failed:,}) have no hash to compare with."
        )


def _compare(known: Sequence[FileFacts], paths: tuple[Path, ...]) -> Iterator[Check]:
    found: dict[str, list[InputFile]] = {}  # two folders of one name give equal relative paths
    for case in discover(paths).cases:
        for file in case.files:
            found.setdefault(file.relative_path, []).append(file)
    for facts in known:
        yield _check(facts, found.get(facts.relative_path, []))


def _check(facts: FileFacts, candidates: Sequence[InputFile]) -> Check:
    problem = "It is not below the given paths. Give those that classify got."
    state = State.MISSING
    for file in candidates:
        try:
            if sha256_of(file) == facts.sha256:
                return Check("input", State.SAME, facts.relative_path)
            state, problem = State.CHANGED, "It is not the file that the run read."
        except UnreadableFile as error:
            state, problem = State.UNREADABLE, str(error)
    return Check("input", state, facts.relative_path, problem)


def _not_checked(text: str) -> Check:
    return Check("input", State.NOT_CHECKED, "", text)
