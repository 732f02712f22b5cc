"""Every call of generation 1: what goes out on the wire, and what the caller gets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar, TypeVarTuple

import attrs
import httpx
import pytest
import trio

from moobius_trio.errors import ApiError, NotInGeneration, SignInRefused
from moobius_trio.network.http import HttpApi, open_http_api
from moobius_trio.types import (
    ChannelId,
    Character,
    Content,
    Group,
    GroupId,
    MessageId,
    PastMessage,
    Secret,
    ServiceId,
    ServiceInfo,
    UserId,
    UserInfo,
)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

BAND, SERVICE, GROUP = ChannelId("b-1"), ServiceId("s-1"), GroupId("g-1")
ALICE, BOB = UserId("u-1"), UserId("u-2")
PROFILE = ("Alice", "https://a/p.png", "d")
WIRE_PROFILE = {"name": "Alice", "avatar": "https://a/p.png", "description": "d"}
WIRE_ALICE = {"character_id": "u-1", "character_context": WIRE_PROFILE}
CHARACTER = Character(user_id=ALICE, nickname="Alice", avatar="https://a/p.png", description="d")
SIGNED_IN = {"AuthenticationResult": {"AccessToken": "access-1", "RefreshToken": "refresh-1"}}


async def inline(fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
    """Blocking work without a thread."""
    await trio.lowlevel.checkpoint()
    return fn(*args)


def good(data: object, code: int = 10000) -> httpx.Response:
    """A good answer, which says its words in the key of generation 1 only."""
    return httpx.Response(200, json={"code": code, "message": "ok", "data": data})


@asynccontextmanager
async def speaking(
    answer: Callable[[httpx.Request], httpx.Response], *, new: bool = True, sign_in: bool = True
) -> AsyncIterator[HttpApi]:
    """An API of either generation at a platform whose answers, but the sign-in's, are given."""

    def handle(request: httpx.Request) -> httpx.Response:
        return good(SIGNED_IN) if request.url.path == "/auth/sign_in" else answer(request)

    async with open_http_api(
        "https://host.example//",
        email="alice@example.org",
        password=Secret("hunter2"),
        run_sync=inline,
        transport=httpx.MockTransport(handle),
        protocol="1.8" if new else "0.0.1",
    ) as api:
        if sign_in:
            await api.authenticate()
        yield api


