"""Properties: every value survives its way, and nothing that comes in breaks the codec."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moobius_trio.codec import generation0, http0
from moobius_trio.errors import ApiError, MalformedPayload
from moobius_trio.testing.payloads import (
    ids,
    integers,
    json_values,
    service_commands,
    service_events,
    texts,
    unknown_types,
    user_commands,
    user_events,
)
from moobius_trio.types import (
    GenericUpdate,
    MessageDown,
    Ping,
    RawPayload,
    RequestId,
    ServiceCommand,
    ServiceId,
    ServiceLogin,
    UnknownPayload,
    UpdateChannelInfo,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
    UserId,
    UserLogin,
)

GOLDEN = Path(__file__).parent / "golden"
FRAMES = [
    path.read_text(encoding="utf-8")
    for path in sorted(GOLDEN.glob("*.json"))
    if not path.stem.startswith("http_")
]
REPLIES = [
    json.loads(path.read_text(encoding="utf-8"))["data"]
    for path in sorted(GOLDEN.glob("http_*.json"))
]
TYPES = sorted({"copy", *(json.loads(text).get("type", "roger") for text in FRAMES)})
SUBTYPES = sorted(set(re.findall(r'"subtype": "(\w+)"', "".join(FRAMES))))
BODY_KEYS = [
    *("subtype", "channel_id", "content", "context", "recipients", "sender", "timestamp"),
    *("msg_id", "userlist", "features", "feature_id", "arguments", "status", "request_id"),
]


def as_bytes(text: str) -> bytes:
    """What goes over the wire: this must never fail."""
    return text.encode()


@given(service_commands, ids, ids, integers)
def test_from_service_to_platform(command: Any, request: Any, client: Any, time: int) -> None:
    """Every command of a service reaches the platform as it was."""
    text = generation0.encode_from_service(
        command, request_id=request, client_id=client, timestamp=time
    )
    frame = generation0.decode_from_client(as_bytes(text))
    flat = isinstance(command, ServiceLogin | Ping)
    assert frame == generation0.ClientFrame(request, None if flat else client, command)
    assert frame.origin_type == json.loads(text)["type"]


@given(unknown_types, json_values)
def test_free_payloads(kind: str, body: Any) -> None:
    """A payload of a type of the program's own reaches the platform whole."""
    text = generation0.encode_from_service(
        RawPayload(type=kind, body=body),
        request_id=RequestId("r"),
        client_id=ServiceId("s"),
        timestamp=0,
    )
    command = generation0.decode_from_client(as_bytes(text)).command
    assert isinstance(command, UnknownPayload)
    assert command.frame == {"type": kind, "request_id": "r", "client_id": "s", "body": body}


@given(service_events)
def test_from_platform_to_service(event: Any) -> None:
    """Every event reaches a service as it was."""
    text = generation0.encode_for_service(event)
    assert generation0.decode_for_service(as_bytes(text)) == event


@given(user_commands, ids, ids, integers)
def test_from_user_to_platform(command: Any, request: Any, client: Any, time: int) -> None:
    """Every command of a user reaches the platform as it was."""
    text = generation0.encode_from_user(
        command, request_id=request, client_id=client, timestamp=time
    )
    frame = generation0.decode_from_client(as_bytes(text))
    flat = isinstance(command, UserLogin | Ping)
    assert frame == generation0.ClientFrame(request, None if flat else client, command)


@given(user_events)
def test_from_platform_to_user(event: Any) -> None:
    """Every event reaches a user as it was."""
    text = generation0.encode_for_user(event)
    assert generation0.decode_for_user(as_bytes(text)) == event


@given(service_events, user_events, service_commands)
def test_values_can_be_hashed(event: Any, seen: Any, command: Any) -> None:
    """Values out of the codec are as good as values made by hand: equal means the same hash."""
    decoded = generation0.decode_for_service(generation0.encode_for_service(event))
    assert hash(decoded) == hash(event)
    decoded_seen = generation0.decode_for_user(generation0.encode_for_user(seen))
    assert hash(decoded_seen) == hash(seen)
    text = generation0.encode_from_service(
        command, request_id=RequestId("r"), client_id=ServiceId("s"), timestamp=0
    )
    assert hash(generation0.decode_from_client(text).command) == hash(command)


