"""The HTTP bodies of section 2, as they stand there, from both ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moobius_trio.codec import http0
from moobius_trio.errors import ApiError, MalformedPayload
from moobius_trio.types import (
    ChannelId,
    Character,
    GroupId,
    Secret,
    ServiceId,
    ServiceInfo,
    Tokens,
    UploadTarget,
    UserId,
)

GOLDEN = Path(__file__).parent / "golden"
EMAIL = "alice@example.org"
PICTURE = "https://host/key.png"
ALICE = Character(
    user_id=UserId("user-1"),
    username="alice",
    nickname="Alice",
    avatar=PICTURE,
    description="text",
)
MICKEY = Character(
    user_id=UserId("user-1"),
    username="Mickey",
    nickname="Mickey 1",
    avatar=PICTURE,
    description="text",
)
SERVICES = (
    ServiceInfo(
        service_id=ServiceId("service-1"),
        channel_ids=[ChannelId("channel-1"), ChannelId("channel-2")],
    ),
    ServiceInfo(service_id=ServiceId("service-2")),
)
BOTH = Tokens(access=Secret("token-1"), refresh=Secret("token-2"))
RENEWED = Tokens(access=Secret("token-3"))
TARGET = UploadTarget(url="https://bucket/", fields={"key": "1.png", "policy": "p"})
USERS = (UserId("user-1"), UserId("user-2"))

REQUESTS: dict[str, tuple[bytes, Callable[[bytes], object], object]] = {
    "sign_in": (
        http0.encode_sign_in(EMAIL, Secret("secret-1")),
        http0.decode_sign_in,
        http0.SignIn(EMAIL, Secret("secret-1")),
    ),
    "refresh": (
        http0.encode_refresh(EMAIL, Secret("token-2")),
        http0.decode_refresh,
        http0.RefreshRequest(EMAIL, Secret("token-2")),
    ),
    "service_create": (
        http0.encode_create_service("a service"),
        http0.decode_create_service,
        "a service",
    ),
    "service_bind": (
        http0.encode_binding(ServiceId("service-1"), ChannelId("channel-1")),
        http0.decode_binding,
        http0.Binding(ServiceId("service-1"), ChannelId("channel-1")),
    ),
    "fetch_profile": (
        http0.encode_fetch_profile(UserId("user-1")),
        http0.decode_fetch_profile,
        (UserId("user-1"),),
    ),
    "service_user_create": (
        http0.encode_create_character(
            ServiceId("service-1"), "Mickey", "Mickey 1", PICTURE, "text"
        ),
        http0.decode_create_character,
        http0.CreateCharacter(ServiceId("service-1"), "Mickey", "Mickey 1", PICTURE, "text"),
    ),
    "service_group_create": (
        http0.encode_create_group(GroupId("group-1"), USERS),
        http0.decode_create_group,
        http0.CreateGroup(GroupId("group-1"), USERS),
    ),
}
"""What a client posts: our bytes, the server's reading, and the value."""

REPLIES: dict[str, tuple[object, Callable[[Any], object], object]] = {
    "sign_in": (http0.tokens_data(BOTH), http0.decode_tokens, BOTH),
    "refresh": (http0.tokens_data(RENEWED), http0.decode_tokens, RENEWED),
    "service_list": (http0.services_data(SERVICES), http0.decode_services, SERVICES),
    "service_create": (
        http0.service_id_data(ServiceId("service-1")),
        http0.decode_service_id,
        ServiceId("service-1"),
    ),
    "channel_userlist": (http0.user_list_data([ALICE]), http0.decode_user_list, (ALICE,)),
    "fetch_profile": (
        http0.profile_data(ALICE),
        lambda data: http0.decode_profile(data, UserId("user-1")),
        ALICE,
    ),
    "service_user_create": (http0.character_data(MICKEY), http0.decode_character, MICKEY),
    "service_user_list": (http0.characters_data([MICKEY]), http0.decode_characters, (MICKEY,)),
    "service_group_create": (
        http0.group_data(GroupId("group-1")),
        http0.decode_group,
        GroupId("group-1"),
    ),
    "user_group": (http0.character_data(ALICE), http0.decode_character, ALICE),
    "file_upload": (http0.upload_target_data(TARGET), http0.decode_upload_target, TARGET),
    "user_info": (http0.user_info_data(UserId("user-1")), http0.decode_user_info, UserId("user-1")),
}
"""What a server replies: our data, the client's reading, and the value."""


