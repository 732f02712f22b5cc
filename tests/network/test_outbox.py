"""What a sender sees of the outbox: order, bounds, replacement, splitting, receipts."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import cast

import attrs
import pytest
import trio
import trio.testing

from moobius_trio.codec import generation0
from moobius_trio.errors import MessageTooLarge, OutboxFull, StorageError
from moobius_trio.network.acknowledgement import Mode
from moobius_trio.network.memory import memory_stream_pair
from moobius_trio.network.outbox import Outbox
from moobius_trio.network.reports import WrittenFrame
from moobius_trio.network.streams import FrameStream
from moobius_trio.testing.link_rig import make_outbox, message
from moobius_trio.types import (
    ChannelId,
    Copy,
    GenericUpdate,
    MessageDown,
    Playground,
    RequestId,
    ServiceCommand,
    StyleItem,
    UpdateChannelInfo,
    UpdatePlayground,
    UpdateStyle,
    UserId,
)


@attrs.define(eq=False)
class FakeHold:
    """A record that is stored, or not, when the test says so."""

    done: bool = False
    error: Exception | None = None
    _callbacks: list[Callable[[], None]] = attrs.field(factory=list)

    def on_done(self, callback: Callable[[], None], /) -> None:
        self._callbacks.append(callback)

    def finish(self, error: Exception | None = None) -> None:
        self.done, self.error = True, error
        for callback in self._callbacks:
            callback()


def stage(text: str, *recipients: str, channel: str = "band") -> UpdatePlayground:
    return UpdatePlayground(
        channel_id=ChannelId(channel),
        content=Playground(text=text),
        recipients=tuple(UserId(name) for name in recipients or ("alice",)),
    )


def style(text: str, widget: str) -> UpdateStyle:
    return UpdateStyle(
        channel_id=ChannelId("band"),
        style=[StyleItem(widget=widget, display=text)],
        recipients=(UserId("alice"),),
    )


def said(command: object) -> str:
    """The text by which a test tells one command from another."""
    match command:
        case MessageDown():
            return command.text or ""
        case UpdatePlayground():
            return command.content.text or ""
        case UpdateStyle():
            return command.style[0].display
        case _:
            return type(command).__name__


async def write_all(outbox: Outbox) -> list[ServiceCommand]:
    """Let a writer run until it has nothing to write, and give what it wrote."""
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.write_to, ours)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    commands = []
    while theirs.pending:
        command = generation0.decode_from_client(await theirs.receive_text()).command
        commands.append(command)
    return commands  # type: ignore[return-value]


def confirm(outbox: Outbox, request_id: RequestId, *, status: bool = True) -> None:
    outbox.on_copy(Copy(request_id=request_id, origin_type="msg_down", status=status))


async def test_frames_leave_in_the_order_of_put_over_all_channels() -> None:
    """Where nothing holds, the order of writing is the order of put."""
    outbox = make_outbox()
    for number in range(30):
        await outbox.put(message(str(number), channel=f"band-{number % 4}"))
    assert [said(one) for one in await write_all(outbox)] == [str(n) for n in range(30)]


async def test_a_held_frame_delays_only_its_own_channel() -> None:
    """Frames of other channels pass it; those of its own stay behind it, in order."""
    outbox, hold = make_outbox(), FakeHold()
    await outbox.put(message("held"), holds=[hold])
    await outbox.put(message("behind"))
    await outbox.put(message("elsewhere", channel="other"))
    await outbox.put(GenericUpdate(data={"subtype": "x"}))
    assert [said(one) for one in await write_all(outbox)] == ["elsewhere", "GenericUpdate"]
    assert outbox.statistics().held == 2
    hold.finish()
    assert [said(one) for one in await write_all(outbox)] == ["held", "behind"]


async def test_a_frame_waits_for_all_its_holds() -> None:
    """One hold that is over does not let a frame go while another is not."""
    outbox, first, second = make_outbox(), FakeHold(), FakeHold()
    await outbox.put(message("held"), holds=[first, FakeHold(done=True), second])
    second.finish()
    assert await write_all(outbox) == []
    first.finish()
    assert [said(one) for one in await write_all(outbox)] == ["held"]


async def test_a_failed_hold_drops_its_frame_and_lets_the_others_go() -> None:
    """What cannot be stored is not said; what stood behind it is."""
    outbox, hold = make_outbox(), FakeHold()
    problem = StorageError("users", "the disk is full")
    dropped = await outbox.put(message("held"), holds=[hold])
    await outbox.put(message("behind"))
    hold.finish(problem)
    outcome = await dropped.outcome()
    assert (outcome.state, outcome.error) == ("dropped", problem)
    assert [said(one) for one in await write_all(outbox)] == ["behind"]


async def test_a_hold_that_has_failed_already_drops_at_once() -> None:
    """A frame put behind a failed record never enters the queue."""
    outbox = make_outbox()
    problem = StorageError("users", "the disk is full")
    receipt = await outbox.put(message("x"), holds=[FakeHold(done=True, error=problem)])
    assert (await receipt.outcome()).error is problem
    assert outbox.idle


async def test_a_message_without_recipients_is_never_written() -> None:
    """Its receipt is dropped, with that reason."""
    outbox = make_outbox()
    receipt = await outbox.put(message("x", recipients=()))
    outcome = await receipt.outcome()
    assert (outcome.state, outcome.reason) == ("dropped", "no recipients")
    assert await write_all(outbox) == []


async def test_a_newer_state_replaces_a_queued_one_at_the_newest_place() -> None:
    """Of states of one thing only the last is written, after what was put before it."""
    outbox = make_outbox()
    old = await outbox.put(stage("old"))
    await outbox.put(message("between"))
    await outbox.put(stage("new"))
    assert (await old.outcome()).state == "superseded"
    assert [said(one) for one in await write_all(outbox)] == ["between", "new"]


async def test_states_of_other_things_do_not_replace_each_other() -> None:
    """Channel, recipients, their order, kind and the widgets of a style all count."""
    outbox = make_outbox()
    commands: list[ServiceCommand] = [
        stage("1", "alice", "bob"),
        stage("2", "bob", "alice"),
        stage("3", "alice"),
        stage("4", "alice", channel="other"),
        style("5", "playground"),
        style("6", "channel"),
        style("7", "playground"),  # replaces 5
    ]
    for command in commands:
        await outbox.put(command)
    assert [said(one) for one in await write_all(outbox)] == ["1", "2", "3", "4", "6", "7"]


async def test_channel_info_and_generic_updates_are_never_replaced() -> None:
    """Each of them counts, however alike."""
    outbox = make_outbox()
    for _ in range(2):
        await outbox.put(UpdateChannelInfo(channel_id=ChannelId("band"), data={"a": 1}))
        await outbox.put(GenericUpdate(data={"subtype": "of_our_own"}))
    assert len(await write_all(outbox)) == 4


async def test_a_written_state_is_not_replaced() -> None:
    """What has left has left; the newer one follows it."""
    outbox = make_outbox()
    old = await outbox.put(stage("old"))
    await write_all(outbox)
    await outbox.put(stage("new"))
    assert old.state == "written"
    assert [said(one) for one in await write_all(outbox)] == ["new"]


async def test_a_state_that_may_yet_be_dropped_replaces_nothing() -> None:
    """The older one goes out while the newer is held; if that fails, nothing is missing."""
    outbox, hold = make_outbox(), FakeHold()
    old = await outbox.put(stage("old"))
    await outbox.put(stage("new"), holds=[hold])
    assert old.state == "queued"
    hold.finish(StorageError("users", "no"))
    assert [said(one) for one in await write_all(outbox)] == ["old"]


async def test_an_older_state_that_is_freed_late_gives_way_to_a_newer_one() -> None:
    """Both are held; when the newer one is free the older need not leave any more."""
    outbox, first, second = make_outbox(), FakeHold(), FakeHold()
    old = await outbox.put(stage("old"), holds=[first])
    await outbox.put(stage("new"), holds=[second])
    second.finish()
    first.finish()
    assert (await old.outcome()).state == "superseded"
    assert [said(one) for one in await write_all(outbox)] == ["new"]


async def test_a_thousand_states_in_an_outage_are_one_frame_each() -> None:
    """Per key one update is left, and the memory of one."""
    outbox = make_outbox(limit_items=3)
    for number in range(1000):
        await outbox.put(stage(f"a{number}", "alice"))
        await outbox.put(stage(f"b{number}", "bob"))
    assert outbox.statistics().queued == 2
    assert [said(one) for one in await write_all(outbox)] == ["a999", "b999"]


async def test_too_many_recipients_are_split_under_one_receipt() -> None:
    """Every recipient is in exactly one frame, in order, and the receipt waits for them all."""
    written: list[WrittenFrame] = []
    outbox = make_outbox(max_message_bytes=1000, on_written=written.append)
    names = tuple(f"user-{number:04}" for number in range(200))
    receipt = await outbox.put(message("hello", recipients=names))
    frames = await write_all(outbox)
    assert len(frames) > 2
    reached = [name for frame in frames for name in frame.recipients]  # type: ignore[union-attr]
    assert reached == list(names)
    ids = [frame.request_id for frame in written]
    for request_id in ids[:-1]:
        confirm(outbox, request_id)
        assert receipt.state == "written"
    confirm(outbox, ids[-1])
    assert (await receipt.outcome()).state == "confirmed"


async def test_the_worst_end_of_a_split_message_is_the_receipts_end() -> None:
    """One refused part makes the whole refused."""
    written: list[WrittenFrame] = []
    outbox = make_outbox(max_message_bytes=500, on_written=written.append)
    receipt = await outbox.put(message("x", recipients=tuple(f"user-{n:030}" for n in range(12))))
    await write_all(outbox)
    first, *others = [frame.request_id for frame in written]
    assert others
    confirm(outbox, first, status=False)
    outbox.resume()
    await write_all(outbox)
    confirm(outbox, first, status=False)
    for request_id in others:
        confirm(outbox, request_id)
    assert (await receipt.outcome()).state == "refused"


@pytest.mark.parametrize("text", ["x" * 2000, "∞" * 700])
async def test_a_message_that_is_too_large_is_refused_at_the_caller(text: str) -> None:
    """Bytes count, not letters; nothing is queued, and splitting is not tried in vain (F9)."""
    outbox = make_outbox(max_message_bytes=2000)
    for recipients in (("alice",), tuple(f"user-{n}" for n in range(50))):
        with pytest.raises(MessageTooLarge) as caught:
            await outbox.put(message(text, recipients=recipients))
        assert caught.value.size > caught.value.limit == 2000
    assert outbox.idle


async def test_a_full_outbox_makes_put_wait_and_then_raises(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Nothing is queued, nothing is dropped, and it says how long it waited (F33)."""
    outbox = make_outbox(limit_items=2, send_timeout=7.0)
    await outbox.put(message("1"))
    await outbox.put(message("2"))
    began = trio.current_time()
    with pytest.raises(OutboxFull) as caught:
        await outbox.put(message("3"))
    assert (trio.current_time() - began, caught.value.waited) == (7.0, 7.0)
    assert outbox.statistics().full == 1
    assert [said(one) for one in await write_all(outbox)] == ["1", "2"]


