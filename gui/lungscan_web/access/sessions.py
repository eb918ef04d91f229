"""Sessions: who a request is from, by a random token in a cookie.

A token comes from here alone: one that a browser brings and we do not know is never taken over, and
logging in draws a new one, so that nobody can be given a session that somebody else holds too.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

IDLE_S = 8 * 3_600.0  # a session that is not used for so long ends
OLDEST_S = 24 * 3_600.0  # after so long one has to log in again
MOST = 5_000  # sessions; the one not used for longest goes
TOKEN_BYTES = 32


@dataclass(slots=True, eq=False)
class Session:
    """One visitor's browser."""

    token: str
    visitor: str  # owns jobs; survives logging in
    csrf: str  # must come with whatever changes anything
    made: float
    used: float
    user: str = ""  # who logged in


class Sessions:
    """All sessions, in memory alone. May be used by several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()  # least used first
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._sessions)

    def find(self, token: str) -> Session | None:
        """The session of a token, if it still lives."""
        with self._lock:
            session = self._sessions.get(token)
            if session is None:
                return None
            now = self._clock()
            if now - session.used > IDLE_S or now - session.made > OLDEST_S:
                del self._sessions[token]
                return None
            session.used = now
            self._sessions.move_to_end(token)
            return session

    def new(self, user: str = "") -> Session:
        """A fresh session; the least used one goes when there are too many."""
        now = self._clock()
        session = Session(_draw(), _draw(), _draw(), made=now, used=now, user=user)
        with self._lock:
            self._sessions[session.token] = session
            while len(self._sessions) > MOST:
                anonymous = (t for t, each in self._sessions.items() if not each.user)
                del self._sessions[next(anonymous, next(iter(self._sessions)))]
        return session

    def log_in(self, earlier: Session, user: str) -> Session:
        """The session of who has just logged in, with a token that nobody has seen before."""
        self.end(earlier)
        return self.new(user)

    def end(self, session: Session) -> None:
        """Forget a session."""
        with self._lock:
            self._sessions.pop(session.token, None)


def _draw() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def csrf_fits(session: Session, given: str) -> bool:
    """Whether a request bears its session's own token."""
    return hmac.compare_digest(session.csrf.encode(), given.encode("utf-8", "replace"))
