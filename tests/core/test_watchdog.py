"""A loop that stands still is noticed, and whoever holds it is named (F31)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import attrs
import pytest
import structlog.testing
import structlog.typing
import trio
import trio.testing

from moobius_trio import MessageUp, MoobiusService
from moobius_trio.core.environment import Environment
from moobius_trio.core.watchdog import LoopWatch, watched_loop
from moobius_trio.testing import SERVICE, Local, open_local
from moobius_trio.testing.core_rig import changed_environment

STANDS = "the event loop stands still"
MOVES = "the event loop moves again"


def watchdogs() -> list[threading.Thread]:
    """The watching threads of this process."""
    return [thread for thread in threading.enumerate() if "watchdog" in thread.name]


@attrs.define
class Time:
    """The clocks of a watch, moved by hand."""

    now: float = 1_000.0
    computed: float = 5.0

    def watch(self) -> LoopWatch:
        """A watch of the running loop: still after a second, looked at every quarter of one."""
        return LoopWatch(still=1.0, look=0.25, clock=lambda: self.now, cpu=lambda: self.computed)

    def pass_by(self, watch: LoopWatch, seconds: float) -> None:
        """Look every quarter of a second, with nothing else running in this thread."""
        for _ in range(int(seconds / 0.25)):
            self.now += 0.25
            watch.look()


async def test_a_block_is_reported_once_and_its_whole_time_at_the_end() -> None:
    """Twelve seconds are one warning after the first of them and one with the sum."""
    time = Time()
    watch = time.watch()
    with structlog.testing.capture_logs() as logs:
        time.pass_by(watch, 0.25)  # asks
        time.pass_by(watch, 0.75)
        assert logs == []
        time.pass_by(watch, 11.25)
        [entry] = logs
        assert (entry["event"], entry["seconds"], entry["log_level"]) == (STANDS, 1.0, "warning")
        await trio.testing.wait_all_tasks_blocked()
        time.pass_by(watch, 0.25)
        await trio.testing.wait_all_tasks_blocked()
        time.pass_by(watch, 0.25)
    assert [(entry["event"], entry["seconds"]) for entry in logs[1:]] == [(MOVES, 12.0)]


async def test_each_block_is_reported() -> None:
    """A second block after the first is a pair of lines of its own."""
    time = Time()
    watch = time.watch()
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            time.pass_by(watch, 3)
            await trio.testing.wait_all_tasks_blocked()
    assert [entry["event"] for entry in logs] == [STANDS, MOVES, STANDS, MOVES, STANDS]


async def test_a_block_that_lasts_until_the_end_is_closed() -> None:
    """When the watch ends the loop moves, and the log says for how long it had not."""
    time = Time()
    watch = time.watch()
    with structlog.testing.capture_logs() as logs:
        time.pass_by(watch, 5)
        watch.close()
    assert [(entry["event"], entry["seconds"]) for entry in logs] == [(STANDS, 1.0), (MOVES, 4.8)]


async def test_a_process_that_was_held_up_does_not_blame_its_loop() -> None:
    """A machine that slept for an hour, and one that gives no time, are nobody's block."""
    time = Time()
    watch = time.watch()
    with structlog.testing.capture_logs() as logs:
        time.pass_by(watch, 0.25)
        time.now += 3_600
        watch.look()
        await trio.testing.wait_all_tasks_blocked()
        time.pass_by(watch, 0.25)
    assert logs == []


async def test_code_that_lets_no_thread_run_is_reported_when_it_lets_one() -> None:
    """A calculation in C keeps the watch from looking, but the process has computed meanwhile."""
    time = Time()
    watch = time.watch()
    with structlog.testing.capture_logs() as logs:
        time.pass_by(watch, 0.25)
        time.now += 7.0
        time.computed += 6.9
        watch.look()
    assert [(entry["event"], entry["seconds"]) for entry in logs] == [(STANDS, 7.0)]


async def test_a_log_that_fails_does_not_end_the_watch() -> None:
    """What a sink raises stays in the line that it was raised for."""
    time = Time()
    watch = time.watch()

    def fail(*args: object) -> structlog.typing.EventDict:
        raise OSError("no space left on device")

    with structlog.testing.capture_logs(processors=[fail]) as logs:
        time.pass_by(watch, 5)
    assert logs == []
    with structlog.testing.capture_logs() as logs:
        await trio.testing.wait_all_tasks_blocked()
        time.pass_by(watch, 0.25)
    assert [entry["event"] for entry in logs] == [MOVES]


