"""Units, transactions, cancellations and a bad disk, all at once and at random.

Whatever happens: nobody is told of what is not stored, a block is stored as one or not at all,
and in the end memory is what the disk is.
"""

from __future__ import annotations

import contextlib
import copy
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moobius_trio.database import (
    CachedDict,
    Change,
    MoobiusStorage,
    NotAllStored,
    Place,
    StorageUnit,
    StoreBroken,
    Stores,
    Ticket,
    container,
    current_unit,
)
from moobius_trio.errors import StorageError
from moobius_trio.testing.storage_faults import FaultyDisk
from moobius_trio.types import ChannelId

Box = CachedDict[Any, list[int]]
Where = tuple[Place, str]

PLACES = [
    Place(ChannelId("b"), "box"),
    Place(ChannelId("b"), "more"),
    Place(ChannelId("c"), "box"),
    Place(None, "own"),
]
KEYS = "abcd"
WORKERS = 5
STEPS = 6


class BadDisk(FaultyDisk):
    """Takes its time, and refuses commits in each of the ways in which an engine may."""

    def __init__(self, rng: random.Random, *, breaks: bool) -> None:
        super().__init__()
        self._rng = rng
        self._breaks = breaks
        self.calm = False
        self.ever: dict[Where, set[bytes | None]] = {}
        self.begun = 0
        """Commits so far; of each record, `newest` is the last of them that stored it."""
        self.newest: dict[Where, int] = {}
        self._refusals = 0

    async def commit(self, changes: Sequence[Change]) -> None:
        assert changes
        assert len({(change.place, change.key) for change in changes}) == len(changes)
        self.begun += 1
        number = self.begun
        await trio.sleep(self._rng.random())
        bands = list(dict.fromkeys(change.place.band for change in changes))
        refused = {band: self._error() for band in bands if self._rng.random() < 0.5}
        match self._rng.random():
            case _ if self.calm:
                pass
            case chance if chance < 0.2:
                raise self._error()
            case chance if chance < 0.35 and self.atomic == "band" and refused:
                await self._store([one for one in changes if one.place.band not in refused], number)
                raise NotAllStored(self.where, refused)
            case chance if chance > 0.97 and self._breaks:
                raise StoreBroken(self.where, "lost its disk")
            case _:
                pass
        await self._store(changes, number)

    async def _store(self, changes: Sequence[Change], number: int) -> None:
        if changes:
            await super().commit(changes)
        for change in changes:
            where = (change.place, change.key.decode())
            self.ever.setdefault(where, set()).add(change.value)
            self.newest[where] = number

    def knows(self, where: Where, text: bytes, begun: int) -> bool:
        """Whether it has stored this, or what came of it after ``begun`` commits."""
        return text in self.ever.get(where, ()) or self.newest.get(where, 0) > begun

    def _error(self) -> StorageError:
        self._refusals += 1
        return StorageError(self.where, f"refusal {self._refusals}")


@attrs.frozen
class Block:
    """A transaction that has come to its end in good order, and what it had to store."""

    ticket: Ticket
    left: dict[Where, bytes | None]
    heard: list[StorageError]


