"""Is everything still as a run left it? Outputs, model and inputs are hashed again and compared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lungscan.errors import NothingToDo
from lungscan.results.lock import refuse_if_locked
from lungscan.verification.checks import AMISS, Check, State
from lungscan.verification.model_files import check_models
from lungscan.verification.originals import check_inputs
from lungscan.verification.outputs import check_outputs, holds_results

__all__ = ["AMISS", "Check", "State", "verify"]


def verify(out: Path, inputs: tuple[Path, ...] = (), model: str | None = None) -> Iterator[Check]:
    """Compare all that lies in ``out`` with its checksums, then the model, then the inputs.

    Records hold no absolute path, so inputs are looked for below ``inputs``, the paths given to
    the run, and without them not at all. ``model`` says where a model lies that is not shipped.
    Every file gives one check, in an order that does not depend on the disk. What stands in a
    record is never opened as a path.

    Raises:
        NothingToDo: no run has written to ``out``.
        OutputLocked: a run is writing to it now.
        UsageProblem: none of ``inputs`` exists.
        ModelError: there is no model ``model``.
    """
    if not holds_results(out):
        raise NothingToDo(
            f"{out} holds no results of LungScan; point to the --out folder of a run."
        )
    refuse_if_locked(out)
    cases = yield from check_outputs(out)
    yield from check_models(cases, model)
    yield from check_inputs(cases, inputs)
