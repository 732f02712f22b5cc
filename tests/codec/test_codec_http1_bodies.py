"""The HTTP bodies of generation 1, as section 2.2 of its protocol has them, from both ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moobius_trio.codec import http1
from moobius_trio.errors import ApiError, MalformedPayload
from moobius_trio.types import (
    ChannelId,
    ChannelInfo,
    Character,
    Content,
    Group,
    GroupId,
    MessageId,
    PastMessage,
    Secret,
    ServiceId,
    ServiceInfo,
    Tokens,
    UploadTarget,
    UserId,
    UserInfo,
)

GOLDEN = Path(__file__).parent / "golden_http1"
NO_BODY_OF_OURS = {27: "a multipart form to a bucket", 34: "HEAD of an address", 35: "GET of one"}

EMAIL, PASSWORD, CODE = "alice@example.org", Secret("secret-1"), Secret("123456")
SERVICE, BAND, GROUP = ServiceId("service-1"), ChannelId("channel-1"), GroupId("group-1")
ALICE = Character(
    user_id=UserId("user-1"), nickname="Alice", avatar="https://host/a.png", description="text"
)
BOB = Character(user_id=UserId("user-2"), nickname="Bob")
IDS = (UserId("user-2"), UserId("user-1"))
PROFILE = ("Alice", "https://host/a.png", "text")
BOTH = Tokens(access=Secret("token-1"), refresh=Secret("token-2"))
RENEWED = Tokens(access=Secret("token-3"))
SERVICES = (
    ServiceInfo(service_id=SERVICE, channel_ids=[BAND, ChannelId("channel-2")]),
    ServiceInfo(service_id=ServiceId("service-2")),
)
INFO = UserInfo(
    user_id=ALICE.user_id,
    name="Alice",
    avatar="https://host/a.png",
    description="text",
    email=EMAIL,
    email_verified=True,
)
CHANNELS = (
    ChannelInfo(
        channel_id=BAND,
        channel_name="Lobby",
        channel_description="text",
        channel_type="ccs",
    ),
    ChannelInfo(channel_id=ChannelId("channel-2")),
)
CHANNEL_IDS = (BAND, ChannelId("channel-2"))
GROUPS = (Group(group_id=GROUP, members=IDS), Group(group_id=GroupId("group-2")))
HISTORY = (
    PastMessage(
        channel_id=BAND,
        sender=ALICE.user_id,
        content=Content(text="hello world"),
        timestamp=1719869068282,
        msg_id=MessageId("message-1"),
        group_id=GROUP,
    ),
    PastMessage(
        channel_id=BAND,
        sender=BOB.user_id,
        content=Content.file("https://host/f", filename="f.txt", size=3),
        subtype="file",
        timestamp=1719869068283,
        msg_id=MessageId("message-2"),
    ),
)
TARGET = UploadTarget(url="https://bucket/", fields={"key": "1.png", "policy": "p"})

REQUESTS: dict[str, tuple[bytes, Callable[[bytes], object], object]] = {
    "01_auth_sign_in": (
        http1.encode_sign_in(EMAIL, PASSWORD),
        http1.decode_sign_in,
        http1.SignIn(EMAIL, PASSWORD),
    ),
    "02_auth_sign_up": (
        http1.encode_sign_in(EMAIL, PASSWORD),
        http1.decode_sign_in,
        http1.SignIn(EMAIL, PASSWORD),
    ),
    "03_auth_resend_confirmation": (http1.encode_username(EMAIL), http1.decode_username, EMAIL),
    "04_auth_confirm_sign_up": (
        http1.encode_confirm_sign_up(EMAIL, CODE),
        http1.decode_confirm_sign_up,
        http1.ConfirmSignUp(EMAIL, CODE),
    ),
    "05_auth_forgot_password": (http1.encode_username(EMAIL), http1.decode_username, EMAIL),
    "06_auth_confirm_reset_password": (
        http1.encode_reset_password(EMAIL, PASSWORD, CODE),
        http1.decode_reset_password,
        http1.ResetPassword(EMAIL, PASSWORD, CODE),
    ),
    "07_auth_delete_account": (
        http1.encode_sign_in(EMAIL, PASSWORD),
        http1.decode_sign_in,
        http1.SignIn(EMAIL, PASSWORD),
    ),
    "08_auth_sign_out": (
        http1.encode_sign_out(Secret("token-1")),
        http1.decode_sign_out,
        Secret("token-1"),
    ),
    "09_auth_refresh": (
        http1.encode_refresh(EMAIL, Secret("token-2")),
        http1.decode_refresh,
        http1.RefreshRequest(EMAIL, Secret("token-2")),
    ),
    "10_character_fetch_profile": (
        http1.encode_fetch_profiles(IDS),
        http1.decode_fetch_profiles,
        IDS,
    ),
    "14_user_info_update": (
        http1.encode_update_user(*PROFILE),
        http1.decode_update_user,
        http1.UpdateUser(*PROFILE),
    ),
    "15_service_create": (
        http1.encode_create_service("a service"),
        http1.decode_create_service,
        "a service",
    ),
    "17_service_character_create": (
        http1.encode_create_character(SERVICE, *PROFILE),
        http1.decode_create_agent,
        http1.CreateAgent(SERVICE, *PROFILE),
    ),
    "18_service_character_update": (
        http1.encode_update_character(SERVICE, ALICE.user_id, *PROFILE),
        http1.decode_update_agent,
        http1.UpdateAgent(SERVICE, ALICE.user_id, *PROFILE),
    ),
    "19_channel_create": (
        http1.encode_create_channel("Lobby", "text"),
        http1.decode_create_channel,
        http1.CreateChannel("Lobby", "text"),
    ),
    "20_service_bind": (
        http1.encode_binding(SERVICE, BAND),
        http1.decode_binding,
        http1.Binding(SERVICE, BAND),
    ),
    "21_service_unbind": (
        http1.encode_binding(SERVICE, BAND),
        http1.decode_binding,
        http1.Binding(SERVICE, BAND),
    ),
    "22_channel_update": (
        http1.encode_update_channel(BAND, "Lobby", "text"),
        http1.decode_update_channel,
        http1.UpdateChannel(BAND, "Lobby", "text"),
    ),
    "29_user_group_create": (
        http1.encode_channel_group(BAND, "picked", IDS),
        http1.decode_create_channel_group,
        http1.CreateChannelGroup(BAND, "picked", IDS),
    ),
    "32_service_group_create": (
        http1.encode_create_group(GroupId(""), IDS),
        http1.decode_create_group,
        http1.CreateGroup(GroupId(""), IDS),
    ),
}
"""What a client posts: our bytes, the server's reading, and the value."""

