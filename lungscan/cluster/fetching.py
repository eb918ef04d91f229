"""A case's files from a worker that does not share the driver's disk."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lungscan.cluster.remote import end_run, read_piece, remove_stage
from lungscan.cluster.remote_tasks import Done
from lungscan.errors import MachineError
from lungscan.layout import CASE_FILES
from lungscan.results.atomic_files import machine_error

if TYPE_CHECKING:
    from distributed import Client

PIECE = 4 << 20  # bytes in one message
LEAVE_S = 5.0  # until all workers should have heard that the run has ended


class WorkerGone(Exception):
    """The worker that classified a case is not there any more; the case is to be done again."""


def fetch(client: Client, done: Done, stages: Path) -> Path:
    """Copy the files of a case into a folder of ours, piece by piece, and remove them there.

    Raises:
        WorkerGone: the worker does not answer.
        MachineError: a file cannot be written here.
    """
    folder = stages / f"fetched-{secrets.token_hex(6)}"
    for name, size in done.files:
        if not CASE_FILES.fullmatch(name):  # a worker's word is not taken for a path
            raise MachineError(f"The worker {done.worker} sent a file that no case has.")
        _copy(client, done, name, size, folder / name)
    _ask(client, done, remove_stage, str(done.stage))
    return folder


def leave(client: Client, token: str) -> None:
    """Have all workers remove what was not fetched; one that is silent does so in the end."""
    with suppress(Exception):
        client.run(end_run, token, on_error="ignore", callback_timeout=LEAVE_S)


def _copy(client: Client, done: Done, name: str, size: int, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            while file.tell() < size:
                piece = _ask(client, done, read_piece, f"{done.stage}/{name}", file.tell(), PIECE)
                if not isinstance(piece, bytes) or not piece:
                    raise WorkerGone
                file.write(piece)
    except OSError as error:
        raise machine_error(error, target) from error


def _ask(client: Client, done: Done, function: object, *arguments: object) -> object:
    """Have a function called on the worker that holds the files."""
    try:
        found = client.run(function, *arguments, workers=[done.worker], on_error="return")
    except Exception as error:
        raise WorkerGone from error
    answer = found.get(done.worker, WorkerGone())
    if isinstance(answer, BaseException):
        raise WorkerGone from answer
    return answer