class World:
    """What goes on at the same time on one disk."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.disk = BadDisk(self.rng, breaks=self.rng.random() < 0.2)
        self.disk.atomic = self.rng.choice(["band", "store"])
        self.blocks: list[Block] = []
        self.told = 0
        self._turn = trio.Semaphore(self.rng.choice([1, WORKERS]))
        """Two blocks may have one value in hands; whose a change inside is, nobody can tell."""
        self._alone = self._turn.value == 1
        self._tokens = 0
        self._gone: set[int] = set()
        """Tokens of blocks that were taken back."""

    async def run(self) -> None:
        """Let them all work, then compare memory, disk, and what both were asked and said."""
        async with self.disk.open() as stores:
            boxes = await self._boxes(stores)
            async with trio.open_nursery() as nursery:
                for _ in range(WORKERS):
                    nursery.start_soon(self._work, stores, boxes)
            self.disk.calm = True
            assert await stores.sweep(held=True) == ()
            await trio.sleep(1_000)
            assert stores.statistics()[0].waiting == 0
            memory = self._content(boxes)
            assert memory == self._stored()
            if not stores.statistics()[0].broken:
                for box in boxes.values():  # nothing is locked, and no object still owned
                    for key in list(box):
                        box[key] = box.pop(key)
                await stores.flush()
                memory = self._content(boxes)
        self._check_blocks()
        self.disk.calm = True
        async with self.disk.open() as stores:
            assert self._content(await self._boxes(stores)) == memory

    async def _boxes(self, stores: Stores) -> dict[Place, Box]:
        boxes: dict[Place, Box] = {}
        for place in PLACES:
            declared = {
                one.container: container(list[int]) for one in PLACES if one.band == place.band
            }
            storage = await stores.storage(place.band, declared)
            boxes[place] = storage.container(place.container)
        return boxes

    def _content(self, boxes: dict[Place, Box]) -> list[tuple[Where, bytes]]:
        return [((at, key), _text(v)) for at, box in boxes.items() for key, v in box.items()]

    def _stored(self) -> list[tuple[Where, bytes]]:
        return [
            ((at, key.decode()), text)
            for wanted in PLACES
            for (at, key), text in self.disk.records.items()
            if at == wanted
        ]

    def _check_blocks(self) -> None:
        problems = {str(problem) for problem in self.disk.problems}
        for block in self.blocks:
            together = any(
                block.left.items()
                <= {(one.place, one.key.decode()): one.value for one in commit}.items()
                for commit in self.disk.commits
            )
            assert block.ticket.done
            if block.ticket.error is None:
                assert together
            else:
                # One record, or none but removed ones: others may have made the same of it.
                assert not together or len(block.left) == 1 or not any(block.left.values())
                assert block.heard or str(block.ticket.error) in problems
        for texts in self.disk.ever.values():
            for text in texts - {None}:
                assert self._gone.isdisjoint(json.loads(text or b""))

    async def _work(self, stores: Stores, boxes: dict[Place, Box]) -> None:
        for _ in range(STEPS):
            await trio.sleep(self.rng.random())
            limit = self.rng.choice([0.3, 1.0, 1e9])
            with trio.move_on_after(limit):
                if self.rng.random() < 0.1:
                    await self._look(stores)
                    continue
                current_unit.set(unit := StorageUnit())
                try:
                    await self._handle(stores, boxes, unit)
                except StorageError:
                    pass
                finally:
                    with trio.CancelScope(shield=True):
                        try:
                            await unit.finish()
                        except StorageError:
                            assert stores.statistics()[0].broken
                    current_unit.set(None)

    async def _look(self, stores: Stores) -> None:
        """What the sweep does, or somebody who asks for all to be stored."""
        assert await stores.sweep() == ()
        if self.rng.random() < 0.5:
            with contextlib.suppress(StorageError):
                await stores.flush()

    async def _handle(self, stores: Stores, boxes: dict[Place, Box], unit: StorageUnit) -> None:
        band = self.rng.choice(PLACES).band
        mine = {at: box for at, box in boxes.items() if at.band == band}
        await self._act(mine, unit)
        if self.rng.random() < 0.5:
            storage = await stores.storage(band, {})
            await self._block(storage, mine if self.disk.atomic == "band" else boxes, unit)
        await self._act(mine, unit)
        if self.rng.random() < 0.3:
            storage = await stores.storage(band, {})
            await storage.flush()

    async def _block(
        self, storage: MoobiusStorage, boxes: dict[Place, Box], unit: StorageUnit
    ) -> None:
        ended = False
        heard: list[StorageError] = []
        tokens: list[int] = []
        try:
            async with self._turn, storage.transaction():
                transaction = unit.transaction
                assert transaction is not None
                await self._act(boxes, unit, tokens)
                if self.rng.random() < 0.3:
                    raise ZeroDivisionError
                await unit.save_all()
                left = {
                    (change.place, change.key.decode()): change.value
                    for change in transaction._group
                }
                if left:
                    self.blocks.append(Block(transaction.ticket, left, heard))
                ended = True
        except ZeroDivisionError:
            pass
        except StorageError as exc:
            heard.append(exc)
        finally:
            if not ended and self._alone:
                self._gone.update(tokens)

    async def _act(
        self, boxes: dict[Place, Box], unit: StorageUnit, tokens: list[int] | None = None
    ) -> None:
        for _ in range(self.rng.randrange(4)):
            box = self.rng.choice(list(boxes.values()))
            self._tokens += 1
            if tokens is not None:
                tokens.append(self._tokens)
            try:
                self._change(box, self.rng.choice(KEYS), self._tokens)
            except StorageError:
                if self.rng.random() < 0.5:
                    raise
            if self.rng.random() < 0.5:
                self._tell(boxes, unit)
            if self.rng.random() < 0.5:
                await trio.sleep(self.rng.random())

    def _change(self, box: Box, key: str, token: int) -> None:
        other = self.rng.choice(KEYS)
        changes: list[Callable[[], object]] = [
            lambda: box.__setitem__(key, [token]),
            lambda: box.get(key, []).append(token),
            lambda: box.get(key, []).append(token),
            lambda: box.pop(key, None),
            lambda: box.__setitem__(other, [*box.pop(key, []), token]),
            lambda: box.__setitem__(other, box.pop(key, [token])),
            lambda: box.replace({key: [token], other: [token]}),
            box.clear,
        ]
        self.rng.choices(changes, [6, 6, 6, 2, 2, 2, 1, 1])[0]()

    def _tell(self, boxes: dict[Place, Box], unit: StorageUnit) -> None:
        """Say what records hold; when the frame may leave, the disk must have had all of it."""
        seen: dict[Where, list[int]] = {}
        for at, box in boxes.items():
            for key in self.rng.sample(KEYS, 2):
                value = box.get(key)
                if value is not None:
                    seen[at, key] = copy.copy(value)
        tickets = unit.settle()
        waiting, begun = set(tickets), self.disk.begun

        def leave() -> None:
            self.told += 1
            for where, value in seen.items():
                assert self.disk.knows(where, _text(value), begun)

        def decided(ticket: Ticket) -> None:
            waiting.discard(ticket)
            if not waiting and all(one.error is None for one in tickets):
                leave()

        for ticket in tickets:
            ticket.on_done(lambda ticket=ticket: decided(ticket))  # type: ignore[misc]
        if not tickets:
            leave()


def _text(value: list[int]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
@given(st.integers(0, 2**32))
def test_whatever_happens_memory_disk_and_what_was_told_agree(seed: int) -> None:
    """Several units, blocks, sweeps and cancellations over two bands, four containers."""
    trio.run(World(seed).run, clock=trio.testing.MockClock(autojump_threshold=0))
