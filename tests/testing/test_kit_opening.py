"""The ways to open the kit: in simulated time or over sockets, with pytest or without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from moobius_trio import (
    MessageUp,
    MoobiusService,
)
from moobius_trio.local import Knobs
from moobius_trio.testing import SERVICE, Actor, Local, LocalBand, open_local


class Echo(MoobiusService):
    """Passes on what it hears."""

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        if msg_up.text == "boom":
            raise ValueError("nope")
        await self.send(self.msg_up_to_msg_down(msg_up))


def simulated() -> trio.testing.MockClock:
    """The clock the kit wants in memory."""
    return trio.testing.MockClock(autojump_threshold=0)


async def alone(local: Local, service: MoobiusService[Any]) -> Actor:
    """Alice in the service's room."""
    [alice] = await (await local.start(service)).join("Alice")
    return alice


@pytest.mark.parametrize("clock", [None, trio.testing.MockClock(), trio.testing.MockClock(rate=5)])
def test_memory_wants_a_clock_that_jumps(clock: trio.abc.Clock | None) -> None:
    """On any other clock it would hang or take real minutes, so that it says what to do."""

    async def main() -> None:
        async with open_local():
            raise AssertionError("not reached")

    with pytest.raises(RuntimeError, match="autojump_threshold=0"):
        trio.run(main, clock=clock)


def test_it_opens_without_pytest() -> None:
    """A plain script gets the same, and its own errors as they are."""

    async def main() -> list[str]:
        async with open_local(bands=["more"]) as local:
            [alice] = await (await local.start(Echo(), bands=["more"])).join("Alice")
            await alice.say("hello")
            return alice.texts

    async def failing() -> None:
        async with open_local() as local:
            await local.start(Echo())
            raise LookupError("mine")

    assert trio.run(main, clock=simulated()) == ["hello"]
    with pytest.raises(LookupError, match="mine"):
        trio.run(failing, clock=simulated())


async def test_threads_are_refused_in_simulated_time(local: Local) -> None:
    """A handler that asks for one is told what to write instead, and that works."""

    class Reader(MoobiusService):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            match msg_up.text:
                case "thread":
                    await trio.to_thread.run_sync(Path(__file__).read_text)
                case "path":
                    await trio.Path(__file__).read_text()
                case _:
                    text = await self.run_sync(Path(__file__).read_text)
                    await self.reply(msg_up, text[:10])

    alice = await alone(local, Reader())
    for word in ("thread", "path"):
        with pytest.raises(RuntimeError, match=r"self\.run_sync\(fn"):
            await alice.say(word)
    began = trio.current_time()
    await alice.say("inline")
    assert (alice.last.text or "").startswith('"""The')
    assert trio.current_time() - began < 60


def test_threads_are_allowed_again_afterwards() -> None:
    """Nothing of the guard outlives the block."""

    async def main() -> int:
        async with open_local():
            pass
        return await trio.to_thread.run_sync(lambda: 2)

    assert trio.run(main, clock=simulated()) == 2


async def test_time_passes_only_when_it_is_skipped(local: Local) -> None:
    """Calls take no time of their own, so that a job falls due where the test expects it."""
    began = trio.current_time()
    alice, bob = await (await local.start(Echo())).join("Alice", "Bob")
    for _ in range(20):
        await alice.say("hello")
        await bob.fetch()
    assert trio.current_time() - began < 1


@pytest.mark.local(sockets=True)
async def test_echo_over_real_sockets(local: Local) -> None:
    """The same calls hold over loopback sockets, also through a cut."""
    alice, bob = await (await local.start(Echo())).join("Alice", "Bob")
    assert alice.names == bob.names == ["Alice", "Bob"]
    await alice.say("hello")
    assert alice.texts == bob.texts == ["hello"]
    await local.drop_socket()
    await alice.say("psst", to=[bob])
    assert bob.texts == ["hello", "psst"]
    assert alice.texts == ["hello"]
    with pytest.raises(ValueError, match="nope"):
        await alice.say("boom")
    with pytest.raises(RuntimeError, match="real sockets"):
        await local.skip(minutes=1)
    assert [record.handler for record in local.trace if "psst" in record.frame]
    assert all(record.unit is not None for record in local.trace)


@pytest.mark.local(sockets=True)
async def test_all_has_been_seen_over_real_sockets(local: Local) -> None:
    """Also of a handler that says much and late, before one call returns."""

    class Burst(MoobiusService):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            await trio.sleep(0.1)
            members = self.bands[msg_up.channel_id].members
            for number in range(300):
                await self.create_message(msg_up.channel_id, str(number), members)

    alice, bob = await (await local.start(Burst())).join("Alice", "Bob")
    await alice.say("go", to=SERVICE)
    assert alice.texts == bob.texts == [str(number) for number in range(300)]


@pytest.mark.local(sockets=True, bands=["more"], knobs=Knobs(answer_pings=False))
async def test_the_marker_gives_the_options(local: Local) -> None:
    """Bands and knobs of the platform come from the marker, and threads are allowed."""
    assert [band.name for band in local.platform.bands()] == ["local-demo", "more"]
    [alice] = await (await local.start(Echo(), bands=["more"])).join("Alice")
    assert isinstance(local.band("more"), LocalBand)
    await alice.say("hello")
    assert alice.texts == ["hello"]
    assert await trio.to_thread.run_sync(lambda: 1) == 1
