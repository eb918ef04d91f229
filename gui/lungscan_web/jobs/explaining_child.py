"""The process of one explanation: ``python -m lungscan_web.jobs.explaining_child``."""

from __future__ import annotations

import threading
from dataclasses import replace

from lungscan import explain
from lungscan.opening.apart import Send, serve
from lungscan.processes import give_way
from lungscan.report.explained import render_explanation, sentences, title
from lungscan.results.atomic_files import write_atomic
from lungscan.results.case_json import from_json
from lungscan_web.jobs.explaining import PICTURE, Question, Reply
from lungscan_web.jobs.limits import NotHere


def work(question: Question, _stop: threading.Event, _send: Send) -> Reply:
    """Ask the engine, draw, and say what the colours mean. Raises NotHere of a deleted job."""
    part = explain(question.image, question.box, model=question.model, mpp=question.mpp)
    result = replace(from_json(question.record.read_bytes()), explained=(part,))
    picture = render_explanation(result)
    if not question.view.is_dir():  # or it would be made anew, and nobody would delete it
        raise NotHere(NotHere.KEPT)
    write_atomic(question.view / PICTURE, picture, durable=False)
    return Reply(title((part,)), " ".join(sentences(result)))


if __name__ == "__main__":
    give_way()
    serve(work)
