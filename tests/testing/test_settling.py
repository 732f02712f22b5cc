"""How the kit finds out over sockets that nothing is on its way any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import attrs
import trio

from moobius_trio.testing.actors import Actor
from moobius_trio.testing.settling import Run, Settling


@attrs.define
class Wire:
    """A service, a person, and frames on their way between them, each as a number."""

    to_service: int = 0
    to_person: int = 0
    handled: int = 0
    seen: int = 0
    surprises: int = 0
    """Frames for the service that set out as the person catches up."""
    probes: int = 0


@attrs.frozen
class FakeService:
    """Stands for a runtime, its outbox and its lanes."""

    wire: Wire
    stopped: trio.Event = attrs.field(factory=trio.Event)

    @property
    def idle(self) -> bool:
        return not self.wire.probes

    @property
    def outbox(self) -> FakeService:
        return self

    @property
    def dispatcher(self) -> FakeService:
        return self

    @property
    def lanes(self) -> Wire:
        return self.wire

    async def put(self, command: object) -> None:
        self.wire.probes += 1

    async def wait_idle(self) -> None:
        """With an answered probe, what was on its way to the service has come."""
        await trio.lowlevel.checkpoint()
        if self.wire.probes:
            self.wire.handled += self.wire.to_service
            self.wire.to_person += self.wire.to_service
            self.wire.to_service = self.wire.probes = 0


@attrs.frozen
class FakePerson:
    """Stands for an actor."""

    wire: Wire

    @property
    def seen(self) -> int:
        return self.wire.seen

    async def catch_up(self) -> None:
        await trio.lowlevel.checkpoint()
        self.wire.seen += self.wire.to_person
        self.wire.to_person = 0
        self.wire.to_service += self.wire.surprises
        self.wire.surprises = 0


@attrs.frozen
class FakeRun:
    """A run that goes on."""

    runtime: Any


def settling(wire: Wire) -> Settling:
    """The kit's way to wait, with these two parties."""
    return Settling(
        runs=cast("Sequence[Run]", [FakeRun(FakeService(wire))]),
        actors=cast("Sequence[Actor]", [FakePerson(wire)]),
        simulated=False,
    )


async def test_what_is_on_its_way_is_seen_first() -> None:
    """An event that the service has not even read is handled, and its frames are seen."""
    wire = Wire(to_service=1)
    await settling(wire).wait()
    assert (wire.handled, wire.seen) == (1, 1)


async def test_it_looks_again_while_something_moves() -> None:
    """What sets out during the last look is waited for as well."""
    wire = Wire(to_service=1, surprises=2)
    await settling(wire).wait()
    assert (wire.handled, wire.seen) == (3, 3)
