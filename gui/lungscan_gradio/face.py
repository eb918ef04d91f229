"""What is seen, and what happens at a press: one job of the desk, shown as it goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from lungscan import RESEARCH_USE
from lungscan.layout import GEOJSON, REPORT, SLICES, TABLE, TILES
from lungscan_web.jobs.desk import Desk
from lungscan_web.jobs.limits import Refused
from lungscan_web.jobs.records import ANSWER, Choice, Job, progress_of, words_of
from lungscan_web.jobs.taking import named
from lungscan_web.server.uploading import micrometres

SCALE = "Pixel size in µm, if the files do not say it"
USUAL = "usual: 0.25 at 40x, 0.5 at 20x"
FILES = (REPORT, TILES, SLICES, GEOJSON)
Update = tuple[str, list[str]]


def build(desk: Desk, models: tuple[str, ...]) -> gr.Blocks:
    """The page."""
    with gr.Blocks(
        title="LungScan", analytics_enabled=False, delete_cache=(60, int(desk.limits.kept_seconds))
    ) as page:
        gr.HTML(f"<h1>LungScan</h1><p><strong>{escape(RESEARCH_USE)}</strong></p>")
        given = gr.File(label="Images, slides, DICOM or a ZIP of a series", file_count="multiple")
        with gr.Accordion("Options"):
            model = gr.Dropdown(models, value=models[0], label="Model")
            scale = gr.Textbox(label=SCALE, placeholder=USUAL)
        with gr.Row():
            go = gr.Button("Classify", variant="primary")
            stop = gr.Button("Cancel")
        answer = gr.HTML()
        files = gr.File(label="To take away", file_count="multiple", interactive=False)

        def classify(
            paths: list[str] | None, name: str, mpp: str, request: gr.Request
        ) -> Iterator[Update]:
            yield from updates(
                desk, str(request.session_hash), [Path(p) for p in paths or ()], name, mpp
            )

        chosen = [given, model, scale]
        running = go.click(classify, chosen, [answer, files], concurrency_limit=None)
        stop.click(lambda: ("<p>Cancelled.</p>", []), None, [answer, files], cancels=[running])
    return page


def updates(
    desk: Desk, visitor: str, paths: list[Path], model: str, mpp: str = ""
) -> Iterator[Update]:
    """Classify files, and say how it goes on, as HTML with the files to take away.

    Whoever closes the generator cancels the job.
    """
    try:
        choice = Choice(model, micrometres(mpp))
        with desk.intake(visitor) as intake:
            for path in paths:
                intake.add(path)
            intake.unpack()
            job = desk.submit(visitor, intake, choice)
    except Refused as refused:
        yield f"<p>{escape(str(refused))}</p>", []
        return
    try:
        with desk.watching(job.id, lambda: None):
            while not job.state.ended:
                job = desk.wait(job.id, job.version, timeout=0.5)
                pace = progress_of(job, desk.now())
                words = (words_of(job, desk.place(job)), pace.rate, pace.left)
                yield f"<p>{escape(' '.join(filter(None, words)))}</p>", []
        yield "".join(map(escape, [job.message])) + "".join(answers(job)), downloads(job)
    finally:
        desk.cancel(job.id, visitor)


def answers(job: Job) -> Iterator[str]:
    """Each case's answer as HTML."""
    for case in job.cases:
        if case.state != "ended":  # of a job that failed or was cancelled
            continue
        if case.why:
            yield f"<h2>{escape(case.name)}: Failed</h2><p>{escape(case.why)}</p>"
            continue
        answer: dict[str, Any] = json.loads(
            (job.view / case.key / ANSWER).read_text(encoding="utf-8")
        )
        rows = "".join(
            f"<tr><td>{escape(one['display'])}</td><td>{escape(one['text'])}</td></tr>"
            for one in answer["classes"]
        )
        model, judged = answer["model"], answer["status"] not in ("failed", "skipped")
        by = f"Model {model['name']} {model['version']}."
        figures = [": ".join(fact) + "." for fact in model["facts"][:1]]  # with its interval
        lines = [answer["why"], answer["unspoken"], *answer["flags"], by]
        lines += figures if judged else []
        table = f"<table>{rows}</table>" if judged else ""
        yield (
            f"<h2>{escape(answer['name'])}: {escape(answer['answer_line'])} "
            f"{escape(answer['confidence_text'])}</h2>"
            f"{''.join(f'<p>{escape(words)}</p>' for words in lines if words)}{table}"
        )


def downloads(job: Job) -> list[str]:
    """Reports and tables that are there."""
    return [str(path) for path in named(job, (TABLE,), FILES)]
