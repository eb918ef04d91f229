"""The process that times a network: ``python -m lungscan_gui.scanning.machine_child``."""

from __future__ import annotations

from lungscan_gui import engine
from lungscan_gui.scanning.child import take_over, told
from lungscan_gui.scanning.job import Failure
from lungscan_gui.scanning.machine import Machine, Question


def answer(question: Question) -> Machine | Failure:
    """Load the network and time it."""
    try:
        return Machine(*engine.time_network(question.model, question.device, question.threads))
    except Exception as error:  # noqa: BLE001  the last line: a message instead of a dead process
        return told(error)


def main() -> None:
    """Answer one question."""
    requests, replies = take_over()
    try:
        engine.send(replies, answer(engine.receive(requests)))
        engine.send(replies, None)
    except (EOFError, BrokenPipeError):
        return  # the window is gone


if __name__ == "__main__":
    main()
