"""The small parts of the network: order, splitting, backoff, acknowledgement, masking, groups."""

from __future__ import annotations

import itertools
import json
import random

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from moobius_trio.errors import MessageTooLarge
from moobius_trio.network.acknowledgement import Acknowledgement, Mode
from moobius_trio.network.backoff import Backoff
from moobius_trio.network.clocks import LOOK_SECONDS, watch_clocks
from moobius_trio.network.groups import unwrapped
from moobius_trio.network.items import Item, items_of
from moobius_trio.network.limits import LoginLimit
from moobius_trio.network.masking import masked
from moobius_trio.network.ordering import SendQueue
from moobius_trio.network.receipts import Receipt
from moobius_trio.testing.link_rig import message
from moobius_trio.types import ChannelId, MessageDown, RequestId, ServiceCommand

Op = tuple[str, int, int]


def item(number: int, channel: int, waits: int) -> Item:
    request_id = RequestId(str(number))
    return Item(
        request_id=request_id,
        text=str(number),
        size=1,
        state_key=None,
        receipt=Receipt(request_id),
        channel_id=ChannelId(str(channel)),
        unit=None,
        waits=waits,
    )


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "free", "drop", "take"]), st.integers(0, 3), st.integers(0, 2)
        )
    ),
    st.booleans(),
)
def test_whatever_holds_and_ends_each_channel_keeps_its_order(ops: list[Op], strict: bool) -> None:
    """Every frame leaves once or is dropped; in its channel none overtakes another."""
    queue = SendQueue(
        strict=strict, supersede=lambda item: None, limit_items=1000, limit_bytes=1000
    )
    numbers = itertools.count()
    waiting: list[Item] = []
    taken: list[Item] = []
    put = dropped = 0

    def take_all() -> None:
        while (one := queue.take()) is not None:
            assert not one.waits
            if strict:
                assert all(other.ended for other in taken if other.channel_id == one.channel_id)
            taken.append(one)

    for kind, channel, waits in ops:
        if kind == "put":
            new = item(next(numbers), channel, waits)
            put += 1
            if waits:
                waiting.append(new)
            queue.add(new)
        elif kind == "free" and waiting:
            one = waiting[channel % len(waiting)]
            queue.wait_over(one)
            if not one.waits:
                waiting.remove(one)
        elif kind == "drop" and waiting:
            one = waiting.pop(channel % len(waiting))
            queue.remove(one)
            queue.let_next(one)
            dropped += 1
        elif kind == "take":
            take_all()
    for one in waiting:
        while one.waits:
            queue.wait_over(one)
    while len(taken) + dropped < put:
        take_all()
        for one in taken:
            one.ended = True
            queue.let_next(one)
    for channel in range(4):
        order = [int(one.text) for one in taken if one.channel_id == str(channel)]
        assert order == sorted(order)
    assert (queue.count, queue.size, queue.waiting) == (0, 0, 0)
    assert not queue.items()


def encode(command: ServiceCommand) -> tuple[RequestId, str]:
    assert isinstance(command, MessageDown)
    return RequestId("id"), json.dumps([command.text, command.recipients], ensure_ascii=False)


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    st.lists(st.text("aé∞", min_size=1, max_size=20), min_size=1, max_size=80),
    st.integers(20, 400),
)
def test_splitting_reaches_everybody_once_in_order_within_the_limit(
    text: str, recipients: list[str], limit: int
) -> None:
    """Or nobody, if the text and the longest id alone do not fit."""
    command = message(text, recipients=tuple(recipients))
    alone = max(len(encode(message(text, recipients=(one,)))[1].encode()) for one in recipients)
    if alone > limit:
        with pytest.raises(MessageTooLarge) as caught:
            items_of(command, encode, limit)
        assert caught.value.size > limit
        return
    frames = items_of(command, encode, limit)
    assert all(len(frame.text.encode()) == frame.size <= limit for frame in frames)
    assert [name for frame in frames for name in json.loads(frame.text)[1]] == recipients
    assert len({frame.receipt for frame in frames}) == 1