async def test_those_who_wait_for_room_get_it_in_the_order_of_coming() -> None:
    """Room for one lets one in, the first; bytes count as well as frames."""
    outbox = make_outbox(limit_items=100, limit_bytes=1200)
    order: list[str] = []

    async def put(text: str) -> None:
        await outbox.put(message(text))
        order.append(text[:1])

    async with trio.open_nursery() as nursery:
        for text in ("a" * 600, "b" * 600, "c"):
            nursery.start_soon(put, text)
            await trio.testing.wait_all_tasks_blocked()
        assert order == ["a"]  # c would fit, but came later than b
        assert len(await write_all(outbox)) >= 1
    assert order == ["a", "b", "c"]


async def test_what_is_dropped_makes_room(autojump_clock: trio.testing.MockClock) -> None:
    """Without a connection too: who waits gets the place of a frame that will not leave."""
    outbox, hold = make_outbox(limit_items=1), FakeHold()
    await outbox.put(message("held"), holds=[hold])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.put, message("waits"))
        await trio.testing.wait_all_tasks_blocked()
        hold.finish(StorageError("users", "no"))
    assert outbox.statistics().full == 0
    assert [said(one) for one in await write_all(outbox)] == ["waits"]


async def test_a_cancelled_put_leaves_the_outbox_whole() -> None:
    """A thousand callers, cancelled at random: what returned is written, the rest is not (F12)."""
    outbox = make_outbox(limit_items=5)
    source = random.Random(7)
    accepted: list[str] = []
    ours, theirs = memory_stream_pair()

    async def put(text: str, scope: trio.CancelScope) -> None:
        with scope:
            await outbox.put(message(text, channel=f"band-{source.randrange(3)}"))
            accepted.append(text)

    async with trio.open_nursery() as nursery:
        writing = trio.CancelScope()
        for number in range(1000):
            scope = trio.CancelScope()
            nursery.start_soon(put, str(number), scope)
            if source.random() < 0.5:
                await trio.lowlevel.checkpoint()
            if source.random() < 0.3:
                scope.cancel()
            if number == 500:

                async def write() -> None:
                    with writing:
                        await outbox.write_to(ours)

                nursery.start_soon(write)
        await trio.testing.wait_all_tasks_blocked()
        writing.cancel()
    written = []
    while theirs.pending:
        frame = generation0.decode_from_client(await theirs.receive_text())
        written.append(said(frame.command))
    assert sorted(written) == sorted(accepted)
    assert len(accepted) < 1000


