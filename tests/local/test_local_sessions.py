"""Connections of services and users, in memory: logins, receipts, delivery, knobs, closes."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from typing import Any

import attrs
import httpx
import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from moobius_trio.codec.generation0 import encode_from_service, encode_from_user
from moobius_trio.errors import ConnectionLost
from moobius_trio.local import DEFAULT_BAND, Guest, Knobs, Platform, open_platform
from moobius_trio.local import session as session_module
from moobius_trio.network.memory import MemoryFrameStream, memory_stream_pair
from moobius_trio.testing.inline import run_inline
from moobius_trio.types import (
    ChannelId,
    Content,
    FeatureCall,
    MessageDown,
    Ping,
    Playground,
    RequestId,
    ServiceCommand,
    ServiceId,
    ServiceLogin,
    UpdatePlayground,
    UserAction,
    UserCommand,
    UserId,
    UserLogin,
    UserMessage,
)

BASE = "http://127.0.0.1:8000"
BAND = ChannelId(DEFAULT_BAND)

HANG = 20.0
"""A frame or close that does not come fails the test instead of holding it up for ever."""


@attrs.define
class Service:
    service_id: ServiceId
    token: str = attrs.field(repr=False)


class Client:
    """One end of a connection, with the far end served by the platform."""

    def __init__(self, stream: MemoryFrameStream, who: str, token: str) -> None:
        self.stream = stream
        self.who = who
        self.token = token
        self.sent = 0

    async def put(self, command: ServiceCommand | UserCommand, request_id: str = "") -> str:
        """Send a command; give its request id."""
        self.sent += 1
        name = RequestId(request_id or f"{self.who}-{self.sent}")
        if isinstance(command, UserLogin | UserAction | UserMessage | FeatureCall):
            text = encode_from_user(
                command, request_id=name, client_id=UserId(self.who), timestamp=1
            )
        else:
            text = encode_from_service(
                command, request_id=name, client_id=ServiceId(self.who), timestamp=1
            )
        await self.stream.send_text(text)
        return name

    async def get(self) -> dict[str, Any]:
        """The next frame."""
        with trio.fail_after(HANG):
            frame: dict[str, Any] = json.loads(await self.stream.receive_text())
        return frame

    async def receipt(self, command: ServiceCommand | UserCommand, request_id: str = "") -> Any:
        """Send a command, give the body of the receipt for it, and drop what comes before it."""
        name = await self.put(command, request_id)
        while True:
            frame = await self.get()
            if frame["type"] == "copy_client" and frame["body"]["request_id"] == name:
                return frame["body"]

    async def log_in(self) -> Any:
        return await self.receipt(self.login())

    def login(self) -> ServiceLogin | UserLogin:
        if isinstance(self, ServiceClient):
            return ServiceLogin(service_id=ServiceId(self.who), access_token=self.token)
        return UserLogin(access_token=self.token)

    async def closed(self) -> ConnectionLost:
        """Read until the connection ends; give how it ended."""
        with trio.fail_after(HANG):
            try:
                while True:
                    await self.stream.receive_text()
            except ConnectionLost as lost:
                return lost


class ServiceClient(Client):
    pass


class Fixture:
    """A platform in memory, and clients on it."""

    def __init__(self, platform: Platform, nursery: trio.Nursery) -> None:
        self.platform = platform
        self.nursery = nursery

    async def service(self, email: str = "dev@x", *, bind: bool = True) -> Service:
        transport = httpx.ASGITransport(app=self.platform.app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
            body = {"username": email, "password": "p"}
            reply = (await http.post("/auth/sign_in", json=body)).json()
            token = reply["data"]["AuthenticationResult"]["AccessToken"]
            auth = {"Authorization": f"Bearer {token}"}
            made = await http.post("/service/create", json={"description": "d"}, headers=auth)
            service_id = made.json()["data"]["service_id"]
            if bind:
                binding = {"service_id": service_id, "channel_id": BAND}
                bound = await http.post("/service/bind", json=binding, headers=auth)
                assert bound.json()["code"] == 10000
        return Service(service_id, token)

    def stream(self, *, room: int | None = None) -> MemoryFrameStream:
        near, far = memory_stream_pair(room=room)
        self.nursery.start_soon(self.platform.serve_socket, far)
        return near

    async def connect(self, service: Service) -> ServiceClient:
        """The service, logged in on a connection of its own."""
        client = ServiceClient(self.stream(), service.service_id, service.token)
        assert (await client.log_in())["status"] is True
        return client

    async def join(self, name: str, *, room: int | None = None) -> Client:
        """A guest, logged in and a member of the band."""
        guest: Guest = self.platform.sign_in_guest(name)
        stream = self.stream(room=room)
        client = Client(stream, guest.user_id, guest.tokens.access.reveal())
        assert (await client.log_in())["status"] is True
        joined = await client.receipt(UserAction(subtype="join_channel", channel_id=BAND))
        assert joined["status"] is True
        return client


@pytest.fixture
async def local() -> AsyncIterator[Fixture]:
    async with (
        trio.open_nursery() as nursery,
        open_platform(
            state=None,
            run_sync=run_inline,
            wall_clock=lambda: 1_700_000_000.0 + trio.current_time(),
            random=random.Random(1),
        ) as platform,
    ):
        yield Fixture(platform, nursery)


def say(text: str, *recipients: str) -> MessageDown:
    return MessageDown(channel_id=BAND, content=text, recipients=[UserId(r) for r in recipients])


async def test_a_message_goes_up_to_the_service_and_down_to_its_recipients(
    local: Fixture, mock_clock: trio.testing.MockClock
) -> None:
    """The whole way in both directions, each frame in its place and order."""
    service = await local.connect(await local.service())
    alice, bob = await local.join("alice"), await local.join("bob")
    assert [(await service.get())["body"]["subtype"] for _ in range(2)] == ["join_channel"] * 2
    message = UserMessage(channel_id=BAND, content=Content(text="hi"), recipients=[UserId(bob.who)])
    assert (await alice.receipt(message))["status"] is True
    up = (await service.get())["body"]
    assert up["content"] == {"text": "hi"}
    assert up["context"]["sender"] == alice.who
    assert up["context"]["recipients"] == [bob.who]
    assert up["msg_id"].startswith("local-")
    assert up["timestamp"] == 1_700_000_000_000
    for number in range(20):
        await service.put(say(str(number), bob.who, alice.who))
    for client in (alice, bob):
        texts = [(await client.get())["body"]["content"]["text"] for _ in range(20)]
        assert texts == [str(number) for number in range(20)]


async def test_every_frame_is_answered_with_its_request_id_and_type(local: Fixture) -> None:
    """Logins, heartbeats, messages and actions alike."""
    held = await local.service()
    service = ServiceClient(local.stream(), held.service_id, held.token)
    answers = [
        await service.receipt(service.login()),
        await service.receipt(Ping()),
        await service.receipt(say("x")),
        await service.receipt(UpdatePlayground(channel_id=BAND, content=Playground(text="x"))),
    ]
    assert [answer["origin_type"] for answer in answers] == [
        "service_login",
        "ping",
        "msg_down",
        "update",
    ]
    assert all(answer["status"] is True for answer in answers)


async def test_nothing_is_done_before_a_login(local: Fixture) -> None:
    """Frames before it are refused; the login still works afterwards."""
    held = await local.service()
    alice = await local.join("alice")
    service = ServiceClient(local.stream(), held.service_id, held.token)
    refused = await service.receipt(say("too early", alice.who))
    assert refused["status"] is False
    assert "log in" in refused["context"]["msg"]
    assert (await service.receipt(Ping()))["status"] is False
    await service.log_in()
    await service.put(say("now", alice.who))
    assert (await alice.get())["body"]["content"]["text"] == "now"


async def test_a_first_login_may_have_an_empty_service_id(local: Fixture) -> None:
    """Then the real one comes on the same connection, as the original's start has it."""
    held = await local.service()
    service = ServiceClient(local.stream(), "", held.token)
    empty = ServiceLogin(service_id=ServiceId(""), access_token=held.token)
    assert (await service.receipt(empty, "1"))["status"] is True
    assert (await service.receipt(Ping(), "2"))["status"] is True
    assert (await service.receipt(say("x"), "3"))["status"] is False
    service.who = held.service_id
    assert (await service.receipt(service.login(), "4"))["status"] is True
    assert (await service.receipt(say("x"), "5"))["status"] is True


