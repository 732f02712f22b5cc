"""Services and users on one platform, each a process or a socket of its own."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from moobius_trio.network.websocket import websocket_connector
from moobius_trio.testing.commands import Ended, open_command
from moobius_trio.testing.people import BAND, open_user

PATIENCE = 90
"""Seconds after which a test fails that waits for something that does not come."""

ECHO = """
from moobius_trio import MessageUp, MoobiusService, run


class Echo(MoobiusService):
    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await self.send(self.msg_up_to_msg_down(msg_up))


if __name__ == "__main__":
    run(Echo().serve)
"""

FORGETFUL = """
from moobius_trio import MoobiusService


class Forgetful(MoobiusService):
    async def on_msg_up(self, msg_up):
        self.send(self.msg_up_to_msg_down(msg_up))
        await self.send(self.msg_up_to_msg_down(msg_up, text="heard"))
"""


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    """A file of a project."""
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("program", [("-m", "moobius_trio", "run", "echo.py"), ("echo.py",)])
async def test_the_printed_service_json_works_as_it_stands(
    program: tuple[str, ...], tmp_path: Path
) -> None:
    """Alice and Bob hear the service; only the new service's id is written into the file."""
    write(tmp_path / "echo.py", ECHO)
    with (
        trio.fail_after(PATIENCE),
        open_command("local", "--port", "0", "--state", "s", "--ready-json", cwd=tmp_path) as local,
    ):
        url = local.ready()["url"]
        (printed,) = re.findall(r"^\{$.*?^\}$", local.errors, re.DOTALL | re.MULTILINE)
        settings = write(tmp_path / "service.json", printed, 0o600)
        arguments = ("--ready-json",) if program[0] == "-m" else ()
        with open_command(*arguments, program=program, cwd=tmp_path) as service:
            if arguments:
                ready = await trio.to_thread.run_sync(service.ready)
                assert ready["services"][0]["channels"] == [BAND]
            async with open_user(url, "alice") as alice, open_user(url, "bob") as bob:
                if not arguments:
                    await shown_online(url)
                await alice.say("hello", alice.user_id, bob.user_id)
                await alice.hears("hello")
                await bob.hears("hello")
            ended = await trio.to_thread.run_sync(service.stop)
        assert ended.code == 0, ended.errors
        assert "Traceback" not in ended.errors
        assert (await trio.to_thread.run_sync(local.stop)).code == 0
    before, after = json.loads(printed), json.loads(settings.read_text())
    assert after.pop("service_id")
    assert before.pop("service_id") == ""
    assert before == after
    assert re.sub('"local-[-0-9a-f]{36}"', '""', settings.read_text()) == printed


async def shown_online(url: str) -> None:
    """Wait until the platform shows a service in one of its bands."""
    async with websocket_connector(url.replace("http", "ws") + "/local/watch")() as watch:
        while not any(band["online"] for band in json.loads(await watch.receive_text())["bands"]):
            pass


async def test_a_call_without_await_is_named_in_dev(tmp_path: Path) -> None:
    """With handler, file and line; the service goes on."""
    file = write(tmp_path / "forgetful.py", FORGETFUL)
    options = ("--port", "0", "--no-browser", "--ready-json")
    with trio.fail_after(PATIENCE), open_command("dev", file, *options, cwd=tmp_path) as dev:
        url = (await trio.to_thread.run_sync(dev.ready))["url"]
        async with open_user(url, "alice") as alice:
            await alice.say("hello", alice.user_id)
            await alice.hears("heard")
        ended = await trio.to_thread.run_sync(dev.stop)
    assert ended.code == 0
    (line,) = [line for line in ended.errors.splitlines() if "without await" in line]
    assert "Forgetful.on_msg_up" in line
    assert f"{file}:7" in line
    assert "Write `await`" in line


def ends_well(ended: Ended, what: str) -> None:
    """The end that one Ctrl+C brings; how long it took is printed, for the report."""
    print(f"\n{what}: exit code {ended.code} {ended.seconds:.2f} s after the signal")  # noqa: T201
    assert ended.code == 0, ended.errors
    assert "Traceback" not in ended.errors
    assert "error" not in ended.errors.lower()


async def test_one_ctrl_c_ends_the_demo_while_users_are_there(tmp_path: Path) -> None:
    """It ends with 0, their sockets with 1001, and no process and no temporary file is left."""
    options = ("--port", "0", "--no-browser", "--state", "s", "--ready-json")
    with trio.fail_after(PATIENCE), open_command("demo", *options, cwd=tmp_path) as demo:
        url = (await trio.to_thread.run_sync(demo.ready))["url"]
        async with open_user(url, "alice") as alice, open_user(url, "bob") as bob:
            await alice.hears("Bob joined the band!")
            demo.signal()
            codes = (await alice.close_code(), await bob.close_code())
            ends_well(await trio.to_thread.run_sync(demo.wait), "demo, two users")
    assert codes == (1001, 1001)
    kept = {name for _, _, files in os.walk(tmp_path) for name in files}
    assert kept >= {"demo-service.json", "platform.sqlite3"}
    assert not [name for name in kept if name.endswith((".tmp", ".pid", ".sock"))]


