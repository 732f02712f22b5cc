"""What becomes of messages when connections end, per way in which a platform acknowledges them."""

from __future__ import annotations

import random
from typing import Any, Literal

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from moobius_trio.codec import generation0
from moobius_trio.network.memory import MemoryFrameStream
from moobius_trio.network.receipts import Outcome, Receipt
from moobius_trio.network.streams import FrameStream
from moobius_trio.testing.link_rig import LinkRig, message, open_link
from moobius_trio.testing.scripted_platform import ReceivedFrame, ScriptedPlatform
from moobius_trio.types import (
    ChannelId,
    Copy,
    MessageDown,
    Playground,
    RequestId,
    ServiceLogin,
    UpdatePlayground,
    UserId,
)

CHANNELS = 4
MESSAGES = 2000


def cutting_platform(cuts: int, *, seed: int, **script: Any) -> ScriptedPlatform:
    """A platform that ends each of its first connections after a few messages."""
    source = random.Random(seed)
    return ScriptedPlatform(
        cut_after=lambda number: source.randrange(1, 16) if number <= cuts else None, **script
    )


async def send_all(rig: LinkRig) -> list[Outcome]:
    """Send numbered messages in four channels, a few at a time, and wait for all their ends."""
    receipts: list[Receipt] = []
    for number in range(MESSAGES):
        command = message(f"{number}", channel=f"band-{number % CHANNELS}")
        receipts.append(await rig.outbox.put(command))
        if number % 16 == 15:
            await trio.sleep(0.05)
    return [await receipt.outcome() for receipt in receipts]


def inversions(taken: list[MessageDown]) -> int:
    """How often, in some channel, a later message took effect before an earlier one."""
    latest: dict[str, int] = {}
    count = 0
    for one in taken:
        number = int(one.text or "")
        count += number < latest.get(one.channel_id, -1)
        latest[one.channel_id] = number
    return count


@pytest.mark.parametrize("cut_code", [1001, None])
@pytest.mark.parametrize("ordering", ["pipelined", "strict"])
async def test_200_cuts_lose_and_disorder_nothing_where_copies_name_our_ids(
    autojump_clock: MockClock, cut_code: int | None, ordering: Literal["pipelined", "strict"]
) -> None:
    """All confirmed, each seen once by a platform that drops repeated ids, one login each time."""
    platform = cutting_platform(200, seed=1, cut_code=cut_code)
    async with open_link(platform.serve, ordering=ordering) as rig:
        outcomes = await send_all(rig)
        statistics = rig.outbox.statistics()
        assert rig.outbox.idle
    assert {outcome.state for outcome in outcomes} == {"confirmed"}
    assert sorted(int(one.text or "") for one in platform.taken) == list(range(MESSAGES))
    assert inversions(platform.taken) == 0
    assert platform.cuts >= 100
    assert platform.connections == platform.cuts + 1 == len(rig.gaps) + 1
    assert len(platform.logins) == platform.connections
    assert platform.most_open == 1
    assert platform.before_login == 0
    assert platform.repeated <= statistics.written_again
    assert statistics.ended_confirmed == MESSAGES


@pytest.mark.parametrize("copies", ["foreign", "absent"])
@pytest.mark.parametrize("cut_code", [1001, None])
async def test_200_cuts_are_survived_at_most_once_where_copies_name_no_ids(
    autojump_clock: MockClock, copies: Literal["foreign", "absent"], cut_code: int | None
) -> None:
    """Nothing is sent twice, nothing is out of order, each message has its outcome: unconfirmed."""
    platform = cutting_platform(200, seed=2, cut_code=cut_code, copies=copies)
    async with open_link(platform.serve) as rig:
        outcomes = await send_all(rig)
        await trio.sleep(700)  # for the longest wait after a cut, and for a first heartbeat
        assert rig.link.statistics().acknowledgement == copies
    assert {outcome.state for outcome in outcomes} == {"unconfirmed"}
    assert platform.repeated == 0
    ids = [one.request_id for one in platform.received]
    assert len(set(ids)) == len(ids)
    assert inversions(platform.taken) == 0
    assert platform.connections == platform.cuts + 1
    assert platform.most_open == 1
    assert platform.before_login == 0


