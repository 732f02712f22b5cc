"""The wand: services side by side, a body that ends with them, and errors that arrive whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from moobius_trio import (
    ChannelId,
    MoobiusService,
    MoobiusWand,
    MovedError,
    ServiceStopped,
    UserId,
    open_wand,
)
from moobius_trio.errors import ConfigError, SignInRefused
from moobius_trio.testing import Local
from moobius_trio.testing.core_rig import FakeSignals, place, reachable, runtime_of
from moobius_trio.types import Secret

ALICE = UserId("alice")


class Service(MoobiusService):
    """Notes its life."""

    def __init__(self) -> None:
        super().__init__()
        self.life: list[object] = []

    async def on_start(self) -> None:
        self.life.append("start")

    async def on_stop(self) -> None:
        self.life.append("stop")

    async def on_spell(self, spell: object) -> object:
        self.life.append(spell)
        return f"cast {spell}"


class Other(Service):
    """A second one, with a name of its own."""


def two(local: Local) -> tuple[Service, Other]:
    """Two services on two bands."""
    one, other = Service(), Other()
    place(local, one, bands=["red"])
    place(local, other, bands=["blue"], email="other@example.org")
    return one, other


async def test_two_services_in_one_wand(local: Local) -> None:
    """Each has its handle, and a spell goes to the one it is cast at."""
    one, other = two(local)
    async with MoobiusWand() as wand:
        first, second = await wand.run(one), await wand.run(other)
        assert (first.name, second.name) == ("service", "other")
        assert (first.channels, second.channels) == (("local-red",), ("local-blue",))
        wand.spell(first, "abra")
        assert await wand.aspell(second, "kadabra", wait=True) == "cast kadabra"
        for handle in (first, second):
            handle.request_stop()
    assert one.life == ["start", "abra", "stop"]
    assert other.life == ["start", "kadabra", "stop"]
    assert not first.running


async def test_the_block_waits_at_its_end_for_its_services(local: Local) -> None:
    """A body that has nothing more to do does not end the services."""
    one, _ = two(local)

    async def stop_later(handle: Any) -> None:
        await trio.sleep(100)
        await handle.stop()

    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        async with MoobiusWand() as wand:
            handle = await wand.run(one)
            nursery.start_soon(stop_later, handle)
        assert trio.current_time() - start >= 100
    assert trio.current_time() - start < 101


async def test_the_body_is_cancelled_when_the_shutdown_begins(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the first signal the services drain and the body gets its cancellation at once."""
    signals = FakeSignals()
    signals.install(monkeypatch)
    one, other = two(local)
    ends: list[str] = []
    async with MoobiusWand() as wand:
        await wand.run(one)
        await wand.run(other)
        signals.send()
        try:
            await trio.sleep_forever()
        finally:
            ends.append("body")
    assert ends == ["body"]
    assert one.life == other.life == ["start", "stop"]