REPLIES: dict[str, tuple[object, Callable[[Any], object], object]] = {
    "01_auth_sign_in": (http1.tokens_data(BOTH), http1.decode_tokens, BOTH),
    "09_auth_refresh": (http1.tokens_data(RENEWED), http1.decode_tokens, RENEWED),
    "10_character_fetch_profile": (
        http1.profiles_data([BOB, ALICE]),
        http1.decode_characters,
        (BOB, ALICE),
    ),
    "11_channel_character_list": (http1.member_ids_data(IDS), http1.decode_member_ids, IDS),
    "12_service_character_list": (
        http1.profiles_data([ALICE, BOB]),
        http1.decode_characters,
        (ALICE, BOB),
    ),
    "13_user_info": (http1.user_info_data(INFO), http1.decode_user_info, INFO),
    "15_service_create": (http1.service_id_data(SERVICE), http1.decode_service_id, SERVICE),
    "16_service_list": (http1.services_data(SERVICES), http1.decode_services, SERVICES),
    "17_service_character_create": (http1.agent_data(ALICE), http1.decode_character, ALICE),
    "19_channel_create": (http1.channel_id_data(BAND), http1.decode_channel_id, BAND),
    "23_channel_popular": (list(CHANNEL_IDS), http1.decode_channel_ids, CHANNEL_IDS),
    "24_channel_list": (http1.channels_data(CHANNELS), http1.decode_channel_ids, CHANNEL_IDS),
    "25_channel_history_message": (
        http1.history_data(HISTORY),
        partial(http1.decode_history, channel_id=BAND),
        HISTORY,
    ),
    "26_file_upload": (http1.upload_target_data(TARGET), http1.decode_upload_target, TARGET),
    "28_user_group_list": (http1.groups_data(GROUPS), http1.decode_groups, GROUPS),
    "29_user_group_create": (http1.channel_group_data(GROUP), http1.decode_group, GROUP),
    "30_service_group": (http1.members_data(IDS), http1.decode_members, IDS),
    "31_user_group": (http1.user_group_data(IDS, None), http1.decode_members, IDS),
    "32_service_group_create": (http1.group_data(GROUP), http1.decode_group, GROUP),
    "33_user_group_temp": (http1.groups_data(GROUPS[:1]), http1.decode_groups, GROUPS[:1]),
}
"""What a server replies: our data, the client's reading, and the value."""


