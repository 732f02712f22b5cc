"""The content of a record's file as SDK 1.8 writes it, turned into a value of our format.

It is the bare value; an object of a class is ``{"_moobius_type": "<module.Class>",
"_moobius_val": {…}}`` (docs/protocol/generation-1.md section 6.2). 1.8 fetches and calls whatever
has that name when it loads, which lets stored data run commands (defect 3 there): here the name is
a text and nothing more. No files here.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

import attrs

from moobius_trio.codec.stored1 import read_stored
from moobius_trio.database.checking import check_value
from moobius_trio.database.encoding import Format, Unreadable
from moobius_trio.errors import MalformedPayload
from moobius_trio.types import JsonValue

__all__ = ("MovedValue", "convert_value")

_TYPE: Final = "_moobius_type"
_VALUE: Final = "_moobius_val"
_OWN: Final = "moobius"
"""The package whose types 1.8 stores besides those of authors."""
_ANY: Final = Format()


@attrs.frozen
class MovedValue:
    """A record's value."""

    text: bytes = attrs.field(repr=False)
    """In our format."""
    classes: frozenset[str]
    """The names of the author's classes in it, which the program has to mark ``@stored``."""


def convert_value(content: bytes) -> MovedValue:
    """The value of a file.

    Raises:
        Unreadable: it is cut off or no JSON, too large, or nested too deep.
    """
    classes: set[str] = set()
    try:
        plain = _plain(json.loads(content.decode("utf-8-sig", "surrogatepass")), classes)
        text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError) as exc:
        raise Unreadable(f"it is not JSON ({exc})") from exc
    return MovedValue(check_value(text.encode("utf-8", "surrogatepass")), frozenset(classes))


def _plain(value: Any, classes: set[str]) -> Any:
    """A value with our marks in place of 1.8's."""
    if isinstance(value, list):
        return [_plain(one, classes) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(value)}
    if not isinstance(value, dict):
        return value
    dotted, fields = value.get(_TYPE), value.get(_VALUE)
    if isinstance(dotted, str) and isinstance(fields, dict) and len(value) == 2:
        return _object(dotted, fields, classes)
    return _mapping(value, classes)


def _bare(value: Any) -> Any:
    """A value without 1.8's marks: an object is the dict of its fields."""
    if isinstance(value, list):
        return [_bare(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {_TYPE, _VALUE}:
        return _bare(value[_VALUE])
    return {key: _bare(one) for key, one in value.items()}


def _mapping(value: dict[str, Any], classes: set[str]) -> Any:
    if any(key.startswith("$") for key in value):  # such a key would be a mark of ours
        return {"$map": [[key, _plain(one, classes)] for key, one in value.items()]}
    return {key: _plain(one, classes) for key, one in value.items()}


def _object(dotted: str, fields: dict[str, Any], classes: set[str]) -> Any:
    module, _, name = dotted.rpartition(".")
    if module.partition(".")[0] == _OWN:
        try:
            made = read_stored(name, _bare(fields))
        except MalformedPayload as exc:
            raise Unreadable(f"it holds a {name} that is none: {exc}") from None
        if made is None:  # it is kept as the dict that its fields are
            return _mapping(fields, classes)
        plain: JsonValue = json.loads(_ANY.encode(made))
        return plain
    if not name.isidentifier():  # no class: a dict that looks like one
        return {_TYPE: dotted, _VALUE: _mapping(fields, classes)}
    classes.add(name)
    moved = {key: _plain(one, classes) for key, one in fields.items()}
    return {"$type": name, "version": 1, "fields": moved}
