"""HTTP as uvicorn speaks it, for whoever sends a whole request in reasonable time."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle


class PatientProtocol(H11Protocol):
    """Ends connections that send nothing, or a head byte by byte.

    Without it each of them would stay open, and some hundreds keep everybody out.
    """

    head_seconds = 15.0  # for the head of a request, from its first byte or from the connection
    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self.access_log = False  # an address may lead to somebody's result
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
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn says never None
        return cycle is None or cycle.response_complete

    def _wait(self) -> None:
        self._head = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _give_up(self) -> None:
        self._head = None
        if self._idle() and not self.transport.is_closing():
            self.transport.close()


def protocol(head_seconds: float) -> type[PatientProtocol]:
    """The protocol with this patience."""
    return type("Protocol", (PatientProtocol,), {"head_seconds": head_seconds})