async def test_a_cancelled_caller_queues_nothing() -> None:
    """Cancelled before it is called, put does nothing at all."""
    outbox = make_outbox()
    with trio.CancelScope() as scope:
        scope.cancel()
        await outbox.put(message("x"))
    assert scope.cancelled_caught
    assert outbox.idle


async def test_frames_of_an_open_transaction_leave_at_its_commit() -> None:
    """They keep their place in the channel; other channels pass."""
    outbox = make_outbox()
    transaction = FakeHold()
    receipt = await outbox.put(message("held"), holds=[transaction], transaction=transaction)
    await outbox.put(message("behind"))
    await outbox.put(message("elsewhere", channel="other"))
    assert [said(one) for one in await write_all(outbox)] == ["elsewhere"]
    with pytest.raises(RuntimeError, match="transaction"):
        await receipt.outcome()
    transaction.finish()
    assert [said(one) for one in await write_all(outbox)] == ["held", "behind"]


async def test_frames_of_a_failed_transaction_are_dropped() -> None:
    """With the error that failed it; nothing of it is written."""
    outbox = make_outbox()
    problem = ValueError("no")
    transaction = FakeHold()
    receipt = await outbox.put(message("held"), holds=[transaction], transaction=transaction)
    await outbox.put(message("behind"))
    transaction.finish(problem)
    outcome = await receipt.outcome()
    assert (outcome.state, outcome.error) == ("dropped", problem)
    assert [said(one) for one in await write_all(outbox)] == ["behind"]