def golden(name: str) -> Any:
    """The request and reply of one call."""
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_of_generation_1(name: str) -> None:
    """A request is written as section 2.2 shows it, and a server reads it as it was meant."""
    written, read, value = REQUESTS[name]
    assert json.loads(written) == golden(name)["request"]
    assert read(json.dumps(golden(name)["request"]).encode()) == value


@pytest.mark.parametrize("name", REPLIES)
def test_replies_of_generation_1(name: str) -> None:
    """A reply is written as section 2.2 shows it, and a client reads it as it was meant."""
    data, read, value = REPLIES[name]
    written = json.loads(http1.encode_reply(data))["data"]
    if name == "13_user_info":
        del written["sub"]  # where generation 0 reads the id
    assert written == golden(name)["data"]
    content = json.dumps({"code": 10_000, "message": "", "data": golden(name)["data"]}).encode()
    assert read(http1.decode_reply(content, path="/a/path", status=200)) == value


def test_each_of_the_35_calls_has_its_golden_bodies() -> None:
    """A call that nobody wrote down, or that no test reads, would prove nothing."""
    found = {path.stem for path in GOLDEN.glob("*.json")}
    numbers = {int(name[:2]) for name in found}
    assert numbers | NO_BODY_OF_OURS.keys() == set(range(1, 36))
    for part, table in (("request", REQUESTS), ("data", REPLIES)):
        assert {name for name in found if part in golden(name)} == set(table)


