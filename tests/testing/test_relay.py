"""The relay's faults as a plain socket on either side sees them: F2, F5, F6, F7, F13."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from moobius_trio.errors import UsageError
from moobius_trio.testing.relay import Relay, RelayFaults, open_relay
from moobius_trio.testing.waiting import until

HANG = 20.0
"""What does not come fails the test instead of holding it up for ever."""


@attrs.frozen
class Wired:
    """Both ends of one connection through a relay."""

    relay: Relay
    client: trio.SocketStream
    server: trio.SocketStream


@asynccontextmanager
async def wired(faults: RelayFaults | None = None) -> AsyncIterator[Wired]:
    """A relay to a listener of our own, and one connection through it."""
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.cancel_scope.deadline = trio.current_time() + HANG
        async with listener:
            target = ("127.0.0.1", listener.socket.getsockname()[1])
            async with (
                open_relay(target, faults) as relay,
                await trio.open_tcp_stream("127.0.0.1", relay.port) as client,
                await listener.accept() as server,
            ):
                await until(lambda: relay.open_now == 1)
                yield Wired(relay, client, server)
    assert not nursery.cancel_scope.cancelled_caught, "it hung"


async def read(stream: trio.SocketStream, size: int) -> bytes:
    data = bytearray()
    while len(data) < size and (piece := await stream.receive_some(size - len(data))):
        data += piece
    return bytes(data)


async def read_all(stream: trio.SocketStream) -> bytes:
    return b"".join([piece async for piece in stream])


async def test_without_faults_everything_passes_both_ways_and_so_do_the_ends() -> None:
    """Half a close is half a close on the other side too."""
    async with wired() as ends:
        await ends.client.send_all(b"ping")
        assert await read(ends.server, 4) == b"ping"
        await ends.client.send_eof()
        assert await read_all(ends.server) == b""
        await ends.server.send_all(b"pong")
        await ends.server.send_eof()
        assert await read_all(ends.client) == b"pong"
        assert (ends.relay.accepted, ends.relay.open_now) == (1, 1)


async def test_a_reset_reaches_both_sides_as_one() -> None:
    """Neither sees an end of file; both see ECONNRESET (F2)."""
    async with wired() as ends:
        ends.relay.reset()
        for stream in (ends.client, ends.server):
            with pytest.raises(trio.BrokenResourceError) as caught:
                await stream.receive_some()
            assert isinstance(caught.value.__cause__, ConnectionResetError)


async def test_a_close_reaches_both_sides_as_an_end_of_file() -> None:
    """In the middle of what they say, and without a reset."""
    async with wired() as ends:
        ends.relay.close()
        assert await read_all(ends.client) == b""
        assert await read_all(ends.server) == b""


async def test_the_reset_of_one_side_is_a_reset_for_the_other() -> None:
    """Otherwise a crash would look like a goodbye."""
    async with wired() as ends:
        await ends.server.send_all(b"unread")
        await ends.client.wait_send_all_might_not_block()
        assert await ends.client.receive_some(1) == b"u"
        ends.client.socket.close()  # with unread bytes: the system sends an RST
        with pytest.raises(trio.BrokenResourceError):
            await ends.server.receive_some()


@pytest.mark.parametrize("way", ["up", "down", "both"])
async def test_a_black_hole_swallows_its_way_and_no_other(way: str) -> None:
    """What was sent before arrives, what is sent then never does, and the end is not told (F5)."""
    async with wired() as ends:
        ways = {"up": (ends.client, ends.server), "down": (ends.server, ends.client)}
        for source, sink in ways.values():
            await source.send_all(b"before")
            assert await read(sink, 6) == b"before"
        ends.relay.darken(way)  # type: ignore[arg-type]
        for name, (source, sink) in ways.items():
            await source.send_all(b"after")
            await source.send_eof()
            if way in (name, "both"):
                with trio.move_on_after(0.05) as scope:
                    await sink.receive_some()
                assert scope.cancelled_caught
            else:
                assert await read_all(sink) == b"after"


async def test_a_black_hole_set_as_a_fault_ends_when_it_is_taken_back() -> None:
    """What was sent meanwhile is lost; the connection goes on."""
    async with wired() as ends:
        ends.relay.faults = RelayFaults(hole="up")
        await ends.client.send_all(b"lost")
        with trio.move_on_after(0.05) as scope:
            await ends.server.receive_some()
        assert scope.cancelled_caught
        ends.relay.faults = RelayFaults()
        await ends.client.send_all(b"found")
        assert await read(ends.server, 5) == b"found"


async def test_new_connections_work_beside_a_dark_one() -> None:
    """As when a client gives the dead connection up and opens another."""
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, _echo, [listener])
        target = ("127.0.0.1", listener.socket.getsockname()[1])
        async with open_relay(target) as relay:
            old = await trio.open_tcp_stream("127.0.0.1", relay.port)
            await old.send_all(b"x")
            assert await read(old, 1) == b"x"
            relay.darken()
            async with old, await trio.open_tcp_stream("127.0.0.1", relay.port) as new:
                await new.send_all(b"y")
                with trio.fail_after(HANG):
                    assert await read(new, 1) == b"y"
                assert relay.open_now == 2
        nursery.cancel_scope.cancel()


async def _echo(stream: trio.SocketStream) -> None:
    with suppress(trio.BrokenResourceError):
        async for data in stream:
            await stream.send_all(data)


async def test_a_delay_holds_every_byte_back_and_no_throughput() -> None:
    """Each comes so much later, and what was sent together comes together."""
    async with wired(RelayFaults(delay=0.1)) as ends:
        began = trio.current_time()
        await ends.client.send_all(b"one")
        await ends.client.send_all(b"two")
        assert await read(ends.server, 6) == b"onetwo"
        assert trio.current_time() - began >= 0.1


async def test_a_slow_reader_reads_so_many_bytes_a_second() -> None:
    """A tenth of a second is the grain of it (F6)."""
    async with wired(RelayFaults(slow=1000)) as ends:
        began = trio.current_time()
        await ends.client.send_all(bytes(300))
        assert await read(ends.server, 300) == bytes(300)
        assert trio.current_time() - began >= 0.2


async def test_a_reader_that_stopped_makes_the_writer_wait_until_it_goes_on() -> None:
    """The window fills, nothing is lost (F6)."""
    sent = bytes(16 * 1024 * 1024)
    async with wired(RelayFaults(slow=0)) as ends, trio.open_nursery() as nursery:
        done = trio.Event()

        async def send() -> None:
            await ends.client.send_all(sent)
            await ends.client.send_eof()
            done.set()

        nursery.start_soon(send)
        with trio.move_on_after(0.1):
            await done.wait()
        assert not done.is_set()
        ends.relay.faults = RelayFaults()
        assert len(await read_all(ends.server)) == len(sent)


async def test_corruption_turns_single_bits_and_the_same_ones_with_the_same_seed() -> None:
    """Half the bytes of a thousand, one bit in each (F13)."""
    seen = []
    for seed in (1, 1, 2):
        async with wired(RelayFaults(corrupt=0.5, seed=seed)) as ends:
            await ends.client.send_all(bytes(1000))
            await ends.client.send_eof()
            seen.append(await read_all(ends.server))
    assert seen[0] == seen[1] != seen[2]
    assert all(byte.bit_count() <= 1 for byte in seen[0])
    assert 350 < sum(byte != 0 for byte in seen[0]) < 650


@given(
    texts=st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=8),
    largest=st.integers(min_value=1, max_value=50),
    seed=st.integers(min_value=0, max_value=2**32),
)
@settings(max_examples=25, deadline=None)
def test_slices_are_the_same_bytes(texts: list[bytes], largest: int, seed: int) -> None:
    """However they are cut, what arrives is what was sent, both ways at once (F7)."""

    async def main() -> None:
        async with wired(RelayFaults(slice=largest, seed=seed)) as ends:
            got: dict[str, bytes] = {}

            async def take(name: str, stream: trio.SocketStream) -> None:
                got[name] = await read_all(stream)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(take, "server", ends.server)
                nursery.start_soon(take, "client", ends.client)
                for text in texts:
                    await ends.client.send_all(text)
                    await ends.server.send_all(text[::-1])
                await ends.client.send_eof()
                await ends.server.send_eof()
            assert got["server"] == b"".join(texts)
            assert got["client"] == b"".join(text[::-1] for text in texts)

    trio.run(main)


async def test_slices_are_pieces_of_at_most_so_many_bytes() -> None:
    """With a delay between them each is a read of its own."""
    async with wired(RelayFaults(slice=1)) as ends:
        await ends.client.send_all(b"abc")
        pieces = [await ends.server.receive_some(1) for _ in range(3)]
        assert pieces == [b"a", b"b", b"c"]


@pytest.mark.parametrize("kind", ["reset_every", "close_every", "hole_every"])
async def test_a_timed_fault_comes_by_itself_and_can_be_switched_on_later(kind: str) -> None:
    """About every so many seconds, on whatever is open then."""
    async with wired() as ends:
        await ends.client.send_all(b"x")
        assert await read(ends.server, 1) == b"x"
        ends.relay.faults = RelayFaults(**{kind: 0.02})
        if kind == "reset_every":
            with pytest.raises(trio.BrokenResourceError):
                await read_all(ends.client)
        elif kind == "close_every":
            assert await read_all(ends.client) == b""
        else:
            await trio.sleep(0.1)
            await ends.client.send_all(b"y")
            with trio.move_on_after(0.05) as scope:
                await ends.server.receive_some()
            assert scope.cancelled_caught


async def test_a_target_that_is_away_is_a_reset_and_may_come_back() -> None:
    """The relay itself stays."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    target = ("127.0.0.1", listener.socket.getsockname()[1])
    await listener.aclose()
    async with open_relay(target) as relay:
        async with await trio.open_tcp_stream("127.0.0.1", relay.port) as client:
            with pytest.raises(trio.BrokenResourceError):
                await client.receive_some()
        (listener,) = await trio.open_tcp_listeners(target[1], host="127.0.0.1")
        async with (
            listener,
            await trio.open_tcp_stream("127.0.0.1", relay.port) as client,
            await listener.accept() as server,
        ):
            await server.send_all(b"back")
            assert await read(client, 4) == b"back"


