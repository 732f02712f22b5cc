"""The spell socket of a running service, and callers that mean it no good (S14, F65).

In simulated time: both ends are in this process, so a patience of seconds takes none.
"""

from __future__ import annotations

import errno
import os
import pickle
import random
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import structlog.testing
import trio
import trio.testing

from moobius_trio import MoobiusError, MoobiusService, ServiceHandle, ServiceStopped, SpellRaised
from moobius_trio.core import spell_server
from moobius_trio.core.remote import AsyncRemoteWand, Place
from moobius_trio.core.spell_socket import Peer, try_connect
from moobius_trio.core.spell_wire import Cast, StopRequest, frame
from moobius_trio.core.wand import open_wand
from moobius_trio.errors import ConfigError, NameTaken, NoSuchService, SpellRefused
from moobius_trio.network.groups import unwrapped
from moobius_trio.testing import Local
from moobius_trio.testing.core_rig import place, reachable

Environ = dict[str, str]


class Magic(MoobiusService):
    """Sleeps so many seconds, raises, or gives a spell back."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[object] = []
        self.errors: list[BaseException] = []

    async def on_spell(self, spell: object) -> object:
        self.seen.append(spell)
        match spell:
            case int(seconds):
                await trio.sleep(seconds)
            case "raise":
                raise ValueError("no such magic")
            case "set":
                return {1}
            case "large":
                return "x" * 2_000_000
        return {"cast": spell}

    async def on_error(self, event: object, exc: BaseException) -> None:
        self.errors.append(exc)


@pytest.fixture
def environ() -> Iterator[Environ]:
    """Where services of this test are found."""
    with reachable() as found:
        yield found


async def start(local: Local) -> tuple[Magic, ServiceHandle]:
    """A running service and its handle."""
    service = Magic()
    await local.start(service)
    return service, local.handle()


def sockets(environ: Environ) -> list[Path]:
    """The files there are."""
    return [*Path(environ["XDG_RUNTIME_DIR"]).glob("moobius-trio/*.sock")]


def socket_of(environ: Environ) -> Path:
    """The file of the one service there is."""
    (path,) = sockets(environ)
    return path


def descriptors() -> int:
    """How many this process has open."""
    return len(os.listdir("/dev/fd"))  # noqa: PTH208  # Path has no listing of what goes meanwhile


@asynccontextmanager
async def connected(environ: Environ) -> AsyncIterator[trio.SocketStream]:
    """A caller that says what it likes."""
    async with await trio.open_unix_socket(socket_of(environ)) as stream:
        yield stream


async def rest(stream: trio.SocketStream) -> bytes:
    """What comes until the service closes."""
    found = b""
    with suppress(trio.BrokenResourceError):
        async for chunk in stream:
            found += chunk
    return found


def turned_away(logs: list[Any]) -> int:
    """How many callers the log counts."""
    return sum(entry["callers"] for entry in logs if "were turned away" in entry["event"])


class Touch:
    """A pickle that leaves a mark when it is read."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.canary),))


async def test_a_spell_from_outside_is_like_any_other(local: Local, environ: Environ) -> None:
    """It reaches on_spell as plain data, and what that returns comes back if it was waited for."""
    service, _ = await start(local)
    async with open_wand("magic", environ=environ) as wand:
        assert await wand.aspell({"say": ["rain", 1.5, None, True]}) is None
        assert await wand.aspell("again", wait=True) == {"cast": "again"}
    assert service.seen == [{"say": ["rain", 1.5, None, True]}, "again"]


async def test_a_spell_changes_what_is_stored_like_any_other(
    local: Local, environ: Environ, tmp_path: Path
) -> None:
    """It is a unit of work: what it changed is there after a restart."""

    class Counting(Magic):
        async def on_spell(self, spell: object) -> object:
            counts = await self.storage.put("counts")
            counts["n"] = counts.get("n", 0) + 1
            return counts["n"]

    for expected in (1, 2):
        await local.start(Counting(), state=tmp_path)
        async with open_wand("counting", environ=environ) as wand:
            assert await wand.aspell("count", wait=True) == expected
        await local.stop()