@pytest.mark.parametrize("code", [10_000, 204])
def test_both_codes_are_success(code: int) -> None:
    """10000 and 204 are success, with or without data."""
    content = json.dumps({"code": code, "message": "ok"}).encode()
    assert http1.decode_reply(content, path="/p", status=200) is None


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b'{"code": 10001, "message": "no such\\n band"}', 10_001, "no such band"),
        (b'{"code": 200, "msg": "old words"}', 200, "old words"),
        (b'{"code": "204"}', None, "the reply has no envelope"),
        (b"<html>", None, "not JSON"),
    ],
)
def test_other_replies_are_api_errors(content: bytes, code: int | None, words: str) -> None:
    """Whatever is not a good envelope is one error with path, code and words."""
    with pytest.raises(ApiError) as caught:
        http1.decode_reply(content, path="/service/bind", status=200)
    assert (caught.value.path, caught.value.code) == ("/service/bind", code)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("read", "data", "fault"),
    [
        (http1.decode_characters, [{"character_id": "u"}], "@ data[0].character_context"),
        (http1.decode_characters, {}, "expected a list, got an object @ data"),
        (http1.decode_member_ids, {}, "required field missing @ data.character_list"),
        (http1.decode_user_info, {"context": {}}, "required field missing @ data.user_id"),
        (http1.decode_channel_id, "c", "expected an object, got a text @ data"),
        (http1.decode_channel_ids, ["c", {"id": 1}], "missing @ data[1].channel_id"),
        (http1.decode_groups, [{"group_id": "g"}], "missing @ data[0].characters"),
        (http1.decode_group, "", "the id is empty @ data"),
        (http1.decode_group, {"group_id": ""}, "the id is empty @ data"),
        (http1.decode_group, {}, "required field missing @ data.group_id"),
        (partial(http1.decode_history, channel_id=BAND), [{}], "missing @ data[0].subtype"),
        (
            partial(http1.decode_history, channel_id=BAND),
            [{"body": {"subtype": "text", "content": {}, "recipients": [1]}}],
            "@ data[0].body.recipients[0]",
        ),
    ],
)
def test_data_of_another_shape_is_malformed_in_generation_1(
    read: Callable[[object], object], data: object, fault: str
) -> None:
    """A good envelope round something else is malformed, with the place."""
    with pytest.raises(MalformedPayload) as caught:
        read(data)
    assert fault in caught.value.faults[0]


@pytest.mark.parametrize("nothing", [None, "", {}, [], False])
def test_a_group_that_is_not_there_is_no_empty_list(nothing: object) -> None:
    """An empty value in place of a group is an error; taken for nobody it would mean the
    Service."""
    with pytest.raises(MalformedPayload, match="no such group"):
        http1.decode_members(nothing)
    assert http1.decode_members({"characters": []}) == ()


def test_profiles_may_lack_texts() -> None:
    """One figure without a picture, or with keys that nobody knows, does not cost the list."""
    rows = [
        {"character_id": "a", "character_context": {"name": "A", "avatar": None, "new": 1}},
        {"character_id": "b", "character_context": {}, "more": []},
    ]
    assert http1.decode_characters(rows) == (
        Character(user_id=UserId("a"), nickname="A"),
        Character(user_id=UserId("b")),
    )


def test_the_account_name_of_a_figure_travels_beside_its_profile() -> None:
    """Generation 1 has no username; ours is a key more, which is read again where it is there."""
    mickey = Character(user_id=UserId("m"), username="Mickey", nickname="Mickey 1")
    assert http1.decode_character(http1.agent_data(mickey)) == mickey


def test_lists_that_are_null_are_empty() -> None:
    """A list that has nothing may come as null."""
    assert http1.decode_channel_ids(None) == ()
    assert http1.decode_groups(None) == ()
    assert http1.decode_history(None, BAND) == ()


@pytest.mark.parametrize(("said", "verified"), [("false", False), (None, False), (True, True)])
def test_a_verified_address_is_a_text_or_a_truth(said: object, verified: bool) -> None:
    """Sources differ in how it is said."""
    data = {"user_id": "u", "context": {}, "email_verified": said}
    assert http1.decode_user_info(data) == UserInfo(user_id=UserId("u"), email_verified=verified)


def test_history_is_read_from_frames_and_lists_too() -> None:
    """What section 2.2 leaves open is read in each form that a message has elsewhere."""
    body = {"subtype": "text", "content": {"text": "hi"}, "sender": "s", "recipients": ["a", "b"]}
    (message,) = http1.decode_history([{"type": "message_up", "body": body}], BAND)
    assert message == PastMessage(
        channel_id=BAND,
        content=Content(text="hi"),
        sender=UserId("s"),
        recipients=[UserId("a"), UserId("b")],
    )
    assert message.text == "hi"


@pytest.mark.parametrize(
    ("value", "before"), [("null", None), ("", None), (None, None), ("m-1", "m-1")]
)
def test_where_a_page_of_history_begins(value: str | None, before: str | None) -> None:
    """``before`` is the text null where there is none."""
    assert http1.decode_history_before(value) == before
    assert http1.encode_history_before(None) == "null"