def test_waits_grow_to_a_minute_and_begin_anew_after_a_long_session() -> None:
    """Each is a random part of its ceiling; a short session does not bring the ceiling down."""

    class Highest(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return b

    backoff = Backoff(Highest())
    assert [backoff.next_delay(0, 0) for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff.next_delay(0, 9.9) == 60
    assert backoff.next_delay(0, 10) == 0.5
    assert backoff.next_delay(0, 0) == 1


@given(st.integers(0), st.floats(0, 1000))
def test_a_wait_is_never_longer_than_a_minute(seed: int, asked_for: float) -> None:
    """Also where the platform asks for more; what it asks for below that is kept."""
    backoff = Backoff(random.Random(seed))
    for _ in range(12):
        delay = backoff.next_delay(0, 0, asked_for)
        assert min(asked_for, 60) <= delay <= 60


@pytest.mark.parametrize(
    ("seen", "mode"),
    [
        ("", "undecided"),
        ("f", "undecided"),
        ("fff", "foreign"),
        ("ffo", "proven"),
        ("offff", "proven"),
        ("d", "absent"),
        ("fd", "foreign"),
        ("od", "proven"),
        ("df", "foreign"),
        ("dfo", "proven"),
    ],
)
def test_the_mode_follows_from_what_was_seen(seen: str, mode: Mode) -> None:
    """o: our id, f: a foreign one, d: the time to decide; each change is told once."""
    changes: list[Mode] = []
    acknowledgement = Acknowledgement(changes.append)
    steps = {
        "o": acknowledgement.note_own,
        "f": acknowledgement.note_foreign,
        "d": acknowledgement.decide,
    }
    for step in seen:
        steps[step]()
    assert acknowledgement.mode == mode
    assert len(set(changes)) == len(changes)


@pytest.mark.parametrize(
    "frame",
    [
        '{"access_token": "canary", "x": 1}',
        '{"ACCESS_TOKEN" : "can\\"canary"}',
        '{"body": {"refreshToken":"canary"}}',
        '{"password": "canary',
        '{"access_token": "' + "canary" * 1000,
        "x" * 1990 + '"token": "canarycanarycanary"',
    ],
)
def test_no_secret_of_a_frame_can_be_read(frame: str) -> None:
    """Whole, escaped, cut off, or very long."""
    assert "canary" not in masked(frame)
    assert len(masked(frame)) < 550


def test_what_is_no_secret_stays_readable() -> None:
    """Else the log would be of no use."""
    assert masked('{"type": "msg_up", "body": 1}') == '{"type": "msg_up", "body": 1}'


async def test_of_several_errors_the_one_that_matters_comes_out() -> None:
    """A surprise before what was expected; cancellation not at all; two surprises as a group."""

    async def fail(error: Exception) -> None:
        raise error

    async def run(*errors: Exception) -> None:
        with unwrapped(KeyError, OSError):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                for error in errors:
                    nursery.start_soon(fail, error)

    with pytest.raises(OSError, match="1"):
        await run(OSError("1"))
    with pytest.raises(KeyError):
        await run(OSError(), KeyError(), OSError())
    with pytest.raises(ZeroDivisionError):
        await run(OSError(), ZeroDivisionError(), KeyError())
    with pytest.RaisesGroup(ZeroDivisionError, TypeError):
        await run(ZeroDivisionError(), TypeError())


def test_waits_begin_anew_once_a_minute_at_most() -> None:
    """A platform that lets a service in for ten seconds and cuts it again is not stormed (F10)."""

    class Highest(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return b

    backoff = Backoff(Highest())
    assert [backoff.next_delay(now, 10) for now in (0, 10, 21, 33, 47)] == [0.5, 1, 2, 4, 8]
    assert backoff.next_delay(65, 10) == 0.5


@pytest.mark.parametrize(
    ("code", "quick"), [(1008, 2), (1000, 2), (4000, 2), (1001, 9), (1012, 9), (None, 50)]
)
def test_closes_right_behind_the_login_in_a_row_ask_for_a_long_wait(
    code: int | None, quick: int
) -> None:
    """Five minutes at the third, ten at each further one; ends without a close never (F27)."""
    limit = LoginLimit()
    waits = [limit.wait_after_end(3, code) for _ in range(quick + 3)]
    assert waits == [0] * quick + ([300, 600, 600] if code is not None else [0] * 3)
    assert limit.wait_after_end(10, code) == 0
    assert limit.wait_after_end(3, code) == 0


@pytest.mark.parametrize("code", [1007, 1009])
def test_a_close_for_a_frame_is_no_sign_of_another_instance(code: int) -> None:
    """However often it comes."""
    limit = LoginLimit()
    assert {limit.wait_after_end(3, code) for _ in range(50)} == {0}


@pytest.mark.parametrize("jump", [-86_400, -61, 61, 7_200])
async def test_a_jump_of_the_wall_clock_is_told(autojump_clock: MockClock, jump: int) -> None:
    """In either direction, within four seconds; an hour without one is silent (F57, F58)."""
    ahead = 0
    told: list[tuple[float, float]] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            lambda: watch_clocks(
                lambda: int((trio.current_time() + ahead) * 1000),
                lambda seconds: told.append((trio.current_time(), seconds)),
                every=LOOK_SECONDS,
            )
        )
        await trio.sleep(3600)
        ahead = 59  # a clock that is corrected
        await trio.sleep(3600)
        assert not told
        began = trio.current_time()
        ahead += jump
        await trio.sleep(3600)
        nursery.cancel_scope.cancel()
    [(at, seconds)] = told
    assert at - began <= LOOK_SECONDS
    assert abs(seconds - jump) < 0.1
