"""The service of docs/architecture.md section 1, started with ``dev`` and seen on the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from moobius_trio.testing.browsing import Desk
from moobius_trio.testing.commands import open_command

pytestmark = pytest.mark.browser

DOCS = Path(__file__).parents[2] / "docs"
OPTIONS = ("--no-browser", "--ready-json")


def echo() -> str:
    """The first block of Python in the design."""
    found = re.search(r"```python\n(.*?)```", (DOCS / "architecture.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_first_service_echoes_to_alice_and_bob(desk: Desk, tmp_path: Path) -> None:
    """Typed into an empty folder; both see both, and what Alice says."""
    (tmp_path / "echo.py").write_text(echo())
    with open_command("dev", "echo.py", "--port", "0", *OPTIONS, cwd=tmp_path) as dev:
        url = dev.ready()["url"]
        alice = desk.sit_down(url, "alice")
        bob = desk.sit_down(url, "bob")
        for person in (alice, bob):
            person.sees("Alice", "Bob")
        alice.say("Is anybody there?", "All")
        for person in (alice, bob):
            person.hears("Is anybody there?", "Alice to 2, text")
        desk.take_pictures("heard")
        desk.close()
        assert dev.stop().code == 0


def test_the_page_finds_a_service_that_is_started_again(desk: Desk, tmp_path: Path) -> None:
    """As its author does after each change: the tab stays open, and goes on by itself."""
    (tmp_path / "echo.py").write_text(echo())
    with open_command("dev", "echo.py", "--port", "0", *OPTIONS, cwd=tmp_path) as dev:
        url = dev.ready()["url"]
        alice = desk.sit_down(url, "alice")
        alice.say("one", "All")
        alice.hears("one", "Alice to 1, text")
        assert dev.stop().code == 0
    alice.page.get_by_role("button", name="Try now").wait_for()
    desk.take_pictures("alone")
    changed = echo().replace("(msg_up))", "(msg_up, text=f'{msg_up.text}!'))")
    (tmp_path / "echo.py").write_text(changed)
    port = url.rpartition(":")[2]
    with open_command("dev", "echo.py", "--port", port, *OPTIONS, cwd=tmp_path) as dev:
        dev.ready()
        alice.sees("Alice")
        alice.page.get_by_role("button", name="Try now").wait_for(state="detached")
        alice.say("two", "All")
        alice.hears("two!", "Alice to 1, text")
        desk.close()
        assert dev.stop().code == 0
    # The only thing that a browser says of itself: that nobody answered meanwhile.
    desk.wrong = [line for line in desk.wrong if "ERR_CONNECTION_REFUSED" not in line]
