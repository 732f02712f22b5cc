"""A ceiling: wsproto on a trio stream, and nothing else; all is given back.

Run: ``python ceiling_wsproto.py`` with one line of JSON on the input: ``ws`` (an address) and
``ca`` (a file, or null). It ends with its input.
"""

from __future__ import annotations

import json
import ssl
import sys
from typing import Any
from urllib.parse import urlsplit

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import Message, Request

RECEIVE_BYTES = 65_536


async def echo(stream: trio.abc.Stream, protocol: WSConnection) -> None:
    """All of it, until cancelled: what one read has brought goes back with one write."""
    while True:
        protocol.receive_data(bytes(await stream.receive_some(RECEIVE_BYTES)))
        out = bytearray()
        for event in protocol.events():
            if isinstance(event, Message):  # one per frame, or a piece of one
                out += protocol.send(
                    type(event)(data=event.data, message_finished=event.message_finished)
                )
        if out:
            await stream.send_all(out)


async def main(order: dict[str, Any]) -> None:
    """Echo until the input ends."""
    address = urlsplit(order["ws"])
    host, port = address.hostname or "", address.port or 0
    stream: trio.abc.Stream = await trio.open_tcp_stream(host, port)
    if order["ca"]:
        tls = ssl.create_default_context(cafile=order["ca"])
        stream = trio.SSLStream(stream, tls, server_hostname=host)
    protocol = WSConnection(ConnectionType.CLIENT)
    await stream.send_all(protocol.send(Request(host=address.netloc, target=address.path)))
    async with stream, trio.open_nursery() as nursery:
        nursery.start_soon(echo, stream, protocol)
        print(json.dumps("ready"), flush=True)
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, json.loads(sys.stdin.readline()))