class Blocking(MoobiusService):
    """Holds the loop until the log has a line about that."""

    def __init__(self) -> None:
        super().__init__()
        self.reported = threading.Event()
        self.was_reported = False
        self.lines: list[structlog.typing.EventDict] = []

    def keep(
        self, logger: object, name: str, entry: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        """A processor of structlog, which runs in the thread that logs."""
        if entry["event"] == STANDS and "Blocking.block" in str(entry["stack"]):
            self.lines.append(entry)
            self.reported.set()
        return entry

    def block(self) -> None:
        self.was_reported = self.reported.wait(60)

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await trio.lowlevel.checkpoint()
        if msg_up.text == "task":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.lowlevel.checkpoint)
                nursery.start_soon(self.in_a_task_of_its_own)
        else:
            self.block()

    async def in_a_task_of_its_own(self) -> None:
        self.block()

    async def on_start(self) -> None:
        self.threads_at_start = len(watchdogs())


def line_of(method: str, call: str) -> str:
    """Where in this file a method of `Blocking` calls something, as a traceback has it."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    begin = next(number for number, line in enumerate(lines) if f"def {method}(" in line)
    number = next(n for n in range(begin, len(lines)) if call in lines[n])
    return f"{__file__}:{number + 1} in Blocking.{method}"


def impatient(environment: Environment) -> Environment:
    """Watched more closely than in production, so that a test need not block for a second."""
    return attrs.evolve(environment, watchdog=partial(watched_loop, still=0.3, look=0.05))


@pytest.mark.parametrize("text", ["handler", "task"])
async def test_a_handler_that_blocks_is_named_with_its_line(text: str) -> None:
    """The warning comes while the loop stands, with handler, band, user, line and remedy."""
    service = Blocking()
    with structlog.testing.capture_logs(processors=[service.keep]):
        async with open_local(sockets=True) as local:
            with changed_environment(impatient):
                band = await local.start(service)
            [alice] = await band.join("Alice")
            await alice.say(text, to=SERVICE)
    assert service.was_reported
    [line] = service.lines
    if text == "handler":
        assert line["handler"] == "Blocking.on_msg_up"
        assert (line["band"], line["user"]) == (band.channel_id, alice.user_id)
        assert line["at"] == line_of("on_msg_up", "self.block()")
    else:
        assert line["at"] == line_of("in_a_task_of_its_own", "self.block()")
    assert line_of("block", "self.reported.wait") in line["stack"]
    assert "run_sync" in line["remedy"]


async def test_one_thread_watches_for_as_long_as_anything_is_served() -> None:
    """It starts with the first service, serves the second too, and ends with the last."""
    assert watchdogs() == []
    one, two = Blocking(), Blocking()
    async with open_local(sockets=True) as local:
        assert watchdogs() == []
        await local.start(one, bands=["red"])
        await local.start(two, bands=["blue"], name="two")
        assert one.threads_at_start == two.threads_at_start == len(watchdogs()) == 1
        assert watchdogs()[0].daemon
        await local.stop(two)
        assert len(watchdogs()) == 1
        await local.stop(one)
        assert watchdogs() == []


async def test_simulated_time_is_not_watched(local: Local) -> None:
    """In memory no thread is there: a clock that jumps holds up nobody."""
    service = Blocking()
    await local.start(service)
    assert service.threads_at_start == len(watchdogs()) == 0


async def test_a_service_that_cannot_start_leaves_no_thread() -> None:
    """Whatever ends the block, the thread ends with it."""
    with pytest.raises(LookupError), watched_loop():
        assert len(watchdogs()) == 1
        raise LookupError
    assert watchdogs() == []


def test_loops_of_several_threads_share_one_watch() -> None:
    """Each is watched for itself: the one that stands is reported, the other is not."""
    service = Blocking()
    watched = threading.Event()
    end: list[Callable[[], object]] = []

    async def block() -> None:
        with watched_loop(still=0.3, look=0.05):
            service.block()

    async def move() -> None:
        with watched_loop():
            done, token = trio.Event(), trio.lowlevel.current_trio_token()
            end.append(partial(token.run_sync_soon, done.set))
            watched.set()
            await done.wait()

    other = threading.Thread(target=trio.run, args=(move,))
    with structlog.testing.capture_logs(processors=[service.keep]):
        other.start()
        try:
            assert watched.wait(60)
            trio.run(block)
        finally:
            end[0]()
            other.join()
    assert service.was_reported
    assert len(service.lines) == 1
    assert watchdogs() == []


async def test_a_loop_that_comes_round_is_never_reported() -> None:
    """However slow it is, below a second nothing is said."""
    time = Time()
    watch = time.watch()
    with structlog.testing.capture_logs() as logs:
        for _ in range(100):
            time.pass_by(watch, 1.0)
            await trio.testing.wait_all_tasks_blocked()
        watch.close()
    assert logs == []
