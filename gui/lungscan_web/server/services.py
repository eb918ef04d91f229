"""What all routes share: the desk, the open images, the models, the examples, who is logged in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import Request

from lungscan_web.access.passwords import Passwords
from lungscan_web.access.sessions import Sessions
from lungscan_web.access.tries import Tries
from lungscan_web.jobs.desk import Desk
from lungscan_web.jobs.examples import Examples
from lungscan_web.jobs.explaining import Explanations
from lungscan_web.jobs.folder import PrivateFolder
from lungscan_web.jobs.models import Models
from lungscan_web.jobs.ready import Process, start_process
from lungscan_web.jobs.zooming import Zooms
from lungscan_web.server.settings import WebSettings

LOOK_S = 1.0


@dataclass(slots=True, eq=False)
class Services:
    """One page, while it is open."""

    settings: WebSettings
    models: Models
    passwords: Passwords | None
    desk: Desk
    zooms: Zooms
    examples: Examples
    explanations: Explanations = field(default_factory=Explanations)
    sessions: Sessions = field(default_factory=Sessions)
    tries: Tries = field(default_factory=Tries)
    streams: dict[str, int] = field(default_factory=dict)  # open streams of events, by visitor
    _closing: threading.Event = field(default_factory=threading.Event)

    def keep(self) -> None:
        """Start a thread that closes images nobody looks at."""
        threading.Thread(target=self._look_round, name="zooms", daemon=True).start()

    def close(self) -> None:
        """End all jobs, and delete all files."""
        self._closing.set()
        self.explanations.close()
        self.zooms.close()
        self.examples.close()
        self.desk.close()

    def _look_round(self) -> None:
        while not self._closing.wait(LOOK_S):
            self.zooms.look_round()


def open_services(settings: WebSettings, start: Callable[[], Process] = start_process) -> Services:
    """Make all that a page needs; ``start`` starts what runs a job.

    Raises:
        UsageProblem: the password file.
        ModelError: the model.
        MachineError: no folder can be made.
    """
    passwords = Passwords(settings.auth) if settings.auth else None
    models = Models(settings.model)
    folder = PrivateFolder()
    zooms, explanations = Zooms(), Explanations()

    def forgotten(job: str) -> None:
        zooms.forget(job)
        explanations.forget(job)

    desk = Desk(settings.limits, folder, start=start, forgotten=forgotten)
    services = Services(
        settings, models, passwords, desk, zooms, Examples(folder.path / "examples"), explanations
    )
    services.keep()
    return services


def services_of(request: Request) -> Services:
    """The page that a request came to."""
    services: Services = request.app.state.services
    return services
