"""What a page is told of frames on ``/local/inspect``: refusals, masks, bounds, slow readers."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import trio
import trio.testing

from moobius_trio import Band, FeatureCall, MessageUp, MoobiusService
from moobius_trio.codec.generation0 import encode_from_user
from moobius_trio.local import Inspected, Missed, Platform
from moobius_trio.local.inspected import LONGEST
from moobius_trio.local.inspector import KEPT, LINK_KEPT, ROOM
from moobius_trio.network.memory import MemoryFrameStream, memory_stream_pair
from moobius_trio.network.websocket import websocket_connector
from moobius_trio.testing.actors import SERVICE, Actor
from moobius_trio.testing.harness import Local
from moobius_trio.types import (
    ChannelId,
    Content,
    FeatureCallArgument,
    RequestId,
    UserAction,
    UserCommand,
    UserId,
    UserLogin,
    UserMessage,
)

BAND = ChannelId("local-demo")
SECRET = "opensesame"


class Service(MoobiusService[Band]):
    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await self.reply(msg_up, msg_up.text)

    async def on_feature_call(self, call: FeatureCall) -> None:
        await self.reply(call, "pressed")


class Person:
    """A user on a connection of their own, who sends what no page would."""

    def __init__(self, platform: Platform, nursery: trio.Nursery, name: str) -> None:
        guest = platform.sign_in_guest(name)
        self.user_id = guest.user_id
        self.token = guest.tokens.access.reveal()
        self._stream, far = memory_stream_pair(room=None)
        nursery.start_soon(platform.serve_socket, far)

    async def send(self, command: UserCommand | str, client_id: str = "") -> None:
        text = command
        if not isinstance(command, str):
            text = encode_from_user(
                command,
                request_id=RequestId("r"),
                client_id=UserId(client_id or self.user_id),
                timestamp=1,
            )
        await self._stream.send_text(str(text))
        await trio.testing.wait_all_tasks_blocked()

    async def join(self) -> None:
        await self.send(UserLogin(access_token=self.token))
        await self.send(UserAction(subtype="join_channel", channel_id=BAND))


def last(platform: Platform) -> Inspected:
    """The newest frame that is no receipt."""
    return next(each for each in reversed(platform.inspector.kept) if each.from_ != "platform")


def say(text: str) -> UserMessage:
    return UserMessage(channel_id=BAND, content=Content(text=text))


async def test_what_is_not_taken_says_why(local: Local, nursery: trio.Nursery) -> None:
    """A frame that is none, one before the login, one from outside, one in another's name."""
    person = Person(local.platform, nursery, "alice")
    await person.send("nonsense")
    assert (last(local.platform).direction, last(local.platform).frame) == ("up", "nonsense")
    assert last(local.platform).refused
    await person.send(say("hi"))
    assert last(local.platform).refused == "log in first"
    await person.send(UserLogin(access_token=person.token))
    assert (last(local.platform).type_, last(local.platform).from_) == (
        "user_login",
        person.user_id,
    )
    await person.send(say("hi"))
    told = last(local.platform)
    assert "join it first" in told.refused
    assert (told.type_, told.band, told.from_, told.to) == ("msg_up", BAND, person.user_id, ())
    await person.send(say("hi"), client_id="somebody")
    assert "somebody" in last(local.platform).refused


async def test_what_nobody_gets_says_why(local: Local, nursery: trio.Nursery) -> None:
    """No service, one that is away, and recipients who are not in the band."""
    person = Person(local.platform, nursery, "alice")
    await person.join()
    assert "no service holds this band" in last(local.platform).refused
    service = Service()
    await local.start(service)
    local.keep_unheard = True
    await service.create_message(BAND, "to nobody", [UserId("local-nobody")])
    await trio.testing.wait_all_tasks_blocked()
    told = last(local.platform)
    assert (told.direction, told.from_, told.to) == ("down", "service", ())
    assert "member" in told.refused
    await local.stop(service)
    await person.send(say("hi"))
    assert "not connected" in last(local.platform).refused
    assert last(local.platform).to == ()


async def test_a_text_that_is_too_large_is_told_with_its_size_and_its_beginning(
    local: Local, nursery: trio.Nursery
) -> None:
    """It closes the connection; the frame says so."""
    person = Person(local.platform, nursery, "alice")
    await person.join()
    await person.send("x" * 70_000)
    told = last(local.platform)
    assert told.size == 70_000
    assert len(told.frame) == LONGEST
    assert "70000" in told.refused


