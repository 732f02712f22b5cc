"""Our side of the codec benchmark: the words of a service's wire, as link and outbox use them.

Run: ``python codec_ours.py``, then a line of JSON for each order, answered by seconds per message.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import trio

from moobius_trio import MessageUp, MoobiusService
from moobius_trio.codec import generation0
from moobius_trio.core.environment import Environment
from moobius_trio.network.group_book import GroupBook
from moobius_trio.network.items import Side, service_side
from moobius_trio.network.wire1 import Generation1Wire
from moobius_trio.types import ChannelId, GroupId, MessageDown, ServiceId, UserId

SERVICE = ServiceId("33333333-3333-4333-8333-333333333333")
GROUP = GroupId("22222222-2222-4222-8222-222222222222")

AnySide = Side[Any, Any]


async def create(members: tuple[UserId, ...]) -> GroupId:
    """The platform's answer to a new list."""
    return GROUP


async def fetch(group_id: GroupId, channel_id: ChannelId, sender: UserId) -> tuple[UserId, ...]:
    """Nobody asks: the messages are for the Service."""
    raise LookupError(group_id)


def side_of(generation: int) -> AnySide:
    """What a service of that generation is given."""
    if generation == 0:
        return service_side(generation0)
    return Generation1Wire(GroupBook(create, fetch)).side()


def measure(side: AnySide, frame: str, messages: int) -> dict[str, float]:
    """CPU seconds per message of each part."""
    service, environment = MoobiusService(), Environment()
    new_request_id, wall_clock_ms = environment.new_request_id, environment.wall_clock_ms

    def reply(message: MessageUp) -> MessageDown:
        return service.msg_up_to_msg_down(message, recipients=message.sender)

    def encode(command: MessageDown) -> str:
        return side.encode(
            command, request_id=new_request_id(), client_id=SERVICE, timestamp=wall_clock_ms()
        )

    message = side.decode(frame)
    command = reply(message)
    if side.prepare is not None:
        trio.run(side.prepare, command)
    return {
        "decode": seconds(messages, side.decode, frame),
        "reply": seconds(messages, reply, message),
        "encode": seconds(messages, encode, command),
        "all three": seconds(messages, lambda text: encode(reply(side.decode(text))), frame),
    }


def seconds(times: int, function: Callable[[Any], object], argument: object) -> float:
    """CPU seconds of one call."""
    for _ in range(times // 10):
        function(argument)
    began = time.thread_time()
    for _ in range(times):
        function(argument)
    return (time.thread_time() - began) / times


def main() -> None:
    """Answer until the input ends."""
    sides = {generation: side_of(generation) for generation in (0, 1)}
    for line in sys.stdin:
        order = json.loads(line)
        found = measure(sides[order["generation"]], order["frame"], order["messages"])
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