CALLS: dict[
    str, tuple[Callable[[HttpApi], Awaitable[object]], str, str, object, object, object]
] = {
    "fetch_profiles": (
        lambda api: api.fetch_profiles([BOB, ALICE, BOB]),
        "POST",
        "/character/fetch_profile",
        {"character_list": ["u-2", "u-1"]},
        [WIRE_ALICE, {"character_id": "u-2", "character_context": {"name": "Bob"}}],
        (Character(user_id=BOB, nickname="Bob"), CHARACTER),
    ),
    "fetch_user_profile": (
        lambda api: api.fetch_user_profile(ALICE),
        "POST",
        "/character/fetch_profile",
        {"character_list": ["u-1"]},
        [WIRE_ALICE],
        CHARACTER,
    ),
    "fetch_member_ids": (
        lambda api: api.fetch_member_ids(BAND, SERVICE),
        "GET",
        "/channel/character_list?channel_id=b-1&service_id=s-1",
        None,
        {"character_list": ["u-2", "u-1"]},
        (BOB, ALICE),
    ),
    "get_service_user_list": (
        lambda api: api.get_service_user_list(SERVICE),
        "GET",
        "/service/character/list?service_id=s-1",
        None,
        [WIRE_ALICE],
        (CHARACTER,),
    ),
    "fetch_agents": (
        lambda api: api.fetch_agents(SERVICE),
        "GET",
        "/service/character/list?service_id=s-1",
        None,
        [],
        (),
    ),
    "fetch_user_info": (
        lambda api: api.fetch_user_info(),
        "GET",
        "/user/info",
        None,
        {
            "context": WIRE_PROFILE,
            "email": "alice@example.org",
            "user_id": "u-1",
            "system_context": None,
        },
        UserInfo(
            user_id=ALICE,
            name="Alice",
            avatar="https://a/p.png",
            description="d",
            email="alice@example.org",
        ),
    ),
    "update_current_user": (
        lambda api: api.update_current_user(*PROFILE),
        "POST",
        "/user/info",
        WIRE_PROFILE,
        {"whatever": 1},
        None,
    ),
    "create_service": (
        lambda api: api.create_service("a demo"),
        "POST",
        "/service/create",
        {"description": "a demo"},
        {"service_id": "s-1"},
        SERVICE,
    ),
    "get_service_list": (
        lambda api: api.get_service_list(),
        "GET",
        "/service/list",
        None,
        [{"service_id": "s-1", "channel_ids": ["b-1"]}],
        (ServiceInfo(service_id=SERVICE, channel_ids=[BAND]),),
    ),
    "create_agent": (
        lambda api: api.create_agent(SERVICE, *PROFILE),
        "POST",
        "/service/character/create",
        {"service_id": "s-1", "context": WIRE_PROFILE},
        WIRE_ALICE,
        attrs.evolve(CHARACTER, username="Alice"),
    ),
    "create_service_user": (
        lambda api: api.create_service_user(SERVICE, "Mickey", *PROFILE),
        "POST",
        "/service/character/create",
        {"service_id": "s-1", "context": WIRE_PROFILE},
        WIRE_ALICE,
        attrs.evolve(CHARACTER, username="Mickey"),
    ),
    "update_agent": (
        lambda api: api.update_agent(SERVICE, ALICE, *PROFILE),
        "POST",
        "/service/character/update",
        {"service_id": "s-1", "character_id": "u-1", "context": WIRE_PROFILE},
        None,
        None,
    ),
    "create_channel": (
        lambda api: api.create_channel("Lobby", "text"),
        "POST",
        "/channel/create",
        {"channel_name": "Lobby", "context": {"channel_description": "text"}},
        {"channel_id": "b-1"},
        BAND,
    ),
    "bind_service_to_channel": (
        lambda api: api.bind_service_to_channel(SERVICE, BAND),
        "POST",
        "/service/bind",
        {"channel_id": "b-1", "service_id": "s-1"},
        None,
        True,
    ),
    "unbind_service_from_channel": (
        lambda api: api.unbind_service_from_channel(SERVICE, BAND),
        "POST",
        "/service/unbind",
        {"channel_id": "b-1", "service_id": "s-1"},
        None,
        None,
    ),
    "update_channel": (
        lambda api: api.update_channel(BAND, "Lobby", "text"),
        "POST",
        "/channel/update",
        {
            "channel_id": "b-1",
            "channel_name": "Lobby",
            "context": {"channel_description": "text"},
        },
        None,
        None,
    ),
    "fetch_popular_channels": (
        lambda api: api.fetch_popular_channels(),
        "GET",
        "/channel/popular",
        None,
        ["b-1", {"channel_id": "b-2", "more": 1}],
        (BAND, ChannelId("b-2")),
    ),
    "fetch_channel_list": (
        lambda api: api.fetch_channel_list(),
        "GET",
        "/channel/list",
        None,
        [{"channel_id": "b-1"}],
        (BAND,),
    ),
    "fetch_message_history": (
        lambda api: api.fetch_message_history(BAND),
        "GET",
        "/channel/history_message?channel_id=b-1&limit=64&before=null",
        None,
        [
            {
                "subtype": "text",
                "content": {"text": "hi"},
                "channel_id": "b-1",
                "timestamp": 7,
                "recipients": "g-1",
                "message_id": "m-1",
                "sender": "u-1",
            }
        ],
        (
            PastMessage(
                channel_id=BAND,
                sender=ALICE,
                content=Content(text="hi"),
                timestamp=7,
                msg_id=MessageId("m-1"),
                group_id=GROUP,
            ),
        ),
    ),
    "upload_with_extension": (
        lambda api: api.upload_with_extension("png"),
        "GET",
        "/file/upload?extension=png",
        None,
        {"url": "https://bucket.example/", "fields": {"key": "k.png"}},
        ("https://bucket.example/", {"key": "k.png"}),
    ),
    "fetch_channel_groups": (
        lambda api: api.fetch_channel_groups(BAND, SERVICE),
        "GET",
        "/user/group/list?channel_id=b-1&service_id=s-1",
        None,
        [{"group_id": "g-1", "characters": ["u-2", "u-1"]}],
        (Group(group_id=GROUP, members=(BOB, ALICE)),),
    ),
    "create_channel_group": (
        lambda api: api.create_channel_group(BAND, [BOB, ALICE], name="picked"),
        "POST",
        "/user/group/create",
        {"channel_id": "b-1", "group_name": "picked", "characters": ["u-2", "u-1"]},
        {"group_id": "g-1"},
        GROUP,
    ),
    "fetch_service_group": (
        lambda api: api.fetch_service_group(GROUP),
        "GET",
        "/service/group?group_id=g-1",
        None,
        {"characters": ["u-2", "u-1"]},
        (BOB, ALICE),
    ),
    "fetch_group": (
        lambda api: api.fetch_group(GROUP, BAND, ALICE),
        "GET",
        "/user/group?group_id=g-1&channel_id=b-1&user_id=u-1",
        None,
        {"characters": ["u-2", "u-1"], "user_context": {}},
        (BOB, ALICE),
    ),
    "create_group": (
        lambda api: api.create_group([BOB, ALICE]),
        "POST",
        "/service/group/create",
        {"group_id": "", "characters": ["u-2", "u-1"]},
        "g-1",
        GROUP,
    ),
    "create_service_group": (
        lambda api: api.create_service_group(GROUP, [BOB]),
        "POST",
        "/service/group/create",
        {"group_id": "g-1", "characters": ["u-2"]},
        "g-9",
        GroupId("g-9"),
    ),
    "fetch_temp_groups": (
        lambda api: api.fetch_temp_groups(BAND, SERVICE),
        "GET",
        "/user/group/temp?channel_id=b-1&service_id=s-1",
        None,
        None,
        (),
    ),
}


