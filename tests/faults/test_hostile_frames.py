"""Malformed and hostile frames among good ones: these are handled, in order (F13, F21, F22).

The whole service in simulated time; what is sent comes out the same in every run.
"""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import attrs
import trio

from moobius_trio import MessageUp, MoobiusService
from moobius_trio.network.memory import memory_connector
from moobius_trio.testing import Local
from moobius_trio.testing.core_rig import place
from moobius_trio.testing.scoreboard import note
from moobius_trio.testing.scripted_platform import ScriptedPlatform

GOOD = 1_000
BAD_FOR_EACH = 20

VALUES: tuple[Any, ...] = (
    None, True, -1, 0.5, 1e308, 10**400, "", "\x00\x1b[2J", "\ud800", "x" * 5_000, [], {}, [[]],
    {"": {}}, "../../etc/passwd", "__class__", {"$type": "x"}, [None] * 50,
)  # fmt: skip

FRAMES: tuple[dict[str, Any], ...] = (
    {
        "type": "msg_up",
        "body": {
            "subtype": "text",
            "channel_id": "local-demo",
            "timestamp": 1,
            "recipients": [],
            "msg_id": "m",
            "content": {"text": "bad"},
            "context": {"sender": "u", "recipients": [], "group_id": None},
        },
    },
    {"type": "action", "body": {"subtype": "hop", "channel_id": "local-demo", "sender": "u"}},
    {
        "type": "feature_call",
        "body": {
            "feature_id": "f",
            "channel_id": "local-demo",
            "sender": "u",
            "arguments": [{"name": "a", "value": "b"}],
            "context": {},
        },
    },
    {
        "type": "copy_client",
        "body": {"request_id": "r", "origin_type": "msg_down", "status": True, "context": {}},
    },
    {"type": "surprise", "body": {"a": 1}},
    {"message": "Internal server error", "connectionId": "c", "requestId": "r"},
)

TEXTS = (
    "", " ", "{", "[]", "null", '"Forbidden"', "NaN", "1e999", "[" * 100_000, '{"a":' * 100_000,
    '{"type": "msg_up"}', '{"type": "msg_up", "body": null}', '{"type": 1, "body": {}}',
    '{"type": "msg_up", "type": "action", "body": {}}', "\ufeff{}", "{'type': 'x'}", "\x00",
    '{"body": {"request_id": "r", "origin_type": "msg_down", "status": false, "context": {}},'
    ' "type": "copy_client"}', "9" * 10_000, '{"type": "x", "body": ' + "9" * 10_000 + "}",
)  # fmt: skip


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) inside a JSON value."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    found = []
    for key in keys:
        found.append((value, key))
        found += places(value[key])
    return found


def hostile(source: random.Random) -> str:
    """A frame with something wrong in it, or none at all."""
    kind = source.random()
    if kind < 0.2:
        return source.choice(TEXTS)
    frame = copy.deepcopy(source.choice(FRAMES))
    for _ in range(source.choice([1, 1, 2, 3])):
        if spots := places(frame):
            container, key = source.choice(spots)
            if source.random() < 0.4:
                del container[key]
            else:
                container[key] = copy.deepcopy(source.choice(VALUES))
    text = json.dumps(frame)
    if kind < 0.4:
        text = text[: source.randrange(len(text))]
    elif kind < 0.5:
        at = source.randrange(len(text))
        text = text[:at] + source.choice(['"', "{", "}", "\\", "\x00", "\ud800"]) + text[at + 1 :]
    return text


def good(number: int) -> str:
    frame = copy.deepcopy(FRAMES[0])
    frame["body"] |= {"content": {"text": f"good {number}"}, "msg_id": f"good-{number}"}
    return json.dumps(frame)


class Listening(MoobiusService):
    """Notes what is good."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        if msg_up.text and msg_up.text.startswith("good"):
            self.heard.append(msg_up.text)


async def test_a_thousand_good_frames_among_twenty_thousand_hostile_ones(local: Local) -> None:
    """All are handled in their order, on the first connection and with its one login."""
    source, platform, service = random.Random(11), ScriptedPlatform(), Listening()
    place(local, service)
    async with trio.open_nursery() as nursery:
        service._environment = attrs.evolve(
            service._environment, connect=memory_connector(nursery, platform.serve)
        )
        handle = await nursery.start(service.serve)
        await trio.sleep(1)
        for number in range(GOOD):
            for _ in range(BAD_FOR_EACH):
                await platform.send_raw(hostile(source))
            await platform.send_raw(good(number))
            if number % 10 == 0:
                await trio.sleep(0.1)
        await trio.sleep(60)
        link = handle.statistics().link
        await handle.stop()
        nursery.cancel_scope.cancel()
    note(
        "hostile frames among good ones",
        {
            "hostile": GOOD * BAD_FOR_EACH,
            "unreadable": link.malformed,
            "good": GOOD,
            "handled in order": len(service.heard),
            "connections": link.connections,
        },
    )
    assert service.heard == [f"good {number}" for number in range(GOOD)]
    assert (link.connections, link.logins) == (1, 1)
    assert link.malformed > GOOD * BAD_FOR_EACH / 3
    assert link.platform_errors > 0
