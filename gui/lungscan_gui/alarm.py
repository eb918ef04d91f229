"""Errors that nobody expected become a message: Qt would end the program, Python print a trace."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from types import TracebackType

WORDS = (
    "LungScan met something it does not know ({kind}). Results that are filed are safe. Go on, and "
    "send the details to whoever looks after this installation."
)
Report = Callable[[str, str], None]  # the message, and details for whoever repairs it


def report_unexpected(report: Report) -> None:
    """From now on ``report`` is called with every error nothing caught, in any thread."""

    def report_error(
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None or issubclass(kind, KeyboardInterrupt | SystemExit):
            return
        details = "".join(traceback.format_exception(kind, error, trace))
        report(WORDS.format(kind=f"{kind.__name__}: {error}"), details)

    sys.excepthook = report_error
    threading.excepthook = lambda args: report_error(
        args.exc_type, args.exc_value, args.exc_traceback
    )
