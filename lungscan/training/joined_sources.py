"""Several data folders as one listing: classes translated, groups kept apart, scales known.

A model learns from several laboratories at once, so that what differs between them (stain, scanner,
scale) tells nothing about the class. Names in the pooled listing begin with the source's folder and
groups with its name, so two sources may number their patients alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lungscan.dataset.listing import Listing, SkippedPicture, read_listing
from lungscan.dataset.similar import find_similar
from lungscan.errors import UsageProblem
from lungscan.inputs import show
from lungscan.training.sources import DataSource


def pool(sources: Sequence[DataSource], root: Path, earlier: Mapping[str, str]) -> Listing:
    """Read all sources below ``root`` as one listing, whose folder is ``root``.

    Args:
        sources: two or more.
        root: folder that holds their folders.
        earlier: groups by name that an earlier start found in sources that have no table.

    Raises:
        UsageProblem: a source cannot be read, has a class that is not mapped or maps one that it
            does not have, does not say its scale, or shares a picture with another source.
    """
    parts = [_read(source, root, earlier) for source in sources]
    _require_apart(parts, sources)
    classes = tuple(sorted({label for part in parts for label in part.label_names}))
    if len(classes) < 2:
        raise UsageProblem(
            f"All sources together have the class {', '.join(map(show, classes))} alone; two at "
            "least are needed."
        )
    labels = [classes.index(label) for part in parts for label in part.label_names]
    counts = [len(part.names) for part in parts]
    return Listing(
        folder=root,
        names=tuple(name for part in parts for name in part.names),
        labels=np.array(labels, np.int64),
        class_names=classes,
        groups=tuple(group for part in parts for group in part.groups or ()),
        skipped=tuple(item for part in parts for item in part.skipped),
        sizes=tuple(size for part in parts for size in part.sizes or ()),
        digests=tuple(digest for part in parts for digest in part.digests or ()),
        scales=tuple(scale for part in parts for scale in part.scales or ()),
        um_px=tuple(um_px for part in parts for um_px in part.um_px),
        sources=np.repeat(np.arange(len(parts)), counts),
        contents=tuple(sha256 for part in parts for sha256 in part.contents),
    )


def _read(source: DataSource, root: Path, earlier: Mapping[str, str]) -> Listing:
    """One source with the model's classes, names below ``root`` and groups of its own."""
    whole = read_listing(root / source.data, fewest=1)
    found = _translated(whole, source)
    spacings = found.um_px or (None,) * len(found.names)
    scales = tuple(um_px or source.um_px or None for um_px in spacings)
    _require_scale(found, scales, source)
    names = tuple(f"{source.data}/{name}" for name in found.names)
    if found.groups is not None:
        groups = tuple(f"{source.name}/{group}" for group in found.groups)
    elif all(name in earlier for name in names):
        groups = tuple(earlier[name] for name in names)
    else:
        groups = tuple(f"{source.name}/{group}" for group in find_similar(found.paths).groups)
    skipped = tuple(
        replace(item, name=f"{show(source.data)}/{item.name}") for item in found.skipped
    )
    return replace(
        found,
        folder=root,
        names=names,
        groups=groups,
        skipped=skipped,
        um_px=scales,
        contents=(whole.contents_sha256,),
    )


def _translated(found: Listing, source: DataSource) -> Listing:
    """The listing with the model's classes; those that the source leaves out are gone."""
    unknown = [name for name, _ in source.classes if name not in found.class_names]
    if unknown:
        raise UsageProblem(
            f"Source {source.name} maps the class {show(unknown[0])!r}, but {show(source.data)} "
            f"has {', '.join(map(show, found.class_names))}."
        )
    target = [source.class_of(name) for name in found.class_names]
    for name, other in zip(found.class_names, target, strict=True):
        if other is None:
            raise UsageProblem(
                f"Source {source.name} has the class {show(name)!r}, which its table classes does "
                f'not map. Write {show(name)} = "CLASS" there, or "" to leave it out.'
            )
    classes = tuple(sorted({name for name in target if name}))
    rows = [row for row, label in enumerate(found.labels) if target[label]]
    if not rows:
        raise UsageProblem(f"Source {source.name} leaves out every class that it has.")
    kept = found.taken(rows)
    labels = [classes.index(target[label] or "") for label in kept.labels]
    skipped = (*found.skipped, *_left_out(found, source))
    return replace(kept, labels=np.array(labels, np.int64), class_names=classes, skipped=skipped)


def _left_out(found: Listing, source: DataSource) -> list[SkippedPicture]:
    counts = {
        name: int((found.labels == label).sum())
        for label, name in enumerate(found.class_names)
        if source.class_of(name) == ""
    }
    return [
        SkippedPicture(show(name), f"its {count} pictures are left out by the recipe")
        for name, count in counts.items()
    ]


def _require_scale(found: Listing, given: Sequence[float | None], source: DataSource) -> None:
    stated = found.scales or (None,) * len(found.names)
    without = [
        name for name, *known in zip(found.names, stated, given, strict=True) if not any(known)
    ]
    if without:
        raise UsageProblem(
            f"Source {source.name} does not say its scale: {show(without[0])} states none, so it "
            "cannot be shown at the size of the other sources' tissue. Write um_px = 0.5 (its µm "
            "per pixel) into its table [[sources]], or a column um_px into its groups.csv."
        )


def _require_apart(parts: Sequence[Listing], sources: Sequence[DataSource]) -> None:
    """Refuse a picture that stands in two sources: leaving one out would then leave nothing out."""
    home: dict[str, tuple[int, str]] = {}
    for index, part in enumerate(parts):
        for name, digest in zip(part.names, part.digests or (), strict=True):
            first, other = home.setdefault(digest, (index, name))
            if first != index:
                raise UsageProblem(
                    f"{show(other)} and {show(name)} are the same picture, so the sources "
                    f"{sources[first].name} and {sources[index].name} are not apart. Take it out "
                    "of one of them."
                )
