"""The start: one service, its bands, one login, and then the author's own preparations."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar, TypeVarTuple

import attrs
import httpx
import pytest
import structlog.testing
import trio
import trio.testing

from moobius_trio import (
    BandNotTaken,
    ChannelId,
    Gap,
    LoginRejected,
    MessageUp,
    MoobiusService,
    ServiceId,
    SignInRefused,
    Unreachable,
    container,
)
from moobius_trio.core.environment import Environment
from moobius_trio.errors import ConfigError
from moobius_trio.local import open_platform
from moobius_trio.network.memory import memory_connector
from moobius_trio.testing import SERVICE, Local, run_inline
from moobius_trio.testing.core_rig import (
    FakeSignals,
    faulty_api,
    place,
    runtime_of,
)
from moobius_trio.testing.scripted_platform import ReceivedFrame, ScriptedPlatform
from moobius_trio.types import Secret, ServiceLogin

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

BIND = "/service/bind"
CONFIG = """{
    "http_server_uri": "http://127.0.0.1:8765/",  "ws_server_uri":"ws://127.0.0.1:8765/",
\t"email": "someone@example.org", "password": "a p\\u00e4ssword",
    "channels": ["local-demo"],
    "others": "ignore", "service_id": ""
}

"""


def files_in(folder: Path) -> list[str]:
    """The names of what lies in a folder."""
    return [path.name for path in folder.iterdir()]


def holders(local: Local) -> dict[str, ServiceId | None]:
    """Who holds which band."""
    return {band.channel_id: band.service_id for band in local.platform.bands()}


def lines(logs: list[Any]) -> dict[str, tuple[str, str]]:
    """What the log says of bands that were not taken: reason and remedy by band."""
    return {
        entry["band"]: (entry["reason"], entry["remedy"])
        for entry in logs
        if entry["event"] == "a band was not taken"
    }


async def hold(local: Local, *bands: str, email: str = "placed@example.org") -> ServiceId:
    """Let another service take these bands, and end."""
    service = MoobiusService()
    place(local, service, bands=bands, email=email)
    async with trio.open_nursery() as nursery:
        handle = await nursery.start(service.serve)
        await handle.stop()
    held: ServiceId = handle.service_id
    return held


async def serve_briefly(service: MoobiusService) -> tuple[ServiceId, tuple[ChannelId, ...]]:
    """Start and stop it; gives its id and the bands it took."""
    async with trio.open_nursery() as nursery:
        handle = await nursery.start(service.serve)
        await handle.stop()
    return handle.service_id, handle.channels


# Bands


async def test_a_band_of_another_service_is_left_alone(local: Local) -> None:
    """With ``others: ignore`` the log says who holds it; the service runs with the rest (F28)."""
    other = await hold(local, "red")
    service = MoobiusService()
    place(local, service, bands=["red", "blue"])
    with structlog.testing.capture_logs() as logs:
        service_id, taken = await serve_briefly(service)
    assert taken == ("local-blue",)
    assert holders(local)["local-red"] == other != service_id
    assert lines(logs) == {
        "local-red": (f"held by service {other}", "set others to include to take it over")
    }


async def test_others_unbind_frees_a_band_and_does_not_use_it(local: Local) -> None:
    """The other service is removed; nobody holds the band then."""
    other = await hold(local, "red")
    service = MoobiusService()
    place(local, service, bands=["red", "blue"], others="unbind")
    with structlog.testing.capture_logs() as logs:
        _, taken = await serve_briefly(service)
    assert taken == ("local-blue",)
    assert holders(local)["local-red"] is None
    assert other in lines(logs)["local-red"][0]


async def test_others_include_takes_a_band_over(local: Local) -> None:
    """The other service is removed, and the band is ours."""
    await hold(local, "red")
    service = MoobiusService()
    place(local, service, bands=["red", "blue"], others="include")
    service_id, taken = await serve_briefly(service)
    assert taken == ("local-red", "local-blue")
    assert holders(local)["local-red"] == service_id


async def test_a_band_it_holds_already_is_taken(local: Local) -> None:
    """A second start of the same service finds its bands its own, whatever others says."""
    for others in ("ignore", "unbind", "include"):
        service = MoobiusService()
        known = holders(local).get("local-red")
        place(local, service, bands=["red"], others=others, service_id=known)
        service_id, taken = await serve_briefly(service)
        assert taken == ("local-red",)
        assert known in (None, service_id)


async def test_bands_that_cannot_be_taken_are_one_line_each(local: Local) -> None:
    """An unknown band and one of another account say why; the rest is served, in order (F28)."""
    await hold(local, "theirs", email="other@example.org")
    service = MoobiusService()
    given = [ChannelId(name) for name in ("local-demo", "nowhere", "local-theirs", "local-demo")]
    place(local, service, channels=tuple(given))
    with structlog.testing.capture_logs() as logs:
        _, taken = await serve_briefly(service)
    assert taken == ("local-demo",)
    said = lines(logs)
    assert said.keys() == {"nowhere", "local-theirs"}
    assert said["nowhere"][0] == "refused: there is no band nowhere"
    assert said["local-theirs"][0].startswith("refused: ")
    assert "other@example.org" in said["local-theirs"][0]


async def test_no_band_at_all_is_the_end(local: Local) -> None:
    """One error names every band with its reason; no login was made."""
    other = await hold(local, "red")
    service = MoobiusService()
    place(local, service, bands=["red"])
    with pytest.raises(BandNotTaken, match=f"local-red: held by service {other}") as info:
        await service.serve()
    assert info.value.exit_code == 78
    assert len(info.value.bands) == 1


async def test_thirty_two_requests_are_in_flight(local: Local) -> None:
    """Eighty bands at a second a request take six seconds, not 160."""
    service = MoobiusService()
    with faulty_api() as api:
        place(local, service, bands=[f"band-{number}" for number in range(80)])
        api.slow.update({BIND: 1, "/channel/userlist": 1})
        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            handle = await nursery.start(service.serve)
            assert trio.current_time() - start == 6
            await handle.stop()
    assert api.most == 32
    assert len(handle.channels) == 80


# The service and its login


async def test_one_login_with_an_id_after_the_bands_are_taken(local: Local) -> None:
    """The first start of a service logs in once, with the id it has just got."""
    bound: list[int] = []

    def look(frame: ReceivedFrame) -> bool:
        bound.append(api.count(BIND))
        return False

    platform, service = ScriptedPlatform(refuses=look), MoobiusService()
    with faulty_api() as api:
        place(local, service)
        async with trio.open_nursery() as nursery:
            connect = memory_connector(nursery, platform.serve)
            service._environment = attrs.evolve(service._environment, connect=connect)
            handle = await nursery.start(service.serve)
            await handle.stop()
    [login] = [frame.command for frame in platform.logins]
    assert isinstance(login, ServiceLogin)
    assert login.service_id == holders(local)["local-demo"]
    assert bound[0] == 1
    assert platform.connections == 1
    assert platform.before_login == 0
    assert [lost.code for lost in platform.ends] == [1000]


async def test_a_service_is_made_once_and_noted(local: Local, tmp_path: Path) -> None:
    """Only the characters of the new id change in service.json; the next start uses it."""
    config = tmp_path / "service.json"
    config.write_bytes(CONFIG.encode())
    for _ in range(2):
        service = MoobiusService()
        place(local, service, config=config)
        service_id, _ = await serve_briefly(service)
        assert (
            config.read_bytes()
            == CONFIG.replace('"service_id": ""', f'"service_id": "{service_id}"').encode()
        )
    assert files_in(tmp_path) == ["service.json"]


async def test_a_file_that_cannot_be_written_is_found_before_a_service_is_made(
    local: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No service is made whose id would be lost."""
    config = tmp_path / "service.json"
    config.write_bytes(CONFIG.encode())

    def refuse(path: Path) -> NoReturn:
        raise ConfigError(str(path), "cannot be written")

    monkeypatch.setattr("moobius_trio.core.start.check_service_id_writable", refuse)
    service = MoobiusService()
    with faulty_api() as api:
        place(local, service, config=config)
        with pytest.raises(ConfigError, match="cannot be written"):
            await service.serve()
    assert api.count("/service/create") == 0


