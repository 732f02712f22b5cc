"""What is read without the converter is read as by it; what is written unseen, as by json."""

from __future__ import annotations

import copy
import enum
import json
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moobius_trio.codec import generation0, generation1
from moobius_trio.codec.plain import message_down_body as plain_body
from moobius_trio.codec.plain1 import message_down_body as plain_body_1
from moobius_trio.codec.strict import dump_strictly
from moobius_trio.codec.text import MAX_DEPTH, glance, parse_object
from moobius_trio.codec.usual import USUAL_0, USUAL_1, Readers, usual_event
from moobius_trio.errors import MalformedPayload
from moobius_trio.testing.payloads import json_values, messages_down
from moobius_trio.types import Content, MessageDown, UnknownPayload

HERE = Path(__file__).parent

Decode = Callable[[str], object]


def golden(path: str) -> Any:
    """A frame of the protocol's files."""
    return json.loads((HERE / path).read_text(encoding="utf-8"))


SIDES: dict[Decode, list[Any]] = {
    generation0.decode_for_service: [
        golden(f"golden/to_service_{name}.json") for name in ("msg_up", "copy", "copy_client")
    ],
    generation1.decode_for_service: [
        golden(f"golden_frames1/to_service_{name}.json")
        for name in ("message_up", "message_up_to_service", "message_up_real", "copy_message")
    ],
}
FRAMES = [(decode, frame) for decode, frames in SIDES.items() for frame in frames]


def outcome(decode: Decode, text: str) -> object:
    """The value that a frame gives, with the kinds of all that is in it, or all of its faults."""
    try:
        value = decode(text)
    except MalformedPayload as exc:
        return exc.what, exc.faults
    return value.type if isinstance(value, UnknownPayload) else repr(value)  # it keeps all keys


def as_a_frame(text: str) -> object:
    """The text as JSON, whatever is in it."""
    return parse_object(text, "frame")


def same_without_and_with_the_converter(decode: Decode, frame: Any) -> None:
    """A key that nobody knows takes a frame out of the usual ones, and changes nothing else.

    And what cannot be parsed is refused, in whatever part of the frame it is.
    """
    for escaped in (True, False):
        text = json.dumps(frame, ensure_ascii=escaped)
        came = outcome(decode, text)
        assert came == outcome(decode, f'{text[:-1]}, "unheard of": 0}}')
        parsed = outcome(as_a_frame, text)
        assert came == parsed or isinstance(parsed, str)


@pytest.mark.parametrize(("decode", "frame"), FRAMES)
def test_the_frames_of_the_protocol_are_usual(decode: Decode, frame: Any) -> None:
    """The messages and receipts of the protocol's files need no converter."""
    readers: Readers[Any] = USUAL_0 if decode is generation0.decode_for_service else USUAL_1
    event = usual_event(glance(json.dumps(frame), "frame"), readers)
    assert event is not None
    assert event == decode(json.dumps({**frame, "unheard of": 0}))


HOSTILE: list[Any] = [
    *(None, True, 0, 1, 1.0, -0.0, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 1e19, 1e300),
    *("", "service", "\ud800", "😀", [], [[]], ["a"], ["a", 1], ["a", None], {}, {"text": "a"}),
    *({"text": None}, {"text": "a", "path": None}, {"sender": "a", "recipients": "abc"}),
    *({"sender": "a", "recipients": ["a"], "group_id": [2**64]}, float("nan"), 10**4000),
    *([2**64], {"deep": json.loads("[" * 70 + "]" * 70)}, "update", "copy", "msg_up"),
]
"""Parts that are nearly right, and parts that are not."""


@pytest.mark.parametrize(("decode", "frame"), FRAMES)
def test_frames_with_one_part_replaced(decode: Decode, frame: Any) -> None:
    """A usual frame with one part replaced, gone or new is read or refused in one way."""
    for number, part in enumerate(parts(frame)):
        for key in [*part, "new"] if isinstance(part, dict) else [0]:
            for value in HOSTILE:
                spoilt = copy.deepcopy(frame)
                parts(spoilt)[number][key] = value
                same_without_and_with_the_converter(decode, spoilt)
            spoilt = copy.deepcopy(frame)
            if key != "new":
                del parts(spoilt)[number][key]
            same_without_and_with_the_converter(decode, spoilt)


