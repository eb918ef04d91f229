"""The border where errors become one plain message and an exit code."""

from __future__ import annotations

import errno
import io
import os
import shutil
import sys
import textwrap
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import click

from lungscan.errors import Code, LungScanError

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


@dataclass
class Wanted:
    """What a command was asked to print besides text for people; Click's context hands it on."""

    json: bool = False


def guarded(command: Callable[[], int | None], wanted: Wanted | None = None) -> int:
    """Run ``command`` and return the exit code; no traceback unless LUNGSCAN_DEBUG is set.

    An error is one plain message, and a JSON object, too, where that is ``wanted``.
    """
    wanted = wanted or Wanted()
    try:
        return command() or OK
    except click.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        click.echo(_between_words(shown.getvalue()), err=True, nl=False)
        _answer(wanted, Code.USAGE, error.format_message(), error.exit_code)
        return error.exit_code
    except Exception as error:  # noqa: BLE001  the last line: users never meet a traceback
        if os.environ.get("LUNGSCAN_DEBUG", "") not in {"", "0"}:
            traceback.print_exc(file=sys.stderr)
        message, exit_code = explain(error)
        click.echo(_between_words(f"Error: {message}\n"), err=True, nl=False)
        _answer(wanted, _code_of(error, exit_code), message, exit_code)
        return exit_code


def _between_words(text: str) -> str:
    """The text in lines that fit the terminal, which would break them within words."""
    if not sys.stderr.isatty():
        return text
    width = shutil.get_terminal_size().columns
    fill = partial(textwrap.fill, width=width, break_long_words=False, break_on_hyphens=False)
    return "".join(f"{fill(line)}\n" for line in text.splitlines())


def _answer(wanted: Wanted, code: str, message: str, exit_code: int) -> None:
    """Say an error to a program that reads stdout."""
    if wanted.json:
        from lungscan_cli.console import write_json

        with suppress(OSError):  # nobody reads it any more
            write_json({"error": {"code": code, "message": message}, "exit_code": exit_code})


def _code_of(error: Exception, exit_code: int) -> Code:
    if isinstance(error, LungScanError):
        return error.code
    return Code.MACHINE if exit_code == MACHINE else Code.UNEXPECTED


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
