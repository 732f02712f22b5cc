"""What every storage engine must do, as tests: subclass `StorageSuite` in a test module.

    class TestMyEngine(StorageSuite):
        engine = "mine"
        engines = {**ENGINES, "mine": open_mine}

The tests are plain functions, so no pytest plugin and no setting is needed; hypothesis is. They
see an engine only through `open_stores`: no file, table or server is known here.
"""

from __future__ import annotations

import contextlib
import copy
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import trio
import trio.testing
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from moobius_trio.database import (
    ENGINES,
    ContainerSpec,
    Engine,
    EngineSite,
    OpenEngine,
    Place,
    Stores,
    container,
    find_engine,
    open_stores,
)
from moobius_trio.errors import StorageError, StoreMissing
from moobius_trio.testing.inline import run_inline
from moobius_trio.testing.storage_data import (
    HOSTILE_KEYS,
    WORDS,
    exactly,
    hashable_values,
    storable_values,
)
from moobius_trio.testing.storage_machine import operations, play
from moobius_trio.types import ChannelId, Character, JsonValue, ServiceId, UserId, empty_mapping

__all__ = ("StorageSuite",)

OPERATIONS = 10_000
_PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)  # to explain takes minutes

BAND = ChannelId("band-1")
ANY = {"box": container(object, key=object)}


def _contents(folder: Path) -> Mapping[str, bytes | None]:
    """Every name in a folder, with the bytes of files."""
    return {
        # What is mapped into memory shows who reads it when both are in one process.
        str(path): path.read_bytes() if path.is_file() and path.suffix != ".sqlite3-shm" else None
        for path in folder.rglob("*")
    }


