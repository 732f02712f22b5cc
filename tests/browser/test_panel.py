"""The builder's panel: frames, what caused them, how they become a test, and one's own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from moobius_trio.testing.browsing import Desk, Person

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = pytest.mark.browser

MAGIC = "Do Some Magic"
DEMO = Path(__file__).parents[2] / "projects" / "demo"


@pytest.fixture
def builder(demo: str, desk: Desk) -> Person:
    """Alice, who has the panel open."""
    return desk.sit_down(demo, "alice", builds=True)


def rows(person: Person, name: str | re.Pattern[str] = "") -> Locator:
    """Rows of the inspector, by a part of their name."""
    return person.page.get_by_role("tree", name="Frames").get_by_role("treeitem", name=name)


def copied(person: Person, button: str) -> str:
    """What is copied by this button."""
    person.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    person.page.get_by_role("button", name=button, exact=True).click()
    person.page.get_by_role("status", name="News").get_by_text("copied").wait_for()
    person.page.get_by_role("button", name="Dismiss the news").click()
    return str(person.page.evaluate("navigator.clipboard.readText()"))


def test_what_a_key_caused_stands_under_it_and_becomes_a_test(
    desk: Desk, builder: Person, tmp_path: Path
) -> None:
    """With handler, time and records; the copied test passes with the service's own code."""
    from playwright.sync_api import expect

    alice = builder
    alice.sees("Alice")
    alice.press(MAGIC, "Mickey")
    alice.sees("Alice", "Mickey 0")
    click = rows(alice, "up feature_call key1")
    expect(click).to_contain_text("DemoService.on_feature_call")
    expect(click).to_contain_text(re.compile(r"\d m?s · 1 record saved"))
    effect = click.locator("xpath=following-sibling::*[1]")
    expect(effect).to_have_accessible_name(re.compile("^down update_userlist, to Alice"))
    expect(effect).to_have_attribute("aria-level", "2")

    click.click()
    frame = alice.page.get_by_role("region", name="Frame", exact=True)
    expect(frame).to_contain_text('"magic_type"')
    assert '"value": "Mickey"' in copied(alice, "Copy as JSON")
    desk.take_pictures("opened")
    assert copied(alice, "Copy as test step").splitlines() == [
        'await alice.click("key1", magic_type="Mickey")',
        'assert alice.names == ["Alice", "Mickey 0"]',
    ]
    alice.press(MAGIC, "Talk")
    alice.hears("Mickey 0 Here!")
    alice.say("hide", "Service (∞)")
    expect(rows(alice, "down update_features")).to_have_count(2)
    test = tmp_path / "test_clicked.py"
    test.write_text(copied(alice, "Copy the list as a test"))
    assert 'assert alice.last.text == "Mickey 0 Here!"' in test.read_text()
    # Like a reader who has saved it beside the service.
    command = [sys.executable, "-m", "pytest", test, "-q", "-p", "moobius_trio.testing.plugin"]
    options = ["-p", "no:cacheprovider", "-o", f"pythonpath={DEMO}", "--rootdir", tmp_path]
    ran = subprocess.run(
        [*command, *options], capture_output=True, text=True, check=False, timeout=60
    )
    assert "1 passed" in ran.stdout, test.read_text() + ran.stdout


def test_the_list_is_mine_or_everyones_filtered_paused_and_cleared(
    desk: Desk, demo: str, builder: Person
) -> None:
    """What Bob says to himself is no business of Alice's until she asks for it."""
    from playwright.sync_api import expect

    alice, bob = builder, desk.sit_down(demo, "bob")
    bob.sees("Alice", "Bob")
    bob.say("to myself", "Bob")
    bob.hears("to myself", "Bob to 1, text")
    alice.say("to all", "All")
    expect(rows(alice, "up msg_up text")).to_have_count(1)
    alice.page.get_by_role("button", name="Everyone's").click()
    expect(rows(alice, "up msg_up text")).to_have_count(2)
    assert rows(alice, "login").count() == 0
    alice.page.get_by_role("checkbox", name="Link frames").check()
    rows(alice, "user_login").first.wait_for()
    alice.page.get_by_role("searchbox", name="Filter frames").fill("to myself")
    expect(rows(alice)).to_have_count(2)
    alice.page.get_by_role("button", name="Pause").click()
    bob.say("to myself again", "Bob")
    paused = alice.page.get_by_role("status", name="The list")
    expect(paused).not_to_have_text("Paused, 0 new")
    expect(rows(alice)).to_have_count(2)
    alice.page.get_by_role("button", name="Go on").click()
    expect(rows(alice)).to_have_count(4)
    alice.page.get_by_role("button", name="Clear").click()
    expect(alice.page.get_by_text("No frame has “to myself” in it.")).to_be_visible()


def test_a_frame_of_ones_own_goes_up_and_a_wrong_one_is_refused(builder: Person) -> None:
    """Taken from a row and changed, it does what it says; what is no frame is refused in words."""
    from playwright.sync_api import expect

    alice, page = builder, builder.page
    alice.sees("Alice")
    alice.say("one", "Alice")
    alice.hears("one", "Alice to 1, text")
    rows(alice, "up msg_up text").click()
    page.get_by_role("button", name="Edit and send").click()
    box = page.get_by_role("textbox", name="Frame to send")
    answer = page.get_by_role("status", name="Answer")
    box.fill(box.input_value().replace('"one"', '"two"'))
    page.get_by_role("button", name="Send frame").click()
    expect(answer).to_have_text("The platform has taken it.")
    alice.hears("two", "Alice to 1, text")
    box.fill('{"type": "msg_up", "request_id": "mine"')
    page.get_by_role("button", name="Send frame").click()
    expect(answer).to_contain_text("Refused: Malformed frame")
    assert page.get_by_role("alert").count() == 0


def test_the_panel_folds_and_is_folded_where_there_is_no_room(builder: Person) -> None:
    """A reload finds it as it was; all of it can be reached by keys."""
    from playwright.sync_api import expect

    alice, page = builder, builder.page
    panel = page.get_by_role("complementary", name="Builder's panel")
    rows(alice).first.wait_for()
    rows(alice).last.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Frame", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name="Frame", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Fold the builder's panel").press("Enter")
    expect(panel).to_have_count(0)
    page.reload()
    unfold = page.get_by_role("button", name="Builder's panel", exact=True)
    unfold.wait_for()
    page.keyboard.press("Escape")
    unfold.press("Enter")
    expect(page.get_by_role("button", name="Fold the builder's panel")).to_be_focused()
    page.evaluate("sessionStorage.clear()")
    page.set_viewport_size({"width": 400, "height": 800})
    page.reload()
    unfold.wait_for()
    expect(panel).to_have_count(0)
    expect(page.get_by_role("textbox", name="Message")).to_be_visible()
