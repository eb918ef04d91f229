"""The password file: a line ``name:scrypt$n$r$p$salt$hash`` for each who may use the page.

Only hashes are stored, each with a salt of its own (scrypt, RFC 7914). Whoever may write to the
file decides who gets in, so it must belong to its owner alone.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
import threading
from base64 import b64decode, b64encode
from pathlib import Path

from lungscan.errors import UsageProblem
from lungscan.results.atomic_files import write_atomic

N, R, P = 1 << 15, 8, 1  # 32 MB and some 0.1 s for each guess
_HASH_BYTES, _SALT_BYTES = 32, 16
_MAX_MEMORY = 128 * N * R * 2
SHORTEST, LONGEST = 8, 200  # characters of a password
_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_LINE = re.compile(r"([^:]+):scrypt\$(\d+)\$(\d+)\$(\d+)\$([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+)")
_MAX_FILE_BYTES = 1 << 20


class Passwords:
    """The names and hashes of one file. May be used by several threads."""

    def __init__(self, path: Path) -> None:
        """Read them.

        Raises:
            UsageProblem: the file is missing, damaged, empty, or open to others.
        """
        self._hashes = _read(path)
        if not self._hashes:
            raise UsageProblem(
                f"{path} names nobody. Add somebody with `lungscan web --auth {path} "
                "--add-user NAME`."
            )
        self._nobody = make_hash(secrets.token_hex(8))
        self._one_at_a_time = threading.Lock()  # so that guesses cannot take all memory

    def accept(self, name: str, password: str) -> bool:
        """Whether this is the name's password; takes as long for a name that is not there."""
        stored = self._hashes.get(name, self._nobody)
        with self._one_at_a_time:
            right = _matches(stored, password[: LONGEST + 1])
        return right and name in self._hashes and len(password) <= LONGEST


def add_user(path: Path, name: str, password: str) -> None:
    """Write a name's hash to the file, which is made when it is missing; an earlier one goes.

    Raises:
        UsageProblem: a name or password that is not taken, or a file that is no password file.
        MachineError: the file cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise UsageProblem("A name may have up to 64 letters, digits and the signs . _ @ -")
    if not SHORTEST <= len(password) <= LONGEST:
        raise UsageProblem(f"A password needs {SHORTEST} to {LONGEST} characters.")
    hashes = _read(path) if path.exists() else {}
    hashes[name] = make_hash(password)
    text = "".join(f"{known}:{value}\n" for known, value in sorted(hashes.items()))
    earlier = os.umask(0o077)
    try:
        write_atomic(path, text.encode("ascii"))
    finally:
        os.umask(earlier)


def make_hash(password: str) -> str:
    """A password as the file stores it."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = _scrypt(password, salt, N, R, P)
    return f"scrypt${N}${R}${P}${b64encode(salt).decode()}${b64encode(digest).decode()}"


def _matches(stored: str, password: str) -> bool:
    _, n, r, p, salt, digest = stored.split("$")
    found = _scrypt(password, b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(found, b64decode(digest))


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=salt, n=n, r=r, p=p, maxmem=_MAX_MEMORY, dklen=_HASH_BYTES,
    )  # fmt: skip


def _read(path: Path) -> dict[str, str]:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_FILE_BYTES:
            raise UsageProblem(f"{path} is no password file.")
        if os.name != "nt" and status.st_mode & 0o077:
            raise UsageProblem(
                f"Others may read or write {path}. Run `chmod 600 {path}`, so that only you may."
            )
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise UsageProblem(
            f"The password file {path} cannot be read ({why}). Make one with `lungscan web "
            f"--auth {path} --add-user NAME`."
        ) from error
    found = {}
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#"):
            name, value = _parsed(line, path, number)
            found[name] = value
    return found


def _parsed(line: str, path: Path, number: int) -> tuple[str, str]:
    match = _LINE.fullmatch(line.strip())
    fits = match and _NAME.fullmatch(match[1])
    if not match or not fits or tuple(map(int, match.group(2, 3, 4))) != (N, R, P):
        raise UsageProblem(
            f"Line {number} of {path} is no `name:hash` that LungScan made. Remove it, and add the "
            f"person again with `lungscan web --auth {path} --add-user NAME`."
        )
    return match[1], line.strip().partition(":")[2]
