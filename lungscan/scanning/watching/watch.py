"""Look, classify what is new, look again: until somebody stops it."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from threading import Event

from lungscan.classification.loading import wanted_model
from lungscan.errors import MachineError, UsageProblem
from lungscan.events import Notice, ScanEvent
from lungscan.inputs import discover, show
from lungscan.model.card import ModelCard
from lungscan.opening.launch import Launched
from lungscan.options import ScanOptions
from lungscan.results.lock import output_lock
from lungscan.results.provenance import settings_of
from lungscan.results.store import RunStore
from lungscan.scanning.deidentify import hide, nameless_inputs
from lungscan.scanning.planning import check_options
from lungscan.scanning.scan import run_part
from lungscan.scanning.watching.memory import Memory
from lungscan.scanning.watching.round import WatchRound
from lungscan.scanning.watching.settling import Settling
from lungscan.types import HiddenName, Inputs
from lungscan.workers import pause

LOOK_S = 2.0  # between two looks, at least
SHARE = 0.1  # of the time that looking itself may take
RETRY_S = 30.0  # until the next attempt, where the disk stood in the way


def watch(
    options: ScanOptions, launched: Launched | None = None, stop: Event | None = None
) -> Generator[ScanEvent, None, None]:
    """Classify what ``options`` point at and whatever is added, until ``stop`` is set.

    Each round gives the events of a run, from ``RunStarted`` to ``RunFinished``, whose counts are
    of all cases in the tables; a ``Notice`` between two rounds says what is waited for. Cases of
    files that were removed stay in the tables; those that were renamed move with them.

    Raises:
        As ``lungscan.scanning.scan.scan``, but not once it watches: then a drive that is away, a
            full disk or a path that is gone is waited for.
    """
    check_options(options)
    card = wanted_model(options)
    ending = stop or Event()
    with output_lock(options.out):
        watched = _Watched(options, card, ending, launched)
        watched.begin()
        while not ending.is_set():
            yield from watched.turn()


@dataclass
class _Watched:
    """A folder that is being watched."""

    options: ScanOptions
    card: ModelCard
    ending: Event
    launched: Launched | None
    memory: Memory = field(default_factory=Memory)
    settling: Settling = field(default_factory=Settling)
    names: dict[str, HiddenName] = field(default_factory=dict)
    last_notice: str = ""  # what is waited for, as it was said
    looked: bool = False  # whether the inputs were ever reached
    retry_at: float = 0.0
    due: bool = False  # whether the last round ended before its tables were written

    def begin(self) -> None:
        """Take up what an earlier start left. Raises MachineError."""
        store = RunStore(self.options.out)
        if self.options.fresh:
            store.forget()
        store.tidy()
        _, settings_hash = settings_of(self.options, self.card)
        self.memory.load(store, self.card.sha256, settings_hash)

    def turn(self) -> Generator[ScanEvent, None, None]:
        """Look once, do what is to be done, and pause."""
        begun = time.monotonic()
        found = self._look()
        seconds = max(LOOK_S, (time.monotonic() - begun) / SHARE)
        if found is None:
            yield from self._notice(f"Waiting for {self._places()}: it is away or empty.")
        elif begun >= self.retry_at:
            yield from self._act(found, begun)
        pause(seconds, self.ending)

    def _act(self, found: Inputs, now: float) -> Generator[ScanEvent, None, None]:
        """Classify what is new among what was found, else say what is waited for."""
        ready = self._ready(found, now)
        new = self._new(ready)
        present = self._present(found, ready)
        stale = self.due or self.memory.is_stale(frozenset(present)) or not self._has_tables(ready)
        if new.cases or stale:
            yield from self._round(new, present)
        else:
            yield from self._notice(self._waits_for(len(found.cases) - len(ready.cases)))

    def _look(self) -> Inputs | None:
        """What is there; None when the drive seems to be away.

        Raises UsageProblem, MachineError when nothing was reached at the first look either.
        """
        try:
            with nameless_inputs(self.options.deidentify):
                found = discover(self.options.paths, self.options.cases, self.options.found)
        except (UsageProblem, MachineError):
            if not self.looked:
                raise
            return None
        # The mount point of a share that is away is an empty folder.
        if not found.cases and self.memory.results and self.looked:
            return None
        self.looked = True
        return found

    def _ready(self, found: Inputs, now: float) -> Inputs:
        """The settled cases and those already done, under pseudonyms if so asked."""
        settled = {case.key for case in self.settling.settled(found.cases, now)}
        if not self.options.deidentify:
            cases = [c for c in found.cases if c.key in settled or self.memory.is_done(c)]
            return replace(found, cases=tuple(cases))
        hidden = hide(replace(found, cases=tuple(c for c in found.cases if c.key in settled)))
        self.names |= {name.relative_path: name for name in hidden.hidden}
        return replace(hidden, hidden=tuple(self.names.values()))

    def _new(self, ready: Inputs) -> Inputs:
        cases = tuple(case for case in ready.cases if not self.memory.is_done(case))
        skipped = tuple(file for file in ready.skipped if file.key not in self.memory.results)
        return replace(ready, cases=cases, skipped=skipped)

    def _present(self, found: Inputs, ready: Inputs) -> list[str]:
        """Keys of all that is there, in order: a file that grows again is not gone."""
        shown = ready if self.options.deidentify else found
        return [case.key for case in shown.cases] + [file.key for file in ready.skipped]

    def _has_tables(self, ready: Inputs) -> bool:
        """Whether there are tables, or nothing to put into them."""
        return not ready.cases or (self.options.out / "cases.csv").exists()

    def _round(self, new: Inputs, present: list[str]) -> Generator[ScanEvent, None, None]:
        """Classify what is new. What stands in the way becomes a notice, and is waited for."""
        part = WatchRound(self.options, new, present, self.memory)
        launched, self.launched = self.launched, None
        self.last_notice, self.due = "", True
        try:
            yield from run_part(part, self.card, launched, self.ending)
            self.memory.save(self.options.out)
        except MachineError as error:
            self.retry_at = time.monotonic() + RETRY_S
            yield from self._notice(f"Waiting {RETRY_S:.0f} s. {error}")
            return
        self.due = False
        withheld = sum(self.memory.is_withheld(case.key) for case in new.cases)
        if withheld:
            self.retry_at = time.monotonic() + RETRY_S
            which = "1 image" if withheld == 1 else f"{withheld:,} images"
            text = f"{which} could not be read from the disk and will be tried again."
            yield from self._notice(f"Waiting {RETRY_S:.0f} s. {text}")

    def _waits_for(self, moving: int) -> str:
        if not moving:
            return f"Waiting for images in {self._places()}."
        noun = "1 image that is" if moving == 1 else f"{moving:,} images that are"
        return f"Waiting for {noun} still being written, and for more in {self._places()}."

    def _places(self) -> str:
        """What is watched, in words."""
        if self.options.deidentify:
            return "the given folders"
        return ", ".join(show(str(path)) for path in self.options.paths)

    def _notice(self, text: str) -> Generator[ScanEvent, None, None]:
        """Say what is waited for, once."""
        if text != self.last_notice:
            self.last_notice = text
            yield Notice(text)