@pytest.mark.parametrize("token", ["", "wrong", "a.b"])
async def test_a_login_with_a_wrong_token_is_refused(local: Fixture, token: str) -> None:
    """For services and users; the token is not repeated in the words."""
    held = await local.service()
    service = ServiceClient(local.stream(), held.service_id, token)
    user = Client(local.stream(), "somebody", token)
    for client in (service, user):
        refused = await client.log_in()
        assert refused["status"] is False
        assert "token" in refused["context"]["msg"]


async def test_a_login_with_an_expired_token_is_refused_but_an_open_one_stays(
    local: Fixture, autojump_clock: trio.testing.MockClock
) -> None:
    """New tokens are for the next login (docs/protocol/generation-0.md section 2.4)."""
    held = await local.service()
    service = await local.connect(held)
    await trio.sleep(25 * 3600)
    assert (await service.receipt(say("x")))["status"] is True
    late = ServiceClient(local.stream(), held.service_id, held.token)
    assert (await late.log_in())["status"] is False


async def test_nobody_logs_in_as_somebody_elses_service_or_changes_sides(local: Fixture) -> None:
    """Another account's service, a user on a service's connection and the other way round."""
    held, foreign = await local.service(), await local.service("other@x", bind=False)
    stolen = ServiceClient(local.stream(), held.service_id, foreign.token)
    assert (await stolen.log_in())["status"] is False
    service, alice = await local.connect(held), await local.join("alice")
    as_user = UserLogin(access_token=alice.token)
    as_service = ServiceLogin(service_id=held.service_id, access_token=held.token)
    assert (await service.receipt(as_user))["status"] is False
    assert (await alice.receipt(as_service))["status"] is False
    bob = local.platform.sign_in_guest("bob")
    as_bob = UserLogin(access_token=bob.tokens.access.reveal())
    assert (await alice.receipt(as_bob))["status"] is False