async def test_what_was_never_written_survives_a_cut_in_any_mode(
    autojump_clock: MockClock,
) -> None:
    """Put while there is no connection, it leaves on the next one."""
    platform = ScriptedPlatform(copies="absent")
    async with open_link(platform.serve) as rig:
        await platform.cut()
        await rig.outbox.put(message("late"))
        await trio.sleep(5)
    assert [one.text for one in platform.taken] == ["late"]


async def test_unanswered_frames_are_written_again_before_new_ones_with_the_same_id(
    autojump_clock: MockClock,
) -> None:
    """In their order, ahead of what was put meanwhile."""
    platform = ScriptedPlatform()
    deaf = True

    class Deaf(ScriptedPlatform):
        async def _acknowledge(self, stream: Any, frame: Any, accepted: bool) -> None:
            if not (deaf and isinstance(frame.command, MessageDown)):
                await super()._acknowledge(stream, frame, accepted)

    platform = Deaf()
    async with open_link(platform.serve) as rig:
        for text in "abc":
            await rig.outbox.put(message(text))
        await trio.testing.wait_all_tasks_blocked()
        deaf = False
        await platform.cut()
        await rig.outbox.put(message("d"))
        await trio.sleep(5)
    sent = [one for one in platform.received if isinstance(one.command, MessageDown)]
    texts = [one.command.text for one in sent if isinstance(one.command, MessageDown)]
    assert texts == ["a", "b", "c", "a", "b", "c", "d"]
    assert [one.request_id for one in sent[:3]] == [one.request_id for one in sent[3:6]]


async def test_an_unanswered_state_is_not_repeated_when_a_newer_one_waits(
    autojump_clock: MockClock,
) -> None:
    """It ends as superseded, and only the newer is written."""

    class Deaf(ScriptedPlatform):
        async def _acknowledge(self, stream: Any, frame: Any, accepted: bool) -> None:
            if frame.command != stage("old"):
                await super()._acknowledge(stream, frame, accepted)

    platform = Deaf()
    async with open_link(platform.serve) as rig:
        old = await rig.outbox.put(stage("old"))
        await trio.testing.wait_all_tasks_blocked()
        await platform.cut()
        new = await rig.outbox.put(stage("new"))
        assert (await new.outcome()).state == "confirmed"
        assert (await old.outcome()).state == "superseded"
    stages = [one.command for one in platform.received if isinstance(one.command, UpdatePlayground)]
    assert stages == [stage("old"), stage("new")]


def stage(text: str) -> UpdatePlayground:
    return UpdatePlayground(
        channel_id=ChannelId("band"), content=Playground(text=text), recipients=[UserId("alice")]
    )


class WithoutReceipts(ScriptedPlatform):
    """It answers logins and heartbeats, and no message."""

    async def _acknowledge(self, stream: Any, frame: Any, accepted: bool) -> None:
        if not isinstance(frame.command, MessageDown):
            await super()._acknowledge(stream, frame, accepted)


@pytest.mark.parametrize(("copies", "seconds"), [("own", (23, 25)), ("foreign", (20, 20))])
async def test_without_an_answer_a_frame_is_unconfirmed(
    autojump_clock: MockClock, copies: Literal["own", "foreign"], seconds: tuple[int, int]
) -> None:
    """After 20 s; where copies name our ids when the next heartbeat shows that all is well."""
    platform = WithoutReceipts(copies=copies)
    async with open_link(platform.serve) as rig:
        await trio.sleep(37)
        receipt = await rig.outbox.put(message("x"))
        assert (await receipt.outcome()).state == "unconfirmed"
        assert seconds[0] <= trio.current_time() - 37 <= seconds[1]
        assert rig.outbox.idle
    assert platform.connections == 1


async def test_a_receipt_ends_on_a_connection_that_is_silent_for_good(
    autojump_clock: MockClock,
) -> None:
    """Where silence proves nothing, the wait for a sign of life is bounded: 50 s in all."""
    platform = WithoutReceipts(answers_heartbeats=False)

    async def serve(end: FrameStream) -> None:
        assert isinstance(end, MemoryFrameStream)
        end.answers_pings = False
        await platform.serve(end)

    async with open_link(serve) as rig:
        receipt = await rig.outbox.put(message("x"))
        assert (await receipt.outcome()).state == "unconfirmed"
        assert trio.current_time() == 50
    assert platform.connections == 1


