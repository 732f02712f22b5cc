"""Spells: what is cast into a running service, one at a time, and the answers that go back.

The channel is the service's own and outlives a run; nothing here opens or closes it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import structlog
import trio

from moobius_trio.core.boundary import Boundary
from moobius_trio.core.units import Unit
from moobius_trio.errors import ServiceStopped

__all__ = ("CastSpell", "SpellLoop", "SpellStatistics")

log = structlog.get_logger()


@attrs.frozen(kw_only=True)
class SpellStatistics:
    """A snapshot."""

    waiting: int
    """Accepted and not begun."""
    begun: int
    """Since the start of the service."""
    running: bool


@attrs.define(eq=False)
class CastSpell:
    """A spell on its way, and what its caster is told."""

    spell: object
    awaited: bool
    """The caster waits for what becomes of it, and gets the error too."""
    ended: trio.Event = attrs.field(factory=trio.Event)
    result: object = None
    error: BaseException | None = None
    begun: bool = False
    cut_off: bool = False
    """The service stopped before it had ended."""

    def end(self, *, result: object = None, error: BaseException | None = None) -> None:
        """Tell the caster; for the first time only."""
        if not self.ended.is_set():
            self.result, self.error = result, error
            self.ended.set()

    def cut(self, name: str) -> None:
        """Tell the caster that the service of this name stopped first."""
        if not self.ended.is_set():
            self.cut_off = True
            fate = "the spell was cancelled" if self.begun else "the spell was not cast"
            self.end(error=ServiceStopped(name, f"service {name} has stopped; {fate}."))

    def forget_caster(self) -> None:
        """Nobody waits any more: an error is reported like that of any other spell."""
        self.awaited = False

    async def outcome(self) -> object:
        """Wait for what `on_spell` returned, or raise what it raised."""
        try:
            await self.ended.wait()
        finally:
            self.forget_caster()
        if self.error is not None:
            raise self.error
        return self.result


class SpellLoop:
    """Takes spells out of the channel and runs `on_spell` for each, one after the other."""

    def __init__(
        self,
        *,
        spells: trio.MemoryReceiveChannel[object],
        on_spell: Callable[[object], Awaitable[object]],
        handler: str,
        boundary: Boundary,
        name: str,
    ) -> None:
        self._spells = spells
        self._on_spell = on_spell
        self._handler = handler
        self._boundary = boundary
        self._name = name
        self._scope = trio.CancelScope()
        self._closed = False
        self._running = False
        self._begun = 0
        self._not_begun: list[object] = []
        self._ended = trio.Event()
        """Set, and replaced, whenever a spell has ended."""

    @property
    def running(self) -> list[str]:
        """The handler, if a spell runs now."""
        return [self._handler] if self._running else []

    @property
    def idle(self) -> bool:
        """True when no spell waits or runs."""
        channel = self._spells.statistics()
        # A spell that is handed over at this moment is in no buffer, and nobody waits for it.
        on_its_way = not channel.tasks_waiting_receive and not self._closed
        return not (self._running or channel.current_buffer_used or on_its_way)

    def statistics(self) -> SpellStatistics:
        """A snapshot."""
        return SpellStatistics(
            waiting=self._spells.statistics().current_buffer_used + len(self._not_begun),
            begun=self._begun,
            running=self._running,
        )

    async def serve(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Run spells one after the other; after `close` the one that runs is the last."""
        task_status.started()
        with self._scope:
            while not self._closed:
                spell = await self._spells.receive()
                if self._closed:  # while this waited
                    self._not_begun.append(spell)
                    break
                self._running = True
                self._begun += 1
                try:
                    await self._run(spell)
                finally:
                    self._running = False
                    self._ended.set()
                    self._ended = trio.Event()

    async def close(self) -> None:
        """Take no further spells, and wait for the one that runs; safe to cancel."""
        self._closed = True
        while self._running:
            await self._ended.wait()

    def end(self) -> None:
        """Cancel the spell that runs; there is no further one."""
        self._closed = True
        self._scope.cancel()

    async def wait_idle(self) -> None:
        """Wait until no spell waits or runs; safe to cancel."""
        while not self.idle:
            await self._ended.wait()

    def discard_waiting(self) -> None:
        """Refuse what was accepted and not begun; it is counted in the log."""
        discarded, self._not_begun = self._not_begun, []
        while True:
            try:
                discarded.append(self._spells.receive_nowait())
            except (trio.WouldBlock, trio.EndOfChannel):
                break
        for spell in discarded:
            if isinstance(spell, CastSpell):
                spell.cut(self._name)
        if discarded:
            log.warning(
                "spells were accepted but not begun before the stop",
                service=self._name,
                spells=len(discarded),
            )

    async def _run(self, spell: object) -> None:
        unit = Unit(handler=self._handler)
        cast = spell if isinstance(spell, CastSpell) else CastSpell(spell, awaited=False)
        cast.begun = True
        try:
            result = await self._boundary.attempt(unit, lambda: self._on_spell(cast.spell))
        except Exception as exc:  # boundary: one spell; a caster who waits gets the error
            if cast.awaited:
                log.info("a spell raised; its caster has the error", error=type(exc).__name__)
                cast.end(error=exc)
            else:
                await self._boundary.report(cast.spell, unit, exc)
        except BaseException:
            cast.cut(self._name)
            raise
        else:
            cast.end(result=result)
