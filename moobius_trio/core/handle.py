"""The handle of a running service: cast spells, stop it, look at its figures."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import trio

from moobius_trio.core.spells import CastSpell
from moobius_trio.errors import ServiceStopped
from moobius_trio.types import ChannelId, ServiceId

if TYPE_CHECKING:
    from moobius_trio.core.running import Running
    from moobius_trio.core.runtime import Runtime
    from moobius_trio.core.statistics import ServiceStatistics

__all__ = ("Handle", "ServiceHandle")


class Handle:
    """What the handles of a service and of a user have in common.

    Attributes:
        name: what it is called.
        channels: the bands it took, or joined, at its start.
    """

    def __init__(
        self,
        runtime: Running,
        *,
        spells: trio.MemorySendChannel[object],
        token: trio.lowlevel.TrioToken,
    ) -> None:
        self._runtime = runtime
        self._spells = spells
        self._token = token
        self.name: str = runtime.name
        self.channels: tuple[ChannelId, ...] = tuple(runtime.bands)

    @property
    def spells(self) -> trio.MemorySendChannel[object]:
        """The memory channel that spells go into; for the event loop's own thread only."""
        return self._spells

    @property
    def running(self) -> bool:
        """False as soon as the service takes no more spells."""
        return not self._runtime.stopping.is_set()

    def spell(self, spell: object, timeout: float = 5.0) -> None:
        """Cast a spell and go on; from the loop's thread or any other one.

        Args:
            timeout: seconds another thread waits for the spell to be accepted.

        Raises:
            WouldBlock: too many spells wait.
            ServiceStopped: the service does not run.
            TooSlowError: from another thread, the loop did not accept it in time; it is not
                delivered any more.
        """
        try:
            in_loop = trio.lowlevel.current_trio_token() is self._token
        except RuntimeError:
            in_loop = False
        if in_loop:
            self._accept(spell)
        else:
            self._cast_from_thread(spell, timeout)

    async def aspell(self, spell: object, *, wait: bool = False) -> object:
        """Cast a spell; returns when it is accepted, waiting while too many wait.

        Args:
            wait: return only when `on_spell` has ended, with what it returned.

        Raises:
            ServiceStopped: the service does not run, or stopped before the spell began.
            Exception: with `wait`, whatever `on_spell` raised.
        """
        self._check()
        cast = CastSpell(spell, awaited=wait)
        await self._spells.send(cast)
        if wait:
            return await cast.outcome()
        if cast.error is not None:  # the service stopped while this waited for room
            raise cast.error
        return None

    def request_stop(self) -> None:
        """Begin to stop: handlers finish, frames leave, stores are flushed; returns at once."""
        self._runtime.stopping.set()

    async def stop(self) -> None:
        """Stop the service and wait until it has ended. Safe to cancel; it ends all the same."""
        self.request_stop()
        await self.wait_stopped()

    async def wait_stopped(self) -> None:
        """Wait until the service has ended, for whatever reason."""
        await self._runtime.stopped.wait()

    def statistics(self) -> ServiceStatistics:
        """A snapshot; of a service that has ended, the last one."""
        return self._runtime.statistics()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {'running' if self.running else 'stopped'}>"

    def _check(self) -> None:
        if not self.running:
            raise ServiceStopped(self.name)

    def _accept(self, spell: object) -> None:
        self._check()
        self._spells.send_nowait(spell)

    def _cast_from_thread(self, spell: object, timeout: float) -> None:
        """Hand the spell to the loop; whoever gets the lock first decides whether it is cast."""
        lock = threading.Lock()
        answered = threading.Event()
        failure: list[BaseException] = []
        given_up = False

        def accept() -> None:
            with lock:
                if given_up:
                    return
                try:
                    self._accept(spell)
                except (trio.WouldBlock, ServiceStopped) as exc:
                    failure.append(exc)
                answered.set()

        try:
            self._token.run_sync_soon(accept)
        except trio.RunFinishedError:
            raise ServiceStopped(self.name) from None
        if not answered.wait(timeout):
            with lock:
                if not answered.is_set():
                    given_up = True
                    raise trio.TooSlowError(
                        f"service {self.name} did not accept the spell in {timeout:g} s; "
                        "it will not be cast"
                    )
        if failure:
            raise failure[0]


class ServiceHandle(Handle):
    """What ``nursery.start(service.serve)`` and ``wand.run(service)`` give.

    Attributes:
        name: the service's name.
        channels: the bands it took.
    """

    _runtime: Runtime

    @property
    def service_id(self) -> ServiceId:
        """The service's id on the platform."""
        return self._runtime.service_id
