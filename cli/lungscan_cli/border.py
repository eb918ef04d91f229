"""The border where errors become one plain message and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable

import click

from lungscan.errors import LungScanError

OK = 0
SOME_FAILED = 1
MACHINE = 5
UNEXPECTED = 70  # EX_SOFTWARE in sysexits.h
INTERRUPTED = 130  # 128 + SIGINT

OUT_OF_MEMORY = (
    "This machine ran out of memory. Try a smaller --batch-size, or close other programs."
)
UNEXPECTED_TEXT = (
    "LungScan met something it does not know ({kind}). Cases already finished are safe.\n"
    "Please report it to the maintainers with what `lungscan doctor` prints and the text of a "
    "second run with LUNGSCAN_DEBUG=1."
)
MACHINE_ERRNOS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EMFILE}
)


def guarded(command: Callable[[], int | None]) -> int:
    """Run ``command`` and return the exit code; no traceback unless LUNGSCAN_DEBUG is set."""
    try:
        return command() or OK
    except click.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except Exception as error:  # noqa: BLE001  the last line: users never meet a traceback
        if os.environ.get("LUNGSCAN_DEBUG", "") not in {"", "0"}:
            traceback.print_exc(file=sys.stderr)
        message, exit_code = explain(error)
        click.echo(f"Error: {message}", err=True)
        return exit_code


def explain(error: Exception) -> tuple[str, int]:
    """Return what to tell a person about ``error``, and the exit code."""
    match error:
        case LungScanError():
            return str(error), error.exit_code
        case MemoryError():
            return OUT_OF_MEMORY, MACHINE
        case OSError(errno=number) if number in MACHINE_ERRNOS:
            return f"{error.strerror}: {error.filename or 'while writing'}.", MACHINE
        case _:
            kind = f"{type(error).__name__}: {error}".strip(": ")
            return UNEXPECTED_TEXT.format(kind=kind), UNEXPECTED
