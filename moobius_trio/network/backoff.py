"""How long to wait before the next connection attempt. Pure but for the random source."""

from __future__ import annotations

import math
import random
from typing import Final

__all__ = ("Backoff",)

FIRST_CEILING: Final = 0.5
LAST_CEILING: Final = 60.0
LONG_SESSION: Final = 10.0
"""A session of so many seconds counts as a success: the waits begin anew."""
ANEW_SECONDS: Final = 60.0
"""But not more than once in so many seconds: a platform in trouble may cut again and again."""


class Backoff:
    """Full jitter: a random part of a ceiling that doubles from 0.5 s to 60 s.

    (docs/architecture.md section 5.) A short session does not reset it, or a platform that cuts
    each connection at once would be stormed.
    """

    def __init__(self, random: random.Random) -> None:
        self._random = random
        self._ceiling = FIRST_CEILING
        self._began_anew = -math.inf

    def next_delay(
        self, now: float, session_seconds: float, asked_for: float | None = None
    ) -> float:
        """Seconds to wait after a session of this length (0: there was none).

        ``asked_for``: what the platform asked to wait; at least that, up to a minute.
        """
        if session_seconds >= LONG_SESSION and now >= self._began_anew + ANEW_SECONDS:
            self.begin_anew(now)
        delay = self._random.uniform(0, self._ceiling)
        self._ceiling = min(LAST_CEILING, self._ceiling * 2)
        return max(delay, min(asked_for or 0.0, LAST_CEILING))

    def begin_anew(self, now: float) -> None:
        """Forget earlier failures."""
        self._ceiling = FIRST_CEILING
        self._began_anew = now
