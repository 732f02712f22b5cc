"""The demo on the page, as two people see it: docs/protocol/generation-0.md section 5, row by row.

What must not arrive is proven by a later message that did.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from moobius_trio.testing.browsing import Desk, Person

pytestmark = pytest.mark.browser

SERVICE = "Service (∞)"
MAGIC = "Do Some Magic"
SWAP = "Swap Stage"
LIGHT, DARK = "Let There Be Light!", "Let There Be Dark!"

PICTURE = Path(__file__).parents[2] / "projects" / "demo" / "resources" / "wand.png"


def heard_nothing_else(person: Person, *articles: str) -> None:
    """After one more message of their own, a person's newest messages are exactly these."""
    person.say("that was all", SERVICE)
    person.message("You to the Service, text, sent up").get_by_text("that was all").wait_for()
    names = [
        person.messages.nth(index).get_attribute("aria-label")
        for index in range(person.messages.count())
    ]
    assert names[-len(articles) - 1 : -1] == list(articles)


def test_who_joins_is_announced_to_all(demo: str, desk: Desk) -> None:
    """Alice first, then Bob; both have list, keys and the light stage."""
    from playwright.sync_api import expect

    alice = desk.sit_down(demo, "alice")
    alice.hears("Alice joined the band!", "Alice to 1, text")
    alice.sees("Alice")
    bob = desk.sit_down(demo, "bob")
    for person in (alice, bob):
        person.hears("Bob joined the band!", "Bob to 2, text")
        person.sees("Alice", "Bob")
        person.stage.get_by_text(LIGHT).wait_for()
        person.loaded(person.stage.get_by_role("img"))
        for number, key in enumerate((MAGIC, SWAP)):
            expect(person.keys.nth(number)).to_have_accessible_name(key)
    assert bob.messages.get_by_text("Alice joined").count() == 0


def test_the_word_moobius_becomes_praise(alice: Person, bob: Person) -> None:
    """In any case of its letters, spoken as the one who said it."""
    alice.say("MooBius", "All")
    for person in (alice, bob):
        person.hears("Moobius is Great!", "Alice to 2, text")


def test_other_text_is_passed_on_to_who_was_picked(alice: Person, bob: Person) -> None:
    """To Bob alone, to both, and to nobody when it is for the Service."""
    alice.say("psst", "Bob")
    bob.hears("psst", "Alice to 1, text")
    alice.say("hello all", "All")
    for person in (alice, bob):
        person.hears("hello all", "Alice to 2, text")
    heard_nothing_else(alice, "You to 1, text, sent up", *BOTH)
    heard_nothing_else(bob, "Alice to 1, text", "Alice to 2, text")


BOTH = ("You to 2, text, sent up", "Alice to 2, text")


def test_a_picture_goes_to_all_but_its_sender(alice: Person, bob: Person) -> None:
    """Bob sees it; Alice has only what she sent up, shown at once."""
    alice.pick("All")
    alice.page.get_by_label("File to send").set_input_files(PICTURE)
    bob.loaded(bob.message("Alice to 1, image").get_by_role("img", name="Picture from Alice"))
    alice.loaded(alice.message("You to 2, image, sent up").get_by_role("img"))
    heard_nothing_else(alice, "Bob to 2, text", "You to 2, image, sent up")


def test_keys_are_hidden_and_shown_for_one_user(alice: Person, bob: Person) -> None:
    """By a word to the Service; a reload keeps them hidden; Bob's stay."""
    alice.say("Hide", SERVICE)
    alice.keys.first.wait_for(state="detached")
    alice.page.reload()
    alice.sees("Alice", "Bob")
    alice.stage.get_by_text(LIGHT).wait_for()
    assert alice.keys.count() == 0
    assert bob.keys.count() == 2
    alice.say("show", SERVICE)
    alice.keys.nth(1).wait_for()


