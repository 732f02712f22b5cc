"""What a run shows of itself: to systemd for all services of a process, and in each log line."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import structlog
import trio
import trio.testing

from moobius_trio import ChannelId, Copy, MessageUp, MoobiusService, logs
from moobius_trio.config import Settings
from moobius_trio.core.environment import Environment
from moobius_trio.core.reading import state_folder, with_kept_id
from moobius_trio.core.units import Unit, unit_of_work
from moobius_trio.errors import ConfigError
from moobius_trio.testing import SERVICE, Local
from moobius_trio.testing.core_rig import changed_environment, deliver
from moobius_trio.types import RequestId, Secret, ServiceId, UserId

log = structlog.get_logger()


class Waits(MoobiusService):
    """Is ready when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.go = trio.Event()

    async def on_start(self) -> None:
        await self.go.wait()


@contextmanager
def systemd(folder: Path) -> Iterator[socket.socket]:
    """What services of the block tell systemd comes here."""
    address = folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(address))
        bound.setblocking(False)
        with changed_environment(
            lambda environment: attrs.evolve(environment, environ={"NOTIFY_SOCKET": str(address)})
        ):
            yield bound


def heard(bound: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(bound.recv(4096).decode())
        except BlockingIOError:
            return found


async def test_ready_is_said_when_all_that_have_begun_are(local: Local, tmp_path: Path) -> None:
    """The first one that is ready does not speak for the second."""
    one, two = Waits(), Waits()
    with systemd(tmp_path) as bound:
        async with trio.open_nursery() as nursery:
            for service, name in ((one, "one"), (two, "two")):
                nursery.start_soon(lambda s=service, n=name: local.start(s, name=n, bands=[n]))
                await trio.testing.wait_all_tasks_blocked()
            assert heard(bound) == ["STATUS=one: starting"]
            one.go.set()
            await trio.sleep(30)
            told = heard(bound)
            assert "STATUS=two: starting" in told
            assert "READY=1" not in told
            two.go.set()
        told = heard(bound)
        assert told[-1] == "READY=1"
        assert "STATUS=ready: one, two" in told


async def test_a_start_that_fails_does_not_keep_the_others_from_being_ready(
    local: Local, tmp_path: Path
) -> None:
    """What is left when it has gone is all there is."""

    class Fails(Waits):
        async def on_start(self) -> None:
            await super().on_start()
            raise ValueError("no")

    good, bad = Waits(), Fails()

    async def start_bad() -> None:
        with pytest.raises(ValueError, match="no"):
            await local.start(bad, bands=["bad"])

    with systemd(tmp_path) as bound:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(local.start, good)
            nursery.start_soon(start_bad)
            await trio.testing.wait_all_tasks_blocked()
            good.go.set()
            await trio.sleep(30)
            assert "READY=1" not in heard(bound)
            bad.go.set()
        assert "READY=1" in heard(bound)


async def test_a_program_that_stops_a_service_by_itself_may_go_on(
    local: Local, tmp_path: Path
) -> None:
    """STOPPING would have systemd kill it a while later; only signals and commands say it."""
    service = Waits()
    service.go.set()
    with systemd(tmp_path) as bound:
        await local.start(service)
        await local.stop(service)
        await local.start(service)
        await local.stop(service)
        told = heard(bound)
    assert "READY=1" in told
    assert not [line for line in told if line.startswith("STOPPING")]


class Talks(MoobiusService):
    """Logs in handlers, and does what it is told."""

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        log.info("heard", text=msg_up.text)
        await self.reply(msg_up, "yes")

    async def on_copy(self, copy: Copy) -> None:
        log.info("copied")


async def test_lines_of_a_handler_bear_handler_band_user_and_request(local: Local) -> None:
    """As far as the event has them; nothing of it is left behind the handler."""
    stream = io.StringIO()
    logs.configure_logs(stream=stream)
    service = Talks()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    stream.truncate(0)
    await alice.say("hello", to=SERVICE)
    deliver(service, Copy(request_id=RequestId("r-1"), origin_type="msg_down", status=True))
    await local.settle()
    log.info("outside")
    lines = [json.loads(line) for line in stream.getvalue().strip("\0\n").splitlines()]
    bound = {
        (line["event"], key): line[key]
        for line in lines
        for key in ("handler", "band", "user", "request_id")
        if key in line
    }
    assert bound["heard", "handler"] == "Talks.on_msg_up"
    assert (bound["heard", "band"], bound["heard", "user"]) == ("local-demo", alice.user_id)
    assert ("heard", "request_id") not in bound
    assert bound["copied", "request_id"] == "r-1"
    assert not [key for event, key in bound if event == "outside"]


async def test_a_log_that_fails_disturbs_no_handler(local: Local) -> None:
    """200 messages, each with a line that nobody takes, are all answered (F56)."""

    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    logs.configure_logs(stream=Broken())
    band = await local.start(Talks())
    [alice] = await band.join("Alice")
    for number in range(200):
        await alice.say(str(number), to=SERVICE)
    assert [message.text for message in alice.messages] == ["yes"] * 200


async def test_a_unit_binds_what_it_has() -> None:
    """What is not known is not there at all."""
    unit = Unit(handler="a", channel_id=ChannelId("b"), user_id=UserId("u"))
    async with unit_of_work(unit):
        assert structlog.contextvars.get_contextvars() == unit.log_fields
    assert unit.log_fields == {"handler": "a", "band": "b", "user": "u"}
    assert structlog.contextvars.get_contextvars() == {}


def settings_of(path: Path | None, **values: Any) -> Any:
    return Settings(
        http_server_uri="http://127.0.0.1/",
        ws_server_uri="ws://127.0.0.1/",
        email="e",
        password=Secret("p"),
        channels=(ChannelId("c"),),
        path=path,
        **values,
    )


def test_where_state_is_kept(tmp_path: Path) -> None:
    """The command line wins over systemd, and systemd counts only with a service.json."""
    systemds = {"STATE_DIRECTORY": f"/var/lib/one:{tmp_path}"}
    own, none = settings_of(tmp_path / "service.json"), settings_of(None)
    assert state_folder(Environment(environ=systemds), own) == Path("/var/lib/one")
    assert state_folder(Environment(environ=systemds, state=tmp_path), own) == tmp_path
    assert state_folder(Environment(environ=systemds), none) is None
    assert state_folder(Environment(environ={"STATE_DIRECTORY": ""}), own) is None


def test_an_id_of_ones_own_wins_and_a_kept_one_is_found(tmp_path: Path) -> None:
    """In a file that only its owner may read; service.json is not touched."""
    own = settings_of(tmp_path / "service.json")
    named = settings_of(tmp_path / "service.json", service_id=ServiceId("mine"))
    assert with_kept_id(named, tmp_path, "echo") == named
    assert with_kept_id(own, None, "echo") == own
    assert list(tmp_path.iterdir()) == []
    first = with_kept_id(own, tmp_path, "echo")
    assert (first.service_id, first.path) == (None, tmp_path / "echo.json")
    assert (tmp_path / "echo.json").stat().st_mode & 0o777 == 0o600
    (tmp_path / "echo.json").write_text('{"service_id": "kept"}')
    assert with_kept_id(own, tmp_path, "echo").service_id == "kept"


def test_a_place_that_cannot_keep_the_id_is_one_line(tmp_path: Path) -> None:
    """With the remedy; and so is a file that holds something else."""
    own = settings_of(tmp_path / "service.json")
    with pytest.raises(ConfigError, match="STATE_DIRECTORY"):
        with_kept_id(own, tmp_path / "nowhere", "echo")
    (tmp_path / "echo.json").write_text("[]")
    with pytest.raises(ConfigError, match="must be an object"):
        with_kept_id(own, tmp_path, "echo")
