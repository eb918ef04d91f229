"""``cases.csv``: one row per case, failures included."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from lungscan.results.csv_table import number_cell, text_cell, write_csv
from lungscan.types import CaseResult, Prediction

T = TypeVar("T", bound=Hashable)

_BEFORE_PROBS = ("case_id", "relative_path", "status", "label", "confidence")
_BEFORE_AREAS = ("tiles", "tiles_used", "tissue_mm2")
_AFTER_AREAS = (
    *("flags", "mpp_um", "mpp_source", "width", "height", "sha256", "model", "model_sha256"),
    *("settings_hash", "device", "seconds", "error_code", "error_message"),
    *("lungscan_version", "schema_version"),
)


def columns(class_names: Sequence[str]) -> tuple[str, ...]:
    """The header. Columns never change their meaning; new ones are added at the end."""
    probs = tuple(f"prob_{name}" for name in class_names)
    areas = tuple(f"area_mm2_{name}" for name in class_names)
    return _BEFORE_PROBS + probs + _BEFORE_AREAS + areas + _AFTER_AREAS


def write_cases_csv(path: Path, results: Iterable[CaseResult], class_names: Sequence[str]) -> None:
    """Write the table, streaming. ``class_names`` are the model's and set the class columns.

    Raises MachineError when the file cannot be written.
    """
    header = columns(class_names)
    write_csv(path, header, (_cells(case_row(result), header) for result in results))


def case_row(result: CaseResult) -> dict[str, str]:
    """The cells of one case by column, in the order of the columns.

    A case of several files has one value per cell: ``mpp_um``, ``width`` and the like are empty
    when the files differ; paths and hashes are joined with "; ". For a case without a result,
    ``error_code`` and ``error_message`` carry the reason.
    """
    model, prediction, names = result.model, result.prediction, result.model.class_names
    row = {
        "case_id": text_cell(result.case_id),
        "relative_path": text_cell("; ".join(result.relative_paths)),
        "status": result.status.value,
        "label": text_cell(prediction.label or "") if prediction else "",
        "confidence": number_cell(prediction.confidence if prediction else None, 6),
    }
    probs = prediction.probs if prediction and prediction.probs else (None,) * len(names)
    row |= {f"prob_{name}": number_cell(p, 6) for name, p in zip(names, probs, strict=True)}
    row |= {
        "tiles": str(result.counts.total),
        "tiles_used": str(result.counts.used),
        "tissue_mm2": number_cell(result.tissue_mm2, 4),
    }
    areas = prediction.area_mm2 if prediction and prediction.area_mm2 else (None,) * len(names)
    row |= {f"area_mm2_{name}": number_cell(a, 4) for name, a in zip(names, areas, strict=True)}
    row |= _file_cells(result)
    code, message = _error(result)
    return row | {
        "model": text_cell(model.name),
        "model_sha256": model.sha256,
        "settings_hash": text_cell(result.settings_hash),
        "device": text_cell(result.device),
        "seconds": number_cell(result.seconds, 3),
        "error_code": text_cell(code),
        "error_message": text_cell(message),
        "lungscan_version": text_cell(result.lungscan_version),
        "schema_version": str(result.schema_version),
    }


def _cells(row: dict[str, str], header: Sequence[str]) -> list[str]:
    """A case of another class set (an earlier model) leaves the class columns it lacks empty."""
    return [row.get(column, "") for column in header]


def _file_cells(result: CaseResult) -> dict[str, str]:
    infos = [file.info for file in result.files]
    source = _common([info.scale.source for info in infos])
    return {
        "flags": text_cell("; ".join(all_flags(result))),
        "mpp_um": number_cell(_common([info.scale.mpp_um for info in infos]), 4),
        "mpp_source": source.value if source else "",
        "width": str(_common([info.width for info in infos]) or ""),
        "height": str(_common([info.height for info in infos]) or ""),
        "sha256": text_cell("; ".join(file.sha256 for file in result.files)),
    }


def all_flags(result: CaseResult) -> tuple[str, ...]:
    """The case's flags; a reason that did not withhold the label (``--abstain flag``) is one."""
    reason = result.prediction.reason if result.prediction else None
    if reason is None or reason.value in result.flags:
        return result.flags
    return (*result.flags, reason.value)


def _error(result: CaseResult) -> tuple[str, str]:
    prediction: Prediction | None = result.prediction
    if prediction is None or prediction.label is not None:
        return result.error_code, result.error_message
    if result.error_code or result.error_message:  # of a case that was read in part
        return result.error_code, " ".join((result.error_message, prediction.reason_text)).strip()
    return prediction.reason.value if prediction.reason else "", prediction.reason_text


def _common(values: Sequence[T]) -> T | None:
    return values[0] if len(set(values)) == 1 else None
