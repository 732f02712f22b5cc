"""One request for each list and each group, whoever needs it and whenever; bounded."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from moobius_trio.errors import ApiError
from moobius_trio.network.group_book import GroupBook
from moobius_trio.types import ChannelId, GroupId, UserId

BAND = ChannelId("band")
ALICE = UserId("alice")


class Platform:
    """Makes groups and tells who is in them, and notes what it was asked."""

    def __init__(self) -> None:
        self.created: list[tuple[UserId, ...]] = []
        self.fetched: list[tuple[GroupId, ChannelId, UserId]] = []
        self.fails = False
        self.may_answer = trio.Event()
        self.may_answer.set()

    async def create(self, members: tuple[UserId, ...]) -> GroupId:
        self.created.append(members)
        number = len(self.created)
        await self._answer()
        return GroupId(f"group-{number}")

    async def fetch(self, group: GroupId, channel: ChannelId, user: UserId) -> tuple[UserId, ...]:
        self.fetched.append((group, channel, user))
        await self._answer()
        return (UserId(f"member of {group}"),)

    async def _answer(self) -> None:
        await self.may_answer.wait()
        if self.fails:
            raise ApiError("/service/group/create", "not today")

    def book(self, **options: float) -> GroupBook:
        return GroupBook(self.create, self.fetch, **options)  # type: ignore[arg-type]  # in a test


def people(*names: str) -> tuple[UserId, ...]:
    return tuple(UserId(name) for name in names)


async def test_a_list_is_asked_for_once_and_in_its_order() -> None:
    """Same people in the same order: the same group; in another order: another one."""
    platform = Platform()
    book = platform.book()
    for _ in range(3):
        await book.ready(people("a", "b"), people("b", "a"))
    assert platform.created == [people("a", "b"), people("b", "a")]
    assert book.id_of(people("a", "b")) == "group-1"
    assert book.id_of(people("b", "a")) == "group-2"


async def test_a_list_that_was_not_asked_for_has_no_id() -> None:
    """It is never made up, and never nobody."""
    with pytest.raises(LookupError):
        Platform().book().id_of(people("a"))


async def test_many_that_need_one_thing_share_one_request() -> None:
    """However many messages are under way when the group is new."""
    platform = Platform()
    book = platform.book()
    platform.may_answer = trio.Event()
    answers: list[tuple[UserId, ...]] = []

    async def look_up() -> None:
        answers.append(await book.members(GroupId("g"), BAND, ALICE))

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(book.ready, people("a"))
            nursery.start_soon(look_up)
        await wait_all_tasks_blocked()
        platform.may_answer.set()
    assert len(platform.created) == len(platform.fetched) == 1
    assert answers == [people("member of g")] * 50


async def test_whoever_shares_a_request_shares_its_failure_and_the_next_asks_anew() -> None:
    """A failure is an error to each caller, and is not remembered."""
    platform = Platform()
    book = platform.book()
    platform.may_answer, platform.fails = trio.Event(), True
    failures: list[ApiError] = []

    async def expect_failure(ask: Callable[[], object]) -> None:
        with pytest.raises(ApiError) as caught:
            await ask()  # type: ignore[misc]  # both give something to await
        failures.append(caught.value)

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(expect_failure, lambda: book.ready(people("a")))
            nursery.start_soon(expect_failure, lambda: book.members(GroupId("g"), BAND, ALICE))
        await wait_all_tasks_blocked()
        platform.may_answer.set()
    assert len(failures) == 20
    assert len(platform.created) == len(platform.fetched) == 1
    platform.fails = False
    await book.ready(people("a"))
    assert await book.members(GroupId("g"), BAND, ALICE) == people("member of g")


async def test_when_the_one_who_asks_is_cancelled_the_next_one_asks() -> None:
    """Nobody waits for a request that nobody makes any more."""
    platform = Platform()
    book = platform.book()
    platform.may_answer = trio.Event()
    scope = trio.CancelScope()

    async def cancelled() -> None:
        with scope:
            await book.ready(people("a"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(cancelled)
        await wait_all_tasks_blocked()
        nursery.start_soon(book.ready, people("a"))
        nursery.start_soon(book.ready, people("a"))
        await wait_all_tasks_blocked()
        scope.cancel()
        await wait_all_tasks_blocked()
        platform.may_answer.set()
    assert len(platform.created) == 2
    assert book.id_of(people("a")) == "group-2"


async def test_what_is_not_used_for_longest_is_forgotten_first() -> None:
    """The book is bounded; a list that is needed again is made again."""
    platform = Platform()
    book = platform.book(size=2)
    await book.ready(people("a"))
    await book.ready(people("b"))
    await book.ready(people("a"))  # used: b is the oldest now
    await book.ready(people("c"))
    assert book.id_of(people("a")) == "group-1"
    with pytest.raises(LookupError):
        book.id_of(people("b"))
    await book.ready(people("b"))
    assert platform.created[-1] == people("b")


async def test_a_group_that_came_in_is_looked_up_again_after_a_while(
    autojump_clock: MockClock,
) -> None:
    """Within the time it is known; a group of another band is another group."""
    platform = Platform()
    book = platform.book(seconds=300)
    for _ in range(1_000):
        await book.members(GroupId("g"), BAND, ALICE)
    assert platform.fetched == [("g", BAND, ALICE)]
    await book.members(GroupId("g"), ChannelId("other"), ALICE)
    assert len(platform.fetched) == 2
    await trio.sleep(301)
    await book.members(GroupId("g"), BAND, UserId("bob"))
    assert platform.fetched[2:] == [("g", BAND, "bob")]


def test_a_book_too_small_for_one_update_is_refused() -> None:
    """An update of the character list names two lists at once."""
    with pytest.raises(ValueError, match="at least 2"):
        Platform().book(size=1)


@given(st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=2), max_size=40))
def test_whatever_is_asked_for_all_lists_are_known_together(asked: list[list[str]]) -> None:
    """`ready` returns when every list has an id, also where the book is full all the time."""
    platform = Platform()
    book = platform.book(size=2)

    async def main() -> None:
        async def use(lists: list[str]) -> None:
            await book.ready(*(people(name) for name in lists))
            for name in lists:
                number = int(book.id_of(people(name)).removeprefix("group-"))
                assert platform.created[number - 1] == people(name)

        async with trio.open_nursery() as nursery:
            for lists in asked:
                nursery.start_soon(use, lists)

    trio.run(main, clock=MockClock(autojump_threshold=0))
