"""Pictures to try: fields that the model was trained on, and what we drew.

They are made by a process of its own (``python -m lungscan_web.jobs.examples FOLDER``) when
somebody first asks for the list, because stitching the slide takes seconds.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lungscan import processes
from lungscan.errors import MachineError
from lungscan_web.jobs.limits import NotHere

MODULE = "lungscan_web.jobs.examples"
PATIENCE_S = 60.0
THUMBNAIL_PX = 240


@dataclass(frozen=True, slots=True)
class Example:
    """One picture to try. ``id`` is its file's name without the suffix."""

    id: str
    file: str
    kind: str  # slide, field, drawn
    title: str
    words: str


_SEEN = "A field of the training data: the model has seen it, so its answer proves nothing."
EXAMPLES = (
    Example(
        "stitched-slide", "stitched-slide.svs", "slide", "A slide",
        "Put together from training fields of three tissues, to see maps and deep zoom.",
    ),
    Example("training-adenocarcinoma-1", "training-adenocarcinoma-1.jpg", "field",
            "Adenocarcinoma", _SEEN),
    Example("training-squamous-1", "training-squamous-1.jpg", "field",
            "Squamous cell carcinoma", _SEEN),
    Example("training-benign-1", "training-benign-1.jpg", "field", "Benign lung", _SEEN),
    Example(
        "out-of-focus", "out-of-focus.jpg", "field", "Out of focus",
        "The adenocarcinoma, blurred: it should get no result.",
    ),
    Example(
        "drawn-glands", "drawn-glands.jpg", "drawn", "Drawn glands",
        "Drawn by us, no tissue at all.",
    ),
    Example("empty-glass", "empty-glass.png", "drawn", "Empty glass", "It should get no result."),
)  # fmt: skip


class Examples:
    """The pictures in a folder of the page."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Have them made; does not wait."""
        with self._lock:
            if self._process is not None:
                return
            self._folder.mkdir(mode=0o700, exist_ok=True)
            try:
                self._process = processes.start(
                    MODULE,
                    str(self._folder),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            except OSError as error:
                raise MachineError("The examples cannot be made on this machine now.") from error

    def picture(self, number: str) -> tuple[Example, Path]:
        """An example and its file; waits while it is being made.

        Raises:
            NotHere: there is no such example.
        """
        return self._made(number, "")

    def thumbnail(self, number: str) -> Path:
        """A small JPEG of an example. Raises as ``picture``."""
        return self._made(number, "-small.jpg")[1]

    def close(self) -> None:
        """Stop making them."""
        with self._lock:
            if self._process is not None:
                with suppress(OSError):
                    self._process.kill()
                self._process.wait()

    def _made(self, number: str, small: str) -> tuple[Example, Path]:
        example = next((each for each in EXAMPLES if each.id == number), None)
        if example is None:
            raise NotHere("There is no such example.")
        self.prepare()
        path = self._folder / (example.id + small if small else example.file)
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE_S)
        if not path.is_file():
            raise NotHere("The examples could not be made on this machine.")
        return example, path


def make(folder: Path) -> None:
    """Write the pictures and their small ones."""
    from PIL import Image

    from lungscan.demo import make_demo
    from lungscan.opening.viewing import ViewedImage

    make_demo(folder)
    for example in EXAMPLES:
        path = folder / example.file
        if path.is_file():
            with ViewedImage(path) as image:
                small = Image.fromarray(image.overview.rgb)
            small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
            small.save(folder / f"{example.id}-small.jpg", quality=85)


if __name__ == "__main__":
    processes.give_way()
    make(Path(sys.argv[1]))
