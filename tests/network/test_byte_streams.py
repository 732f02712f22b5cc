"""The byte streams below both drivers: over a socket, and TLS over anything."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import pytest
import trio
import trio.testing
import trustme

from moobius_trio.network.byte_streams import RECEIVE_BYTES, TcpStream, TlsStream

MemoryStream: TypeAlias = trio.StapledStream[
    trio.testing.MemorySendStream, trio.testing.MemoryReceiveStream
]

LARGE = b"0123456789" * 1_000_000
"""More than the kernel takes at once."""


@asynccontextmanager
async def open_tcp() -> AsyncIterator[tuple[TcpStream, trio.SocketStream]]:
    """Our end and the other one, over loopback."""
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    near = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
    async with listener, await listener.accept() as far, TcpStream(near) as ours:
        yield ours, far


@asynccontextmanager
async def open_tls(
    authority: trustme.CA | None = None,
) -> AsyncIterator[tuple[TlsStream, trio.abc.Stream, MemoryStream, MemoryStream]]:
    """Our end, the other one, and what is below each."""
    trusted = trustme.CA()
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    (authority or trusted).issue_cert("localhost").configure_cert(theirs)
    context = ssl.create_default_context()
    trusted.configure_trust(context)
    before = context.options
    near, far = trio.testing.memory_stream_pair()
    ours = TlsStream(near, context, "localhost")
    assert context.options == before  # it may serve others too
    other: trio.SSLStream[trio.abc.Stream] = trio.SSLStream(
        far, theirs, server_side=True, https_compatible=True
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other.do_handshake)
        await ours.do_handshake()
    async with ours:
        yield ours, other, near, far


async def receive_exactly(stream: trio.abc.ReceiveStream, count: int) -> bytes:
    """Reads until there is so much."""
    data = bytearray()
    while len(data) < count:
        data += await stream.receive_some(count - len(data))
    return bytes(data)


async def test_a_socket_carries_bytes_both_ways() -> None:
    """Small ones and more than fit, then the end of the peer, each time it is asked for."""
    async with open_tcp() as (ours, far):
        await ours.send_all(b"")
        await ours.send_all(b"hello")
        assert await far.receive_some() == b"hello"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ours.send_all, LARGE)
            assert await receive_exactly(far, len(LARGE)) == LARGE
            nursery.start_soon(far.send_all, LARGE)
            assert await receive_exactly(ours, len(LARGE)) == LARGE
        await ours.wait_send_all_might_not_block()
        await far.aclose()
        assert [await ours.receive_some(), await ours.receive_some()] == [b"", b""]


async def test_a_write_that_fits_takes_no_turn_of_the_loop() -> None:
    """That is what these streams are for; a read always takes one, so that others run too."""
    turns = 0

    class Turns(trio.abc.Instrument):
        def before_io_wait(self, timeout: float) -> None:
            nonlocal turns
            turns += 1

    async with open_tcp() as (ours, far):
        trio.lowlevel.add_instrument(counter := Turns())
        for _ in range(5):
            await ours.send_all(b"x")
        assert turns == 0
        await far.send_all(b"y" * 5)
        turns = 0
        for _ in range(5):
            assert await ours.receive_some(1) == b"y"
        assert turns == 5
        trio.lowlevel.remove_instrument(counter)


async def test_what_is_begun_without_waiting_leaves_before_all_else() -> None:
    """All of it at once if the kernel takes it; if not, the rest with the next write."""
    async with open_tcp() as (ours, far), trio.open_nursery() as nursery:
        assert ours.start_sending(b"small")
        assert await receive_exactly(far, 5) == b"small"
        assert not ours.start_sending(LARGE)
        assert not ours.start_sending(b"behind")
        nursery.start_soon(ours.send_all, b" and last")
        whole = LARGE + b"behind and last"
        assert await receive_exactly(far, len(whole)) == whole
        assert ours.start_sending(b"anew")
        assert await receive_exactly(far, 4) == b"anew"


async def test_what_is_begun_on_a_broken_socket_is_an_error() -> None:
    """As in any other write."""
    async with open_tcp() as (ours, _):
        await ours.aclose()
        with pytest.raises(trio.ClosedResourceError):
            ours.start_sending(b"x")


async def test_a_cancelled_read_loses_nothing_and_a_cancelled_write_writes_nothing() -> None:
    """With the cancellation there before it begins; the data stays where it is."""
    async with open_tcp() as (ours, far):
        await far.send_all(b"kept")
        with trio.CancelScope() as scope:
            scope.cancel()
            await ours.receive_some()
        with trio.CancelScope() as scope:
            scope.cancel()
            await ours.send_all(b"never")
        await ours.send_all(b"then")
        assert await ours.receive_some() == b"kept"
        assert await far.receive_some() == b"then"


async def test_one_task_at_a_time_may_write() -> None:
    """Two writes would mix their bytes: the second is an error, and the first one goes on."""
    async with open_tcp() as (ours, far), trio.open_nursery() as nursery:
        nursery.start_soon(ours.send_all, LARGE)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await ours.send_all(b"x")
        assert await receive_exactly(far, len(LARGE)) == LARGE


async def test_closing_wakes_who_waits() -> None:
    """A reader and a writer that wait are told, as is whoever comes later."""
    async with open_tcp() as (ours, far):
        async with trio.open_nursery() as nursery:

            async def is_told(method: str, *args: bytes) -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await getattr(ours, method)(*args)

            nursery.start_soon(is_told, "receive_some")
            nursery.start_soon(is_told, "send_all", LARGE)
            await trio.testing.wait_all_tasks_blocked()
            await ours.aclose()
        await ours.aclose()
        await is_told("receive_some")
        await is_told("send_all", b"x")
        assert await far.receive_some(1) == b"0"


async def test_a_broken_connection_is_told_as_such() -> None:
    """A reset of the peer ends reads and writes with an error of its own kind."""
    async with open_tcp() as (ours, far):
        far.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await far.aclose()
        for _ in range(2):
            with pytest.raises(trio.BrokenResourceError):
                await ours.send_all(LARGE)
                await ours.receive_some()


async def test_all_records_that_have_come_are_read_at_once() -> None:
    """Each message of a platform is a record of its own; together they cost one read."""
    async with open_tls() as (ours, other, _, _):
        for number in range(5):
            await other.send_all(b"record %d;" % number)
        wanted = b"".join(b"record %d;" % number for number in range(5))
        assert await ours.receive_some(RECEIVE_BYTES) == wanted
        for _ in range(2):
            await other.send_all(b"x" * 10_000)
        assert len(await ours.receive_some(15_000)) == 15_000
        assert len(await ours.receive_some(RECEIVE_BYTES)) == 5_000


async def test_tls_carries_bytes_both_ways_at_the_same_time() -> None:
    """More than one record each way, over what takes and gives little at a time."""
    async with open_tls() as (ours, other, _, _), trio.open_nursery() as nursery:
        await ours.send_all(b"")
        nursery.start_soon(ours.send_all, LARGE)
        nursery.start_soon(other.send_all, LARGE)
        nursery.start_soon(receive_exactly, other, len(LARGE))
        assert await receive_exactly(ours, len(LARGE)) == LARGE


async def test_data_before_a_failure_is_read_and_then_the_failure_is_told() -> None:
    """What came whole is not lost because of what came behind it."""
    async with open_tls() as (ours, other, _, below):
        await other.send_all(b"whole")
        await below.send_all(b"\x17\x03\x03\x00\x20" + bytes(32))  # a record nobody encrypted
        assert await ours.receive_some(RECEIVE_BYTES) == b"whole"
        for _ in range(2):
            with pytest.raises(trio.BrokenResourceError):
                await ours.receive_some(RECEIVE_BYTES)
        with pytest.raises(trio.BrokenResourceError):
            await ours.send_all(b"x")


@pytest.mark.parametrize("goodbye", [True, False])
async def test_an_end_behind_data_is_the_end(*, goodbye: bool) -> None:
    """As without TLS: first the data, then nothing more, each time; with a goodbye or without."""
    async with open_tls() as (ours, other, _, below):
        await other.send_all(b"last")
        async with trio.open_nursery() as nursery:
            if goodbye:
                nursery.start_soon(other.unwrap)  # type: ignore[attr-defined]
            else:
                await below.aclose()
            assert await ours.receive_some(RECEIVE_BYTES) == b"last"
            assert [await ours.receive_some(), await ours.receive_some()] == [b"", b""]
            nursery.cancel_scope.cancel()


async def test_a_cancelled_read_of_tls_loses_nothing() -> None:
    """Neither what is decrypted already nor what has still to come."""
    async with open_tls() as (ours, other, _, _):
        with trio.move_on_after(0):
            await ours.receive_some()
        await other.send_all(b"kept")
        assert await ours.receive_some(1) == b"k"
        with trio.CancelScope() as scope:
            scope.cancel()
            await ours.receive_some()
        assert await ours.receive_some() == b"ept"


async def test_behind_a_cancelled_write_of_tls_nothing_is_written() -> None:
    """The peer could not make sense of what follows half a record."""
    async with open_tls() as (ours, other, near, _):
        with trio.CancelScope() as scope:
            scope.cancel()
            await ours.send_all(b"before anything has left")
        await ours.send_all(b"fine")
        assert await other.receive_some() == b"fine"

        near.send_stream.send_all_hook = trio.sleep_forever
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ours.send_all, b"half of it may have left")
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(trio.BusyResourceError):
                await ours.send_all(b"x")
            nursery.cancel_scope.cancel()
        with pytest.raises(trio.BrokenResourceError):
            await ours.send_all(b"x")


async def test_a_certificate_of_somebody_else_is_refused() -> None:
    """The cause tells that it is a matter of trust."""
    with pytest.RaisesGroup(trio.BrokenResourceError, flatten_subgroups=True) as caught:
        async with open_tls(trustme.CA()):
            raise AssertionError("not reached")
    assert isinstance(caught.value.exceptions[0].__cause__, ssl.SSLCertVerificationError)
