"""The work itself: what a child process does, and what tests do without one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lungscan.errors import CaseError, Code, NoScale, UnreadableFile, case_error
from lungscan.inputs import look
from lungscan.model.card import ModelCard
from lungscan.opening.opener import FEW_TILES, OpenedField
from lungscan.opening.plan import Plan, plan_field, plan_file
from lungscan.options import ClassifierOptions
from lungscan.reading import ImageSource, kind_of, open_source
from lungscan.types import InputFile, MppSource, Scale, SourceInfo


@dataclass(frozen=True)
class LocalReaders:
    """Opens images in this very process."""

    options: ClassifierOptions
    card: ModelCard

    def begin(self, file: InputFile) -> None:
        """See ``Readers.begin``. Here nobody could do it meanwhile."""

    def stop(self) -> None:
        """See ``Readers.stop``. Nothing can end a thread of this process."""

    def plan(self, file: InputFile, *, picture: bool, digest: str | None = None) -> Plan:
        """See ``Readers.plan``."""
        before = look(file)
        planned = plan_file(file, self.options, self.card, picture=picture, digest=digest)
        return replace(planned, before=before)

    def fields(self, files: Sequence[InputFile], *, picture: bool) -> list[OpenedField | CaseError]:
        """See ``Readers.fields``."""
        return [self._field(file, picture) for file in files]

    def are_slides(self, files: Sequence[InputFile]) -> tuple[bool, ...]:
        """See ``Readers.are_slides``."""
        return tuple(map(_is_slide, files))

    def _field(self, file: InputFile, picture: bool) -> OpenedField | CaseError:
        try:
            planned = plan_field(file, self.options, self.card, picture=picture)
            boxes, size = planned.grid.boxes, planned.grid.size_px
            few = 0 < len(boxes) <= FEW_TILES
            return OpenedField(planned, planned.source.read_tiles(boxes, size) if few else None)
        except MemoryError:
            return out_of_memory()
        except Exception as error:  # noqa: BLE001  libraries raise many kinds on damaged files
            return case_error(error)


def open_to_look(file: InputFile, mpp: float | None) -> tuple[ImageSource, SourceInfo]:
    """Open an image to show it, whether or not its scale is known: see the second part.

    Raises:
        UnreadableFile: as ``lungscan.reading.open_source``.
    """
    try:
        source = open_source(file, mpp)
    except NoScale as error:
        source = open_source(file, 1.0)  # any scale will do to open it; nobody is told of it
        flags = ("mpp_absurd",) if error.code == Code.BAD_MPP else ()
        unknown = Scale(None, MppSource.UNKNOWN, (*flags, "scale_unknown"))
        return source, replace(source.info, scale=unknown)
    return source, source.info


def out_of_memory() -> UnreadableFile:
    """What it means for a file that its pixels do not fit."""
    return UnreadableFile(
        "Reading the file takes more memory than LungScan allows for one image; the file is "
        "damaged, or must be saved again as a tiled, pyramidal TIFF.",
        code=Code.MEMORY,
    )


def _is_slide(file: InputFile) -> bool:
    try:
        return kind_of(file) == "slide"
    except CaseError:
        return False  # opening it will say what is wrong
