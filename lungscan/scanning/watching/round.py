"""One round of a watched folder: the cases that are new, and the tables of all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from lungscan.classification.case_record import RunContext
from lungscan.errors import CaseError
from lungscan.events import RunFinished
from lungscan.inputs import sha256_of, show
from lungscan.layout import RECORD, REVIEW
from lungscan.options import ScanOptions
from lungscan.results.atomic_files import machine_error, write_atomic
from lungscan.results.case_json import from_json, to_json
from lungscan.results.checksums import sealed
from lungscan.results.review_json import answer_digest, review_beside, review_to_json
from lungscan.results.store import RunStore
from lungscan.scanning.ledger import Ledger
from lungscan.scanning.part import Part
from lungscan.scanning.watching.memory import KEPT, Memory
from lungscan.types import CaseInput, CaseResult, CaseStatus, Inputs


class WatchRound(Part):
    """What is new in a watched folder. The watch holds the folder, so a round takes no lock."""

    def __init__(
        self, options: ScanOptions, new: Inputs, present: Sequence[str], memory: Memory
    ) -> None:
        super().__init__(replace(options, fresh=False), new)
        self.present, self.memory = list(present), memory

    def lock(self) -> AbstractContextManager[object]:
        """The watch has it."""
        return nullcontext()

    def prepare(self, store: RunStore) -> None:
        """Give the records of renamed files their new names, so that these need not be read."""
        super().prepare(store)
        gone = self.memory.gone(frozenset(self.present))
        for case in self.inputs.cases:
            if gone and (old := self.memory.moved_from(case, gone)) and _rename(store, old, case):
                gone.remove(old)

    def ledger(self, run: RunContext, store: RunStore) -> Ledger:
        """The books of this round."""
        return RoundLedger(run, store, self)


class RoundLedger(Ledger):
    """Books that know what earlier rounds found out."""

    def __init__(self, run: RunContext, store: RunStore, part: WatchRound) -> None:
        super().__init__(part.options, run, store, part.inputs)
        self._part = part
        self._names = {name.relative_path: name.original_path for name in part.inputs.hidden}
        self._few_fields = False  # nobody knows how many will come

    def fill(self) -> None:
        """The drive went away; the memory knows all that earlier rounds found."""

    def close(self) -> RunFinished:
        """Write the tables of all, the removed files among them."""
        memory, present = self._part.memory, self._part.present
        for old in self._superseded():
            self._store.forget_case(old)
            memory.drop(old)
        memory.learn(self._part.inputs.cases, self._results)
        self._results = memory.results
        self._keys = memory.order(present)
        return super().close()

    def _superseded(self) -> list[str]:
        """Cases whose files are gone, lie elsewhere or in a larger case, or had no answer."""
        memory = self._part.memory
        found = {_hashes(result) for result in self._results.values()} - {()}
        taken = self._paths_taken()
        return [
            key
            for key in memory.gone(frozenset(self._part.present))
            if memory.results[key].status in {CaseStatus.FAILED, CaseStatus.SKIPPED}
            or _hashes(memory.results[key]) in found
            or not taken.isdisjoint(map(self._named, memory.results[key].relative_paths))
        ]

    def _paths_taken(self) -> set[str]:
        """Relative paths of all parts of the cases that this round has answered.

        A series bears the name of its first slice, so it is another case once an earlier one came.
        """
        answered = {key for key, result in self._results.items() if result.status in KEPT}
        return {
            f"{self._named(file.relative_path).rpartition('/')[0]}/{show(part.name)}"
            for case in self._part.inputs.cases
            if case.key in answered
            for file in case.files
            for part in file.parts or (file.path,)
        }

    def _named(self, path: str) -> str:
        """What a relative path was before it got a pseudonym."""
        return self._names.get(path, path)


def _hashes(result: CaseResult) -> tuple[str, ...]:
    return tuple(file.sha256 for file in result.files)


def _rename(store: RunStore, old: str, case: CaseInput) -> bool:
    """Write the record of ``old`` as that of ``case``; whether its files are the same, a run asks.

    Only of whole answers: others may tell of a file by its name. Raises MachineError.
    """
    try:
        result = from_json((store.folder(old) / RECORD).read_bytes())
    except Exception:  # noqa: BLE001  whatever is amiss: the case is classified anew
        return False
    if result.error_message or len(result.files) != len(case.files):
        return False
    paths = tuple(file.relative_path for file in case.files)
    files = tuple(
        replace(file, relative_path=path) for file, path in zip(result.files, paths, strict=True)
    )
    named = replace(result, key=case.key, case_id=case.case_id, relative_paths=paths, files=files)
    store.clear(case.key, stale=True)
    write_atomic(store.folder(case.key) / RECORD, to_json(named))
    _take_review(store, result, named, case)
    return True


def _take_review(store: RunStore, old: CaseResult, named: CaseResult, case: CaseInput) -> None:
    """Let the review of the renamed file's answer come along. Raises MachineError.

    Only once the hash says that it is the same file: a review never comes to another image.
    """
    source, target = store.folder(old.key) / REVIEW, store.folder(named.key) / REVIEW
    review = review_beside(source.parent, old).review
    if review is None or target.exists() or not _is_same(case, old):
        return
    digest = answer_digest(named)
    review = replace(review, key=named.key, case_id=named.case_id, answer_sha256=digest)
    with sealed(target.parent) as written:
        write_atomic(target, review_to_json(review))
        written |= {RECORD: None, REVIEW: None}
    try:
        source.unlink()
    except OSError as error:
        raise machine_error(error, source) from error


def _is_same(case: CaseInput, result: CaseResult) -> bool:
    """Whether the files of a case are those of the record, by their hashes."""
    try:
        return tuple(sha256_of(file) for file in case.files) == _hashes(result)
    except CaseError:
        return False  # opening it will say why
