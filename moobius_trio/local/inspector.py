"""The frames that went through the platform lately, joined with what the service's trace tells.

What a frame is, and for whom, ``scribe`` says; here it is kept, joined and handed to those who
look. A frame and its trace may come in either order. As long as nobody looks, a frame costs a few
references: it is described, and its text masked, when it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import attrs

from moobius_trio.codec.generation0 import name_of_frame
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

_NOTHING_LATER: Final = Handled(
    n=0, cause=None, handler="", milliseconds=None, records=None, error=""
)


@attrs.frozen(kw_only=True)
class Seen:
    """What there is to say of a frame itself."""

    direction: Direction
    type_: str
    subtype: str = ""
    band: str = ""
    from_: str
    to: tuple[str, ...] = ()
    refused: str = ""
    text: str = attrs.field(repr=False)
    """As it is on the wire, `BEGINNING` characters at least."""
    size: int
    """Bytes of the whole text."""
    plain: Callable[[], str] = lambda: ""
    """Gives the same in generation 0, as tapes have it; an empty text where it is that."""


@attrs.define(eq=False)
class _Kept:
    n: int
    at: int
    weight: int
    request_id: str
    describe: Callable[[], Seen]
    later: Handled | None = None
    """What the trace has told of it."""


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
        self._kept: dict[int, _Kept] = {}
        self._link: dict[int, _Kept] = {}
        self._weight = 0
        self._by_request: dict[str, _Kept] = {}
        self._early: dict[str, Handled] = {}
        self._causes = Causes()
        self._viewings: dict[Viewing | Listener, None] = {}

    @property
    def kept(self) -> tuple[Inspected, ...]:
        """The last frames, oldest first: `KEPT`, and `LINK_KEPT` of the link; fewer if they are
        large."""
        kept = sorted((*self._kept.values(), *self._link.values()), key=lambda each: each.n)
        return tuple(self._told(each) for each in kept)

    @property
    def watched(self) -> bool:
        """Whether somebody looks now."""
        return bool(self._viewings)

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

    def note(
        self,
        describe: Callable[[], Seen],
        *,
        weight: int,
        request_id: str = "",
        events: Sequence[UpEvent] = (),
        link: bool = False,
    ) -> None:
        """A frame went through the platform, or came to it.

        Args:
            describe: called each time when the frame is told, and not before.
            weight: how much memory that keeps, in characters.
            request_id: by which the trace names it; only for the frames of services.
            events: what the service is told of it, if it is.
            link: it is a login, a heartbeat or a receipt.
        """
        self._last += 1
        kept = _Kept(self._last, self._now(), weight, request_id, describe)
        for event in events:
            self._causes.came(kept.n, kept.at, event)
        if request_id:
            if self._early and (early := self._early.pop(request_id, None)) is not None:
                kept.later = attrs.evolve(early, n=kept.n)
            self._by_request[request_id] = kept
        self._keep(kept, link=link)
        if self._viewings:
            told = self._told(kept)
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
            if (kept := self._by_request.get(request_id)) is not None:
                self._tell(attrs.evolve(news, n=kept.n), kept)
            elif request_id:
                self._early[request_id] = news
                if len(self._early) > EARLY:
                    del self._early[next(iter(self._early))]

    def service_began(self) -> None:
        """The traced service begins anew, in a process whose trace counts from one."""
        self._causes.forget()

    def _keep(self, kept: _Kept, *, link: bool) -> None:
        if link:
            self._link[kept.n] = kept
            if len(self._link) > LINK_KEPT:
                self._drop_oldest(self._link)
            return
        self._kept[kept.n] = kept
        self._weight += kept.weight
        while len(self._kept) > KEPT or (self._weight > ROOM and len(self._kept) > 1):
            self._weight -= self._drop_oldest(self._kept).weight

    def _drop_oldest(self, frames: dict[int, _Kept]) -> _Kept:
        oldest = frames.pop(next(iter(frames)))
        if oldest.request_id and self._by_request.get(oldest.request_id) is oldest:
            del self._by_request[oldest.request_id]
        return oldest

    def _tell(self, news: Handled, kept: _Kept | None) -> None:
        if kept is not None:
            kept.later = news
        for viewing in self._viewings:
            viewing.put(news)

    def _told(self, kept: _Kept) -> Inspected:
        seen, later = kept.describe(), kept.later or _NOTHING_LATER
        names = {each: self._nickname(each) for each in (seen.from_, *seen.to)}
        return Inspected(
            n=kept.n,
            at=kept.at,
            direction=seen.direction,
            type_=seen.type_,
            subtype=seen.subtype,
            band=seen.band,
            from_=seen.from_,
            to=seen.to,
            names={each: name for each, name in names.items() if name is not None},
            cause=later.cause,
            handler=later.handler,
            milliseconds=later.milliseconds,
            records=later.records,
            error=later.error,
            refused=seen.refused,
            size=seen.size,
            frame=_shown(seen.text),
            plain=_shown(seen.plain()),
        )


def _shown(text: str) -> str:
    return without_tokens(without_secrets(text[:BEGINNING]))[:LONGEST]
