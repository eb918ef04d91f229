"""One case on a worker: the only module of the cluster that classifies.

A worker process keeps one loaded ``Classifier`` for as long as the cases are of one run.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import secrets
import shutil
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from lungscan import __version__
from lungscan.classification.classifier import Classifier
from lungscan.classification.loading import load_classifier
from lungscan.cluster.private_folders import folder_of, has_ended, remove_stale
from lungscan.cluster.remote_tasks import Done, Job, Task, slim
from lungscan.errors import CaseError, ModelError
from lungscan.inputs import sha256_of
from lungscan.opening.launch import beforehand
from lungscan.scanning.casefiles import CaseFilesWanted, file_case
from lungscan.scanning.planning import looks_like_fields
from lungscan.types import CaseInput, CaseResult
from lungscan.workers import available_threads

Progress = Callable[[int, int], None]  # tiles scored, tiles in all

TRIM = "MALLOC_TRIM_THRESHOLD_"  # dask sets it for its workers
# Of glibc's mallopt (malloc.h), with what its own rule comes to once large blocks were freed.
GLIBC = ((-3, 32 << 20), (-1, 64 << 20))  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD


@dataclass
class _Loaded:
    """What this process has loaded, and for which job."""

    job: Job
    classifier: Classifier
    stack: ExitStack


_loaded: list[_Loaded] = []  # one at most


def classify_case(job: Job, task: Task, progress: Progress, worker: str, scratch: Path) -> Done:
    """Classify a case and leave its files in a folder of its own.

    Args:
        scratch: a folder of this worker, for files that the driver has to fetch.

    Raises:
        LungScanError: the model or the machine failed, so no other case would do better here.
    """
    if task.known and task.known == _hashes(task.case):
        return Done(None, worker=worker)
    classifier, private = load(job, worker), folder_of(job.token, scratch)
    result = answer_case(classifier, task.case, job, progress)
    shared = sees_folder(job)
    stage = (job.stages if shared else private) / secrets.token_hex(6)
    wanted = CaseFilesWanted(job.options, job.few_fields)
    try:
        filed = file_case(stage, wanted.released(result), wanted, partial(shutil.rmtree, stage))
        files = tuple((path.name, path.stat().st_size) for path in sorted(stage.iterdir()))
    finally:
        if has_ended(job.token):  # nobody fetches what was written meanwhile
            shutil.rmtree(private, ignore_errors=True)
    return Done(slim(filed.result), filed.files.sha256, stage, () if shared else files, worker)


def answer_case(
    classifier: Classifier, case: CaseInput, job: Job, progress: Progress
) -> CaseResult:
    """Classify one case; each batch of its tiles is reported."""
    if looks_like_fields(case):
        picture = CaseFilesWanted(job.options, job.few_fields).of("field")
        (result,) = classifier.small([case], picture=picture)
        if result is not None:
            return result
    events = classifier.large(case)
    while True:
        try:
            scored = next(events)
        except StopIteration as end:
            answer: CaseResult = end.value
            return answer
        progress(scored.done, scored.total)


def load(job: Job, worker: str) -> Classifier:
    """The classifier of this process; that of an earlier job ends. Raises LungScanError."""
    if _loaded and _loaded[0].job == job:
        return _loaded[0].classifier
    unload()
    remove_stale()
    keep_memory()
    if job.version != __version__:
        raise ModelError(
            f"The worker {worker} has LungScan {__version__}, the run {job.version}. Install the "
            "same version everywhere."
        )
    threads = job.threads or max(1, available_threads() // max(1, job.neighbours))
    options = replace(job.options, threads=threads)
    with ExitStack() as stack:
        launched = stack.enter_context(beforehand()) if options.isolate else None
        classifier = stack.enter_context(load_classifier(options, launched=launched))
        if classifier.run.card.sha256 != job.model_sha256:
            raise ModelError(
                f"The worker {worker} has another model of the name {options.model!r} than the "
                "run. Install the same one everywhere."
            )
        _loaded.append(_Loaded(job, classifier, stack.pop_all()))
    return classifier


def keep_memory() -> None:
    """Let this process, and what it starts, keep memory that it will need again.

    dask tells glibc to give all of it back at once, and a slide then takes half as long again: its
    arrays are fetched anew from the system for every tile.
    """
    if os.environ.pop(TRIM, None) is None:
        return
    with suppress(AttributeError, OSError, TypeError):  # no glibc here
        change = ctypes.CDLL(None).mallopt
        for name, value in GLIBC:
            change(name, value)


def unload() -> None:
    """End what this process has loaded."""
    while _loaded:
        _loaded.pop().stack.close()


atexit.register(unload)


def sees_folder(job: Job) -> bool:
    """Whether this machine shares the driver's output folder."""
    try:
        return (job.stages / "token").read_text(encoding="ascii") == job.token
    except (OSError, UnicodeDecodeError):
        return False


def _hashes(case: CaseInput) -> tuple[str, ...]:
    """SHA-256 of each file; () when one cannot be read: opening it will say why."""
    try:
        return tuple(sha256_of(file) for file in case.files)
    except CaseError:
        return ()
