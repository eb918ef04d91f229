"""The process that times a network, see ``lungscan.opening.apart``."""

from __future__ import annotations

from threading import Event

from lungscan.opening.apart import Send, serve
from lungscan_gui.scanning.engine import time_network
from lungscan_gui.scanning.machine import Machine, Question


def work(question: Question, _stop: Event, _send: Send) -> Machine:
    """Load the network and time it. Raises LungScanError."""
    return Machine(*time_network(question.model, question.device, question.threads))


if __name__ == "__main__":
    serve(work)
