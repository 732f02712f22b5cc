"""How records of the local platform are written: SQL statements and JSON in ASCII.

Pure: no connection and no file here. The JSON is ASCII, so that every text a client may send, with
characters that have no UTF-8 too, can be kept and comes back as it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from cattrs import BaseValidationError, Converter
from cattrs.gen import make_dict_unstructure_fn

from moobius_trio.local.records import (
    Account,
    Band,
    BandEmptied,
    Change,
    Figure,
    Forgotten,
    Group,
    Message,
    RequestSeen,
    Service,
    Upload,
    UserJoined,
    UserLeft,
)
from moobius_trio.types import Content

__all__ = ("NotOurs", "load_message", "load_record", "statement")

PUT: Final = (
    "INSERT INTO record (kind, key, value) VALUES (?, ?, ?) "
    "ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value"
)
DELETE: Final = "DELETE FROM record WHERE kind = ? AND key = ?"
EMPTY: Final = "DELETE FROM message WHERE band = ?"
APPEND: Final = "INSERT INTO message (band, value) VALUES (?, ?)"

_KINDS: Final[Mapping[str, type[Any]]] = MappingProxyType(
    {
        "account": Account,
        "band": Band,
        "service": Service,
        "figure": Figure,
        "group": Group,
        "upload": Upload,
        "member": UserJoined,
    }
)
_NAMES: Final = MappingProxyType({kind: name for name, kind in _KINDS.items()})


class NotOurs(Exception):
    """A stored text is not one that this module wrote."""


def statement(change: Change) -> tuple[str, tuple[str, ...]]:
    """The SQL that stores the change, and its values; an empty statement for what is not kept."""
    match change:
        case RequestSeen():
            return "", ()
        case Message():
            return APPEND, (_dump(change.channel_id), _dump(_converter.unstructure(change)))
        case UserLeft():
            return DELETE, ("member", _dump([change.channel_id, change.user_id]))
        case Forgotten(record=record):
            return DELETE, (_NAMES[type(record)], _dump(_key(record)))
        case BandEmptied():
            return EMPTY, (_dump(change.channel_id),)
        case _:
            value = _dump(_converter.unstructure(change))
            return PUT, (_NAMES[type(change)], _dump(_key(change)), value)


def _key(
    record: Account | Band | Service | Figure | Group | Upload | UserJoined,
) -> str | list[str]:
    match record:
        case Account():
            return record.user_id
        case Band():
            return record.channel_id
        case Service():
            return record.service_id
        case Figure():
            return record.character.user_id
        case Group():
            return record.group_id
        case Upload():
            return record.key
        case UserJoined():
            return [record.channel_id, record.user_id]


def load_record(kind: str, value: str) -> Change:
    """The record that ``statement`` wrote.

    Raises:
        NotOurs: the text is not of this form.
    """
    if kind not in _KINDS:
        raise NotOurs(f"of the unknown kind {kind!r}")
    record: Change = _load(value, _KINDS[kind])
    return record


def load_message(value: str) -> Message:
    """The message that ``statement`` wrote.

    Raises:
        NotOurs: the text is not of this form.
    """
    message: Message = _load(value, Message)
    return message


def _load(value: str, kind: type[Any]) -> Any:
    try:
        return _converter.structure(json.loads(value), kind)
    except (BaseValidationError, ValueError, TypeError, KeyError) as exc:
        raise NotOurs(f"{kind.__name__}: {exc}") from None


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _structure_content(value: dict[str, Any], _: type) -> Content:
    return Content(text=value["text"], path=value["path"], extra=value["extra"])


def _make_converter() -> Converter:
    converter = Converter()
    # The free part of a content is whatever the wire had; there is no type to structure it into.
    converter.register_unstructure_hook(
        Content, lambda c: {"text": c.text, "path": c.path, "extra": dict(c.extra)}
    )
    converter.register_structure_hook(Content, _structure_content)
    converter.register_unstructure_hook(
        Message, make_dict_unstructure_fn(Message, converter, _cattrs_omit_if_default=True)
    )
    return converter


_converter: Final = _make_converter()
