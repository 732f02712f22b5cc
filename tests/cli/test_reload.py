"""``dev`` while the project is being written: what is saved, and what becomes of the service."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx
import pytest

from moobius_trio.testing.developing import Dev, open_dev
from moobius_trio.testing.people import BAND, open_user

SAYS = """
from moobius_trio import MessageUp, MoobiusService


class Echo(MoobiusService):
    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await self.reply(msg_up, "{}")
"""

ONE, TWO, THREE = SAYS.format("one"), SAYS.format("two"), SAYS.format("three")
SYNTAX = TWO.replace("async def on_msg_up(", "async def on_msg_up((")
IMPORT = "import os\n" + TWO + "\nraise LookupError('at import')\n"
START = TWO.replace(
    "    async def on_msg_up",
    "    async def on_start(self) -> None:\n        raise LookupError('in on_start')\n\n"
    "    async def on_msg_up",
)


async def answers(dev: Dev, text: str, name: str = "alice") -> None:
    """Somebody says something, and the service answers this."""
    async with open_user(dev.url, name) as user:
        await user.say("hello")
        await user.hears(text)


async def test_saved_code_runs_and_people_stay(tmp_path: Path) -> None:
    """Sockets, members and messages are those of before; the line names file and seconds."""
    async with open_dev(tmp_path, files={"service.py": ONE}) as dev:
        async with open_user(dev.url, "alice") as alice:
            await alice.say("hello")
            await alice.hears("one")
            dev.save("service.py", TWO)
            line = await dev.restarted()
            await alice.say("hello again")
            await alice.hears("two")
            assert "changed service.py -> restarted in " in line
            assert line.endswith(" s; 0 tabs kept")
            async with httpx.AsyncClient(base_url=dev.url, trust_env=False) as client:
                data = (await client.post("/local/guest", json={"name": "alice"})).json()["data"]
                token = {
                    "Auth-Origin": "cognito",
                    "Authorization": f"Bearer {data['AuthenticationResult']['AccessToken']}",
                }
                reply = await client.get(
                    "/local/history", params={"channel_id": BAND}, headers=token
                )
        texts = [frame["body"]["content"]["text"] for frame in reply.json()["data"]]
        assert texts == ["hello", "one", "hello again", "two"]
        assert await dev.stop() == 0


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        (SYNTAX, "SyntaxError: "),
        (IMPORT, "LookupError: at import (service.py:10)"),
        ("import nothing_of_this_name\n" + TWO, "'nothing_of_this_name' (service.py:1)"),
        ("x = 1\n", "no subclass of MoobiusService is defined there"),
        (IMPORT.replace("LookupError('at import')", "SystemExit(0)"), "SystemExit: 0"),
    ],
    ids=["syntax", "import", "module", "no service", "exit"],
)
async def test_the_old_service_runs_on_until_the_new_code_is_imported(
    text: str, summary: str, tmp_path: Path
) -> None:
    """What is wrong is said with file and line; the next save is taken."""
    async with open_dev(tmp_path, files={"service.py": ONE}) as dev:
        dev.save("service.py", text)
        assert summary in await dev.line("the old service runs on")
        await answers(dev, "one")
        dev.save("service.py", TWO)
        await dev.restarted()
        await answers(dev, "two")
        assert await dev.stop() == 0


async def test_a_file_that_is_removed_changes_nothing_until_it_is_back(tmp_path: Path) -> None:
    """The old service runs on without it."""
    async with open_dev(tmp_path, files={"service.py": ONE}) as dev:
        (tmp_path / "service.py").unlink()
        assert "there is no such file" in await dev.line("the old service runs on")
        await answers(dev, "one")
        dev.save("service.py", TWO)
        await dev.restarted()
        await answers(dev, "two")


async def test_a_refusal_of_on_start_is_a_crash_that_the_next_save_mends(tmp_path: Path) -> None:
    """By then the old service has ended, so that nothing runs."""
    async with open_dev(tmp_path, files={"service.py": ONE}) as dev:
        dev.save("service.py", START)
        line = await dev.line("the service has crashed")
        assert "LookupError: in on_start (service.py:7)" in line
        dev.save("service.py", THREE)
        await dev.restarted()
        await answers(dev, "three")
        assert await dev.stop() == 0


@pytest.mark.parametrize(
    ("what", "summary"),
    [
        ("import sys; sys.exit(3)", "SystemExit: 3 (service.py:7)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended by SIGKILL"),
        ("import os; os._exit(4)", "ended by itself, with exit code 4"),
    ],
    ids=["sys.exit", "SIGKILL", "os._exit"],
)
async def test_a_service_that_ends_itself_has_crashed(
    what: str, summary: str, tmp_path: Path
) -> None:
    """The platform stays, and so do people; the next save brings the service back."""
    text = ONE.replace('await self.reply(msg_up, "one")', what)
    async with open_dev(tmp_path, files={"service.py": text}) as dev:
        async with open_user(dev.url, "alice") as alice:
            await alice.say("go")
            assert summary in await dev.line("the service has crashed")
            dev.save("service.py", TWO)
            await dev.restarted()
            await alice.say("hello")
            await alice.hears("two")
        assert await dev.stop() == 0


async def test_a_service_killed_from_outside_has_crashed(tmp_path: Path) -> None:
    """And is brought back by the next save."""
    async with open_dev(tmp_path, files={"service.py": ONE}) as dev:
        os.kill(dev.children()[0], signal.SIGKILL)
        await dev.line("the service has crashed", "SIGKILL")
        dev.save("service.py", TWO)
        await dev.restarted()
        await answers(dev, "two")


async def test_the_last_of_several_saves_counts(tmp_path: Path) -> None:
    """Whether it comes at once or while the one before is being loaded."""
    async with open_dev(tmp_path, files={"service.py": ONE, "words.py": "WORD = 1\n"}) as dev:
        dev.save("service.py", TWO)
        dev.save("words.py", "WORD = 2\n")
        await dev.restarted()
        dev.save("service.py", SYNTAX)
        dev.save("service.py", THREE)
        await dev.restarted()
        await answers(dev, "three")


async def test_a_save_ends_a_start_that_hangs(tmp_path: Path) -> None:
    """``on_start`` has no time limit; better code need not wait for it."""
    hangs = START.replace("raise LookupError('in on_start')", "await trio.sleep_forever()")
    async with open_dev(tmp_path, files={"service.py": ONE}) as dev:
        dev.save("service.py", "import trio\n" + hangs.replace("await trio", HEARD + "await trio"))
        await dev.line("on_start hangs")
        dev.save("service.py", THREE)
        await dev.restarted()
        await answers(dev, "three")
        assert await dev.stop() == 0


HEARD = "import sys; print('on_start hangs', file=sys.stderr, flush=True); "


async def test_modules_beside_it_are_loaded_anew(tmp_path: Path) -> None:
    """A class of a package, with a module that it imports."""
    files = {
        "bots/__init__.py": "",
        "bots/words.py": 'WORD = "one"\n',
        "bots/echo.py": SAYS.replace('"{}"', "WORD").replace(
            "\nfrom", "\nfrom bots.words import WORD\nfrom", 1
        ),
    }
    async with open_dev(tmp_path, "bots.echo:Echo", files=files) as dev:
        await answers(dev, "one")
        dev.save("bots/words.py", 'WORD = "two"\n')
        assert "words.py" in await dev.restarted()
        await answers(dev, "two")


async def test_resources_count_and_notes_do_not(tmp_path: Path) -> None:
    """Of other files only those in ``resources``; a folder that is new is seen."""
    async with open_dev(tmp_path, files={"service.py": ONE, "notes.txt": ""}) as dev:
        dev.save("notes.txt", "more")
        dev.save("resources/list.txt", "one\n")
        assert "changed resources/list.txt -> " in await dev.restarted()
        dev.save("notes.txt", "yet more")
        dev.save("resources/list.txt", "two\n")
        assert "changed resources/list.txt -> " in await dev.restarted()


async def test_records_and_the_service_id_are_kept(tmp_path: Path) -> None:
    """The stores are released before the new code opens them."""
    counter = """
