"""Frames without what differs from run to run, and a person's frame made ready to be sent again.

An id becomes ``@`` and the name of whom it is; a text of the author's own that begins with ``@``
gets another one. The address of an uploaded file becomes ``file:`` and a part of its content's
hash. Request ids, message ids, times and the recipients of a frame are left out: who was sent it
stands beside it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Final, cast

from moobius_trio.codec.generation0 import decode_from_client
from moobius_trio.codec.text import dump
from moobius_trio.errors import MalformedPayload, UsageError
from moobius_trio.tapes.tape import Frame, Up
from moobius_trio.types import FeatureCall, JsonValue, MenuItemClick, UserAction, UserMessage

__all__ = ("UPLOAD", "Names", "command_of", "deed", "file_name", "sight")

UPLOAD: Final = re.compile(
    r"https?://[^/\s\"'<>]+/bucket/(?:[0-9A-Za-z.]+/)?([0-9A-Za-z]{1,64}\.[a-z0-9]{1,8})"
)
"""The address of an upload; the group is its key."""

_ID: Final = re.compile(r"local-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_GOES: Final = frozenset(
    ("channel_id", "timestamp", "msg_id", "message_id", "recipients", "sender_id")
)
_CONSTANT: Final[Mapping[str, JsonValue]] = {"context": {}, "group_id": "temp"}
"""What every frame of the kind has, and tells nobody anything."""

_KEPT: Final[Mapping[str, tuple[str, ...]]] = {
    "msg_up": ("subtype", "content", "recipients"),
    "action": (
        *("subtype", "menu_item_id", "message_subtype", "message_content"),
        *("arguments", "bottom_button_id"),
    ),
    "feature_call": ("feature_id", "arguments", "bottom_button_id"),
}
"""What a person's frame says, as it is sent and as the service gets it."""


class Names:
    """Which id is called what. Two of one nickname are told apart by a number, in the order in
    which they were heard of."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._ids: dict[str, str] = {}

    def learn(self, identity: str, nickname: str) -> None:
        """Somebody's nickname; the first one counts."""
        if not identity or not nickname or identity in self._names:
            return
        name, number = nickname, 1
        while name in self._ids:
            number += 1
            name = f"{nickname} ({number})"
        self._names[identity], self._ids[name] = name, identity

    def learn_from(self, value: JsonValue) -> None:
        """The nicknames of all characters that stand in a frame."""
        if isinstance(value, list | tuple):
            for each in value:
                self.learn_from(each)
        elif isinstance(value, Mapping):
            identity, profile = value.get("user_id"), value.get("user_context")
            if isinstance(identity, str) and isinstance(profile, Mapping):
                self.learn(identity, str(profile.get("nickname") or ""))
            for each in value.values():
                if isinstance(each, Mapping | list | tuple):
                    self.learn_from(each)

    def known(self, identity: str) -> bool:
        """Whether this is somebody's id."""
        return identity in self._names

    def of(self, identity: str) -> str:
        """The name; ``?`` for an id that nobody was seen with."""
        return self._names.get(identity, "?")

    def identity(self, name: str) -> str:
        """The id of whom the name means; one of nobody for a name that nobody bears."""
        return self._ids.get(name, "local-nobody")


def file_name(key: str, content: bytes) -> str:
    """What stands for an upload: the same for the same content, wherever it lies."""
    return f"file:{hashlib.sha256(content).hexdigest()[:12]}.{key.rpartition('.')[2]}"


def sight(frame: Frame, names: Names, files: Mapping[str, str]) -> Frame:
    """What a person was sent, without what differs.

    Args:
        files: what stands for each upload, by its key.
    """
    plain = {key: value for key, value in frame.items() if key in ("type", "subtype")}
    body = frame.get("body")
    if isinstance(body, Mapping) and "subtype" not in frame:
        body = {key: value for key, value in body.items() if key not in _GOES}
        for key, value in _CONSTANT.items():
            if body.get(key) == value:
                del body[key]
    return {**plain, "body": _normal(body, names, files)}


def deed(frame: Frame, names: Names, files: Mapping[str, str]) -> Frame:
    """What a person did, without what differs; as their client or as the platform says it."""
    kind, body = frame.get("type"), frame.get("body")
    body = body if isinstance(body, Mapping) else {}
    kept = {key: body[key] for key in _KEPT.get(str(kind), ()) if key in body}
    return {"type": kind, "body": _normal(kept, names, files)}


def _normal(value: JsonValue, names: Names, files: Mapping[str, str]) -> JsonValue:
    if isinstance(value, str):
        return _normal_text(value, names, files)
    if isinstance(value, Mapping):
        plain = {key: _normal(each, names, files) for key, each in value.items()}
        username, name = value.get("username"), names.of(str(value.get("user_id")))
        if isinstance(username, str) and username.casefold() == name.casefold():
            plain["username"] = (
                name  # a guest who came as alice is called Alice, and comes so again
            )
        return plain
    if isinstance(value, list | tuple):
        return [_normal(each, names, files) for each in value]
    return value


def _normal_text(text: str, names: Names, files: Mapping[str, str]) -> str:
    if names.known(text):
        return "@" + names.of(text)
    if text.startswith("@"):
        return "@" + text
    text = UPLOAD.sub(lambda found: files.get(found[1], "file:?"), text)
    return _ID.sub(lambda found: "@" + names.of(found[0]), text)


def command_of(
    up: Up, identity: Callable[[str], str], files: Mapping[str, str]
) -> UserAction | UserMessage | FeatureCall | MenuItemClick:
    """What a person's client sends to do this again; a choice from a menu names no message.

    Args:
        identity: the id of whom a name means, of the person or character as the person sees them.
        files: the address of each file, by what stands for it.

    Raises:
        UsageError: it is not what the protocol says.
    """
    body = _again(up.frame.get("body"), identity, files)
    sent = {
        "type": up.frame.get("type"),
        "request_id": "",
        "client_id": identity(up.who),
        "body": {
            "recipients": [],
            "arguments": [],
            "message_id": "",
            **cast("Mapping[str, JsonValue]", body),
            "channel_id": up.band,
            "sender": identity(up.who),
            "timestamp": 0,
            "context": {},
        },
    }
    try:
        command = decode_from_client(dump(sent)).command
    except MalformedPayload as exc:
        raise UsageError(f"what {up.who} does cannot be sent: {'; '.join(exc.faults)}.") from None
    if not isinstance(command, UserAction | UserMessage | FeatureCall | MenuItemClick):
        raise UsageError(f"what {up.who} does cannot be sent: it is a {sent['type']!r}.")
    return command


def _again(value: JsonValue, identity: Callable[[str], str], files: Mapping[str, str]) -> JsonValue:
    if isinstance(value, str):
        if value.startswith("@@"):
            return value[1:]
        if value.startswith("@"):
            return identity(value[1:])
        return files.get(value, value)
    if isinstance(value, Mapping):
        return {key: _again(each, identity, files) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_again(each, identity, files) for each in value]
    return value
