"""The pytest plug-in in a user's bare folder: no setting, no conftest, whatever else is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import attrs
import pytest

import moobius_trio
from moobius_trio.testing.commands import interruptible

ECHO = """
from moobius_trio import MessageUp, MoobiusService

class Echo(MoobiusService):
    async def on_msg_up(self, msg_up: MessageUp) -> None:
        if msg_up.text == "boom":
            raise ValueError("nope")  # the handler's line
        await self.send(self.msg_up_to_msg_down(msg_up))
"""

PLUGIN = "moobius_trio.testing.plugin"


@attrs.frozen
class Report:
    """What a run of pytest said, and how it ended."""

    code: int
    text: str

    @property
    def counts(self) -> dict[str, int]:
        """How many tests passed, failed and so on."""
        summary = self.text.strip().splitlines()[-1]
        return {word: int(count) for count, word in re.findall(r"(\d+) (\w+)", summary)}


def run_pytest(folder: Path, *arguments: str, asyncio: bool = False) -> Report:
    """Run pytest in a folder as a user does, with the package that is tested here.

    With `asyncio` pytest-asyncio counts, which warns of its own settings.
    """
    registered = any(point.name == PLUGIN for point in entry_points(group="pytest11"))
    package = Path(moobius_trio.__file__).parent.parent
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
        "PYTHONPATH": str(package),
    }
    environment.pop("PYTHONSAFEPATH", None)
    command = [
        sys.executable,
        "-m",
        "pytest",
        *(() if registered else ("-p", PLUGIN)),
        *("-p", "no:cacheprovider", "--color=no"),
        *(() if asyncio else ("-p", "no:asyncio")),
        *arguments,
    ]
    done = subprocess.run(
        interruptible(command),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return Report(done.returncode, done.stdout + done.stderr)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a service and nothing else; settings above it do not count."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "echo.py").write_text(ECHO)
    return tmp_path


def test_it_needs_no_setting(folder: Path) -> None:
    """Async tests with the fixture run beside plain ones, in simulated time or over sockets."""
    (folder / "test_echo.py").write_text(
        """
import pytest
import trio
from echo import Echo

async def test_in_memory(local):
    band = await local.start(Echo())
    alice, bob = await band.join("Alice", "Bob")
    await alice.say("hello", to=[bob])
    assert bob.last.text == "hello"
    await local.skip(days=1)

@pytest.mark.local(sockets=True)
async def test_over_sockets(local):
    [alice] = await (await local.start(Echo())).join("Alice")
    await alice.say("hello")
    assert alice.texts == ["hello"]

@pytest.mark.parametrize("word", ["a", "b"])
class TestClass:
    async def test_method(self, local, word, tmp_path):
        [alice] = await (await local.start(Echo(), state=tmp_path)).join("Alice")
        await alice.say(word)
        assert alice.last.text == word

async def test_skips(local):
    pytest.skip("not today")

@pytest.mark.trio
async def test_without_the_fixture():
    await trio.sleep(0)

def test_plain():
    pass
"""
    )
    report = run_pytest(folder, "--strict-markers", "-W", "error")
    assert report.counts == {"passed": 6, "skipped": 1}, report.text
    assert report.code == 0
    assert "local(**options)" in run_pytest(folder, "--markers").text


def test_a_failure_is_shown_by_the_lines_that_matter(folder: Path) -> None:
    """The report has the test's line and the handler's, and neither groups nor the kit's own."""
    (folder / "test_echo.py").write_text(
        """
from echo import Echo

async def test_handler_fails(local):
    [alice] = await (await local.start(Echo())).join("Alice")
    await alice.say("boom")  # the test's line

async def test_assertion_fails(local):
    [alice] = await (await local.start(Echo())).join("Alice")
    await alice.say("hello")
    assert alice.texts == ["goodbye"]

async def test_nothing_came(local):
    [alice] = await (await local.start(Echo())).join("Alice")
    assert alice.last.text

async def test_the_end_fails(local):
    [alice] = await (await local.start(Echo())).join("Alice")
    await alice.say("boom", settle=False)

def test_not_async(local):
    pass
"""
    )
    report = run_pytest(folder)
    assert report.counts == {"failed": 5}, report.text
    for words in (
        '>       await alice.say("boom")  # the test\'s line',
        '>           raise ValueError("nope")  # the handler\'s line',
        "AssertionError: assert ['hello'] == ['goodbye']",
        "AssertionError: Alice has been sent no message",
        "is marked trio but is not async",
    ):
        assert words in report.text
    for words in ("ExceptionGroup", "harness.py", "actors.py"):
        assert words not in report.text


