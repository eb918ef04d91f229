"""Jobs and answers as JSON, with the addresses of all that belongs to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lungscan.layout import (
    GEOJSON,
    HEATMAP,
    RECORD,
    REPORT,
    SLICES,
    SUMMARY,
    TABLE,
    TILES,
)
from lungscan_web.jobs.desk import Desk
from lungscan_web.jobs.limits import NotHere
from lungscan_web.jobs.records import ANSWER, Job, JobCase, progress_of, words_of

TITLES = {
    REPORT: "Report (PDF)",
    TILES: "Tiles (CSV)",
    SLICES: "Slices (CSV)",
    GEOJSON: "Tiles for QuPath (GeoJSON)",
    HEATMAP: "Class map (PNG)",
    RECORD: "Record (JSON)",
    TABLE: "Table of all cases (CSV)",
    SUMMARY: "Report on all cases (PDF)",
}
OF_A_CASE = (REPORT, TILES, SLICES, GEOJSON, HEATMAP, RECORD)
OF_A_JOB = (TABLE, SUMMARY)
Data = dict[str, Any]


def api(job: Job) -> str:
    """Below which address all of a job lies."""
    return f"/api/jobs/{job.id}"


def state_data(job: Job, desk: Desk, visitor: str) -> Data:
    """How far a job is."""
    place, now = desk.place(job), desk.now()
    progress = progress_of(job, now)
    kept = desk.limits.kept_seconds - (now - job.ended) if job.state.ended else None
    ends = desk.limits.job_seconds - (now - job.began) if job.began and kept is None else None
    return {
        "job": job.id,
        "state": job.state.value,
        "mine": job.visitor == visitor,
        "url": f"/results/{job.id}",
        "model": job.choice.model,
        "names": list(job.names),
        "place": place,
        "done": job.done,
        "total": len(job.cases),
        "tiles_done": job.tiles.done,
        "tiles_total": job.tiles.total,
        "rate_text": progress.rate,
        "left_text": progress.left,
        "left_seconds": progress.left_seconds,
        "words": words_of(job, place),
        "message": job.message,
        "code": job.code,
        "notices": job.notices,
        "cases": [_case(job, number, case) for number, case in enumerate(job.cases, start=1)],
        "downloads": _tables(job) if kept else [],
        "ends_in_seconds": None if ends is None else round(ends),
        "deleted_in_seconds": None if kept is None else max(0, round(kept)),
    }


def _case(job: Job, number: int, case: JobCase) -> Data:
    thumbnail = f"{api(job)}/cases/{number}/pictures/thumbnail-0.jpg" if case.thumbnail else None
    return {
        "n": number,
        "name": case.name,
        "file": ", ".join(file.relative_path for file in case.files) or case.name,
        "state": case.state,
        "status": case.status,
        "headline": case.headline,
        "confidence_text": case.confidence,
        "color": case.color,
        "kind": case.kind,
        "why": case.why,
        "thumbnail": thumbnail,
    }


def answer_data(job: Job, number: int) -> Data:
    """The answer of a case. Reads a file. Raises NotHere while there is none."""
    case = job.case(number)
    if case is None or case.state != "ended" or case.filed is None:
        raise NotHere("This case has no answer yet.")
    try:
        answer: Data = json.loads((job.view / case.key / ANSWER).read_bytes())
    except OSError as error:
        raise NotHere(NotHere.KEPT) from error
    base = f"{api(job)}/cases/{number}"
    for index, file in enumerate(answer["files"]):
        for kind in ("thumbnail", "overlay"):
            file[kind] = file[kind] and f"{base}/pictures/{file[kind]}"
        if file["kind"] == "series":
            file["zoom"], file["series"] = None, f"{base}/series/{index}"
        else:
            file["zoom"] = f"{base}/zoom/{index}"
    for item in answer["evidence"]:
        item["picture"] = f"{base}/pictures/{item['picture']}"
    answered = any(each["probability"] for each in answer["classes"])
    if answer["kind"] and answered:
        answer["explanation"] = f"{base}/explanation"
    answer["downloads"] = _downloads(case.filed.folder, OF_A_CASE, f"{base}/files")
    return {"job": job.id, "case": number, **answer}


def _tables(job: Job) -> list[Data]:
    """The tables of all runs; where several models were asked, each says of which it is."""
    found = []
    runs = job.answering()
    for number, model, out in runs:
        for file in _downloads(out, OF_A_JOB, f"{api(job)}/runs/{number}/files"):
            found.append(file)
            if len(runs) > 1:
                file["title"] = f"{file['title'].removesuffix(')')}, {model})"
                file["name"] = f"{model}-{file['name']}"
    return found


def _downloads(folder: Path, names: tuple[str, ...], base: str) -> list[Data]:
    found = []
    for name in names:
        path = folder / name
        if path.is_file():
            size = path.stat().st_size
            found.append(
                {"title": TITLES[name], "name": name, "url": f"{base}/{name}", "bytes": size}
            )
    return found
