"""A value as canonical JSON text and back: the form that every engine keeps.

The text says itself what it holds, so types come back as they went in (docs/architecture.md
section 6, "Formats"). Equal text means an unchanged value. Which file or row a text lies in is
the engines' matter; which classes there are is the list's in ``stored``.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from enum import Enum, Flag
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from moobius_trio.database import stored as registry
from moobius_trio.database.plain import (
    AS_IT_IS,
    RareFloat,
    is_plain,
    is_rare,
    json_text,
    plain_text,
    to_text,
)
from moobius_trio.database.shapes import Misfit, fit
from moobius_trio.types import Character

__all__ = ("MAX_RECORD_BYTES", "Format", "Unreadable")

MAX_RECORD_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 100
_NAN = b'{"$float":"nan"}'

_UNCHANGING = AS_IT_IS | {float, bytes, datetime, date, time, timedelta, Character}
_CHANGING = frozenset({list, dict, set})


class Unreadable(Exception):
    """Stored text is not what this format writes, or not what the container is declared with."""


class Format:
    """How the keys and values of one container are written.

    Args:
        declared: the type of its values; ``object`` for any.
        key: the type of its keys.
    """

    def __init__(self, declared: object = object, key: object = object) -> None:
        self._shape = registry.declared_shape(declared)
        self._narrow = declared is not object
        self._key_shape = registry.declared_shape(key)
        self._declared = declared
        self._classes: Mapping[str, registry.StoredClass] | None = None

    def encode(self, value: object) -> bytes:
        """The text of a value, UTF-8.

        Raises:
            Misfit: it cannot be stored; with the path inside the value.
        """
        if self._narrow:
            self._shape.check(value)
        text = plain_text(value, MAX_DEPTH)
        return self._text(value) if text is None or len(text) > MAX_RECORD_BYTES else text

    def decode(self, text: bytes) -> object:
        """The value of a text, in the declared form.

        Raises:
            Unreadable: there is none.
        """
        return self._read(text, lambda value: fit(self._shape, value))

    def encode_key(self, key: object) -> bytes:
        """A text key is itself in UTF-8; any other is 0xFF, which UTF-8 never has, and JSON.

        Raises:
            Misfit: it cannot be a key.
        """
        self._key_shape.check(key)
        if type(key) is str:
            return key.encode("utf-8", "surrogatepass")
        text = self._text(key)
        if _NAN in text:  # also inside a tuple; a text has its quotes escaped
            raise Misfit("is not equal to itself, so it could never be found again")
        return b"\xff" + text

    def decode_key(self, text: bytes) -> object:
        """The key of what `encode_key` gave.

        Raises:
            Unreadable: it is something else.
        """
        if text[:1] == b"\xff":
            return self._read(text[1:], lambda key: fit(self._key_shape, key))
        key: object = text
        try:
            key = text.decode("utf-8", "surrogatepass")
            if self._key_shape is registry.declared_shape(int):
                key = int(str(key))
            self._key_shape.check(key)
        except UnicodeDecodeError:
            raise Unreadable("the key is not UTF-8") from None
        except ValueError:
            raise Unreadable(f"the key {key!r} is no int") from None
        except Misfit as exc:
            raise Unreadable(f"the key {exc.problem}") from None
        return key

    @staticmethod
    def nature(value: object) -> tuple[bool, bool]:
        """Whether no change inside the value is possible, and whether the object itself can be
        changed, so that two keys must not share it."""
        kind = type(value)
        if kind in _CHANGING:
            return False, True
        if kind in _UNCHANGING or isinstance(value, Enum):
            return True, False
        entry = registry.of_type(kind)
        return False, entry is not None and entry.mutable

    def _text(self, value: object) -> bytes:
        try:
            text = to_text(value if is_plain(value, MAX_DEPTH) else self._plain(value, 0))
        except ValueError as exc:  # an int of more digits than Python writes
            raise Misfit(f"cannot be written as text ({exc})") from exc
        if len(text) > MAX_RECORD_BYTES:
            raise Misfit(f"is {len(text):,} bytes, at most {MAX_RECORD_BYTES:,} are stored")
        return text

    def _read(self, text: bytes, shape: Callable[[object], object]) -> object:
        if len(text) > MAX_RECORD_BYTES:
            raise Unreadable(f"{len(text):,} bytes are more than any record has")
        try:
            return shape(self._value(json.loads(text.decode("utf-8", "surrogatepass"))))
        except Misfit as exc:
            raise Unreadable(f"{''.join(exc.path)} {exc.problem}".strip()) from exc
        except (ValueError, TypeError, RecursionError, OverflowError) as exc:
            raise Unreadable(f"not a value of this format ({exc})") from exc

    # Values to plain data ---------------------------------------------------------------------

    def _plain(self, value: object, depth: int) -> object:
        kind = type(value)
        if kind in AS_IT_IS:
            return value
        if depth >= MAX_DEPTH:
            raise Misfit(f"is nested more than {MAX_DEPTH} deep, or contains itself")
        write = _WRITERS.get(kind)
        if write is not None:
            return write(self, value, depth + 1)
        entry = registry.of_type(kind)
        if entry is not None:
            return self._plain_object(entry, value, depth + 1)
        raise Misfit(_refusal(value))

    def _plain_list(self, value: list[object], depth: int) -> list[object]:
        result: list[object] = []
        try:
            for one in value:
                result.append(one if type(one) in AS_IT_IS else self._plain(one, depth))
        except Misfit as exc:
            raise exc.at(f"[{len(result)}]") from None
        return result

    def _plain_dict(self, value: Mapping[object, object], depth: int) -> object:
        plain: dict[str, object] = {}
        key: object = None
        try:
            for key, one in value.items():
                if type(key) is not str or key[:1] == "$":
                    break
                plain[key] = one if type(one) in AS_IT_IS else self._plain(one, depth)
            else:
                return plain
            pairs = []
            for key, one in value.items():
                pairs.append([self._plain(key, depth), self._plain(one, depth)])
        except Misfit as exc:
            raise exc.at(f"[{key!r}]") from None
        return {"$map": pairs}

    def _plain_set(self, value: set[object], depth: int) -> list[object]:
        """In a fixed order, so that equal sets have equal texts."""
        return sorted((self._plain(one, depth) for one in value), key=json_text)

    def _plain_object(self, entry: registry.StoredClass, value: Any, depth: int) -> object:
        known = registry.find(entry.name, self._preferred())
        if known is not entry:
            raise Misfit(f"is another class than the {entry.name} that this container knows")
        fields: dict[str, object] = {}
        if isinstance(value, Enum):
            fields["name"] = _member_name(value)
        for field in entry.fields:
            one = getattr(value, field.name, attrs.NOTHING)
            if type(one) in field.simple:
                fields[field.name] = one
                continue
            try:
                fields[field.name] = self._plain_field(field, one, depth)
            except Misfit as exc:
                raise exc.at(f".{field.name}") from None
        return {"$type": entry.name, "version": entry.version, "fields": fields}

    def _plain_field(self, field: registry.StoredField, value: object, depth: int) -> object:
        if value is attrs.NOTHING:
            raise Misfit("was never set")
        field.shape.check(value)
        if type(value) is MappingProxyType:  # read-only fields of our own values
            return self._plain_dict(value, depth)
        return value if is_plain(value, MAX_DEPTH - depth) else self._plain(value, depth)

    def _preferred(self) -> Mapping[str, registry.StoredClass]:
        if self._classes is None:
            self._classes = registry.classes_in(self._declared)
        return self._classes

    # Plain data to values ---------------------------------------------------------------------

    def _value(self, plain: Any) -> object:
        kind = type(plain)
        if kind is list:
            return [one if type(one) in AS_IT_IS else self._value(one) for one in plain]
        if kind is not dict:
            return plain
        read = _READERS.get(next(iter(plain), ""))
        if read is not None and read.keys >= plain.keys():
            return read.make(self, plain)
        return {
            key: one if type(one) in AS_IT_IS else self._value(one) for key, one in plain.items()
        }

    def _object(self, plain: dict[str, Any]) -> object:
        name, version = plain["$type"], plain.get("version", 1)
        fields = self._value(dict(plain.get("fields", {})))
        if not isinstance(fields, dict) or type(version) is not int:
            raise Misfit("has no fields")
        entry = registry.find(name, self._preferred())
        if version > entry.version:
            raise Misfit(f"is version {version} of {name}, this program knows {entry.version}")
        if version < entry.version and entry.migrate is not None:
            try:
                fields = dict(entry.migrate(fields, version))
            except Exception as exc:  # the author's function may raise anything
                raise Misfit(f"its migration from version {version} failed: {exc!r}") from exc
        if issubclass(entry.cls, Enum):
            try:
                return _member(entry.cls, fields["name"])
            except (KeyError, AttributeError):
                raise Misfit(f"is no member of {name}: {fields}") from None
        return entry.make(fields)


def _member_name(value: Enum) -> str:
    if not isinstance(value, Flag):
        return value.name
    names = "|".join(str(one.name) for one in value)
    if _member(type(value), names) != value:
        raise Misfit(f"is no combination of members of {type(value).__name__}")
    return names


def _member(cls: type[Enum], name: str) -> Enum:
    """A member by its name; of flags any number of names, joined by ``|``."""
    if not issubclass(cls, Flag):
        return cls[name]
    combined = cls(0)
    for one in name.split("|") if name else ():
        combined |= cls[one]
    return combined


def _refusal(value: object) -> str:
    kind = type(value)
    if kind.__module__.startswith("moobius_trio.types."):
        return f"is of class {kind.__name__}, which is kept out of stores: it bears a secret"
    base = next((one for one in kind.__mro__[1:] if one in _WRITERS or one in AS_IT_IS), None)
    if base is not None:
        return f"is of class {kind.__name__}; store {base.__name__}(value), which it comes back as"
    if attrs.has(kind):
        return f"is of class {kind.__name__}; put @stored above that class"
    return f"is of class {kind.__name__}, which cannot be stored"


def _write_float(_: Format, value: float, depth: int) -> object:
    if not math.isfinite(value):
        return {"$float": repr(value)}
    return RareFloat(value) if is_rare(value) else value


def _write_datetime(_: Format, value: datetime, depth: int) -> object:
    zone = value.tzinfo
    if isinstance(zone, ZoneInfo) and zone.key:
        wall = {"$datetime": value.replace(tzinfo=None).isoformat(), "zone": zone.key}
    elif zone is None or type(zone) is timezone:
        wall = {"$datetime": value.isoformat()}
    else:
        raise Misfit(
            f"has a time zone of class {type(zone).__name__}; use zoneinfo or datetime.UTC"
        )
    return {**wall, "fold": 1} if value.fold else wall


def _write_time(_: Format, value: time, depth: int) -> object:
    if value.tzinfo is not None and type(value.tzinfo) is not timezone:
        raise Misfit("has a named time zone; store a datetime, or a time without zone")
    plain = {"$time": value.isoformat()}
    return {**plain, "fold": 1} if value.fold else plain


def _read_datetime(_: Format, plain: dict[str, Any]) -> datetime:
    value = datetime.fromisoformat(plain["$datetime"]).replace(fold=plain.get("fold", 0))
    if "zone" not in plain:
        return value
    try:
        return value.replace(tzinfo=ZoneInfo(plain["zone"]))
    except KeyError:  # ZoneInfoNotFoundError is one
        raise Misfit(
            f"has the time zone {plain['zone']!r}, which this machine does not know"
        ) from None


def _read_bytes(_: Format, plain: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(plain["$bytes"], validate=True)
    except binascii.Error as exc:
        raise Misfit(f"is no base64: {exc}") from None


def _read_timedelta(_: Format, plain: dict[str, Any]) -> timedelta:
    days, seconds, microseconds = plain["$timedelta"]
    return timedelta(days, seconds, microseconds)


@attrs.frozen
class _Reader:
    make: Callable[[Format, dict[str, Any]], object]
    keys: frozenset[str]


def _reader(make: Callable[[Format, dict[str, Any]], object], *keys: str) -> _Reader:
    return _Reader(make, frozenset(keys))


# Private methods of Format, kept in tables so that the type of a value is looked up once.
_WRITERS: dict[type, Callable[[Format, Any, int], object]] = {
    list: Format._plain_list,
    dict: Format._plain_dict,
    tuple: lambda self, value, depth: {"$tuple": self._plain_list(value, depth)},
    set: lambda self, value, depth: {"$set": self._plain_set(value, depth)},
    frozenset: lambda self, value, depth: {"$frozenset": self._plain_set(value, depth)},
    float: _write_float,
    bytes: lambda self, value, depth: {"$bytes": base64.b64encode(value).decode("ascii")},
    datetime: _write_datetime,
    date: lambda self, value, depth: {"$date": value.isoformat()},
    time: _write_time,
    timedelta: lambda self, value, depth: {
        "$timedelta": [value.days, value.seconds, value.microseconds]
    },
}
_READERS: dict[str, _Reader] = {
    "$map": _reader(lambda self, p: {self._value(k): self._value(v) for k, v in p["$map"]}, "$map"),
    "$tuple": _reader(lambda self, p: tuple(self._value(one) for one in p["$tuple"]), "$tuple"),
    "$set": _reader(lambda self, p: {self._value(one) for one in p["$set"]}, "$set"),
    "$frozenset": _reader(
        lambda self, p: frozenset(self._value(one) for one in p["$frozenset"]), "$frozenset"
    ),
    "$float": _reader(lambda self, p: float(p["$float"]), "$float"),
    "$bytes": _reader(_read_bytes, "$bytes"),
    "$datetime": _reader(_read_datetime, "$datetime", "zone", "fold"),
    "$date": _reader(lambda self, p: date.fromisoformat(p["$date"]), "$date"),
    "$time": _reader(
        lambda self, p: time.fromisoformat(p["$time"]).replace(fold=p.get("fold", 0)),
        "$time",
        "fold",
    ),
    "$timedelta": _reader(_read_timedelta, "$timedelta"),
    "$type": _reader(Format._object, "$type", "version", "fields"),
}
