"""The lines of an export: a head, then one record a line, as JSON that any program reads.

The form is described in docs/reference/storage-commands.md. No file is opened here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from typing import Final

import attrs

from moobius_trio.database import Place
from moobius_trio.database.checking import check_key, check_value, write_json
from moobius_trio.database.encoding import MAX_RECORD_BYTES, Unreadable
from moobius_trio.types import ChannelId, JsonValue, ServiceId

__all__ = (
    "MAX_LINE_BYTES",
    "Entry",
    "WrongLine",
    "read_head",
    "read_record",
    "write_head",
    "write_record",
)

FORMAT: Final = 1
MAX_LINE_BYTES: Final = 6 * MAX_RECORD_BYTES
"""A longer line is refused before it is parsed: ``\\uXXXX`` takes six bytes for one."""

_HEAD = "moobius_trio_export"
_KEYS = ("band", "container", "key", "value")

# What would steer a terminal or break a line, and halves of a character. Where two halves follow
# one another, the first stays as it is: readers make one character of \ud83d\ude00.
_MARKS = re.compile(
    "[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|[\udc00-\udfff]"
)


class WrongLine(Exception):
    """A line is not one of an export."""


@attrs.frozen
class Entry:
    """One record of an export."""

    place: Place
    raw_key: bytes
    value: bytes
    key: Hashable
    """Equal for equal keys."""


def write_head(service_id: ServiceId) -> bytes:
    """The first line."""
    return _line(write_json({_HEAD: FORMAT, "service_id": service_id}))


def read_head(line: bytes) -> None:
    """Make sure that a file is an export that this version reads.

    Raises:
        WrongLine: it is not.
    """
    found = _parse(line)
    version = found.get(_HEAD) if isinstance(found, dict) else None
    if type(version) is not int:
        raise WrongLine("this is no export: its first line has no moobius_trio_export")
    if version > FORMAT:
        raise WrongLine(f"has format {version}, this version reads up to {FORMAT}")


def write_record(place: Place, raw_key: bytes, value: bytes) -> bytes:
    """A record's line.

    Raises:
        WrongLine: its key or its value cannot be read.
    """
    try:
        check_key(raw_key)
        text = check_value(value)
        key = (
            raw_key[1:]
            if raw_key[:1] == b"\xff"
            else write_json(raw_key.decode("utf-8", "surrogatepass"))
        )
    except Unreadable as exc:
        raise WrongLine(str(exc)) from exc
    band, container = write_json(place.band), write_json(place.container)
    return _line(b'{"band":%b,"container":%b,"key":%b,"value":%b}' % (band, container, key, text))


def read_record(line: bytes) -> Entry:
    """The record of a line.

    Raises:
        WrongLine: it is none.
    """
    found = _parse(line)
    if not isinstance(found, dict) or tuple(sorted(found)) != _KEYS:
        raise WrongLine("must be an object with the keys band, container, key and value")
    band, container, key = found["band"], found["container"], found["key"]
    if not (band is None or (isinstance(band, str) and band)):
        raise WrongLine("band must be a text, or null for the service's own")
    if not isinstance(container, str) or not container:
        raise WrongLine("container must be a text")
    try:
        raw_key = (
            key.encode("utf-8", "surrogatepass")
            if isinstance(key, str)
            else b"\xff" + write_json(key)
        )
        equal = check_key(raw_key)
    except Unreadable as exc:
        raise WrongLine(f"its key is none: {exc}") from exc
    try:
        value = check_value(write_json(found["value"]))
    except Unreadable as exc:
        raise WrongLine(f"its value is none: {exc}") from exc
    return Entry(Place(None if band is None else ChannelId(band), container), raw_key, value, equal)


def _parse(line: bytes) -> JsonValue:
    try:
        found: JsonValue = json.loads(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as exc:
        raise WrongLine(f"is not JSON ({exc})") from None
    return found


def _line(text: bytes) -> bytes:
    escaped = _MARKS.sub(
        lambda mark: f"\\u{ord(mark[0]):04x}", text.decode("utf-8", "surrogatepass")
    )
    return escaped.encode("utf-8", "surrogatepass") + b"\n"
