"""A container beside a plain dict: operations, drawn by Hypothesis, that are done to both.

How the stores of an engine are opened is the suite's matter.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol

import attrs
import trio
from hypothesis import strategies as st

from moobius_trio.database import (
    CachedDict,
    MoobiusStorage,
    StorageUnit,
    Stores,
    container,
    current_unit,
)
from moobius_trio.testing.storage_data import exactly
from moobius_trio.types import ChannelId, Character, UserId

__all__ = ("EngineTraits", "Machine", "operations", "play")

BAND = ChannelId("band-1")
ANY = {"box": container(object, key=object)}

# Few, so that operations meet at the same key.
_keys = st.sampled_from(["k", "K", "../x", 1, True, (1, "a")])

# Of each kind one or two: what matters here is what is done to them.
_values: st.SearchStrategy[Any] = st.sampled_from(
    [
        *([], [1, [2]], {}, {"a": []}, {"a": {"n": 1}}, {1: {"$set": []}}, {1, "x"}, ([], 1)),
        *(None, True, 0, 1, 2.5, "", "x", "\ud800", b"b", (1, 2), frozenset({1})),
        datetime(2024, 10, 27, 2, 30, tzinfo=UTC),
        Character(user_id=UserId("alice"), nickname="Alice"),
    ]
)
_contents = st.dictionaries(_keys, _values, max_size=4)
_ways = st.sampled_from(["[]", "get", "setdefault", "values", "items", "copy", "kept"])
_changes = st.one_of(
    st.tuples(st.just("set"), _keys, _values),
    st.tuples(st.just("change inside"), _keys, _ways, _values),
    st.tuples(st.just("change inside"), _keys, _ways, _values),
    st.tuples(st.sampled_from(["delete", "pop", "get", "save"]), _keys),
    st.tuples(st.just("setdefault"), _keys, _values),
    st.tuples(st.sampled_from(["update", "|=", "replace"]), _contents),
    st.tuples(st.sampled_from(["popitem", "clear", "settle"])),
)
_operation = st.one_of(
    _changes,
    st.tuples(st.sampled_from(["unit", "flush", "reopen"])),
    st.tuples(st.just("transaction"), st.lists(_changes, max_size=8), st.booleans()),
)
# The length is drawn first: drawn by itself, it would hardly ever be more than ten.
operations: st.SearchStrategy[list[Any]] = st.integers(0, 200).flatmap(
    lambda length: st.lists(_operation, min_size=length, max_size=length)
)
"""Sequences of ``(name, *args)``, for `play`."""


@attrs.define
class Machine:
    """A container beside a plain dict; each operation is done to both.

    Attributes:
        kept: values that were read in the running unit of work, as the container and as the dict
            gave them; to be emptied when the unit ends.
    """

    box: CachedDict[Any, Any]
    model: dict[Any, Any]
    kept: dict[Any, tuple[Any, Any]] = attrs.field(factory=dict)

    def do(self, name: str, args: tuple[Any, ...]) -> None:
        """Do one operation to both; the outcomes and contents must be the same."""
        if name == "change inside":
            self._change_inside(*args)
        else:
            ours = _outcome(self.box, name, _fresh(args))
            theirs = _outcome(self.model, name, _fresh(args))
            assert exactly(ours) == exactly(theirs), name
        self.compare()

    def compare(self) -> None:
        """The contents must be the same, down to types and order."""
        with _unseen():
            assert exactly(dict(self.box.items())) == exactly(self.model)
            assert list(self.box) == list(self.model)
            assert len(self.box) == len(self.model)

    def _change_inside(self, key: object, way: str, value: object) -> None:
        if way != "kept":
            if key not in self.model:
                return
            self.kept[key] = _read(self.box, key, way), _read(self.model, key, way)
        for one in self.kept.get(key, ()):
            _change(one, copy.deepcopy(value))


class EngineTraits(Protocol):
    """What the suite says of an engine."""

    survives: ClassVar[bool]
    keeps_order: ClassVar[bool]
    transactions: ClassVar[bool]

    def open(self, folder: Path, /) -> AbstractAsyncContextManager[Stores]:
        """Its stores in a folder."""


class _TakenBack(Exception):
    """Ends a transaction that is not to be stored."""


async def play(engine: EngineTraits, operations: list[Any], folder: Path) -> int:
    """Do the operations, open the stores again, and look once more; gives how many were done."""
    model: dict[Any, Any] = {}
    rest, done = [*operations, ("reopen",)], 0
    while rest:
        count = await _play_until_reopening(engine, folder, model, rest)
        done += count
    await _play_until_reopening(engine, folder, model, rest)
    return done


async def _play_until_reopening(
    engine: EngineTraits, folder: Path, model: dict[Any, Any], todo: list[Any]
) -> int:
    """Take operations from the list and do them until the next reopening."""
    async with engine.open(folder) as stores:
        storage = await stores.storage(BAND, ANY)
        box = storage.container("box")
        if not engine.survives:
            model.clear()
        if not engine.keeps_order and set(box) == set(model):
            _refill(model, {key: model[key] for key in box})
        machine = Machine(box, model)
        machine.compare()
        unit = StorageUnit()
        token = current_unit.set(unit)
        done = 0
        while todo:
            name, *args = todo.pop(0)
            done += 1
            match name:
                case "reopen":
                    break
                case "settle":
                    unit.settle()
                    await trio.lowlevel.checkpoint()
                case "flush":
                    await storage.flush()
                case "unit":
                    await unit.finish()
                    machine.kept.clear()
                    current_unit.set(unit := StorageUnit())
                case "transaction" if engine.transactions:
                    done += await _do_together(machine, unit, storage, *args)
                case "transaction":
                    todo[:0] = args[0]
                case _:
                    machine.do(name, tuple(args))
        await unit.finish()
        current_unit.reset(token)
        assert await stores.sweep() == ()  # units cover every change
    return done


async def _do_together(
    machine: Machine, unit: StorageUnit, storage: MoobiusStorage, inner: list[Any], fails: bool
) -> int:
    """Do operations in a transaction, which is taken back in the end if it ``fails``."""
    before = copy.deepcopy(machine.model)
    try:
        async with storage.transaction():
            for name, *args in inner:
                if name == "settle":
                    unit.settle()
                    await trio.lowlevel.checkpoint()
                else:
                    machine.do(name, tuple(args))
            if fails:
                raise _TakenBack
    except _TakenBack:
        machine.kept.clear()  # the records hold new objects
        _refill(machine.model, before)
    machine.compare()
    return len(inner)


def _refill(model: dict[Any, Any], content: dict[Any, Any]) -> None:
    model.clear()
    model.update(content)


@contextmanager
def _unseen() -> Iterator[None]:
    """What is read in the block is not touched by the running unit, which would then look at it."""
    token = current_unit.set(None)
    try:
        yield
    finally:
        current_unit.reset(token)


def _fresh(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Copies that share nothing: one object under two keys is refused."""
    return tuple(
        {key: copy.deepcopy(value) for key, value in one.items()}
        if isinstance(one, dict)
        else copy.deepcopy(one)
        for one in args
    )


