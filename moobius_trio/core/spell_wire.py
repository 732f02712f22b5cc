"""What is said over the spell socket: frames of JSON, and the few messages there are.

Pure: no socket, no task, no clock. A frame is its length, four bytes big endian, and that many
bytes of a JSON object whose ``kind`` says what it is (docs/architecture.md section 7).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import datetime
from typing import Final, TypeAlias, TypeVar

import attrs
from attrs.validators import instance_of

from moobius_trio.codec.text import dump, parse_object
from moobius_trio.errors import MalformedPayload
from moobius_trio.types import ServiceStatus

__all__ = (
    "HEADER",
    "MAX_ANSWER_BYTES",
    "MAX_REQUEST_BYTES",
    "Accepted",
    "Answer",
    "Cast",
    "Greeting",
    "Raised",
    "Refused",
    "Request",
    "Returned",
    "StatusRequest",
    "StopRequest",
    "Stopped",
    "Unsendable",
    "body_length",
    "frame",
    "parse_answer",
    "parse_request",
)

MAX_REQUEST_BYTES: Final = 65_536
"""The largest body of a request."""

MAX_ANSWER_BYTES: Final = 1024 * 1024
"""The largest body of an answer; it comes from a program of the reader's own."""

HEADER: Final = 4
"""Bytes of the length in front of a body."""

_LONGEST_TEXT: Final = 1000

_LENGTH: Final = struct.Struct("!I")

M = TypeVar("M", bound=attrs.AttrsInstance)


def _cut(text: str) -> str:
    """Texts of errors may be any length. Whatever is no text stays as it is, to be refused."""
    too_long = isinstance(text, str) and len(text) > _LONGEST_TEXT
    return text[: _LONGEST_TEXT - 1] + "…" if too_long else text


# What a caster says


@attrs.frozen
class Cast:
    """Cast a spell."""

    spell: object
    wait: bool = attrs.field(validator=instance_of(bool))
    """Tell what became of it, besides that it was accepted."""


@attrs.frozen
class StatusRequest:
    """Tell what you are doing."""


@attrs.frozen
class StopRequest:
    """Stop, as one SIGTERM would have it."""


# What a service says


@attrs.frozen
class Greeting:
    """The first frame of a connection, unasked: the service hears, and a request may be sent."""

    name: str = attrs.field(validator=instance_of(str))


@attrs.frozen
class Accepted:
    """The spell will be cast in its turn; or the stop has begun."""


@attrs.frozen
class Returned:
    """What `on_spell` returned."""

    value: object


@attrs.frozen
class Raised:
    """`on_spell` raised: the name of the class, and the text."""

    error: str = attrs.field(converter=_cut, validator=instance_of(str))
    text: str = attrs.field(converter=_cut, validator=instance_of(str))


@attrs.frozen
class Unsendable:
    """`on_spell` returned something that does not go through here."""

    reason: str = attrs.field(converter=_cut, validator=instance_of(str))


@attrs.frozen
class Stopped:
    """The service stopped before the spell had ended."""

    begun: bool = attrs.field(validator=instance_of(bool))


@attrs.frozen
class Refused:
    """Nothing was done."""

    reason: str = attrs.field(converter=_cut, validator=instance_of(str))


Request: TypeAlias = Cast | StatusRequest | StopRequest
Answer: TypeAlias = (
    Greeting | Accepted | Returned | Raised | Unsendable | Stopped | Refused | ServiceStatus
)

_REQUESTS: Final[Mapping[str, type[Request]]] = {
    "spell": Cast,
    "status": StatusRequest,
    "stop": StopRequest,
}
_ANSWERS: Final[Mapping[str, type[Answer]]] = {
    "greeting": Greeting,
    "accepted": Accepted,
    "returned": Returned,
    "raised": Raised,
    "unsendable": Unsendable,
    "stopped": Stopped,
    "refused": Refused,
    "status": ServiceStatus,
}
_KINDS: Final = {cls: kind for kinds in (_REQUESTS, _ANSWERS) for kind, cls in kinds.items()}


def body_length(header: bytes, at_most: int) -> int:
    """How many bytes follow the header.

    Raises:
        MalformedPayload: more than `at_most`, or none; nothing of them needs to be read.
    """
    length: int = _LENGTH.unpack(header)[0]
    if not 0 < length <= at_most:
        raise MalformedPayload("frame", [f"{length:,} bytes, 1 to {at_most:,} are allowed"])
    return length


def frame(message: Request | Answer) -> bytes:
    """A message with its length in front.

    Raises:
        TypeError: something in it is neither a text, number, truth, list, dict nor None, or the
            key of a dict is no text. A tuple is written as a list.
        ValueError: a NaN or infinite number, a value that contains itself or is too deep, or one
            that makes the message too large.
    """
    content = {
        field.name: getattr(message, field.name) for field in attrs.fields(type(message))
    } | {"kind": _KINDS[type(message)]}
    if isinstance(message, ServiceStatus):
        content["since"] = message.since.isoformat()
    text = dump(content)
    _refuse_other_keys(content)
    body = text.encode()
    at_most = MAX_ANSWER_BYTES if type(message) in _ANSWERS.values() else MAX_REQUEST_BYTES
    if len(body) > at_most:
        raise ValueError(f"it has {len(body):,} bytes as JSON, at most {at_most:,} are allowed")
    try:
        parse_object(body, "message", max_bytes=at_most)  # no reader takes what is too deep
    except MalformedPayload as exc:
        raise ValueError("; ".join(exc.faults)) from None
    return _LENGTH.pack(len(body)) + body


def _refuse_other_keys(value: object) -> None:
    """JSON has texts for keys; Python's writer would turn 1, True and None into texts unasked."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            for key in item:
                if not isinstance(key, str):
                    raise TypeError(f"a key of type {type(key).__name__} cannot be sent as JSON")
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)


def parse_request(body: bytes) -> Request:
    """What a caster wants.

    Raises:
        MalformedPayload: it is no request; the faults say why. Nothing else, whatever the bytes.
    """
    return _parse(body, _REQUESTS, "request", MAX_REQUEST_BYTES)


def parse_answer(body: bytes) -> Answer:
    """What a service says.

    Raises:
        MalformedPayload: it is none of its answers.
    """
    return _parse(body, _ANSWERS, "answer", MAX_ANSWER_BYTES)


def _parse(body: bytes, kinds: Mapping[str, type[M]], what: str, at_most: int) -> M:
    content = parse_object(body, what, max_bytes=at_most)
    kind = content.pop("kind", None)
    cls = kinds.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise MalformedPayload(what, [f"kind must be one of {', '.join(kinds)}"])
    wanted = {field.name for field in attrs.fields(cls)}
    faults = [f"{key} is missing" for key in sorted(wanted - content.keys())]
    if content.keys() - wanted:
        faults.append(f"{kind} takes {', '.join(sorted(wanted)) or 'nothing'} and no more")
    if faults:
        raise MalformedPayload(what, faults)
    try:
        if cls is ServiceStatus:
            content["since"] = datetime.fromisoformat(str(content["since"]))
        return cls(**content)
    except (TypeError, ValueError):
        raise MalformedPayload(what, [f"a value of {kind} is of the wrong type"]) from None