async def test_the_second_signal_ends_with_130(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything is cancelled, handlers that would take their time too."""

    class Slow(Service):
        async def on_stop(self) -> None:
            signals.send()
            await trio.sleep(3)
            self.life.append("not reached")

    signals = FakeSignals()
    signals.install(monkeypatch)
    slow = Slow()
    place(local, slow)

    async def program() -> None:
        async with MoobiusWand() as wand:
            await wand.run(slow)
            signals.send()
            await trio.sleep_forever()

    start = trio.current_time()
    with pytest.raises(SystemExit) as info:
        await program()
    assert info.value.code == 130
    assert trio.current_time() == start
    assert slow.life == ["start"]


async def test_an_error_of_the_body_waits_for_the_services(local: Local) -> None:
    """What was said leaves and `on_stop` runs; then the error comes out, alone."""

    class Speaking(Service):
        async def on_stop(self) -> None:
            await super().on_stop()
            await self.create_message(ChannelId("local-demo"), "goodbye", alice.user_id)

    [alice] = await local.band("local-demo").join("Alice")
    service = Speaking()
    place(local, service)

    async def program() -> None:
        async with MoobiusWand() as wand:
            await wand.run(service)
            raise LookupError("in the body")

    with pytest.raises(LookupError, match="in the body"):
        await program()
    assert service.life == ["start", "stop"]
    assert alice.texts == ["goodbye"]


async def test_a_cancelled_block_ends_its_services(local: Local) -> None:
    """Cancelled from outside, services are cancelled, without their `on_stop`."""
    one, other = two(local)
    with trio.move_on_after(5) as scope:
        async with MoobiusWand() as wand:
            await wand.run(one)
            await wand.run(other)
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert one.life == other.life == ["start"]


async def test_an_error_of_one_service_ends_the_others_and_comes_out_alone(local: Local) -> None:
    """A service that cannot start raises out of `run`, as what it is."""

    class Broken(Service):
        async def on_start(self) -> None:
            raise LookupError("cannot start")

    one, broken = Service(), Broken()
    place(local, one, bands=["red"])
    place(local, broken, bands=["blue"], email="other@example.org")

    async def program() -> None:
        async with MoobiusWand() as wand:
            await wand.run(one)
            await wand.run(broken)

    with pytest.raises(LookupError, match="cannot start"):
        await program()
    assert one.life == ["start", "stop"]


async def fail() -> None:
    """A task of the SDK's own that crashes."""
    raise LookupError("later")


async def test_a_service_that_fails_takes_no_other_with_it(local: Local) -> None:
    """One line says so; the other goes on, and the block raises the error at its end (F54)."""
    one, other = two(local)

    async def program() -> None:
        async with MoobiusWand() as wand:
            failing, running = await wand.run(one), await wand.run(other)
            runtime_of(one).nursery.start_soon(fail)
            await failing.wait_stopped()
            assert running.running
            assert await wand.aspell(running, "abra", wait=True) == "cast abra"
            with pytest.raises(ServiceStopped):
                wand.spell(failing, "late")
            running.request_stop()

    with capture_logs() as logs, pytest.raises(LookupError, match="later"):
        await program()
    assert other.life == ["start", "abra", "stop"]
    (entry,) = [entry for entry in logs if entry["event"] == "a service has failed"]
    assert (entry["service"], entry["still_running"]) == ("service", ["other"])
    assert entry["error"] == "LookupError: later"


async def test_the_body_does_not_outlive_the_last_service_that_fails(local: Local) -> None:
    """A process without a service would never be started again; both errors come out."""
    one, other = two(local)

    async def program() -> None:
        async with MoobiusWand() as wand:
            await wand.run(one)
            handle = await wand.run(other)
            runtime_of(one).nursery.start_soon(fail)
            await trio.sleep(5)
            assert handle.running
            runtime_of(other).nursery.start_soon(fail)
            await trio.sleep_forever()

    with pytest.RaisesGroup(LookupError, LookupError):
        await program()


async def test_a_rejected_login_of_one_leaves_the_other_alone(local: Local) -> None:
    """What keeps a service from starting is raised by `run`; the body may go on without it."""
    one, other = two(local)
    place(local, other, bands=["green"], password=Secret("wrong"))
    async with MoobiusWand() as wand:
        handle = await wand.run(one)
        with pytest.raises(SignInRefused):
            await wand.run(other)
        assert handle.running
        handle.request_stop()
    assert one.life == ["start", "stop"]


async def test_a_stop_of_one_that_still_starts_leaves_the_other_alone(local: Local) -> None:
    """`moobius-trio stop` is meant for one service; the body of the wand hears of it (F54)."""

    class Waiting(Other):
        async def on_start(self) -> None:
            await trio.sleep(3600)

    with reachable() as environ:
        one, other = Service(), Waiting()
        place(local, one, bands=["red"])
        place(local, other, bands=["blue"], email="other@example.org")

        async def stop() -> None:
            await trio.sleep(1)
            async with open_wand("waiting", environ=environ) as remote:
                await remote.stop()

        async with MoobiusWand() as wand:
            handle = await wand.run(one)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stop)
                with pytest.raises(ServiceStopped, match="before it was ready"):
                    await wand.run(other)
            assert await wand.aspell(handle, "abra", wait=True) == "cast abra"
            handle.request_stop()
    assert one.life == ["start", "abra", "stop"]


async def test_old_forms_are_refused_with_the_new_one(local: Local) -> None:
    """A class, ``background=`` and constructor arguments each name what to write."""
    async with MoobiusWand() as wand:
        with pytest.raises(MovedError, match=r"wand\.run\(Service\(\)\)"):
            await wand.run(Service)  # type: ignore[arg-type]
        with pytest.raises(MovedError, match=r"wand\.run\(background=…\): .*await wand\.run"):
            await wand.run(Service(), background=True)  # type: ignore[arg-type]
        with pytest.raises(MovedError, match=r"wand\.run\(colour=…\): .*the service alone"):
            await wand.run(Service(), colour="red")  # type: ignore[arg-type]


def test_a_script_of_the_original_fails_in_its_first_line() -> None:
    """It awaits nothing and runs in no event loop; the call itself says what to write."""
    wand: Any = MoobiusWand()
    with pytest.raises(MovedError, match=r"async with MoobiusWand\(\) as wand.*await wand\.run"):
        wand.run(Service, log_file="service.log", background=True)
    with pytest.raises(RuntimeError, match="async with MoobiusWand"):
        wand.run(Service())


async def test_a_wand_is_used_in_a_block(local: Local) -> None:
    """Outside of one there is nowhere to run a service."""
    with pytest.raises(RuntimeError, match="async with MoobiusWand"):
        await MoobiusWand().run(Service())


async def test_a_wand_without_services_ends_at_once() -> None:
    """An empty block is no trap."""
    async with MoobiusWand():
        pass


async def test_a_wrong_setting_comes_out_of_run(local: Local) -> None:
    """The body may catch it and go on with another service."""
    one, broken = Service(), Other()
    place(local, broken, config=Path("/nowhere/service.json"))
    async with MoobiusWand() as wand:
        with pytest.raises(ConfigError, match=r"^/nowhere/service\.json"):
            await wand.run(broken)
        place(local, one)
        handle = await wand.run(one)
        await handle.stop()
    assert one.life == ["start", "stop"]


async def test_a_spell_at_a_service_that_has_stopped(local: Local) -> None:
    """The wand says so, for each of its two ways."""
    one, _ = two(local)
    async with MoobiusWand() as wand:
        handle = await wand.run(one)
        await handle.stop()
        with pytest.raises(ServiceStopped):
            wand.spell(handle, "late")
        with pytest.raises(ServiceStopped):
            await wand.aspell(handle, "late")
