"""Classes of the author's own: `@stored`, versions, migrations and declared types."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal, assert_type

import attrs
import pytest

from moobius_trio import types as words
from moobius_trio.database import (
    CachedDict,
    Container,
    MoobiusStorage,
    StorageUnit,
    container,
    current_unit,
    declared_containers,
    stored,
)
from moobius_trio.database.encoding import Format
from moobius_trio.database.shapes import Misfit
from moobius_trio.errors import StorageTypeError
from moobius_trio.testing.storage_data import WORDS
from moobius_trio.testing.storage_faults import FaultyDisk
from moobius_trio.types import ChannelId, Character, Feature, JsonValue, UserId


@stored
class Stage(enum.Enum):
    LIGHT = "light"
    DARK = "dark"


@stored
@attrs.define
class Hat:
    colour: str
    size: float | None = None


@stored
@attrs.define
class State:
    stage: Stage = Stage.LIGHT
    count: int = 0
    hats: list[Hat] = attrs.field(factory=list)
    who: Character | None = None
    features: tuple[Feature, ...] = ()
    by_number: dict[int, str] = attrs.field(factory=dict)
    mood: Literal["good", "bad"] = "good"
    extra: JsonValue = None
    _secret: str = "s"
    doubled: int = attrs.field(init=False, default=0)


class Room:
    """An owner of containers."""

    states = container(State, factory=State)
    numbers = container(dict[str, int], key=int)

    def __init__(self, storage: MoobiusStorage) -> None:
        self._storage = storage


@asynccontextmanager
async def opened(
    disk: FaultyDisk, declared: Mapping[str, Container[Any, Any]]
) -> AsyncIterator[MoobiusStorage]:
    disk.problems.clear()
    async with disk.open() as stores:
        yield await stores.storage(ChannelId("b"), declared)


ROOM = declared_containers(Room)
ALICE = UserId("alice")


async def test_an_object_comes_back_with_all_it_holds() -> None:
    """Nested classes, members of an Enum, private and computed fields come back as they were.

    (F44)
    """
    disk = FaultyDisk()
    state = State(
        stage=Stage.DARK,
        hats=[Hat(colour="red"), Hat(colour="blue", size=1.5)],
        who=Character(user_id=ALICE),
        features=(Feature(feature_id="key1", button_text="Go"),),
        by_number={5: "five"},
        extra={"a": [1, None]},
        secret="t",
    )
    state.doubled = 7
    async with opened(disk, ROOM) as storage:
        storage.states[ALICE] = state
    async with opened(disk, ROOM) as storage:
        assert storage.states[ALICE] == state
        assert storage.states[ALICE] is not state


async def test_the_descriptor_gives_typed_containers() -> None:
    """Reading gives the container, assigning a mapping replaces its content in one commit."""
    disk = FaultyDisk()
    async with opened(disk, ROOM) as storage:
        room = Room(storage)
        assert_type(room.states, CachedDict[UserId, State])
        assert_type(room.numbers, CachedDict[int, dict[str, int]])
        room.states = {ALICE: State(count=1), UserId("bob"): State(count=2)}
        await storage.flush()
        room.states |= {ALICE: State(count=3)}
        assert [state.count for state in room.states.values()] == [3, 2]
        room.states = {UserId("carol"): State()}
        assert list(room.states) == ["carol"]
    assert [len(commit) for commit in disk.commits] == [2, 3]


async def test_the_factory_acts_on_brackets_only() -> None:
    """A missing value is made and stored by ``[]``, never by ``in``, ``get`` and the others."""
    disk = FaultyDisk()
    async with opened(disk, ROOM) as storage:
        states = Room(storage).states
        assert ALICE not in states
        assert states.get(ALICE) is None
        assert states.pop(ALICE, None) is None
        with pytest.raises(KeyError):
            del states[ALICE]
        assert states.setdefault(ALICE, State(count=4)).count == 4
        assert states[UserId("bob")].count == 0
        assert list(states) == ["alice", "bob"]
    assert len(disk.records) == 2


async def test_a_field_of_the_wrong_type_is_found_when_the_unit_settles() -> None:
    """The error names the path inside the object, so that nothing unloadable is ever stored."""
    async with opened(FaultyDisk(), ROOM) as storage:
        storage.states[ALICE] = State(hats=[Hat(colour="red")])
        unit = StorageUnit()
        current_unit.set(unit)
        storage.states[ALICE].hats[0].colour = None
        with pytest.raises(StorageTypeError, match=r"states\['alice'\]\.hats\[0\]\.colour"):
            unit.settle()
        storage.states[ALICE].mood = "odd"
        with pytest.raises(StorageTypeError, match="declared is 'good' or 'bad'"):
            await unit.finish()
        current_unit.set(None)


async def test_a_new_field_takes_its_default_and_a_removed_one_is_ignored() -> None:
    """Fields may come and go without a new version as long as new ones have defaults."""
    disk = FaultyDisk()

    @stored(name="Growing")
    @attrs.define
    class Before:
        kept: int = 1
        removed: int = 2

    async with opened(disk, {"c": container(Before)}) as storage:
        storage.c["k"] = Before(kept=5)

    @stored(name="Growing")
    @attrs.define
    class After:
        kept: int
        added: str = "new"

    async with opened(disk, {"c": container(After)}) as storage:
        assert storage.c["k"] == After(kept=5)


async def test_a_migration_gets_the_old_fields_and_their_version() -> None:
    """Stored objects of an older version go through the class's own function once."""
    disk = FaultyDisk()

    @stored(name="Moving")
    @attrs.define
    class First:
        full_name: str

    def split(fields: dict[str, Any], version: int) -> dict[str, Any]:
        assert version == 1
        first, last = fields["full_name"].split()
        return {"first": first, "last": last}

    @stored(name="Moving", version=2, migrate=split)
    @attrs.define
    class Second:
        first: str
        last: str

    async with opened(disk, {"c": container(First)}) as storage:
        storage.c.update(good=First(full_name="Ada Lovelace"), bad=First(full_name="Plato"))
    async with opened(disk, {"c": container(Second)}) as storage:
        assert dict(storage.c) == {"good": Second(first="Ada", last="Lovelace")}
        [problem] = disk.problems
        assert "migration from version 1 failed" in str(problem)
        storage.c["good"].last = "King"
    async with opened(disk, {"c": container(First)}) as storage:
        assert not storage.c
        [problem] = disk.problems
        assert "is version 2 of Moving, this program knows 1" in str(problem)


