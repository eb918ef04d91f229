"""From the paths a person gave to the cases of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path, PurePosixPath

from lungscan.errors import Code, MachineError, UsageProblem
from lungscan.inputs.files import Identity, identity_of
from lungscan.inputs.kinds import guess
from lungscan.inputs.manifest import read_cases
from lungscan.inputs.motion import look
from lungscan.inputs.names import KeyMaker, show
from lungscan.inputs.parts import NAMED_BY_INDEX, PartFinder
from lungscan.inputs.walk import Candidate, Omission, walk
from lungscan.types import CaseInput, FoundFile, InputFile, Inputs, SkippedFile


def discover(
    paths: tuple[Path, ...], manifest: Path | None = None, named: tuple[FoundFile, ...] = ()
) -> Inputs:
    """Find all images below ``paths`` and group them into cases.

    Folders are searched whole, links to folders are not followed, each file counts once, and the
    order does not depend on the disk. Junk and files in unknown formats are listed as skipped. A
    folder or path that cannot be reached is listed too, with an ``error_code``. The ``kind`` of
    a TIFF is a guess until it is opened (``lungscan.reading.kind_of``). Files that are ``named``
    keep the relative path and the case id that the search of their folder gave them.

    Raises:
        UsageProblem: none of ``paths`` exists, or the manifest is wrong.
        MachineError: the disk stands in the way of the search itself.
    """
    try:
        return _discover(paths, manifest, named)
    except OSError as error:
        where = f" at {show(str(error.filename))}" if error.filename else ""
        raise MachineError(
            f"The search for images failed{where} ({error.strerror or error}). Check the drive, "
            "then start it again."
        ) from error


def _discover(
    paths: tuple[Path, ...], manifest: Path | None, named: tuple[FoundFile, ...]
) -> Inputs:
    found = list(walk(paths, {file.path: file.relative_path for file in named}))
    candidates = [item for item in found if isinstance(item, Candidate)]
    omissions = [item for item in found if isinstance(item, Omission)]
    missing = sum(omission.error_code == Code.NOT_FOUND for omission in omissions)
    if missing and missing == len(paths):
        names = ", ".join(f"'{show(str(path))}'" for path in paths)
        raise UsageProblem(f"There is no file or folder {names}. Check the spelling.")
    files = _assemble(candidates)
    joined = read_cases(manifest, files, paths) if manifest else {}
    keys = KeyMaker()
    cases = _cases(files, joined, keys, {file.path: file.case_id for file in named})
    skipped = tuple(
        SkippedFile(
            key=keys.make(PurePosixPath(item.relative_path).name, item.relative_path),
            relative_path=item.relative_path,
            reason=item.reason,
            error_code=item.error_code,
        )
        for item in omissions
    )
    return Inputs(cases, skipped)


def _assemble(candidates: Sequence[Candidate]) -> list[InputFile]:
    """One record per image; files that are only parts of a slide disappear into it."""
    finder = PartFinder()
    owner: dict[Identity, Identity] = {}
    images: list[tuple[Candidate, tuple[Path, ...]]] = []
    for item in candidates:
        if item.identity in owner:
            continue
        parts = _still_there(finder.parts_of(item.path))
        images.append((item, tuple(parts)))
        for identity in parts.values():
            if identity is not None:
                owner.setdefault(identity, item.identity)
    # Asked again at the end: a part may have come before the index that names it.
    named = {item.path for item in candidates}
    return [
        _stamped(item, parts, named)
        for item, parts in images
        if owner.get(item.identity, item.identity) == item.identity
    ]


def _still_there(parts: Sequence[Path]) -> dict[Path, Identity | None]:
    """The parts that were not removed since they were listed, and which file each of them is.

    None where the disk does not tell: opening the part will say why.
    """
    found: dict[Path, Identity | None] = {}
    for part in parts:
        try:
            found[part] = identity_of(part, part.stat())
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            found[part] = None
    return found


def _stamped(item: Candidate, parts: tuple[Path, ...], named: Set[Path]) -> InputFile:
    # What a person names is tried as a picture, whatever it is.
    kind = guess(item.path) or "field"
    if kind == "series":  # of one slice that a person named its neighbours are not wanted
        parts = tuple(part for part in parts if part in named)
    file = InputFile(item.path, item.relative_path, kind, parts, (item.stamp,))
    return replace(file, stamps=look(file)) if parts else file


def _cases(
    files: list[InputFile], joined: dict[int, str], keys: KeyMaker, named: Mapping[Path, str]
) -> tuple[CaseInput, ...]:
    """Cases in the order of their first files."""
    groups: dict[str, list[InputFile]] = {}
    for index, case in joined.items():
        groups.setdefault(case, []).append(files[index])
    alone = [file for i, file in enumerate(files) if i not in joined]
    labels = _labels(alone, set(groups), named)
    cases: list[CaseInput] = []
    for index, file in enumerate(files):
        if index not in joined:
            key = keys.make(_stem(file), file.relative_path)
            cases.append(CaseInput(key, labels[file], (file,)))
        elif group := groups.pop(joined[index], None):
            case = show(joined[index])
            cases.append(CaseInput(keys.make(case, f"case:{case}"), case, tuple(group)))
    return tuple(cases)


def _labels(
    files: list[InputFile], taken: set[str], named: Mapping[Path, str]
) -> dict[InputFile, str]:
    """Name each file as people do: its bare name where that is unambiguous, else its path.

    ``named`` are the names that an earlier search gave. Two cases must never read the same in a
    table.
    """
    plain = {file: named.get(file.path) or _stem(file) for file in files}
    stems = Counter(label.casefold() for label in plain.values())
    stems.update(case.casefold() for case in taken)
    used = set(taken)
    labels: dict[InputFile, str] = {}
    for file in files:
        label = plain[file]
        if stems[label.casefold()] > 1:
            label = file.relative_path
        count = 1
        while label in used:
            count += 1
            label = f"{file.relative_path} ({count})"
        used.add(label)
        labels[file] = label
    return labels


def _stem(file: InputFile) -> str:
    path = PurePosixPath(file.relative_path)
    # The files of a DICOM series are numbered; its folder is what people named.
    if len(file.parts) > 1 and path.suffix.lower() not in NAMED_BY_INDEX and path.parent.name:
        return path.parent.name
    # A DICOM file may be named by numbers and points, where no suffix can be cut off.
    return path.name if path.suffix[1:].isdigit() else path.stem
