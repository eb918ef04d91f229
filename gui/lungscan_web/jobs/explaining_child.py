"""The process of one explanation: ``python -m lungscan_web.jobs.explaining_child``."""

from __future__ import annotations

import dataclasses
import threading
from importlib import import_module
from typing import Any

from lungscan.opening.apart import Send, serve
from lungscan.results.atomic_files import write_atomic
from lungscan.results.case_json import from_json
from lungscan_web.jobs.explaining import DRAWING, PICTURE, Question, Reply


def work(question: Question, _stop: threading.Event, _send: Send) -> Reply:
    """Ask the engine, draw, and say what the colours mean."""
    explain = import_module("lungscan").explain
    drawing = import_module(DRAWING)
    part = explain(question.image, question.box, model=question.model, mpp=question.mpp)
    result = from_json(question.record.read_bytes())
    more: dict[str, Any] = {"explained": (part,)}
    explained = dataclasses.replace(result, **more)
    png = drawing.render_explanation(explained)
    write_atomic(question.view / PICTURE, png, durable=False)
    return Reply(drawing.title((part,)), " ".join(drawing.sentences(explained)))


if __name__ == "__main__":
    serve(work)
