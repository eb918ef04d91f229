"""The application: routes, and the two middlewares around them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lungscan.errors import LungScanError
from lungscan_web.server import files_api, jobs_api, pages
from lungscan_web.server.answers import error_reply, refusal, status_of
from lungscan_web.server.guard import Guard
from lungscan_web.server.login import Door
from lungscan_web.server.services import Services
from lungscan_web.server.static_files import StaticFiles

_JOB = "/api/jobs/{job:str}"
_CASE = _JOB + "/cases/{case:int}"
_ZOOM = _CASE + "/zoom/{file:int}"


def build(services: Services, hosts: frozenset[str]) -> Starlette:
    """The application of a page that is reached under ``hosts``; closing it closes the page."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await run_sync(services.close)

    app = Starlette(
        routes=_routes(),
        middleware=[
            Middleware(Guard, hosts=hosts),
            Middleware(Door, sessions=services.sessions, locked=services.passwords is not None),
        ],
        exception_handlers={LungScanError: _error, HTTPException: _http},  # type: ignore[dict-item]
        lifespan=lifespan,
    )
    app.state.services = services
    app.router.redirect_slashes = False
    return app


def _routes() -> list[Route]:
    get, post = ["GET"], ["POST"]
    return [
        Route("/", pages.page, methods=get),
        Route("/results/{job:str}", pages.page, methods=get),
        Route("/login", pages.login_form, methods=get),
        Route("/login", pages.log_in, methods=post),
        Route("/logout", pages.log_out, methods=post),
        Route("/healthz", pages.health, methods=get),
        Route("/static/{path:path}", StaticFiles().get, methods=get),
        Route("/api/session", jobs_api.session, methods=get),
        Route("/api/models", jobs_api.models, methods=get),
        Route("/api/examples", jobs_api.examples, methods=get),
        Route("/api/examples/{example:str}", jobs_api.try_example, methods=post),
        Route("/api/examples/{example:str}/thumbnail.jpg", files_api.example_picture, methods=get),
        Route("/api/jobs", jobs_api.my_jobs, methods=get),
        Route("/api/jobs", jobs_api.upload, methods=post),
        Route(_JOB, jobs_api.state, methods=get),
        Route(_JOB, jobs_api.delete, methods=["DELETE"]),
        Route(_JOB + "/events", jobs_api.events, methods=get),
        Route(_JOB + "/cancel", jobs_api.cancel, methods=post),
        Route(_JOB + "/runs/{run:int}/files/{name:str}", files_api.job_file, methods=get),
        Route(_CASE, jobs_api.answer, methods=get),
        Route(_CASE + "/files/{name:str}", files_api.case_file, methods=get),
        Route(_CASE + "/pictures/{name:str}", files_api.picture, methods=get),
        Route(_CASE + "/explanation", files_api.explanation, methods=get),
        Route(_CASE + "/explanation", files_api.explain, methods=post),
        Route(_CASE + "/map", files_api.live_map, methods=get),
        Route(_ZOOM, files_api.zoom, methods=get),
        Route(_CASE + "/series/{file:int}", files_api.series, methods=get),
        Route(_CASE + "/series/{file:int}/{slice:str}", files_api.series_slice, methods=get),
        Route(_ZOOM + "/tiles/{level:int}/{cell:str}", files_api.zoom_tile, methods=get),
    ]


async def _error(request: Request, error: LungScanError) -> Response:
    """An error in words: JSON for scripts, a page for people."""
    if request.url.path.startswith(("/api/", "/static/")):
        return error_reply(error)
    status = status_of(error)
    return pages.show("problem.html", status, title="That did not work", message=str(error))


async def _http(request: Request, error: HTTPException) -> Response:
    """No route, or not by this method."""
    words = {404: "There is nothing at this address.", 405: "That is not done here."}
    message = words.get(error.status_code, "That did not work.")
    if request.url.path.startswith(("/api/", "/static/")):
        return refusal(error.status_code, "W_NOT_HERE", message)
    return pages.show("problem.html", error.status_code, title="Not found", message=message)