async def test_what_on_spell_raised_is_told_without_its_traceback(
    local: Local, environ: Environ
) -> None:
    """Class and text; a spell that nobody waits for reports to on_error instead."""
    service, _ = await start(local)
    local.keep_failures = True
    async with open_wand("magic", environ=environ) as wand:
        with pytest.raises(SpellRaised) as raised:
            await wand.aspell("raise", wait=True)
        assert service.errors == []
        await wand.aspell("raise")
        await local.settle()
    assert (raised.value.error, raised.value.text) == ("ValueError", "no such magic")
    assert raised.value.__cause__ is None
    assert [type(error) for error in service.errors] == [ValueError]


async def test_999_of_1000_spells_are_handled_beside_a_bad_one(
    local: Local, environ: Environ
) -> None:
    """One that raises leaves the others alone, at any place in the row (F37)."""
    service, _ = await start(local)
    local.keep_failures = True
    bad = 417
    async with open_wand("magic", environ=environ) as wand:
        for number in range(1000):
            await wand.aspell("raise" if number == bad else f"{number}")
            await local.settle()
    assert len(service.seen) == 1000
    assert len(service.errors) == 1


async def test_values_that_cannot_be_sent_are_named(local: Local, environ: Environ) -> None:
    """The caster hears that the spell was cast, and why there is no value."""
    await start(local)
    async with open_wand("magic", environ=environ) as wand:
        for spell, why in (("set", "type set"), ("large", "at most 1,048,576")):
            with pytest.raises(SpellRefused, match=why) as refused:
                await wand.aspell(spell, wait=True)
            assert refused.value.cast
        with pytest.raises(TypeError, match="type set"):
            await wand.aspell({1})


async def test_a_caster_that_left_is_not_the_only_one_to_hear_of_an_error(
    local: Local, environ: Environ
) -> None:
    """Once it has gone, what the spell raises is reported in the service."""

    class Late(Magic):
        async def on_spell(self, spell: object) -> object:
            await trio.sleep(20)
            raise ValueError("too late")

    service = Late()
    await local.start(service)
    local.keep_failures = True
    async with open_wand("late", environ=environ) as wand:
        with trio.move_on_after(10):
            await wand.aspell("x", wait=True)
        await trio.sleep(20)
    assert [str(error) for error in service.errors] == ["too late"]


@pytest.mark.parametrize(
    "what", ["pickle", "framed pickle", "4 GB", "http", "json line", "cut off", "cut length", "NaN"]
)
async def test_a_hostile_caller_is_closed_and_counted(
    what: str, local: Local, environ: Environ, tmp_path: Path
) -> None:
    """Nothing of it is executed, and the next spell is cast (S14, F65)."""
    service, _ = await start(local)
    canary = tmp_path / "canary"
    load = pickle.dumps(Touch(canary))
    with pytest.raises(FileNotFoundError):  # the pickle is a live one
        pickle.loads(pickle.dumps(Touch(tmp_path / "no" / "folder")))  # noqa: S301
    bad = {
        "pickle": load,
        "framed pickle": struct.pack("!I", len(load)) + load,
        "4 GB": b"\xff\xff\xff\xff" + b"x" * 100_000,
        "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "json line": b'{"kind": "spell", "spell": 1, "wait": false}\n',
        "cut off": frame(Cast("half", False))[:-3],
        "cut length": frame(StopRequest())[:3],
        "NaN": struct.pack("!I", 45) + b'{"kind": "spell", "spell": NaN, "wait": true}',
    }[what]
    with structlog.testing.capture_logs() as logs:
        async with connected(environ) as stream:
            with suppress(trio.BrokenResourceError):  # closed before it had said all of it
                await stream.send_all(bad)
                await stream.send_eof()
            answer = await rest(stream)
        assert b"refused" in answer
        async with open_wand("magic", environ=environ) as wand:
            assert await wand.aspell("next", wait=True) == {"cast": "next"}
        assert turned_away(logs) == 1
    assert not canary.exists()
    assert service.seen == ["next"]


