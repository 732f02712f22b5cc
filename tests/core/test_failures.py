"""Failures: isolated, reported once, with a remedy where there is one."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest
import structlog.testing
import trio
import trio.testing

from moobius_trio import (
    Band,
    ChannelId,
    Content,
    FeatureCall,
    Gap,
    HandlerTimedOut,
    MessageUp,
    MoobiusService,
    StorageTypeError,
    UnknownPayload,
    UserId,
    container,
)
from moobius_trio.testing import Local, open_local
from moobius_trio.testing.core_rig import deliver

ALICE = UserId("alice")


class Failing(MoobiusService):
    """Keeps what `on_error` was told."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str | None] = []
        self.errors: list[tuple[object, BaseException]] = []

    async def on_error(self, event: object, exc: BaseException) -> None:
        self.errors.append((event, exc))


def message(text: str, band: str = "local-demo") -> MessageUp:
    """A message of alice."""
    return MessageUp(channel_id=ChannelId(band), sender=ALICE, content=Content(text=text))


async def test_a_thousand_events_of_which_three_hundred_fail(local: Local) -> None:
    """700 are handled, 300 reported with their own event, in order, and nothing else is touched.

    (F29)
    """

    class Service(Failing):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            number = int(msg_up.text or 0)
            if number % 10 in (3, 6):
                raise ValueError(number)
            if number % 10 == 9:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.fail, number)
                    nursery.start_soon(trio.sleep_forever)
            self.seen.append(msg_up.text)

        async def fail(self, number: int) -> None:
            raise KeyError(number)

    local.keep_failures = True
    service = Service()
    await local.start(service)
    events = [message(str(number)) for number in range(1000)]
    deliver(service, *events)
    await local.settle()
    failing = [number for number in range(1000) if number % 10 in (3, 6, 9)]
    assert service.seen == [str(number) for number in range(1000) if number not in failing]
    assert [event for event, _ in service.errors] == [events[number] for number in failing]
    kinds = [type(exc) for _, exc in service.errors[:3]]
    assert kinds == [ValueError, ValueError, ExceptionGroup]
    statistics = service.statistics()
    assert statistics.failures == 300
    assert statistics.link.connections == 1


async def test_a_failure_is_logged_with_event_band_and_user(local: Local) -> None:
    """One line names the handler, the band and the user, and has the traceback."""

    class Service(Failing):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            raise ValueError("no")

    local.keep_failures = True
    service = Service()
    await local.start(service)
    with structlog.testing.capture_logs() as logs:
        deliver(service, message("hello"))
        await local.settle()
    [entry] = [entry for entry in logs if entry["event"] == "handler failed"]
    assert entry["handler"] == "Service.on_msg_up"
    assert (entry["band"], entry["user"]) == ("local-demo", "alice")
    assert isinstance(entry["exc_info"], ValueError)


async def test_log_lines_of_a_handler_name_handler_band_and_user(local: Local) -> None:
    """What a handler logs is bound to its event, and nothing of one event is bound to the next."""
    bound: list[dict[str, Any]] = []

    class Service(Failing):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            bound.append(structlog.contextvars.get_contextvars())

        async def on_gap(self, gap: Gap) -> None:
            bound.append(structlog.contextvars.get_contextvars())
            deliver(self, UnknownPayload(type="moon_phase", frame={}))

        async def on_unknown_payload(self, payload: UnknownPayload) -> None:
            bound.append(structlog.contextvars.get_contextvars())

    service = Service()
    await local.start(service)
    deliver(service, message("hello"))
    await local.drop_socket()
    await local.until(lambda: len(bound) == 3)
    assert bound == [
        {"handler": "Service.on_msg_up", "band": "local-demo", "user": "alice"},
        {"handler": "Service.on_gap", "band": "local-demo"},
        {"handler": "Service.on_unknown_payload"},
    ]


@pytest.mark.parametrize("pause", [0, 1])
async def test_what_a_handler_does_to_its_log_lines_is_its_own_matter(
    local: Local, pause: int
) -> None:
    """The next one's name its handler, band and user again, whether it follows at once or later."""
    bound: list[dict[str, Any]] = []

    class Service(Failing):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            bound.append(structlog.contextvars.get_contextvars())
            structlog.contextvars.clear_contextvars()
            structlog.contextvars.bind_contextvars(band="mine")

    service = Service()
    await local.start(service)
    for _ in range(3):
        deliver(service, message("hello"))
        await trio.sleep(pause)
    await local.settle()
    assert bound == [{"handler": "Service.on_msg_up", "band": "local-demo", "user": "alice"}] * 3


