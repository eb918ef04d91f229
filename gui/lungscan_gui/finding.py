"""The cases of what was given: images, or the results of a run whose images are looked for."""

from __future__ import annotations

from pathlib import Path, PurePath

from lungscan.types import CaseInput, CaseResult, CaseStatus
from lungscan_gui import engine
from lungscan_gui.cases import Case, answer_of
from lungscan_gui.same_image import Missing, digest_if_wanted

UNFINISHED = (
    "The run in {out} has not ended. Cases that it has answered so far: {count:,}. Started again "
    "as before, it goes on there."
)
SKIPPED = (
    "Files that the run in {out} skipped as foreign or still being written, so not listed: "
    "{count:,}."
)


def cases_at(path: Path, problems: list[str], missing: tuple[Missing, ...] = ()) -> list[Case]:
    """The cases of a file or folder: images, or the results of a run.

    What has the name of a missing image is read whole, so that its content can be compared.

    Raises:
        LungScanError: there is nothing that can be opened.
    """
    if engine.holds_results(path):
        results, damaged = engine.read_run(path)
        shown = [result for result in results if result.status is not CaseStatus.SKIPPED]
        problems += damaged
        if not engine.has_ended(path):
            problems.append(UNFINISHED.format(out=path.name, count=len(shown)))
        if skipped := len(results) - len(shown):
            problems.append(SKIPPED.format(out=path.name, count=skipped))
        return [finished(result, path) for result in shown]
    return [_waiting(case, path, missing) for case in engine.find_cases([path])]


def _waiting(found: CaseInput, root: Path, missing: tuple[Missing, ...]) -> Case:
    first = found.files[0]
    slices = first.parts if first.kind == "series" else ()
    digest = digest_if_wanted(first, missing)
    named = engine.found_below(root, found) if root.is_dir() else ()
    return Case(
        first.path, found.case_id, slices=slices, found=named, sha256=digest, kind=first.kind
    )


def finished(result: CaseResult, out: Path) -> Case:
    """A case of an earlier run; its image is where the run found it, or beside the results."""
    first, *others = [_found(Path(name), out) for name in result.relative_paths]
    slices = _slices_of(result, first)
    kind = result.files[0].kind if result.files else "series" if slices else None
    case = Case(first, result.case_id, tuple(others), slices=slices, kind=kind)
    case.found = tuple(
        engine.FoundFile(part, f"{folder}/{part.name}", result.case_id)
        for path, name in zip((first, *others), result.relative_paths, strict=True)
        if path is not None and (folder := name.rpartition("/")[0])
        for part in ((case.slices or (path,)) if path is first else (path,))
    )
    case.finish(answer_of(result, out))
    return case


def _slices_of(result: CaseResult, first: Path | None) -> tuple[Path, ...]:
    """The files of the series that was analysed, or is to be; of a single slice it alone."""
    series = result.files[0].info.series if result.files else None
    if first is None or (result.files and (series is None or series.slices == 1)):
        return ()
    found = engine.input_file(first)
    return found.parts if found.kind == "series" else ()


def missing_place(case: Case, path: Path | None) -> int | None:
    """Which image that was not found of an analysed case this is, by its place below a folder."""
    if case.result is None or path is None:
        return None
    for place, (at, name) in enumerate(
        zip((case.path, *case.others), case.result.relative_paths, strict=True)
    ):
        if at is None and "/" in name and path.as_posix().endswith(f"/{name}"):
            return place
    return None


def give(case: Case, place: int, found: Case) -> None:
    """Give a case the image, or all slices, that were found of it."""
    places = [case.path, *case.others]
    places[place] = found.path
    case.path, case.others = places[0], tuple(places[1:])
    if place == 0:
        case.slices = found.slices


def _found(name: Path, out: Path) -> Path | None:
    """Where an image of an earlier run lies, as its result names it."""
    near = (Path.cwd(), out.parent, *out.parent.parents[:2])
    inside = leads_below(name)  # it comes from a file
    return next((at for folder in near if inside and (at := folder / name).is_file()), None)


def leads_below(name: PurePath) -> bool:
    r"""Whether a path stays in the folder that it is joined to.

    On Windows ``\x`` and ``C:x`` are no absolute paths, but lead out of it.
    """
    return not name.anchor and ".." not in name.parts
