"""From a command to the frames that say it: ids, the time, and whom a list of people stands for.

No queue and no socket here; the wire that was handed in knows the words.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Generic

import structlog
import trio
from typing_extensions import TypeVar

from moobius_trio.network.items import ADDRESSED, ClientId, Item, Side, items_of
from moobius_trio.network.receipts import CONFIRMED, Outcome
from moobius_trio.network.reports import Hold
from moobius_trio.types import ChannelId, MessageDown, Ping, RequestId, ServiceCommand

__all__ = ("Framing",)

log = structlog.get_logger()

C = TypeVar("C", default=ServiceCommand)


class Framing(Generic[C]):
    """Makes the frames of one service, or of one user.

    Args:
        side: the words, and what is to be awaited before they are written.
        client_id: whose frames they are.
    """

    def __init__(
        self,
        *,
        side: Side[C, Any],
        client_id: ClientId,
        max_message_bytes: int,
        new_request_id: Callable[[], RequestId],
        wall_clock_ms: Callable[[], int],
    ) -> None:
        self._side = side
        self._listed = side.prepare is None
        self._client_id = client_id
        self._max_message_bytes = max_message_bytes
        self._new_request_id = new_request_id
        self._wall_clock_ms = wall_clock_ms
        self._told = False
        self._lines: dict[ChannelId | None, deque[trio.Event]] = {}
        """Those that are being prepared, by channel, in the order in which they came; each knows
        by its event that it is the first."""

    def new_request_id(self) -> RequestId:
        """An id for a frame."""
        return self._new_request_id()

    def encode(self, command: C | Ping) -> tuple[RequestId, str]:
        """A command as one frame with a new id."""
        request_id = self._new_request_id()
        return request_id, self._side.encode(
            command,
            request_id=request_id,
            client_id=self._client_id,
            timestamp=self._wall_clock_ms(),
        )

    def is_ready(self, command: C) -> bool:
        """Whether `items_of` can be called without `prepare`."""
        return self._listed or (not self._lines and self._side.is_prepared(command))

    async def prepare(self, command: C) -> None:
        """Ask for what the frames of a command need that is not ready.

        No command becomes ready before those of its channel that came before it. Until the next
        ``await`` it stays so.

        Raises:
            MoobiusError: a group of recipients was asked for in vain.
        """
        if (prepare := self._side.prepare) is not None:
            await self._prepare_in_order(prepare, command)

    def items_of(self, command: C, unit: int | None, transaction: Hold | None) -> list[Item]:
        """The command as frames under one receipt.

        Raises:
            MessageTooLarge: no frame can hold it.
        """
        return items_of(
            command,
            self.encode,
            self._max_message_bytes,
            listed=self._listed,
            unit=unit,
            transaction=transaction,
        )

    async def _prepare_in_order(self, prepare: Callable[[C], Awaitable[None]], command: C) -> None:
        """Requests run side by side; what they were made for stays in order."""
        channel_id: ChannelId | None = getattr(command, "channel_id", None)
        line = self._lines.setdefault(channel_id, deque())
        line.append(first := trio.Event())
        try:
            await prepare(command)
            while line[0] is not first:
                await first.wait()
                await prepare(command)  # what was known may be forgotten meanwhile
        finally:
            line.remove(first)
            if line:
                line[0].set()
            else:
                del self._lines[channel_id]

    def note_refusal(self) -> None:
        """The platform has refused a frame for good."""
        self._side.on_refused()

    def for_nobody(self, command: C) -> Outcome | None:
        """What becomes of a command that nobody is to get; None: it is to be written.

        A state for nobody is true at once: everybody who is to have it has it.
        """
        if not isinstance(command, ADDRESSED) or command.recipients:
            return None
        if isinstance(command, MessageDown):
            return Outcome("dropped", "no recipients")
        if self._side.prepare is None:
            return None  # an empty list can be written
        if not self._told:
            self._told = True
            log.info("an update for nobody is not written", update=type(command).__name__)
        return CONFIRMED
