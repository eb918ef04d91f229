"""Refusals in words, and the statuses they go with."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from lungscan.errors import LungScanError, MachineError
from lungscan_web.jobs.limits import BadArchive, NotHere, Refused, TooLarge, TooMany

RETRY_S = "30"


class Denied(Refused):
    """A refusal with a status of its own."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind = status, kind


def refusal(status: int, code: str, message: str) -> Response:
    """As every refusal of the API looks."""
    return JSONResponse({"error": {"code": code, "message": message}}, status)


def error_reply(error: LungScanError) -> Response:
    """The answer to a request that ended in an error."""
    kind = error.kind if isinstance(error, Refused) else error.code.value
    answer = refusal(status_of(error), kind, str(error))
    if isinstance(error, TooMany):
        answer.headers["retry-after"] = RETRY_S
    return answer


def status_of(error: LungScanError) -> int:
    """The HTTP status that fits an error."""
    if isinstance(error, Denied):
        return error.status
    kinds = (
        (NotHere, 404),
        (TooLarge, 413),
        (TooMany, 429),
        (BadArchive, 422),
        (Refused, 400),
        (MachineError, 507),
    )
    return next((status for kind, status in kinds if isinstance(error, kind)), 422)