async def test_what_falls_into_a_black_hole_is_written_again(autojump_clock: MockClock) -> None:
    """That the connection is dead may be known after 45 s only: nothing is given up before."""
    platform = ScriptedPlatform()
    ends: list[MemoryFrameStream] = []

    async def serve(end: FrameStream) -> None:
        assert isinstance(end, MemoryFrameStream)
        ends.append(end)
        await platform.serve(end)

    async with open_link(serve) as rig:
        await trio.sleep(60.5)  # behind the second heartbeat: the next is far
        ends[0].silent = ends[0].deaf = True
        receipts = [await rig.outbox.put(message(text)) for text in "abc"]
        outcomes = [await receipt.outcome() for receipt in receipts]
        assert trio.current_time() - 60.5 > 20
    assert {outcome.state for outcome in outcomes} == {"confirmed"}
    assert [one.text for one in platform.taken] == ["a", "b", "c"]


async def test_a_frame_that_closes_the_connection_by_its_size_is_not_written_for_ever(
    autojump_clock: MockClock,
) -> None:
    """Closed with 1009, the largest frame on its way is refused; the others are written again."""

    class Narrow(ScriptedPlatform):
        async def _acknowledge(self, stream: Any, frame: Any, accepted: bool) -> None:
            if isinstance(frame.command, MessageDown) and len(frame.command.text or "") > 1_000:
                await stream.aclose(1009, "message too big")
            await super()._acknowledge(stream, frame, accepted)

    platform = Narrow()
    async with open_link(platform.serve) as rig:
        texts = ["before", "x" * 2_000, "behind"]
        receipts = [await rig.outbox.put(message(text)) for text in texts]
        outcomes = [await receipt.outcome() for receipt in receipts]
    assert [outcome.state for outcome in outcomes] == ["confirmed", "refused", "confirmed"]
    assert "message too big" in outcomes[1].reason
    assert platform.connections == 2


async def test_a_late_copy_confirms_from_any_connection(autojump_clock: MockClock) -> None:
    """It comes on the second connection before the frame is written again: it is not."""

    class Late(ScriptedPlatform):
        late: RequestId | None = None

        async def _acknowledge(self, stream: Any, frame: Any, accepted: bool) -> None:
            if isinstance(frame.command, MessageDown):
                self.late = frame.request_id
                return
            if self.late is not None:
                await self.tell(Copy(request_id=self.late, origin_type="msg_down", status=True))
            await super()._acknowledge(stream, frame, accepted)

    platform = Late()
    async with open_link(platform.serve) as rig:
        receipt = await rig.outbox.put(message("x"))
        await trio.testing.wait_all_tasks_blocked()
        await platform.cut()
        assert (await receipt.outcome()).state == "confirmed"
        await trio.sleep(30)
    assert len(platform.taken) == 1
    assert platform.repeated == 0


async def test_a_frame_refused_once_is_written_again_behind_a_new_login(
    autojump_clock: MockClock,
) -> None:
    """The session had expired: one login for all that was refused, then they pass, in order."""
    expired = True

    def refuses(frame: ReceivedFrame) -> bool:
        nonlocal expired
        if isinstance(frame.command, ServiceLogin):
            expired = False
        return expired and isinstance(frame.command, MessageDown)

    platform = ScriptedPlatform(refuses=refuses)
    async with open_link(platform.serve) as rig:
        await trio.sleep(25)
        expired = True
        receipts = [await rig.outbox.put(message(str(number))) for number in range(10)]
        assert {(await receipt.outcome()).state for receipt in receipts} == {"confirmed"}
    assert [one.text for one in platform.taken] == [str(number) for number in range(10)]
    assert len(platform.logins) == 2
    assert platform.connections == 1


async def test_a_frame_refused_twice_ends_as_refused(autojump_clock: MockClock) -> None:
    """Exactly two attempts, the reason kept, the others unharmed (F16)."""
    platform = ScriptedPlatform(
        refuses=lambda frame: (
            isinstance(frame.command, MessageDown) and frame.command.text == "poison"
        )
    )
    async with open_link(platform.serve) as rig:
        await trio.sleep(25)
        poison = await rig.outbox.put(message("poison"))
        good = await rig.outbox.put(message("good"))
        outcome = await poison.outcome()
        assert (await good.outcome()).state == "confirmed"
    assert outcome.state == "refused"
    assert "refused by script" in outcome.reason
    texts = [one.command.text for one in platform.received if isinstance(one.command, MessageDown)]
    assert texts.count("poison") == 2
    assert len(platform.logins) == 2