async def test_random_bytes_do_no_harm(local: Local, environ: Environ) -> None:
    """Two hundred callers of noise: each is closed, all are counted, in two lines (S14)."""
    service, handle = await start(local)
    noise = random.Random(65)
    with structlog.testing.capture_logs() as logs:
        for _ in range(200):
            async with connected(environ) as stream:
                with suppress(trio.BrokenResourceError):
                    await stream.send_all(noise.randbytes(noise.randrange(1, 3000)))
                    await stream.send_eof()
                await rest(stream)
        async with open_wand("magic", environ=environ) as wand:
            await wand.aspell("next", wait=True)
        await handle.stop()
    assert service.seen == ["next"]
    assert turned_away(logs) == 200
    assert len([entry for entry in logs if "were turned away" in entry["event"]]) == 2


async def test_a_slow_caller_has_five_seconds(local: Local, environ: Environ) -> None:
    """One byte a second is closed in the middle; others are heard meanwhile (S14)."""
    await start(local)
    begin = trio.current_time()

    async def drip(stream: trio.SocketStream) -> None:
        with pytest.raises(trio.BrokenResourceError):
            for byte in frame(Cast("slow", False)):
                await stream.send_all(bytes([byte]))
                await trio.sleep(1)

    async with connected(environ) as stream, trio.open_nursery() as nursery:
        nursery.start_soon(drip, stream)
        async with open_wand("magic", environ=environ) as wand:
            assert await wand.aspell("quick", wait=True) == {"cast": "quick"}
        assert trio.current_time() - begin < 1
        await rest(stream)
        assert trio.current_time() - begin == pytest.approx(5, abs=0.1)


async def test_a_caller_that_does_not_read_has_five_seconds(local: Local, environ: Environ) -> None:
    """An answer larger than the buffers does not hold its place for ever."""

    class Wordy(Magic):
        async def on_spell(self, spell: object) -> object:
            return "x" * 1_000_000

    await local.start(Wordy())
    with structlog.testing.capture_logs() as logs:
        async with connected(environ) as stream:
            await stream.send_all(frame(Cast("go on", True)))
            await trio.sleep(6)
            assert turned_away(logs) == 1


async def test_a_thousand_callers_at_once(local: Local, environ: Environ) -> None:
    """32 are heard at a time; those that say nothing lose their place to one that does (S14)."""
    service, handle = await start(local)
    before = descriptors()
    with structlog.testing.capture_logs() as logs, ExitStack() as stack:
        idle = []
        for _ in range(1000):
            caller = try_connect(socket_of(environ))
            if caller is not None:  # else the system has no room for it: nor has it for others
                idle.append(stack.enter_context(caller))
        await trio.testing.wait_all_tasks_blocked()
        held = descriptors() - before - len(idle)
        assert held == spell_server.MOST < len(idle) < 100
        async with open_wand("magic", environ=environ) as wand:
            assert await wand.aspell("patient", wait=True) == {"cast": "patient"}
        await handle.stop()
    assert service.seen == ["patient"]
    assert turned_away(logs) >= spell_server.MOST


async def test_a_storm_of_spells(local: Local, environ: Environ) -> None:
    """Each of 1,000 casters knows what became of its spell: cast in the end, or refused (F54)."""
    service, _ = await start(local)
    outcomes: list[str] = []

    async def cast(number: int) -> None:
        wand = AsyncRemoteWand(Place("magic", socket_of(environ)))
        try:
            await wand.aspell(f"{number}")
        except SpellRefused:
            outcomes.append("refused")
        else:
            outcomes.append("accepted")

    service.spells.send_nowait(30)
    async with trio.open_nursery() as nursery:
        for number in range(1000):
            nursery.start_soon(cast, number)
    assert outcomes.count("accepted") == 100
    assert outcomes.count("refused") == 900
    await trio.sleep(30)
    await local.settle()
    assert len(service.seen) == 101


