"""Our side of the echo benchmarks: a service that answers each message with itself.

The first letter of a message says what is done before: ``s`` changes a record, which has to be
stored before the answer leaves, and ``h`` makes a call to the platform. Anything else: nothing.

Run: ``python echo_ours.py`` with one line of JSON on the input: ``http`` and ``ws`` (addresses),
``bands``, ``ca`` (a file, or null), ``driver`` (``public`` or ``direct``), ``log`` (``shipped`` or
``off``). It prints a line when it is ready and knows whether the platform answers with copies,
and ends with its input.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import structlog
import trio

from moobius_trio import Band, MessageUp, MoobiusService, ServiceHandle, container
from moobius_trio.core.environment import Environment
from moobius_trio.logs import configure_logs
from moobius_trio.network.direct import direct_connector
from moobius_trio.network.tls import trusting
from moobius_trio.network.websocket import websocket_connector


class Room(Band):
    """A band with a count."""

    counts = container(int)


class Echo(MoobiusService[Room]):
    """Answers each message with itself."""

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        match (msg_up.text or " ")[0]:
            case "s":
                counts = self.bands[msg_up.channel_id].counts
                counts[msg_up.sender] = counts.get(msg_up.sender, 0) + 1
            case "h":
                await self.http_api.fetch_member_ids(msg_up.channel_id, self.service_id)
        await self.send(self.msg_up_to_msg_down(msg_up, recipients=msg_up.sender))


def service(order: dict[str, Any]) -> Echo:
    """The service, configured as it is asked for, in the current folder."""
    tls = trusting(Path(order["ca"])) if order["ca"] else None
    driver = {"public": websocket_connector, "direct": direct_connector}[order["driver"]]
    settings = Path("service.json")
    settings.touch(mode=0o600)
    settings.write_text(
        json.dumps(
            {
                "http_server_uri": order["http"],
                "ws_server_uri": order["ws"],
                "email": "bench@example.org",
                "password": "x",
                "service_id": "33333333-3333-4333-8333-333333333333",
                "channels": order["bands"],
                "protocol": "1.8",
                "name": f"bench-{os.getpid()}",
                "logs": str(Path.cwd() / "logs") if order["log"] == "shipped" else None,
            }
        )
    )
    echo = Echo(settings)
    echo._environment = Environment(connect=driver(order["ws"], tls=tls), state=Path.cwd())
    return echo


async def main(order: dict[str, Any]) -> None:
    """Serve until the input ends."""
    async with trio.open_nursery() as nursery:
        handle: ServiceHandle = await nursery.start(service(order).serve)
        # a few seconds, where no copies come; nothing tells of its end
        while handle.statistics().link.acknowledgement == "undecided":  # noqa: ASYNC110
            await trio.sleep(0.1)
        print(json.dumps("ready"), flush=True)
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    order = json.loads(sys.stdin.readline())
    if order["log"] == "shipped":
        configure_logs()
    else:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    trio.run(main, order)
