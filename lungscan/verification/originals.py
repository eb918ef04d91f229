"""The inputs of a run against the hashes in its records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from lungscan.errors import UnreadableFile
from lungscan.inputs import discover, sha256_of
from lungscan.layout import PSEUDONYM
from lungscan.types import InputFile
from lungscan.verification.checks import Check, State
from lungscan.verification.records import CaseFacts, FileFacts


def check_inputs(cases: Sequence[CaseFacts], paths: tuple[Path, ...]) -> Iterator[Check]:
    """Hash every input that a sound record names. Raises UsageProblem: no path exists."""
    known = [file for case in cases for file in case.files]
    if paths:
        found = [file for case in discover(paths).cases for file in case.files]
        hidden = [case for case in cases if PSEUDONYM.fullmatch(case.key)]
        named = [case for case in cases if not PSEUDONYM.fullmatch(case.key)]
        yield from _compare([file for case in named for file in case.files], found)
        yield from _search([file for case in hidden for file in case.files], found)
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


def _compare(known: Sequence[FileFacts], found: Sequence[InputFile]) -> Iterator[Check]:
    named: dict[str, list[InputFile]] = {}  # two folders of one name give equal relative paths
    for file in found:
        named.setdefault(file.relative_path, []).append(file)
    for facts in known:
        yield _check(facts, named.get(facts.relative_path, []))


def _search(known: Sequence[FileFacts], found: Sequence[InputFile]) -> Iterator[Check]:
    """Look for files that bear another name in the records, by what they hold."""
    if not known:
        return
    digests, unread = set(), 0
    for file in found:
        try:
            digests.add(sha256_of(file))
        except UnreadableFile:
            unread += 1
    text = "No image below the given paths is the one that the run read."
    text += f" {unread:,} there could not be read." if unread else ""
    for facts in known:
        if facts.sha256 in digests:
            yield Check("input", State.SAME, facts.relative_path)
        else:
            yield Check("input", State.MISSING, facts.relative_path, text)


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
