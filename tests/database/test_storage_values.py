"""What may be stored, what is refused, and that a refusal changes nothing."""

from __future__ import annotations

import collections
import enum
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

from moobius_trio.database import (
    CachedDict,
    StorageUnit,
    container,
    current_unit,
    declared_containers,
)
from moobius_trio.errors import StorageTypeError
from moobius_trio.testing.storage_data import exactly
from moobius_trio.testing.storage_faults import FaultyDisk
from moobius_trio.types import ChannelId


class Room:
    """An owner of containers."""

    box = container(object, key=object)
    lists = container(list[int], key=str)


ROOM = declared_containers(Room)
BAND = ChannelId("b")


@asynccontextmanager
async def opened(disk: FaultyDisk) -> AsyncIterator[Any]:
    async with disk.open() as stores:
        yield await stores.storage(BAND, ROOM)


class Colour(enum.Enum):
    RED = 1


@attrs.define
class Plain:
    x: int = 0


class Text(str):
    __slots__ = ()


class Zone(tzinfo):
    def utcoffset(self, dt: datetime | None, /) -> None:
        return None

    tzname = dst = utcoffset


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def circle() -> list[Any]:
    value: list[Any] = []
    value.append({"again": value})
    return value


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        (object(), "", "object"),
        ({"a": [1, object()]}, "['a'][1]", "object"),
        ({"a": {"b": 1j}}, "['a']['b']", "complex"),
        (Plain(), "", "@stored"),
        ([Plain], "[0]", "type"),
        (Text("x"), "", "store str(value)"),
        (collections.defaultdict(int), "", "store dict(value)"),
        (MappingProxyType({}), "", "mappingproxy"),
        (bytearray(b"x"), "", "bytearray"),
        (Colour.RED, "", "Colour"),
        (datetime(2024, 1, 1, tzinfo=Zone()), "", "Zone"),
        (lambda: None, "", "function"),
        (nested(200), "[0]" * 100, "nested"),
        (circle(), "[0]['again']" * 50, "contains itself"),
        ([10**5000], "", "text"),
        (["x" * 17_000_000], "", "bytes"),
        ({1: {2: object()}}, "[1][2]", "object"),
    ],
)
async def test_what_cannot_be_stored_is_refused_at_assignment(
    value: object, path: str, words: str
) -> None:
    """The error names container, key and path; memory and store keep what they had (F44)."""
    disk = FaultyDisk()
    async with opened(disk) as storage:
        storage.box["k"] = "before"
        await storage.flush()
        with pytest.raises(StorageTypeError) as caught:
            storage.box["k"] = value
        assert (caught.value.container, caught.value.key, caught.value.path) == ("box", "k", path)
        assert words in str(caught.value)
        with pytest.raises(TypeError):
            storage.box["new"] = value
        with pytest.raises(TypeError):
            storage.box.replace({"k": 1, "new": value})
        assert dict(storage.box) == {"k": "before"}
    assert list(disk.records.values()) == [b'"before"']
    assert len(disk.commits) == 1


@pytest.mark.parametrize(
    "key",
    [
        object(),
        Text("k"),
        (1, object()),
        float("nan"),
        (1, float("nan")),
        frozenset({(float("nan"),)}),
        Plain,
    ],
)
async def test_what_cannot_be_a_key_is_refused(key: object) -> None:
    """A key that could not be written, or never found again, is refused."""
    async with opened(FaultyDisk()) as storage:
        with pytest.raises(StorageTypeError, match="key"):
            storage.box[key] = 1
        assert not storage.box


async def test_a_value_of_another_than_the_declared_type_is_refused() -> None:
    """What could not be loaded again is refused at once, at assignment and inside."""
    async with opened(FaultyDisk()) as storage:
        with pytest.raises(StorageTypeError, match=r"lists\['k'\]\[1\]: is 'x' \(str\), declared"):
            storage.lists["k"] = [1, "x"]
        with pytest.raises(StorageTypeError, match="the key is 5"):
            storage.lists[5] = [1]
        storage.lists["k"] = [1]
        storage.lists["k"].append("x")
        with pytest.raises(StorageTypeError):
            storage.lists.save("k")
        assert storage.lists["k"] == [1]


async def test_a_value_that_becomes_unstorable_goes_back_to_the_stored_one() -> None:
    """Found at the send it raises there, once; the stored value stays, in memory too."""
    disk = FaultyDisk()
    async with opened(disk) as storage:
        storage.box["k"] = {"n": [1]}
        unit = StorageUnit()
        current_unit.set(unit)
        storage.box["k"]["n"].append(object())
        with pytest.raises(StorageTypeError, match=r"box\['k'\]\['n'\]\[1\]"):
            unit.settle()
        assert storage.box["k"] == {"n": [1]}
        unit.settle()
        await unit.finish()
        current_unit.set(None)
    assert list(disk.records.values()) == [b'{"n":[1]}']


