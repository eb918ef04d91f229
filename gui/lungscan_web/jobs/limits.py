"""What a visitor of the page may ask for, and how a refusal is worded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lungscan.errors import Code, LungScanError

_GB = 10**9  # as `--largest`, the documents and `size` count


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits of one page; whoever runs it may set each."""

    upload_bytes: int = 8 * _GB  # of one upload, and of what its archives hold
    files: int = 50  # given at once
    members: int = 5_000  # of one archive; a series has some hundreds
    pixels: int = 20_000_000_000  # of one image: a slide of 140,000 px a side
    job_seconds: float = 1_800  # a job may compute
    jobs_in_hand: int = 4  # of one visitor, that wait or run
    jobs_kept: int = 40  # of one visitor, finished ones too; the oldest goes first
    jobs_waiting: int = 200  # of all visitors
    at_once: int = 2  # jobs that compute at the same time
    kept_seconds: float = 3_600  # after its end a job is deleted with all its files
    absent_seconds: float = 30  # a job that nobody has watched for so long is ended
    free_bytes: int = 1 * _GB  # must stay free on the disk
    head_seconds: float = 15  # for the head of a request, from the connection or its first byte
    stall_seconds: float = 20  # between two pieces of an upload
    least_rate: int = 4_000  # bytes per second of an upload, once it has had a minute

    def __post_init__(self) -> None:
        """Refuse limits that let nothing through."""
        for name in self.__dataclass_fields__:
            if getattr(self, name) <= 0:
                raise ValueError(f"The limit {name} must be more than 0.")


class Refused(LungScanError):
    """What was asked for is not done; the message says why and what to do instead.

    ``kind`` is for programs, as ``code`` is for what the engine refuses.
    """

    code = Code.USAGE
    kind: str = "W_REFUSED"


class TooLarge(Refused):
    """More bytes, files or pixels than the page takes."""

    code = Code.TOO_LARGE
    kind = "W_TOO_LARGE"


class TooMany(Refused):
    """More jobs than a visitor, or the page, may have."""

    kind = "W_TOO_MANY"


class BadArchive(Refused):
    """An archive that is not unpacked."""

    kind = "W_ARCHIVE"


class NotHere(Refused):
    """There is no such job, case or file; or it has been deleted."""

    kind = "W_NOT_HERE"

    KEPT: ClassVar[str] = (
        "There is no such result here. Results are deleted some time after they were made; "
        "give the file again."
    )


class Gone(Refused):
    """The visitor left before it was done."""

    kind = "W_GONE"


def size(number: float) -> str:
    """Bytes in words: ``850 KB``, ``1.5 GB``."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if number >= factor:
            return f"{number / factor:.3g} {unit}"
    return f"{number / 1e3:.3g} KB"
