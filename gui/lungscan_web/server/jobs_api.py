"""Jobs: give, follow, end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import ExitStack
from functools import partial

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from lungscan import RESEARCH_USE, __version__
from lungscan_web.jobs.examples import EXAMPLES
from lungscan_web.jobs.intake import Intake
from lungscan_web.jobs.limits import NotHere, TooMany
from lungscan_web.jobs.models import AUTO, card_data
from lungscan_web.jobs.records import Choice, Job
from lungscan_web.server.login import session_of, visitor_of
from lungscan_web.server.services import Services, services_of
from lungscan_web.server.telling import Data, answer_data, state_data
from lungscan_web.server.uploading import micrometres, receive_form

OFTEN_S = 0.2  # between two states of a stream
HEARTBEAT_S = 10.0
MOST_STREAMS = 12  # of one visitor
SHOWN_LIMITS = (
    "upload_bytes", "files", "pixels", "job_seconds", "jobs_in_hand", "kept_seconds",
    "absent_seconds",
)  # fmt: skip


async def session(request: Request) -> Response:
    """What the page must know."""
    services, mine = services_of(request), session_of(request)
    limits = services.settings.limits
    return JSONResponse(
        {
            "csrf": mine.csrf,
            "user": mine.user,
            "auth": services.passwords is not None,
            "version": __version__,
            "research_use": RESEARCH_USE,
            "model": services.models.choice,
            "limits": {name: getattr(limits, name) for name in SHOWN_LIMITS},
        }
    )


async def models(request: Request) -> Response:
    """The cards of all models that may be chosen, and which are taken where none is."""
    offered = services_of(request).models
    cards, auto = await run_sync(offered.cards), await run_sync(offered.auto)
    return JSONResponse({"models": [card_data(card) for card in cards], "auto": auto})


async def examples(request: Request) -> Response:
    """What can be tried without a file of one's own."""
    await run_sync(services_of(request).examples.prepare)
    found = [
        {
            "id": each.id,
            "title": each.title,
            "words": each.words,
            "kind": each.kind,
            "thumbnail": f"/api/examples/{each.id}/thumbnail.jpg",
        }
        for each in EXAMPLES
    ]
    return JSONResponse({"examples": found})


async def try_example(request: Request) -> Response:
    """A job from an example."""
    services, number = services_of(request), request.path_params["example"]
    example, path = await run_sync(services.examples.picture, number)

    def give() -> Job:
        visitor = visitor_of(request)
        with services.desk.intake(visitor) as intake:
            intake.add(path, example.file)
            return services.desk.submit(visitor, intake, Choice(services.models.chosen(AUTO)))

    return _created(await run_sync(give))


async def upload(request: Request) -> Response:
    """A job from files: a form with ``file`` parts and, if wanted, ``model`` and ``mpp``."""
    services, visitor = services_of(request), visitor_of(request)
    with ExitStack() as stack:
        intake = await run_sync(stack.enter_context, services.desk.intake(visitor))
        try:
            texts = await receive_form(request, intake)
            job = await run_sync(partial(_submit, services, visitor, intake, texts))
        finally:
            await run_sync(stack.close)
    return _created(job)


def _submit(services: Services, visitor: str, intake: Intake, texts: dict[str, str]) -> Job:
    choice = Choice(
        services.models.chosen(texts.get("model", "").strip()), micrometres(texts.get("mpp", ""))
    )
    intake.unpack()
    return services.desk.submit(visitor, intake, choice)


def _created(job: Job) -> Response:
    return JSONResponse({"job": job.id, "url": f"/results/{job.id}"}, 201)


async def my_jobs(request: Request) -> Response:
    """All jobs of the visitor, the newest first."""
    services, visitor = services_of(request), visitor_of(request)
    found = [state_data(job, services.desk, visitor) for job in services.desk.jobs_of(visitor)]
    return JSONResponse({"jobs": found})


async def state(request: Request) -> Response:
    """How far a job is."""
    services = services_of(request)
    return JSONResponse(_state(services, request.path_params["job"], visitor_of(request)))


async def cancel(request: Request) -> Response:
    """End a job; answered when it has ended."""
    services, number, visitor = (
        services_of(request),
        request.path_params["job"],
        visitor_of(request),
    )
    await run_sync(services.desk.cancel, number, visitor)
    return JSONResponse(_state(services, number, visitor))


async def delete(request: Request) -> Response:
    """Delete a job with all its files."""
    services, number = services_of(request), request.path_params["job"]
    await run_sync(services.desk.delete, number, visitor_of(request))
    return Response(status_code=204)


async def answer(request: Request) -> Response:
    """The answer of a case."""
    services, params = services_of(request), request.path_params
    job = services.desk.look(params["job"])
    return JSONResponse(await run_sync(answer_data, job, params["case"]))


def _state(services: Services, number: str, visitor: str) -> Data:
    return state_data(services.desk.look(number), services.desk, visitor)


# Events -----------------------------------------------------------------------------------------


async def events(request: Request) -> Response:
    """The states of a job as they change (server-sent events), to its end."""
    services, number, visitor = (
        services_of(request),
        request.path_params["job"],
        visitor_of(request),
    )
    services.desk.job(number)  # or it is not here
    if services.streams.get(visitor, 0) >= MOST_STREAMS:
        raise TooMany("This browser follows too many jobs at once. Close some of its pages.")
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    stream = _stream(services, number, visitor)
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def _stream(services: Services, number: str, visitor: str) -> AsyncIterator[str]:
    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def notify() -> None:
        loop.call_soon_threadsafe(changed.set)

    services.streams[visitor] = services.streams.get(visitor, 0) + 1
    try:
        with services.desk.watching(number, notify, visitor):
            while True:
                changed.clear()
                job = services.desk.look(number)
                yield _event("state", state_data(job, services.desk, visitor))
                if job.state.ended:
                    break
                async for beat in _until(changed):
                    yield beat
        yield _event("end", {})
    except NotHere:
        yield _event("end", {})
    finally:
        services.streams[visitor] -= 1
        if not services.streams[visitor]:
            del services.streams[visitor]


async def _until(changed: asyncio.Event) -> AsyncIterator[str]:
    """Wait for a change, and a little more; say meanwhile that the line is open."""
    while True:
        try:
            await asyncio.wait_for(changed.wait(), HEARTBEAT_S)
        except TimeoutError:
            yield ": here\n\n"
        else:
            await asyncio.sleep(OFTEN_S)
            return


def _event(name: str, data: Data) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
