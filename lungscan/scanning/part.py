"""Which part of a run one process takes, how it locks the folder, and who keeps its books.

``Part`` itself is the whole run, which is the usual case; ``lungscan.scanning.sharding`` and
``lungscan.scanning.watching`` have others.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from lungscan.options import ScanOptions
from lungscan.results.lock import output_lock
from lungscan.results.shard_files import forget_shards, read_plan, records_of_shards
from lungscan.results.store import RunStore
from lungscan.scanning.deidentify import write_names
from lungscan.types import Inputs

if TYPE_CHECKING:  # the books load much that the network need not wait for
    from lungscan.classification.case_record import RunContext
    from lungscan.scanning.ledger import Ledger


class Part:
    """All that was found, by one process that has the output folder for itself."""

    def __init__(self, options: ScanOptions, inputs: Inputs) -> None:
        self.options = options
        self.inputs = inputs  # to be taken up by this process

    def lock(self) -> AbstractContextManager[object]:
        """Hold the output folder. Raises OutputLocked, MachineError."""
        return output_lock(self.options.out)

    def prepare(self, store: RunStore) -> None:
        """The output folder, as it has to be before anything is written."""
        if self.options.fresh:
            store.forget()
        store.tidy()
        self.hide_names(store)
        if plan := read_plan(self.options.out):  # of shards that were never finished
            store.listed |= records_of_shards(self.options.out, plan.shards)
            forget_shards(self.options.out)

    def hide_names(self, store: RunStore) -> None:
        """See to ``--deidentify`` and ``--names``. Raises UsageProblem, MachineError."""
        if self.options.deidentify:
            store.refuse_names()
        if self.options.names:
            write_names(self.options.names, self.inputs.hidden)

    def ledger(self, run: RunContext, store: RunStore) -> Ledger:
        """The books of this part."""
        from lungscan.scanning.ledger import Ledger

        return Ledger(self.options, run, store, self.inputs)
