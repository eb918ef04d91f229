"""What dask calls in other processes: the functions, and nothing that decides anything."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lungscan.cluster.remote_tasks import Done, Job, Task
from lungscan.errors import MachineError

if TYPE_CHECKING:
    from distributed import Scheduler

TOPIC = "lungscan"
PROGRESS_S = 0.5  # between two messages about one case


def device_of_worker(job: Job) -> str:
    """Load the model on a worker; returns the device that will answer. Raises LungScanError."""
    from distributed import get_worker

    from lungscan.cluster.worker import load

    return load(job, get_worker().address).run.device


def run_task(job: Job, task: Task) -> Done:
    """Classify a case on a worker, telling the driver how far it is. Raises LungScanError."""
    from distributed import get_worker

    from lungscan.cluster.worker import classify_case

    here, key = get_worker(), task.case.key
    last = [0.0]

    def progress(done: int, total: int) -> None:
        if time.monotonic() - last[0] >= PROGRESS_S:
            last[0] = time.monotonic()
            here.log_event(TOPIC, (key, done, total))

    here.log_event(TOPIC, (key, 0, 0))
    return classify_case(job, task, progress, here.address, Path(here.local_directory))


def prepare_scheduler(
    failures: int, dask_scheduler: Scheduler | None = None
) -> tuple[tuple[str, ...], float]:
    """Make a scheduler hand out one case at a time and forgive ``failures`` lost workers per case.

    With dask's own settings a worker holds cases ahead, and one that kills it takes them along.
    Returns the addresses at which it listens, and after how many seconds a silent worker is lost.
    """
    if dask_scheduler is None:
        raise MachineError("The scheduler did not say who it is.")
    dask_scheduler.allowed_failures = failures
    dask_scheduler.WORKER_SATURATION = 1.0
    listening = tuple(str(one.listen_address) for one in dask_scheduler.listeners)
    return listening, float(dask_scheduler.worker_ttl or 0)


def read_piece(path: str, start: int, size: int) -> bytes:
    """A piece of a file that only this worker can see. Raises OSError."""
    with Path(path).open("rb") as file:
        file.seek(start)
        return file.read(size)


def remove_stage(path: str) -> None:
    """Remove what the driver has fetched."""
    shutil.rmtree(path, ignore_errors=True)


def end_run(token: str) -> None:
    """Remove what this worker still keeps of a run; the driver has left it."""
    from lungscan.cluster.private_folders import end

    end(token)