async def test_one_object_under_two_keys_is_refused() -> None:
    """An object that can be changed belongs to one record; a copy, or a moved one, is fine."""
    async with opened(FaultyDisk()) as storage:
        box: CachedDict[object, Any] = storage.box
        box["a"] = {"n": 1}
        with pytest.raises(StorageTypeError, match=r"same object as box\['a'\]"):
            box["b"] = box["a"]
        with pytest.raises(StorageTypeError, match="same object"):
            storage.lists["c"] = box["a"]
        shared: list[int] = []
        with pytest.raises(StorageTypeError, match="same object"):
            box.replace({"x": shared, "y": shared})
        box["a"] = box["a"]
        box["b"] = dict(box["a"])
        box["c"] = box.pop("a")
        box["d"] = box["e"] = ("constants", "may be shared")
        assert list(box) == ["b", "c", "d", "e"]
        box.replace({"swapped": box["c"], "c": box["b"]})
        with pytest.raises(StorageTypeError, match="same object"):
            box["d"] = box["c"]


async def test_data_with_our_own_tags_is_only_data() -> None:
    """A dict that looks like our notation comes back as that dict, and runs nothing (F63, S9)."""
    tagged = {"$type": "os.system", "version": 1, "fields": {"command": "true"}}
    disk = FaultyDisk()
    async with opened(disk) as storage:
        storage.box["k"] = [tagged, {"$set": [1]}, {"$map": []}]
    async with opened(disk) as storage:
        assert storage.box["k"] == [tagged, {"$set": [1]}, {"$map": []}]


@pytest.mark.parametrize(
    "forged",
    [
        {"$type": "os.system", "version": 1, "fields": {"command": "touch canary"}},
        {"$type": "Character", "version": 1, "fields": {"user_id": 5}},
        {"$type": "Character", "version": 99, "fields": {"user_id": "a"}},
        {"$type": ["x"], "version": 1, "fields": {}},
        {"$type": "Character", "version": 1, "fields": 5},
        {"$bytes": "%%%"},
        {"$datetime": "yesterday"},
        {"$datetime": "2024-01-01T00:00:00", "zone": "../../etc/passwd"},
        {"$set": [[1]]},
        {"$map": [1]},
        {"$timedelta": [1, 2]},
        {"$float": {}},
    ],
)
async def test_forged_records_are_set_aside_and_reported(forged: object) -> None:
    """A record that is not of this format is reported with its place; the rest is loaded.

    (F63, S9)
    """
    disk = FaultyDisk()
    async with opened(disk) as storage:
        storage.box.update(good=[1], bad=[2])
    [bad] = [at for at in disk.records if at[1] == b"bad"]
    disk.records[bad] = json.dumps(forged).encode()
    async with opened(disk) as storage:
        assert dict(storage.box) == {"good": [1]}
    [problem] = disk.problems
    assert "box of band b['bad']" in str(problem)
    assert bad not in disk.records


BERLIN = ZoneInfo("Europe/Berlin")
MOMENTS = (
    datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN),
    datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=BERLIN),
    datetime(2024, 3, 31, 2, 30, tzinfo=BERLIN),  # there is no such moment
    datetime(2024, 10, 27, 2, 30, fold=1),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime.max,
    datetime(2024, 1, 1, 12, 0, 0, 1, timezone(timedelta(hours=-5, seconds=-7, microseconds=3))),
    time(2, 30, fold=1),
    time(23, 59, 59, 999_999, timezone(timedelta(hours=14))),
    date.min,
    timedelta(days=-1, microseconds=1),
    timedelta.max,
)


@pytest.mark.parametrize("moment", MOMENTS, ids=repr)
async def test_moments_keep_their_zone_and_fold(moment: Any) -> None:
    """As a value, inside one, and as a key: the same clock, zone and half of a doubled hour."""
    disk = FaultyDisk()
    async with opened(disk) as storage:
        storage.box[moment] = {"inside": [moment, {moment}]}
        storage.box["k"] = moment
    async with opened(disk) as storage:
        [key] = [key for key in storage.box if key != "k"]
        assert exactly([key, storage.box["k"]]) == exactly([moment, moment])
        assert [getattr(one, "tzinfo", None) for one in (key, storage.box["k"])] == [
            getattr(moment, "tzinfo", None)
        ] * 2
        assert exactly(storage.box[moment]) == exactly({"inside": [moment, {moment}]})