async def test_a_frame_in_anothers_name_is_refused(local: Fixture) -> None:
    """The client_id of a frame must be who is logged in."""
    service, alice = await local.connect(await local.service()), await local.join("alice")
    service.who = "somebody-else"
    assert (await service.receipt(say("x", alice.who)))["status"] is False
    alice.who = "somebody-else"
    assert (await alice.receipt(UserAction(subtype="x", channel_id=BAND)))["status"] is False


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "{}",
        '{"type": 1}',
        '{"type": "msg_down", "request_id": "1"}',
        "\ud800",
    ],
)
async def test_what_is_no_frame_is_refused_and_the_connection_stays(
    local: Fixture, text: str
) -> None:
    """A client with a bug is told so and can go on."""
    service = await local.connect(await local.service())
    await service.stream.send_text(text)
    refused = (await service.get())["body"]
    assert refused["status"] is False
    assert refused["context"]["msg"]
    assert (await service.receipt(Ping()))["status"] is True


async def test_several_tabs_of_a_user_see_the_same(local: Fixture) -> None:
    """Each connection gets every frame; closing one leaves the others."""
    service = await local.connect(await local.service())
    one = await local.join("alice")
    two = await local.join("alice")
    assert one.who == two.who
    await service.put(say("x", one.who))
    assert (await one.get())["body"] == (await two.get())["body"]
    await one.stream.aclose()
    await service.put(say("y", one.who))
    assert (await two.get())["body"]["content"]["text"] == "y"


async def test_a_repeated_request_id_reaches_nobody_twice(local: Fixture) -> None:
    """It is answered like the first; the knob lets it through."""
    service, alice = await local.connect(await local.service()), await local.join("alice")
    for _ in range(2):
        assert (await service.receipt(say("once", alice.who), "same"))["status"] is True
    await service.receipt(say("end", alice.who))
    assert [(await alice.get())["body"]["content"]["text"] for _ in range(2)] == ["once", "end"]
    local.platform.knobs = Knobs(drop_repeats=False)
    await service.receipt(say("once", alice.who), "same")
    assert (await alice.get())["body"]["content"]["text"] == "once"


async def test_what_happens_while_the_service_is_away_is_not_delivered_later(
    local: Fixture,
) -> None:
    """The user's message is accepted and kept, and the service never sees it."""
    held = await local.service()
    alice = await local.join("alice")
    message = UserMessage(channel_id=BAND, content=Content(text="missed"))
    assert (await alice.receipt(message))["status"] is True
    service = await local.connect(held)
    await alice.receipt(attrs.evolve(message, content=Content(text="seen")))
    assert (await service.get())["body"]["content"] == {"text": "seen"}


@pytest.mark.parametrize("mode", ["foreign", "absent"])
async def test_receipts_may_name_foreign_ids_or_be_absent(local: Fixture, mode: str) -> None:
    """The frames have their effect all the same."""
    service, alice = await local.connect(await local.service()), await local.join("alice")
    await trio.testing.wait_all_tasks_blocked()
    while service.stream.pending:
        await service.get()
    knobs = {"foreign": Knobs(copies_echo_id="foreign"), "absent": Knobs(copies_echo_id="absent")}
    local.platform.knobs = knobs[mode]
    await service.put(say("x", alice.who), "mine")
    assert (await alice.get())["body"]["content"]["text"] == "x"
    await trio.testing.wait_all_tasks_blocked()
    if mode == "absent":
        assert service.stream.pending == 0
    else:
        receipt = (await service.get())["body"]
        assert receipt["request_id"] not in ("mine", "")
        assert receipt["origin_type"] == "msg_down"


