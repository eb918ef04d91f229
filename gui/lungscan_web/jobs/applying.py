"""What the messages of a job's process change in it. For the desk, which holds its lock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lungscan.errors import Code, LungScanError
from lungscan.opening.apart import Failure, Stopped
from lungscan_web.jobs.messages import (
    Began,
    Ended,
    Finished,
    Found,
    Message,
    Noticed,
    Scored,
    Taken,
)
from lungscan_web.jobs.plain import for_page
from lungscan_web.jobs.records import Job, JobCase, JobState

MOST_NOTICES = 20


def without(message: str, folder: Path) -> str:
    """A message for the page, that names no folder of ours."""
    message = for_page(message)
    return message.replace(f"{folder}/", "").replace(str(folder), "the job's folder")


def failure_of(error: Exception) -> Failure:
    """What ended a job here, outside of its process, in words that name no file."""
    if isinstance(error, LungScanError):
        return Failure(str(error), error.code)
    if isinstance(error, OSError):
        why = error.strerror or type(error).__name__
        words = f"The page could not do this job ({why}). Give it again, or tell whoever runs it."
        return Failure(words, Code.IO)
    words = f"The job met something unforeseen ({type(error).__name__}). Give it again."
    return Failure(words, Code.UNEXPECTED)


def _refused(job: Job) -> Iterator[JobCase]:
    """What stayed out, as cases that have ended."""
    for number, (name, why) in enumerate(job.refused, start=1):
        case = JobCase(f"refused {number}", name, "", state="ended", status="failed", why=why)
        case.headline = "Failed"
        yield case


def apply(job: Job, message: Message, now: float) -> JobState | None:
    """What the message changes in the job; how the job ended, if it did."""
    match message:
        case Found(cases=cases):
            job.cases = [JobCase(c.key, c.name, c.kind, c.files, c.filed) for c in cases]
            job.cases += list(_refused(job))
        case Began(model=model, out=out):
            if not job.runs:
                job.pace.start(now)
                job.pace.total = len(job.cases)
            job.state = JobState.RUNNING
            job.runs.append((model, out))
        case Taken(key=key):
            job.by_key(key).state = "running"
            job.tiles.start(now)
        case Scored(done=done, total=total):
            job.tiles.done, job.tiles.total = done, total
        case Ended():
            case_ = job.by_key(message.key)
            case_.state, case_.status, case_.headline = "ended", message.status, message.headline
            case_.name, case_.kind = message.name, message.kind or case_.kind
            case_.confidence, case_.color = message.confidence, message.color
            case_.thumbnail, case_.filed = message.thumbnail, message.filed
            job.pace.done, job.pace.total = job.done, len(job.cases)
        case Noticed(text=text):
            if len(job.notices) < MOST_NOTICES:
                job.notices.append(without(text, job.folder))
        case Finished():
            return JobState.FINISHED
        case Stopped():
            return JobState.CANCELLED
        case Failure():
            if job.stopping:  # it was killed on its way to the end that was asked for
                return JobState.CANCELLED
            job.message, job.code = without(message.message, job.folder), message.code
            return JobState.FAILED
    return None
