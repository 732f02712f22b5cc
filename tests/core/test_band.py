"""A band as its service sees it: its own names, its containers, and nothing else."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import trio

from moobius_trio import (
    Band,
    ChannelId,
    Character,
    ConfigError,
    MoobiusService,
    MovedError,
    StorageError,
    UserId,
    container,
)
from moobius_trio.core.environment import Environment
from moobius_trio.core.members import Members
from moobius_trio.testing import Local
from moobius_trio.testing.core_rig import changed_environment, place
from moobius_trio.testing.storage_faults import FaultyDisk

ALICE = UserId("alice")
BAND = ChannelId("local-demo")


class Rich(Band):
    states = container(dict[str, int], factory=dict)
    names = container(str)


class Service(MoobiusService[Rich]):
    """Has bands of its own class."""


def stored_in(folder: Path) -> list[str]:
    """The names of the records that lie somewhere in a folder."""
    return [path.name for path in folder.glob("*/*/*/*.json")]


def a_band(cls: type[Band] = Band) -> Band:
    """A band whose service does not run."""

    async def nobody(user_id: UserId) -> Character:
        raise AssertionError("no profile is asked for")

    members = Members(fetch_profile=nobody, start_soon=lambda *args: None)
    return cls(channel_id=BAND, service=MoobiusService(), members=members)


def test_the_public_names_of_a_band() -> None:
    """Those of the design and no others: every other name is free for a container."""
    own = {"channel_id", "members", "profile", "create_message"}
    own |= {"save", "flush", "put", "transaction", "fetch_message_history"}
    sends = {name for name in dir(MoobiusService) if name.startswith("send_")}
    sends.discard("send_update")
    public = {name for name in dir(a_band()) if not name.startswith("_")}
    assert public == own | sends
    assert len(sends) == 8


async def test_a_service_names_its_band_class(local: Local) -> None:
    """``class Service(MoobiusService[Rich])`` gives bands of that class, also to its subclasses."""

    class Derived(Service):
        pass

    service = Derived()
    await local.start(service)
    band = service.bands[BAND]
    assert type(band) is Rich
    assert repr(band) == "<Rich local-demo with 0 members>"
    plain = MoobiusService()
    await local.start(plain, bands=["other"])
    assert [type(band) for band in plain.bands.values()] == [Band]


async def test_containers_are_attributes(local: Local) -> None:
    """Declared, named in db.json, or put at run time; a mapping replaces a container's content."""
    service = Service()
    await local.start(service)
    band = service.bands[BAND]
    band.states[ALICE]["level"] = 2
    band.names = {ALICE: "Alice"}
    late = await band.put("late")
    late["x"] = [1]
    assert (dict(band.states), dict(band.names)) == ({ALICE: {"level": 2}}, {ALICE: "Alice"})
    assert band.late == {"x": [1]}
    assert await band.put("late") is late
    await band.flush()


async def test_assigning_to_a_container_never_hides_it(local: Local, tmp_path: Path) -> None:
    """What is assigned is stored, also in containers no class declares; a slip in the name, which
    nothing would store, is refused. Attributes that the class declares are the author's own."""

    class Own(Rich):
        game: str = ""
        rounds: int

    class Service(MoobiusService[Own]):
        totals = container(int, key=str)

    service = Service()
    await local.start(service, state=tmp_path)
    band = service.bands[BAND]
    late = await band.put("late")
    band.late = {"a": 1, "b": [2]}
    band.late |= {"c": 3}
    await service.storage.put("later")
    service.storage.later = {"a": 1}
    service.totals = {"all": 7}
    assert band.late is late
    with pytest.raises(AttributeError, match=r"no container 'stats'.*'states'"):
        band.stats = {}
    with pytest.raises(AttributeError, match=r"no container 'lates'.*'later'"):
        service.storage.lates = {}
    band.game, band.rounds = "chess", 3
    assert (band.game, band.rounds) == ("chess", 3)
    await local.stop()
    again = Service()
    await local.start(again, state=tmp_path)
    assert await again.bands[BAND].put("late") == {"a": 1, "b": [2], "c": 3}
    assert await again.storage.put("later") == {"a": 1}
    assert again.totals == {"all": 7}


