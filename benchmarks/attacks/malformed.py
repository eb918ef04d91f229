"""Thousands of damaged files: each must end in a row of its own, and none may end the program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from attacks.base import PLAIN, Bench, Line, Row, rows
from attacks.recipes import Recipe, make
from lungscan.types import CaseStatus

CHUNK = 500  # files of one run
CHUNK_SECONDS = 1800.0  # then the run counts as hanging
_STATES = {status.value for status in CaseStatus}
_FAILED = {CaseStatus.FAILED.value, CaseStatus.PARTIAL.value}

# Seed and number of files that once ended a process that read them; each sample has them.
BROKE = ((5, 4933),)
# Caught as they should be, but only once something had gone wrong: the card names them.
_NOTABLE = {"E_CRASH", "E_TIMEOUT", "E_MEMORY", "E_UNEXPECTED"}


@dataclass
class _Tally:
    """How the files ended. Files go by seed and number, as in 5:4933."""

    ends: Counter[str] = field(default_factory=Counter)
    crashes: int = 0
    rows_wrong: int = 0
    improper: int = 0
    at_fault: list[str] = field(default_factory=list)
    notable: list[str] = field(default_factory=list)

    def line(self, tried: int) -> Line:
        """The line of the card."""
        parts = [", ".join(f"{end} {number:,}" for end, number in self.ends.most_common())]
        parts += [f"at fault: {' '.join(self.at_fault[:20])}"] if self.at_fault else []
        parts += [f"caught late: {' '.join(self.notable[:20])}"] if self.notable else []
        bad = {
            "parent crashes": self.crashes,
            "rows missing or doubled": self.rows_wrong,
            "rows without a proper end": self.improper,
        }
        return Line("malformed inputs", tried, bad, "; ".join(parts))


def attack(bench: Bench, count: int = 10_000, chunk: int = CHUNK) -> list[Line]:
    """Classify ``count`` damaged files, a chunk in each run."""
    fresh = ((bench.seed, number) for number in range(count + len(BROKE)))
    chosen = [*BROKE, *(which for which in fresh if which not in BROKE)][:count]
    tally = _Tally()
    for start in range(0, count, chunk):
        _run(bench, [make(number, seed) for seed, number in chosen[start : start + chunk]], tally)
    return [tally.line(count)]


def _run(bench: Bench, recipes: Sequence[Recipe], tally: _Tally) -> None:
    """One run over some files; after a crash, each half again until the culprit is found."""
    with bench.folder("malformed") as folder:
        (folder / "in").mkdir()
        for recipe in recipes:
            (folder / "in" / recipe.name).write_bytes(recipe.data)
        done = bench.classify(folder / "out", folder / "in", *PLAIN, timeout=CHUNK_SECONDS)
        found = rows(folder / "out")
    if done.code == 3:  # every one of them is junk
        tally.ends["skipped"] += len(recipes)
    elif not done.crashed and done.code in (0, 1):
        _judge({f"in/{recipe.name}": recipe.title for recipe in recipes}, found, tally)
    elif len(recipes) == 1:
        tally.crashes += 1
        tally.at_fault.append(recipes[0].title)
    else:
        for half in (recipes[: len(recipes) // 2], recipes[len(recipes) // 2 :]):
            _run(bench, half, tally)


def _judge(titles: dict[str, str], found: Sequence[Row], tally: _Tally) -> None:
    seen = Counter(row["relative_path"] for row in found)
    wrong = [path for path in titles if seen[path] != 1]
    tally.rows_wrong += len(wrong) + len(set(seen) - set(titles))
    tally.at_fault += [titles[path] for path in wrong]
    for row in found:
        status, code = row["status"], row["error_code"]
        title = titles.get(row["relative_path"], row["relative_path"])
        tally.ends[f"{status} {code}".strip() if status in _FAILED else status] += 1
        if code in _NOTABLE:
            tally.notable.append(title)
        if not is_proper(row):
            tally.improper += 1
            tally.at_fault.append(title)


def is_proper(row: Row) -> bool:
    """A known status, and where it is a failure a code and a sentence, never a traceback."""
    text = row["error_message"]
    if row["status"] not in _STATES or "Traceback" in text or 'File "' in text:
        return False
    return row["status"] not in _FAILED or (row["error_code"].startswith("E_") and bool(text))
