"""What the inspector tells: values, and their form on ``/local/inspect``.

The form is the page's own and no part of the protocol; docs/how-to/inspector.md explains it.
Nothing is kept, joined or sent here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

import attrs

from moobius_trio.codec.text import dump

__all__ = (
    "LONGEST",
    "Direction",
    "Handled",
    "Inspected",
    "Missed",
    "News",
    "as_plain",
    "as_text",
    "hello",
)

LONGEST = 20_000
"""Characters of a frame's text that are told."""

Direction: TypeAlias = Literal["up", "down"]
Plain: TypeAlias = dict[str, object]


@attrs.frozen(kw_only=True)
class Inspected:
    """One frame that went through the platform."""

    n: int
    """Counts frames; larger ones came later."""
    at: int
    """Milliseconds since 1970."""
    direction: Direction
    """``up``: from people towards the service; ``down``: what the service sent."""
    type_: str
    """As on the wire of generation 0, like the next one, whichever the connection speaks."""
    subtype: str
    """Of a key press the key's id."""
    band: str
    """Empty for frames of the link."""
    from_: str
    """A user's id, ``service``, or ``platform`` for a receipt."""
    to: tuple[str, ...]
    """Ids of the users who got it, in order, or ``service``; empty: nobody got it."""
    names: Mapping[str, str] = attrs.field(hash=False)
    """Nicknames by id of those whom ``from_`` and ``to`` name."""
    cause: int | None
    """``n`` of the frame up that made the service send it; None: none, or not known (yet)."""
    handler: str
    """Class and method; of a frame up the one that took it, of a frame down the one that sent it.
    Empty: not known (yet)."""
    milliseconds: float | None
    """Frame up: how long its handler ran. Frame down: from the handler's first line to the write.
    None: not known (yet)."""
    records: int | None
    """Changes that the handler made, or that the frame had to wait for; those of one commit count
    as one. None: not known (yet)."""
    error: str
    """What the handler raised, in one line."""
    refused: str
    """Why the platform did not take it, or why nobody got it; empty when somebody did."""
    size: int
    """Bytes on the wire."""
    frame: str
    """The text on the wire without secrets, `LONGEST` characters at most."""
    plain: str = ""
    """The same in generation 0 of the protocol, where the frame is in another one; a frame of a
    user as they did it, whatever the service was told."""


@attrs.frozen(kw_only=True)
class Handled:
    """Later news of the frame `n`, in place of what `Inspected` said under these names."""

    n: int
    cause: int | None
    handler: str
    milliseconds: float | None
    records: int | None
    error: str


@attrs.frozen(kw_only=True)
class Missed:
    """A reader was so slow that this many of the oldest news were thrown away here."""

    count: int


News: TypeAlias = Inspected | Handled | Missed


def as_text(news: News) -> str:
    """The JSON that a page is sent."""
    return dump(as_plain(news))


def hello(kept: Iterable[Inspected]) -> str:
    """The JSON that a page is sent first."""
    return dump({"kind": "hello", "kept": [as_plain(each) for each in kept]})


def as_plain(news: News) -> Plain:
    """The same as plain data."""
    match news:
        case Inspected():
            plain = {"plain": news.plain} if news.plain else {}
            return {
                "kind": "frame",
                "n": news.n,
                "at": news.at,
                "direction": news.direction,
                "type": news.type_,
                "subtype": news.subtype,
                "band": news.band,
                "from": news.from_,
                "to": news.to,
                "names": dict(news.names),
                "cause": news.cause,
                "handler": news.handler,
                "milliseconds": news.milliseconds,
                "records": news.records,
                "error": news.error,
                "refused": news.refused,
                "bytes": news.size,
                "frame": news.frame,
                **plain,
            }
        case Handled():
            return {
                "kind": "handled",
                "n": news.n,
                "cause": news.cause,
                "handler": news.handler,
                "milliseconds": news.milliseconds,
                "records": news.records,
                "error": news.error,
            }
        case Missed():
            return {"kind": "missed", "count": news.count}
