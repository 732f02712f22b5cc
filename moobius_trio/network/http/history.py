"""What was said in a band before, page by page (docs/protocol/generation-1.md section 2.2 row 25).

Nothing is kept here: each page is asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Final

import trio

from moobius_trio.codec import http1_client as http1
from moobius_trio.network.http.calls import get
from moobius_trio.network.http.subject import Subject
from moobius_trio.types import ChannelId, MessageId, PastMessage

__all__ = ("HistoryCalls",)

MOST_MESSAGES: Final = 100
PAGE_BYTES: Final = 8 * 1024 * 1024
"""A page of messages as long as they may be has more than any other reply."""


class HistoryCalls(Subject):
    """The part of ``HttpApi`` about what was said."""

    async def fetch_message_history(
        self, channel_id: ChannelId, limit: int = 64, before: MessageId | None = None
    ) -> tuple[PastMessage, ...]:
        """Messages of a band, in the platform's order.

        Args:
            limit: how many at most, 1 to 100.
            before: only those before this one; None for the newest. That it is a message's id is
                inferred: no source says what the platform wants.

        Raises:
            ApiError: also for a refusal, which is never a page without messages.
            NotInGeneration: generation 0 has no such call.
        """
        self._needs_generation_1("fetch_message_history")
        if not 1 <= limit <= MOST_MESSAGES:
            raise ValueError(f"limit is {limit}; 1 to {MOST_MESSAGES} messages can be asked for")
        query = {
            "channel_id": channel_id,
            "limit": str(limit),
            "before": http1.encode_history_before(before),
        }
        call = get("/channel/history_message", query, max_bytes=PAGE_BYTES)
        return await self._account.call(call, partial(http1.decode_history, channel_id=channel_id))

    def iterate_message_history(
        self, channel_id: ChannelId, page: int = 64
    ) -> AsyncIterator[PastMessage]:
        """All messages of a band, newest first, asked for ``page`` at a time as they are needed.

        For an ``async for``, which may be left at any time. It ends with the oldest message, and
        where the platform gives nothing new.

        Raises:
            NotInGeneration: generation 0 has no such call.
            ApiError: in the loop, as ``fetch_message_history``; the next turn asks again.
        """
        self._needs_generation_1("iterate_message_history")
        return _Pages(partial(self.fetch_message_history, channel_id, page), page)


class _Pages:
    """The messages of pages that are fetched one after the other."""

    def __init__(
        self, fetch: Callable[[MessageId | None], Awaitable[tuple[PastMessage, ...]]], size: int
    ) -> None:
        self._fetch = fetch
        self._size = size
        self._before: MessageId | None = None
        self._seen: frozenset[MessageId] = frozenset()
        self._fresh: deque[PastMessage] = deque()
        self._ended = False

    def __aiter__(self) -> _Pages:
        return self

    async def __anext__(self) -> PastMessage:
        if self._fresh or self._ended:
            await trio.lowlevel.checkpoint()
        else:
            await self._turn()
        if not self._fresh:
            raise StopAsyncIteration
        return self._fresh.popleft()

    async def _turn(self) -> None:
        rows = await self._fetch(self._before)
        self._fresh.extend(row for row in _newest_first(rows) if row.msg_id not in self._seen)
        self._seen = frozenset(row.msg_id for row in rows)
        self._before = self._fresh[-1].msg_id if self._fresh else None
        self._ended = len(rows) < self._size or not self._before


def _newest_first(rows: tuple[PastMessage, ...]) -> tuple[PastMessage, ...]:
    """The page as it came or turned round; not sorted, since stamps may be equal."""
    return rows if rows and rows[0].timestamp > rows[-1].timestamp else rows[::-1]
