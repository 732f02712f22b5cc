"""TLS below both drivers: what has come is read in one go."""

from __future__ import annotations

import ssl

import pytest
import trio
import trio.testing
import trustme

from moobius_trio.network.reaching import RECEIVE_BYTES, secured


async def open_tls() -> tuple[
    trio.SSLStream[trio.testing.MemoryReceiveStream], trio.abc.Stream, trio.abc.Stream
]:
    """Our end, the other one, and the bytes below the other one."""
    authority = trustme.CA()
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(theirs)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    near, far = trio.testing.memory_stream_pair()
    ours = secured(near, context, "localhost")
    assert context.sslobject_class is ssl.SSLObject  # it may serve others too
    other = trio.SSLStream(far, theirs, server_side=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ours.do_handshake)
        nursery.start_soon(other.do_handshake)
    return ours, other, far  # type: ignore[return-value]


async def test_all_records_that_have_come_are_read_at_once() -> None:
    """Each message of a platform is a record of its own; together they cost one read."""
    ours, other, _ = await open_tls()
    for number in range(5):
        await other.send_all(b"record %d;" % number)
    assert await ours.receive_some(RECEIVE_BYTES) == b"".join(b"record %d;" % n for n in range(5))
    for _ in range(2):
        await other.send_all(b"x" * 10_000)
    assert len(await ours.receive_some(15_000)) == 15_000
    assert len(await ours.receive_some(RECEIVE_BYTES)) == 5_000


async def test_data_before_a_failure_is_read_and_then_the_failure_is_told() -> None:
    """What came whole is not lost because of what came behind it."""
    ours, other, below = await open_tls()
    await other.send_all(b"whole")
    await below.send_all(b"\x17\x03\x03\x00\x20" + bytes(32))  # a record that nobody encrypted
    assert await ours.receive_some(RECEIVE_BYTES) == b"whole"
    for _ in range(2):
        with pytest.raises(trio.BrokenResourceError):
            await ours.receive_some(RECEIVE_BYTES)


async def test_a_goodbye_behind_data_is_the_end() -> None:
    """As without TLS: first the data, then nothing more, each time."""
    ours, other, _ = await open_tls()
    await other.send_all(b"last")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other.aclose)
        assert await ours.receive_some(RECEIVE_BYTES) == b"last"
        assert await ours.receive_some(RECEIVE_BYTES) == b""
        await ours.aclose()
