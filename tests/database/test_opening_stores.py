"""Opening the stores: wrong settings, folders that cannot be used, and a second process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import trio

from moobius_trio.database import (
    ENGINES,
    ContainerSpec,
    Engine,
    EngineSite,
    Stores,
    container,
    open_stores,
)
from moobius_trio.errors import ConfigError, StorageError, StoreLocked
from moobius_trio.testing.inline import run_inline
from moobius_trio.types import ChannelId, JsonValue, ServiceId

BAND = ChannelId("b")
FILE_ENGINES = ["sqlite", "json"]


@asynccontextmanager
async def opened(
    root: Path, *specs: ContainerSpec, default: str = "memory"
) -> AsyncIterator[Stores]:
    async with open_stores(
        specs,
        service_id=ServiceId("s1"),
        folder=root,
        run_sync=run_inline,
        default_engine=default,
        on_problem=lambda problem: None,
    ) as stores:
        yield stores


def spec(implementation: str, name: str = "box", **rest: Any) -> ContainerSpec:
    return ContainerSpec(name=name, implementation=implementation, **rest)


HOLDER = """
import sys
from pathlib import Path
import trio
from moobius_trio.database import ContainerSpec, open_stores
from moobius_trio.testing.inline import run_inline

async def main():
    spec = ContainerSpec(name="box", implementation=sys.argv[1])
    async with open_stores([spec], service_id="s1", folder=Path(sys.argv[2]),
                           run_sync=run_inline, on_problem=print):
        print("open", flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


@contextmanager
def holding(engine: str, root: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the store open; it is killed at the end."""
    arguments = [sys.executable, "-c", HOLDER, engine, str(root)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("specs", "words"),
    [
        ([spec("jsn")], "no storage engine 'jsn'. Did you mean 'json'"),
        ([spec("nothing alike")], "Engines are json, memory, redis, sqlite"),
        ([spec("json"), spec("json")], "is named twice"),
        ([spec("json", settings={"rootdir": "x"})], "Did you mean 'root_dir'"),
        ([spec("json", settings={"root_dir": 5})], "must be a text"),
        ([spec("memory", settings={"root_dir": "x"})], "Known are none"),
    ],
)
async def test_wrong_settings_are_refused_before_anything_is_opened(
    tmp_path: Path, specs: list[ContainerSpec], words: str
) -> None:
    """One line that says what, where and the remedy; nothing is created (F51)."""
    with pytest.raises(ConfigError) as caught:
        async with opened(tmp_path, *specs):
            pytest.fail("opened")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []  # noqa: PTH208


@pytest.mark.parametrize("engine", FILE_ENGINES)
async def test_a_folder_that_cannot_be_used_is_one_line(tmp_path: Path, engine: str) -> None:
    """A file where the folder should be, and a folder without permission."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="not a directory") as caught:
        async with opened(tmp_path, spec(engine, settings={"root_dir": "file/x"})):
            pytest.fail("opened")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("engine", FILE_ENGINES)
async def test_a_read_only_file_system_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    """The remedy names the setting."""

    def refusing(*args: object, **options: object) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(StorageError, match=r"read-only file system.*root_dir"):
        async with opened(tmp_path, spec(engine)):
            pytest.fail("opened")


@pytest.mark.parametrize("engine", FILE_ENGINES)
async def test_a_second_process_is_refused_with_the_pid_of_the_first(
    tmp_path: Path, engine: str
) -> None:
    """The lock is held while the store is open, and is free again when its holder is killed.

    (F47)
    """
    with holding(engine, tmp_path) as first:
        with pytest.raises(StoreLocked) as caught:
            async with opened(tmp_path, spec(engine)):
                pytest.fail("opened")
        assert caught.value.pid == first.pid
    async with opened(tmp_path, spec(engine)) as stores:
        with pytest.raises(StoreLocked) as caught:
            async with opened(tmp_path, spec(engine)):
                pytest.fail("opened")
        assert caught.value.pid == os.getpid()
        assert not (await stores.storage(BAND, {})).box


async def test_containers_with_the_same_settings_share_a_store(tmp_path: Path) -> None:
    """One file for all containers of an engine; other settings give another one."""
    specs = [
        spec("sqlite", "a"),
        spec("sqlite", "b"),
        spec("sqlite", "c", settings={"root_dir": "apart"}),
        spec("json", "d", settings={"root_dir": "files"}),
    ]
    async with opened(tmp_path, *specs) as stores:
        storage = await stores.storage(BAND, {"e": container(int)})
        assert list(storage) == ["a", "b", "c", "d", "e"]
        assert [one.where.removeprefix(str(tmp_path)) for one in stores.statistics()] == [
            "/service_s1.sqlite3",
            "/apart/service_s1.sqlite3",
            "/files/service_s1",
            "memory",
        ]


async def test_the_services_own_storage_has_only_what_it_declares(tmp_path: Path) -> None:
    """What db.json names belongs to the bands, unless the service declares it as well."""
    async with opened(tmp_path, spec("sqlite"), spec("sqlite", "own")) as stores:
        own = await stores.storage(None, {"own": container(int), "more": container(int)})
        assert list(own) == ["own", "more"]
        band = await stores.storage(BAND, {})
        assert list(band) == ["box", "own"]
        assert await stores.storage(BAND, {}) is band
        own.own["k"] = 1
        assert not band.own


async def test_a_container_can_be_added_at_run_time(tmp_path: Path) -> None:
    """``put`` opens its engine if need be, loads what is stored, and clears it if asked."""
    async with opened(tmp_path) as stores:
        storage = await stores.storage(BAND, {})
        box = await storage.put("late", engine="sqlite")
        box["k"] = 1
        assert await storage.put("late") is box
    async with opened(tmp_path) as stores:
        storage = await stores.storage(BAND, {})
        late = await storage.put("late", "sqlite", load=False)
        assert not late.loaded
        await late.load()
        assert dict(late) == {"k": 1}
    async with opened(tmp_path) as stores:
        storage = await stores.storage(BAND, {})
        assert not await storage.put("late", "sqlite", clear=True)
        with pytest.raises(ConfigError, match="Did you mean 'sqlite'"):
            await storage.put("other", "sqlit")


async def test_a_container_that_is_asked_for_twice_at_once_is_one(tmp_path: Path) -> None:
    """Two that put the same name, or open the same band, get the same container: no record of
    the one could be lost behind the other."""
    got: list[Any] = []
    async with opened(tmp_path, spec("sqlite"), default="sqlite") as stores:

        async def use(key: str) -> None:
            storage = await stores.storage(BAND, {})
            box, late = storage.box, await storage.put("late", clear=True)
            box[key] = late[key] = 1
            got.append((storage, box, late))

        async with trio.open_nursery() as nursery:
            for key in ("a", "b", "c"):
                nursery.start_soon(use, key)
    assert len({tuple(map(id, one)) for one in got}) == 1
    async with opened(tmp_path, spec("sqlite"), default="sqlite") as stores:
        storage = await stores.storage(BAND, {})
        assert sorted(storage.box) == ["a", "b", "c"]
        assert len(await storage.put("late")) == 1  # each of the three cleared it


async def test_put_keeps_its_word_about_a_container_that_is_there(tmp_path: Path) -> None:
    """``load`` loads it and ``clear`` clears it, in the store too; otherwise it stays as it is.

    (F51)
    """
    async with opened(tmp_path, spec("sqlite", load=False), default="sqlite") as stores:
        storage = await stores.storage(BAND, {})
        assert not (await storage.put("box", load=False)).loaded
        box = await storage.put("box")
        assert box.loaded
        box["k"] = 1
        assert await storage.put("box") == {"k": 1}
        assert await storage.put("box", clear=True) == {}
    async with opened(tmp_path, spec("sqlite")) as stores:
        assert not (await stores.storage(BAND, {})).box


async def test_an_engine_of_another_package_is_found_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Group ``moobius_trio.engines``; its name is among those an error suggests."""
    own = EntryPoint("mine", "moobius_trio.database.memory_engine:open_memory", "")

    def found(*, group: str) -> list[EntryPoint]:
        return [own] if group == "moobius_trio.engines" else []

    monkeypatch.setattr("importlib.metadata.entry_points", found)
    async with opened(tmp_path, spec("mine")) as stores:
        (await stores.storage(BAND, {})).box["k"] = 1
    with pytest.raises(ConfigError, match="Did you mean 'mine'"):
        async with opened(tmp_path, spec("mime")):
            pytest.fail("opened")


async def test_a_cancellation_while_a_store_opens_ends_it(tmp_path: Path) -> None:
    """Also when the engine is open already: nothing stays behind a shield."""
    with trio.CancelScope() as scope:

        @asynccontextmanager
        async def slow(
            settings: Mapping[str, JsonValue], site: EngineSite
        ) -> AsyncIterator[Engine]:
            async with ENGINES["memory"](settings, site) as engine:
                scope.cancel()  # nothing awaits behind this, as when a thread opens a file
                yield engine

        async with open_stores(
            [spec("memory")],
            service_id=ServiceId("s1"),
            folder=tmp_path,
            run_sync=run_inline,
            on_problem=lambda problem: None,
            engines={"memory": slow},
        ):
            pytest.fail("the block must not begin")
    assert scope.cancelled_caught
