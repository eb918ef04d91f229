"""HTTP as uvicorn speaks it, for whoever sends a whole request in reasonable time."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_S = 15.0  # for the head of a request, from its first byte or from the connection


class PatientProtocol(H11Protocol):
    """Ends connections that send nothing, or a head byte by byte.

    Without it each of them would stay open, and some hundreds keep everybody out.
    """

    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take some bytes; wait for the rest of a head, but not for ever."""
        super().data_received(data)
        if self._head is None and self._idle():
            self._wait()
        elif not self._idle():
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for the next request only as uvicorn does, until its first byte."""
        self._stop_waiting()
        super().on_response_complete()

    def _idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _wait(self) -> None:
        self._head = self.loop.call_later(HEADER_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _give_up(self) -> None:
        self._head = None
        if self._idle() and not self.transport.is_closing():
            self.transport.close()