def test_a_project_may_have_a_fixture_of_that_name(folder: Path) -> None:
    """One that replaces ours is left alone; one that builds on ours works."""
    (folder / "test_own.py").write_text(
        """
import pytest

@pytest.fixture
def local():
    return 3

def test_own(local):
    assert local == 3
"""
    )
    (folder / "test_built.py").write_text(
        """
import pytest
from echo import Echo

@pytest.fixture
async def local(local):
    await local.start(Echo())
    return local

async def test_built(local):
    assert local.handle().name == "echo"
"""
    )
    report = run_pytest(folder)
    assert report.counts == {"passed": 2}, report.text


def test_naming_it_twice_is_no_trouble(folder: Path) -> None:
    """The entry point, `-p` and a conftest may all name it."""
    (folder / "conftest.py").write_text(f'pytest_plugins = ["{PLUGIN}"]\n')
    (folder / "test_x.py").write_text("async def test_x(local): pass\n")
    report = run_pytest(folder, "-p", PLUGIN)
    assert report.counts == {"passed": 1}, report.text


@pytest.mark.parametrize("mode", ["strict", "auto"])
@pytest.mark.parametrize("neighbour", ["asyncio", "anyio"])
def test_other_async_plugins_may_be_there(folder: Path, neighbour: str, mode: str) -> None:
    """Also where they take all async tests for theirs; the others stay theirs."""
    if neighbour == "asyncio":
        pytest.importorskip("pytest_asyncio", reason="pytest-asyncio is not installed")
    (folder / "test_echo.py").write_text(
        """
import asyncio
import pytest
from echo import Echo

async def test_in_memory(local):
    [alice] = await (await local.start(Echo())).join("Alice")
    await local.skip(hours=1)

@pytest.mark.local(sockets=True)
async def test_over_sockets(local):
    await local.start(Echo())

@pytest.mark.parametrize("word", ["a", "b"])
class TestClass:
    async def test_method(self, local, word, tmp_path):
        [alice] = await (await local.start(Echo(), state=tmp_path)).join("Alice")
        await alice.say(word)
        assert alice.last.text == word

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.NEIGHBOUR
async def test_of_the_neighbour():
    await asyncio.sleep(0)
""".replace("NEIGHBOUR", neighbour)
    )
    report = run_pytest(
        folder,
        *("-o", f"{neighbour}_mode={mode}", "-W", "error"),
        *(("-o", "asyncio_default_fixture_loop_scope=function") if neighbour == "asyncio" else ()),
        asyncio=neighbour == "asyncio",
    )
    assert report.counts == {"passed": 5}, report.text


def test_anyio_makes_two_of_each_test_but_of_ours(folder: Path) -> None:
    """In its automatic mode; a test of the fixture runs once."""
    (folder / "test_x.py").write_text(
        """
import pytest

@pytest.mark.parametrize("word", ["a", "b"])
async def test_ours(local, word):
    pass

async def test_anyios():
    pass
"""
    )
    report = run_pytest(folder, "-o", "anyio_mode=auto")
    assert report.counts == {"passed": 4}, report.text


def test_without_pytest_trio_it_says_what_to_install(folder: Path) -> None:
    """Other tests run as they do, and those with the fixture fail in one line."""
    (folder / "test_x.py").write_text("async def test_x(local): pass\n\ndef test_plain(): pass\n")
    (folder / "pytest_trio.py").write_text("raise ModuleNotFoundError(name='pytest_trio')\n")
    report = run_pytest(folder, "-p", "no:trio")
    assert "needs pytest-trio: pip install 'moobius_trio[test]'" in report.text
    assert report.counts.get("passed") == 1, report.text
    assert report.code == 1


def test_ctrl_c_ends_the_test_run(folder: Path) -> None:
    """A service under test does not take the signal for its own stop."""
    (folder / "test_x.py").write_text(
        """
import os
import signal
from echo import Echo

async def test_interrupted(local):
    await local.start(Echo())
    os.kill(os.getpid(), signal.SIGINT)
    await local.skip(minutes=1)

async def test_not_reached(local):
    pass
"""
    )
    report = run_pytest(folder)
    assert report.code == pytest.ExitCode.INTERRUPTED, report.text
    assert "KeyboardInterrupt" in report.text
    assert "passed" not in report.counts
