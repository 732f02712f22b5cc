"""Everything that is sent waits here until a connection takes it, and then for its receipt.

Bounded, in order, and honest: each frame ends in exactly one outcome. Login, heartbeat and close
never pass through it. No socket is opened here and no reconnecting is decided: the link hands in
a stream and says when it is gone (docs/architecture.md sections 4 and 5).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Generic, Literal, NoReturn

import structlog
import trio
from typing_extensions import TypeVar

from moobius_trio.network.acknowledgement import Mode
from moobius_trio.network.awaiting import Awaiting
from moobius_trio.network.framing import Framing
from moobius_trio.network.holding import Holding
from moobius_trio.network.items import ClientId, Item, Side
from moobius_trio.network.ordering import SendQueue
from moobius_trio.network.patience import sleep_until_settled
from moobius_trio.network.receipts import CONFIRMED, EndState, Outcome, Receipt
from moobius_trio.network.reports import FlushReport, Hold, OutboxStatistics, WrittenFrame
from moobius_trio.network.room import WaitingLine
from moobius_trio.network.streams import TOO_LARGE, FrameStream
from moobius_trio.network.writing import Writer
from moobius_trio.types import Copy, Ping, RequestId, ServiceCommand

__all__ = ("FlushReport", "Hold", "Outbox", "OutboxStatistics", "WrittenFrame")

log = structlog.get_logger()

PUTS_A_TURN: Final = 100
"""So many frames may be put without letting others run; a switch for each would cost too much."""

UNANSWERED: Final = Outcome("unconfirmed", "no answer within 20 s")
TOO_MANY: Final = Outcome("unconfirmed", "too many await an answer")
SUPERSEDED: Final = Outcome("superseded", "a newer state replaced it")

C = TypeVar("C", default=ServiceCommand)


class Outbox(Generic[C]):
    """The queue between the code that sends ``C`` and the one task that writes."""

    def __init__(
        self,
        *,
        wire: Side[C, Any],
        client_id: ClientId,
        max_message_bytes: int,
        new_request_id: Callable[[], RequestId],
        wall_clock_ms: Callable[[], int],
        limit_items: int = 10_000,
        limit_bytes: int = 16 * 2**20,
        send_timeout: float = 10.0,
        ordering: Literal["pipelined", "strict"] = "pipelined",
        on_written: Callable[[WrittenFrame], None] | None = None,
    ) -> None:
        """An empty outbox.

        Args:
            limit_items, limit_bytes: how much may wait to be written, and how much may be
                written and unconfirmed.
            send_timeout: seconds that ``put`` waits for room.
            ordering: ``strict`` lets one frame of a channel be on its way at a time, for a
                platform that mixes up what it is sent; it costs a round trip for each. Where
                copies cannot confirm a frame it is the same as ``pipelined``.
            on_written: told of each written frame; must not wait and must not raise.
        """
        self._framing: Framing[C] = Framing(
            side=wire,
            client_id=client_id,
            max_message_bytes=max_message_bytes,
            new_request_id=new_request_id,
            wall_clock_ms=wall_clock_ms,
        )
        self._strict = ordering == "strict"
        self._on_written = on_written
        self._queue = SendQueue(
            strict=self._strict,
            supersede=self._supersede,
            limit_items=limit_items,
            limit_bytes=limit_bytes,
        )
        self._awaiting = Awaiting()
        self._holding = Holding(over=self._wait_over, drop=self._end)
        self._mode: Mode = "undecided"
        self._paused = False
        self._closed = ""
        self._unended = 0
        self._writer = Writer(self._queue.ready, self._take, self._note_written)
        self._line = WaitingLine(send_timeout)
        self._idle = trio.lowlevel.ParkingLot()
        self._counts: Counter[EndState] = Counter()
        self._puts = self._written_again = 0

    # For those who send.

    async def put(
        self,
        command: C,
        *,
        holds: Sequence[Hold] = (),
        unit: int | None = None,
        transaction: Hold | None = None,
    ) -> Receipt:
        """Queue a command and give its receipt; waits only while the outbox is full.

        The frame is made now: its ``request_id`` stays the same however often it is written. It
        leaves in the order of ``put``, but not before every hold is done; until then frames of
        the same channel wait behind it. A hold that fails drops it. ``transaction`` is the one
        of them that whoever sends has open: nobody may wait for the frame before it is over.

        An update that is a state (user list, features, playground, style, menu) replaces an older
        one with the same channel, recipients and kind that still waits. What nobody is to get is
        not written (`Framing.for_nobody`): its receipt has ended.

        Cancelled, nothing was queued.

        Raises:
            MessageTooLarge, or whatever ``Side.prepare`` raised: nothing was queued.
            OutboxFull: there was no room within ``send_timeout``; nothing was queued.
        """
        self._puts += 1
        if self._puts % PUTS_A_TURN:
            await trio.lowlevel.checkpoint_if_cancelled()
        else:
            await trio.lowlevel.checkpoint()
        if (outcome := self._framing.for_nobody(command)) is not None:
            return self._never_sent(outcome)
        if not self._framing.is_ready(command):
            await self._framing.prepare(command)
        items = self._framing.items_of(command, unit, transaction)
        if self._line.waiting or not self._queue.fits(items):
            await self._line.wait(partial(self._queue.fits, items))
        if self._closed:
            return self._never_sent(Outcome("dropped", self._closed))
        self._unended += len(items)
        if not holds or self._holding.keep_back(items, holds):
            for item in items:
                self._queue.add(item)
            self._wake_writer()
        return items[0].receipt

    @property
    def idle(self) -> bool:
        """True when no frame waits, neither to be written nor for its answer."""
        return not self._unended

    async def wait_idle(self) -> None:
        """Wait until ``idle``."""
        await trio.lowlevel.checkpoint()
        while self._unended:
            await self._idle.park()

    async def flush(self, seconds: float) -> FlushReport:
        """Wait until ``idle``, at most ``seconds``, and say what is left.

        Where copies cannot confirm a frame, no answer is waited for.
        """
        await trio.lowlevel.checkpoint()
        with trio.move_on_after(seconds):
            while self._flushable:
                await self._idle.park()
        statistics = self.statistics()
        return FlushReport(unconfirmed=statistics.unconfirmed, unsent=statistics.queued)

    def statistics(self) -> OutboxStatistics:
        """A snapshot."""
        return OutboxStatistics(
            queued=self._unended - (unconfirmed := len(self._awaiting.live)),
            queued_bytes=self._queue.size,
            held=self._queue.waiting,
            unconfirmed=unconfirmed,
            written=self._writer.written,
            written_again=self._written_again,
            ended_confirmed=self._counts["confirmed"],
            ended_refused=self._counts["refused"],
            ended_unconfirmed=self._counts["unconfirmed"],
            ended_dropped=self._counts["dropped"],
            ended_superseded=self._counts["superseded"],
            full=self._line.given_up,
        )

    # For the link.

    @property
    def written(self) -> int:
        """How many frames were written, repetitions included."""
        return self._writer.written

    def encode(self, command: C | Ping) -> tuple[RequestId, str]:
        """A command as a frame with a new id. Login and heartbeat need no more than this."""
        return self._framing.encode(command)

    async def write_to(self, stream: FrameStream) -> NoReturn:
        """Write frames in order, for as long as the connection lasts.

        Cancelled in a write, the connection has ended (``FrameStream.send_text``).

        Raises:
            ConnectionLost: the connection is closed.
        """
        await self._writer.write_to(stream)

    async def watch(self, stream: FrameStream) -> NoReturn:
        """Beside ``write_to``: name what stays without an answer, end a write that does not end.

        Raises:
            ConnectionLost: one write took longer than 20 s.
        """
        while True:
            now = trio.current_time()
            self._writer.check(now)
            self._give_up_overdue(now, stream.heard if self._mode == "proven" else None)
            due = min(self._awaiting.next_overdue(now), self._writer.next_check(now))
            await sleep_until_settled(due)

    def on_copy(self, copy: Copy) -> Literal["settled", "refused", "unknown"]:
        """A receipt of the platform came.

        ``settled``: nothing is left to do. ``refused``: set aside for a second try, which
        ``resume`` starts; a refusal of that is the end. ``unknown``: no frame waits for it.
        """
        if (item := self._awaiting.find(copy.request_id)) is None:
            return "unknown"
        if copy.status:
            self._end(item, CONFIRMED)
        elif not self._awaiting.is_live(item):
            pass  # the same refusal once more, or that of an ended connection: it is queued already
        elif not item.refused:
            item.refused = True
            self._awaiting.set_aside(item)
            item.receipt.note_queued()
            self._idle.unpark_all()
            return "refused"
        else:
            reason = f"refused twice: {copy.reason}"
            # an earlier write without an answer may be what people have seen
            self._end(item, Outcome("unconfirmed" if item.perhaps_taken else "refused", reason))
            log.warning("the platform refuses a frame", band=item.channel_id, reason=reason)
            self._framing.note_refusal()
        return "settled"

    async def drain(self, seconds: float) -> None:
        """Write nothing more, and wait for the answers to what was written, if any can come.

        At most ``seconds``. What has no answer by then is as uncertain as after any other end.
        """
        self.pause()
        with trio.move_on_after(seconds):
            while self._writer.busy or (self._awaiting.live and self._answers):
                await self._idle.park()

    def pause(self) -> None:
        """Nothing more is written until ``resume``: the session has to log in again."""
        self._paused = True

    def resume(self) -> None:
        """Write on, what was refused once first."""
        self._paused = True  # until each has its place: whoever ends one of them wakes the writer
        self._queue_again(self._awaiting.take_aside())
        self._paused = False
        self._wake_writer()

    def use_mode(self, mode: Mode) -> None:
        """How this platform acknowledges frames has been found out."""
        self._mode = mode
        self._queue.set_strict(self._strict and self._answers)
        self._wake_writer()
        self._idle.unpark_all()

    def connection_lost(self, reason: str, code: int | None = None) -> None:
        """The connection is gone: what it had not confirmed is queued again, or is unconfirmed.

        Queued again in mode ``proven`` only: there a copy tells which frames got through. In
        any other mode a second copy of a message might reach people who have the first. With
        ``code`` 1009 the largest is refused: it would end each further connection as well.
        """
        self._writer.forget()
        self._paused = False
        again = self._awaiting.take_aside()  # refused ones: they did not get through
        if self._mode == "proven":
            unanswered = self._awaiting.take_all()
            if code == TOO_LARGE and unanswered:
                unanswered.remove(largest := max(unanswered, key=lambda item: item.size))
                self._end(largest, Outcome("refused", f"{largest.size:,} bytes: {reason}"))
            for item in unanswered:
                item.perhaps_taken = True
                item.receipt.note_queued()
            self._written_again += len(unanswered)
            again += unanswered
        self._queue_again(again)
        if lost := list(self._awaiting.live.values()):
            for item in lost:
                self._end(item, Outcome("unconfirmed", f"the connection ended first: {reason}"))
            log.warning("frames stay unconfirmed", frames=len(lost), mode=self._mode)

    def close(self, reason: str) -> None:
        """Nothing will be written any more: every frame ends now, and later ones are dropped."""
        self._closed = self._closed or reason
        self._writer.forget()
        unconfirmed, unsent = list(self._awaiting.live.values()), self._queue.items()
        for item in unconfirmed:
            self._end(item, Outcome("unconfirmed", reason))
        for item in [*self._awaiting.take_aside(), *unsent]:
            self._end(item, Outcome("dropped", reason))
        self._line.note_change()
        if unconfirmed or unsent:
            log.warning("frames left", unconfirmed=len(unconfirmed), unsent=len(unsent))

    def _queue_again(self, items: list[Item]) -> None:
        """What was written before leaves first, but no state after a newer one of the same."""
        self._queue.put_back(items)
        for item in items:
            if item.outdated:
                self._supersede(item)

    def _wait_over(self, item: Item) -> None:
        self._queue.wait_over(item)
        self._wake_writer()

    def _give_up_overdue(self, now: float, heard: int | None) -> None:
        overdue = self._awaiting.overdue(now, heard)
        for item in overdue:
            self._end(item, UNANSWERED)
        if overdue and self._answers:  # where none can come it is no news
            log.warning("frames stay unconfirmed", frames=len(overdue), mode=self._mode)

    def _never_sent(self, outcome: Outcome) -> Receipt:
        receipt = Receipt(self._framing.new_request_id())
        receipt.end(outcome)
        self._counts[outcome.state] += 1
        return receipt

    @property
    def _flushable(self) -> bool:
        """Whether waiting can make anything better."""
        unsent = self._unended > len(self._awaiting.live) or self._writer.busy
        return unsent or (self._unended > 0 and self._answers)

    @property
    def _answers(self) -> bool:
        """Whether copies can tell what became of a frame."""
        return self._mode not in ("foreign", "absent")

    def _take(self, now: float, enough: int) -> list[Item]:
        """The next frames to write, until they have so many bytes; their answers are awaited."""
        items: list[Item] = []
        size, queue, awaiting = 0, self._queue, self._awaiting
        while size < enough and not self._paused and queue.ready:
            if len(awaiting.live) >= queue.limit_items or awaiting.size >= queue.limit_bytes:
                if self._mode == "proven":
                    break  # copies will come and make room
                self._finish(awaiting.take_first(), TOO_MANY)
            if (item := queue.take()) is not None:
                item.receipt.note_written()
                awaiting.add(item, now)
                items.append(item)
                size += item.size
        return items

    def _note_written(self, items: list[Item]) -> None:
        if self._on_written is not None:
            for item in items:
                self._on_written(item.as_written())
        self._line.note_change()
        if self._idle:
            self._idle.unpark_all()  # a flush that waits for no answer

    def _supersede(self, item: Item) -> None:
        self._end(item, SUPERSEDED)

    def _end(self, item: Item, outcome: Outcome) -> None:
        if item.ended:
            return
        if not self._awaiting.remove(item):
            self._queue.remove(item)
        self._finish(item, outcome)

    def _finish(self, item: Item, outcome: Outcome) -> None:
        item.ended = True
        self._queue.let_next(item)
        self._counts[outcome.state] += 1
        item.receipt.end(outcome)
        self._unended -= 1
        if not (self._unended and self._awaiting.live):
            self._idle.unpark_all()
        self._line.note_change()
        self._wake_writer()

    def _wake_writer(self) -> None:
        if self._queue.ready and not self._paused:
            self._writer.wake()
