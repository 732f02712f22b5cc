"""How the platform finds out which generation a connection speaks, and bears with its habits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

import pytest
import trio
import trio.testing

from moobius_trio.codec.generations import generation_of_client, generation_of_frame
from moobius_trio.local import DEFAULT_BAND
from moobius_trio.testing.wires import AGENTS, Json, Wire, Wires, open_wires

BAND = DEFAULT_BAND
Generation = Literal[0, 1]


@pytest.fixture
async def wires() -> AsyncIterator[Wires]:
    async with open_wires() as wires:
        yield wires


@pytest.mark.parametrize(
    ("agent", "generation"),
    [
        (AGENTS[0], 0),
        (AGENTS[1], 1),
        ("moobius_trio/0.1 (generation 0)", 0),
        ("moobius_trio/0.1 (generation 1)", 1),
        ("Mozilla/5.0", None),
        ("", None),
    ],
)
def test_a_client_is_known_by_its_user_agent(agent: str, generation: Generation | None) -> None:
    """The originals by their libraries, our own by what they say; a browser by nothing."""
    assert generation_of_client(agent) == generation


@pytest.mark.parametrize(
    ("text", "generation"),
    [
        ('{"type": "ping", "request_id": "r"}', 0),
        ('{"type": "heartbeat", "request_id": "r", "body": {}}', 1),
        ('{"type": "msg_down", "body": {}}', 0),
        ('{"type": "message_down", "body": {}}', 1),
        ('{"type": "update", "client_id": "s", "body": {}}', 0),
        ('{"type": "update", "service_id": "s", "body": {}}', 1),
        ('{"type": "action", "user_id": "u", "body": {}}', 1),
        ('{"type": "action", "client_id": "u", "body": {}}', 0),
        ('{"type": "anything", "character_id": "u", "body": {}}', 1),
        ('{"type": "service_login", "service_id": "s", "access_token": "t"}', None),
        ('{"type": "user_login", "access_token": "t"}', None),
        ('{"type": 1}', None),
        ("[]", None),
        ("{", None),
    ],
)
def test_a_frame_tells_its_generation_unless_both_have_it(
    text: str, generation: Generation | None
) -> None:
    """Both logins are the same in both; what is no frame tells nothing."""
    assert generation_of_frame(text) == generation


BEATS: dict[int, Json] = {0: {"type": "ping"}, 1: {"type": "heartbeat", "body": {}}}
RECEIPTS = {0: "copy_client", 1: "copy"}


@pytest.mark.parametrize("agent", [0, 1])
@pytest.mark.parametrize("spoken", [0, 1])
async def test_the_first_telling_frame_counts_more_than_the_sign_in(
    wires: Wires, agent: Generation, spoken: Generation
) -> None:
    """Before it the sign-in counts; a later connection with the same token begins with what was
    learnt."""
    service = await wires.service(agent)
    login = await service.log_in()
    assert login["type"] == RECEIPTS[agent]
    beat = await service.receipt(BEATS[spoken])
    assert beat["type"] == RECEIPTS[spoken]
    assert beat["body"]["origin_type"] == BEATS[spoken]["type"]
    assert (await service.log_in())["type"] == RECEIPTS[spoken]


@pytest.mark.parametrize("beat_first", [False, True])
async def test_what_one_connection_told_counts_for_the_next(
    wires: Wires, *, beat_first: bool
) -> None:
    """With the same token, whether it was told before the login or after it."""
    service = await wires.service(0)
    one = Wire(wires.stream(), service.caller, service.who)
    if beat_first:
        await one.put(BEATS[1])
        await one.receipt(service.login())
    else:
        await one.receipt(service.login())
        await one.receipt(BEATS[1])
    another = Wire(wires.stream(), service.caller, service.who)
    assert (await another.receipt(service.login()))["type"] == "copy"


async def test_a_call_that_one_generation_has_tells_as_well(wires: Wires) -> None:
    """Also for a connection with that token that has told nothing so far."""
    service = await wires.service(0)
    path = f"/service/character/list?service_id={service.who}"
    await service.caller.data("GET", path)
    await wires.user(0, "alice")
    assert (await service.get("action"))["body"]["subtype"] == "join"
    assert (await service.log_in())["type"] == "copy"
    await service.caller.data("GET", path.replace("character", "user"))
    assert (await service.log_in())["type"] == "copy_client"


async def test_a_wrong_token_teaches_nothing(wires: Wires) -> None:
    """Who knows only the public half of a token cannot make its owner another generation."""
    service = await wires.service(0)
    service.caller.headers["Authorization"] = f"Bearer {service.caller.token[:-1]}"
    reply = await service.caller.call("GET", "/channel/popular")
    assert reply.status_code == 401
    assert (await service.log_in())["type"] == "copy_client"


def down(service_id: str, group: str, text: str) -> Json:
    body = {"subtype": "text", "channel_id": BAND, "content": {"text": text}, "sender": "x"}
    whole = {**body, "recipients": group, "timestamp": 1, "context": {}}
    return {"type": "message_down", "service_id": service_id, "body": whole}


async def test_frames_before_the_login_wait_for_it_in_their_order(wires: Wires) -> None:
    """After a reconnect a client of 1.8 sends what it has queued, and only then logs in."""
    service, alice = await wires.service(1), await wires.user(1, "alice")
    members = {"group_id": "", "characters": [alice.who]}
    group = await service.caller.data("POST", "/service/group/create", members)
    again = Wire(wires.stream(), service.caller, service.who)
    names = [await again.put(down(service.who, group, str(number))) for number in range(3)]
    names.append(await again.put(BEATS[1]))
    login = {"type": "service_login", "auth_origin": "cognito", "service_id": service.who}
    names.insert(0, await again.put({**login, "access_token": service.caller.token}))
    receipts = [(await again.get("copy"))["body"] for _ in names]
    assert [each["request_id"] for each in receipts] == names
    assert {each["status"] for each in receipts} == {True}
    texts = [(await alice.get("message_down"))["body"]["content"]["text"] for _ in range(3)]
    assert texts == ["0", "1", "2"]


async def test_too_many_frames_before_the_login_are_refused(wires: Wires) -> None:
    """Nobody who is not logged in fills the memory."""
    wire = Wire(wires.stream(), await wires.caller(1, "a@x.org"), "nobody")
    for _ in range(101):
        await wire.put(BEATS[1])
    refused = (await wire.get("copy"))["body"]
    assert (refused["status"], refused["request_id"]) == (False, "nobody-101")
    wire = Wire(wires.stream(), wire.caller, "large")
    for _ in range(27):
        await wire.put({"type": "heartbeat", "body": {"text": "x" * 40_000}})
    refused = (await wire.get("copy"))["body"]
    assert (refused["status"], refused["request_id"]) == (False, "large-27")


async def test_refused_logins_of_generation_1_end_in_no_storm(
    wires: Wires, autojump_clock: trio.testing.MockClock
) -> None:
    """A client that logs in again on every refusal, as 1.8 does, gets about one a second."""
    caller = await wires.caller(1, "a@x.org")
    wire = Wire(wires.stream(), caller, "s")
    await wire.put(BEATS[1])
    began = trio.current_time()
    login = {"type": "service_login", "auth_origin": "cognito", "access_token": "wrong"}
    for _ in range(13):
        reply = await wire.receipt({**login, "service_id": "s"})
        assert reply["body"]["status"] is False
    assert 9 <= trio.current_time() - began <= 11


async def test_a_login_with_a_spent_token_is_refused_in_its_owners_words(wires: Wires) -> None:
    """A client of 1.8 whose token has expired is told so by a frame that it can read."""
    caller = await wires.caller(1, "a@x.org")
    wires.platform.expire_tokens()
    wire = Wire(wires.stream(), caller, "s")
    login = {"type": "user_login", "auth_origin": "cognito", "access_token": caller.token}
    reply = await wire.receipt(login)
    assert (reply["type"], reply["body"]["status"]) == ("copy", False)


async def test_the_newest_login_of_a_service_is_the_live_one(wires: Wires) -> None:
    """A second socket takes over; a repeated login on one socket is fine."""
    first = await wires.service(1)
    second = await wires.connect(first.caller, first.who)
    assert (await second.log_in())["body"]["status"] is True
    assert await first.closed() == 1008
    alice = await wires.user(1, "alice")
    assert (await second.get("action"))["body"]["sender"] == alice.who


async def test_a_heartbeat_is_answered_to_services_and_users(wires: Wires) -> None:
    """Generation 1 takes a connection without an answer for dead after 256 s."""
    for wire in (await wires.service(1), await wires.user(1, "alice")):
        reply = await wire.receipt(BEATS[1])
        assert reply == {
            "type": "copy",
            "body": {
                "request_id": reply["body"]["request_id"],
                "origin_type": "heartbeat",
                "status": True,
                "context": {"msg": "received", "message": "received"},
            },
        }


@pytest.mark.parametrize(("size", "passes"), [(41_000, True), (80_000, False)])
async def test_41_kb_pass_and_80_kb_do_not(wires: Wires, size: int, *, passes: bool) -> None:
    """As the documented test of the original has it; too large a frame closes with 1009."""
    service, alice = await wires.service(1), await wires.user(1, "alice")
    members = {"group_id": "", "characters": [alice.who]}
    group = await service.caller.data("POST", "/service/group/create", members)
    await service.put(down(service.who, group, "x" * size))
    if passes:
        assert len((await alice.get("message_down"))["body"]["content"]["text"]) == size
    else:
        assert await service.closed() == 1009


async def test_the_inspector_and_a_tape_say_the_same_of_both_generations(wires: Wires) -> None:
    """Types and subtypes are one vocabulary; the frame is the wire's, and its plain form too."""
    service, alice = await wires.service(1), await wires.user(0, "alice")
    members = {"group_id": "", "characters": [alice.who]}
    group = await service.caller.data("POST", "/service/group/create", members)
    await service.receipt(down(service.who, group, "hello"))
    content = {"subtype": "text", "channel_id": BAND, "content": {"text": "up"}, "timestamp": 1}
    up = {**content, "recipients": [alice.who], "context": {}}
    await alice.receipt({"type": "msg_up", "client_id": alice.who, "body": up})
    kept = {each.type_: each for each in wires.platform.inspector.kept if each.band}
    assert set(kept) == {"action", "msg_down", "msg_up"}
    assert '"message_down"' in kept["msg_down"].frame
    assert '"msg_down"' in kept["msg_down"].plain
    assert kept["msg_down"].to == (alice.who,)
    assert '"message_up"' in kept["msg_up"].frame
    assert f'"recipients":["{alice.who}"]' in kept["msg_up"].plain
    assert (kept["action"].subtype, kept["action"].to) == ("join_channel", ("service",))
    assert '"join"' in kept["action"].frame
    assert '"join_channel"' in kept["action"].plain


async def test_what_a_refresh_stands_for_is_told_as_heard(wires: Wires) -> None:
    """A person's request that needed no frame of its own is on the tape all the same."""
    await wires.service(1)
    await wires.act(await wires.user(0, "alice"), "fetch_features")
    kept = wires.platform.inspector.kept
    (found,) = [each for each in kept if each.subtype == "fetch_features"]
    assert (found.to, found.refused) == (("service",), "")
    assert '"refresh"' in found.frame
    assert '"fetch_features"' in found.plain