async def test_a_container_cannot_bear_a_name_of_the_bands_own(local: Local) -> None:
    """Declared, it would hide what every band has; put, it could never be reached."""
    for name in ("members", "send_msg_down", "channel_id", "_hidden"):
        with pytest.raises(TypeError, match=f"Hiding.{name}: a container cannot have this name"):
            type("Hiding", (Band,), {name: container(int)})
    service = Service()
    await local.start(service)
    for name in ("members", "put", "_hidden"):
        with pytest.raises(ConfigError, match=f"container {name}"):
            await service.bands[BAND].put(name)


async def test_what_a_container_file_names_is_there(local: Local, tmp_path: Path) -> None:
    """A container that only db.json names is found by its name."""
    config, containers = tmp_path / "service.json", tmp_path / "db.json"
    containers.write_text('[{"implementation": "json", "name": "scores", "settings": {}}]')
    config.write_text(
        '{"http_server_uri": "http://127.0.0.1:8765/", "ws_server_uri": "ws://127.0.0.1:8765/",'
        '"email": "a@example.org", "password": "a password", "channels": ["local-demo"],'
        '"service_id": ""}'
    )
    service = MoobiusService()
    place(local, service, config=config)
    service._environment = attrs.evolve(service._environment, containers=None, state=tmp_path)
    async with trio.open_nursery() as nursery:
        handle = await nursery.start(service.serve)
        band = service.bands[BAND]
        band.scores["alice"] = 3
        await band.flush()
        await handle.stop()
    assert stored_in(tmp_path) == ["alice.json"]


async def test_save_and_flush(local: Local, tmp_path: Path) -> None:
    """`save` queues a container's changes now; `flush` waits until all are stored, or raises."""
    service = Service()
    await local.start(service, state=tmp_path)
    band = service.bands[BAND]
    reference = band.states[ALICE]
    reference["level"] = 3  # outside any unit of work: nothing else would look at it
    band.save("states")
    await band.flush()
    await local.stop()
    again = Service()
    await local.start(again, state=tmp_path)
    assert again.bands[BAND].states == {ALICE: {"level": 3}}
    with pytest.raises(AttributeError, match=r"there is no container 'stats'.*states"):
        again.bands[BAND].save("stats")


def test_an_unknown_name_says_where_containers_come_from() -> None:
    """A slip in a container's name is no KeyError somewhere inside."""
    with pytest.raises(AttributeError, match=r"Band has no attribute 'sates'; a container is"):
        _ = a_band().sates


@pytest.mark.parametrize("old", ["features", "real_characters"])
def test_containers_of_the_original_are_just_containers(old: str) -> None:
    """Their names mean nothing by themselves."""
    with pytest.raises(AttributeError, match=r"declared on the class or named in db\.json"):
        getattr(a_band(), old)


def test_a_method_of_another_sdk_is_named_with_ours() -> None:
    """The hint of the table of old names reaches bands, too."""
    with pytest.raises(MovedError, match=r"Band\.send_message: a name of"):
        _ = a_band().send_message


def test_a_profile_that_nobody_knows_is_the_id() -> None:
    """`profile` always gives one."""
    assert a_band().profile(ALICE) == Character(user_id=ALICE, nickname="alice")


async def test_a_store_that_fails_is_raised_by_flush(local: Local) -> None:
    """The barrier tells the truth."""
    local.keep_failures = True
    disk, service = FaultyDisk(), Service()

    def change(environment: Environment) -> Environment:
        return attrs.evolve(environment, engines=disk.engines, default_engine="faulty")

    with changed_environment(change):
        await local.start(service)
    disk.full = True
    service.bands[BAND].names[ALICE] = "Alice"
    with pytest.raises(StorageError, match="no space left"):
        await service.bands[BAND].flush()
