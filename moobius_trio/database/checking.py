"""Whether stored bytes are a key or a value of our format, without the classes in them.

For whoever moves records without being the program that made them. An object of a class of the
author's is checked by its form and its fields; whether it is the class's, only the author's
program can tell.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Hashable, Iterator

from moobius_trio.database.encoding import MAX_RECORD_BYTES, Format, Unreadable
from moobius_trio.database.shapes import Misfit
from moobius_trio.types import JsonValue

__all__ = ("check_key", "check_value", "parse_value", "write_json")

_ANY = Format()
_CLASS = frozenset({"$type", "version", "fields"})


def check_value(text: bytes) -> bytes:
    """The text as the format writes it.

    Raises:
        Unreadable: it is no value.
    """
    if b'"$type"' not in text:
        return _again(_ANY.decode(text))
    plain = parse_value(text)
    for part in _parts(plain):
        _again(_ANY.decode(part))
    return write_json(plain)


def check_key(raw: bytes) -> Hashable:
    """Something that is equal for equal keys.

    Raises:
        Unreadable: it is no key.
    """
    if b'"$type"' in raw and raw[:1] == b"\xff":
        return check_value(raw[1:])
    key = _ANY.decode_key(raw)
    if raw[:1] == b"\xff" and isinstance(key, str):
        raise Unreadable("a text as a key is written without quotes")
    if not isinstance(key, Hashable):
        raise Unreadable("a key of that kind cannot be found again")
    try:
        hash(key)
        _ANY.encode_key(key)
    except (TypeError, Misfit) as exc:
        raise Unreadable(str(exc)) from exc
    return key


def parse_value(text: bytes) -> JsonValue:
    """The JSON of a value, its types as they are written.

    Raises:
        Unreadable: it is none, or too large.
    """
    if len(text) > MAX_RECORD_BYTES:
        raise Unreadable(f"{len(text):,} bytes are more than any record has")
    try:
        plain: JsonValue = json.loads(text.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as exc:
        raise Unreadable(f"not JSON ({exc})") from exc
    return plain


def write_json(plain: JsonValue) -> bytes:
    """JSON in the form in which values are stored.

    Raises:
        Unreadable: a number is in it that JSON cannot hold.
    """
    try:
        text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError) as exc:
        raise Unreadable(str(exc)) from exc
    return text.encode("utf-8", "surrogatepass")


def _again(value: object) -> bytes:
    try:
        return _ANY.encode(value)
    except Misfit as exc:
        raise Unreadable(f"{''.join(exc.path)} {exc.problem}".strip()) from exc


def _parts(plain: JsonValue) -> Iterator[bytes]:
    """The value with a mark in place of each object of a class, and each field of these objects."""
    fields = [plain]
    marks = itertools.count()
    while fields:
        try:
            marked = _marked(fields.pop(), fields, marks)
        except RecursionError:
            raise Unreadable("nested too deep") from None
        yield write_json(marked)


def _marked(plain: JsonValue, fields: list[JsonValue], marks: Iterator[int]) -> JsonValue:
    if isinstance(plain, list):
        return [_marked(one, fields, marks) for one in plain]
    if not isinstance(plain, dict):
        return plain
    if next(iter(plain), "") != "$type" or not plain.keys() <= _CLASS:
        return {key: _marked(one, fields, marks) for key, one in plain.items()}
    name, version, found = plain["$type"], plain.get("version", 1), plain.get("fields", {})
    if not isinstance(name, str) or type(version) is not int or not isinstance(found, dict):
        raise Unreadable("an object of a class has no name, version or fields")
    fields.extend(found.values())
    return {"$tuple": [name, next(marks)]}  # no two are equal, and all can be in a set
