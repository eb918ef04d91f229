"""Known vulnerabilities of the installed packages, as pip-audit finds them."""

from __future__ import annotations

import json
import shutil
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from attacks.base import ROOT, Bench, Line, execute

NAME = "known vulnerabilities (pip-audit)"
_SECONDS = 240.0


def attack(bench: Bench) -> list[Line]:
    """Ask pip-audit about what LungScan runs on; never 0 without having asked."""
    program = shutil.which("pip-audit")
    if program is None:
        return [Line(NAME, 0, {}, not_run="not checked: pip-audit is not installed")]
    with bench.folder("packages") as folder:
        listed = folder / "installed.txt"
        listed.write_text("\n".join(installed()) + "\n", encoding="utf-8")
        options = ["--requirement", str(listed), "--no-deps", "--disable-pip", "--format", "json"]
        done = execute([program, *options, "--progress-spinner", "off"], timeout=_SECONDS)
    return [judge(done.out)]


def judge(answer: str) -> Line:
    """The line for what pip-audit printed."""
    try:
        packages = json.loads(answer)["dependencies"]
    except (ValueError, KeyError):
        return Line(NAME, 0, {}, not_run="not checked: no database at hand")
    known = [package for package in packages if "skip_reason" not in package]
    if not known:  # it answers so when it cannot reach what it would ask
        return Line(NAME, 0, {}, not_run="not checked: no database at hand")
    found = {f"{package['name']} {hole['id']}" for package in known for hole in package["vulns"]}
    detail = ", ".join(sorted(found)) or "what LungScan runs on without extras"
    if len(known) < len(packages):
        unknown = (package["name"] for package in packages if "skip_reason" in package)
        detail += f"; unknown to the database: {', '.join(unknown)}"
    return Line(NAME, len(known), {"open": len(found)}, detail)


def installed() -> list[str]:
    """``name==version`` of what LungScan needs without extras, and of what that needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    todo, found = [Requirement(text) for text in project["dependencies"]], {}
    while todo:
        needed = todo.pop()
        if needed.name in found or (needed.marker and not needed.marker.evaluate({"extra": ""})):
            continue
        try:
            found[needed.name] = version(needed.name)
            todo += map(Requirement, requires(needed.name) or [])
        except PackageNotFoundError:
            continue  # the test of the dependencies' floors will say so
    return [f"{name}=={number}" for name, number in sorted(found.items())]
