"""Wands from outside: what another process of the same user holds of a running service.

One for plain scripts, which blocks and needs no event loop, and one for trio. Both open a
connection for each request and hold none between two (docs/architecture.md section 7).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self, cast

import attrs
import trio

from moobius_trio.core.instance import runtime_folder
from moobius_trio.core.spell_exchange import Exchange
from moobius_trio.core.spell_socket import peer_of, socket_path, sockets_in, try_connect
from moobius_trio.core.spell_wire import (
    HEADER,
    MAX_ANSWER_BYTES,
    Cast,
    Request,
    StatusRequest,
    StopRequest,
    body_length,
)
from moobius_trio.errors import ConfigError, NoSuchService, ServiceStopped
from moobius_trio.types import ServiceStatus

__all__ = ("AsyncRemoteWand", "Place", "RemoteWand", "Silent", "live_services")

STATUS_SECONDS = 5.0
NEXT_TRY = 0.02
"""Seconds until the next try where too many callers wait."""


class RemoteWand:
    """A wand for plain scripts: `MoobiusWand.connect` gives it.

    Its calls block. It holds no connection between them, so there is nothing to close; ``with`` is
    there for those who like to see where it is used.

    Attributes:
        name: the service's name.
    """

    def __init__(self, place: Place) -> None:
        self.name = place.name
        self._place = place

    def spell(self, spell: object, timeout: float = 5.0, *, wait: bool = False) -> object:
        """Cast a spell: plain data, as JSON has it; `on_spell` gets lists for tuples.

        Args:
            timeout: seconds for the whole call; with `wait`, `on_spell` has to end in them too.
            wait: return only when `on_spell` has ended, with what it returned.

        Returns:
            None once the spell is accepted, or what `on_spell` returned, as JSON has it.

        Raises:
            SpellRefused: it is not cast: too many spells wait, or the service is still starting;
                or it was cast and its value cannot be sent, which the text then says.
            SpellRaised: with `wait`, `on_spell` raised.
            SpellTimedOut: a ``TimeoutError``; its text and `delivered` say what is known.
            ServiceStopped: the service does not run, or stopped meanwhile.
            TypeError: JSON does not know such a value.
            ValueError: more than 65,000 bytes, more than 60 levels, or NaN.
        """
        return self._ask(Cast(spell, wait), timeout)

    def status(self) -> ServiceStatus:
        """How the service does.

        Raises:
            SpellTimedOut: its event loop stood still for five seconds.
            ServiceStopped: it does not run.
        """
        return cast(ServiceStatus, self._ask(StatusRequest(), STATUS_SECONDS))

    def stop(self, timeout: float = 60.0) -> None:
        """Stop the service in good order, as one SIGTERM does, and wait until it has ended.

        Raises:
            SpellTimedOut: it has not ended in time, and goes on ending.
            ServiceStopped: it does not run.
        """
        self._ask(StopRequest(), timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __repr__(self) -> str:
        return f"<RemoteWand {self.name}>"

    def _ask(self, request: Request, seconds: float) -> object:
        exchange = Exchange(self.name, request)
        deadline = time.monotonic() + seconds
        try:
            with self._connect(deadline) as connected:
                while not exchange.done:
                    body = _read_frame(connected, deadline)
                    if body is None:
                        exchange.hear_end()
                    elif exchange.hear(body):
                        connected.settimeout(_left(deadline))
                        with suppress(
                            ConnectionError
                        ):  # then what it said last is still to be read
                            connected.sendall(exchange.to_send)
        except TimeoutError:
            raise exchange.late(seconds) from None
        return exchange.result

    def _connect(self, deadline: float) -> socket.socket:
        while (connected := self._place.try_connect()) is None:
            time.sleep(min(NEXT_TRY, _left(deadline)))
        return connected


class AsyncRemoteWand:
    """A wand for trio: `open_wand` gives it. Its calls have no time limit; use a cancel scope.

    A call that is cancelled closes its connection. A spell that was sent by then is cast all the
    same, and what it raises is reported in the service, as for a spell that nobody waits for.

    Attributes:
        name: the service's name.
    """

    def __init__(self, place: Place) -> None:
        self.name = place.name
        self._place = place

    async def aspell(self, spell: object, *, wait: bool = False) -> object:
        """Cast a spell; see `RemoteWand.spell` for what it takes, gives and raises."""
        return await self._ask(Cast(spell, wait))

    async def status(self) -> ServiceStatus:
        """How the service does.

        Raises:
            ServiceStopped: it does not run.
        """
        return cast(ServiceStatus, await self._ask(StatusRequest()))

    async def stop(self) -> None:
        """Stop the service in good order and wait until it has ended. Cancelled, it ends too.

        Raises:
            ServiceStopped: it does not run.
        """
        await self._ask(StopRequest())

    def __repr__(self) -> str:
        return f"<AsyncRemoteWand {self.name}>"

    async def _ask(self, request: Request) -> object:
        exchange = Exchange(self.name, request)
        async with await self._connect() as stream:
            while not exchange.done:
                body = await _receive_frame(stream)
                if body is None:
                    exchange.hear_end()
                elif exchange.hear(body):
                    with suppress(trio.BrokenResourceError):  # its last word is still to be read
                        await stream.send_all(exchange.to_send)
        return exchange.result

    async def _connect(self) -> trio.SocketStream:
        while True:
            connected = self._place.try_connect()
            if connected is not None:
                return trio.SocketStream(trio.socket.from_stdlib_socket(connected))
            await trio.sleep(NEXT_TRY)


@attrs.frozen
class Silent:
    """A service whose process is there and does not answer: its event loop stands still."""

    name: str
    pid: int | None


async def live_services(
    seconds: float, environ: Mapping[str, str] | None = None
) -> list[ServiceStatus | Silent]:
    """Every live service of this user in this runtime folder, by name.

    Args:
        seconds: how long an answer is waited for; all are asked at once.

    Raises:
        ConfigError: the runtime folder cannot be used.
    """
    found: list[ServiceStatus | Silent] = []

    async def ask(place: Place) -> None:
        with suppress(ServiceStopped, ConfigError):  # left behind, or no socket of this user's
            with trio.move_on_after(seconds):
                found.append(await AsyncRemoteWand(place).status())
                return
            found.append(Silent(place.name, place.pid()))

    async with trio.open_nursery() as nursery:
        for path in sockets_in(_runtime_folder(environ)):
            nursery.start_soon(ask, Place(path.stem, path))
    return sorted(found, key=lambda service: service.name)


def _runtime_folder(environ: Mapping[str, str] | None) -> Path:
    return runtime_folder(os.environ if environ is None else environ)


@attrs.frozen
class Place:
    """Where a service is to be found."""

    name: str
    path: Path

    @classmethod
    def of(cls, name: str, environ: Mapping[str, str] | None) -> Place:
        """The place of a name, whether or not somebody is there.

        Raises:
            ConfigError: the runtime folder cannot be used.
        """
        return cls(name, socket_path(_runtime_folder(environ), name))

    def try_connect(self) -> socket.socket | None:
        """A connection that does not block; None while too many others wait there.

        Raises:
            NoSuchService: nobody answers.
            ConfigError: it is another user's, or cannot be used.
        """
        try:
            connected = try_connect(self.path)
        except (FileNotFoundError, ConnectionRefusedError):
            raise NoSuchService(self.name, self._running()) from None
        except OSError as exc:
            raise ConfigError(
                str(self.path), f"the service cannot be reached ({exc.strerror or exc})"
            ) from None
        if connected is not None and peer_of(connected).foreign:
            connected.close()
            raise ConfigError(str(self.path), "another user's process answers there")
        return connected

    def _running(self) -> list[str]:
        """The names that somebody answers to, but those that are too long for a file name."""
        names = []
        for path in sockets_in(self.path.parent):
            with suppress(OSError):
                connected = try_connect(path)
                if connected is not None:
                    connected.close()
                if not path.stem.startswith("="):
                    names.append(path.stem)
        return names

    def pid(self) -> int | None:
        """The process that listens there, if that can be told."""
        try:
            connected = try_connect(self.path)
        except OSError:
            return None
        if connected is None:
            return None
        with connected:
            return peer_of(connected).pid


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _read_frame(connected: socket.socket, deadline: float) -> bytes | None:
    """The body of the next frame; None at the end, also at one in the middle of a frame."""
    header = _read(connected, HEADER, deadline)
    return header and _read(connected, body_length(header, MAX_ANSWER_BYTES), deadline)


def _read(connected: socket.socket, count: int, deadline: float) -> bytes | None:
    found = bytearray()
    while len(found) < count:
        connected.settimeout(_left(deadline))
        try:
            chunk = connected.recv(count - len(found))
        except ConnectionError:
            return None
        if not chunk:
            return None
        found += chunk
    return bytes(found)


async def _receive_frame(stream: trio.SocketStream) -> bytes | None:
    """As `_read_frame`."""
    header = await _receive(stream, HEADER)
    return header and await _receive(stream, body_length(header, MAX_ANSWER_BYTES))


async def _receive(stream: trio.SocketStream, count: int) -> bytes | None:
    found = bytearray()
    while len(found) < count:
        try:
            chunk = await stream.receive_some(count - len(found))
        except trio.BrokenResourceError:
            return None
        if not chunk:
            return None
        found += chunk
    return bytes(found)
