"""Which cluster: what ``--cluster`` and its TOML file may say."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from types import UnionType
from typing import Any

from lungscan.errors import UsageProblem
from lungscan.inputs import show

MAX_LOCAL = 256


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM form, as dask's own settings name them."""

    ca_file: Path
    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the workers are: ``address`` of a scheduler, or ``local`` processes of our own."""

    address: str = ""
    local: int = 0
    tls: Tls | None = None
    wait_s: float = 60.0  # for the first worker, seconds
    attempts: int = 2  # processes that a case may take down before it counts as failed


def parse_cluster(text: str) -> Cluster:
    """What ``--cluster`` names: ``local:4``, ``tls://host:8786`` or a TOML file.

    Raises:
        UsageProblem: it is none of them, or the file is wrong.
    """
    if found := re.fullmatch(r"local:([0-9]{1,4})", text):
        return _checked(Cluster(local=int(found[1])), "--cluster")
    if text.endswith(".toml"):
        return _from_file(Path(text))
    return _checked(Cluster(address=text), "--cluster")


def _from_file(path: Path) -> Cluster:
    name = show(path.name)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageProblem(f"{name} cannot be read ({error.strerror or error}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageProblem(f"{name} is not TOML ({error}).") from error
    wanted = {field.name for field in fields(Cluster)}
    if unknown := sorted(set(values) - wanted):
        raise UsageProblem(
            f"{name} has an unknown entry {unknown[0]!r}; it may have {', '.join(sorted(wanted))}."
        )
    tls = _tls(values.pop("tls", None), path)
    return _checked(Cluster(**values, tls=tls), name)


def _tls(values: Any, path: Path) -> Tls | None:
    """The files of ``[tls]``; a relative name is looked for beside the TOML file."""
    if values is None:
        return None
    needed = [field.name for field in fields(Tls)]
    if not isinstance(values, dict) or sorted(values) != sorted(needed):
        raise UsageProblem(f"{show(path.name)}: [tls] must have exactly {', '.join(needed)}.")
    files = {}
    for name in needed:
        file = path.parent / str(values[name])
        if not file.is_file():
            raise UsageProblem(f"{show(path.name)}: there is no file {show(str(file))} ({name}).")
        files[name] = file
    return Tls(**files)


def _checked(cluster: Cluster, where: str) -> Cluster:
    _require_number(where, "wait_s", cluster.wait_s, 0, 86_400, int | float)
    _require_number(where, "attempts", cluster.attempts, 1, 10, int)
    _require_number(where, "local", cluster.local, 0, MAX_LOCAL, int)
    if bool(cluster.address) == bool(cluster.local):
        raise UsageProblem(
            f"{where} must name a cluster: local:4 for four processes here, the address of a "
            "scheduler such as tls://host:8786, or a TOML file that holds either."
        )
    if cluster.address:
        _check_address(cluster, where)
    return cluster


def _require_number(
    where: str, name: str, value: float, low: int, high: int, kind: type | UnionType
) -> None:
    given: object = value  # of whatever type the file has
    if isinstance(given, bool) or not isinstance(given, kind) or not low <= value <= high:
        whole = "whole " if kind is int else ""
        raise UsageProblem(f"{where}: {name} must be a {whole}number from {low} to {high}.")


def _check_address(cluster: Cluster, where: str) -> None:
    if not re.fullmatch(r"(tcp|tls)://[^\s/]+:[0-9]{1,5}", str(cluster.address)):
        raise UsageProblem(
            f"{where} cannot be {show(str(cluster.address))!r}: write local:4, tls://host:8786, "
            "tcp://host:8786 in a closed network, or the name of a TOML file."
        )
    if cluster.address.startswith("tls") and cluster.tls is None:
        raise UsageProblem(
            f"{where}: a tls:// address needs a TOML file with [tls] ca_file, cert and key. See "
            "docs/scale.md."
        )
    if cluster.tls is not None and not cluster.address.startswith("tls"):
        raise UsageProblem(f"{where}: [tls] goes with an address that begins with tls://.")