async def test_a_refusal_that_is_delivered_twice_counts_once(autojump_clock: MockClock) -> None:
    """Also right behind a login, where the second try waits for no other one (F16, F17)."""
    refused: list[RequestId] = []

    def refuses(frame: ReceivedFrame) -> bool:
        first = isinstance(frame.command, MessageDown) and frame.request_id not in refused
        if first:
            refused.append(frame.request_id)
        return first

    class Doubling(ScriptedPlatform):
        async def _acknowledge(
            self, stream: FrameStream, frame: generation0.ClientFrame, accepted: bool
        ) -> None:
            for _ in range(2):
                await super()._acknowledge(stream, frame, accepted)
                await trio.sleep(0.05)

    platform = Doubling(refuses=refuses)
    async with open_link(platform.serve) as rig:
        receipt = await rig.outbox.put(message("once"))
        assert (await receipt.outcome()).state == "confirmed"
    assert [one.text for one in platform.taken] == ["once"]
    assert len(platform.logins) == 1


async def test_refused_twice_behind_a_write_without_an_answer_is_unconfirmed(
    autojump_clock: MockClock,
) -> None:
    """The platform may have taken that one, and refuse what comes again with its id (F2, F16)."""
    platform = ScriptedPlatform(
        refuses=lambda frame: isinstance(frame.command, MessageDown) and frame.connection > 1,
        cut_after=lambda connection: 1 if connection == 1 else None,
    )
    async with open_link(platform.serve) as rig:
        receipt = await rig.outbox.put(message("taken"))
        outcome = await receipt.outcome()
    assert [one.text for one in platform.taken] == ["taken"]
    assert outcome.state == "unconfirmed"
    assert "refused twice" in outcome.reason


async def test_frames_refused_for_themselves_cause_no_more_logins(
    autojump_clock: MockClock,
) -> None:
    """A login is valid for 20 s: a hundred poisoned frames in that time cost one login."""
    platform = ScriptedPlatform(refuses=lambda frame: isinstance(frame.command, MessageDown))
    async with open_link(platform.serve) as rig:
        await trio.sleep(25)
        receipts = [await rig.outbox.put(message(str(number))) for number in range(100)]
        assert {(await receipt.outcome()).state for receipt in receipts} == {"refused"}
    assert len(platform.logins) == 2


@pytest.mark.parametrize(
    ("script", "mode"),
    [
        ({"copies": "own"}, "proven"),
        ({"copies": "own", "answers_logins": False}, "proven"),
        ({"copies": "foreign"}, "foreign"),
        ({"copies": "foreign", "answers_logins": False}, "foreign"),
        ({"copies": "foreign", "answers_heartbeats": False}, "foreign"),
        ({"copies": "absent"}, "absent"),
    ],
)
async def test_the_way_of_acknowledging_is_known_within_eight_seconds(
    autojump_clock: MockClock, script: dict[str, Any], mode: str
) -> None:
    """From login and first heartbeat alone; 2 s of it are the grace of an unanswered login."""
    async with open_link(ScriptedPlatform(**script).serve) as rig:
        await trio.sleep_until(7.5)
        assert rig.link.statistics().acknowledgement == mode


async def test_copies_of_any_kind_do_no_harm(autojump_clock: MockClock) -> None:
    """Doubled, foreign, for what has long ended: counted, nothing else (F17)."""
    platform = ScriptedPlatform()
    async with open_link(platform.serve) as rig:
        receipt = await rig.outbox.put(message("x"))
        await receipt.outcome()
        for status in (True, False):
            for request_id in (receipt.request_id, RequestId("unheard of"), RequestId("")):
                for origin in ("msg_down", "service_login", "ping", "", "nonsense"):
                    copy = Copy(request_id=request_id, origin_type=origin, status=status)
                    await platform.tell(copy)
        again = await rig.outbox.put(message("y"))
        assert (await again.outcome()).state == "confirmed"
        assert rig.link.statistics().foreign_copies == 30
    assert receipt.state == "confirmed"
    assert (platform.connections, len(platform.logins)) == (1, 1)
