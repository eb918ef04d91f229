"""Files of somebody else in the place of a run's tables: seen before anything is written.

A folder of images may be the output folder, too, and hold a ``cases.csv`` or ``summary.pdf`` of its
owner, which a run would replace and ``--fresh`` would remove.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lungscan.errors import UsageProblem
from lungscan.layout import RUN, SUMMARY, TABLE
from lungscan.report.cases_csv import columns
from lungscan.results.checksums import known_sums

_BEGINNINGS = (",".join(columns(())[:5]).encode(), b'{\n"schema_version":')  # of TABLE and RUN
_IN_PDF = b"/Creator (LungScan "


def require_own_tables(out: Path, names: Sequence[str] = (TABLE, SUMMARY, RUN)) -> None:
    """See to it that a run replaces nobody's files but those of earlier runs.

    These are known by the run's list of checksums or, where a run was stopped and left none, by
    what they hold. An empty file is no loss; a power cut leaves such.

    Raises:
        UsageProblem: which files are of somebody else, and what to do.
    """
    listed = known_sums(out)
    others = [name for name in names if name not in listed and not _is_ours(out / name)]
    if others:
        them = "it" if len(others) == 1 else "them"
        raise UsageProblem(
            f"The folder of results holds {' and '.join(others)} that LungScan did not write and "
            f"would replace. Move {them} elsewhere, or choose another folder of results."
        )


def _is_ours(path: Path) -> bool:
    """Whether a run wrote the file, or there is none."""
    try:
        path.stat()
    except OSError:
        return True  # where nothing can be reached, nothing can be replaced
    try:
        data = path.read_bytes()
    except OSError:
        return False
    return not data.strip(b"\0") or data.startswith(_BEGINNINGS) or _IN_PDF in data
