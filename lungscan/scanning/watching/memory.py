"""What a watched folder's results know: of each case how its files looked, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lungscan.inputs.names import natural
from lungscan.layout import WATCH
from lungscan.opening.retrying import AWAY
from lungscan.results.atomic_files import machine_error, write_atomic
from lungscan.results.store import RunStore
from lungscan.scanning.ledger import for_tables
from lungscan.scanning.watching.settling import Look, look_of
from lungscan.types import CaseInput, CaseResult, CaseStatus

KEPT = frozenset({CaseStatus.OK, CaseStatus.NO_RESULT, CaseStatus.PARTIAL})


@dataclass
class Memory:
    """Cases by key. Results are kept without tiles and pictures, for the tables."""

    looks: dict[str, Look] = field(default_factory=dict)
    results: dict[str, CaseResult] = field(default_factory=dict)

    def is_done(self, case: CaseInput) -> bool:
        """Whether the case was classified as its files look now."""
        return case.key in self.results and self.looks.get(case.key) == look_of(case)

    def is_stale(self, present: Collection[str]) -> bool:
        """Whether the tables name a file without an answer that is not there any more."""
        return any(self.results[key].status not in KEPT for key in self.gone(present))

    def is_withheld(self, key: str) -> bool:
        """Whether the disk did not hand out the case."""
        result = self.results.get(key)
        return result is not None and result.error_code == AWAY

    def learn(self, cases: Iterable[CaseInput], results: dict[str, CaseResult]) -> None:
        """Note how cases ended. What the drive withheld, or still grows, is to be tried again."""
        self.results |= results
        looks = {case.key: look_of(case) for case in cases}
        for key, result in results.items():
            again = result.error_code == AWAY or result.status is CaseStatus.SKIPPED
            if key in looks and not again:
                self.looks[key] = looks[key]
            else:
                self.looks.pop(key, None)

    def drop(self, key: str) -> None:
        """Forget a case."""
        self.looks.pop(key, None)
        self.results.pop(key, None)

    def gone(self, present: Collection[str]) -> list[str]:
        """Keys of cases whose files are not there any more."""
        return [key for key in self.results if key not in present]

    def moved_from(self, case: CaseInput, gone: Iterable[str]) -> str | None:
        """The case that became this one by being renamed, as far as sizes and times tell."""
        look = look_of(case)
        for key in gone:
            if self.looks.get(key) == look and self.results[key].status in KEPT:
                return key
        return None

    def order(self, present: list[str]) -> list[str]:
        """Keys of all results, those of removed files where they would stand."""
        present = [key for key in present if key in self.results]
        at = {key: _place(self.results[key]) for key in present}
        removed = sorted((_place(self.results[key]), key) for key in self.gone(at))
        merged: list[str] = []
        for key in present:
            while removed and removed[0][0] < at[key]:
                merged.append(removed.pop(0)[1])
            merged.append(key)
        return merged + [key for _, key in removed]

    def save(self, out: Path) -> None:
        """Keep the looks for the next start. Raises MachineError."""
        text = json.dumps({"schema_version": 1, "looks": self.looks}, separators=(",", ":"))
        write_atomic(out / WATCH, text.encode("ascii"), durable=False)

    def load(self, store: RunStore, model_sha256: str, settings_hash: str) -> None:
        """Take up what an earlier start left, as far as its files are still there and sound.

        Raises MachineError when the disk does not hand it out.
        """
        path = store.out / WATCH
        try:
            looks = _looks(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return
        except OSError as error:
            raise machine_error(error, path) from error
        except (ValueError, TypeError, KeyError, AttributeError):
            return  # damaged: every case is looked at again
        for key, look in looks.items():
            result = store.recorded(key, model_sha256, settings_hash)
            if result is not None and result.status in KEPT and not store.is_cut_off(key):
                self.looks[key], self.results[key] = look, for_tables(result)


def _looks(values: object) -> dict[str, Look]:
    if not isinstance(values, dict) or values.get("schema_version") != 1:
        return {}
    return {
        str(key): tuple((int(size), int(time)) for size, time in look)
        for key, look in values["looks"].items()
    }


def _place(result: CaseResult) -> list[object]:
    """Sorts as the search through folders finds."""
    first = result.relative_paths[0] if result.relative_paths else result.key
    return [natural(part) for part in first.split("/")]
