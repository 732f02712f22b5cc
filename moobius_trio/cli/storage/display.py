"""Stored values as a person reads them: like Python, every type visible, every mark harmless.

Texts are escaped as Python writes them, so nothing that was stored can steer a terminal.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

import attrs

from moobius_trio.database.checking import parse_value
from moobius_trio.database.encoding import Unreadable
from moobius_trio.logs import escape

__all__ = ("shortened", "show_key", "whole")

_TAGS = {
    "$tuple": ("(", ")"),
    "$set": ("{", "}"),
    "$frozenset": ("frozenset({", "})"),
    "$map": ("{", "}"),
}
_LIKE_A_VALUE = re.compile(r"""[(\[{'"\\]|^([-+]?[0-9.]+(e[-+]?[0-9]+)?|True|False|None)$""")
"""A text that looks like this is shown in quotes."""

_CALLS = {"$datetime": "datetime", "$date": "date", "$time": "time"}


@attrs.frozen
class _Group:
    """What has parts: ``opening part, part closing``."""

    opening: str
    parts: list[tuple[str, Any]]
    """What stands before each part, and the part."""
    closing: str


def shortened(text: bytes, width: int) -> str:
    """The beginning of a value in one line."""
    try:
        line = ""
        for piece in _pieces(parse_value(text)):
            line += piece
            if len(line) > width:
                return line[: width - 1] + "…"
    except (Unreadable, RecursionError) as exc:
        return f"unreadable: {escape(str(exc))}"[:width]
    return line


def whole(text: bytes, width: int) -> list[str]:
    """A value in full, in lines that fit where they can."""
    try:
        return list(_lines("", parse_value(text), "", width))
    except (Unreadable, RecursionError) as exc:
        return [f"unreadable ({escape(str(exc))}): {text!r}"]


def show_key(raw: bytes) -> str:
    """A key: a text as it is unless it has marks that cannot be seen, any other as a value."""
    if raw[:1] == b"\xff":
        return shortened(raw[1:], 1_000)
    try:
        text = raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return repr(raw)
    plain = text.isprintable() and text == text.strip() and not _LIKE_A_VALUE.search(text)
    return text if text and plain else repr(text)


def _lines(before: str, plain: Any, after: str, width: int, indent: str = "") -> Iterator[str]:
    line = indent + before
    for piece in _pieces(plain):
        line += piece
        if len(line) + len(after) > width:
            break
    else:
        yield line + after
        return
    group = _read(plain)
    if isinstance(group, str):
        yield indent + before + group + after
        return
    yield indent + before + group.opening
    for head, part in group.parts:
        yield from _lines(head, part, ",", width, indent + "    ")
    yield indent + group.closing + after


def _pieces(plain: Any) -> Iterator[str]:
    group = _read(plain)
    if isinstance(group, str):
        yield group
        return
    yield group.opening
    for number, (head, part) in enumerate(group.parts):
        yield ", " + head if number else head
        yield from _pieces(part)
    yield "," + group.closing if group.opening == "(" and len(group.parts) == 1 else group.closing


def _read(plain: Any) -> str | _Group:
    if isinstance(plain, list):
        return _Group("[", [("", one) for one in plain], "]")
    if not isinstance(plain, dict):
        return repr(plain)
    tag = next(iter(plain), "")
    found = _read_tagged(tag, plain) if tag[:1] == "$" else None
    if found is not None:
        return found
    return _Group("{", [(f"{key!r}: ", one) for key, one in plain.items()], "}")


def _read_tagged(tag: str, plain: dict[str, Any]) -> str | _Group | None:
    """None if it is not what the tag promises."""
    match tag, plain[tag]:
        case "$map", list(pairs) if all(
            isinstance(pair, list) and len(pair) == 2 for pair in pairs
        ):
            return _Group("{", [(f"{''.join(_pieces(k))}: ", v) for k, v in pairs], "}")
        case (("$set" | "$frozenset"), []):
            return f"{tag[1:]}()"
        case (("$tuple" | "$set" | "$frozenset"), list(values)):
            opening, closing = _TAGS[tag]
            return _Group(opening, [("", one) for one in values], closing)
        case "$bytes", str(text):
            return _show_bytes(text)
        case "$float", str(text):
            return escape(f"float({text!r})")
        case (("$datetime" | "$date" | "$time"), str(text)):
            zone = f", {plain['zone']!r}" if "zone" in plain else ""
            fold = ", fold=1" if plain.get("fold") else ""
            return f"{_CALLS[tag]}({text!r}{zone}{fold})"
        case "$timedelta", [int(days), int(seconds), int(micro)]:
            return f"timedelta(days={days}, seconds={seconds}, microseconds={micro})"
        case "$type", str(name):
            fields = plain.get("fields", {})
            if isinstance(fields, dict):
                version = plain.get("version", 1)
                later = f" version {version!r}" if version != 1 else ""
                parts = [(f"{escape(key)}=", one) for key, one in fields.items()]
                return _Group(f"{escape(name)}{later}(", parts, ")")
    return None


def _show_bytes(text: str) -> str | None:
    try:
        return repr(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return None
