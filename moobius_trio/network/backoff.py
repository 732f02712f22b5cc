"""How long to wait before the next connection attempt. Pure but for the random source."""

from __future__ import annotations

import random
from typing import Final

__all__ = ("Backoff",)

FIRST_CEILING: Final = 0.5
LAST_CEILING: Final = 60.0
LONG_SESSION: Final = 10.0
"""A session of so many seconds counts as a success: the waits begin anew."""


class Backoff:
    """Full jitter: a random part of a ceiling that doubles from 0.5 s to 60 s.

    (docs/architecture.md section 5.) A short session does not reset it, or a platform that cuts
    each connection at once would be stormed.
    """

    def __init__(self, random: random.Random) -> None:
        self._random = random
        self._ceiling = FIRST_CEILING

    def next_delay(self, session_seconds: float, asked_for: float | None = None) -> float:
        """Seconds to wait after a session of this length (0: there was none).

        ``asked_for``: what the platform asked to wait; at least that, up to a minute.
        """
        if session_seconds >= LONG_SESSION:
            self._ceiling = FIRST_CEILING
        delay = self._random.uniform(0, self._ceiling)
        self._ceiling = min(LAST_CEILING, self._ceiling * 2)
        return max(delay, min(asked_for or 0.0, LAST_CEILING))
