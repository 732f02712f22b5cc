"""A service that goes into one state and stays there; run by test_shutdown.py in its own process.

The first argument names the state, the second says ``long`` if `on_stop` is to take its time. It
prints ``there`` when the state is reached and ``counted`` for each signal. The time limits of a
stop are a fraction of the real ones: their order is what matters here, not their length.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple

import trio

from moobius_trio import (
    Band,
    ChannelId,
    MessageUp,
    MoobiusService,
    MoobiusWand,
    UserId,
    container,
    every,
    run,
)
from moobius_trio.core import ending, last_resort
from moobius_trio.core import wand as wands
from moobius_trio.core.environment import Environment
from moobius_trio.core.threads import run_in_thread
from moobius_trio.testing.core_rig import deliver, runtime_of
from moobius_trio.types import Content

BESIDE_ANOTHER = sys.argv[1].startswith("beside another: ")
STATE = sys.argv[1].removeprefix("beside another: ")
LONG = sys.argv[2:] == ["long"]
ALICE = UserId("alice")

ending.LANES_SECONDS = 1.0
wands.BODY_SECONDS = 1.0
ending.ON_STOP_SECONDS = 8.0
ending.OUTBOX_SECONDS = 0.5
ending.CANCELLED_SECONDS = 0.3
last_resort.STANDING_SECONDS = 3.0
last_resort.STILL_SECONDS = 0.5
last_resort.MOST_SECONDS = 6.0
last_resort.INTERRUPTED_SECONDS = 1.5

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_arm = last_resort.LastResort.arm


def arm(self: last_resort.LastResort) -> None:
    """Tell of each signal, in the handler itself: the event loop may stand still."""
    _arm(self)
    os.write(1, b"counted\n")


last_resort.LastResort.arm = arm  # type: ignore[method-assign]


def there() -> None:
    """The state is reached."""
    print("there", flush=True)  # noqa: T201


async def shielded() -> None:
    """Lets nobody end it."""
    with trio.CancelScope(shield=True):
        there()
        await trio.sleep_forever()  # the guilty line of shielded


async def swallowing() -> None:
    """Takes every cancellation for a disturbance."""
    there()
    while True:
        with contextlib.suppress(BaseException):
            await trio.sleep(60)  # the guilty line of swallowing


def spinning() -> None:
    """Never looks at the event loop again."""
    there()
    all(True for _ in itertools.repeat(0))  # the guilty line of spinning


def deaf() -> None:
    """As `spinning`, and takes the second signal's exception for a disturbance too."""
    there()
    while True:
        with contextlib.suppress(BaseException):
            all(True for _ in itertools.repeat(0))  # the guilty line of deaf


class Room(Band):
    """A band with something to store."""

    counts = container(int)


class Held(MoobiusService[Room]):
    """The service that is stopped."""

    hanging = False

    async def on_start(self) -> None:
        await self.be("start")

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await self.be("handler")

    async def on_spell(self, spell: object) -> object:
        await self.be("spell")
        return None

    async def on_stop(self) -> None:
        print("on_stop", flush=True)  # noqa: T201
        if LONG:
            await trio.sleep(8)
        elif STATE == "another stop":
            await trio.sleep(2)  # the signal comes meanwhile

    @every(seconds=0.1)
    async def tick(self) -> None:
        await self.be("job")

    async def be(self, where: str) -> None:
        """Go into the state if it is one of this place."""
        match STATE.removeprefix(f"{where} "):
            case "that waits":
                there()
                await trio.sleep_forever()
            case "that ends":
                there()
                await trio.sleep(0.3)
            case "that shields itself":
                await shielded()
            case "that swallows":
                await swallowing()
            case "that spins":
                spinning()
            case "that is deaf":
                deaf()
            case "that is late, own signals":
                with trio.CancelScope(shield=True):
                    there()
                    await trio.sleep(4)
                    print("ended late", flush=True)  # noqa: T201
            case "in a thread":
                there()
                await self.run_sync(time.sleep, 600)  # the guilty line of thread


def use_hanging_disk(service: Held) -> None:
    """Its threads do nothing any more as soon as `hanging` is set."""

    async def run_sync(fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
        if service.hanging:
            await run_in_thread(time.sleep, 600)
        return await run_in_thread(fn, *args)

    service._environment = Environment(run_sync=run_sync)


async def scene(service: Held, handle: Any) -> None:
    """What happens when the service is ready."""
    (channel_id,) = service.bands
    place = STATE.partition(" ")[0]
    if place in ("handler", "another"):
        message = MessageUp(
            channel_id=ChannelId(channel_id), sender=ALICE, content=Content(text="x")
        )
        deliver(service, message)
    if place == "spell":
        handle.spell("x")
    if STATE == "idle":
        there()
    if STATE == "frames that nobody confirms":
        await service.create_message(channel_id, "hello", ALICE)
        there()
    if STATE == "reconnecting":
        print("connected", flush=True)  # noqa: T201
        while runtime_of(service).link.statistics().state != "waiting":  # noqa: ASYNC110
            await trio.sleep(0.01)
        there()
    if STATE == "a disk that hangs":
        service.hanging = True
        service.bands[channel_id].counts[ALICE] = 1
        await trio.sleep(0.2)
        there()
    if STATE == "another stop":
        handle.request_stop()
        there()


class Second(MoobiusService):
    """Starts for ever, or takes its time to stop."""

    async def on_start(self) -> None:
        if STATE == "second service still starting":
            there()
            await trio.sleep_forever()

    async def on_stop(self) -> None:
        await trio.sleep(2)
        print("second on_stop", flush=True)  # noqa: T201


async def main() -> None:
    """Run it in a nursery, with what the state needs beside it."""
    service = Held("service.json")
    if STATE == "a disk that hangs":
        use_hanging_disk(service)
    if STATE in ("signing in", "logging in", "reading a file that hangs"):
        await service.serve()
        return
    async with trio.open_nursery() as nursery:
        if BESIDE_ANOTHER:
            second = Second("second.json")
            await nursery.start(second.serve)
        handle = await nursery.start(service.serve)
        if STATE == "second service still starting":
            await nursery.start(Second("second.json").serve)
        await scene(service, handle)


async def main_with_wand() -> None:
    """The block's own code takes no cancellation."""
    async with MoobiusWand() as wand:
        await wand.run(Held("service.json"))
        await shielded()


def handle_signals(stop: Callable[[], None]) -> None:
    """Have the program handle its signals itself: the package then leaves them alone."""

    def stop_soon(number: int, frame: object) -> None:
        stop()
        os.write(1, b"counted\n")

    signal.signal(signal.SIGINT, stop_soon)
    signal.signal(signal.SIGTERM, stop_soon)


async def main_with_own_signals() -> None:
    """As `main`, with a nursery and a handler of signals of the program's own."""
    service, token = Held("service.json"), trio.lowlevel.current_trio_token()
    handle_signals(lambda: token.run_sync_soon(lambda: handle.request_stop()))
    async with trio.open_nursery() as nursery:
        handle = await nursery.start(service.serve)
        await scene(service, handle)


if __name__ == "__main__":
    if STATE == "body of a wand":
        run(main_with_wand)
    elif STATE.endswith("own signals"):
        run(main_with_own_signals)
    else:
        run(main)
