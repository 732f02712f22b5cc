"""A ceiling: trio-websocket as its documentation has it, and nothing else; all is given back.

Run: ``python ceiling_websocket.py`` with one line of JSON on the input: ``ws`` (an address) and
``ca`` (a file, or null). It ends with its input.
"""

from __future__ import annotations

import json
import ssl
import sys
from typing import Any

import trio
from trio_websocket import WebSocketConnection, open_websocket_url


async def echo(connection: WebSocketConnection) -> None:
    """All of it, until cancelled."""
    while True:
        await connection.send_message(await connection.get_message())


async def main(order: dict[str, Any]) -> None:
    """Echo until the input ends."""
    tls = ssl.create_default_context(cafile=order["ca"]) if order["ca"] else None
    async with (
        open_websocket_url(order["ws"], ssl_context=tls) as connection,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(echo, connection)
        print(json.dumps("ready"), flush=True)
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, json.loads(sys.stdin.readline()))
