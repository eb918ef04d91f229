"""What the news of a job's process change in it. For the desk, which holds its lock."""

from __future__ import annotations

from pathlib import Path

from lungscan.opening.apart import Failure, Stopped
from lungscan_web.jobs.news import Began, Ended, Finished, Found, News, Scored, Taken, Told
from lungscan_web.jobs.records import Job, JobCase, JobState

MOST_NOTICES = 20


def without(message: str, folder: Path) -> str:
    """A message that names no folder of ours."""
    return message.replace(f"{folder}/", "").replace(str(folder), "the job's folder")


def apply(job: Job, news: News, now: float) -> None:
    """What the news change in the job."""
    match news:
        case Found(cases=cases):
            job.cases = [JobCase(c.key, c.name, c.kind, c.files, c.filed) for c in cases]
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
            case_ = job.by_key(news.key)
            case_.state, case_.status, case_.headline = "ended", news.status, news.headline
            case_.name, case_.kind = news.name, news.kind or case_.kind
            case_.confidence, case_.color = news.confidence, news.color
            case_.thumbnail, case_.filed = news.thumbnail, news.filed
            job.pace.done, job.pace.total = job.done, len(job.cases)
        case Told(text=text):
            if len(job.notices) < MOST_NOTICES:
                job.notices.append(without(text, job.folder))
        case Finished() | Stopped() | Failure():
            pass  # its end is told where it is taken
