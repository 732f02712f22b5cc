"""Chromium, the demo, and two people who look at it with one browser context each."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from moobius_trio.testing.browsing import Desk, Person, find_chromium, open_chromium
from moobius_trio.testing.commands import open_command

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SCREENSHOTS = "MOOBIUS_SCREENSHOTS"
"""The variable that names a folder for the pictures; otherwise they lie in pytest's own."""


def cannot_run(reason: str) -> NoReturn:
    """Skip; but where everything has to run, fail."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}, and CI is set")
    pytest.skip(reason)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser of this machine, without a window."""
    if importlib.util.find_spec("playwright") is None:
        cannot_run("playwright is not installed")
    program = find_chromium()
    if program is None:
        cannot_run("Chromium is not installed")
    with open_chromium(program) as browser:
        yield browser


@pytest.fixture
def desk(chromium: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """A desk; at the end nothing may have gone wrong on any page."""
    pictures = Path(os.environ.get(SCREENSHOTS) or tmp_path / "screenshots")
    pictures.mkdir(parents=True, exist_ok=True)
    desk = Desk(chromium, pictures, request.node.name)
    try:
        yield desk
    finally:
        desk.close()
    assert desk.wrong == []


@pytest.fixture
def demo(tmp_path: Path, desk: Desk) -> Iterator[str]:
    """The demo as ``moobius-trio demo`` starts it; its URL. Everybody has gone before it ends."""
    options = ("--port", "0", "--no-browser", "--ready-json", "--state", tmp_path / "state")
    with open_command("demo", *options, cwd=tmp_path) as command:
        yield command.ready()["url"]
        desk.close()
        ended = command.stop()
    assert ended.code == 0
    assert "Traceback" not in ended.errors
    assert "[error" not in ended.errors


@pytest.fixture
def alice(demo: str, desk: Desk) -> Person:
    """The first one in the demo's band."""
    return desk.sit_down(demo, "alice")


@pytest.fixture
def bob(demo: str, desk: Desk, alice: Person) -> Person:
    """The second one; both see each other when the test begins."""
    bob = desk.sit_down(demo, "bob")
    for person in (alice, bob):
        person.sees("Alice", "Bob")
        person.hears("Bob joined the band!")
        person.keys.nth(1).wait_for()
    return bob