class StorageSuite:
    """The tests. Set ``engine``, and what else differs."""

    engine: ClassVar[str]
    """The engine's name."""
    engines: ClassVar[Mapping[str, OpenEngine]] = ENGINES
    """Where it is found, beside the entry points."""
    settings: ClassVar[Mapping[str, JsonValue]] = empty_mapping()
    """As in db.json; stores of different examples lie in different folders."""
    survives: ClassVar[bool] = True
    """False: the content is gone when the stores are closed."""
    keeps_order: ClassVar[bool] = True
    """False: after a restart records come in an order of the engine's own."""
    transactions: ClassVar[bool] = True
    """False: it stores each record by itself and refuses transactions."""
    simulated: ClassVar[bool] = True
    """False: real time, for engines that talk to a server."""

    def service_id(self, folder: Path) -> ServiceId:
        """The service of one example: new with its folder, since a server keeps what it has."""
        return ServiceId(f"service-{folder.name}")

    @asynccontextmanager
    async def open(
        self, folder: Path, problems: list[StorageError] | None = None, **spec: bool
    ) -> AsyncIterator[Stores]:
        """The stores of one service with one container ``box`` of this engine."""
        found: list[StorageError] = []
        async with open_stores(
            [ContainerSpec(name="box", implementation=self.engine, settings=self.settings, **spec)],
            service_id=self.service_id(folder),
            folder=folder,
            run_sync=run_inline,
            default_engine=self.engine,
            on_problem=(found if problems is None else problems).append,
            engines=self.engines,
        ) as stores:
            yield stores
        assert not found, found

    def open_engine(
        self, folder: Path, *, read_only: bool = False
    ) -> AbstractAsyncContextManager[Engine]:
        """The engine itself, opened on the same store as `open` does."""
        site = EngineSite(
            service_id=self.service_id(folder),
            folder=folder,
            run_sync=run_inline,
            read_only=read_only,
        )
        return find_engine(self.engine, self.engines, "the test")(self.settings, site)

    def run(self, fn: Callable[[Path], Awaitable[None]]) -> None:
        """Run a test in a folder of its own."""
        clock = trio.testing.MockClock(autojump_threshold=0) if self.simulated else None
        with tempfile.TemporaryDirectory() as folder:
            trio.run(fn, Path(folder), clock=clock)

    def test_behaves_like_a_dict_also_after_reopening(self) -> None:
        """10,000 operations leave what they leave in a plain dict, in memory and in the store."""
        done = 0

        @hypothesis_settings(max_examples=120, deadline=None, phases=_PHASES)
        @given(operations)
        def test(operations: list[Any]) -> None:
            async def test(folder: Path) -> None:
                nonlocal done
                done += await play(self, operations, folder)

            self.run(test)

        while done < OPERATIONS:  # once, but for bad luck
            test()

    @hypothesis_settings(
        max_examples=100, deadline=None, suppress_health_check=[HealthCheck.differing_executors]
    )
    @given(st.lists(st.tuples(hashable_values, storable_values), max_size=12))
    def test_types_come_back_as_they_went_in(self, items: list[tuple[Any, Any]]) -> None:
        """Keys and values come back equal down to their types."""
        if not self.survives:
            return
        content = dict(items)

        async def test(folder: Path) -> None:
            async with self.open(folder) as stores:
                box = (await stores.storage(BAND, ANY)).container("box")
                box.update(copy.deepcopy(content))
            async with self.open(folder) as stores:
                box = (await stores.storage(BAND, ANY)).container("box")
                found = {repr(exactly(key)): exactly(value) for key, value in box.items()}
                assert found == {
                    repr(exactly(key)): exactly(value) for key, value in content.items()
                }

        self.run(test)

    def test_the_values_of_the_field_come_back(self) -> None:
        """Each kind of value of ``moobius_trio.types``, also inside others, and declared."""

        async def test(folder: Path) -> None:
            content = {type(one).__name__: one for one in WORDS}
            declared = {
                "box": container(object, key=str),
                **{name: container(type(one), key=str) for name, one in content.items()},
            }
            async with self.open(folder) as stores:
                storage = await stores.storage(BAND, declared)
                storage.box.update(content, inside=[{"all": WORDS}])
                for name, one in content.items():
                    storage.container(name)["k"] = one
            async with self.open(folder) as stores:
                storage = await stores.storage(BAND, declared)
                expected = {**content, "inside": [{"all": WORDS}]} if self.survives else {}
                assert dict(storage.box) == expected
                for name, one in content.items():
                    assert dict(storage.container(name)) == ({"k": one} if self.survives else {})

        self.run(test)

    def test_hostile_keys_have_records_of_their_own(self) -> None:
        """Each hostile key keeps its own value, also when all are there, and all can go."""

        async def test(folder: Path) -> None:
            model = {key: {"own": key} for key in HOSTILE_KEYS}
            async with self.open(folder) as stores:
                box = (await stores.storage(BAND, ANY)).container("box")
                box.update(copy.deepcopy(model))
            async with self.open(folder) as stores:
                box = (await stores.storage(BAND, ANY)).container("box")
                assert dict(box) == (model if self.survives else {})
                for key in list(box):
                    del box[key]
            async with self.open(folder) as stores:
                assert not (await stores.storage(BAND, ANY)).container("box")

        self.run(test)

    def test_bands_and_containers_are_apart(self) -> None:
        """The same key in another container, another band or the service itself is another one."""

        async def test(folder: Path) -> None:
            places = [
                (band, name)
                for band in (BAND, ChannelId("BAND-1"), ChannelId("../x"), None)
                for name in ("box", "Box", "other")
            ]
            declared = {name: container(object, key=object) for name in ("box", "Box", "other")}
            async with self.open(folder) as stores:
                for band, name in places:
                    (await stores.storage(band, declared)).container(name)["k"] = [band, name]
            async with self.open(folder) as stores:
                for band, name in places:
                    box = (await stores.storage(band, declared)).container(name)
                    assert dict(box) == ({"k": [band, name]} if self.survives else {})

        self.run(test)

    def test_says_which_containers_it_holds(self) -> None:
        """Every container with a record is named, also by ids no folder could bear; no other is."""

        async def test(folder: Path) -> None:
            bands = [BAND, ChannelId("../x"), ChannelId("x" * 300), ChannelId("%%"), None]
            names = ["box", "Box", "%41", "y" * 300]
            declared = {name: container(object) for name in names}
            async with self.open(folder) as stores:
                for band in bands:
                    for name in names:
                        (await stores.storage(band, declared)).container(name)["k"] = 1
                (await stores.storage(ChannelId("empty"), declared)).container("box").clear()
            found: list[Place] = []
            async with self.open_engine(folder) as engine:
                found.extend(await engine.places())
            expected = {Place(band, name) for band in bands for name in names}
            assert set(found) == (expected if self.survives else set())
            assert len(found) == len(set(found))

        self.run(test)

    def test_can_be_looked_at_beside_its_owner(self) -> None:
        """Read-only, a store shows what is committed, keeps nobody out and leaves no trace."""

        async def look(folder: Path) -> object:
            before = _contents(folder)
            async with self.open_engine(folder, read_only=True) as engine:
                found = {
                    place: sorted((await engine.load(place)).records)
                    for place in await engine.places()
                }
            assert _contents(folder) == before
            return found if self.survives else {}

        async def test(folder: Path) -> None:
            with contextlib.suppress(StoreMissing):
                assert await look(folder) == {}
            assert _contents(folder) == {}
            stored: list[tuple[bytes, bytes]] = []
            expected = {Place(BAND, "box"): stored} if self.survives else {}
            async with self.open(folder) as stores:
                storage = await stores.storage(BAND, ANY)
                for number in range(3):
                    storage.box[f"k{number}"] = [number]
                    await storage.flush()
                    stored.append((b"k%d" % number, b"[%d]" % number))
                    assert await look(folder) == expected
            assert await look(folder) == expected
            if not self.survives:
                return
            async with self.open_engine(folder, read_only=True) as engine:
                async with self.open(folder) as stores:
                    (await stores.storage(BAND, ANY)).container("box").clear()
                assert await engine.places() in ([], ())

        self.run(test)

    def test_flush_leaves_nothing_waiting(self) -> None:
        """After flush every change is stored, also one inside a value and outside a unit."""

        async def test(folder: Path) -> None:
            async with self.open(folder) as stores:
                storage = await stores.storage(BAND, ANY)
                storage.box["k"] = {"n": [1]}
                await storage.flush()
                storage.box["k"]["n"].append(2)
                await storage.flush()
                [statistics] = stores.statistics()
                assert (statistics.waiting, statistics.records) == (0, 2)
                await storage.flush()
                assert stores.statistics() == (statistics,)

        self.run(test)

    def test_many_records_load_again(self) -> None:
        """2,000 records, written in one commit, are all there again, in order where it is kept."""

        async def test(folder: Path) -> None:
            async with self.open(folder) as stores:
                box = (await stores.storage(BAND, ANY)).container("box")
                box.replace({f"user {n}": {"n": n} for n in range(2_000)})
                await stores.flush()
                assert stores.statistics()[0].commits == 1
            async with self.open(folder) as stores:
                box = (await stores.storage(BAND, ANY)).container("box")
                numbers = [one["n"] for one in box.values()]
                expected = list(range(2_000)) if self.survives else []
                assert (numbers if self.keeps_order else sorted(numbers)) == expected

        self.run(test)

    def test_a_key_added_again_comes_last(self) -> None:
        """Removed and added again, within one commit or over two, a key is the newest one."""

        async def test(folder: Path) -> None:
            async with self.open(folder) as stores:
                storage = await stores.storage(BAND, ANY)
                storage.box.update(a=1, b=2, c=3, d=4)
                await storage.flush()
                storage.box["a"] = storage.box.pop("a")
                del storage.box["b"]
                await storage.flush()
                storage.box["b"] = 2
                storage.box["c"] = 5
            async with self.open(folder) as stores:
                found = list((await stores.storage(BAND, ANY)).box)
                expected = ["c", "d", "a", "b"] if self.survives else []
                assert (found if self.keeps_order else sorted(found)) == (
                    expected if self.keeps_order else sorted(expected)
                )

        self.run(test)

    def test_clear_removes_what_is_stored(self) -> None:
        """``clear: true`` starts empty and leaves nothing for a later start."""

        async def test(folder: Path) -> None:
            async with self.open(folder) as stores:
                (await stores.storage(BAND, ANY)).box["k"] = 1
            async with self.open(folder, clear=True) as stores:
                assert not (await stores.storage(BAND, ANY)).box
            async with self.open(folder) as stores:
                assert not (await stores.storage(BAND, ANY)).box

        self.run(test)

    def test_typed_values_come_back_as_their_class(self) -> None:
        """A declared container gives values of the declared class after a restart."""

        async def test(folder: Path) -> None:
            declared = {"box": container(Character)}
            alice = Character(user_id=UserId("alice"), nickname="Alice", avatar="a.png")
            async with self.open(folder) as stores:
                (await stores.storage(BAND, declared)).box["alice"] = alice
            async with self.open(folder) as stores:
                box = (await stores.storage(BAND, declared)).box
                assert dict(box) == ({"alice": alice} if self.survives else {})

        self.run(test)
