"""Services under test: several of them, restarts, faults, and what counts of a project's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from moobius_trio import (
    Band,
    ChannelId,
    Gap,
    MessageUp,
    MoobiusService,
    ServiceStopped,
    UserId,
    container,
    stored,
)
from moobius_trio.local import Knobs
from moobius_trio.testing import SERVICE, Actor, Local


class Echo(MoobiusService):
    """Passes on what it hears."""

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await self.send(self.msg_up_to_msg_down(msg_up))


@stored
@attrs.define
class State:
    """Something that can be changed inside."""

    hats: int = 0


class HatBand(Band):
    """A room where hats are counted."""

    states = container(State, factory=State)


class Hats(MoobiusService[HatBand]):
    """Counts hats, and keeps a reference that it should not keep."""

    kept: State | None = None

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        self.kept = self.bands[msg_up.channel_id].states[msg_up.sender]
        self.kept.hats += 1


def files_in(folder: Path) -> list[str]:
    """Every file below the folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


async def alone(local: Local, service: MoobiusService[Any]) -> Actor:
    """Alice in the service's room."""
    [alice] = await (await local.start(service)).join("Alice")
    return alice


async def test_several_services_run_side_by_side(local: Local) -> None:
    """Each has its bands; handle, spell and fault can be told which one is meant."""

    class Named(Echo):
        def __init__(self, word: str) -> None:
            super().__init__()
            self.word = word

        async def on_spell(self, spell: object) -> str:
            return f"{self.word} {spell}"

    one, other = Named("one"), Named("other")
    first = await local.start(one, bands=["here"])
    second = await local.start(other, bands=["there", "everywhere"])
    [alice], [bob] = await first.join("Alice"), await second.join("Bob")
    assert await local.aspell("spell") == "other spell"
    assert await local.aspell("spell", one) == "one spell"
    assert local.handle(one).service_id != local.handle(other).service_id
    assert local.handle().channels == ("local-there", "local-everywhere")
    await local.drop_socket(one)
    assert local.handle(one).statistics().link.connections == 2
    assert local.handle(other).statistics().link.connections == 1
    await alice.say("hello")
    await bob.say("hello")
    assert alice.texts == bob.texts == ["hello"]
    assert local.band("everywhere").channel_id == local.band("local-everywhere").channel_id
    with pytest.raises(AssertionError, match="no band 'nowhere'"):
        local.band("nowhere")
    with pytest.raises(AssertionError, match="was not started"):
        local.handle(Named("third"))


async def test_a_stopped_service_is_continued_by_its_class_and_band(local: Local) -> None:
    """Started again it has the id it had; a second one beside it has its own."""
    await local.start(Echo(), bands=["one"])
    await local.start(Echo(), bands=["two"])
    ids = [run.service_id for run in (local.handle(), local.handle())]
    service = Echo()
    await local.stop()
    assert not local.handle().running
    with pytest.raises(ServiceStopped):
        await local.aspell("anybody?")
    await local.start(service, bands=["two"])
    assert local.handle(service).service_id == ids[1]


async def test_drop_socket_returns_when_all_is_well_again(local: Local) -> None:
    """The service hears of the gap with who came and went, and goes on."""

    class Noting(Echo):
        gaps: list[Gap]

        async def on_gap(self, gap: Gap) -> None:
            self.gaps.append(gap)

    service = Noting()
    service.gaps = []
    alice, bob = await (await local.start(service)).join("Alice", "Bob")
    await local.drop_socket()
    (gap,) = service.gaps
    assert gap.channel_id == alice.channel_id
    await alice.say("still there?")
    assert bob.last.text == "still there?"


@pytest.mark.parametrize("mode", ["foreign", "absent"])
async def test_a_platform_without_receipts_is_no_trouble(local: Local, mode: str) -> None:
    """Actors and services get on where copies name other ids or do not come at all."""
    local.platform.knobs = Knobs(copies_echo_id=mode)  # type: ignore[arg-type]
    alice, bob = await (await local.start(Echo())).join("Alice", "Bob")
    await alice.say("hello")
    assert bob.texts == ["hello"]


async def test_the_trace_tells_what_caused_each_frame(local: Local) -> None:
    """Frames come with the handler that sent them, in order."""
    alice = await alone(local, Echo())
    local.trace.clear()
    await alice.say("hello")
    (record,) = local.trace
    assert record.handler == "Echo.on_msg_up"
    assert "hello" in record.frame


async def test_values_show_what_they_are(local: Local) -> None:
    """A failed assertion prints names, not addresses of objects."""
    band = await local.start(Echo())
    [alice] = await band.join("Alice")
    assert repr(band) == "<LocalBand local-demo>"
    assert repr(alice) == "<Actor Alice in local-demo, 0 messages>"
    assert repr(local) == f"<Local with services [echo] and [{alice!r}]>"


class Keeper(MoobiusService):
    """Uses a container that only db.json names."""

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        notes = self.bands[msg_up.channel_id].notes
        notes[msg_up.sender] = [*notes.get(msg_up.sender, []), msg_up.text]


def project(folder: Path) -> Keeper:
    """A service with files of its own, which name a real account and a real store."""
    (folder / "config").mkdir()
    config = folder / "config" / "service.json"
    config.write_text(
        json.dumps(
            {
                "http_server_uri": "https://example.org/",
                "ws_server_uri": "wss://example.org/",
                "email": "me@example.org",
                "password": "x",
                "service_id": "real",
                "channels": ["real-band"],
                "lanes": "sender",
                "handler_seconds": 5,
            }
        )
    )
    (folder / "config" / "db.json").write_text(
        json.dumps(
            [{"implementation": "json", "name": "notes", "settings": {"root_dir": str(folder)}}]
        )
    )
    return Keeper(config)


async def test_a_projects_choices_count_and_its_data_are_left_alone(
    local: Local, tmp_path: Path
) -> None:
    """Options and containers are taken; account, bands and stores are the kit's."""
    service = project(tmp_path)
    files = files_in(tmp_path)
    alice = await alone(local, service)
    await alice.say("remember", to=SERVICE)
    assert service.bands[ChannelId("local-demo")].notes[alice.user_id] == ["remember"]
    assert service.service_id != "real"
    settings = service._live.settings
    assert (settings.lanes, settings.handler_seconds) == ("sender", 5.0)
    await local.stop()
    assert files_in(tmp_path) == files


async def test_a_tests_own_options_win(local: Local, tmp_path: Path) -> None:
    """What is given to `start` goes before service.json."""
    service = project(tmp_path)
    await local.start(service, handler_seconds=None, lanes="channel")
    assert service._live.settings.handler_seconds is None
    assert service._live.settings.lanes == "channel"


async def test_stores_go_where_the_test_says(local: Local, tmp_path: Path) -> None:
    """With `state` containers are kept in files there, and there is no default for the folder."""
    with pytest.raises(ValueError, match="state=tmp_path"):
        await local.start(Hats(), engine="sqlite")
    service = Hats()
    [alice] = await (await local.start(service, state=tmp_path)).join("Alice")
    await alice.say("hello", to=SERVICE)
    await local.stop()
    assert [name for name in files_in(tmp_path) if name.endswith(".sqlite3")]
    await local.start(service, state=tmp_path)
    states = service.bands[ChannelId("local-demo")].states
    assert states[UserId(alice.user_id)] == State(1)
