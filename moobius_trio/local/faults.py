"""What the knobs make go wrong: counting, and deciding whose turn it is.

Nothing is sent or closed here; ``sessions``, ``receipts`` and ``http_faults`` ask and do it.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterator
from typing import Final

from moobius_trio.local.garbage import GARBAGE
from moobius_trio.local.knobs import HttpFault, Knobs
from moobius_trio.local.state import State
from moobius_trio.types import RequestId, ServiceId

__all__ = ("Faults",)

LATE_SECONDS: Final = 0.5
"""How late an event comes that comes out of order."""

_REMEMBERED: Final = 10_000
_RECENT: Final = 100


class Faults:
    """The counters behind "every n-th", for the whole platform."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._recent: dict[ServiceId, deque[str]] = {}
        self.restart()

    def restart(self) -> None:
        """Count from now, as the knobs have been replaced."""
        self._counts: Counter[str] = Counter()
        self._refused: dict[RequestId, None] = {}
        # Its own, so that it takes nothing from the ids that a seed gives.
        self._random = random.Random(0)  # noqa: S311

    @property
    def _knobs(self) -> Knobs:
        return self._state.knobs

    def _turn(self, what: str, every: int | None) -> bool:
        """Count one; true for each so manieth."""
        if every is None:
            return False
        self._counts[what] += 1
        return self._counts[what] % every == 0

    def refuses_login(self) -> bool:
        """Whether this login of a service is one of those to be refused."""
        knobs = self._knobs
        if knobs.refuse_login_from is None:
            return False
        self._counts["login"] += 1
        above = self._counts["login"] - knobs.refuse_login_from
        return above >= 0 and (knobs.refuse_login_count is None or above < knobs.refuse_login_count)

    def refuses(self, request_id: RequestId) -> bool:
        """Whether this message or update is one of those to be refused."""
        if request_id in self._refused:
            return self._knobs.refuse_again
        if not self._turn("command", self._knobs.refuse_every):
            return False
        self._refused[request_id] = None
        if len(self._refused) > _REMEMBERED:
            del self._refused[next(iter(self._refused))]
        return True

    def loses_copy(self) -> bool:
        """Whether this receipt is one of those that never come."""
        return self._turn("copy", self._knobs.copies_lost_every)

    def cuts(self) -> bool:
        """Whether the services' connections are cut behind this message or update."""
        return self._turn("cut", self._knobs.cut_every)

    def delay(self) -> float:
        """After how many seconds this frame takes effect."""
        return self._random.uniform(0, self._knobs.order_seconds)

    def events(self, service_id: ServiceId, text: str) -> list[tuple[float, str | bytes]]:
        """What a service gets for one event, each with the seconds after which it gets it."""
        knobs = self._knobs
        found: list[tuple[float, str | bytes]] = []
        if knobs.garbage and self._turn("garbage", knobs.garbage_every):
            number = self._counts["garbage"] // knobs.garbage_every - 1
            found.append((0.0, GARBAGE[knobs.garbage[number % len(knobs.garbage)]]))
        seconds = LATE_SECONDS if self._turn("reorder", knobs.reorder_every) else 0.0
        times = 2 if self._turn("duplicate", knobs.duplicate_every) else 1
        found.extend([(seconds, text)] * times)
        if knobs.duplicate_after_login:
            self._recent.setdefault(service_id, deque(maxlen=_RECENT)).append(text)
        return found

    def events_again(self, service_id: ServiceId) -> Iterator[str]:
        """The events that come once more behind a login, oldest first."""
        count = self._knobs.duplicate_after_login
        recent = list(self._recent.get(service_id, ()))
        return iter(recent[-count:] if count else ())

    def http(self, path: str) -> HttpFault:
        """What this call of the protocol gets instead of its answer."""
        knobs = self._knobs
        if knobs.http_fault == "none" or not path.startswith(knobs.http_fault_path):
            return "none"
        return knobs.http_fault if self._turn("http", knobs.http_fault_every) else "none"
