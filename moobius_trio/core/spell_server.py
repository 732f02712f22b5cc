"""The service's half of the spell socket: a listener and its conversations, as tasks of a run.

Whatever comes in is bounded in size, number and time, and harms nobody but its sender. What a
request means to the service stands in `core.outside`; messages in `core.spell_wire`.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NoReturn

import attrs
import structlog
import trio

from moobius_trio.core.environment import Environment
from moobius_trio.core.instance import held_name, runtime_folder
from moobius_trio.core.outside import Outside
from moobius_trio.core.reading import environment_variables
from moobius_trio.core.spell_socket import bound_socket, peer_of, socket_path
from moobius_trio.core.spell_wire import (
    HEADER,
    MAX_REQUEST_BYTES,
    Accepted,
    Answer,
    Cast,
    Greeting,
    Refused,
    StatusRequest,
    StopRequest,
    body_length,
    frame,
    parse_request,
)
from moobius_trio.errors import ConfigError, MalformedPayload, MoobiusError

__all__ = ("open_name", "open_spell_socket")

log = structlog.get_logger()

MOST = 32
"""Conversations at once; further callers wait with the operating system."""

MOST_WAITING = 24
"""Of these, how many may wait for what becomes of a spell; the rest is for `status` and `stop`."""

REQUEST_SECONDS = 5.0
"""For a caller to send its request."""

ANSWER_SECONDS = 5.0
"""For a caller to read an answer."""

GRACE_SECONDS = 1.0
"""At the end, for those who wait to be told."""

REPORT_SECONDS = 60.0
"""Bad callers are counted, and logged no more often than this."""

RESTARTS, RESTARTS_WITHIN = 3, 60.0
"""So many failures of the listener in so many seconds stop the service."""

SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""What the whole process has too little of: nothing that another listener would have more of."""


class _BadCaller(Exception):
    """A caller that keeps to no rule; its conversation ends."""


@asynccontextmanager
async def open_name(environment: Environment, outside: Outside) -> AsyncIterator[Path | None]:
    """Hold a service's name for the block and let other processes reach it by that name.

    Gives the socket's path, for whoever ends the process inside the block; None: there is none.

    Raises:
        NameTaken: a live service has it.
        ConfigError: the runtime folder cannot be used.
        MoobiusError: as `open_spell_socket`.
    """
    variables = environment_variables(environment)
    name = outside.name if environment.exclusive else environment.reached_as
    path = None
    async with AsyncExitStack() as stack:
        if environment.exclusive:
            stack.enter_context(held_name(outside.name, variables))
        if name is not None:
            path = socket_path(runtime_folder(variables), name)
            outside = attrs.evolve(outside, name=name)
            await stack.enter_async_context(open_spell_socket(path, outside))
        yield path


@asynccontextmanager
async def open_spell_socket(path: Path, outside: Outside) -> AsyncIterator[None]:
    """Let other processes of this user reach a service for as long as the block runs.

    At the end those who wait for a spell are told, and the socket and its file are gone. A listener
    that fails is started again; the third failure in a minute stops the service in good order.

    Raises:
        ConfigError: the socket cannot be made.
        MoobiusError: the block has ended because the listener failed too often.
    """
    server = _Server(path, outside)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve)
        try:
            yield
        finally:
            with trio.move_on_after(GRACE_SECONDS, shield=True):
                await server.wait_told()
            nursery.cancel_scope.cancel()
    if server.failed is not None:
        raise server.failed


