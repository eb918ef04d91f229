"""The process that holds a lock: how it is written down, and whether it still lives."""

from __future__ import annotations

import json
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from lungscan.inputs import show
from lungscan.results import windows_process
from lungscan.results.provenance import utc_now


@dataclass(frozen=True)
class Owner:
    """The process that holds a lock. What a system cannot tell is ""."""

    pid: int
    host: str
    started_utc: str = ""  # when the run began
    boot: str = ""  # which start of the machine
    namespace: str = ""  # in which the number counts: a container has its own
    born: str = ""  # when the process began, in ticks since the boot
    lease_s: float = 0.0  # how long the lock holds without a sign of life; 0: for ever
    token: str = ""  # no two locks say the same

    @property
    def text(self) -> str:
        """The owner in words: ``process 12 on ward-3, begun 2026-01-31T10:00:00+00:00``."""
        begun = f", begun {show(self.started_utc)}" if self.started_utc else ""
        return f"process {self.pid} on {show(self.host)}{begun}"


def this_process(lease_s: float = 0.0) -> Owner:
    """The owner that this process is, of a lock with a token of its own."""
    pid = os.getpid()
    host, token = socket.gethostname(), secrets.token_hex(8)
    return Owner(pid, host, utc_now(), boot_id(), pid_namespace(), _born(pid), lease_s, token)


def owner_of(path: Path) -> Owner | None:
    """Who holds the lock; None when it does not say."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        names = ("host", "started_utc", "boot", "namespace", "born")
        texts = {name: str(values.get(name, ""))[:80] for name in names}
        return Owner(int(values["pid"]), lease_s=float(values.get("lease_s", 0)), **texts)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def is_gone(owner: Owner) -> bool:
    """Whether a process of this machine, and of this container, is known to have ended."""
    if os.name == "nt":
        return windows_process.is_gone(owner.pid)
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it lives and belongs to somebody else
    except (OSError, OverflowError):
        return False  # no number of a process at all
    born = _born(owner.pid)
    return bool(born and owner.born) and born != owner.born  # its number went to another process


# What Linux tells of processes; elsewhere "" ------------------------------------------------------


def boot_id() -> str:
    """The boot id: another number after each start of the machine."""
    return text_of(Path("/proc/sys/kernel/random/boot_id"))


def pid_namespace() -> str:
    """In which this process is numbered; "" where the system does not say."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _born(pid: int) -> str:
    # The name in the second field may itself hold spaces and brackets; field 22 is the 20th after.
    fields = text_of(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else ""


def text_of(path: Path) -> str:
    """What a small file says, without blanks around it; "" when it cannot be read."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