async def test_a_receipt_is_a_frame_of_the_link(local: Local, nursery: trio.Nursery) -> None:
    """From the platform, in the direction of whom it is for, with what it answers. There are so
    many that they are noted only while somebody looks."""
    person = Person(local.platform, nursery, "alice")
    await person.join()
    assert all(each.from_ != "platform" for each in local.platform.inspector.kept)
    with local.platform.inspector.subscribe():
        await person.join()
    receipt = local.platform.inspector.kept[-1]
    assert (receipt.direction, receipt.type_, receipt.subtype) == ("down", "copy_client", "action")
    assert (receipt.from_, receipt.to) == ("platform", (person.user_id,))


async def test_no_token_and_no_password_is_ever_told(local: Local, nursery: trio.Nursery) -> None:
    """Of logins, of a message that has a token in it, also at the end of what is told, and of a
    field that is called password."""
    told = await viewing(local.platform, nursery)
    [alice] = await (await local.start(Service())).join("Alice")
    person = Person(local.platform, nursery, "bob")
    await person.join()
    await person.send(say(f"my token is {person.token}!"))
    for length in range(LONGEST - 260, LONGEST, 20):
        await person.send(say("x" * length + " " + person.token))
    fields = [FeatureCallArgument(name="your password", value=SECRET)]
    await person.send(
        FeatureCall(feature_id="k", channel_id=BAND, sender=person.user_id, arguments=fields)
    )
    await alice.say("hi", to=SERVICE)
    texts = [each.frame for each in local.platform.inspector.kept]
    texts += [each["frame"] for each in drained(told) if each["kind"] == "frame"]
    assert any('"user_login"' in text for text in texts)
    assert any('"service_login"' in text for text in texts)
    assert any("my token is ***!" in text for text in texts)
    secrets = [person.token, SECRET, *_tokens_of_services(local)]
    for text in texts:
        for secret in secrets:
            assert secret not in text
            assert secret[:24] not in text


def _tokens_of_services(local: Local) -> list[str]:
    return [each.access_token for each in local.platform._sessions._all if each.access_token]


async def viewing(
    platform: Platform, nursery: trio.Nursery, room: int | None = None
) -> MemoryFrameStream:
    """A page that looks; its end of the connection."""
    near, far = memory_stream_pair(room=room)
    nursery.start_soon(platform._sessions.inspect, far)
    await trio.testing.wait_all_tasks_blocked()
    return near


def drained(stream: MemoryFrameStream) -> list[Any]:
    """What has come so far."""
    texts, stream._inbox = list(stream._inbox), type(stream._inbox)()
    return [json.loads(text) for text in texts]


async def test_a_page_gets_what_is_kept_and_then_each_frame_and_its_later_news(
    local: Local, nursery: trio.Nursery
) -> None:
    """In the form that the page reads; later news name the frame by its number."""
    [alice] = await (await local.start(Service())).join("Alice")
    stream = await viewing(local.platform, nursery)
    [hello] = drained(stream)
    assert hello["kind"] == "hello"
    numbers = [each["n"] for each in hello["kept"]]
    assert numbers == sorted(numbers)
    assert numbers
    await alice.say("hi", to=SERVICE)
    news = drained(stream)
    up, down = (
        next(each for each in news if each["kind"] == "frame" and each["type"] == type_)
        for type_ in ("msg_up", "msg_down")
    )
    assert set(up) == set(hello["kept"][0])
    assert (up["from"], up["to"], up["names"]) == (
        alice.user_id,
        ["service"],
        {alice.user_id: "Alice"},
    )
    assert (up["handler"], up["milliseconds"], up["records"]) == ("", None, None)
    later = {each["n"]: each for each in news if each["kind"] == "handled"}
    assert later[up["n"]].keys() < up.keys()
    for frame, cause in ((up, None), (down, up["n"])):
        known = {**frame, **later.get(frame["n"], {})}  # a frame's trace may be faster than it
        assert (known["handler"], known["records"]) == ("Service.on_msg_up", 0)
        assert (known["error"], known["cause"]) == ("", cause)


