"""Further pictures for the stage before the labels: copies of our own groups, and other tissue.

Nothing that judges may be learnt: a picture whose group stands in validation or test is left out,
and so is one that its licence keeps for evaluation. Groups that were found have names of their own,
so pictures are compared by their bytes, too: a copy of one that judges leaves its group out. Such a
folder must therefore say which pictures it holds, in ``groups.csv`` or in ``files.csv`` (which also
has ``use``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lungscan.dataset.group_table import inside, names_on_disk, read_groups
from lungscan.dataset.listing import GROUPS_FILE
from lungscan.dataset.pixels import Look, load_squares
from lungscan.dataset.samples import Samples
from lungscan.dataset.splits import Split
from lungscan.errors import UsageProblem
from lungscan.inputs import show
from lungscan.inputs.csv_input import TableRow, read_table
from lungscan.results.checksums import digest_of
from lungscan.training.fit import Pictures
from lungscan.training.losses import UNLABELLED

FILES_FILE = "files.csv"
ALLOWED = "training allowed"  # the word of the column `use`


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of such a folder."""

    path: Path
    label: str
    group: str  # "": it stands alone
    allowed: bool = True  # to be trained on


@dataclass(frozen=True)
class More:
    """The pictures that may be learnt from, and what was left out."""

    pictures: Pictures
    text: str


def gather_more(
    root: Path,
    folders: Sequence[str],
    own: Samples,
    split: Split,
    others: Iterable[tuple[Samples, Split]],
    look: Look,
    size_px: int,
) -> More:
    """Decode what the folders hold for training.

    A picture of a training group keeps the label that its table gives it, where that is a class of
    ours; any other picture is unlabelled.

    Args:
        root: folder that holds the folders.
        folders: their names.
        own: the pictures with classes, and ``split`` which of them judge.
        split: of ``own``.
        others: the same of the counter-examples.
        look: the network's input when classifying, which decides on the squares.
        size_px: side of the cached fields.

    Raises:
        UsageProblem: a folder without a table, or with a wrong one.
    """
    learnt = {own.groups[row] for row in split.train}
    judges = ((own, split), *others)
    held = set[str]().union(*(_held(*each) for each in judges))
    contents = set[str]().union(*(_contents(*each) for each in judges))
    left: Counter[str] = Counter()
    kept: list[Picture] = []
    for name in folders:
        pictures = read_pictures(root / name)
        copied = {_group(picture, root / name) for picture in pictures if _is_of(contents, picture)}
        for picture in pictures:
            group = _group(picture, root / name)
            if not picture.allowed:
                left["for evaluation only"] += 1
            elif group in held or group in copied:
                left["of groups that judge"] += 1
            else:
                kept.append(picture)
    squares, refused = load_squares([picture.path for picture in kept], look, size_px)
    if refused:
        left["that classification refuses"] = len(refused)
    kept = [picture for row, picture in enumerate(kept) if row not in refused]
    labels = np.array([_label(picture, learnt, own.class_names) for picture in kept], np.int64)
    labelled = int((labels != UNLABELLED).sum())
    text = f"{len(kept)} more pictures, {labelled} with a label" + "".join(
        f"; left out {count} {why}" for why, count in sorted(left.items())
    )
    every = np.repeat(labels, squares.counts)
    return More(Pictures.of(squares.pixels, every, squares.counts), text)


def _label(picture: Picture, learnt: set[str], class_names: Sequence[str]) -> int:
    if picture.group in learnt and picture.label in class_names:
        return class_names.index(picture.label)
    return UNLABELLED


def read_pictures(folder: Path) -> tuple[Picture, ...]:
    """What the folder's table names, by ``files.csv`` where there is one, else ``groups.csv``.

    Raises:
        UsageProblem: it has no table, or one that is wrong.
    """
    table = folder / FILES_FILE
    if table.is_file():
        listed = read_table(table, ("file", "use"), ("label", "group"))
        rows = [(inside(row["file"], table, row.line), row) for row in listed]
        names = names_on_disk([file for file, _ in rows], folder)
        return tuple(_picture(folder / names[file], row) for file, row in rows)
    if (folder / GROUPS_FILE).is_file():
        groups = read_groups(folder / GROUPS_FILE)
        names = names_on_disk(groups, folder)
        return tuple(
            Picture(folder / names[file], row.label, row.group) for file, row in groups.items()
        )
    raise UsageProblem(
        f"{show(folder.name)} has neither {GROUPS_FILE} nor {FILES_FILE}, so nobody can say "
        f"whether it holds tissue of the test part. Add a table {GROUPS_FILE} (file,label,group)."
    )


def _picture(path: Path, row: TableRow) -> Picture:
    allowed = row["use"].lower() == ALLOWED
    return Picture(path, row.cells.get("label", ""), row.cells.get("group", ""), allowed)


def _group(picture: Picture, folder: Path) -> str:
    """Its group; one that stands alone is its own, by its name."""
    return picture.group or picture.path.relative_to(folder).as_posix()


def _is_of(contents: set[str], picture: Picture) -> bool:
    """Whether a picture is one of these, whatever its name; one that is missing is none."""
    return picture.path.is_file() and digest_of(picture.path) in contents


def _contents(samples: Samples, split: Split) -> set[str]:
    """SHA-256 of each picture that judges."""
    rows = (*split.validation, *split.test)
    return {digest_of(samples.paths[row]) for row in rows}


def _held(samples: Samples, split: Split) -> set[str]:
    """The groups that judge."""
    return {samples.groups[row] for part in (split.validation, split.test) for row in part}