async def test_a_flush_says_what_it_had_to_leave(autojump_clock: trio.testing.MockClock) -> None:
    """Written without an answer, and not written at all, are told apart."""
    outbox = make_outbox()
    await outbox.put(message("written"))
    await write_all(outbox)
    await outbox.put(message("held"), holds=[FakeHold()])
    report = await outbox.flush(5)
    assert (report.unconfirmed, report.unsent) == (1, 1)


@pytest.mark.parametrize("mode", ["foreign", "absent"])
async def test_a_flush_waits_for_no_answer_where_none_can_come(
    autojump_clock: trio.testing.MockClock, mode: Mode
) -> None:
    """It waits until all is written, also for the write that goes on; then it is done."""
    outbox = make_outbox()
    outbox.use_mode(mode)
    ours, theirs = memory_stream_pair(room=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.write_to, ours)
        for text in "ab":
            await outbox.put(message(text))

        async def read_late() -> None:
            await trio.sleep(2)
            await theirs.receive_text()

        nursery.start_soon(read_late)
        report = await outbox.flush(5)
        assert trio.current_time() == 2
        assert (report.unconfirmed, report.unsent) == (2, 0)
        nursery.cancel_scope.cancel()


async def test_a_flush_ends_when_the_outbox_closes_within_a_write(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The write that was cut leaves nothing behind to wait for."""
    outbox = make_outbox()
    outbox.use_mode("absent")
    ours, _ = memory_stream_pair(room=0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.write_to, ours)
        await outbox.put(message("a"))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    outbox.close("the end")
    await outbox.flush(5)
    assert trio.current_time() == 0


async def test_a_refusal_that_comes_twice_counts_once() -> None:
    """The second try is made, and only its own refusal is the end (F16)."""
    outbox = make_outbox()
    receipt = await outbox.put(message("a"))
    await write_all(outbox)
    confirm(outbox, receipt.request_id, status=False)
    confirm(outbox, receipt.request_id, status=False)
    assert receipt.state == "queued"
    outbox.resume()
    confirm(outbox, receipt.request_id, status=False)
    assert [said(one) for one in await write_all(outbox)] == ["a"]
    confirm(outbox, receipt.request_id, status=False)
    assert (await receipt.outcome()).state == "refused"


@pytest.mark.parametrize("fault", ["refused", "connection lost"])
async def test_a_state_is_not_written_again_after_a_newer_one(fault: str) -> None:
    """People would go back to the older stage; it ends as superseded."""
    outbox = make_outbox()
    outbox.use_mode("proven")
    old = await outbox.put(stage("old"))
    await write_all(outbox)
    new = await outbox.put(stage("new"))
    await write_all(outbox)
    if fault == "refused":
        confirm(outbox, old.request_id, status=False)
    confirm(outbox, new.request_id)
    if fault == "connection lost":
        outbox.connection_lost("cut")
    outbox.resume()
    assert await write_all(outbox) == []
    assert (await old.outcome()).state == "superseded"
    assert (await new.outcome()).state == "confirmed"
    assert outbox.idle


async def test_who_sends_without_end_lets_others_run() -> None:
    """States replace each other, so that the outbox never fills; put yields all the same."""
    outbox = make_outbox()
    others_ran = trio.Event()

    async def other() -> None:
        others_ran.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        puts = 0
        while not others_ran.is_set() and puts < 1_000:
            await outbox.put(stage("x"))
            puts += 1
    assert puts < 1_000


async def test_closing_ends_every_frame() -> None:
    """Written ones as unconfirmed, the rest as dropped; later ones too, and waiters go on."""
    outbox = make_outbox(limit_items=1)
    written = await outbox.put(message("written"))
    await write_all(outbox)
    queued = await outbox.put(message("queued"))
    async with trio.open_nursery() as nursery:

        async def put_late() -> None:
            assert (await (await outbox.put(message("late"))).outcome()).state == "dropped"

        nursery.start_soon(put_late)
        await trio.testing.wait_all_tasks_blocked()
        outbox.close("stopped")
    assert (await written.outcome()).state == "unconfirmed"
    assert (await queued.outcome()).state == "dropped"
    assert outbox.idle
    await put_late()


async def test_written_frames_are_told_to_the_trace_sink() -> None:
    """With their text and the unit of work they came from."""
    seen: list[WrittenFrame] = []
    outbox = make_outbox(on_written=seen.append)
    receipt = await outbox.put(message("hello"), unit=7)
    await write_all(outbox)
    assert [(one.request_id, one.unit, one.channel_id) for one in seen] == [
        (receipt.request_id, 7, "band")
    ]
    assert "hello" in seen[0].text


async def test_waiting_for_idle_ends_with_the_last_answer() -> None:
    """Written is not idle: the answer belongs to it."""
    outbox = make_outbox()
    receipt = await outbox.put(message("x"))
    await write_all(outbox)
    assert not outbox.idle
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.wait_idle)
        await trio.testing.wait_all_tasks_blocked()
        confirm(outbox, receipt.request_id)
    assert outbox.idle
    assert (await receipt.outcome()).state == "confirmed"


async def test_strict_order_has_one_frame_of_a_channel_on_its_way() -> None:
    """The next leaves when the one before has ended; other channels are not slowed."""
    outbox = make_outbox(ordering="strict")
    first = await outbox.put(message("a1", channel="a"))
    await outbox.put(message("a2", channel="a"))
    await outbox.put(message("b1", channel="b"))
    assert [said(one) for one in await write_all(outbox)] == ["a1", "b1"]
    confirm(outbox, first.request_id)
    assert [said(one) for one in await write_all(outbox)] == ["a2"]


@pytest.mark.parametrize("mode", ["foreign", "absent"])
async def test_strict_order_does_not_wait_for_copies_that_cannot_confirm(mode: str) -> None:
    """Where no copy names our ids, waiting for one would be 20 s a frame."""
    outbox = make_outbox(ordering="strict")
    await outbox.put(message("a1"))
    await outbox.put(message("a2"))
    outbox.use_mode(mode)  # type: ignore[arg-type]
    assert [said(one) for one in await write_all(outbox)] == ["a1", "a2"]


async def test_what_awaits_an_answer_is_bounded_where_answers_come() -> None:
    """In mode proven the writer waits for copies; they let it go on."""
    outbox = make_outbox(limit_items=3)
    outbox.use_mode("proven")
    receipts = [await outbox.put(message(str(number))) for number in range(3)]
    assert len(await write_all(outbox)) == 3
    await outbox.put(message("3"))
    assert await write_all(outbox) == []
    confirm(outbox, receipts[0].request_id)
    assert [said(one) for one in await write_all(outbox)] == ["3"]


async def test_what_awaits_an_answer_is_bounded_where_none_come() -> None:
    """Elsewhere the oldest is given up, by name, and nothing is slowed."""
    outbox = make_outbox(limit_items=3)
    outbox.use_mode("absent")
    first = await outbox.put(message("0"))
    for number in range(1, 3):
        await outbox.put(message(str(number)))
    await write_all(outbox)
    await outbox.put(message("3"))
    assert [said(one) for one in await write_all(outbox)] == ["3"]
    assert (await first.outcome()).state == "unconfirmed"


class Together:
    """A connection that notes what it is given in one go, and takes a while for it."""

    closed = False
    largest_frame = None
    heard = 0

    def __init__(self) -> None:
        self.writes: list[list[str]] = []
        self.gate = trio.Event()

    async def send_texts(self, texts: Sequence[str]) -> None:
        self.writes.append([said(generation0.decode_from_client(text).command) for text in texts])
        await self.gate.wait()


async def test_what_is_ready_leaves_with_one_write(autojump_clock: trio.testing.MockClock) -> None:
    """Frames that came while another was being written share the next write, up to 64 KiB."""
    outbox, stream = make_outbox(), Together()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.write_to, cast(FrameStream, stream))
        first = await outbox.put(message("first"))
        await trio.testing.wait_all_tasks_blocked()
        others = [await outbox.put(message(str(number))) for number in range(20)]
        big = [await outbox.put(message("x" * 35_000)) for _ in range(3)]
        assert [receipt.state for receipt in (first, *others)] == ["written"] + ["queued"] * 20
        stream.gate.set()
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert stream.writes[0] == ["first"]
    assert stream.writes[1][:20] == [str(number) for number in range(20)]
    assert [len(write) for write in stream.writes] == [1, 22, 1]
    assert {receipt.state for receipt in (*others, *big)} == {"written"}
