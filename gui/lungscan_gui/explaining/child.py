"""The process of one explanation, see ``lungscan.opening.apart``."""

from __future__ import annotations

import threading

from lungscan import explain
from lungscan.opening.apart import Send, serve
from lungscan.types import Explanation
from lungscan_gui.explaining.job import Question


def work(question: Question, _stop: threading.Event, _send: Send) -> Explanation:
    """Ask the engine."""
    return explain(
        question.path,
        question.box,
        model=question.model,
        method=question.method,
        mpp=question.mpp,
        device=question.device,
    )


if __name__ == "__main__":
    serve(work)
