"""The content of one record's file, as the original writes it, between bytes of ours and text.

``{"<key>": value, "_type": "<name>"}`` (docs/protocol/generation-0.md section 7.2), and where the
file's name does not say the key ``{"_key": key, "_value": value, "_type": "<name>"}``
(docs/architecture.md section 6, "Formats"). No files here.
"""

from __future__ import annotations

import json
from typing import Any

__all__ = ("NotARecord", "read_record", "write_record")

_CHARACTER = b'{"$type":"Character",'
_PROFILE = ("nickname", "avatar", "description")
_SEQUENCES = {"tuple": "$tuple", "set": "$set", "frozenset": "$frozenset"}
_BUILTIN = frozenset({"dict", "list", "str", "int", "float", "bool", "NoneType"})
_TAGS = {
    "$map": "dict",
    "$tuple": "tuple",
    "$set": "set",
    "$frozenset": "frozenset",
    "$float": "float",
    "$bytes": "bytes",
    "$datetime": "datetime",
    "$date": "date",
    "$time": "time",
    "$timedelta": "timedelta",
}


_BY_FIRST = {
    b"{": "dict",
    b"[": "list",
    b'"': "str",
    b"t": "bool",
    b"f": "bool",
    b"n": "NoneType",
}


class NotARecord(Exception):
    """A file's content is not a record."""


def write_record(key: bytes, value: bytes, *, named: bool) -> bytes:
    """The content of a file.

    Args:
        named: the file's name is the key, so the original's form is used.
    """
    key_text = _key_text(key)
    name, text = _typed(value)
    head = key_text if named else b'"_key": ' + key_text + b', "_value"'
    return b"{" + head + b": " + text + b', "_type": ' + _json(name) + b"}"


def read_record(content: bytes) -> tuple[bytes, bytes]:
    """Key and value of a file, in our form.

    Raises:
        NotARecord: it is cut off, or something else.
    """
    try:
        record = json.loads(content.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as exc:
        raise NotARecord(f"it is not JSON ({exc})") from exc
    if not isinstance(record, dict):
        raise NotARecord("it is no object")
    record = dict(record)
    name = record.pop("_type", None)
    if name is not None and not isinstance(name, str):
        raise NotARecord("its _type is no text")
    if record.keys() == {"_key", "_value"}:
        key, value = record["_key"], record["_value"]
    elif len(record) == 1:
        [(key, value)] = record.items()
    else:
        raise NotARecord("it does not hold exactly one key and its _type")
    raw = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else b"\xff" + _json(key)
    return raw, _json(_tagged(value, name))


def _key_text(key: bytes) -> bytes:
    if key[:1] == b"\xff":
        return key[1:]
    return _json(key.decode("utf-8", "surrogatepass"))


def _typed(value: bytes) -> tuple[str, bytes]:
    """The original's name of the type, and the value as the original writes it."""
    if value.startswith(_CHARACTER):
        fields = json.loads(value.decode("utf-8", "surrogatepass"))["fields"]
        profile = {name: fields.pop(name) for name in _PROFILE}
        return "Character", _json({**fields, "user_context": profile})
    if not value.startswith(b'{"$'):
        return _builtin_of(value), value
    plain = json.loads(value.decode("utf-8", "surrogatepass"))
    first = next(iter(plain))
    name = plain["$type"] if first == "$type" else _TAGS.get(first, "dict")
    return str(name), value


def _builtin_of(value: bytes) -> str:
    """The type of a value without a tag, seen from its text alone: nothing is parsed for it."""
    first = value[:1]
    if first in _BY_FIRST:
        return _BY_FIRST[first]
    return "float" if b"." in value or b"e" in value else "int"


def _tagged(value: Any, name: str | None) -> object:
    """The value with its type inside, as our own text has it."""
    if name is None or name in _BUILTIN or _has_tag(value):
        return value
    if name in _SEQUENCES and isinstance(value, list):
        return {_SEQUENCES[name]: value}
    if not isinstance(value, dict):
        raise NotARecord(f"its _type is {name!r}, its value is {type(value).__name__}")
    fields = {key: one for key, one in value.items() if one is not None}
    profile = fields.pop("user_context", None)
    if name == "Character" and isinstance(profile, dict):
        fields.update((key, profile[key]) for key in _PROFILE if key in profile)
    return {"$type": name, "version": 1, "fields": fields}


def _has_tag(value: object) -> bool:
    first = next(iter(value), None) if isinstance(value, dict) else None
    return first == "$type" or first in _TAGS


_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _json(value: object) -> bytes:
    return _dumps(value).encode("utf-8", "surrogatepass")