async def test_what_a_failed_handler_had_is_let_go(local: Local) -> None:
    """Not only with the next failure of its lane: there may be none."""

    class Large:
        pass

    class Service(Failing):
        kept: weakref.ref[Large]

        async def on_msg_up(self, msg_up: MessageUp) -> None:
            large = Large()
            if msg_up.text == "fail":
                self.kept = weakref.ref(large)
                raise ValueError("no")

        async def on_error(self, event: object, exc: BaseException) -> None:
            pass

    local.keep_failures = True
    service = Service()
    await local.start(service)
    for text in ("fail", "well", "well"):
        deliver(service, message(text))
        await local.settle()
    local.failures.clear()
    gc.collect()
    assert service.kept() is None


async def test_on_error_that_fails_itself_is_the_end_of_it(local: Local) -> None:
    """Its own failure is logged and counted, and not reported to it again."""

    class Service(Failing):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            if msg_up.text == "fail":
                raise ValueError("first")
            self.seen.append(msg_up.text)

        async def on_error(self, event: object, exc: BaseException) -> None:
            await super().on_error(event, exc)
            raise LookupError("second")

    local.keep_failures = True
    service = Service()
    await local.start(service)
    with structlog.testing.capture_logs() as logs:
        deliver(service, message("fail"), message("next"))
        await local.settle()
    assert service.seen == ["next"]
    assert [str(exc) for _, exc in service.errors] == ["first"]
    assert [str(exc) for _, exc in local.failures] == ["first", "second"]
    failed = [entry["handler"] for entry in logs if entry["event"] == "handler failed"]
    assert failed == ["Service.on_msg_up", "on_error"]


async def test_on_error_may_answer(local: Local) -> None:
    """It can send, in a unit of work of its own."""

    class Service(Failing):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            raise ValueError("no")

        async def on_error(self, event: object, exc: BaseException) -> None:
            assert isinstance(event, MessageUp)
            await self.reply(event, f"that failed: {exc}")

    local.keep_failures = True
    band = await local.start(Service())
    [alice] = await band.join("Alice")
    await alice.say("hello")
    assert alice.texts == ["that failed: no"]


async def test_a_library_for_asyncio_is_named_with_its_remedy(local: Local) -> None:
    """ "no running event loop" says nothing; the note says what to use instead."""

    class Service(Failing):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            if msg_up.text == "plain":
                await asyncio.sleep(1)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(asyncio.sleep, 1)
                nursery.start_soon(trio.sleep_forever)

    local.keep_failures = True
    service = Service()
    await local.start(service)
    deliver(service, message("plain"), message("in a nursery"))
    await local.settle()
    [(_, plain), (_, group)] = service.errors
    assert isinstance(group, ExceptionGroup)
    for exc in (plain, group.exceptions[0]):
        [note] = exc.__notes__
        assert all(remedy in note for remedy in ("trio.sleep", "httpx", "self.run_sync"))


async def test_another_runtime_error_gets_no_such_note(local: Local) -> None:
    """The remedy is for its own error only."""

    class Service(Failing):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            raise RuntimeError("something else")

    local.keep_failures = True
    service = Service()
    await local.start(service)
    deliver(service, message("hello"))
    await local.settle()
    [(_, exc)] = service.errors
    assert not hasattr(exc, "__notes__")


async def test_a_task_that_fails_while_its_handler_is_cancelled_ends_nothing(
    local: Local,
) -> None:
    """The time-out is what `on_error` hears; the task's own error is in the log and counted."""

    class Service(Failing):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            self.seen.append(msg_up.text)
            if msg_up.text == "clumsy":
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.clumsy)
                    nursery.start_soon(trio.sleep_forever)

        async def clumsy(self) -> None:
            try:
                await trio.sleep_forever()
            finally:
                raise OSError("cleaning up failed")

    local.keep_failures = True
    service = Service()
    await local.start(service)
    deliver(service, message("clumsy"), message("next"))
    await local.settle()
    assert service.seen == ["clumsy", "next"]
    assert [type(exc) for _, exc in service.errors] == [HandlerTimedOut]
    [group, timed_out] = [exc for _, exc in local.failures]
    assert isinstance(group, ExceptionGroup)
    assert isinstance(group.exceptions[0], OSError)
    assert isinstance(timed_out, HandlerTimedOut)