@pytest.mark.local(sockets=True)
async def test_it_is_the_same_over_sockets(local: Local, nursery: trio.Nursery) -> None:
    """A real page's connection, while three people talk at once: each reply is under its own."""
    people = await (await local.start(Service())).join("Alice", "Bob", "Carol")
    uri = local._site.ws_uri() + "local/inspect"
    async with websocket_connector(uri)() as stream:
        assert json.loads(await stream.receive_text())["kind"] == "hello"
        async with trio.open_nursery() as talking:
            for actor in people:
                talking.start_soon(talk, actor)
        await local.settle()
        frames: dict[int, Any] = {}
        with trio.fail_after(30):
            while sum(each["cause"] is not None for each in frames.values()) < 30:
                news = json.loads(await stream.receive_text())
                if news["kind"] == "frame":
                    frames[news["n"]] = news
                else:
                    frames[news["n"]] |= {**news, "kind": "frame"}
    downs = [each for each in frames.values() if each["type"] == "msg_down"]
    assert len(downs) == 30
    for down in downs:
        up = frames[down["cause"]]
        assert up["from"] == down["to"][0]
        assert content(up) == content(down)


async def talk(actor: Actor) -> None:
    for number in range(10):
        await actor.say(f"{actor.name} {number}", to=SERVICE, settle=False)


def content(frame: Any) -> Any:
    return json.loads(frame["frame"])["body"]["content"]


@pytest.mark.local(sockets=True)
async def test_a_page_of_another_origin_sees_nothing(local: Local) -> None:
    """Its handshake is refused."""
    headers = {
        "Origin": "http://evil.example",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    async with httpx.AsyncClient(base_url=local._site.http_uri(), trust_env=False) as http:
        assert (await http.get("/local/inspect", headers=headers)).status_code == 403


async def test_a_flood_keeps_to_its_bounds(local: Local, nursery: trio.Nursery) -> None:
    """In frames, in frames of the link, and in characters; the newest stay."""
    person = Person(local.platform, nursery, "alice")
    await person.join()
    with local.platform.inspector.subscribe():
        for number in range(KEPT + LINK_KEPT):
            await person.send(say(str(number)))
    kept = local.platform.inspector.kept
    assert len(kept) == KEPT + LINK_KEPT
    assert sum(each.type_ == "msg_up" for each in kept) == KEPT
    assert f'"{KEPT + LINK_KEPT - 1}"' in kept[-2].frame
    for _ in range(2 * ROOM // 15_000):
        await person.send(say("y" * 15_000))
    kept = local.platform.inspector.kept
    ups = [each for each in kept if each.type_ == "msg_up"]
    assert all("yyy" in each.frame for each in ups)
    assert ROOM * 0.9 < sum(len(each.frame) for each in ups) <= ROOM


async def test_a_page_that_reads_too_slowly_loses_the_oldest_and_is_told_how_many(
    local: Local, nursery: trio.Nursery
) -> None:
    """It holds up nobody, and gets the newest in order."""
    stream = await viewing(local.platform, nursery, room=2)
    person = Person(local.platform, nursery, "alice")
    await person.join()
    for number in range(2 * KEPT):
        await person.send(say(str(number)))
    news: list[Any] = []
    while stream.pending:
        news.append(json.loads(await stream.receive_text()))
        await trio.testing.wait_all_tasks_blocked()
    [missed] = [each for each in news if each["kind"] == "missed"]
    frames = [each for each in news if each["kind"] == "frame"]
    numbers = [each["n"] for each in frames]
    assert numbers == sorted(numbers)
    assert missed["count"] + len(frames) == frames[-1]["n"]
    assert missed["count"] > KEPT
    place = news.index(missed)
    assert news[place + 1]["n"] - news[place - 1]["n"] == missed["count"] + 1


async def test_a_page_that_goes_leaves_nothing_behind(local: Local, nursery: trio.Nursery) -> None:
    """Nobody listens for it any more."""
    stream = await viewing(local.platform, nursery)
    assert len(local.platform.inspector._viewings) == 1
    await stream.aclose()
    await trio.testing.wait_all_tasks_blocked()
    assert len(local.platform.inspector._viewings) == 0


async def test_a_subscription_ends_with_its_block(local: Local, nursery: trio.Nursery) -> None:
    """What waits can still be read then; a reader that waits is woken."""
    person = Person(local.platform, nursery, "alice")
    with local.platform.inspector.subscribe(room=2) as channel:
        with pytest.raises(trio.WouldBlock):
            channel.receive_nowait()
        for _ in range(3):
            await person.send("nonsense")
        assert await channel.receive() == Missed(count=4)  # each with its receipt
    rest = [news async for news in channel]
    assert [news.n for news in rest if isinstance(news, Inspected)] == [5, 6]