async def test_classes_of_one_name_are_told_apart_by_the_declaration() -> None:
    """Two services in one process may both have a State; an undeclared container refuses both."""
    disk = FaultyDisk()

    @stored(name="Twin")
    @attrs.define
    class One:
        x: int = 1

    @stored(name="Twin")
    @attrs.define
    class Two:
        x: int = 2

    declared: dict[str, Container[Any, Any]] = {
        "one": container(One),
        "two": container(Two),
        "any": container(object),
    }
    async with opened(disk, declared) as storage:
        storage.one["k"], storage.two["k"] = One(), Two()
        with pytest.raises(StorageTypeError, match="2 classes are stored under the name 'Twin'"):
            storage.any["k"] = One()
    async with opened(disk, declared) as storage:
        assert (storage.one["k"], storage.two["k"]) == (One(), Two())


def test_what_cannot_be_registered_is_refused_at_once() -> None:
    """A class without attrs, the wrong order of decorators, and names of our own are TypeErrors."""
    with pytest.raises(TypeError, match=r"above @attrs\.define"):

        @attrs.define
        @stored
        class Wrong:
            x: int = 1

    with pytest.raises(TypeError, match="has a class Feature of its own"):
        stored(attrs.make_class("Feature", ["x"]))
    with pytest.raises(TypeError, match="versions begin with 1"):
        stored(version=0)


async def test_an_annotation_that_cannot_be_read_is_named_at_assignment() -> None:
    """The class and the missing name are in the error."""

    @stored
    @attrs.define
    class Lost:
        x: Nowhere  # type: ignore[name-defined]  # noqa: F821

    async with opened(FaultyDisk(), {"c": container(Lost)}) as storage:
        with pytest.raises(StorageTypeError, match="Nowhere"):
            storage.c["k"] = Lost(1)


def test_every_value_of_the_field_may_be_stored_but_those_with_secrets() -> None:
    """The list of what is tried on every engine misses none; what bears a token is refused."""
    public = {name for name in words.__all__ if attrs.has(getattr(words, name))}
    secret = {"Secret", "ServiceLogin", "Tokens", "UploadTarget", "UserLogin"}
    assert {type(one).__name__ for one in WORDS} == public - secret
    for one in (
        words.Secret("s"),
        words.Tokens(access=words.Secret("s")),
        words.UploadTarget(url="u", fields={"key": "k"}),
        words.ServiceLogin(service_id=words.ServiceId("s"), access_token="t"),
        words.UserLogin(access_token="t"),
    ):
        with pytest.raises(Misfit, match="is kept out of stores"):
            Format().encode([one])


@stored(name="Rights")
class Rights(enum.Flag):
    READ = 1
    WRITE = 2


async def test_flags_that_are_several_members_come_back() -> None:
    """A combination has no name of its own, and is stored as well as a member."""
    disk = FaultyDisk()
    content = {"one": Rights.READ, "both": Rights.READ | Rights.WRITE, "none": Rights(0)}
    declared = {"box": container(Rights, key=str)}
    async with disk.open() as stores:
        (await stores.storage(ChannelId("b"), declared)).box.update(content)
    async with disk.open() as stores:
        assert dict((await stores.storage(ChannelId("b"), declared)).box) == content
    assert not disk.problems