@pytest.mark.parametrize("name", CALLS)
async def test_each_call_of_generation_1(name: str) -> None:
    """Method, path, query, headers and body are those of the protocol, and data becomes values."""
    call, method, target, body, data, result = CALLS[name]
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return good(data)

    async with speaking(answer) as api:
        assert await call(api) == result
    (request,) = seen
    assert request.method == method
    assert str(request.url) == "https://host.example" + target
    assert request.headers["authorization"] == "Bearer access-1"
    assert request.headers["auth-origin"] == "cognito"
    if body is None:
        assert request.content == b""  # not even where the original posts a body with a GET
    else:
        assert json.loads(request.content) == body
        assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize(("new", "generation"), [(False, 0), (True, 1)])
async def test_a_platform_is_told_which_generation_is_spoken(new: bool, generation: int) -> None:
    """The user agent names the package with its version, and the generation."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return good([])

    async with speaking(answer, new=new) as api:
        await api.get_service_list()
        assert api.protocol == ("1.8" if new else "0.0.1")
    agent = seen[0].headers["user-agent"]
    assert agent.startswith("moobius_trio/")
    assert agent.endswith(f" (generation {generation})")


async def test_code_204_is_success_too() -> None:
    """Some calls are answered with the code 204 and no data, in generation 1 only."""
    async with speaking(lambda request: good(None, 204)) as api:
        assert await api.bind_service_to_channel(SERVICE, BAND) is True
    async with speaking(lambda request: good(None, 204), new=False) as api:
        with pytest.raises(ApiError) as caught:
            await api.bind_service_to_channel(SERVICE, BAND)
        assert caught.value.code == 204


async def test_people_of_a_band_are_two_calls() -> None:
    """Ids, then profiles, in the order of the ids; who has no profile is there with the id."""
    paths: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        if request.url.path == "/channel/character_list":
            return good({"character_list": ["u-2", "u-1"]})
        return good([WIRE_ALICE])

    async with speaking(answer) as api:
        people = await api.fetch_real_characters(BAND, SERVICE)
    assert people == (Character(user_id=BOB, nickname="u-2"), CHARACTER)
    assert paths == ["/channel/character_list", "/character/fetch_profile"]


async def test_an_empty_band_asks_for_no_profiles() -> None:
    """Where nobody is, there is no second call."""
    async with speaking(lambda request: good({"character_list": []})) as api:
        assert await api.fetch_real_characters(BAND, SERVICE) == ()


async def test_many_profiles_are_asked_for_in_parts() -> None:
    """450 profiles are three calls, whose results stand in the order asked for."""
    sizes: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        ids = json.loads(request.content)["character_list"]
        sizes.append(len(ids))
        return good([{"character_id": each, "character_context": {}} for each in reversed(ids)])

    wanted = [UserId(f"u-{number}") for number in range(450)]
    async with speaking(answer) as api:
        found = await api.fetch_profiles(wanted)
    assert [each.user_id for each in found] == wanted
    assert sorted(sizes) == [50, 200, 200]


def person(user_id: str) -> dict[str, object]:
    """Somebody in a list of generation 0."""
    profile = {"nickname": user_id, "avatar": "", "description": ""}
    return {"user_id": user_id, "username": user_id, "user_context": profile}


@pytest.mark.parametrize("new", [True, False])
async def test_the_people_of_many_bands_are_asked_for_together(new: bool) -> None:
    """Each band has its own list, in order; who is in two bands is asked for once."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        asked.append(path)
        mine = f"u-{request.url.params.get('channel_id')}"
        if path == "/channel/userlist":
            return good({"userlist": [person(each) for each in (mine, "u-1")]})
        if path == "/channel/character_list":
            return good({"character_list": [mine, "u-1", "u-9"]})
        ids = json.loads(request.content)["character_list"]
        assert sorted(ids) == sorted(set(ids))
        people = [{"character_id": each, "character_context": {}} for each in ids if each != "u-9"]
        return good(people)

    bands = [ChannelId(f"b-{number}") for number in range(40)]
    async with speaking(answer, new=new) as api:
        lists = await api.get_channel_user_lists(bands, SERVICE)
    rest = ["u-1", "u-9"] if new else ["u-1"]
    assert [[each.user_id for each in one] for one in lists] == [
        [f"u-{band}", *rest] for band in bands
    ]
    assert len(asked) == (41 if new else 40)


