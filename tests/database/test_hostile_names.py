"""Keys, bands and containers of any name: each has a place of its own, and none is elsewhere."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from moobius_trio.database import ENGINES, Change, Engine, EngineSite, Place
from moobius_trio.database.files import safe_name
from moobius_trio.testing.inline import run_inline
from moobius_trio.testing.storage_data import HOSTILE_KEYS
from moobius_trio.types import ChannelId, ServiceId

FILE_ENGINES = ["sqlite", "json"]
PARTS = [
    "../",
    "/",
    "\\",
    ".",
    "%",
    "%%",
    "\0",
    " ",
    "A",
    "a",
    "é",
    "e\u0301",
    "\ud800",
    "😀",
    "x" * 90,
]


@asynccontextmanager
async def opened(engine: str, folder: Path, service_id: str = "s1") -> AsyncIterator[Engine]:
    site = EngineSite(service_id=ServiceId(service_id), folder=folder, run_sync=run_inline)
    async with ENGINES[engine]({"root_dir": "data"}, site) as one:
        yield one


def raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def random_key(source: Random) -> str:
    return "".join(source.choices(PARTS, k=source.randrange(1, 9)))


def changes_of(places: Sequence[Place]) -> list[Change]:
    """One record in each, which says where it is."""
    return [Change(place, b"k", b'"%d"' % number) for number, place in enumerate(places)]


async def check_places(engine: str, root: Path, places: Sequence[Place]) -> None:
    """Write into all of them, and find each record again after a restart."""
    async with opened(engine, root / "above" / "folder") as store:
        await store.commit(changes_of(places))
    async with opened(engine, root / "above" / "folder") as store:
        assert set(await store.places()) == set(places)
        for change in changes_of(places):
            loaded = await store.load(change.place)
            assert list(loaded.records) == [(change.key, change.value)]


def check_inside(root: Path) -> None:
    """Nothing is anywhere but in the store's folder."""
    assert os.listdir(root) == ["above"]  # noqa: PTH208
    assert os.listdir(root / "above") == ["folder"]  # noqa: PTH208
    assert os.listdir(root / "above" / "folder") == ["data"]  # noqa: PTH208
    for path in (root / "above" / "folder" / "data").rglob("*"):
        assert not path.is_symlink()
        assert path.name.startswith(".") or path.name.isascii()


@pytest.mark.parametrize("engine", FILE_ENGINES)
async def test_bands_of_any_id(tmp_path: Path, engine: str) -> None:
    """Every hostile text is the id of a band with records of its own (F46, S5)."""
    await check_places(engine, tmp_path, [Place(ChannelId(name), "box") for name in HOSTILE_KEYS])
    check_inside(tmp_path)


@pytest.mark.parametrize("engine", FILE_ENGINES)
async def test_containers_of_any_name(tmp_path: Path, engine: str) -> None:
    """Every hostile text is the name of a container, of a band and of the service itself.

    (F46, S5)
    """
    bands = (ChannelId("b"), None)
    await check_places(
        engine, tmp_path, [Place(band, name) for band in bands for name in HOSTILE_KEYS]
    )
    check_inside(tmp_path)


@pytest.mark.parametrize("engine", FILE_ENGINES)
async def test_services_of_any_id(tmp_path: Path, engine: str) -> None:
    """Every service has a store of its own, in the same folder."""
    place = Place(ChannelId("b"), "box")
    folder = tmp_path / "above" / "folder"
    for name in HOSTILE_KEYS:
        async with opened(engine, folder, name) as store:
            assert list((await store.load(place)).records) == []
            await store.commit([Change(place, b"k", b"1")])
    check_inside(tmp_path)


@pytest.mark.parametrize("engine", FILE_ENGINES)
async def test_many_keys_have_a_record_each(tmp_path: Path, engine: str) -> None:
    """Random keys made of what is hostile: none takes the place of another one."""
    source = Random(0)
    keys = {random_key(source) for _ in range(500)}
    place = Place(ChannelId("b"), "box")
    model = {raw(key): b"%d" % number for number, key in enumerate(sorted(keys))}
    folder = tmp_path / "above" / "folder"
    async with opened(engine, folder) as store:
        await store.commit([Change(place, key, value) for key, value in model.items()])
    async with opened(engine, folder) as store:
        loaded = await store.load(place)
    assert not loaded.problems
    assert dict(loaded.records) == model
    check_inside(tmp_path)


def test_names_of_files_do_not_collide() -> None:
    """Not either on a file system without case, or one that composes characters (F46, S5)."""
    source = Random(1)
    keys = {random_key(source) for _ in range(20_000)}
    keys.update(HOSTILE_KEYS)
    assert len(keys) > 10_000
    names = {unicodedata.normalize("NFC", safe_name(raw(key))).casefold() for key in keys}
    assert len(names) == len(keys)
    assert all(len(name) <= 200 and "/" not in name and "\0" not in name for name in names)
