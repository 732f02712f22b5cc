"""What processes outside may have of a service: cast a spell, see how it does, have it stop.

The socket they come through is not known here, and nothing waits.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import attrs
import trio

from moobius_trio.core.spell_wire import (
    Accepted,
    Answer,
    Cast,
    Raised,
    Refused,
    Returned,
    Stopped,
    Unsendable,
    frame,
)
from moobius_trio.core.spells import CastSpell
from moobius_trio.logs import redact
from moobius_trio.network.groups import text_of
from moobius_trio.types import ServiceStatus

if TYPE_CHECKING:
    from moobius_trio.core.running import Running

__all__ = ("Outside", "Taken")


@attrs.frozen
class Taken:
    """What became of a request to cast."""

    answer: Answer
    spell: CastSpell | None = None
    """None: it will not be cast."""


@attrs.frozen(kw_only=True)
class Outside:
    """One run of a service, as other processes see it."""

    name: str
    """What they know it by."""
    since: datetime
    spells: trio.MemorySendChannel[object]
    runtime: Callable[[], Running | None]
    """The parts of the run; None until it is ready."""
    stop: Callable[[], None]
    """Begin to stop as one SIGTERM has it; safe to call again."""

    def status(self) -> ServiceStatus:
        """How it does."""
        runtime = self.runtime()
        if runtime is None:
            state = "starting"
        else:
            state = "stopping" if runtime.stopping.is_set() else "ready"
        return ServiceStatus(
            name=self.name,
            pid=os.getpid(),
            service_id=None if runtime is None else runtime.client_id,
            bands=() if runtime is None else tuple(runtime.bands),
            state=state,
            since=self.since,
        )

    def cast(self, request: Cast) -> Taken:
        """Take a spell into the queue that all spells wait in."""
        runtime = self.runtime()
        if runtime is None:
            return Taken(Refused("it is still starting; try again when it is ready."))
        if runtime.stopping.is_set():
            return Taken(Stopped(begun=False))
        spell = CastSpell(request.spell, awaited=request.wait)
        try:
            self.spells.send_nowait(spell)
        except trio.WouldBlock:
            return Taken(Refused("too many spells wait already; try again later."))
        return Taken(Accepted(), spell)

    def outcome(self, spell: CastSpell) -> Answer:
        """What the caster of a spell that has ended is told."""
        if spell.cut_off:
            return Stopped(begun=spell.begun)
        if spell.error is not None:
            return Raised(type(spell.error).__name__, redact(text_of(spell.error)))
        answer = Returned(spell.result)
        try:
            frame(answer)
        except (TypeError, ValueError) as exc:
            return Unsendable(redact(f"what on_spell returned cannot be sent, {exc}"))
        return answer
