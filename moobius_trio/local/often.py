"""Log lines about what may happen very often: the first at once, the rest counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

__all__ = ("Often",)

QUIET_SECONDS: Final = 10.0
"""How long nothing more is said after a line."""


class Often:
    """One kind of event of one source.

    Args:
        say: writes the line; it is given how many there were since the last one.
    """

    def __init__(self, say: Callable[[int], None]) -> None:
        self._say = say
        self._count = 0
        self._quiet_until = float("-inf")

    def happened(self) -> None:
        """Say it now, or count it for the next line."""
        self._count += 1
        now = trio.current_time()
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET_SECONDS
            self.tell_rest()

    def tell_rest(self) -> None:
        """Say what has been counted and not been said, at the end of the source."""
        if self._count:
            count, self._count = self._count, 0
            self._say(count)