async def test_a_task_that_fails_in_the_last_moment_does_not_spoil_the_end(local: Local) -> None:
    """Cancelled at the stop, a clumsy handler's failure is logged; the service ends well."""

    class Service(Failing):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.clumsy)
                nursery.start_soon(trio.sleep_forever)

        async def clumsy(self) -> None:
            try:
                await trio.sleep_forever()
            finally:
                raise OSError("cleaning up failed")

    local.keep_failures = True
    service = Service()
    await local.start(service, handler_seconds=None)
    deliver(service, message("clumsy"))
    await trio.testing.wait_all_tasks_blocked()
    await local.handle().stop()
    [(_, group)] = local.failures
    assert isinstance(group, ExceptionGroup)


class Keeping(Band):
    states = container(dict[str, object])


async def test_a_value_that_cannot_be_stored_is_reported(local: Local) -> None:
    """A handler that ends well with an unstorable value fails with StorageTypeError."""

    class Service(MoobiusService[Keeping]):
        errors: tuple[BaseException, ...] = ()

        async def on_msg_up(self, msg_up: MessageUp) -> None:
            states = self.bands[msg_up.channel_id].states
            states[ALICE] = {}
            states[ALICE]["lambda"] = lambda: None

        async def on_error(self, event: object, exc: BaseException) -> None:
            self.errors += (exc,)

    local.keep_failures = True
    service = Service()
    band = await local.start(service)
    deliver(service, message("hello"))
    await local.settle()
    [exc] = service.errors
    assert isinstance(exc, StorageTypeError)
    assert (exc.container, exc.key, exc.path) == ("states", "alice", "['lambda']")
    assert service.bands[band.channel_id].states[ALICE] == {}


@pytest.mark.parametrize("ending", ["raises", "times out"])
async def test_a_storage_error_does_not_hide_the_handlers_own(local: Local, ending: str) -> None:
    """A handler that fails and leaves an unstorable value is reported for both, first its own."""

    class Service(MoobiusService[Keeping]):
        errors: tuple[type[BaseException], ...] = ()

        async def on_feature_call(self, feature_call: FeatureCall) -> None:
            states = self.bands[feature_call.channel_id].states
            states[ALICE] = {}
            states[ALICE]["lambda"] = lambda: None
            if ending == "raises":
                raise ValueError("its own")
            await trio.sleep_forever()

        async def on_error(self, event: object, exc: BaseException) -> None:
            self.errors += (type(exc),)

    local.keep_failures = True
    service = Service()
    await local.start(service)
    deliver(
        service,
        FeatureCall(feature_id="x", channel_id=ChannelId("local-demo"), sender=ALICE),
    )
    await local.settle()
    first = ValueError if ending == "raises" else HandlerTimedOut
    assert service.errors == (first, StorageTypeError)


async def test_a_system_exit_in_a_handler_ends_the_service(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """``sys.exit`` is no failure of an event: it is what it says."""

    class Service(Failing):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            raise SystemExit(3)

    async def program() -> None:
        async with open_local() as local:
            service = Service()
            await local.start(service)
            deliver(service, message("hello"))
            await trio.sleep(10)

    with pytest.raises(SystemExit) as info:
        await program()
    assert info.value.code == 3


async def test_an_exception_that_cannot_say_what_it_is_is_reported_too(local: Local) -> None:
    """Its class fails at its own text; the next event is handled, and a spell too (F29)."""

    class Mute(RuntimeError):
        def __str__(self) -> str:
            raise LookupError("no text")

    class Service(Failing):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            self.seen.append(msg_up.text)
            raise Mute

        async def on_spell(self, spell: object) -> None:
            raise Mute

    local.keep_failures = True
    service = Service()
    await local.start(service)
    deliver(service, message("one"), message("two"))
    local.handle().spell("abra")
    await local.settle()
    assert service.seen == ["one", "two"]
    assert [type(exc) for _, exc in service.errors] == [Mute, Mute, Mute]