async def test_those_who_wait_do_not_keep_out_who_looks_or_stops(
    local: Local, environ: Environ
) -> None:
    """A hundred wait for a spell that takes its time; status and stop get through."""
    _, handle = await start(local)
    outcomes: list[type] = []

    async def cast() -> None:
        wand = AsyncRemoteWand(Place("magic", socket_of(environ)))
        try:
            outcomes.append(type(await wand.aspell(5, wait=True)))
        except (SpellRefused, ServiceStopped) as exc:
            outcomes.append(type(exc))

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(cast)
        await trio.testing.wait_all_tasks_blocked()
        wand = AsyncRemoteWand(Place("magic", socket_of(environ)))
        assert (await wand.status()).state == "ready"
        await wand.stop()
        assert not handle.running
    counts = [outcomes.count(kind) for kind in (dict, ServiceStopped, SpellRefused)]
    assert counts == [1, 23, 76]


async def test_a_stop_meanwhile_is_told_to_each_who_waits(local: Local, environ: Environ) -> None:
    """The one that runs may end, the others were not cast; all is counted and logged."""
    service, handle = await start(local)
    outcomes: dict[object, object] = {}

    async def cast(spell: object) -> None:
        wand = AsyncRemoteWand(Place("magic", socket_of(environ)))
        try:
            outcomes[spell] = await wand.aspell(spell, wait=True)
        except ServiceStopped as exc:
            outcomes[spell] = str(exc)

    with structlog.testing.capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            for spell in (4, "waits"):
                nursery.start_soon(cast, spell)
                await trio.testing.wait_all_tasks_blocked()
            async with open_wand("magic", environ=environ) as wand:
                await wand.aspell("forgotten")
            await handle.stop()
    assert outcomes[4] == {"cast": 4}
    assert "has stopped; the spell was not cast" in str(outcomes["waits"])
    assert service.seen == [4]
    [entry] = [entry for entry in logs if entry["event"].startswith("spells were accepted")]
    assert entry["spells"] == 2


async def test_a_spell_that_does_not_end_is_cut_and_its_caster_told(
    local: Local, environ: Environ
) -> None:
    """At the stop it is cancelled, and the caster hears just that."""
    _, handle = await start(local)

    async def cast() -> None:
        async with open_wand("magic", environ=environ) as wand:
            with pytest.raises(ServiceStopped, match="the spell was cancelled"):
                await wand.aspell(3600, wait=True)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(cast)
        await trio.testing.wait_all_tasks_blocked()
        await handle.stop()


async def test_a_spell_has_the_time_limit_of_handlers(local: Local, environ: Environ) -> None:
    """A handler that never ends is an error for its caster."""
    await local.start(Magic(), handler_seconds=7)
    async with open_wand("magic", environ=environ) as wand:
        with pytest.raises(SpellRaised, match="HandlerTimedOut"):
            await wand.aspell(3600, wait=True)


async def test_stop_waits_until_it_has_ended(local: Local, environ: Environ) -> None:
    """It drains as with one SIGTERM: `on_stop` runs; then its name and file are free."""

    class Tidy(Magic):
        async def on_stop(self) -> None:
            async with open_wand("tidy", environ=environ) as other:
                states.append((await other.status()).state)
                with pytest.raises(ServiceStopped, match="was not cast"):
                    await other.aspell("too late")
            await trio.sleep(3)
            states.append("tidied")

    states: list[str] = []
    await local.start(Tidy())
    async with open_wand("tidy", environ=environ) as wand:
        states.append((await wand.status()).state)
        await wand.stop()
    assert states == ["ready", "stopping", "tidied"]
    assert sockets(environ) == []
    with pytest.raises(NoSuchService):
        await wand.aspell("gone")


async def test_one_that_still_starts_can_be_looked_at_and_stopped(
    local: Local, environ: Environ
) -> None:
    """Spells are refused meanwhile; a stop ends the start, without a traceback."""

    class Slow(Magic):
        async def on_start(self) -> None:
            await trio.sleep(3600)

    service = Slow()
    place(local, service)
    begun = trio.current_time()

    async def look() -> None:
        await trio.sleep(1)
        async with open_wand("slow", environ=environ) as wand:
            status = await wand.status()
            assert (status.state, status.service_id, status.bands) == ("starting", None, ())
            with pytest.raises(SpellRefused, match="still starting"):
                await wand.aspell("early")
            await wand.stop()

    with pytest.raises(SystemExit) as ended, unwrapped():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(look)
            await nursery.start(service.serve)
    assert ended.value.code == 0
    assert trio.current_time() - begun < 2
    assert service.seen == []


