"""A link with its outbox, and everything around it counted: for tests of the two.

No platform of its own: it connects to what it is given.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from moobius_trio.codec import generation0
from moobius_trio.network.link import Gap, Link, service_side
from moobius_trio.network.memory import memory_connector
from moobius_trio.network.outbox import Outbox
from moobius_trio.network.websocket import Connector, FrameStream
from moobius_trio.types import (
    ChannelId,
    MessageDown,
    RequestId,
    ServiceFrame,
    ServiceId,
    ServiceLogin,
    UserId,
)

__all__ = ("SERVICE_ID", "TOKEN", "LinkRig", "make_link", "make_outbox", "message", "open_link")

TOKEN = "canary-token"  # noqa: S105  # made up, and looked for in logs
SERVICE_ID = ServiceId("service-1")


def message(
    text: str, *, channel: str = "band", recipients: tuple[str, ...] = ("alice",)
) -> MessageDown:
    """A message for ``recipients`` of ``channel``."""
    return MessageDown(
        channel_id=ChannelId(channel),
        content=text,
        recipients=tuple(UserId(recipient) for recipient in recipients),
    )


def make_outbox(**changes: Any) -> Outbox:
    """An outbox with ids that count up and a wall clock that stands still."""
    ids = itertools.count(1)
    settings: dict[str, Any] = {
        "wire": service_side(generation0),
        "client_id": SERVICE_ID,
        "max_message_bytes": 65_000,
        "new_request_id": lambda: RequestId(f"request-{next(ids)}"),
        "wall_clock_ms": lambda: 1_700_000_000_000,
    }
    return Outbox(**(settings | changes))


@attrs.define(eq=False)
class LinkRig:
    """What a test sees of a link."""

    outbox: Outbox
    events: list[ServiceFrame] = attrs.field(factory=list)
    gaps: list[Gap] = attrs.field(factory=list)
    renewals: list[float] = attrs.field(factory=list)
    """When new tokens were asked for, by trio's clock."""
    wall_clock_ahead_ms: int = 0
    """How far the machine's time has jumped."""
    link: Link = attrs.field(init=False)
    _gap_came: trio.Event = attrs.field(factory=trio.Event)

    def take_gap(self, gap: Gap) -> None:
        self.gaps.append(gap)
        self._gap_came.set()
        self._gap_came = trio.Event()

    async def gap_reported(self) -> None:
        """Wait for the next gap."""
        await self._gap_came.wait()


def make_link(
    connect: Connector,
    *,
    renew: Callable[[], Awaitable[None]] | None = None,
    seed: int = 0,
    clock_seconds: float = math.inf,
    **outbox: Any,
) -> LinkRig:
    """A link that is not served yet; ``outbox`` changes arguments of the outbox.

    The wall clock is looked at every ``clock_seconds``.
    """
    rig = LinkRig(make_outbox(**outbox))

    async def count_renewal() -> None:
        rig.renewals.append(trio.current_time())
        if renew is not None:
            await renew()

    rig.link = Link(
        connect=connect,
        wire=service_side(generation0),
        outbox=rig.outbox,
        address="ws://platform.test",
        client_id=SERVICE_ID,
        login=lambda: ServiceLogin(service_id=SERVICE_ID, access_token=TOKEN),
        renew=count_renewal,
        on_event=rig.events.append,
        on_gap=rig.take_gap,
        wall_clock_ms=lambda: int(trio.current_time() * 1000) + rig.wall_clock_ahead_ms,
        clock_seconds=clock_seconds,
        random=random.Random(seed),  # noqa: S311  # a test has to come out the same each time
    )
    return rig


@asynccontextmanager
async def open_link(
    serve: Callable[[FrameStream], Awaitable[None]],
    *,
    room: int | None = None,
    seed: int = 0,
    **outbox: Any,
) -> AsyncIterator[LinkRig]:
    """A link that is logged in to ``serve`` over streams in memory; stopped when the block ends."""
    async with trio.open_nursery() as nursery:
        rig = make_link(memory_connector(nursery, serve, room=room), seed=seed, **outbox)
        await nursery.start(rig.link.serve)
        yield rig
        await rig.link.stop()
        nursery.cancel_scope.cancel()