async def test_sigterm_is_as_good_as_ctrl_c(tmp_path: Path) -> None:
    """What a supervisor sends ends the platform the same way."""
    options = ("--port", "0", "--state", "s", "--ready-json")
    with trio.fail_after(PATIENCE), open_command("local", *options, cwd=tmp_path) as local:
        url = (await trio.to_thread.run_sync(local.ready))["url"]
        async with open_user(url, "alice") as alice:
            local.signal(signal.SIGTERM)
            assert await alice.close_code() == 1001
        ends_well(await trio.to_thread.run_sync(local.wait), "local, SIGTERM, one user")


SERVICES = {
    "two services in a nursery": """
async def main():
    async with trio.open_nursery() as nursery:
        for name in ('one.json', 'two.json'):
            await nursery.start(Echo(name).serve)
        print('ready', flush=True)

trio.run(main)
""",
    "two services of a wand": """
async def main():
    async with MoobiusWand() as wand:
        for name in ('one.json', 'two.json'):
            await wand.run(Echo(name))
        print('ready', flush=True)
        await trio.sleep_forever()

run(main)
""",
}
"""Ways to run two services in a script."""

SCRIPT = """
import trio
from moobius_trio import MoobiusService, MoobiusWand, run


class Echo(MoobiusService):
    async def on_msg_up(self, msg_up):
        await self.send(self.msg_up_to_msg_down(msg_up))

    async def on_stop(self):
        print("on_stop", flush=True)


"""


@asynccontextmanager
async def open_platform(folder: Path) -> AsyncIterator[str]:
    """A platform of its own with two bands, and a settings file for either; gives its URL."""
    options = ("--port", "0", "--state", "s", "--band", "two", "--ready-json")
    with open_command("local", *options, cwd=folder) as local:
        url = (await trio.to_thread.run_sync(local.ready))["url"]
        for name, band in (("one", BAND), ("two", "local-two")):
            settings = {
                "http_server_uri": url,
                "ws_server_uri": url.replace("http", "ws"),
                "email": "me@example.org",
                "password": "x",
                "service_id": "",
                "channels": [band],
                "name": f"of-{folder.name}-{name}",
            }
            write(folder / f"{name}.json", json.dumps(settings), 0o600)
        yield url
        assert (await trio.to_thread.run_sync(local.stop)).code == 0


@pytest.mark.parametrize("ending", SERVICES.values(), ids=SERVICES)
async def test_one_ctrl_c_ends_two_services(ending: str, tmp_path: Path) -> None:
    """Each says goodbye and the script ends with 0, without a traceback."""
    write(tmp_path / "main.py", SCRIPT + ending)
    with trio.fail_after(PATIENCE):
        async with open_platform(tmp_path) as url, open_user(url, "alice") as alice:
            with open_command(cwd=tmp_path, program=("main.py",)) as script:
                assert await trio.to_thread.run_sync(script.read_line) == "ready"
                await alice.say("hello", alice.user_id)
                await alice.hears("hello")
                ended = await trio.to_thread.run_sync(script.stop)
    ends_well(ended, "two services, one user")
    assert ended.output == "ready\non_stop\non_stop\n"


@pytest.mark.parametrize("run", ["trio.run", "run"])
async def test_one_ctrl_c_ends_a_service_run_alone(run: str, tmp_path: Path) -> None:
    """Under plain ``trio.run`` as well as under ours, with two users in the room."""
    write(tmp_path / "main.py", SCRIPT + f"{run}(Echo('one.json').serve)")
    with trio.fail_after(PATIENCE):
        async with (
            open_platform(tmp_path) as url,
            open_user(url, "alice") as alice,
            open_user(url, "bob") as bob,
        ):
            with open_command(cwd=tmp_path, program=("main.py",)) as script:
                await shown_online(url)
                await alice.say("hello", alice.user_id, bob.user_id)
                await bob.hears("hello")
                ended = await trio.to_thread.run_sync(script.stop)
    ends_well(ended, f"{run}(service.serve), two users")


STUBBORN = """
import time
import trio
from moobius_trio import MoobiusService, run


class Stubborn(MoobiusService):
    async def on_stop(self):
        print("on_stop", flush=True)
        {wait}


async def main():
    async with trio.open_nursery() as nursery:
        await nursery.start(Stubborn("one.json").serve)
        print("ready", flush=True)


run(main)
"""


@pytest.mark.parametrize("wait", ["await trio.sleep(60)", "while True: pass"])
async def test_a_second_ctrl_c_does_not_wait(wait: str, tmp_path: Path) -> None:
    """Exit code 130 and no traceback, also while a callback holds the event loop."""
    write(tmp_path / "main.py", STUBBORN.replace("{wait}", wait))
    with trio.fail_after(PATIENCE):
        async with open_platform(tmp_path):
            with open_command(cwd=tmp_path, program=("main.py",)) as script:
                assert await trio.to_thread.run_sync(script.read_line) == "ready"
                script.signal()
                assert await trio.to_thread.run_sync(script.read_line) == "on_stop"
                script.signal()
                ended = await trio.to_thread.run_sync(script.wait)
    assert ended.code == 130, ended.errors
    assert "Traceback" not in ended.errors