def test_one_path_takes_the_groups_of_both_generations() -> None:
    """Recipients are called characters here and members there."""
    old = b'{"group_id": "g", "members": ["a"]}'
    assert http1.decode_create_group(old) == http1.CreateGroup(GroupId("g"), (UserId("a"),))


def test_one_reply_satisfies_both_generations() -> None:
    """A group's reply has the profile that generation 0 asked for beside the members."""
    data = http1.user_group_data(IDS, ALICE)
    assert http1.decode_members(data) == IDS
    assert isinstance(data, dict)
    assert data["user_context"]["nickname"] == "Alice"


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b"[" * 9999, b" " * 200_000])
def test_a_bad_request_of_generation_1_is_malformed(name: str, body: bytes) -> None:
    """A server is told what is wrong with a body, whatever it is."""
    with pytest.raises(MalformedPayload):
        REQUESTS[name][1](body)


def test_secrets_of_generation_1_do_not_show() -> None:
    """Neither the values nor an error about them show a password, token or code."""
    values = (
        http1.decode_confirm_sign_up(http1.encode_confirm_sign_up(EMAIL, PASSWORD)),
        http1.decode_reset_password(http1.encode_reset_password(EMAIL, PASSWORD, PASSWORD)),
        http1.decode_sign_out(http1.encode_sign_out(PASSWORD)),
    )
    with pytest.raises(MalformedPayload) as caught:
        http1.decode_reset_password(b'{"username": 7, "password": ["secret-1"]}')
    assert "secret-1" not in repr((*values, caught.value))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ids: st.SearchStrategy[Any] = texts
characters = st.builds(
    Character, user_id=ids, username=texts, nickname=texts, avatar=texts, description=texts
)
contents: st.SearchStrategy[Any] = st.builds(
    Content,
    text=st.none() | texts,
    path=st.none() | texts,
    extra=st.dictionaries(texts.filter(lambda key: key not in ("text", "path")), texts),
)
named = st.text("abc-", min_size=1, max_size=8).filter(lambda text: text != "service")
past = st.builds(
    PastMessage,
    channel_id=ids.filter(bool),
    content=contents,
    sender=ids,
    subtype=texts,
    timestamp=st.integers(min_value=-(2**63), max_value=2**63 - 1),
    msg_id=ids,
    recipients=st.lists(ids, max_size=3),
)
junk: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


def through(data: object) -> object:
    """Data after its way through the envelope."""
    return http1.decode_reply(http1.encode_reply(data), path="/p", status=200)


@given(st.lists(characters, max_size=4))
def test_profiles_keep_what_they_say_and_their_order(people: list[Character]) -> None:
    """Every list of profiles survives its way."""
    assert http1.decode_characters(through(http1.profiles_data(people))) == tuple(people)


@given(st.lists(past, max_size=4), named)
def test_history_keeps_what_it_says(messages: list[PastMessage], group: str) -> None:
    """Every message of the past survives its way, with a list, a group or the Service."""
    to_group = PastMessage(channel_id=BAND, group_id=GroupId(group))
    everything = (*messages, to_group)
    assert http1.decode_history(through(http1.history_data(everything)), BAND) == everything


@given(junk, st.sampled_from(sorted(REPLIES)))
def test_any_data_is_read_or_malformed(data: object, name: str) -> None:
    """No reply breaks its reader otherwise than by MalformedPayload."""
    with suppress(MalformedPayload):
        REPLIES[name][1](data)


@given(junk, st.sampled_from(sorted(REQUESTS)))
def test_any_body_is_read_or_malformed(data: object, name: str) -> None:
    """No request breaks the server's reader otherwise than by MalformedPayload."""
    with suppress(MalformedPayload):
        REQUESTS[name][1](json.dumps(data).encode())
