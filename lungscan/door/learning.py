"""Making models: train, adapt, study."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

from lungscan.door.jobs import AdaptJob, StudyJob, TrainFinished, TrainJob
from lungscan.door.stopping import until
from lungscan.errors import MachineError

if TYPE_CHECKING:
    from lungscan.adaptation.records import AdaptEvent
    from lungscan.studies.events import StudyEvent
    from lungscan.training.events import TrainEvent


def train(
    job: TrainJob, stop: Event | None = None
) -> Generator[TrainEvent | TrainFinished, None, None]:
    """Make a model from folders of pictures; the same call goes on where it was stopped.

    Raises:
        UsageProblem, ModelError, MachineError: see ``lungscan.training.train.train``; torch and
            timm come with the extra ``train``.
    """
    with _torch("Training needs"):
        from lungscan.training.train import train as run

    def events() -> Generator[TrainEvent | TrainFinished, None, None]:
        yield from run(job.recipe, job.root, job.out, job.stages, job.command)
        yield TrainFinished(job.out)

    yield from until(stop, events())


def adapt(job: AdaptJob, stop: Event | None = None) -> Generator[AdaptEvent, None, None]:
    """Adapt a model to a laboratory's own stain and scanner; see ``lungscan.adaptation.adapt``.

    The last event is ``Adapted``. Needs no torch.
    """
    from lungscan.adaptation.adapt import adapting
    from lungscan.model.checked import find_model

    yield from until(stop, adapting(find_model(job.model), job.options, job.out))


def study(job: StudyJob, stop: Event | None = None) -> Generator[StudyEvent, None, None]:
    """Compare networks, alone and under a teacher; see ``lungscan.studies.study``.

    Raises:
        UsageProblem, ModelError, MachineError: as there.
    """
    with _torch("A study needs"):
        from lungscan.studies.study import study as run
        from lungscan.studies.working import Means

    ends = float("inf") if job.budget_s is None else time.time() + job.budget_s
    means = Means(job.device, job.workers, job.lanes, ends, job.threads)
    events = run(
        job.study,
        job.root,
        job.out,
        means,
        job.command,
        only_material=job.only_material,
        with_int8=job.with_int8,
    )
    yield from until(stop, events)


@contextmanager
def _torch(who: str) -> Iterator[None]:
    """Say what to install where the block's imports fail for want of torch."""
    try:
        yield
    except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision of another torch
        if isinstance(error, ImportError) and (error.name or "").split(".")[0] == "lungscan":
            raise
        raise MachineError(
            f"{who} torch and timm, which cannot be loaded here ({error}). "
            'Install them with `python -m pip install "lungscan-histology[train]"`.'
        ) from error
