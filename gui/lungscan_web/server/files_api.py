"""Files and pictures of jobs. A name is compared with a list before it is joined to a path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from lungscan.layout import RECORD
from lungscan.types import InputFile
from lungscan_web.jobs.explaining import BOXED, PICTURE, Question, described, question_of
from lungscan_web.jobs.limits import NotHere
from lungscan_web.jobs.live import read_on
from lungscan_web.jobs.messages import Filed
from lungscan_web.jobs.records import Job, JobCase
from lungscan_web.jobs.zooming import Place
from lungscan_web.server.answers import Denied
from lungscan_web.server.services import Services, services_of
from lungscan_web.server.telling import OF_A_CASE, OF_A_JOB, answer_data, api

MEDIA = {
    ".pdf": "application/pdf",
    ".csv": "text/csv; charset=utf-8",
    ".geojson": "application/geo+json",
    ".json": "application/json",
    ".png": "image/png",
    ".jpg": "image/jpeg",
}
PICTURES = re.compile(
    r"thumbnail-\d{1,4}\.jpg|overlay-\d{1,4}\.png|tile-\d{1,4}\.jpg|explanation\.png"
)
ZOOMERS = 8  # tiles that are read at once; other requests have threads of their own

_zoomers: CapacityLimiter | None = None


async def job_file(request: Request) -> Response:
    """A table or report of all cases of a job that one model answered."""
    job, name = services_of(request).desk.look(request.path_params["job"]), _name(request)
    run = request.path_params["run"]
    if name not in OF_A_JOB or not job.state.ended or not 0 < run <= len(job.runs):
        raise NotHere("There is no such file.")
    return await _sent(job.runs[run - 1][1] / name, f"lungscan-{name}")


async def case_file(request: Request) -> Response:
    """A file of a case to take away."""
    _, case = _case(request)
    name = _name(request)
    if name not in OF_A_CASE:
        raise NotHere("There is no such file.")
    return await _sent(_filed(case).folder / name, f"{case.key}-{name}")


async def picture(request: Request) -> Response:
    """A picture of a case, to be shown."""
    job, case = _case(request)
    name = _name(request)
    if not PICTURES.fullmatch(name):
        raise NotHere("There is no such picture.")
    return await _sent(job.view / case.key / name)


async def example_picture(request: Request) -> Response:
    """A small picture of an example."""
    services = services_of(request)
    return await _sent(await run_sync(services.examples.thumbnail, request.path_params["example"]))


async def live_map(request: Request) -> Response:
    """What has been scored of a slide since ``begin``, while its map fills."""
    job, case = _case(request, ended=False)
    begin = request.query_params.get("begin", "0")
    if not re.fullmatch(r"\d{1,12}", begin, re.ASCII):
        raise NotHere("There is no such place in the map.")
    return JSONResponse(await run_sync(read_on, job.view / case.key, int(begin)))


async def zoom(request: Request) -> Response:
    """What a viewer must know of an image."""
    image = _image(request)
    describe = partial(image.services.zooms.describe, image.place, image.file, image.job.choice.mpp)
    described_image = await run_sync(describe, limiter=_limiter())
    base = f"{api(image.job)}/cases/{image.place.case}/zoom/{image.place.file}/tiles/"
    return JSONResponse(described_image | {"tiles": base})


async def zoom_tile(request: Request) -> Response:
    """A tile of an image."""
    image, (column, row) = _image(request), _cell(request.path_params["cell"])
    at = (request.path_params["level"], column, row)
    read = partial(image.services.zooms.tile, image.place, image.file, image.job.choice.mpp, at)
    return Response(await run_sync(read, limiter=_limiter()), media_type=MEDIA[".jpg"])


async def series(request: Request) -> Response:
    """The slices of a series, and which of them the answer shows."""
    image = _image(request)
    ask = partial(image.services.zooms.series, image.place, image.file)
    found = await run_sync(ask, limiter=_limiter())
    answer = await run_sync(answer_data, image.job, image.place.case) if image.ended else {}
    evidence = answer.get("evidence", [])
    level, width = found.window
    return JSONResponse(
        {
            "count": found.slices,
            "side_px": found.side_px,
            "positions_mm": found.positions_mm,
            "spacing_mm": found.spacing_mm,
            "window": {"level": level, "width": width},
            "slices": f"{api(image.job)}/cases/{image.place.case}/series/{image.place.file}/",
            "marked": [
                {"slice": item["slice"], "caption": item["caption"], "role": item["role"]}
                for item in evidence
                if item["file"] == image.place.file and item["slice"] is not None
            ],
        }
    )


async def series_slice(request: Request) -> Response:
    """One slice of a series."""
    image = _image(request)
    match = re.fullmatch(r"(\d{1,6})\.png", request.path_params["slice"], re.ASCII)
    if match is None:
        raise NotHere("There is no such slice.")
    read = partial(image.services.zooms.slice, image.place, image.file, int(match[1]))
    return Response(await run_sync(read, limiter=_limiter()), media_type=MEDIA[".png"])


async def explanation(request: Request) -> Response:
    """How far the explanation of a case is."""
    job, _ = _case(request)
    number = request.path_params["case"]
    found = services_of(request).explanations.look(job.id, number)
    if found is None:
        return JSONResponse({"state": "none", "message": "", "pictures": []})
    return JSONResponse(described(found, f"{api(job)}/cases/{number}/pictures/{PICTURE}"))


async def explain(request: Request) -> Response:
    """Have an answer explained. Raises NotHere where that cannot be done."""
    job, case = _case(request)
    number = request.path_params["case"]
    answer = await run_sync(answer_data, job, number)
    if answer["explanation"] is None:
        raise Denied(404, "W_NO_EXPLANATION", "This answer cannot be explained.")
    file = case.files[0]
    filed, view = _filed(case), job.view / case.key
    box = question_of(answer, 0) if answer["kind"] in BOXED else None
    asked = Question(filed.folder / RECORD, file.path, box, filed.model, job.choice.mpp, view)
    found = services_of(request).explanations.ask(job.id, number, asked)
    described_image = described(found, f"{api(job)}/cases/{number}/pictures/{PICTURE}")
    return JSONResponse(described_image, 202)


@dataclass(frozen=True, slots=True)
class _Image:
    """An image that a request is about."""

    services: Services
    job: Job
    place: Place
    file: InputFile
    ended: bool


def _image(request: Request) -> _Image:
    job, case = _case(request, ended=False)
    number = request.path_params["file"]
    if number >= len(case.files):
        raise NotHere("There is no such image.")
    place = Place(job.id, request.path_params["case"], number)
    return _Image(services_of(request), job, place, case.files[number], case.state == "ended")


def _cell(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,7})_(\d{1,7})\.jpg", text, re.ASCII)
    if match is None:
        raise NotHere("There is no such tile.")
    return int(match[1]), int(match[2])


def _case(request: Request, *, ended: bool = True) -> tuple[Job, JobCase]:
    params = request.path_params
    job = services_of(request).desk.look(params["job"])
    case = job.case(params["case"])
    if case is None or (ended and case.state != "ended"):
        raise NotHere("There is no such answer yet.")
    return job, case


def _filed(case: JobCase) -> Filed:
    if case.filed is None:
        raise NotHere("There is no such answer yet.")
    return case.filed


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