async def test_nothing_of_it_is_left_when_its_block_ends() -> None:
    """Connections are reset, the port is free, and no task goes on."""
    tasks = trio.lowlevel.current_statistics().tasks_living
    async with wired(RelayFaults(delay=60)) as ends:
        await ends.client.send_all(b"on the way")
        port = ends.relay.port
    assert trio.lowlevel.current_statistics().tasks_living == tasks
    with pytest.raises(OSError, match="connect"):
        await trio.open_tcp_stream("127.0.0.1", port)


async def test_it_relays_to_this_machine_only_and_says_when_a_port_is_taken() -> None:
    """No way through it to another machine."""
    with pytest.raises(ValueError, match=r"10\.0\.0\.1 is not this machine"):
        async with open_relay(("10.0.0.1", 80)):
            pass
    async with wired() as ends:
        with pytest.raises(UsageError, match=f"port {ends.relay.port} is in use"):
            async with open_relay(("127.0.0.1", 80), port=ends.relay.port):
                pass


def test_the_text_of_the_command_line_is_read_and_told() -> None:
    """Names and numbers become faults, and those become words."""
    faults = RelayFaults.parse("reset=60, delay=0.2,slow=2000,seed=7")
    assert faults == RelayFaults(reset_every=60, delay=0.2, slow=2000, seed=7)
    assert faults.describe() == (
        "about every 60 s all connections are reset; each byte takes 0.2 s; "
        "2000 bytes a second each way; seed 7"
    )
    assert RelayFaults.parse("") == RelayFaults()
    assert RelayFaults().describe() == "none"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("rest=60", "no 'rest'; did you mean reset"),
        ("zzz", "There are: reset, close"),
        ("reset=soon", "'soon' is no value for reset"),
        ("reset", "'' is no value for reset"),
        ("reset=-1", "reset"),
        ("reset=nan", "reset"),
        ("dark=left", "dark"),
        ("corrupt=2", "corrupt"),
        ("slice=0", "slice"),
    ],
)
def test_a_text_that_is_none_is_one_line(spec: str, words: str) -> None:
    """With what it should have been."""
    with pytest.raises(UsageError, match=words) as caught:
        RelayFaults.parse(spec)
    assert "\n" not in str(caught.value)