async def test_a_note_that_a_killed_start_left_behind_is_removed(
    local: Local, tmp_path: Path
) -> None:
    """Killed right after the id was written, a start leaves a note that means nothing any more."""
    config = tmp_path / "service.json"
    known = await hold(local, "local-demo")
    config.write_text(CONFIG.replace('"service_id": ""', f'"service_id": "{known}"'))
    config.with_name("service.json.pending").write_text('{"known": []}')
    service = MoobiusService()
    place(local, service, config=config, email="someone@example.org")
    settings = json.loads(config.read_text())
    settings["email"], settings["password"] = "placed@example.org", "a password of the kit"
    config.write_text(json.dumps(settings))
    service_id, _ = await serve_briefly(service)
    assert service_id == known
    assert files_in(tmp_path) == ["service.json"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked copies of itself")
def test_killed_starts_make_one_service(tmp_path: Path) -> None:
    """Killed at each step in turn, a start never makes a second service nor harms the file.

    (F53)
    """
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["kills"] >= 20
    assert len(result["services"]) == 1
    [service_id] = result["services"]
    written = CONFIG.replace('"service_id": ""', f'"service_id": "{service_id}"')
    assert (tmp_path / "service.json").read_bytes() == written.encode()
    left = {path.name for path in tmp_path.iterdir() if path.suffix != ".tmp"}
    assert left == {"platform", "service.json"}


# What goes wrong


async def test_a_platform_that_is_away_is_unreachable(local: Local) -> None:
    """Whichever of the first calls gets no reply, the error is one with exit code 69."""
    for path in ("/auth/sign_in", "/service/list", "/service/create", BIND, "/channel/userlist"):
        service = MoobiusService()
        with faulty_api() as api:
            place(local, service, email=f"{path.replace('/', '-')}@example.org")
            api.failing[path] = 0
            with pytest.raises(Unreachable) as info:
                await service.serve()
        assert info.value.exit_code == 69
        assert info.value.address.startswith("http://127.0.0.1")


async def test_a_wrong_password_is_named(local: Local) -> None:
    """The error has the account's address and exit code 77, and no password."""
    await hold(local, "red")
    service = MoobiusService()
    place(local, service, password=Secret("abracadabra"))
    with pytest.raises(SignInRefused, match=r"placed@example\.org") as info:
        await service.serve()
    assert info.value.exit_code == 77
    assert "abracadabra" not in repr(info.value)


async def test_a_refused_login_ends_the_start(local: Local) -> None:
    """After new tokens were refused as well, LoginRejected comes out alone."""
    platform = ScriptedPlatform(refuses=lambda frame: isinstance(frame.command, ServiceLogin))
    service = MoobiusService()
    place(local, service)
    async with trio.open_nursery() as nursery:
        connect = memory_connector(nursery, platform.serve)
        service._environment = attrs.evolve(service._environment, connect=connect)
        with pytest.raises(LoginRejected) as info:
            await service.serve()
    assert info.value.exit_code == 77
    assert len(platform.logins) == 3


class Preparing(MoobiusService):
    """Does in `on_start` what a test gives it, and notes what it handles."""

    notes = container(str, key=str)

    def __init__(self, prepare: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self.prepare = prepare
        self.seen: list[str] = []
        self.gaps: list[Gap] = []

    async def on_start(self) -> None:
        await self.prepare()
        self.seen.append("start")

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        self.seen.append(msg_up.text or "")

    async def on_gap(self, gap: Gap) -> None:
        self.gaps.append(gap)

    async def on_stop(self) -> None:
        self.seen.append("stop")


async def test_events_of_the_start_wait_for_its_end(local: Local) -> None:
    """The socket is read while `on_start` runs; what comes is handled after it, in order."""
    [alice] = await local.band("local-demo").join("Alice")
    prepared = trio.Event()
    service = Preparing(prepared.wait)
    place(local, service)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(service.serve)
        await trio.sleep(1)
        for text in ("one", "two"):
            await alice.say(text, to=SERVICE, settle=False)
        await trio.sleep(1)
        assert runtime_of(service).link.statistics().received >= 3
        assert service.statistics().lanes.waiting == 2
        assert service.seen == []
        prepared.set()
        await trio.sleep(1)
        assert service.seen == ["start", "one", "two"]
        nursery.cancel_scope.cancel()


async def test_a_gap_while_the_bands_are_prepared_is_reported(local: Local) -> None:
    """A cut after the first login and before `on_start` is a gap like any other."""
    service = Preparing(trio.lowlevel.checkpoint)
    with faulty_api() as api:
        place(local, service)
        api.slow["/channel/userlist"] = 10
        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.serve)
            await trio.sleep(5)
            local.platform.cut()
            await trio.sleep(60)
            assert [gap.channel_id for gap in service.gaps] == ["local-demo"]
            nursery.cancel_scope.cancel()


async def test_a_start_that_fails_ends_in_good_order(local: Local, tmp_path: Path) -> None:
    """What `on_start` raised comes out alone; what it stored is kept; the socket is closed.

    (F37)
    """

    async def fail() -> None:
        assert service.notes.get("last") is None
        service.notes["last"] = "failed"
        raise LookupError("in on_start")

    async def look() -> None:
        service.seen.append(service.notes["last"])

    service = Preparing(fail)
    place(local, service, state=tmp_path)
    with pytest.raises(LookupError, match="in on_start"):
        await service.serve()
    assert service.seen == []
    service = Preparing(look)
    place(local, service, state=tmp_path, service_id=holders(local)["local-demo"])
    await serve_briefly(service)
    assert service.seen == ["failed", "start", "stop"]


async def test_a_group_of_errors_in_the_start_stays_one(local: Local) -> None:
    """Two tasks that fail in `on_start` are told both; a single one comes out of its group."""

    async def fail(*errors: Exception) -> None:
        async with trio.open_nursery() as nursery:
            for error in errors:
                nursery.start_soon(_raise, error)

    one = Preparing(lambda: fail(ValueError("only")))
    place(local, one)
    with pytest.raises(ValueError, match="only"):
        await one.serve()
    two = Preparing(lambda: fail(ValueError("one"), LookupError("two")))
    place(local, two, service_id=holders(local)["local-demo"])
    with pytest.RaisesGroup(ValueError, LookupError, flatten_subgroups=True):
        await two.serve()


async def test_a_failing_channel_init_ends_the_start(local: Local) -> None:
    """One band that cannot be prepared is an error of the start, raised alone."""

    class Service(MoobiusService):
        async def on_channel_init(self, channel_id: ChannelId) -> None:
            if channel_id == "local-band-7":
                raise LookupError(channel_id)
            await trio.sleep(10)

    service = Service()
    place(local, service, bands=[f"band-{number}" for number in range(20)])
    with pytest.raises(LookupError, match="local-band-7"):
        await service.serve()


# A signal before it is ready


async def test_a_signal_in_the_start_ends_it(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """`serve` alone returns; the connection is closed and `on_stop` is not called."""
    signals = FakeSignals()
    signals.install(monkeypatch)
    service = Preparing(trio.sleep_forever)
    place(local, service)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(service.serve)
        await trio.sleep(1)
        signals.send()
    assert service.seen == []


async def test_a_signal_in_the_start_is_an_exit_for_one_who_waits_for_it(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``nursery.start`` cannot give a handle then: SystemExit(0), which `run` makes a clean end."""
    signals = FakeSignals()
    signals.install(monkeypatch)
    service = Preparing(trio.sleep_forever)
    place(local, service)

    async def program() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_signal_later, signals)
            await nursery.start(service.serve)

    exits_well = pytest.RaisesExc(SystemExit, check=lambda exc: exc.code == 0)
    with pytest.RaisesGroup(exits_well):
        await program()


async def _signal_later(signals: FakeSignals) -> None:
    await trio.sleep(1)
    signals.send()


async def _raise(error: Exception) -> None:
    raise error


# The program of test_killed_starts_make_one_service

KILLED = 9


def _kill_after(steps: int) -> Callable[[], None]:
    """A step to be called before and after everything that has an effect outside the process."""
    left = steps

    def step() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os._exit(KILLED)

    return step


def _between(step: Callable[[], None], fn: Callable[..., Any]) -> Callable[..., Any]:
    """A function with a step before and after it."""

    def stepping(*args: Any, **options: Any) -> Any:
        step()
        result = fn(*args, **options)
        step()
        return result

    return stepping


async def _start_on(folder: Path, step: Callable[[], None]) -> list[ServiceId]:
    """Start a service of service.json on the platform of the folder; gives the account's ones."""

    async def run_sync(fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
        step()
        result = await run_inline(fn, *args)
        step()
        return result

    class Api(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            step()
            response = await inner.handle_async_request(request)
            step()
            return response

    service = MoobiusService(folder / "service.json")
    async with (
        open_platform(
            state=folder / "platform",
            run_sync=run_inline,
            wall_clock=trio.current_time,
            random=random.Random(),
        ) as platform,
        trio.open_nursery() as nursery,
    ):
        inner = httpx.ASGITransport(app=platform.app)
        service._environment = Environment(
            containers=(),
            default_engine="memory",
            connect=memory_connector(nursery, platform.serve_socket),
            transport=Api(),
            run_sync=run_sync,
            exclusive=False,
            environ={},
        )
        handle = await nursery.start(service.serve)
        services = [info.service_id for info in await service.http_api.get_service_list()]
        await handle.stop()
        nursery.cancel_scope.cancel()
    return services


def _kill_starts(folder: Path) -> dict[str, object]:
    """Starts, each killed one step later than the one before, until one comes through."""
    (folder / "service.json").write_bytes(CONFIG.encode())
    clock = trio.testing.MockClock(autojump_threshold=0)
    for kills in range(1_000):
        child = os.fork()
        if not child:
            step = _kill_after(kills)
            for name in ("fsync", "replace", "unlink"):
                setattr(os, name, _between(step, getattr(os, name)))
            services = trio.run(_start_on, folder, step, clock=clock)
            (folder / "services").write_text(json.dumps(services))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != KILLED:
            break
    services = json.loads((folder / "services").read_text())
    (folder / "services").unlink()
    return {"kills": kills, "services": services}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_kill_starts(Path(sys.argv[1]))))
