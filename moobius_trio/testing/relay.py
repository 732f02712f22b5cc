"""A TCP relay on loopback that does to bytes what networks do, switched while it runs.

It knows nothing of HTTP, WebSockets or the platform. Each connection is one nursery inside the
relay's own; when the block of ``open_relay`` ends, all of them have ended.
"""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final

import structlog
import trio

from moobius_trio.serving import open_listeners
from moobius_trio.testing.relay_faults import RelayFaults, Way
from moobius_trio.testing.relay_pump import Pump

__all__ = ("Relay", "RelayFaults", "open_relay")

GOODBYE_SECONDS: Final = 1.0
"""How long a clean close waits for the other side to close too."""

_JITTER: Final = 0.25
"""What ``reset=60`` adds or takes at most, as a part of the 60 s."""

_HERE: Final = ("127.0.0.1", "::1", "localhost")

_log = structlog.get_logger()


class Relay:
    """An open relay; made by `open_relay`.

    Attributes:
        port: where it listens, on 127.0.0.1.
        accepted: how many connections came so far.
    """

    def __init__(self, target: tuple[str, int], port: int, faults: RelayFaults) -> None:
        self.port = port
        self.accepted = 0
        self._target = target
        self._faults = faults
        self._changed = trio.Event()
        self._open: dict[_Connection, None] = {}
        # Faults that come the same each time, not secrets.
        self.random = random.Random(faults.seed)  # noqa: S311

    @property
    def faults(self) -> RelayFaults:
        """What it does to the bytes. May be replaced at any time, also for what is under way."""
        return self._faults

    @faults.setter
    def faults(self, faults: RelayFaults) -> None:
        if faults.seed != self._faults.seed:
            self.random = random.Random(faults.seed)  # noqa: S311
        self._faults = faults
        self._changed.set()
        self._changed = trio.Event()

    @property
    def open_now(self) -> int:
        """How many connections it holds."""
        return len(self._open)

    def reset(self) -> None:
        """End all connections with a reset (RST) to both sides; what is on the way is lost (F2)."""
        for connection in self._open:
            connection.reset()

    def close(self) -> None:
        """End all connections cleanly (FIN) on both sides, in the middle of whatever they say."""
        for connection in self._open:
            connection.close()

    def darken(self, way: Way = "both") -> None:
        """Let what comes on the connections of now vanish this way from now on (F5)."""
        for connection in self._open:
            connection.dark = connection.dark | _ways(way)

    async def wait_changed(self) -> None:
        """Block until the faults are replaced."""
        await self._changed.wait()

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection, from the first byte to the last."""
        self.accepted += 1
        try:
            target = await trio.open_tcp_stream(*self._target)
        except OSError as error:
            _log.debug("the relay's target does not answer", error=str(error))
            _reset(stream)
            return
        connection = _Connection(self, stream, target)
        self._open[connection] = None
        try:
            await connection.run()
        finally:
            del self._open[connection]

    async def every(
        self, interval: Callable[[RelayFaults], float | None], do: Callable[[], None]
    ) -> None:
        """Do something about every so many seconds, as long as the faults say so."""
        while True:
            changed, seconds = self._changed, interval(self._faults)
            if seconds is None:
                await changed.wait()
                continue
            with trio.move_on_after(seconds * self.random.uniform(1 - _JITTER, 1 + _JITTER)):
                await changed.wait()
                continue
            do()


class _Connection:
    """A client, the target, and what goes between them."""

    def __init__(self, relay: Relay, client: trio.SocketStream, target: trio.SocketStream) -> None:
        self._relay = relay
        self._client = client
        self._target = target
        self._scope = trio.CancelScope()
        self._says_goodbye = False
        self.dark: frozenset[Way] = frozenset()
        """The ways on which everything vanishes."""

    async def run(self) -> None:
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._pump(self._client, self._target, "up").run)
                    nursery.start_soon(self._pump(self._target, self._client, "down").run)
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            # One side is gone without a goodbye, so the other one learns it in the same way.
            self.reset()
        if self._says_goodbye:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_goodbye, self._client)
                nursery.start_soon(_goodbye, self._target)
        self._client.socket.close()
        self._target.socket.close()

    def _pump(self, source: trio.SocketStream, sink: trio.SocketStream, way: Way) -> Pump:
        return Pump(
            source,
            sink,
            faults=lambda: self._relay.faults,
            dark=lambda: way in self.dark | _ways(self._relay.faults.hole),
            changed=self._relay.wait_changed,
            random=random.Random(self._relay.random.random()),  # noqa: S311
        )

    def reset(self) -> None:
        _reset(self._client)
        _reset(self._target)
        self._scope.cancel()

    def close(self) -> None:
        self._says_goodbye = True
        self._scope.cancel()


def _ways(way: Way) -> frozenset[Way]:
    if way == "both":
        return frozenset(("up", "down"))
    return frozenset() if way == "none" else frozenset((way,))


def _reset(stream: trio.SocketStream) -> None:
    """Close at once with an RST instead of a FIN."""
    with suppress(OSError):  # closed already
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()


async def _goodbye(stream: trio.SocketStream) -> None:
    """Close with a FIN: a socket closed with unread bytes in it would send a reset."""
    gone = (trio.BrokenResourceError, trio.ClosedResourceError)
    with trio.move_on_after(GOODBYE_SECONDS), suppress(*gone):
        await stream.send_eof()
        while await stream.receive_some():
            pass


@asynccontextmanager
async def open_relay(
    target: tuple[str, int], faults: RelayFaults | None = None, *, port: int = 0
) -> AsyncIterator[Relay]:
    """A relay to ``target`` for the length of the block, listening on 127.0.0.1.

    Args:
        target: host and port of this machine; asked anew for each connection, so it may go
            and come back.
        faults: what it does; none to begin with.
        port: where it listens; 0 takes any that is free.

    When the block ends, also by cancellation, its connections are reset.

    Raises:
        ValueError: the target is another machine.
        UsageError: the port is in use or may not be taken.
    """
    if target[0] not in _HERE:
        raise ValueError(f"{target[0]} is not this machine's loopback address")
    listeners = await open_listeners("127.0.0.1", port)
    bound: int = listeners[0].socket.getsockname()[1]
    relay = Relay(target, bound, faults or RelayFaults())
    timers: tuple[Callable[[], Awaitable[None]], ...] = (
        partial(relay.every, lambda faults: faults.reset_every, relay.reset),
        partial(relay.every, lambda faults: faults.close_every, relay.close),
        partial(relay.every, lambda faults: faults.hole_every, relay.darken),
    )
    async with trio.open_nursery() as nursery:
        for timer in timers:
            nursery.start_soon(timer)
        await nursery.start(trio.serve_listeners, relay.serve, listeners)
        try:
            yield relay
        finally:
            relay.reset()
            nursery.cancel_scope.cancel()