async def test_a_second_service_of_a_name_is_refused(local: Local, environ: Environ) -> None:
    """The first one goes on and answers (S15)."""
    await start(local)
    with pytest.raises(NameTaken):
        await local.start(Magic(), bands=["other"])
    async with open_wand("magic", environ=environ) as wand:
        assert await wand.aspell("first", wait=True) == {"cast": "first"}


async def test_two_services_have_a_socket_each(local: Local, environ: Environ) -> None:
    """A spell goes to the one that is named; stopping one leaves the other."""

    class Other(Magic):
        pass

    one, other = Magic(), Other()
    await local.start(one)
    await local.start(other, bands=["other"])
    async with (
        open_wand("magic", environ=environ) as first,
        open_wand("other", environ=environ) as second,
    ):
        await first.stop()
        assert await second.aspell("still", wait=True) == {"cast": "still"}
    assert (one.seen, other.seen) == ([], ["still"])


async def test_a_planted_link_stops_the_start_in_one_line(local: Local, environ: Environ) -> None:
    """Nothing is sent to the platform, and the link is left to be looked at (S15)."""
    folder = Path(environ["XDG_RUNTIME_DIR"]) / "moobius-trio"
    folder.mkdir(mode=0o700)
    (folder / "magic.sock").symlink_to("/nowhere")
    with pytest.raises(ConfigError, match=r"magic\.sock: this is no socket"):
        await local.start(Magic())
    assert (folder / "magic.sock").is_symlink()


async def test_another_users_process_is_turned_away(
    local: Local, environ: Environ, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the modes let it in: it hears nothing at all, and is counted (S15)."""
    service, _ = await start(local)
    monkeypatch.setattr(spell_server, "peer_of", lambda _: Peer(uid=os.getuid() + 1, pid=1))
    with structlog.testing.capture_logs() as logs:
        async with connected(environ) as stream:
            await stream.send_all(frame(Cast("foreign", False)))
            assert await rest(stream) == b""
    assert turned_away(logs) == 1
    await local.settle()
    assert service.seen == []


async def test_a_listener_that_fails_is_started_again(
    local: Local, environ: Environ, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice in a minute costs nothing; the third time stops the service in good order (F54)."""
    service = Magic()
    place(local, service)
    fail = errno.EBADMSG

    async def accept(self: Any, listening: Any) -> Any:
        if fails:
            fails.pop()
            raise OSError(fail, os.strerror(fail))
        return await real(self, listening)

    real = spell_server._Server._accept
    fails = [1, 2]
    monkeypatch.setattr(spell_server._Server, "_accept", accept)
    with (
        structlog.testing.capture_logs() as logs,
        pytest.raises(MoobiusError, match="3 times"),
        unwrapped(),
    ):
        async with trio.open_nursery() as nursery:
            handle = await nursery.start(service.serve)
            async with open_wand("magic", environ=environ) as wand:
                assert await wand.aspell("after two", wait=True) == {"cast": "after two"}
            await trio.sleep(61)
            fails.extend((1, 2, 3))
            async with open_wand("magic", environ=environ):
                pass
            await handle.wait_stopped()
    assert len([entry for entry in logs if "socket failed" in entry["event"]]) == 5


async def test_too_few_file_descriptors_are_waited_for(
    local: Local, environ: Environ, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listener tries again; the service does not notice."""
    await start(local)
    real_socket = spell_server.socket.socket
    scarce = [errno.EMFILE, errno.ENFILE]

    def accept(self: Any) -> Any:
        if scarce:
            number = scarce.pop()
            raise OSError(number, os.strerror(number))
        return real(self)

    real = real_socket.accept
    monkeypatch.setattr(real_socket, "accept", accept)
    async with open_wand("magic", environ=environ) as wand:
        assert await wand.aspell("x", wait=True) == {"cast": "x"}
    assert scarce == []
