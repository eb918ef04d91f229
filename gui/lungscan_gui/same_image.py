"""Whether a file is the image that was analysed: by its content, not by its name. No Qt."""

from __future__ import annotations

from dataclasses import dataclass

from lungscan.errors import LungScanError
from lungscan_gui import engine
from lungscan_gui.cases import Case
from lungscan_gui.engine import InputFile


@dataclass(frozen=True, slots=True)
class Missing:
    """An image of an answer that was not found where it was."""

    place: int  # which of the case's paths it has
    name: str
    sha256: str


def missing_of(case: Case | None) -> tuple[Missing, ...]:
    """The images of a case that a person may still show to the window."""
    if case is None or case.result is None:
        return ()
    found = []
    for number, file in enumerate(case.result.files):
        path = case.image_of(number)
        if path is None or not path.exists():
            name = file.relative_path.rpartition("/")[2]
            found.append(Missing(case.place_of(number), name, file.sha256))
    return tuple(found)


def digest_if_wanted(file: InputFile, wanted: tuple[Missing, ...]) -> str:
    """SHA-256 of a file that has the name of a missing image, else ""; it takes a while."""
    if file.path.name not in {image.name for image in wanted}:
        return ""
    try:
        return engine.sha256_of(file)
    except LungScanError:
        return ""  # opening it will say why
