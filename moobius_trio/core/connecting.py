"""Outbox and link of a run, a service's or a user's, built from its settings.

Nothing is connected here.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import Callable
from typing import TypeVar

from moobius_trio.config import Settings
from moobius_trio.core.environment import Environment
from moobius_trio.core.runtime import Tracing
from moobius_trio.network.clocks import LOOK_SECONDS
from moobius_trio.network.http import HttpApi
from moobius_trio.network.link import ClientId, Gap, Link, Side
from moobius_trio.network.outbox import Outbox
from moobius_trio.network.websocket import websocket_connector

__all__ = ("make_link", "make_outbox")

C = TypeVar("C")
E = TypeVar("E")


def make_outbox(
    environment: Environment,
    settings: Settings,
    client_id: ClientId,
    side: Side[C, E],
    tracing: Tracing | None,
) -> Outbox[C]:
    """The outbox of whoever speaks by ``side``."""
    return Outbox(
        wire=side,
        client_id=client_id,
        max_message_bytes=settings.max_message_bytes,
        new_request_id=environment.new_request_id,
        wall_clock_ms=environment.wall_clock_ms,
        ordering=settings.ordering,
        on_written=tracing.written if tracing is not None else None,
    )


def make_link(
    environment: Environment,
    settings: Settings,
    client_id: ClientId,
    http_api: HttpApi,
    outbox: Outbox[C],
    *,
    side: Side[C, E],
    tls: ssl.SSLContext | None,
    login: Callable[[], C],
    on_event: Callable[[E], None],
    on_gap: Callable[[Gap], None],
) -> Link[C, E]:
    """The link of the same, not connected yet."""
    return Link(
        connect=environment.connect or websocket_connector(settings.ws_server_uri, tls=tls),
        wire=side,
        outbox=outbox,
        address=settings.ws_server_uri,
        client_id=client_id,
        login=login,
        renew=http_api.renew,
        on_event=on_event,
        on_gap=on_gap,
        random=environment.random,
        wall_clock_ms=environment.wall_clock_ms,
        # in simulated time there is no second clock
        clock_seconds=LOOK_SECONDS if environment.reread_seconds < math.inf else math.inf,
    )
