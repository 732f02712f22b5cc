"""How ``dev`` ends, with the service in a process of its own: both at once, and nothing is left."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import trio

from moobius_trio.network.websocket import websocket_connector
from moobius_trio.testing.developing import Dev, open_dev
from moobius_trio.testing.people import open_user

ECHO = """
import sys

from moobius_trio import MoobiusService


class Echo(MoobiusService):
    async def on_msg_up(self, msg_up) -> None:
        await self.reply(msg_up, "heard")

    async def on_stop(self) -> None:
        print("on_stop", file=sys.stderr, flush=True)
"""

SLOW = """
import sys

import trio

from moobius_trio import MoobiusService


class Slow(MoobiusService):
    async def on_msg_up(self, msg_up) -> None:
        print("the handler runs", file=sys.stderr, flush=True)
        await trio.sleep_forever()
"""

STUCK = SLOW.replace("await trio.sleep_forever()", "while True: pass")


async def say_something(dev: Dev) -> None:
    """A handler begins with it."""
    async with open_user(dev.url, "alice") as alice:
        await alice.say("go")
        await dev.line("the handler runs")


@pytest.mark.parametrize(
    ("number", "group"),
    [(signal.SIGINT, True), (signal.SIGINT, False), (signal.SIGTERM, False)],
    ids=["terminal", "SIGINT", "SIGTERM"],
)
async def test_one_signal_ends_both_in_good_order(number: int, group: bool, tmp_path: Path) -> None:
    """Whether the terminal gives it to all processes or somebody to ``dev`` alone."""
    async with open_dev(tmp_path, files={"service.py": ECHO}) as dev:
        dev.signal(number, group=group)
        assert await dev.wait() == 0
        assert dev.errors.count("on_stop") == 1
        assert "Traceback" not in dev.errors
        assert dev.children() == []


async def test_two_signals_end_both_at_once(tmp_path: Path) -> None:
    """A handler that waits is not waited for any longer."""
    async with open_dev(tmp_path, files={"service.py": SLOW}) as dev:
        await say_something(dev)
        dev.signal(group=True)
        await dev.line("stopping")
        dev.signal(group=True)
        assert await dev.wait() == 130
        assert "Traceback" not in dev.errors


async def test_a_handler_that_spins_is_ended_by_the_second_signal(tmp_path: Path) -> None:
    """As without a process of its own."""
    async with open_dev(tmp_path, files={"service.py": STUCK}) as dev:
        await say_something(dev)
        dev.signal(group=True)
        dev.signal(signal.SIGTERM)  # two of a kind might arrive as one
        assert await dev.wait() == 130


async def test_a_signal_while_the_code_is_being_loaded(tmp_path: Path) -> None:
    """What was loaded is not served any more, and the old service ends in good order."""
    loads = "import sys, time\nprint('loading', file=sys.stderr, flush=True)\ntime.sleep(3600)\n"
    async with open_dev(tmp_path, files={"service.py": ECHO}) as dev:
        dev.save("service.py", loads + ECHO)
        await dev.line("loading")
        assert await dev.stop() == 0
        assert dev.errors.count("on_stop") == 1


async def test_a_signal_while_the_new_service_begins(tmp_path: Path) -> None:
    """Its ``on_start`` is cancelled; that is no failure."""
    hangs = SLOW.replace("on_msg_up(self, msg_up)", "on_start(self)")
    async with open_dev(tmp_path, files={"service.py": ECHO}) as dev:
        dev.save("service.py", hangs)
        await dev.line("the handler runs")
        assert await dev.stop() == 0
        assert "crashed" not in dev.errors


async def test_a_signal_while_nothing_runs(tmp_path: Path) -> None:
    """After a crash there is no service to be ended."""
    async with open_dev(tmp_path, files={"service.py": ECHO}) as dev:
        os.kill(dev.children()[0], signal.SIGKILL)
        await dev.line("crashed")
        assert await dev.stop() == 0


@pytest.mark.parametrize("text", [ECHO, STUCK], ids=["waiting", "spinning"])
async def test_nothing_is_left_of_a_parent_that_was_killed(text: str, tmp_path: Path) -> None:
    """The service sees its pipe close, and ends in good order if it can."""
    async with open_dev(tmp_path, files={"service.py": text}) as dev:
        if text == STUCK:
            await say_something(dev)
        dev.signal(signal.SIGKILL)
        await dev.wait()  # standard error is closed by the last process that has it
        assert dev.children() == []
        assert ("on_stop" in dev.errors) == (text == ECHO)


async def test_a_stop_of_the_service_alone_is_the_end_of_all(tmp_path: Path) -> None:
    """SIGTERM does what ``moobius-trio stop`` does."""
    async with open_dev(tmp_path, files={"service.py": ECHO}) as dev:
        os.kill(dev.children()[0], signal.SIGTERM)
        assert await dev.wait() == 0
        assert dev.errors.count("on_stop") == 1


async def test_a_page_hears_of_each_state(tmp_path: Path) -> None:
    """And is still there afterwards: the line counts it."""
    async with open_dev(tmp_path, files={"service.py": ECHO}) as dev:
        states: list[str] = []

        async def look() -> None:
            while len(states) < 6:
                told = json.loads(await page.receive_text())["service"]
                if told["state"] not in states[-1:]:
                    states.append(told["state"])

        connect = websocket_connector(dev.url.replace("http", "ws") + "/local/watch")
        async with connect() as page, trio.open_nursery() as nursery:
            nursery.start_soon(look)
            dev.save("service.py", ECHO + "# saved\n")
            assert (await dev.restarted()).endswith("1 tab kept")
            os.kill(dev.children()[0], signal.SIGKILL)
            await dev.line("crashed")
            dev.save("service.py", ECHO)
            await dev.restarted()  # which may be told here first
    assert states == ["running", "restarting", "running", "crashed", "restarting", "running"]