@given(st.sampled_from(FRAMES), st.data())
def test_frames_with_some_parts_replaced(case: tuple[Decode, Any], data: st.DataObject) -> None:
    """So is one in which several parts became anything."""
    decode, frame = case[0], copy.deepcopy(case[1])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from([part for part in parts(frame) if part]))
        key = data.draw(st.sampled_from([*place, "new"] if isinstance(place, dict) else [0]))
        place[key] = copy.deepcopy(data.draw(json_values | st.sampled_from(HOSTILE)))
    same_without_and_with_the_converter(decode, frame)


def parts(value: Any) -> list[Any]:
    """All objects and lists in a value, itself first."""
    if not isinstance(value, dict | list):
        return []
    inside = value.values() if isinstance(value, dict) else value
    return [value, *(each for part in inside for each in parts(part))]


@pytest.mark.parametrize(("decode", "frame"), FRAMES)
@pytest.mark.parametrize("levels", [MAX_DEPTH - 3, MAX_DEPTH - 2])
def test_depth_is_counted_in_what_is_not_read(decode: Decode, frame: Any, levels: int) -> None:
    """A context as deep as a frame may be passes, and one level more is refused (F60, S6)."""
    deep = json.loads("[" * levels + "]" * levels)
    frame = {**frame, "body": {**frame["body"], "context": {**frame["body"]["context"], "a": deep}}}
    same_without_and_with_the_converter(decode, frame)
    refused = isinstance(outcome(decode, json.dumps(frame)), tuple)
    assert refused is (levels > MAX_DEPTH - 3)


def test_a_text_is_no_list_of_recipients() -> None:
    """Also where it stands in both places."""
    frame = golden("golden/to_service_msg_up.json")
    frame["body"]["recipients"] = frame["body"]["context"]["recipients"] = "abc"
    same_without_and_with_the_converter(generation0.decode_for_service, frame)


def test_a_number_in_a_context_stays_what_it_was() -> None:
    """An integer of more than 64 bits in a receipt is not bent into a float."""
    frame = golden("golden_frames1/to_service_copy.json")
    frame["body"]["context"] = {"big": 2**64}
    for decode in SIDES:
        assert f"{2**64}" in repr(decode(json.dumps(frame)))


class Colour(enum.Enum):
    """An enumeration that is no text."""

    RED = "red"


MISTAKES = [None, True, 7, 2**64, 1.5, float("nan"), b"a", Colour.RED, uuid.UUID(int=7), ["a"]]
"""What a program that nobody type-checks may pass where a text belongs."""


def both_texts(message: Any) -> list[tuple[object, object]]:
    """The message's frame as it is encoded, and as json writes it, in each generation."""
    names: Any = {"request_id": "request-1", "client_id": "service-1", "timestamp": 7}
    group_of: Any = repr  # any text will do
    body0, body1 = plain_body(message, 7), plain_body_1(message, 7, group_of)
    head0 = {"type": "msg_down", "request_id": "request-1", "body": body0}
    head1 = {"type": "message_down", "request_id": "request-1", "body": body1}
    return [
        (
            written(partial(generation0.encode_from_service, message, **names)),
            written(partial(dump_strictly, {**head0, "client_id": "service-1"})),
        ),
        (
            written(partial(generation1.encode_from_service, message, **names, group_of=group_of)),
            written(partial(dump_strictly, {**head1, "service_id": "service-1"})),
        ),
    ]


def written(write: Callable[[], str]) -> object:
    """The text, or the error in words."""
    try:
        return write()
    except (TypeError, ValueError) as exc:
        return type(exc).__name__, str(exc)


@given(messages_down)
def test_messages_are_written_as_json_writes_them(message: Any) -> None:
    """Letter for letter."""
    for fast, strict in both_texts(message):
        assert fast == strict


@pytest.mark.parametrize("value", MISTAKES)
@pytest.mark.parametrize(
    "field",
    [
        "channel_id",
        "sender",
        "subtype",
        "msg_id",
        "timestamp",
        "recipient",
        "text",
        "path",
        "extra",
    ],
)
def test_a_wrong_type_in_a_message_is_written_or_refused_as_by_json(
    field: str, value: object
) -> None:
    """That nobody looks at a usual message's frame lets nothing pass that was refused before."""
    given_fields: dict[str, Any] = {"channel_id": "a", "content": "hi", "recipients": ["b"]}
    if field in ("text", "path", "extra"):
        part: dict[str, Any] = {field: {"a": value} if field == "extra" else value}
        given_fields["content"] = Content(**{"text": "hi", **part})
    elif field == "recipient":
        given_fields["recipients"] = ["b", value]
    else:
        given_fields[field] = value
    for fast, strict in both_texts(MessageDown(**given_fields)):
        assert fast == strict
