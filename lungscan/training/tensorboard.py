"""The curves as TensorBoard events, for those who ask for them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from lungscan.errors import MachineError
from lungscan.training.events import EpochFinished, TrainEvent

T = TypeVar("T")


def recorded(
    events: Generator[TrainEvent, None, T], folder: Path
) -> Generator[TrainEvent, None, T]:
    """Pass a run's events on and write each epoch's figures into ``folder``; returns its result.

    Raises:
        MachineError: TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError as error:
        raise MachineError(
            "TensorBoard is not installed. Install it with `python -m pip install tensorboard`, or "
            "train without --tensorboard; the curves are in training/curves.json anyway."
        ) from error
    with closing(events), closing(SummaryWriter(str(folder))) as writer:
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                result: T = end.value
                return result
            if isinstance(event, EpochFinished):
                writer.add_scalar(f"{event.stage}/loss", event.loss, event.epoch)
                writer.add_scalar(f"{event.stage}/images_per_s", event.images_per_s, event.epoch)
                if event.validation_accuracy is not None:
                    accuracy = event.validation_accuracy
                    writer.add_scalar(f"{event.stage}/validation accuracy", accuracy, event.epoch)
            yield event
