"""One band with services and users of both generations: what each of them has on its wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

import pytest
import trio
import trio.testing

from moobius_trio.local import DEFAULT_BAND
from moobius_trio.testing.wires import Json, Wire, Wires, open_wires

BAND = DEFAULT_BAND
Generation = Literal[0, 1]


@pytest.fixture
async def wires(autojump_clock: trio.testing.MockClock) -> AsyncIterator[Wires]:
    async with open_wires() as wires:
        yield wires


def body(subtype: str, **more: object) -> Json:
    return {"subtype": subtype, "channel_id": BAND, **more}


async def group(wire: Wire, *members: str) -> str:
    """The id of a group that a service made."""
    made = await wire.caller.data(
        "POST", "/service/group/create", {"group_id": "", "characters": members}
    )
    assert isinstance(made, str)
    return made


async def say(wire: Wire, text: str, *recipients: str) -> Json:
    """A message of a service or of a user, in their own words; gives the receipt."""
    if wire.caller.generation == 0:
        kind = "msg_down" if wire.login()["type"] == "service_login" else "msg_up"
        said = body("text", content={"text": text}, recipients=recipients, timestamp=1, context={})
        frame = {"type": kind, "client_id": wire.who, "body": {**said, "sender": wire.who}}
        return await wire.receipt(frame)
    if wire.login()["type"] == "service_login":
        to = await group(wire, *recipients)
        said = body("text", content={"text": text}, recipients=to, timestamp=1, context={})
        frame = {"type": "message_down", "service_id": wire.who, "body": {**said, "sender": "x"}}
        return await wire.receipt(frame)
    to = "service"
    if recipients:
        asked = {"channel_id": BAND, "group_name": "g", "characters": recipients}
        to = (await wire.caller.data("POST", "/user/group/create", asked))["group_id"]
    said = body("text", content={"text": text}, recipients=to, timestamp=1, context={})
    ids = {"user_id": wire.who, "service_id": wire.who}
    return await wire.receipt({"type": "message_up", **ids, "body": said})


async def heard(wires: Wires, wire: Wire) -> tuple[str, list[str]]:
    """The text of the next message that a service is told of, and for whom it was."""
    if wire.caller.generation == 0:
        frame = (await wire.get("msg_up"))["body"]
        assert frame["context"]["recipients"] == frame["recipients"]
        return frame["content"]["text"], frame["recipients"]
    frame = (await wire.get("message_up"))["body"]
    allowed = {"subtype", "channel_id", "content", "timestamp", "recipients", "sender"}
    assert set(frame) <= allowed | {"message_id", "context"}
    if frame["recipients"] == "service":
        return frame["content"]["text"], []
    query = f"group_id={frame['recipients']}&channel_id={BAND}&user_id={frame['sender']}"
    found = await wire.caller.data("GET", f"/user/group?{query}")
    return frame["content"]["text"], found["characters"]


async def seen(wire: Wire) -> str:
    """The text of the next message that a user is sent."""
    frame = (await wire.get("msg_down", "message_down"))["body"]
    if wire.caller.generation == 1:
        keys = {"subtype", "channel_id", "content", "timestamp", "sender", "message_id", "context"}
        assert set(frame) == keys
        assert frame["message_id"].startswith("local-")
    return str(frame["content"]["text"])


@pytest.mark.parametrize("service_generation", [0, 1])
async def test_a_message_goes_up_and_down_between_all_generations(
    wires: Wires, service_generation: Generation
) -> None:
    """Two users of each generation and a service of either: recipients and their order are kept."""
    service = await wires.service(service_generation)
    old, new = await wires.user(0, "old"), await wires.user(1, "new")
    for speaker, others in ((old, [new.who, old.who]), (new, [old.who, new.who])):
        reply = await say(speaker, "hello", *others)
        assert reply["body"]["status"] is True
        assert await heard(wires, service) == ("hello", others)
        await say(speaker, "to the Service")
        assert await heard(wires, service) == ("to the Service", [])
    reply = await say(service, "answer", new.who, old.who, "nobody")
    assert reply["type"] == ("copy_client" if service_generation == 0 else "copy")
    assert reply["body"]["status"] is True
    assert [await seen(each) for each in (old, new)] == ["answer", "answer"]
