"""Order of the ends: background services outlive the block, and code that refuses to end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from moobius_trio.core.supervision import Startable, open_background, open_handlers


class Diary:
    """What happened, in order."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def service(self, name: str, *, fails_after: float | None = None) -> Startable:
        """A background service that notes its begin and end."""

        async def serve(*, task_status: trio.TaskStatus[None]) -> None:
            await trio.sleep(1)
            self.seen.append(f"+{name}")
            task_status.started()
            try:
                if fails_after is not None:
                    await trio.sleep(fails_after)
                    raise LookupError(name)
                await trio.sleep_forever()
            finally:
                self.seen.append(f"-{name}")

        return serve

    async def goodbye(self) -> None:
        """Takes a second, which no cancellation shortens."""
        await trio.sleep(1)
        self.seen.append("goodbye")


async def test_services_begin_in_order_and_end_behind_the_goodbye(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The second starts when the first is ready; both end when all has been said."""
    diary = Diary()
    async with open_background(diary.service("a"), diary.service("b"), goodbye=diary.goodbye):
        diary.seen.append("block")
    assert diary.seen[:4] == ["+a", "+b", "block", "goodbye"]
    assert sorted(diary.seen[4:]) == ["-a", "-b"]


async def test_a_cancelled_block_says_goodbye_first(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The services do not see the cancellation before the block and the goodbye have ended."""
    diary = Diary()
    with trio.move_on_after(5):
        async with open_background(diary.service("a"), goodbye=diary.goodbye):
            try:
                await trio.sleep_forever()
            finally:
                diary.seen.append("block")
    assert diary.seen == ["+a", "block", "goodbye", "-a"]


async def test_a_failing_service_cancels_the_block(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Its error comes out, in the groups of its nurseries."""
    diary = Diary()
    with pytest.RaisesGroup(LookupError, flatten_subgroups=True):
        async with open_background(diary.service("a", fails_after=3), goodbye=diary.goodbye):
            await trio.sleep_forever()
    assert diary.seen == ["+a", "-a", "goodbye"]


async def test_a_start_can_be_cancelled(autojump_clock: trio.testing.MockClock) -> None:
    """While a service starts nothing is shielded yet."""
    diary = Diary()
    start = trio.current_time()
    with trio.move_on_after(0.5):
        async with open_background(diary.service("a"), goodbye=diary.goodbye):
            pytest.fail("it did not start")
    assert trio.current_time() - start == 0.5
    assert diary.seen == []


def shielded(seconds: float, seen: list[str]) -> Callable[[], Awaitable[None]]:
    """A task that cannot be cancelled."""

    async def task() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(seconds)
        seen.append("shielded ended")

    return task


@pytest.mark.parametrize("ending", ["well", "cancelled", "by an error"])
async def test_tasks_that_do_not_end_are_not_waited_for_with_the_rest(
    autojump_clock: trio.testing.MockClock, ending: str
) -> None:
    """Two seconds after the block, however it ended, the rest is done; then they are awaited."""
    seen: list[str] = []

    async def on_late() -> None:
        await trio.sleep(1)
        seen.append(f"late at {trio.current_time() - start:g}")

    async def run() -> None:
        async with open_handlers(seconds=lambda: 2, on_late=on_late) as nursery:
            nursery.start_soon(shielded(100, seen))
            await trio.sleep(1)
            if ending == "by an error":
                raise LookupError("in the block")
            if ending == "cancelled":
                await trio.sleep_forever()

    start = trio.current_time()
    with trio.move_on_after(1 if ending == "cancelled" else 1000):
        if ending == "by an error":
            with pytest.RaisesGroup(LookupError, flatten_subgroups=True):
                await run()
        else:
            await run()
    assert seen == ["late at 4", "shielded ended"]
    assert trio.current_time() - start == 100


async def test_tasks_that_end_in_time_are_no_case_for_the_late(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Cancelled tasks have two seconds for their own cleanup."""
    seen: list[str] = []

    async def on_late() -> None:
        seen.append("late")

    async with open_handlers(seconds=lambda: 2, on_late=on_late) as nursery:
        nursery.start_soon(trio.sleep_forever)
        nursery.start_soon(shielded(1.5, seen))
        await trio.testing.wait_all_tasks_blocked()
    assert seen == ["shielded ended"]


async def test_a_cancellation_during_the_start_reaches_services_that_start(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Nothing stays behind, also when the last one is through as the cancellation comes."""
    with trio.CancelScope() as scope:

        async def last(*, task_status: trio.TaskStatus[None]) -> None:
            task_status.started()
            scope.cancel()
            await trio.sleep_forever()

        async with open_background(last, goodbye=Diary().goodbye):
            pytest.fail("the block must not begin")
    assert scope.cancelled_caught
