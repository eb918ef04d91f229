"""One of several sources of labelled pictures, as a recipe's ``[[sources]]`` say it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lungscan.options import MAX_MPP_UM, MIN_MPP_UM

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class DataSource:
    """A data folder of one laboratory, with its own scale, groups and class names."""

    name: str  # stands before its groups: NAME/GROUP
    data: str  # folder of one folder per class, below the data root
    um_px: float = 0.0  # scale of pictures of which neither file nor table says one; 0: none
    classes: tuple[tuple[str, str], ...] = ()  # its class, the model's ("": left out); (): the same

    def __post_init__(self) -> None:
        """Raise ValueError for what no source could be."""
        name, data, um_px = self.values()
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise ValueError(
                f"the name of a source must be letters, digits, . - or _, not {name!r}"
            )
        if not (isinstance(data, str) and data):
            raise ValueError(f"source {name} must name its folder: data = 'FOLDER'")
        number = isinstance(um_px, int | float) and not isinstance(um_px, bool)
        if not number or (self.um_px != 0 and not MIN_MPP_UM <= self.um_px <= MAX_MPP_UM):
            raise ValueError(
                f"um_px of source {name} must be µm per pixel, {MIN_MPP_UM} to {MAX_MPP_UM:g}"
            )

    def values(self) -> tuple[object, object, object]:
        """Name, folder and scale, whatever a recipe put there."""
        return self.name, self.data, self.um_px

    def class_of(self, label: str) -> str | None:
        """The model's class for a class of this source, "" to leave it out; None: not mapped."""
        return dict(self.classes).get(label) if self.classes else label


def sources_of(tables: Sequence[Mapping[str, Any]]) -> tuple[DataSource, ...]:
    """The tables ``[[sources]]`` of a recipe.

    Raises:
        ValueError, TypeError: they are no such tables, or two have the same name.
    """
    found = tuple(_source(dict(table)) for table in tables)
    names = [source.name.lower() for source in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two sources are called {twice[0]}; each needs a name of its own")
    if len({source.data for source in found}) < len(found):
        raise ValueError("two sources name the same folder; say it once")
    return found


def _source(table: dict[str, Any]) -> DataSource:
    classes = dict(table.pop("classes", {}))
    wrong = [key for key, value in classes.items() if not isinstance(value, str)]
    if wrong:
        raise ValueError(f"source {table.get('name')!r} maps the class {wrong[0]!r} to no name")
    return DataSource(**table, classes=tuple(classes.items()))
