"""Training data: audit, split."""

from __future__ import annotations

from collections.abc import Generator
from threading import Event
from typing import TYPE_CHECKING

from lungscan.door.jobs import (
    AuditFinished,
    AuditOptions,
    SearchNeeded,
    SplitFinished,
    SplitOptions,
)
from lungscan.door.stopping import until

if TYPE_CHECKING:
    from lungscan.dataset.similar import SearchProgress

    AuditEvent = SearchProgress | AuditFinished
    SplitEvent = SearchNeeded | SearchProgress | SplitFinished


def audit(options: AuditOptions, stop: Event | None = None) -> Generator[AuditEvent, None, None]:
    """Look at a data folder: classes, sizes, broken files, pictures of the same tissue.

    Raises:
        UsageProblem, NothingToDo: the folder or its table of groups is wrong.
        MachineError: the report cannot be written.
    """
    from lungscan.dataset.audit import audit as look
    from lungscan.dataset.listing import read_listing

    def events() -> Generator[AuditEvent, None, None]:
        found = yield from look(read_listing(options.folder, options.groups))
        if options.report is not None and options.report.suffix.lower() == ".pdf":
            from lungscan.dataset.audit_pdf import write_audit_pdf

            write_audit_pdf(options.report, found)
        elif options.report is not None:
            from lungscan.dataset.audit_html import write_audit_html

            write_audit_html(options.report, found)
        yield AuditFinished(found)

    yield from until(stop, events())


def split(options: SplitOptions, stop: Event | None = None) -> Generator[SplitEvent, None, None]:
    """Deal pictures to training, validation and test, and write the split file.

    Without a table of groups, pictures of the same tissue are looked for first.

    Raises:
        UsageProblem, NothingToDo: the folder or its table of groups is wrong, or too small.
        MachineError: the file cannot be written.
    """
    from lungscan.dataset.listing import read_listing
    from lungscan.dataset.similar import search
    from lungscan.dataset.splits import (
        leaking_groups,
        split_at_random,
        split_by_group,
        split_rows,
        write_split,
    )

    def events() -> Generator[SplitEvent, None, None]:
        listing = read_listing(options.folder, options.groups)
        names = listing.groups
        if names is None:
            yield SearchNeeded()
            names = (yield from search(listing.paths)).groups
        deal = split_by_group if options.protocol == "grouped" else split_at_random
        dealt = deal(listing.samples(names), options.shares, options.seed)
        rows = split_rows(listing, names, dealt)
        write_split(options.out, rows)
        yield SplitFinished(listing, tuple(rows), len(leaking_groups(rows, listing)))

    yield from until(stop, events())
