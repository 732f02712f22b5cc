"""Somebody of another machine opens the link that the terminal shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from moobius_trio.testing.browsing import Desk
from moobius_trio.testing.commands import open_command

pytestmark = pytest.mark.browser

OTHER = "127.0.0.2"
OPTIONS = ("--port", "0", "--no-browser", "--ready-json", "--state", "state")


def test_a_guest_comes_in_by_the_link_alone(desk: Desk, tmp_path: Path) -> None:
    """Without the token there is a door; with it the page, its sockets and its pictures work, and
    the address shows it no more."""
    with open_command("demo", *OPTIONS, "--host", OTHER, "--i-know", cwd=tmp_path) as demo:
        outside = demo.ready()["url"].replace("127.0.0.1", OTHER)
        found = re.search(r"/#(token=\S+)", demo.errors)
        assert found is not None
        stranger = desk.open_page(outside, "/?as=alice", "stranger")
        stranger.get_by_text("Open this page by the link that the terminal").wait_for()
        stranger.goto(f"{outside}/?as=alice#token=wrong")
        stranger.reload()
        stranger.get_by_text("The token of this link is good no more.").wait_for()
        alice = desk.sit_down(outside, "alice", fragment=found[1], builds=True)
        assert "token" not in alice.page.url
        assert alice.page.get_by_text("Builder's panel").count() == 0
        alice.sees("Alice")
        alice.loaded(alice.stage.get_by_role("img"))
        alice.say("hello from afar", "All")
        alice.hears("hello from afar", "Alice to 1, text")
        assert alice.page.evaluate("document.cookie") == ""
        alice.page.reload()
        alice.hears("hello from afar", "Alice to 1, text")
        desk.close()
        ended = demo.stop()
    assert ended.code == 0
    assert ended.errors.count(found[1].partition("=")[2]) == 2  # the link and the address
    # What a browser says of the door: that it was answered with 403.
    desk.wrong = [line for line in desk.wrong if "status of 403" not in line]
