"""Work beside handlers: tasks that end with the service, and blocking code in a thread."""

from __future__ import annotations

import threading

import pytest
import trio
import trio.testing

from moobius_trio import (
    Band,
    ChannelId,
    Content,
    MessageUp,
    MoobiusService,
    ServiceStopped,
    UserId,
    container,
)
from moobius_trio.core.units import current
from moobius_trio.testing import Local
from moobius_trio.testing.core_rig import deliver

ALICE = UserId("alice")
BAND = ChannelId("local-demo")


class Keeping(Band):
    counts = container(int)


class Working(MoobiusService[Keeping]):
    """Starts a task for each message."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.errors: list[tuple[object, BaseException]] = []
        self.scopes: list[trio.CancelScope] = []

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        self.scopes.append(self.start_soon(self.work, msg_up.text or ""))
        self.seen.append("handler ended")

    async def work(self, text: str) -> None:
        self.seen.append(f"+{text}")
        try:
            await trio.sleep(3600)
        finally:
            self.seen.append(f"-{text}")

    async def on_error(self, event: object, exc: BaseException) -> None:
        self.errors.append((event, exc))


def message(text: str) -> MessageUp:
    """A message of alice."""
    return MessageUp(channel_id=BAND, sender=ALICE, content=Content(text=text))


async def test_a_task_goes_on_after_its_handler(local: Local) -> None:
    """The handler ends at once, the next event is handled, and the task works on."""
    service = Working()
    await local.start(service)
    deliver(service, message("one"), message("two"))
    await local.settle()
    assert sorted(service.seen) == ["+one", "+two", "handler ended", "handler ended"]
    await local.skip(hours=2)
    assert sorted(service.seen[4:]) == ["-one", "-two"]


async def test_the_scope_ends_the_task_and_nothing_else(local: Local) -> None:
    """What `start_soon` gives is the task's own cancel scope."""
    service = Working()
    await local.start(service)
    deliver(service, message("one"), message("two"))
    await local.settle()
    start = trio.current_time()
    service.scopes[0].cancel()
    await trio.testing.wait_all_tasks_blocked()
    assert trio.current_time() == start
    assert service.seen[-1] == "-one"
    await local.skip(hours=2)
    assert service.seen[-1] == "-two"
    assert service.errors == []


async def test_a_task_ends_with_the_service(local: Local) -> None:
    """The stop does not wait for it: it is cancelled, and that is no failure."""
    service = Working()
    await local.start(service)
    deliver(service, message("one"))
    await local.settle()
    start = trio.current_time()
    await local.handle().stop()
    assert trio.current_time() - start < 1
    assert service.seen[-1] == "-one"
    assert service.errors == []


async def test_a_failing_task_is_reported(local: Local) -> None:
    """`on_error` gets what it raised, also a group, with no event; the service goes on."""

    class Service(Working):
        async def work(self, text: str) -> None:
            if text == "plain":
                raise ValueError("plain")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(super().work, "aside")
                raise LookupError("in a nursery")

    local.keep_failures = True
    service = Service()
    await local.start(service)
    deliver(service, message("plain"), message("group"))
    await local.settle()
    await local.settle()
    assert [event for event, _ in service.errors] == [None, None]
    plain, group = (exc for _, exc in service.errors)
    assert isinstance(plain, ValueError)
    assert isinstance(group, ExceptionGroup)
    assert [type(exc) for exc in group.exceptions] == [LookupError]
    assert "-aside" in service.seen


async def test_a_task_is_a_unit_of_its_own(local: Local) -> None:
    """What it changes is saved when it sends and when it ends, and its frames are its own."""
    local.keep_unheard = True  # the ids are made up

    class Service(Working):
        async def work(self, text: str) -> None:
            unit = current.get()
            assert unit is not None
            self.seen.append(unit.handler)
            self.bands[BAND].counts[ALICE] = 1
            await self.create_message(BAND, "from the task", ALICE)

    service = Service()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    deliver(service, message("go"))
    await local.settle()
    assert service.seen == ["handler ended", "Service.work"]
    [record] = [record for record in local.trace if "from the task" in record.frame]
    assert record.handler.endswith("Service.work")
    assert record.records == 1
    assert alice.texts == []


async def test_a_task_can_be_named(local: Local) -> None:
    """The name is what the trace and the log call it."""
    local.keep_unheard = True  # the ids are made up

    class Service(Working):
        async def on_start(self) -> None:
            self.start_soon(self.report, name="greeter")

        async def report(self) -> None:
            await self.create_message(BAND, "hello", ALICE)

    await local.start(Service())
    await local.settle()
    assert [record.handler for record in local.trace] == ["greeter"]


async def test_no_task_begins_after_the_end(local: Local) -> None:
    """A service that has stopped says so instead of forgetting the task."""
    service = Working()
    await local.start(service)
    await local.handle().stop()
    with pytest.raises(ServiceStopped):
        service.start_soon(service.work, "late")
    assert service.seen == []


async def test_a_handler_that_runs_while_the_lanes_drain_may_start_tasks(local: Local) -> None:
    """The event is handled as ever; the task just has little time left."""
    service = Working()
    await local.start(service)
    deliver(service, message("last"))
    handle = local.handle()
    handle.request_stop()
    await handle.wait_stopped()
    assert service.errors == []
    assert service.seen[0] == "handler ended"


async def test_a_coroutine_in_place_of_a_function_is_named(local: Local) -> None:
    """``start_soon(self.work())`` is a slip with a remedy, at the line that makes it."""

    class Service(Working):
        async def on_start(self) -> None:
            self.start_soon(self.work("x"))  # type: ignore[arg-type]

    with pytest.raises(TypeError, match=r"work\(\) was called.*write \(fn, …\)"):
        await local.start(Service())


async def test_run_sync_gives_the_result_and_the_error(local: Local) -> None:
    """In simulated time blocking code runs inline; what it raises is the handler's."""

    class Service(Working):
        async def on_spell(self, spell: object) -> object:
            return await self.run_sync(int, str(spell))

    await local.start(Service())
    assert await local.aspell("42") == 42
    with pytest.raises(ValueError, match="invalid literal"):
        await local.aspell("x")


@pytest.mark.local(sockets=True)
async def test_run_sync_keeps_the_loop_free(local: Local) -> None:
    """In real time blocking code is in a thread: other bands are served meanwhile."""
    proceed = threading.Event()

    class Service(Working):
        async def on_spell(self, spell: object) -> object:
            return await self.run_sync(proceed.wait, 10)

        async def on_msg_up(self, msg_up: MessageUp) -> None:
            await self.reply(msg_up, "here")

    service = Service()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(local.handle().aspell, "block")
        await alice.say("there?", settle=False)
        while alice.texts != ["here"]:  # noqa: ASYNC110  # what comes is seen by no event
            await trio.sleep(0.01)
        proceed.set()
