"""Times in the objects made here: those of the case, so that a repeated export is the same."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def set_times(made: Dataset, finished_utc: str) -> None:
    """Set every time that says when the object was made."""
    moment = datetime.fromisoformat(finished_utc)
    made.TimezoneOffsetFromUTC = "+0000"
    for name in ("ContentDate", "InstanceCreationDate", "SeriesDate"):
        if name in made or name == "ContentDate":
            setattr(made, name, moment.strftime("%Y%m%d"))
    for name in ("ContentTime", "InstanceCreationTime", "SeriesTime"):
        if name in made or name == "ContentTime":
            setattr(made, name, moment.strftime("%H%M%S"))
