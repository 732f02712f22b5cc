"""The wand: runs services side by side in one nursery and casts spells into them.

What a spell does is the service's business. What speaks to other processes stands in `core.remote`
and is imported when it is used.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Never, Protocol, Self, TypeVar

import structlog
import trio

from moobius_trio.core.handle import Handle
from moobius_trio.core.names import refused_argument
from moobius_trio.core.signals import SignalState, ToldToStop, counted_signals
from moobius_trio.errors import MovedError, ServiceStopped
from moobius_trio.network.groups import text_of, unwrapped

if TYPE_CHECKING:
    from moobius_trio.core.remote import AsyncRemoteWand, RemoteWand

__all__ = ("MoobiusWand", "open_wand")

log = structlog.get_logger()

STOP_SECONDS = 30.0

BODY_SECONDS = 10.0
"""For the body of the block to end when it is cancelled by a signal, as for a handler."""


H = TypeVar("H", bound=Handle)
H_co = TypeVar("H_co", bound=Handle, covariant=True)


class Served(Protocol[H_co]):
    """What the wand runs: a `MoobiusService` or a `MoobiusUser`."""

    async def serve(self, *, task_status: trio.TaskStatus[H_co] = ...) -> None: ...


class MoobiusWand:
    """One or several services, or users, run for as long as the block.

    ``async with MoobiusWand() as wand:`` waits at its end until its services have stopped. When
    shutdown begins, by a signal, the body of the block is cancelled; when the body raises, the
    services are stopped first.

    A service that fails takes no other with it: it is one line in the log, the others go on, and
    the block raises the error at its end. When none is left that runs, the body is cancelled, so
    that the process ends and whoever watches it starts it again.
    """

    def __init__(self) -> None:
        self._handles: list[Handle] = []
        self._stack = AsyncExitStack()
        self._body = trio.CancelScope()
        self._nursery: trio.Nursery | None = None
        self._signals: SignalState | None = None
        self._failures: list[Exception] = []
        self._drained_at: float | None = None
        self._body_ended = False

    async def __aenter__(self) -> Self:
        everything = trio.CancelScope()
        self._signals = self._stack.enter_context(
            # The services hear the signal themselves; the body has nothing left to do.
            counted_signals(
                drain=self._drain,
                cancel=everything.cancel,
                unending=self._kept_by,
                name="the body of the wand",
            )
        )
        self._stack.enter_context(everything)
        self._nursery = await self._stack.enter_async_context(trio.open_nursery())
        self._stack.enter_context(self._body)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        self._body_ended = True
        if isinstance(exc, Exception):
            # The error waits until what was said has left; the services bound that themselves.
            with trio.move_on_after(STOP_SECONDS, shield=True):
                for handle in self._handles:
                    handle.request_stop()
                for handle in self._handles:
                    await handle.wait_stopped()
        with unwrapped():
            # No shield: this is the block's own end, and cancelling it has to reach the services.
            suppressed = await self._stack.__aexit__(exc_type, exc, traceback)  # noqa: ASYNC102
        if self._signals is not None and self._signals.interrupted:
            raise ToldToStop(self._signals)
        if self._failures and (exc is None or suppressed):
            with unwrapped():
                raise ExceptionGroup("services failed", self._failures)
        return suppressed

    def _drain(self) -> None:
        self._drained_at = time.monotonic()
        self._body.cancel()

    def _kept_by(self) -> list[str] | None:
        """What keeps the block besides its services, which say so themselves; for the thread."""
        if self._body_ended:
            return []
        late = self._drained_at is not None and time.monotonic() > self._drained_at + BODY_SECONDS
        return ["the body of the wand"] if late else None

    def run(self, service: Served[H], **refused: Never) -> Coroutine[Any, Any, H]:
        """Run a service, or a user; awaited, it gives its handle when its `on_start` is done.

        What is wrong with the call is raised by the call itself, also when nobody awaits it, as a
        script for 0.0.1 would not.

        Raises:
            MovedError: a class was given, or an argument that is not ours.
            RuntimeError: not in the block of the wand.
            ServiceStopped: `moobius-trio stop` ended it before it was ready, while others run.
            Exception: whatever `MoobiusService.serve` raises before it is ready.
        """
        if isinstance(service, type):
            raise MovedError(
                "wand.run takes a service object, in `async with MoobiusWand() as wand:`: "
                f"handle = await wand.run({service.__name__}())"
            )
        for name in refused:
            raise MovedError(
                f"wand.run({name}=…): "
                + (refused_argument(name) or "wand.run takes the service alone")
            )
        if self._nursery is None:
            raise RuntimeError("use the wand as `async with MoobiusWand() as wand:`")
        return self._run(service, self._nursery)

    async def _run(self, service: Served[H], nursery: trio.Nursery) -> H:
        handle: H = await nursery.start(self._serve, service)
        return handle

    async def _serve(self, service: Served[H], *, task_status: trio.TaskStatus[H]) -> None:
        """Serve it. An error is the caller's before it is ready, and the wand's after that."""
        handle: H | None = None
        try:
            with unwrapped():
                async with trio.open_nursery() as nursery:
                    handle = await nursery.start(service.serve)
                    self._handles.append(handle)
                    task_status.started(handle)
        except SystemExit as end:
            # Its own stop, told to it alone, is not that of the process while others run.
            alone = self._signals is None or not self._signals.draining
            others = [one.name for one in self._handles if one.running]
            if not (handle is None and end.code == 0 and alone and others):
                raise
            name = type(service).__name__
            raise ServiceStopped(name, f"service {name} was stopped before it was ready.") from None
        except Exception as exc:  # boundary: one service of several
            if handle is None:
                raise
            self._failures.append(exc)
            others = [one.name for one in self._handles if one.running]
            log.error(
                "a service has failed",
                service=handle.name,
                error=f"{type(exc).__name__}: {text_of(exc)}",
                still_running=others,
            )
            if not others:
                self._body.cancel()

    def spell(self, handle: Handle, spell: object, timeout: float = 5.0) -> None:
        """Cast a spell and go on; see `ServiceHandle.spell`."""
        handle.spell(spell, timeout)

    async def aspell(self, handle: Handle, spell: object, *, wait: bool = False) -> object:
        """Cast a spell; see `ServiceHandle.aspell`."""
        return await handle.aspell(spell, wait=wait)

    @staticmethod
    def connect(name: str, *, environ: Mapping[str, str] | None = None) -> RemoteWand:
        """A wand for a service that runs in another process of this user.

        For plain scripts: it blocks and needs no event loop; `open_wand` is its twin for trio.

        Args:
            name: the service's, as `moobius-trio ps` shows it.
            environ: instead of the process's environment variables, which say where services of
                this user are found (docs/architecture.md section 7).

        Raises:
            NoSuchService: none of that name runs; a `ServiceStopped`.
            SpellTimedOut: its event loop stands still.
            ConfigError: the runtime folder cannot be used.
        """
        from moobius_trio.core.remote import Place, RemoteWand

        wand = RemoteWand(Place.of(name, environ))
        wand.status()
        return wand


@asynccontextmanager
async def open_wand(
    name: str, *, environ: Mapping[str, str] | None = None
) -> AsyncIterator[AsyncRemoteWand]:
    """A wand for a service that runs in another process: the twin of `MoobiusWand.connect` on trio.

    Args:
        name: the service's, as `moobius-trio ps` shows it.
        environ: as `MoobiusWand.connect`.

    Raises:
        NoSuchService: none of that name runs; a `ServiceStopped`.
        ConfigError: the runtime folder cannot be used.
    """
    from moobius_trio.core.remote import AsyncRemoteWand, Place

    wand = AsyncRemoteWand(Place.of(name, environ))
    await wand.status()
    yield wand