async def test_heartbeats_may_stay_without_an_answer(local: Fixture) -> None:
    """Other frames are answered still."""
    service = await local.connect(await local.service())
    local.platform.knobs = Knobs(answer_pings=False)
    await service.put(Ping(), "beat")
    await service.put(say("x"), "other")
    assert (await service.get())["body"]["request_id"] == "other"


async def test_a_frame_over_the_limit_closes_with_1009_and_has_no_effect(local: Fixture) -> None:
    """Bytes count, not characters, and the largest allowed passes."""
    held = await local.service()
    alice = await local.join("alice")
    service = await local.connect(held)
    frame = encode_from_service(
        say("", alice.who), request_id=RequestId("r"), client_id=held.service_id, timestamp=1
    )
    room = 65_536 - len(frame.encode())
    fits, too_large = "é" * (room // 2), "é" * (room // 2 + 1)
    await service.put(say(fits, alice.who), "r")
    assert (await alice.get())["body"]["content"]["text"] == fits
    await service.put(say(too_large, alice.who), "s")
    lost = await service.closed()
    assert lost.code == 1009
    again = await local.connect(held)
    await again.put(say("after", alice.who))
    assert (await alice.get())["body"]["content"]["text"] == "after"


async def test_the_limit_is_a_knob(local: Fixture) -> None:
    """It holds for users too."""
    local.platform.knobs = Knobs(message_limit=1_000)
    alice = await local.join("alice")
    await alice.put(UserMessage(channel_id=BAND, content=Content(text="x" * 1_000)))
    assert (await alice.closed()).code == 1009


async def test_a_second_login_displaces_the_first_with_1008(local: Fixture) -> None:
    """The newer connection is the service from then on."""
    held = await local.service()
    first = await local.connect(held)
    second = await local.connect(held)
    assert (await first.closed()).code == 1008
    await local.join("alice")
    assert (await second.get())["type"] == "action"


async def test_a_second_login_may_be_refused_or_both_may_stay(local: Fixture) -> None:
    """As the knob says."""
    held = await local.service()
    first = await local.connect(held)
    local.platform.knobs = Knobs(second_login="refuse")
    second = ServiceClient(local.stream(), held.service_id, held.token)
    refused = await second.log_in()
    assert refused["status"] is False
    assert "already" in refused["context"]["msg"]
    assert (await first.receipt(first.login(), "again"))["status"] is True
    local.platform.knobs = Knobs(second_login="both")
    await second.receipt(second.login(), "now")
    await local.join("alice")
    for client in (first, second):
        assert (await client.get())["body"]["subtype"] == "join_channel"


async def test_a_connection_that_is_being_closed_is_no_first_one(local: Fixture) -> None:
    """After a cut the service may come back at once, even where a second login is refused."""
    held = await local.service()
    await local.connect(held)
    local.platform.knobs = Knobs(second_login="refuse")
    local.platform.cut()
    await local.connect(held)


async def test_a_cut_closes_services_with_1001_and_leaves_users(local: Fixture) -> None:
    """One service, or all of them."""
    held, other = await local.service(), await local.service("other@x", bind=False)
    service, bystander = await local.connect(held), await local.connect(other)
    alice = await local.join("alice")
    local.platform.cut(held.service_id)
    assert (await service.closed()).code == 1001
    assert (await bystander.receipt(Ping()))["status"] is True
    local.platform.cut(code=4000)
    assert (await bystander.closed()).code == 4000
    message = UserMessage(channel_id=BAND, content=Content(text="x"))
    assert (await alice.receipt(message))["status"] is True


async def test_the_platform_may_cut_after_every_so_many_frames(local: Fixture) -> None:
    """The frame that brings the cut has had its effect; its receipt is lost with the rest."""
    held = await local.service()
    alice = await local.join("alice")
    local.platform.knobs = Knobs(cut_every=3)
    for round_ in range(2):
        service = await local.connect(held)
        await service.receipt(Ping())  # neither logins nor heartbeats count
        for number in range(3):
            await service.put(say(f"{round_}.{number}", alice.who), f"{round_}-{number}")
        assert (await service.closed()).code == 1001
    texts = [(await alice.get())["body"]["content"]["text"] for _ in range(6)]
    assert texts == ["0.0", "0.1", "0.2", "1.0", "1.1", "1.2"]


async def test_a_slow_reader_is_closed_and_holds_up_nobody(
    local: Fixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its queue is bounded; the others get everything."""
    monkeypatch.setattr(session_module, "QUEUE_FRAMES", 10)
    service = await local.connect(await local.service())
    bob = await local.join("bob")
    slow = await local.join("slow", room=1)
    for number in range(30):
        await service.receipt(say(str(number), slow.who, bob.who))
        assert (await bob.get())["body"]["content"]["text"] == str(number)
    assert (await slow.closed()).code == 1008


async def test_a_reader_of_large_frames_is_bounded_in_bytes(
    local: Fixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few frames can be much memory."""
    monkeypatch.setattr(session_module, "QUEUE_BYTES", 100_000)
    service = await local.connect(await local.service())
    slow = await local.join("slow", room=1)
    for number in range(5):
        await service.receipt(say("x" * 40_000, slow.who), str(number))
    assert (await slow.closed()).code == 1008


async def test_in_flight_counts_what_is_not_handed_over_yet(local: Fixture) -> None:
    """Zero means that nothing more will come of what the platform was told."""
    service = await local.connect(await local.service())
    alice = await local.join("alice", room=1)
    await trio.testing.wait_all_tasks_blocked()
    assert local.platform.in_flight == 0
    for _ in range(3):
        await service.put(say("x", alice.who))
    await trio.testing.wait_all_tasks_blocked()
    assert local.platform.in_flight == 2  # one arrived, one is being written, one waits
    for _ in range(3):
        await alice.get()
    await trio.testing.wait_all_tasks_blocked()
    assert local.platform.in_flight == 0


async def test_the_end_of_the_platform_closes_everybody_with_1001() -> None:
    """Users and services, whoever ends it: the platform's block, or a cancellation."""
    lost: list[ConnectionLost] = []
    async with trio.open_nursery() as nursery:
        async with open_platform(
            state=None, run_sync=run_inline, wall_clock=trio.current_time, random=random.Random(1)
        ) as platform:
            local = Fixture(platform, nursery)
            clients = [await local.join("alice"), await local.connect(await local.service())]
        lost += [await client.closed() for client in clients]
        async with open_platform(
            state=None, run_sync=run_inline, wall_clock=trio.current_time, random=random.Random(1)
        ) as platform:
            async with trio.open_nursery() as inner:
                bob = await Fixture(platform, inner).join("bob")
                inner.cancel_scope.cancel()
            lost.append(await bob.closed())
    assert [each.code for each in lost] == [1001, 1001, 1001]


async def test_a_write_that_waits_does_not_spoil_the_goodbye() -> None:
    """Peers whose windows are full are still told 1001 when the platform is cancelled."""
    async with open_platform(
        state=None, run_sync=run_inline, wall_clock=trio.current_time, random=random.Random(1)
    ) as platform:
        async with trio.open_nursery() as nursery:
            local = Fixture(platform, nursery)
            service = await local.connect(await local.service())
            people = [await local.join(f"user {number}", room=1) for number in range(8)]
            for number in range(3):
                speech = say("x", *(person.who for person in people))
                await service.receipt(speech, str(number))
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert [(await person.closed()).code for person in people] == [1001] * 8


async def test_who_has_gone_is_forgotten(local: Fixture) -> None:
    """A message to a user without a connection is kept for their history and sent nowhere; the
    service that closed is offline."""
    held = await local.service()
    service, alice = await local.connect(held), await local.join("alice")
    await alice.stream.aclose()
    await trio.testing.wait_all_tasks_blocked()
    assert (await service.receipt(say("x", alice.who)))["status"] is True
    await trio.testing.wait_all_tasks_blocked()
    assert local.platform.in_flight == 0
    await service.stream.aclose()
    await trio.testing.wait_all_tasks_blocked()
    transport = httpx.ASGITransport(app=local.platform.app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        (band,) = (await http.get("/local/bands")).json()["data"]
        assert (band["service_id"], band["online"]) == (held.service_id, False)
        query = {"channel_id": BAND}
        auth = {"Authorization": f"Bearer {alice.token}"}
        (kept,) = (await http.get("/local/history", params=query, headers=auth)).json()["data"]
        assert kept["body"]["content"]["text"] == "x"


async def test_tokens_are_in_no_log(local: Fixture) -> None:
    """Neither of a good login nor of a refused one."""
    with capture_logs() as logs:
        held = await local.service()
        await local.connect(held)
        client = ServiceClient(local.stream(), held.service_id, "canary-token")
        await client.log_in()
        await client.stream.send_text('{"type": "service_login", "access_token": "canary-token"}')
        await client.get()
    assert "frame refused" in [line["event"] for line in logs]
    for secret in (held.token, "canary"):
        assert secret not in repr(logs)