class _Server:
    def __init__(self, path: Path, outside: Outside) -> None:
        self.failed: MoobiusError | None = None
        self._path = path
        self._outside = outside
        self._slots = trio.Semaphore(MOST)
        self._bad = _BadCallers(outside.name, trio.current_time)
        self._waiting = 0
        self._told = trio.Event()
        """Set, and replaced, whenever one who waited has been told."""

    async def serve(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Listen, and listen again when that fails; see `open_spell_socket`."""
        failures: list[float] = []
        begun = False
        try:
            async with trio.open_nursery() as conversations:
                while self.failed is None:
                    try:
                        with bound_socket(self._path) as listening:
                            if not begun:
                                task_status.started()
                                begun = True
                            await self._listen(listening, conversations)
                    except (OSError, ConfigError) as exc:
                        if not begun:
                            raise
                        now = trio.current_time()
                        failures = [one for one in failures if now - one < RESTARTS_WITHIN] + [now]
                        self._note_failure(exc, len(failures))
        finally:
            self._bad.report()

    def _note_failure(self, exc: Exception, failures: int) -> None:
        log.error("the spell socket failed", service=self._outside.name, problem=str(exc))
        if failures >= RESTARTS:
            self.failed = MoobiusError(
                f"service {self._outside.name} was stopped: its spell socket failed {RESTARTS} "
                f"times in {RESTARTS_WITHIN:g} s ({exc})."
            )
            self._outside.stop()

    async def _listen(self, listening: socket.socket, conversations: trio.Nursery) -> NoReturn:
        while True:
            await self._slots.acquire()
            try:
                connected = await self._accept(listening)
            except BaseException:
                self._slots.release()
                raise
            conversations.start_soon(self._hold, connected)

    async def _accept(self, listening: socket.socket) -> socket.socket:
        while True:
            await trio.lowlevel.wait_readable(listening)
            try:
                return listening.accept()[0]
            except (BlockingIOError, ConnectionAbortedError):
                pass  # it has gone again
            except OSError as exc:
                if exc.errno not in SCARCE:
                    raise
                self._bad.note(f"not heard: {exc.strerror}")
                await trio.sleep(0.1)

    async def _hold(self, connected: socket.socket) -> None:
        """One conversation, from its first byte to its last."""
        try:
            connected.setblocking(False)
            async with trio.SocketStream(trio.socket.from_stdlib_socket(connected)) as stream:
                if peer_of(connected).foreign:
                    raise _BadCaller("a process of another user")
                await self._converse(stream)
        except _BadCaller as exc:
            self._bad.note(str(exc))
        except (trio.BrokenResourceError, OSError):
            pass  # the caller has gone
        except Exception as exc:  # boundary: one conversation
            log.error("a conversation failed", service=self._outside.name, exc_info=exc)
        finally:
            self._slots.release()

    async def _converse(self, stream: trio.SocketStream) -> None:
        malformed = request = None
        with trio.move_on_after(REQUEST_SECONDS) as patience:
            await stream.send_all(frame(Greeting(self._outside.name)))
            try:
                body = await _receive(stream)
                request = parse_request(body) if body is not None else None
            except MalformedPayload as exc:
                malformed = exc
        if patience.cancelled_caught:
            raise _BadCaller(f"no request in {REQUEST_SECONDS:g} s")
        if malformed is not None:
            await self._answer(stream, Refused("; ".join(malformed.faults)))
            raise _BadCaller(str(malformed))
        match request:
            case StatusRequest():
                await self._answer(stream, self._outside.status())
            case StopRequest():
                try:
                    await self._answer(stream, Accepted())
                finally:
                    self._outside.stop()
                await _until_gone(stream)  # or until the service is: then this is cancelled
            case Cast():
                await self._cast(stream, request)
            case None:
                pass  # it only looked whether somebody is there

    async def _cast(self, stream: trio.SocketStream, request: Cast) -> None:
        if request.wait and self._waiting >= MOST_WAITING:
            await self._answer(stream, Refused("too many callers wait already; try again later."))
            return
        taken = self._outside.cast(request)
        if not request.wait or taken.spell is None:
            await self._answer(stream, taken.answer)
            return
        self._waiting += 1
        try:
            await self._answer(stream, taken.answer)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._cancel_when_gone, stream, nursery.cancel_scope)
                await taken.spell.ended.wait()
                nursery.cancel_scope.cancel()
            if taken.spell.ended.is_set():
                await self._answer(stream, self._outside.outcome(taken.spell))
        finally:
            taken.spell.forget_caster()
            self._waiting -= 1
            self._told.set()
            self._told = trio.Event()

    async def _cancel_when_gone(self, stream: trio.SocketStream, scope: trio.CancelScope) -> None:
        try:
            await _until_gone(stream)
        except _BadCaller as exc:
            self._bad.note(str(exc))
        except trio.BrokenResourceError:
            pass  # gone as well
        scope.cancel()

    async def _answer(self, stream: trio.SocketStream, answer: Answer) -> None:
        with trio.move_on_after(ANSWER_SECONDS) as patience:
            await stream.send_all(frame(answer))
        if patience.cancelled_caught:
            raise _BadCaller(f"an answer not read in {ANSWER_SECONDS:g} s")

    async def wait_told(self) -> None:
        """Wait until nobody waits for what becomes of a spell. Safe to cancel."""
        while self._waiting:
            await self._told.wait()


class _BadCallers:
    """Counts callers that keep to no rule; the log hears of the first, then once a minute."""

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self._name = name
        self._clock = clock
        self._count = 0
        self._latest = ""
        self._reported = -REPORT_SECONDS

    def note(self, reason: str) -> None:
        self._count += 1
        self._latest = reason
        if self._clock() - self._reported >= REPORT_SECONDS:
            self.report()

    def report(self) -> None:
        if self._count:
            log.warning(
                "callers at the spell socket were turned away",
                service=self._name,
                callers=self._count,
                latest=self._latest,
            )
            self._count = 0
            self._reported = self._clock()


async def _receive(stream: trio.SocketStream) -> bytes | None:
    """The body of the next frame; None when there is none.

    Raises:
        MalformedPayload: too long, which is known before it is read, or cut off.
    """
    header = await _exactly(stream, HEADER)
    if not header:
        return None
    if len(header) < HEADER:
        raise MalformedPayload("frame", ["it ends in its length"])
    length = body_length(header, MAX_REQUEST_BYTES)
    body = await _exactly(stream, length)
    if len(body) < length:
        raise MalformedPayload("frame", [f"it ends after {len(body):,} of {length:,} bytes"])
    return body


async def _exactly(stream: trio.SocketStream, count: int) -> bytes:
    """So many bytes, or fewer if no more come."""
    found = bytearray()
    while len(found) < count:
        chunk = await stream.receive_some(count - len(found))
        if not chunk:
            break
        found += chunk
    return bytes(found)


async def _until_gone(stream: trio.SocketStream) -> None:
    """Wait until the caller closes; one that goes on talking after its request is a bad one."""
    if await stream.receive_some(1):
        raise _BadCaller("more than one request")
