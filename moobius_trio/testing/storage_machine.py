"""A container beside a plain dict: operations, drawn by Hypothesis, that are done to both.

Where the container is kept, and when it is opened again, is the suite's matter.
"""

from __future__ import annotations

import copy
from typing import Any

import attrs
from hypothesis import strategies as st

from moobius_trio.database import CachedDict
from moobius_trio.testing.storage_data import exactly, storable_values

__all__ = ("Machine", "operations")

# Few, so that operations meet at the same key.
_keys = st.sampled_from(["k", "K", "../x", 1, True, (1, "a")])
_contents = st.dictionaries(_keys, storable_values, max_size=4)
operations: st.SearchStrategy[list[Any]] = st.lists(
    st.one_of(
        st.tuples(st.just("set"), _keys, storable_values),
        st.tuples(st.just("set"), _keys, st.just([])),
        st.tuples(st.just("set"), _keys, st.just({})),
        st.tuples(st.just("change inside"), _keys, storable_values),
        st.tuples(st.sampled_from(["delete", "pop", "get", "save"]), _keys),
        st.tuples(st.just("setdefault"), _keys, storable_values),
        st.tuples(st.sampled_from(["update", "|=", "replace"]), _contents),
        st.tuples(st.sampled_from(["popitem", "clear", "settle", "unit", "flush", "reopen"])),
    ),
    max_size=40,
)
"""Sequences of ``(name, *args)``; those without arguments from ``settle`` on are the suite's."""


@attrs.define
class Machine:
    """A container beside a plain dict; each operation is done to both."""

    box: CachedDict[Any, Any]
    model: dict[Any, Any]

    def do(self, name: str, args: tuple[Any, ...]) -> None:
        """Do one operation to both; the outcomes and contents must be the same."""
        ours = _outcome(self.box, name, copy.deepcopy(args))
        theirs = _outcome(self.model, name, copy.deepcopy(args))
        assert exactly(ours) == exactly(theirs), name
        self.compare()

    def compare(self) -> None:
        """The contents must be the same, down to types and order."""
        assert exactly(dict(self.box.items())) == exactly(self.model)
        assert list(self.box) == list(self.model)
        assert len(self.box) == len(self.model)


def _outcome(box: Any, name: str, args: tuple[Any, ...]) -> object:
    """What an operation gives; the name of the error if it raises one."""
    try:
        match name, args:
            case "set", (key, value):
                box[key] = value
            case "change inside", (key, value):
                _change(box[key], value)
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
    except KeyError:
        return "KeyError"
    return None


def _change(target: object, value: object) -> None:
    """Change a value inside, where it can be."""
    match target:
        case list():
            target.append(value)
        case dict():
            target[f"n{len(target)}"] = [value]
        case set():
            target.add(len(target))
        case tuple() if target:
            _change(target[0], value)
        case _:
            pass
