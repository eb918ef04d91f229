"""Figures and what they were measured on, as a table."""

from __future__ import annotations

import datetime
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    value: float
    unit: str
    goal: tuple[str, float] | None = None  # (">=" or "<=", limit)
    detail: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        sign, limit = self.goal
        return self.value >= limit if sign == ">=" else self.value <= limit


def show(facts: dict[str, str], figures: Sequence[Figure]) -> str:
    """The figures as a table (Markdown, and legible as it is) below what they were measured on."""
    rows = [("what", "measured", "goal", "met", "how")]
    for figure in figures:
        goal = "" if figure.goal is None else f"{figure.goal[0]} {figure.goal[1]:g}"
        met = {None: "", True: "yes", False: "NO"}[figure.met]
        value = f"{digits(figure.value)} {figure.unit}".rstrip()
        rows.append((figure.name, value, goal, met, figure.detail))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths) for row in rows]
    rule = "|".join(f" {'-' * width} " for width in widths)
    top = [f"{name}: {value}  " for name, value in facts.items()]
    return "\n".join([*top, "", lines[0], f"|{rule}|", *lines[1:]])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
    return f"| {' | '.join(cells)} |"


def digits(value: float) -> str:
    """Three significant digits; whole numbers from 100 up."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def facts_of(run: dict[str, Any]) -> dict[str, str]:
    """The machine, the program and the model; ``run`` is the ``run.json`` of a scan."""
    model, versions = run["model"], dict(run["versions"])
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes")
    return {
        "Date": now,
        "Machine": f"{processor()}, {cores()} cores, {platform.system()} {platform.machine()}",
        "Program": f"LungScan {run['lungscan_version']}, Python {platform.python_version()}, "
        + ", ".join(f"{name} {versions[name]}" for name in ("numpy", "pillow", "openvino")),
        "Model": f"{model['name']} {model['version']}, SHA-256 {model['sha256'][:12]}, "
        f"on {run['device']}",
    }


def processor() -> str:
    """The CPU's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or "unknown CPU"


INSTRUCTIONS = {  # the newest that a network gains by, as Linux and as people name them
    "amx_fp16": "AMX with fp16",
    "amx_bf16": "AMX with bf16",
    "avx512f": "AVX-512",
    "avx2": "AVX2",
}


def instructions() -> str:
    """What the CPU computes networks with: clouds give many kinds of it the same name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown instructions"
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return next((name for flag, name in INSTRUCTIONS.items() if flag in flags), "older than AVX2")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