def golden(name: str) -> Any:
    """The request and reply of one call."""
    return json.loads((GOLDEN / f"http_{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", REQUESTS)
def test_requests(name: str) -> None:
    """A request is written as section 2.2 shows it, and a server reads it as it was meant."""
    written, read, value = REQUESTS[name]
    assert json.loads(written) == golden(name)["request"]
    assert read(json.dumps(golden(name)["request"]).encode()) == value


@pytest.mark.parametrize("name", REPLIES)
def test_replies(name: str) -> None:
    """A reply is written as section 2.2 shows it, and a client reads it as it was meant."""
    data, read, value = REPLIES[name]
    envelope = json.loads(http0.encode_reply(data))
    assert envelope["code"] == 10_000
    assert envelope["data"] == golden(name)["data"]
    reply = http0.decode_reply(
        json.dumps({"code": 10_000, "msg": "", "data": golden(name)["data"]}).encode(),
        path="/a/path",
        status=200,
    )
    assert read(reply) == value


def test_every_golden_body_is_used() -> None:
    """A call that was written down and that no test reads would prove nothing."""
    for part, table in (("request", set(REQUESTS)), ("data", {*REPLIES, "service_bind"})):
        found = {path.stem.removeprefix("http_") for path in GOLDEN.glob("http_*.json")}
        assert {name for name in found if part in golden(name)} == table


def test_a_good_reply_may_have_no_data() -> None:
    """Nobody needs the data of a bind; it may be absent."""
    assert http0.decode_reply(b'{"code": 10000}', path="/service/bind", status=200) is None


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (http0.encode_failure(10_007, "no such\n band"), 10_007, "no such band"),
        (b'{"code": 4, "message": "other words"}', 4, "other words"),
        (b'{"code": 4, "msg": null}', 4, "no reason given"),
        (b'{"message": "Unauthorized"}', None, "Unauthorized"),
        (b'{"code": "10000", "data": {}}', None, "the reply has no envelope"),
        (b'{"code": true}', None, "the reply has no envelope"),
        (b"[]", None, "expected an object"),
        (b"", None, "not JSON"),
        (b"<html>", None, "not JSON"),
        (b"\xff", None, "not UTF-8"),
        (b" " * 1_048_577, None, "larger than 1,048,576 bytes"),
    ],
)
def test_a_bad_reply_is_an_api_error(content: bytes, code: int | None, words: str) -> None:
    """Whatever is not a good envelope is one error with path, status, code and words."""
    with pytest.raises(ApiError) as caught:
        http0.decode_reply(content, path="/service/bind", status=502)
    error = caught.value
    assert (error.path, error.status, error.code) == ("/service/bind", 502, code)
    assert words in error.message
    assert "\n" not in str(error)


def test_the_platforms_words_are_cut() -> None:
    """A page of text in place of a reason does not fill the log."""
    with pytest.raises(ApiError) as caught:
        http0.decode_reply(http0.encode_failure(1, "x" * 5000), path="/p", status=200)
    assert len(str(caught.value)) < 400


def test_both_spellings_of_the_words_are_sent() -> None:
    """Clients of one generation read msg, of the other message."""
    envelope = json.loads(http0.encode_failure(4, "why"))
    assert envelope == {"code": 4, "msg": "why", "message": "why", "data": None}


@pytest.mark.parametrize(
    ("read", "data", "fault"),
    [
        (http0.decode_tokens, {}, "required field missing @ data.AuthenticationResult"),
        (http0.decode_tokens, None, "expected an object, got null @ data"),
        (http0.decode_services, {}, "expected a list, got an object @ data"),
        (http0.decode_services, [{"service_id": "s"}], "missing @ data[0].channel_ids"),
        (http0.decode_service_id, {"service_id": None}, "got null @ data.service_id"),
        (http0.decode_user_list, [], "expected an object, got a list @ data"),
        (http0.decode_characters, [{"user_id": "u"}], "missing @ data[0].user_context"),
        (http0.decode_character, "u", "expected an object, got a text @ data"),
        (lambda data: http0.decode_profile(data, UserId("u")), {"v": {}}, "missing @ data.u"),
        (
            lambda data: http0.decode_profile(data, UserId("u")),
            {"u": {}},
            "missing @ data.u.user_context",
        ),
        (http0.decode_group, {"id": "g"}, "required field missing @ data.group_id"),
        (http0.decode_upload_target, {"url": "u", "fields": {}}, "missing @ data.fields.key"),
        (http0.decode_upload_target, {"url": "u", "fields": {"key": 1}}, "@ data.fields['key']"),
        (http0.decode_user_info, {"sub": 7}, "expected a text, got an integer @ data.sub"),
    ],
)
def test_data_of_another_shape_is_malformed(
    read: Callable[[object], object], data: object, fault: str
) -> None:
    """A good envelope round something else is malformed, with the place."""
    with pytest.raises(MalformedPayload) as caught:
        read(data)
    assert fault in caught.value.faults[0]


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b"[" * 9999, b" " * 200_000])
def test_a_bad_request_is_malformed(name: str, body: bytes) -> None:
    """A server is told what is wrong with a body, whatever it is."""
    with pytest.raises(MalformedPayload):
        REQUESTS[name][1](body)


def test_a_group_may_come_as_an_object() -> None:
    """The original wanted an object, the platform gave a text: both are read."""
    assert http0.decode_group({"group_id": "g", "character_ids": []}) == GroupId("g")


def test_secrets_do_not_show() -> None:
    """Neither the values nor an error about them show a password or token."""
    values = (
        http0.decode_sign_in(http0.encode_sign_in(EMAIL, Secret("secret-1"))),
        http0.decode_refresh(http0.encode_refresh(EMAIL, Secret("secret-1"))),
        http0.decode_tokens({"AuthenticationResult": {"AccessToken": "secret-1"}}),
    )
    with pytest.raises(MalformedPayload) as caught:
        http0.decode_sign_in(b'{"username": 7, "password": ["secret-1"]}')
    assert "secret-1" not in repr((*values, caught.value))
