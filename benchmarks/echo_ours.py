"""Our side of the echo benchmarks: a service that answers each message with itself.

Run: ``python echo_ours.py`` with one JSON object on the input: addresses, bands, ``protocol``,
``driver`` (``public`` or ``direct``), ``log`` (``shipped`` or ``off``), ``store``. It ends with
its input.
"""

from __future__ import annotations

import json
import ssl
import sys
import tempfile
from pathlib import Path
from typing import Any

import structlog
import trio

from moobius_trio import Band, MessageUp, MoobiusService, container
from moobius_trio.core.environment import Environment
from moobius_trio.logs import configure_logs
from moobius_trio.network.direct import direct_connector
from moobius_trio.network.websocket import websocket_connector


class Room(Band):
    """A band with a count."""

    counts = container(int)


class Echo(MoobiusService[Room]):
    """Answers each message with itself."""

    stores = False

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        if self.stores:
            counts = self.bands[msg_up.channel_id].counts
            counts[msg_up.sender] = counts.get(msg_up.sender, 0) + 1
        await self.send(self.msg_up_to_msg_down(msg_up, recipients=msg_up.sender))


async def main(given: dict[str, Any]) -> None:
    """Serve until the input ends."""
    tls = None
    if given.get("ca"):
        tls = ssl.create_default_context(cafile=given["ca"])
    driver = direct_connector if given["driver"] == "direct" else websocket_connector
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "service.json"
        settings.write_text(
            json.dumps(
                {
                    "http_server_uri": given["http"],
                    "ws_server_uri": given["ws"],
                    "email": "bench@example.org",
                    "password": "x",
                    "channels": given["bands"],
                    "protocol": given["protocol"],
                    "name": f"bench-{given['driver']}-{given['number']}",
                }
            )
        )
        settings.chmod(0o600)
        service = Echo(settings)
        service.stores = given.get("store", False)
        service._environment = Environment(connect=driver(given["ws"], tls=tls))
        async with trio.open_nursery() as nursery:
            await nursery.start(service.serve)
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    order = json.loads(sys.stdin.readline())
    if order["log"] == "shipped":
        configure_logs()
    else:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    trio.run(main, order)