def test_mickeys_appear_for_one_user_and_talk(desk: Desk, alice: Person, bob: Person) -> None:
    """The first key: none to talk yet, then one by one up to five, then a notice, then a reset."""
    alice.press(MAGIC)
    alice.page.get_by_role("dialog", name=MAGIC).get_by_role("combobox").wait_for()
    desk.take_pictures("dialog")
    alice.page.keyboard.press("Escape")
    alice.press(MAGIC, "Talk")
    alice.hears("Please Create Mickey First!", "Alice to 1, text")
    alice.press(MAGIC, "Mickey")
    alice.sees("Alice", "Bob", "Mickey 0")
    alice.press(MAGIC, "Mickey")
    alice.sees("Alice", "Bob", "Mickey 0", "Mickey 1")
    alice.press(MAGIC, "Talk")
    alice.hears("Mickey 1 Here!", "Mickey 1 to 1, text")
    desk.take_pictures("two-mickeys")
    for number in range(2, 5):
        alice.press(MAGIC, "Mickey")
        alice.characters.get_by_text(f"Mickey {number}", exact=True).wait_for()
    alice.press(MAGIC, "Mickey")
    alice.hears("You have reached the limit of Mickey!", "Alice to 1, text")
    desk.take_pictures("five-mickeys")
    heard_nothing_else(bob, "Bob to 2, text")
    alice.say("a later message", "Bob")
    bob.hears("a later message")
    assert bob.characters.count() == 2
    alice.say("reset", SERVICE)
    alice.sees("Alice", "Bob")


def test_the_stage_is_swapped_for_one_user(desk: Desk, alice: Person, bob: Person) -> None:
    """The second key: the other picture and caption, and the picture as a message to oneself."""
    alice.press(SWAP)
    alice.stage.get_by_text(DARK).wait_for()
    alice.loaded(alice.message("Alice to 1, image").get_by_role("img", name="Picture from Alice"))
    alice.say("a later message", "All")
    bob.hears("a later message")
    assert bob.stage.get_by_text(LIGHT).count() == 1
    desk.take_pictures("dark")
    alice.press(SWAP)
    alice.stage.get_by_text(LIGHT).wait_for()
    heard_nothing_else(bob, "Bob to 2, text", "Alice to 2, text")


def test_who_leaves_is_announced_to_the_rest(desk: Desk, alice: Person, bob: Person) -> None:
    """Bob sees it and the shorter list; Alice can come back, and is announced again."""
    alice.page.get_by_role("button", name="Leave").click()
    bob.hears("Alice left the band!", "Alice to 1, text")
    bob.sees("Bob")
    alice.page.get_by_text("You have left local-demo.").wait_for()
    desk.take_pictures("left")
    alice.page.reload()
    alice.page.get_by_role("button", name="Join").click()
    for person in (alice, bob):
        person.hears("Alice joined the band!", "Alice to 2, text")
        person.sees("Bob", "Alice")


def test_a_reload_keeps_membership_and_history(alice: Person, bob: Person) -> None:
    """Nobody is announced again, nothing said is lost, and the stage is as it was."""
    alice.press(SWAP)
    alice.message("Alice to 1, image").wait_for()
    alice.say("before the reload", "All")
    alice.hears("before the reload", "Alice to 2, text")
    before = alice.messages.count()
    alice.page.reload()
    alice.hears("before the reload", "Alice to 2, text")
    alice.stage.get_by_text(DARK).wait_for()
    alice.sees("Alice", "Bob")
    assert alice.messages.count() == before
    heard_nothing_else(bob, "Bob to 2, text", "Alice to 2, text")


TEXTS = (
    "<script>window.hurt = 1</script>",
    "<img src=x onerror='window.hurt = 1'>",
    "<b onmouseover=window.hurt=1>&lt;bold&amp;",
    "javascript:window.hurt=1",
    "https://elsewhere.example/a?b=<i>c</i>",
    "${window.hurt = 1} {{7*7}} \u202eevil \x00 \U0001f600",
)


def test_text_is_text(alice: Person, bob: Person) -> None:
    """What looks like markup or an address is shown as it was written, and does nothing."""
    from playwright.sync_api import expect

    for count, text in enumerate(TEXTS, start=1):
        alice.say(text, "All")
        for person in (alice, bob):
            said = person.message("Alice to 2, text")
            expect(said).to_have_count(count)
            shown = said.last.locator("p").last
            assert shown.inner_text() == text
            assert shown.locator("*").count() == 0
            assert person.page.evaluate("window.hurt") is None
