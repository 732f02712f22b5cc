"""The frames that went through the platform lately, joined with what the service's trace tells.

What a frame is, and for whom, the sessions say (``scribe``); here it is kept, joined and handed to
those who look. A frame and its trace may come in either order. As long as nobody looks, a frame
costs a few references: texts are made and masked when they are told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import attrs

from moobius_trio.codec.generation0 import encode_for_service, name_of_frame
from moobius_trio.codec.masking import without_secrets
from moobius_trio.local.causes import Causes, Traced, UpEvent
from moobius_trio.local.credentials import without_tokens
from moobius_trio.local.inspected import LONGEST, Direction, Handled, Inspected, News
from moobius_trio.local.viewing import Listener, Viewing

__all__ = ("BEGINNING", "KEPT", "LINK_KEPT", "Inspector", "Seen")

KEPT: Final = 500
"""Frames that are kept, besides those of the link."""

LINK_KEPT: Final = 100
"""Logins, heartbeats and receipts that are kept, so that they do not displace the rest."""

ROOM: Final = 2_000_000
"""Characters of all kept frames; with larger ones fewer are kept."""

EARLY: Final = 1_000
"""Records of the trace that wait for their frame."""

BEGINNING: Final = LONGEST + 100
"""Characters of a text that are looked at: a token that ends beyond `LONGEST` is masked too."""

_RECIPIENT: Final = 100
"""Characters that one recipient counts for."""


@attrs.define(eq=False)
class Seen:
    """A frame as it was noted, and what the trace told of it since."""

    direction: Direction
    type_: str
    subtype: str
    band: str
    from_: str
    to: tuple[str, ...]
    text: str = attrs.field(repr=False)
    """As the platform read or wrote it, `BEGINNING` characters at least."""
    size: int
    refused: str = ""
    event: UpEvent | None = attrs.field(default=None, repr=False)
    """What the service is told of it; then this is shown, and not ``text``."""
    request_id: str = ""
    """By which the trace names it; empty for all but a service's frames."""
    link: bool = False
    n: int = 0
    at: int = 0
    cause: int | None = None
    handler: str = ""
    milliseconds: float | None = None
    records: int | None = None
    error: str = ""

    @property
    def weight(self) -> int:
        return len(self.text) + _RECIPIENT * len(self.to)


class Inspector:
    """Everything that can be told of frames. It never waits, and nothing here fails for want of
    room: the oldest goes.

    Args:
        now: milliseconds since 1970.
        nickname: of a user; None: nobody has this id.
    """

    def __init__(self, now: Callable[[], int], nickname: Callable[[str], str | None]) -> None:
        self._now = now
        self._nickname = nickname
        self._last = 0
        self._kept: dict[int, Seen] = {}
        self._link: dict[int, Seen] = {}
        self._weight = 0
        self._by_request: dict[str, Seen] = {}
        self._early: dict[str, Handled] = {}
        self._causes = Causes()
        self._viewings: dict[Viewing | Listener, None] = {}

    @property
    def kept(self) -> tuple[Inspected, ...]:
        """The last frames, oldest first: `KEPT`, and `LINK_KEPT` of the link; fewer if they are
        large."""
        seen = sorted((*self._kept.values(), *self._link.values()), key=lambda each: each.n)
        return tuple(self._told(each) for each in seen)

    @contextmanager
    def subscribe(self, room: int = KEPT) -> Iterator[Viewing]:
        """News from now on, as a channel to be read within the block by one task.

        Args:
            room: how many may wait. A reader slower than that loses the oldest, and is told by a
                `Missed` where they were.
        """
        viewing = Viewing(room)
        self._viewings[viewing] = None
        try:
            yield viewing
        finally:
            del self._viewings[viewing]
            viewing.close()

    @contextmanager
    def listen(self, tell: Callable[[News], None]) -> Iterator[None]:
        """Within the block, call ``tell`` with each of the news at once; it must neither wait nor
        fail."""
        listener = Listener(tell)
        self._viewings[listener] = None
        try:
            yield
        finally:
            del self._viewings[listener]

    def note(self, seen: Seen) -> None:
        """A frame went through the platform, or came to it."""
        self._last += 1
        seen.n, seen.at = self._last, self._now()
        if seen.event is not None:
            self._causes.came(seen.n, seen.at, seen.event)
        if seen.request_id:
            if self._early and (early := self._early.pop(seen.request_id, None)) is not None:
                _update(seen, early)
            self._by_request[seen.request_id] = seen
        self._keep(seen)
        if self._viewings:
            told = self._told(seen)
            for viewing in self._viewings:
                viewing.put(told)

    def trace(self, record: Traced) -> None:
        """What the service's trace tells: a frame that it wrote, or a unit of work that has ended
        (``TraceRecord`` and ``UnitRecord``; docs/architecture.md section 4)."""
        cause = self._causes.of(record, self._now())
        text = getattr(record, "frame", None)
        news = Handled(
            n=0,
            cause=None if text is None else cause,
            handler=record.handler,
            milliseconds=record.milliseconds,
            records=record.records,
            error=without_tokens(getattr(record, "error", "")),
        )
        if text is None:
            if cause is not None:
                self._tell(attrs.evolve(news, n=cause), self._kept.get(cause))
        elif record.unit is not None:  # what the SDK sends by itself was caused by nobody
            request_id, _ = name_of_frame(text)
            if (seen := self._by_request.get(request_id)) is not None:
                self._tell(attrs.evolve(news, n=seen.n), seen)
            elif request_id:
                self._early[request_id] = news
                if len(self._early) > EARLY:
                    del self._early[next(iter(self._early))]

    def service_began(self) -> None:
        """The traced service begins anew, in a process whose trace counts from one."""
        self._causes.forget()

    def _keep(self, seen: Seen) -> None:
        if seen.link:
            self._link[seen.n] = seen
            if len(self._link) > LINK_KEPT:
                self._drop_oldest(self._link)
            return
        self._kept[seen.n] = seen
        self._weight += seen.weight
        while len(self._kept) > KEPT or (self._weight > ROOM and len(self._kept) > 1):
            self._weight -= self._drop_oldest(self._kept).weight

    def _drop_oldest(self, kept: dict[int, Seen]) -> Seen:
        oldest = kept.pop(next(iter(kept)))
        if self._by_request.get(oldest.request_id) is oldest:
            del self._by_request[oldest.request_id]
        return oldest

    def _tell(self, news: Handled, seen: Seen | None) -> None:
        if seen is not None:
            _update(seen, news)
        for viewing in self._viewings:
            viewing.put(news)

    def _told(self, seen: Seen) -> Inspected:
        text, size = seen.text, seen.size
        if seen.event is not None:
            text = encode_for_service(seen.event)
            size = len(text.encode("utf-8", "surrogatepass"))
        names = {each: self._nickname(each) for each in (seen.from_, *seen.to)}
        return Inspected(
            n=seen.n,
            at=seen.at,
            direction=seen.direction,
            type_=seen.type_,
            subtype=seen.subtype,
            band=seen.band,
            from_=seen.from_,
            to=seen.to,
            names={each: name for each, name in names.items() if name is not None},
            cause=seen.cause,
            handler=seen.handler,
            milliseconds=seen.milliseconds,
            records=seen.records,
            error=seen.error,
            refused=seen.refused,
            size=size,
            frame=without_tokens(without_secrets(text[:BEGINNING]))[:LONGEST],
        )


def _update(seen: Seen, news: Handled) -> None:
    seen.cause = news.cause
    seen.handler = news.handler
    seen.milliseconds = news.milliseconds
    seen.records = news.records
    seen.error = news.error
