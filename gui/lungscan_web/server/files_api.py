"""Files and pictures of jobs. A name is compared with a list before it is joined to a path."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from lungscan.layout import case_folder
from lungscan_web.jobs.limits import NotHere
from lungscan_web.jobs.records import Job, JobCase
from lungscan_web.jobs.zooming import Place
from lungscan_web.server.house import house_of
from lungscan_web.server.telling import OF_A_CASE, OF_A_JOB, api

MEDIA = {
    ".pdf": "application/pdf",
    ".csv": "text/csv; charset=utf-8",
    ".geojson": "application/geo+json",
    ".json": "application/json",
    ".png": "image/png",
    ".jpg": "image/jpeg",
}
PICTURES = re.compile(r"thumbnail-\d{1,4}\.jpg|overlay-\d{1,4}\.png|tile-\d{1,4}\.jpg")
ZOOMERS = 8  # tiles that are read at once; other requests have threads of their own

_zoomers: CapacityLimiter | None = None


async def job_file(request: Request) -> Response:
    """A table or report of a whole job."""
    job, name = house_of(request).desk.look(request.path_params["job"]), _name(request)
    if name not in OF_A_JOB or not job.state.ended:
        raise NotHere("There is no such file.")
    return await _sent(job.out / name, f"lungscan-{name}")


async def case_file(request: Request) -> Response:
    """A file of a case to take away."""
    job, case = _case(request)
    name = _name(request)
    if name not in OF_A_CASE:
        raise NotHere("There is no such file.")
    return await _sent(case_folder(job.out, case.key) / name, f"{case.key}-{name}")


async def picture(request: Request) -> Response:
    """A picture of a case, to be shown."""
    job, case = _case(request)
    name = _name(request)
    if not PICTURES.fullmatch(name):
        raise NotHere("There is no such picture.")
    return await _sent(job.view / case.key / name)


async def example_picture(request: Request) -> Response:
    """A small picture of an example."""
    house = house_of(request)
    return await _sent(await run_sync(house.examples.thumbnail, request.path_params["example"]))


async def zoom(request: Request) -> Response:
    """What a viewer must know of an image."""
    house, job, case, number = _image(request)
    place = Place(job.id, request.path_params["case"], number)
    describe = partial(house.zooms.describe, place, case.files[number], job.choice.mpp)
    told = await run_sync(describe, limiter=_limiter())
    base = f"{api(job)}/cases/{place.case}/zoom/{number}/tiles/"
    return JSONResponse(told | {"tiles": base})


async def zoom_tile(request: Request) -> Response:
    """A tile of an image."""
    house, job, case, number = _image(request)
    params = request.path_params
    at = (params["level"], *map(int, _cell(params["cell"])))
    place = Place(job.id, params["case"], number)
    read = partial(house.zooms.tile, place, case.files[number], job.choice.mpp, at)
    return Response(await run_sync(read, limiter=_limiter()), media_type=MEDIA[".jpg"])


def _image(request: Request):  # type: ignore[no-untyped-def]
    house = house_of(request)
    job, case = _case(request, ended=False)
    number = request.path_params["file"]
    if number >= len(case.files):
        raise NotHere("There is no such image.")
    return house, job, case, number


def _cell(text: str) -> tuple[str, str]:
    match = re.fullmatch(r"(\d{1,7})_(\d{1,7})\.jpg", text, re.ASCII)
    if match is None:
        raise NotHere("There is no such tile.")
    return match[1], match[2]


def _case(request: Request, *, ended: bool = True) -> tuple[Job, JobCase]:
    params = request.path_params
    job = house_of(request).desk.look(params["job"])
    case = job.case(params["case"])
    if case is None or (ended and case.state != "ended"):
        raise NotHere("There is no such answer yet.")
    return job, case


def _name(request: Request) -> str:
    name: str = request.path_params["name"]
    return name


def _limiter() -> CapacityLimiter:
    global _zoomers  # noqa: PLW0603  it belongs to the loop that runs
    if _zoomers is None:
        _zoomers = CapacityLimiter(ZOOMERS)
    return _zoomers


async def _sent(path: Path, name: str | None = None) -> Response:
    """A file, under this name to take away, or without one to be shown."""
    if not await run_sync(path.is_file):
        raise NotHere(NotHere.KEPT)
    return FileResponse(path, media_type=MEDIA[path.suffix], filename=name)