DECODERS: list[Callable[[Any], object]] = [
    generation0.decode_for_service,
    generation0.decode_from_client,
    generation0.decode_for_user,
    http0.decode_sign_in,
    http0.decode_create_character,
    http0.decode_create_group,
]


def only_malformed(text: Any) -> None:
    """No decoder raises anything but its own error."""
    for decode in DECODERS:
        try:
            decode(text)
        except MalformedPayload as exc:
            assert exc.faults  # noqa: PT017  (any other exception is the failure)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    """Bytes are read or refused (F22, F60)."""
    only_malformed(data)


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=200))
def test_any_text(text: str) -> None:
    """Texts are read or refused, also those that cannot be encoded."""
    only_malformed(text)


frame_like = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES) | json_values, "request_id": texts | json_values},
    optional={
        "subtype": st.sampled_from(SUBTYPES) | json_values,
        "channel_id": texts | json_values,
        "message": json_values,
        "body": json_values
        | st.dictionaries(
            st.sampled_from(BODY_KEYS),
            json_values | st.sampled_from(SUBTYPES),
        ),
    },
)


@given(frame_like)
def test_anything_like_a_frame(frame: Any) -> None:
    """Objects with the right keys and anything in them are read or refused."""
    only_malformed(json.dumps(frame))


@given(st.sampled_from(FRAMES), st.randoms(use_true_random=False), json_values)
def test_a_frame_with_one_part_replaced(text: str, random: Any, value: Any) -> None:
    """A good frame of which any one part became something else is read or refused."""
    frame = json.loads(text)
    place = frame
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = random.choice(keys)
        below = place[key]
        if not isinstance(below, dict | list) or not below or random.random() < 0.3:
            place[key] = value
            break
        place = below
    only_malformed(json.dumps(frame))


@given(st.sampled_from(FRAMES), st.integers(min_value=0), st.binary(max_size=3))
def test_a_frame_cut_and_spoilt(text: str, where: int, spoil: bytes) -> None:
    """A good frame that was cut, with anything after the cut, is read or refused."""
    data = text.encode()
    only_malformed(data[: where % len(data)] + spoil)


@given(json_values | st.sampled_from(REPLIES))
def test_any_data_in_a_reply(data: Any) -> None:
    """The data of a reply is read or refused."""
    reply = http0.decode_reply(http0.encode_reply(data), path="/p", status=200)
    for read in (
        http0.decode_tokens,
        http0.decode_services,
        http0.decode_service_id,
        http0.decode_user_list,
        http0.decode_characters,
        http0.decode_character,
        lambda given_data: http0.decode_profile(given_data, UserId("user-1")),
        http0.decode_group,
        http0.decode_upload_target,
        http0.decode_user_info,
    ):
        try:
            read(reply)
        except MalformedPayload as exc:
            assert exc.faults  # noqa: PT017  (any other exception is the failure)


@given(st.binary(max_size=200))
def test_any_bytes_as_a_reply(data: bytes) -> None:
    """A reply is an envelope or an ApiError."""
    with pytest.raises(ApiError):
        http0.decode_reply(data, path="/p", status=200)


def test_deep_frames_do_not_break() -> None:
    """Neither very deep text nor deep values inside a good frame end in a RecursionError.

    (F60, S6)
    """
    for levels in (60, 64, 65, 500, 5_000, 50_000):
        only_malformed('{"type": "update", "request_id": "r", "body": ' + '{"a":' * levels)
        free = '{"type": "update", "request_id": "r", "body": ' + '{"a":' * levels + "1"
        only_malformed(free + "}" * (levels + 1))
        only_malformed('{"type":' + "[" * levels + "]" * levels + "}")


def test_the_command_type_is_what_the_tests_build() -> None:
    """Each class that a service may send is built above, so that no new one goes untested."""
    built = {MessageDown, UpdateUserList, UpdateFeatures, UpdateMenu, UpdatePlayground}
    built |= {UpdateStyle, UpdateChannelInfo, GenericUpdate, ServiceLogin, Ping, RawPayload}
    assert set(typing.get_args(ServiceCommand)) == built
