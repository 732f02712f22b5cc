"""How often a service may log in, whatever the platform answers: no storm of logins.

Counting and times only: no socket, no waiting (docs/architecture.md section 5).
"""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ("TRIES", "LoginLimit")

TRIES: Final = 3
"""Attempts before the first login. After it a restarting platform may answer anything."""
REFUSALS_A_MINUTE: Final = 3
REFUSAL_WAITS: Final = tuple(60.0 * minutes for minutes in (1, 2, 4, 8, 15, 15, 15))
"""Before the fourth and later logins in a row, when the service had been logged in before."""

SHORT_SECONDS: Final = 10.0
"""A platform that closes a connection so soon after its login seems not to want it."""
SHORT_IN_A_ROW: Final = 3
LEAVING: Final = frozenset({1001, 1012, 1013})
LEAVING_IN_A_ROW: Final = 10
"""Codes that say that the platform itself goes away or restarts are given more time."""
CLOSED_WAITS: Final = (300.0, 600.0)
"""After the third such close in a row, and after each further one: two instances of a service
that push each other out come to rest with nine logins an hour."""
ABOUT_A_FRAME: Final = frozenset({1007, 1009})
"""Close codes that speak of one frame, not of the login."""


class LoginLimit:
    """Counts refused logins, and connections that were closed right behind theirs.

    Attributes:
        refused: logins refused since the start.
        in_a_row: those since the last good one.
    """

    def __init__(self) -> None:
        self.refused = 0
        self.in_a_row = 0
        self._refused_at: deque[float] = deque(maxlen=REFUSALS_A_MINUTE)
        self._closed_in_a_row = 0

    def note_login(self) -> None:
        """A login was good."""
        self.in_a_row = 0

    def note_refusal(self, now: float) -> None:
        """A login was refused."""
        self.refused += 1
        self.in_a_row += 1
        self._refused_at.append(now)

    def wait_after_refusal(self, was_logged_in: bool) -> float | None:
        """Seconds before the next login; None when there is to be none."""
        late = self.in_a_row - TRIES
        if late < 0:
            return 0.0
        if not was_logged_in or late >= len(REFUSAL_WAITS):
            return None
        return REFUSAL_WAITS[late]

    def wait_after_end(self, session_seconds: float, code: int | None) -> float:
        """Seconds that the end of a logged-in connection asks for: 0 unless it is one too many.

        ``code``: of its close frame; None when there was none, which is the network's doing.
        """
        if session_seconds >= SHORT_SECONDS:
            self._closed_in_a_row = 0
        elif code is not None and code not in ABOUT_A_FRAME:
            self._closed_in_a_row += 1
            allowed = LEAVING_IN_A_ROW if code in LEAVING else SHORT_IN_A_ROW
            late = self._closed_in_a_row - allowed
            if late >= 0:
                return CLOSED_WAITS[min(late, len(CLOSED_WAITS) - 1)]
        return 0.0

    def allowed_in(self, now: float) -> float:
        """Seconds until one more refusal would not be the fourth within a minute."""
        if len(self._refused_at) < REFUSALS_A_MINUTE:
            return 0.0
        return max(0.0, self._refused_at[0] + 60.0 - now)
