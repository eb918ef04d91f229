"""The answer of another run to the same image. No Qt."""

from __future__ import annotations

from pathlib import Path

from lungscan.errors import NothingToDo, UsageProblem
from lungscan.types import CaseResult
from lungscan_gui import engine
from lungscan_gui.cases import Case, answer_of


def same_image(case: Case, out: Path) -> Case:
    """The case of a finished run that is of this very image.

    Images are the same where their checksums are. A case that has no answer yet is known by its
    file's name.

    Raises:
        NothingToDo: the folder holds no results.
        UsageProblem: none of them is of this image.
    """
    results, damaged = engine.read_run(out)
    found = next((result for result in results if _is_of(result, case)), None)
    if found is None:
        problems = f" {' '.join(damaged)}" if damaged else ""
        if not results and damaged:
            raise NothingToDo(f"No result in {out} can be read.{problems}")
        raise UsageProblem(
            f"{out} holds no answer to this image: no case there has its checksum. Choose the "
            f"folder of a run that looked at {case.name}.{problems}"
        )
    second = case.again(f"{found.model.name} {found.model.version}")
    second.finish(answer_of(found, out))
    return second


def _is_of(result: CaseResult, case: Case) -> bool:
    if not result.files:
        return False
    if case.result is not None and case.result.files:
        mine = [file.sha256 for file in case.result.files]
        return [file.sha256 for file in result.files] == mine
    name = Path(result.relative_paths[0]).name
    return case.path is not None and case.path.name == name