from moobius_trio import MoobiusService, container


class Counter(MoobiusService):
    counts = container(int)

    async def on_start(self) -> None:
        self.counts["starts"] = self.counts.get("starts", 0) + 1

    async def on_msg_up(self, msg_up) -> None:
        await self.reply(msg_up, f"starts: {self.counts['starts']}, {self.service_id}")
"""
    async with open_dev(tmp_path, files={"service.py": counter}) as dev:
        service_id = dev.ready["services"][0]["service_id"]
        for number in (2, 3):
            dev.save("service.py", counter + "# saved\n" * number)
            await dev.restarted()
            await answers(dev, f"starts: {number}, {service_id}")


async def test_without_reload_a_save_changes_nothing_and_a_crash_ends_it(tmp_path: Path) -> None:
    """As a program would run it: the exit code tells of the crash."""
    text = ONE.replace('await self.reply(msg_up, "one")', "raise SystemExit(3)")
    async with open_dev(tmp_path, "service.py", "--no-reload", files={"service.py": text}) as dev:
        assert len(dev.children()) == 1
        dev.save("service.py", TWO)
        async with open_user(dev.url, "alice") as alice:
            await alice.say("go")
            assert await dev.wait() == 3
    assert "SystemExit: 3 (service.py:7)" in dev.errors
    assert "restarted" not in dev.errors
