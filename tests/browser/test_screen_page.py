"""What generation 1 adds to the screen: moobius_trio/local/page/README.md.

The service is tests/browser/room/showcase.py, in a room of its own for each test.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from moobius_trio.testing.browsing import Desk, Person
from moobius_trio.testing.rooms import open_room

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = pytest.mark.browser

HERE = Path(__file__).parent
SERVICE = "Service (∞)"


def showcase() -> type:
    """The service's class."""
    spec = importlib.util.spec_from_file_location("showcase", HERE / "room" / "showcase.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["showcase"] = module  # a service finds its folder by it
    spec.loader.exec_module(module)
    found: type = module.Showcase
    return found


@pytest.fixture
def room() -> Iterator[str]:
    """The room's address."""
    with open_room(showcase()()) as url:
        yield url


@pytest.fixture
def alice(room: str, desk: Desk) -> Person:
    """Alice, in the room."""
    alice = desk.sit_down(room, "alice")
    alice.keys.nth(2).wait_for()
    return alice


def newest(person: Person, text: str) -> Locator:
    """The message with this text that came last."""
    return person.messages.filter(has=person.page.get_by_text(text, exact=True)).last


def items(person: Person) -> list[str]:
    """What stands in the menu that is open."""
    menu = person.page.get_by_role("menu", name="Message menu")
    return [text.strip() for text in menu.get_by_role("menuitem").all_inner_texts()]


def choose(person: Person, item: str) -> None:
    menu = person.page.get_by_role("menu", name="Message menu")
    menu.get_by_role("menuitem", name=item).click()


# ---- forms ------------------------------------------------------------------------------------


def test_a_form_has_typed_fields_and_its_own_buttons(alice: Person) -> None:
    """Each value is a text, in order; the button that was pressed is told with them."""
    page = alice.page
    alice.press("Profile")
    dialog = page.get_by_role("dialog", name="About you")
    assert dialog.get_by_role("button").all_inner_texts() == ["Save", "Save as draft", "Not now"]
    dialog.get_by_role("button", name="Save as draft").click()
    who = dialog.get_by_role("textbox", name="who")
    assert who.evaluate("field => field.matches(':invalid') && field === document.activeElement")
    who.fill("Ann")
    dialog.get_by_role("textbox", name="story").fill("one\ntwo")
    dialog.get_by_role("spinbutton", name="age").fill("3.5")
    secret = dialog.get_by_label("secret")
    assert secret.get_attribute("type") == "password"
    secret.fill("hush")
    dialog.get_by_role("combobox", name="dish").select_option("salad")
    dialog.get_by_role("button", name="Save as draft").click()
    dialog.wait_for(state="detached")
    alice.hears(r"profile by draft: ['Ann', 'one\ntwo', '3.5', 'hush', 'salad']")


def test_a_button_that_does_not_submit_only_closes(alice: Person) -> None:
    """Also where required fields are empty; a dialog without buttons has one, `confirm`."""
    page = alice.page
    alice.press("Profile")
    page.get_by_role("button", name="Not now").click()
    page.get_by_role("dialog", name="About you").wait_for(state="detached")
    alice.press("Sure?")
    page.get_by_role("dialog", name="Really?").get_by_role("button", name="Send").click()
    alice.hears("sure by confirm: []")
    assert page.get_by_text("profile by").count() == 0


# ---- menus ------------------------------------------------------------------------------------


def test_a_message_has_the_items_of_its_kind(alice: Person) -> None:
    """What is chosen says of which message: its id, its kind and its content."""
    alice.say("card https://elsewhere.example/menu", SERVICE)
    card = newest(alice, "Soup.")
    card.click(button="right")
    assert items(alice)[-2:] == ["Like", "Report …"]
    choose(alice, "Like")
    alice.hears("like by confirm [] of a known card: Soup.")
    newest(alice, "card https://elsewhere.example/menu").click(button="right")
    choose(alice, "Like")
    alice.hears("like by confirm [] of a known text: card https://elsewhere.example/menu")
    alice.say("file", SERVICE)
    file = newest(alice, "plan.zip")
    file.click(button="right")
    assert items(alice)[-1:] == ["Report …"]
    assert "Like" not in items(alice)
    choose(alice, "Report")
    dialog = alice.page.get_by_role("dialog", name="Report")
    dialog.get_by_role("textbox", name="why").fill("too\nlong")
    dialog.get_by_role("button", name="Send report").click()
    alice.hears(r"report by send ['too\nlong'] of a known file: None")


def test_the_menu_is_reached_by_the_keyboard_and_by_a_finger(alice: Person) -> None:
    """The button of the newest message; a finger that stays and is lifted."""
    page = alice.page
    alice.say("card https://elsewhere.example/menu", SERVICE)
    card = newest(alice, "Soup.")
    card.get_by_role("button", name="Message menu").focus()
    page.keyboard.press("Enter")
    page.get_by_role("menu", name="Message menu").wait_for()
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    alice.hears("like by confirm [] of a known card: Soup.")
    touch = """(card, [kind, at]) => {
      const options = { bubbles: true, pointerType: "touch", clientX: 300, clientY: 300 };
      const event = new PointerEvent(kind, options);
      Object.defineProperty(event, "timeStamp", { value: at });
      card.querySelector(".bubble").dispatchEvent(event);
    }"""
    for lifted, opens in ((1100, False), (1600, True)):
        card.evaluate(touch, ["pointerdown", 1000])
        card.evaluate(touch, ["pointerup", lifted])
        page.evaluate("() => new Promise((done) => setTimeout(done))")
        assert page.get_by_role("menu", name="Message menu").is_visible() is opens


# ---- canvas, keys, cards ----------------------------------------------------------------------


def test_a_canvas_is_scrolled_through(alice: Person) -> None:
    """All items in one box, with how many they are."""
    stage = alice.stage
    stage.get_by_text("3 items").wait_for()
    assert stage.get_by_role("figure").count() == 3
    last = stage.get_by_text("The last item")
    box = alice.page.get_by_role("group", name="On the stage")
    inside = """last => {
      const [item, box] = [last, last.closest(".items")].map((one) => one.getBoundingClientRect());
      return item.top < box.bottom;
    }"""
    assert not last.evaluate(inside)
    box.focus()
    alice.page.keyboard.press("End")
    alice.page.wait_for_function(f"last => ({inside})(last)", arg=last.element_handle())


def test_keys_are_marked_and_hidden(alice: Person) -> None:
    """With the words that the style has for them."""
    marked = alice.keys.filter(has_text="Marked")
    assert marked.inner_text().split() == ["Marked", "press", "me"]
    assert alice.keys.filter(has_text="Hidden").count() == 0


def test_a_card_leads_to_web_pages_alone(alice: Person) -> None:
    """In a tab that knows nothing of this one; any other address is a text."""
    good = ("https://elsewhere.example/menu", "http://elsewhere.example/menu")
    bad = ("javascript:alert(1)", "data:text/html,x", "ftp://elsewhere.example/x")
    for number, link in enumerate((*good, *bad)):
        alice.say(f"card {link} Number {number}", SERVICE)
        heading = alice.page.get_by_role("heading", name=f"Number {number}")
        heading.wait_for()
        card = alice.message("Cook to 1, card").filter(has=heading)
        found = card.get_by_role("link")
        if link in good:
            found.wait_for()  # exactly one
            assert found.inner_text() == "See it"
            assert found.get_attribute("href") == link
            assert found.get_attribute("target") == "_blank"
            assert found.get_attribute("rel") == "noopener noreferrer"
        else:
            card.get_by_text(link).wait_for()
            assert found.count() == 0


# ---- history ----------------------------------------------------------------------------------


def test_older_messages_come_above_and_what_is_read_stays(alice: Person) -> None:
    """A hundred at a time, until there are no more."""
    page = alice.page
    alice.say("many 230", SERVICE)
    alice.hears("line 229")
    page.reload()
    alice.hears("line 229")
    alice.keys.nth(2).wait_for()
    alice.stage.get_by_text("3 items").wait_for()
    assert alice.messages.count() == 100
    older = page.get_by_role("button", name="Older messages")
    older.focus()
    top = page.get_by_text("line 130", exact=True)
    before = top.bounding_box()
    page.keyboard.press("Enter")
    page.get_by_text("line 30", exact=True).wait_for()
    after = top.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 40  # the day's line above it has gone
    assert alice.messages.count() == 200
    older.press("Enter")
    page.get_by_text("many 230", exact=True).wait_for()
    older.wait_for(state="detached")
    log = page.get_by_role("log", name="Messages")
    assert log.evaluate("log => log === document.activeElement")
    lines = [text for text in alice.messages.locator("p").all_inner_texts() if "line" in text]
    assert lines == [f"line {number}" for number in range(230)]


SPY = """
window.__rows = 0;
const write = Date.prototype.toISOString;
Date.prototype.toISOString = function () {
  window.__rows += 1; // each message writes its time
  return write.call(this);
};
"""


def test_one_message_more_does_not_draw_the_others_again(room: str, desk: Desk) -> None:
    """Of three hundred, the new one and the one that was the newest."""
    desk.prepare(SPY, {})
    bob = desk.sit_down(room, "bob")
    bob.keys.nth(2).wait_for()
    bob.say("many 300", SERVICE)
    bob.hears("line 299")
    bob.page.evaluate("window.__rows = 0")
    bob.say("card https://elsewhere.example/", SERVICE)
    newest(bob, "Soup.").wait_for()
    # The own message, its receipt, and the card, with who was the last one each time.
    assert bob.page.evaluate("window.__rows") <= 6


# ---- groups and agents ------------------------------------------------------------------------


def test_a_group_is_made_picked_and_seen(room: str, desk: Desk) -> None:
    """It outlives a reload; its members are the recipients."""
    carol, dave = desk.sit_down(room, "carol"), desk.sit_down(room, "dave")
    page = carol.page
    page.get_by_role("button", name="Write to Dave").wait_for()
    page.get_by_role("button", name="New group").click()
    dialog = page.get_by_role("dialog", name="New group")
    dialog.get_by_role("textbox", name="Name").fill("Us <b>two</b>")
    dialog.get_by_role("button", name="Make").click()
    assert dialog.get_by_role("checkbox").first.evaluate("box => box.matches(':invalid')")
    for name in ("Carol", "Dave"):
        dialog.get_by_role("checkbox", name=name).check()
    dialog.get_by_role("button", name="Make").click()
    row = page.get_by_role("button", name="Write to group Us <b>two</b>")
    row.get_by_text("Carol, Dave").wait_for()
    assert row.get_attribute("aria-pressed") == "true"
    page.reload()
    row.wait_for()
    carol.pick("Us <b>two</b>")
    page.get_by_role("status", name="Goes to").get_by_text("to 2").wait_for()
    carol.page.get_by_role("textbox", name="Message").fill("only us")
    page.keyboard.press("Enter")
    dave.hears("only us", "Carol to 2, text")


def test_the_agents_are_listed_with_what_is_said_of_them(alice: Person) -> None:
    """Those whom the service made, also where they are on nobody's list."""
    page = alice.page
    page.get_by_role("button", name="Agents").click()
    dialog = page.get_by_role("dialog", name=re.compile("Agents of"))
    dialog.get_by_text("Cooks <b>everything</b>").wait_for()
    assert dialog.get_by_role("listitem").count() == 2
    dialog.get_by_role("button", name="Close").click()
    dialog.wait_for(state="detached")


# ---- a service of the other generation --------------------------------------------------------


def test_a_service_in_generation_1_is_seen_alike(desk: Desk) -> None:
    """Its screen, its answers, and in the panel its frames and the steps of a test; a code that
    would be mailed is read there."""
    with open_room(showcase()(), protocol="1.8") as url:
        alice = desk.sit_down(url, "alice", builds=True)
        page = alice.page
        alice.stage.get_by_text("3 items").wait_for()
        assert alice.keys.filter(has_text="Marked").inner_text().split() == [
            "Marked",
            "press",
            "me",
        ]
        alice.press("Sure?")
        page.get_by_role("dialog", name="Really?").get_by_role("button", name="Send").click()
        alice.hears("sure by confirm: []")
        alice.say("card https://elsewhere.example/menu", SERVICE)
        newest(alice, "Soup.").click(button="right")
        choose(alice, "Report")
        dialog = page.get_by_role("dialog", name="Report")
        dialog.get_by_role("textbox", name="why").fill("so")
        dialog.get_by_role("button", name="Send report").click()
        alice.hears("report by send ['so'] of a known card: Soup.")
        row = page.get_by_role("treeitem", name=re.compile("up action menu_item_click")).last
        row.click()
        opened = page.get_by_role("region", name="Frame")
        step = opened.get_by_role("button", name="Copy as test step").get_attribute("title")
        assert step is not None
        assert step.startswith('await alice.choose("report", why="so", bottom_button_id="send")')
        assert '"label": "why"' in str(opened.text_content())
        account = {"username": "new@example.org", "password": "long enough"}
        assert page.request.post(f"{url}/auth/sign_up", data=account).ok
        page.get_by_role("tab", name="Time and faults").click()
        codes = page.get_by_role("region", name="Codes instead of mails")
        codes.get_by_text(re.compile(r"new@example.org, sign up: \d{6}")).wait_for()
        desk.close()


# ---- access -----------------------------------------------------------------------------------


WEAK_CONTRAST = (HERE / "room" / "weak_contrast.js").read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_all_of_it_can_be_read_in_light_and_dark_wide_and_narrow(
    alice: Person, desk: Desk, scheme: str, width: int
) -> None:
    """Forms, menus and cards too: nothing is cut off, nothing has too little contrast."""
    page = alice.page
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 800})
    alice.say("card https://elsewhere.example/menu", SERVICE)
    newest(alice, "Soup.").wait_for()

    def looks_well(what: str) -> None:
        assert page.evaluate(WEAK_CONTRAST) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        desk.take_pictures(f"{scheme}-{width}-{what}")

    looks_well("room")
    for what, name in (("key", "About you"), ("menu", "Message menu")):
        if what == "key":
            alice.press("Profile")
        else:
            newest(alice, "Soup.").click(button="right")
        opened = page.get_by_role("dialog" if what == "key" else "menu", name=name)
        box = opened.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= 800
        looks_well(what)
        page.keyboard.press("Escape")