async def test_a_profile_that_is_not_in_the_reply_is_an_error() -> None:
    """One profile asked for alone is there or is an error, never somebody else's."""
    async with speaking(lambda request: good([])) as api:
        with pytest.raises(ApiError, match="no profile of u-1"):
            await api.fetch_user_profile(ALICE)


@pytest.mark.parametrize("nothing", [None, {}, "", []])
async def test_an_unknown_group_is_an_error(nothing: object) -> None:
    """An empty value in place of a group is an error to the caller; nobody's message goes to the
    Service by it."""
    async with speaking(lambda request: good(nothing)) as api:
        with pytest.raises(ApiError, match="no such group"):
            await api.fetch_group(GROUP, BAND, ALICE)
        with pytest.raises(ApiError, match="no such group"):
            await api.fetch_service_group(GROUP)


async def test_a_member_of_a_group_is_looked_up_in_it() -> None:
    """Generation 1 gives ids for a group; the profile is a second call, for members only."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/user/group":
            return good({"characters": ["u-1"]})
        return good([WIRE_ALICE])

    async with speaking(answer) as api:
        assert await api.fetch_user_from_group(ALICE, BAND, GROUP) == CHARACTER
        with pytest.raises(ApiError, match="u-2 is not in the group"):
            await api.fetch_user_from_group(BOB, BAND, GROUP)


ONLY_NEW: dict[str, Callable[[HttpApi], Coroutine[None, None, object]]] = {
    "update_current_user": lambda api: api.update_current_user(*PROFILE),
    "update_agent": lambda api: api.update_agent(SERVICE, ALICE, *PROFILE),
    "create_channel": lambda api: api.create_channel("Lobby"),
    "update_channel": lambda api: api.update_channel(BAND, "Lobby", ""),
    "fetch_popular_channels": lambda api: api.fetch_popular_channels(),
    "fetch_channel_list": lambda api: api.fetch_channel_list(),
    "fetch_message_history": lambda api: api.fetch_message_history(BAND),
    "create_channel_group": lambda api: api.create_channel_group(BAND, [ALICE]),
    "fetch_group": lambda api: api.fetch_group(GROUP, BAND, ALICE),
    "fetch_service_group": lambda api: api.fetch_service_group(GROUP),
    "fetch_channel_groups": lambda api: api.fetch_channel_groups(BAND, SERVICE),
    "fetch_temp_groups": lambda api: api.fetch_temp_groups(BAND, SERVICE),
    "sign_up": lambda api: api.sign_up(),
    "confirm_sign_up": lambda api: api.confirm_sign_up("1"),
    "resend_confirmation": lambda api: api.resend_confirmation(),
    "request_password_reset_code": lambda api: api.request_password_reset_code(),
    "reset_password_with_code": lambda api: api.reset_password_with_code("1"),
    "sign_out": lambda api: api.sign_out(),
    "delete_account": lambda api: api.delete_account(),
}


def never(request: httpx.Request) -> httpx.Response:
    """A platform that must not be asked anything."""
    raise AssertionError(request.url.path)


@pytest.mark.parametrize("name", ONLY_NEW)
async def test_what_generation_0_cannot_asks_nothing_and_says_so(name: str) -> None:
    """A call that generation 0 does not have is one error that names the call and the setting."""
    async with speaking(never, new=False) as api:
        with pytest.raises(NotInGeneration, match=r'"protocol": "1\.8"') as caught:
            await ONLY_NEW[name](api)
    assert (caught.value.call, caught.value.protocol) == (name, "0.0.1")


async def test_names_of_generation_1_work_on_generation_0_where_it_has_the_call() -> None:
    """Groups, figures, members and profiles are there under the new names too."""
    old = {"user_id": "u-1", "user_context": WIRE_PROFILE | {"nickname": "Alice"}}
    replies: dict[str, object] = {
        "/service/group/create": "g-1",
        "/service/user/create": old,
        "/service/user/list": [old],
        "/channel/userlist": {"userlist": [old]},
        "/user/fetch_profile": {"u-1": old},
        "/user/info": {"sub": "u-1"},
    }
    seen: dict[str, object] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        seen[request.url.path] = json.loads(request.content or b"null")
        return good(replies[request.url.path])

    async with speaking(answer, new=False) as api:
        assert await api.create_group([ALICE]) == GROUP
        assert await api.create_agent(SERVICE, *PROFILE) == CHARACTER
        assert await api.fetch_agents(SERVICE) == (CHARACTER,)
        assert await api.fetch_member_ids(BAND, SERVICE) == (ALICE,)
        assert await api.fetch_profiles([ALICE]) == (CHARACTER,)
        assert await api.fetch_user_info() == UserInfo(user_id=ALICE)
    assert seen["/service/group/create"] == {"group_id": "", "members": ["u-1"]}
    assert seen.keys() == replies.keys()


class Registry:
    """A platform that writes down what is said about accounts."""

    def __init__(self, refuse: str = "") -> None:
        self.said: list[tuple[str, object, str | None]] = []
        self.refuse = refuse

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        token = request.headers.get("authorization")
        self.said.append((path, json.loads(request.content), token))
        if path == self.refuse:
            return httpx.Response(200, json={"code": 10400, "message": "wrong code"})
        return good(None)


async def test_an_account_is_made_and_its_password_set_by_codes() -> None:
    """None of these calls bears a token, and none needs a sign-in before it."""
    registry = Registry()
    who = {"username": "alice@example.org"}
    async with speaking(registry, sign_in=False) as api:
        await api.sign_up()
        await api.resend_confirmation()
        await api.confirm_sign_up("123456")
        await api.request_password_reset_code()
        await api.reset_password_with_code("654321")
    assert registry.said == [
        ("/auth/sign_up", who | {"password": "hunter2"}, None),
        ("/auth/resend_confirmation", who, None),
        ("/auth/confirm_sign_up", who | {"confirmation_code": "123456"}, None),
        ("/auth/forgot_password", who, None),
        (
            "/auth/confirm_reset_password",
            who | {"password": "hunter2", "confirmation_code": "654321"},
            None,
        ),
    ]


async def test_signing_out_ends_the_token() -> None:
    """The token is named and borne, then forgotten; signing in again gives a new one."""
    registry = Registry()
    async with speaking(registry) as api:
        await api.sign_out()
        with pytest.raises(RuntimeError, match="authenticate"):
            _ = api.access_token
        with pytest.raises(RuntimeError, match="authenticate"):
            await api.sign_out()
        await api.authenticate()
        assert api.access_token == Secret("access-1")
    assert registry.said == [("/auth/sign_out", {"access_token": "access-1"}, "Bearer access-1")]


async def test_a_deleted_account_has_no_tokens() -> None:
    """E-mail and password say which account; afterwards nothing can be done in its name."""
    registry = Registry()
    async with speaking(registry) as api:
        await api.delete_account()
        with pytest.raises(RuntimeError, match="authenticate"):
            await api.get_service_list()
    who = {"username": "alice@example.org", "password": "hunter2"}
    assert registry.said == [("/auth/delete_account", who, None)]


async def test_a_refusal_leaves_everything_as_it_was() -> None:
    """A refused call is an error with the platform's words, and the tokens stay."""
    async with speaking(Registry("/auth/delete_account")) as api:
        with pytest.raises(ApiError, match="wrong code"):
            await api.delete_account()
        assert api.access_token == Secret("access-1")
    async with speaking(Registry("/auth/sign_out")) as api:
        with pytest.raises(ApiError, match="wrong code"):
            await api.sign_out()
        assert api.access_token == Secret("access-1")


async def test_a_refused_sign_in_of_generation_1_is_not_swallowed() -> None:
    """A wrong password is an error, not a start that goes on with an empty token."""

    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"code": 10401, "message": "wrong password"})

    async with open_http_api(
        "https://host.example",
        email="alice@example.org",
        password=Secret("hunter2"),
        run_sync=inline,
        transport=httpx.MockTransport(refuse),
        protocol="1.8",
    ) as api:
        with pytest.raises(SignInRefused, match="wrong password"):
            await api.authenticate()
