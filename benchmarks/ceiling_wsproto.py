"""A ceiling: wsproto on the stream that the direct driver has, and nothing else.

All is given back as it came. With TLS one read takes all records that have come: with one record
a read, as trio does it by itself, the direct driver would be quicker than its ceiling.

Run: ``python ceiling_wsproto.py`` with one line of JSON on the input: ``ws`` (an address) and
``ca`` (a file, or null). It ends with its input.
"""

from __future__ import annotations

import json
import ssl
import sys
from typing import Any

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import Message, Request

from moobius_trio.network.address import parse_websocket_address
from moobius_trio.network.byte_streams import RECEIVE_BYTES, TcpStream, TlsStream
from moobius_trio.network.reaching import reach


async def echo(stream: TcpStream | TlsStream, protocol: WSConnection) -> None:
    """All of it, until cancelled: what one read has brought goes back with one write."""
    while True:
        protocol.receive_data(await stream.receive_some(RECEIVE_BYTES))
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
    address = parse_websocket_address(order["ws"])
    tls = ssl.create_default_context(cafile=order["ca"]) if order["ca"] else None
    stream = await reach(address, tls)
    protocol = WSConnection(ConnectionType.CLIENT)
    request = Request(host=address.host_header, target=address.resource)
    await stream.send_all(protocol.send(request))
    async with stream, trio.open_nursery() as nursery:
        nursery.start_soon(echo, stream, protocol)
        print(json.dumps("ready"), flush=True)
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, json.loads(sys.stdin.readline()))