def _outcome(box: Any, name: str, args: tuple[Any, ...]) -> object:
    """What an operation gives; the name of the error if it raises one."""
    try:
        match name, args:
            case "set", (key, value):
                box[key] = value
            case "delete", (key,):
                del box[key]
            case "pop", (key,):
                return box.pop(key), box.pop(key, "default")
            case "get", (key,):
                return box.get(key), box.get(key, "default"), key in box, box[key]
            case "setdefault", (key, value):
                return box.setdefault(key, value)
            case "update", (content,):
                box.update(content)
            case "|=", (content,):
                box |= content
            case "replace", (content,) if isinstance(box, CachedDict):
                box.replace(content)
            case "replace", (content,):
                box.clear()
                box.update(content)
            case "popitem", ():
                return box.popitem()
            case "clear", ():
                box.clear()
            case "save", (key,) if isinstance(box, CachedDict):
                box.save(key)
            case "save", (key,):
                box[key]
            case _:
                raise AssertionError(f"no such operation: {name}")
    except KeyError:
        return "KeyError"
    return None


def _read(box: Any, key: object, way: str) -> object:
    """The value of a key that is there, in one of the ways in which authors come by it."""
    place = list(box).index(key)
    match way:
        case "get":
            return box.get(key)
        case "setdefault":
            return box.setdefault(key)
        case "values":
            return list(box.values())[place]
        case "items":
            return list(box.items())[place][1]
        case "copy":
            return box.copy()[key]
        case _:
            return box[key]


def _change(target: object, value: object) -> None:
    """Change a value inside, where it can be; deep inside, where it has an inside."""
    match target:
        case [list() | dict() | set() as inner, *_]:
            _change(inner, value)
        case list():
            target.append(value)
        case dict() if target and isinstance(inner := next(iter(target.values())), list | dict):
            _change(inner, value)
        case dict():
            target[f"n{len(target)}"] = [value]
        case set():
            target.add(len(target))
        case _:
            pass
