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

__all__ = ("AwaitedSpell", "SpellLoop")

log = structlog.get_logger()


@attrs.define(eq=False)
class AwaitedSpell:
    """A spell whose caster waits for what becomes of it."""

    spell: object
    ended: trio.Event = attrs.field(factory=trio.Event)
    result: object = None
    error: BaseException | None = None

    def end(self, *, result: object = None, error: BaseException | None = None) -> None:
        """Tell the caster."""
        if not self.ended.is_set():
            self.result, self.error = result, error
            self.ended.set()

    async def outcome(self) -> object:
        """Wait for what `on_spell` returned, or raise what it raised."""
        await self.ended.wait()
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
        self._closed = False
        self._running = False
        self._ended = trio.Event()
        """Set, and replaced, whenever a spell has ended."""

    @property
    def idle(self) -> bool:
        """True when no spell waits or runs."""
        return not self._running and self._spells.statistics().current_buffer_used == 0

    async def serve(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Run spells until cancelled; after `close` the one that runs is the last."""
        task_status.started()
        while not self._closed:
            spell = await self._spells.receive()
            self._running = True
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

    async def wait_idle(self) -> None:
        """Wait until no spell waits or runs; safe to cancel."""
        while not self.idle:
            await self._ended.wait()

    def discard_waiting(self) -> None:
        """Refuse what was accepted and not begun; it is counted in the log."""
        discarded = 0
        while True:
            try:
                spell = self._spells.receive_nowait()
            except (trio.WouldBlock, trio.EndOfChannel):
                break
            discarded += 1
            if isinstance(spell, AwaitedSpell):
                spell.end(error=ServiceStopped(self._name))
        if discarded:
            log.warning("spells were accepted but not begun before the stop", spells=discarded)

    async def _run(self, spell: object) -> None:
        unit = Unit(handler=self._handler)
        if not isinstance(spell, AwaitedSpell):
            await self._boundary.run(spell, unit, lambda: self._on_spell(spell))
            return
        try:
            result = await self._boundary.attempt(unit, lambda: self._on_spell(spell.spell))
        except Exception as exc:  # boundary: one spell; its caster gets the error
            log.info("a spell raised; its caster has the error", error=type(exc).__name__)
            spell.end(error=exc)
        except BaseException:
            spell.end(error=ServiceStopped(self._name))
            raise
        else:
            spell.end(result=result)
