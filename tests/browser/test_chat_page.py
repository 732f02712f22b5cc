"""Each part of the chat, with three people in one room: moobius_trio/local/page/README.md.

The room is tests/browser/room/room.py, started once; what one test says is no other test's word.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from moobius_trio.testing.browsing import Desk, Person
from moobius_trio.testing.commands import open_command

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, WebSocketRoute

pytestmark = pytest.mark.browser

HERE = Path(__file__).parent
PICTURE = HERE.parents[1] / "projects" / "demo" / "resources" / "wand.png"
SERVICE = "Service (∞)"


@attrs.frozen(kw_only=True)
class Room:
    """Three people, each with a browser of their own, and where they are."""

    url: str
    desk: Desk
    alice: Person
    bob: Person
    carol: Person


def make_project(folder: Path, url: str, *channels: str) -> Path:
    """A project whose service is the room, for these bands of the platform there."""
    folder.mkdir()
    shutil.copy(HERE / "room" / "room.py", folder / "service.py")
    shutil.copy(PICTURE, folder)
    settings = {
        "http_server_uri": url,
        "ws_server_uri": url.replace("http", "ws", 1),
        "email": f"{folder.name}@example.org",
        "password": "any",
        "channels": channels,
        "name": folder.name,
    }
    path = folder / "service.json"
    path.write_text(json.dumps(settings))
    path.chmod(0o600)
    return folder


@pytest.fixture(scope="module")
def opened(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """The room in two bands of one platform, open for the whole module."""
    folder = tmp_path_factory.mktemp("chat")
    pictures = Path(os.environ.get("MOOBIUS_SCREENSHOTS") or folder / "screenshots")
    pictures.mkdir(parents=True, exist_ok=True)
    options = ("--port", "0", "--state", folder / "state", "--ready-json")
    bands = ("--band", "second", "--band", "third")
    with open_command("local", *options, *bands, cwd=folder) as local:
        url = local.ready()["url"]
        project = make_project(folder / "room", url, "local-demo", "local-second")
        with open_command("run", project, "--ready-json", cwd=folder) as run:
            run.ready()
            desk = Desk(chromium, pictures, "test_chat_page")
            alice, bob, carol = (desk.sit_down(url, name) for name in ("alice", "bob", "carol"))
            alice.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
            for person in (alice, bob, carol):
                person.sees("Alice", "Bob", "Carol")
                person.keys.nth(1).wait_for()
            yield Room(url=url, desk=desk, alice=alice, bob=bob, carol=carol)
            desk.close()
            ended = run.stop()
        assert ended.code == 0
        assert "Traceback" not in ended.errors, ended.errors
        assert local.stop().code == 0


@pytest.fixture
def room(opened: Room) -> Iterator[Room]:
    """The room; at the end of each test nothing may have gone wrong on any page."""
    yield opened
    wrong, opened.desk.wrong = list(opened.desk.wrong), []
    assert wrong == []


def newest(person: Person, text: str) -> Locator:
    """The message with this text that came last."""
    return person.messages.filter(has=person.page.get_by_text(text, exact=True)).last


def menu_item(page: Page, menu: str, item: str) -> None:
    page.get_by_role("menu", name=menu).get_by_role("menuitem", name=item).click()


# ---- persona ----------------------------------------------------------------------------------


def test_another_user_is_the_next_free_name_in_a_new_tab(room: Room) -> None:
    """A tab is the user that its address names, and stays it over a reload."""
    page = room.alice.page
    page.get_by_role("button", name="You are alice").wait_for()
    link = page.get_by_role("link", name="Open another user")
    for name in ("bob", "carol"):
        assert f"as={name}" in (link.get_attribute("href") or "")
        with page.context.expect_page() as opening:
            link.click()
        opening.value.close()
    page.reload()
    page.get_by_role("button", name="You are alice").wait_for()


def test_a_user_of_any_name_can_be_opened(room: Room) -> None:
    """In a tab of its own, in the same band, where all hear of it."""
    page = room.alice.page
    page.get_by_role("button", name="You are alice").click()
    menu_item(page, "You", "New user…")
    dialog = page.get_by_role("dialog", name="New user")
    dialog.get_by_role("textbox", name="Name").fill("Zoë")
    with page.context.expect_page() as opening:
        dialog.get_by_role("button", name="Open").click()
    zoe = opening.value
    zoe.get_by_role("button", name="You are Zoë").wait_for()
    room.bob.sees("Alice", "Bob", "Carol", "Zoë")
    zoe.get_by_role("button", name="Leave").click()
    room.bob.sees("Alice", "Bob", "Carol")
    zoe.close()


def test_a_nickname_can_be_changed(room: Room) -> None:
    """The page knows it at once, the service when that person joins anew; the name stays."""
    dora = room.desk.sit_down(room.url, "dora")
    page = dora.page
    page.get_by_role("button", name="You are dora").click()
    menu_item(page, "You", "Change nickname…")
    dialog = page.get_by_role("dialog", name="Change nickname")
    nickname = dialog.get_by_role("textbox", name="Nickname")
    assert nickname.input_value() == "Dora"
    nickname.fill("Dörte")
    dialog.get_by_role("button", name="Rename").click()
    page.get_by_role("status", name="Done").get_by_text("You are called Dörte now.").wait_for()
    page.get_by_role("button", name="You are dora (Dörte)").wait_for()
    room.bob.sees("Alice", "Bob", "Carol", "Dora")
    page.get_by_role("button", name="Leave").click()
    page.get_by_role("button", name="Join").click()
    room.bob.sees("Alice", "Bob", "Carol", "Dörte")
    page.get_by_role("button", name="Leave").click()
    room.bob.sees("Alice", "Bob", "Carol")


def test_who_leaves_can_join_again(room: Room) -> None:
    """The others' list shrinks and grows; who is out can read and not write."""
    page = room.carol.page
    page.get_by_role("button", name="Leave").click()
    room.alice.sees("Alice", "Bob")
    page.get_by_text("You have left local-demo.").wait_for()
    assert page.get_by_role("textbox", name="Message").count() == 0
    page.get_by_role("button", name="Join").click()
    room.alice.sees("Alice", "Bob", "Carol")


# ---- band -------------------------------------------------------------------------------------


def test_bands_stand_under_their_services_and_tell_how_those_are(
    room: Room, tmp_path: Path
) -> None:
    """Online, offline, or none yet; a new band has none."""
    page = room.carol.page
    badge = page.get_by_role("status", name="Service")
    choice = page.get_by_role("combobox", name="Band")
    badge.get_by_text("online").wait_for()
    project = make_project(tmp_path / "quiz", room.url, "local-third")
    with open_command("run", project, "--ready-json", cwd=tmp_path) as run:
        run.ready()
        choice.select_option("third")
        badge.get_by_text("quiz").wait_for()
        badge.get_by_text("online").wait_for()
        room.carol.sees("Carol")
        groups = choice.locator("optgroup").evaluate_all("all => all.map(one => one.label)")
        assert groups == ["service room", "service quiz"]
        assert run.stop().code == 0
    badge.get_by_text("offline").wait_for()
    page.get_by_role("button", name="New band").click()
    dialog = page.get_by_role("dialog", name="New band")
    dialog.get_by_role("textbox", name="Name").fill("Attic")
    dialog.get_by_role("button", name="Create").click()
    page.get_by_role("heading", name="Attic").wait_for()
    badge.get_by_text("no service yet").wait_for()
    choice.select_option("local-demo")
    room.carol.sees("Alice", "Bob", "Carol")


def test_the_badge_tells_each_state_of_the_service(room: Room) -> None:
    """What the platform says of it; the list of bands is changed on its way to this page."""
    page = room.carol.page
    badge = page.get_by_role("status", name="Service")
    told: dict[str, Any] = {}

    def watch(route: WebSocketRoute) -> None:
        def pass_on(text: str | bytes) -> None:
            told.update(json.loads(text), route=route)
            route.send(text)

        route.connect_to_server().on_message(pass_on)

    page.route_web_socket(re.compile("/local/watch"), watch)
    page.reload()
    badge.get_by_text("online").wait_for()
    for state in ("crashed", "restarting", "starting", "offline", "online"):
        for band in told["bands"]:
            band.update(state=state, online=state == "online")
        told["route"].send(json.dumps({"bands": told["bands"], "service": None}))
        badge.get_by_text(state, exact=True).wait_for()
    assert "room" in badge.inner_text()


def test_what_is_said_in_another_band_is_counted(room: Room) -> None:
    """And a click leads there."""
    page = room.alice.page
    page.get_by_role("combobox", name="Band").select_option("second")
    page.get_by_role("heading", name="second").wait_for()
    room.alice.sees("Alice")
    room.bob.say("are you there?", "Alice")
    page.get_by_role("button", name="1 new in local-demo").click()
    newest(room.alice, "are you there?").wait_for()
    page.get_by_role("heading", name="local-demo").wait_for()
    assert "band=local-demo" in page.url


# ---- characters and recipients ----------------------------------------------------------------


def test_each_sees_their_own_list_with_puppets_marked(room: Room) -> None:
    """What one was sent and the other was not; a click adds to the recipients and takes away."""
    room.alice.say("ghost", SERVICE)
    room.alice.sees("Alice", "Bob", "Carol", "Ghost")
    room.alice.characters.nth(3).get_by_text("puppet").wait_for()
    assert room.alice.characters.get_by_text("puppet").count() == 1
    assert room.alice.characters.nth(0).get_by_text("you", exact=True).count() == 1
    assert room.bob.characters.count() == 3
    page = room.alice.page
    goes_to = page.get_by_role("status", name="Goes to")
    for name, label in (("Ghost", "to 1"), ("Bob", "to 2"), ("Ghost", "to 1")):
        page.get_by_role("button", name=f"Write to {name}").click()
        goes_to.get_by_text(label, exact=True).wait_for()
    chip = page.get_by_role("group", name="Recipients").get_by_role("button", name="Bob")
    assert chip.get_attribute("aria-pressed") == "true"


def test_the_chips_say_what_goes_on_the_wire(room: Room) -> None:
    """All is everybody on the list, the Service is nobody, and each excludes the rest."""
    page = room.bob.page
    chips = page.get_by_role("group", name="Recipients").get_by_role("button")
    goes_to = page.get_by_role("status", name="Goes to")

    def pressed() -> list[str]:
        on = chips.and_(page.locator("[aria-pressed=true]"))
        return [name.strip() for name in on.locator("bdi").all_inner_texts()]

    for picked, names, label in (
        (("All",), ["All"], "to 3"),
        ((SERVICE,), [SERVICE], "to the Service"),
        (("Alice", "Carol"), ["Alice", "Carol"], "to 2"),
        (("All",), ["All"], "to 3"),
    ):
        room.bob.pick(*picked)
        goes_to.get_by_text(label, exact=True).wait_for()
        assert pressed() == names
    room.bob.say("for the two", "Alice", "Carol")
    room.bob.message("You to 2, text, sent up").get_by_text("for the two").wait_for()
    for person in (room.alice, room.carol):
        person.hears("for the two", "Bob to 2, text")
    assert room.bob.page.get_by_text("for the two").count() == 1


# ---- messages ---------------------------------------------------------------------------------


def test_a_message_names_its_recipients_when_it_is_looked_at(room: Room) -> None:
    """While the number is pointed at, and while the keyboard is on the message."""
    room.bob.say("who gets this?", "Alice", "Carol")
    article = newest(room.alice, "who gets this?")
    article.wait_for()
    names = article.get_by_text("Alice, Carol")
    shown = "element => getComputedStyle(element).opacity"
    assert names.evaluate(shown) == "0"
    article.get_by_text("→ 2").hover()
    room.alice.page.wait_for_function(
        f"element => ({shown})(element) === '1'", arg=names.element_handle()
    )
    assert article.locator("time").get_attribute("datetime")


def test_a_message_is_answered_and_copied_by_its_menu(room: Room) -> None:
    """By a right click and by the button; Escape leaves it; who spoke becomes the recipient."""
    page = room.alice.page
    room.bob.say("<b>copy</b> me", "All")
    article = newest(room.alice, "<b>copy</b> me")
    article.click(button="right")
    menu_item(page, "Message menu", "Copy text")
    page.get_by_role("status", name="Done").get_by_text("Text copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "<b>copy</b> me"
    article.hover()
    article.get_by_role("button", name="Message menu").click()
    menu_item(page, "Message menu", "Copy as JSON")
    page.get_by_role("status", name="Done").get_by_text("JSON copied").wait_for()
    frame = page.evaluate("navigator.clipboard.readText().then(JSON.parse)")
    assert frame["type"] == "msg_down"
    assert frame["body"]["content"] == {"text": "<b>copy</b> me"}
    article.get_by_role("button", name="Message menu").click()
    page.keyboard.press("Escape")
    page.get_by_role("menu", name="Message menu").wait_for(state="detached")
    article.click(button="right")
    menu_item(page, "Message menu", "Reply to Bob")
    page.keyboard.type("here you are")
    page.keyboard.press("Enter")
    room.bob.hears("here you are", "Alice to 1, text")


def test_who_speaks_for_nobody_is_the_service(room: Room) -> None:
    """A message without a sender says so; a reply to it goes to the Service."""
    page = room.carol.page
    room.carol.say("nobody", SERVICE)
    room.carol.hears("Nobody says this.", "Service to 1, text")
    newest(room.carol, "Nobody says this.").click(button="right")
    menu_item(page, "Message menu", "Reply to Service")
    page.get_by_role("status", name="Goes to").get_by_text("to the Service").wait_for()


# ---- keys and stage ---------------------------------------------------------------------------


def test_a_key_asks_for_its_arguments(room: Room) -> None:
    """Each in its own kind of field; required ones are required; Escape sends nothing."""
    page = room.alice.page
    room.alice.press("Order")
    dialog = page.get_by_role("dialog", name="Order")
    dialog.get_by_role("combobox", name="dish").select_option("salad")
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    room.alice.press("Order")
    dialog.get_by_role("combobox", name="dish").select_option("soup")
    dialog.get_by_role("button", name="Send").click()
    whom = dialog.get_by_role("textbox", name="for whom")
    assert whom.evaluate("field => field.matches(':invalid') && field === document.activeElement")
    assert dialog.get_by_role("textbox", name="note (optional)").get_attribute("required") is None
    whom.fill("Bob's <i>mum</i>")
    page.keyboard.press("Enter")
    dialog.wait_for(state="detached")
    room.alice.hears("order: {'dish': 'soup', 'for whom': \"Bob's <i>mum</i>\", 'note': ''}")
    room.alice.press("Wave")
    room.alice.hears("wave: {}")
    assert page.get_by_text("salad", exact=False).count() == 0


def test_the_stage_shows_markdown_and_nothing_of_other_machines(room: Room) -> None:
    """Headings, links and the platform's own picture; markup is text; other pictures are links."""
    stage = room.bob.stage
    stage.get_by_role("heading", name="Menu").wait_for()
    assert stage.locator("em").inner_text() == "Fresh"
    assert stage.locator("b").count() == 0
    stage.get_by_text("<b onclick=hurt()>raw</b>").wait_for()
    links = stage.get_by_role("link")
    assert [link.inner_text() for link in links.all()] == ["elsewhere", "own", "there"]
    for link in links.all():
        assert "noopener" in (link.get_attribute("rel") or "")
        assert link.get_attribute("target") == "_blank"
    room.bob.loaded(stage.get_by_role("img", name="Picture on the stage"))
    room.bob.loaded(stage.get_by_role("img", name="here"))
    assert stage.get_by_role("img").count() == 2


def test_the_stage_is_folded_by_the_service_and_by_the_user(room: Room) -> None:
    """The last word counts, whoever spoke it."""
    page, heading = room.bob.page, room.bob.stage.get_by_role("heading")
    page.get_by_role("button", name="Collapse stage").click()
    heading.wait_for(state="detached")
    room.bob.say("unfold", SERVICE)
    heading.wait_for()
    room.bob.say("fold", SERVICE)
    heading.wait_for(state="detached")
    page.get_by_role("button", name="Expand stage").click()
    heading.wait_for()


# ---- files ------------------------------------------------------------------------------------


def sound(folder: Path) -> Path:
    """A tenth of a second of nothing."""
    path = folder / "beep.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(struct.pack("<800h", *([0] * 800)))
    return path


def test_files_of_each_kind_are_sent_by_the_button(room: Room, tmp_path: Path) -> None:
    """A picture is shown, a sound can be played, anything else is saved under its own name."""
    plan = tmp_path / "plan <b>.html"
    plan.write_text("<script>window.hurt = 1</script>")
    room.alice.pick("Bob")
    chosen = [PICTURE, sound(tmp_path), plan]
    room.alice.page.get_by_label("File to send").set_input_files(chosen)
    bob = room.bob
    bob.loaded(bob.message("Alice to 1, image").last.get_by_role("img", name="Picture from Alice"))
    player = bob.message("Alice to 1, audio").last.get_by_label("Sound from Alice")
    player.wait_for()
    bob.page.wait_for_function("player => player.duration > 0", arg=player.element_handle())
    assert player.get_attribute("controls") is not None
    save = bob.message("Alice to 1, file").last.get_by_role("link", name="Save plan <b>.html")
    with bob.page.expect_download() as saving:
        save.click()
    assert Path(saving.value.path()).read_text() == plan.read_text()
    assert re.fullmatch(r"plan .b.\.html", saving.value.suggested_filename)


TRANSFER = """([event, name, target]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File(["hello"], name, { type: "text/plain" }));
  const options = { bubbles: true, cancelable: true };
  options[event === "paste" ? "clipboardData" : "dataTransfer"] = transfer;
  const kind = event === "paste" ? ClipboardEvent : DragEvent;
  document.querySelector(target).dispatchEvent(new kind(event, options));
}"""


def test_files_are_pasted_and_dropped(room: Room) -> None:
    """Into the message box or anywhere else; while one hovers, the page says what a drop does."""
    page = room.alice.page
    room.alice.pick("Bob")
    page.evaluate(TRANSFER, ["paste", "pasted.txt", "textarea"])
    room.bob.page.get_by_role("link", name="Save pasted.txt").wait_for()
    page.evaluate(TRANSFER, ["dragover", "dropped.txt", "main"])
    page.get_by_text("Drop to send to 1").wait_for()
    page.evaluate(TRANSFER, ["drop", "dropped.txt", "main"])
    room.bob.page.get_by_role("link", name="Save dropped.txt").wait_for()
    assert page.get_by_text("Drop to send to 1").count() == 0


def test_a_file_on_its_way_shows_its_progress_and_can_be_stopped(
    room: Room, tmp_path: Path
) -> None:
    """What was stopped is not sent, and the page says so."""
    page = room.alice.page
    large = tmp_path / "large.bin"
    large.write_bytes(b"\0" * 300_000)
    page.route(re.compile("/bucket/"), lambda route: None)  # it is never answered
    page.get_by_label("File to send").set_input_files(large)
    page.get_by_role("progressbar", name="Sending large.bin").wait_for()
    page.get_by_role("button", name="Do not send large.bin").click()
    page.get_by_role("progressbar").wait_for(state="detached")
    page.get_by_role("status", name="Done").get_by_text("was not sent").wait_for()
    page.unroute_all(behavior="ignoreErrors")


def test_a_file_that_is_too_large_is_refused_in_words(room: Room, tmp_path: Path) -> None:
    """With its size and the limit, before a byte of it has gone."""
    page = room.carol.page
    huge = tmp_path / "huge.bin"
    with huge.open("wb") as file:
        file.truncate(20 * 1024 * 1024 + 1)
    page.get_by_label("File to send").set_input_files(huge)
    said = page.get_by_role("alert").filter(has_text="“huge.bin” (20.0 MB) is too large")
    said.get_by_role("button", name="Dismiss").click()
    said.wait_for(state="detached")


# ---- link -------------------------------------------------------------------------------------


def test_a_reload_brings_everything_back(room: Room) -> None:
    """List, keys, stage, history, and what was written and not sent."""
    person = room.carol
    person.say("before the reload", "All")
    person.hears("before the reload", "Carol to 3, text")
    before = person.messages.count()
    person.page.get_by_role("textbox", name="Message").fill("half a senten")
    person.page.reload()
    person.sees("Alice", "Bob", "Carol")
    person.hears("before the reload", "Carol to 3, text")
    person.keys.nth(1).wait_for()
    person.stage.get_by_role("heading", name="Menu").wait_for()
    assert person.messages.count() == before
    assert person.page.get_by_role("textbox", name="Message").input_value() == "half a senten"
    person.page.get_by_role("textbox", name="Message").fill("")


# ---- access -----------------------------------------------------------------------------------


NAMES_SHOWN = """() => {
  const names = document.activeElement.closest("article").querySelector(".names-of");
  return names.innerText.trim() && getComputedStyle(names).opacity === "1";
}"""
REACHED = (
    *("New band", "You are bob", "Leave", "Open another user", "Write to Alice", "Collapse stage"),
    *("Messages", "Message menu", "Order …", "Wave", "All", SERVICE, "Send a file", "Message"),
)


def test_everything_is_reached_by_the_keyboard(room: Room) -> None:
    """Tab leads round, the focus is always seen, arrows lead through messages and menus."""
    page = room.bob.page
    room.bob.say("by hand", "All")
    newest(room.bob, "by hand").last.wait_for()
    page.get_by_role("combobox", name="Band").focus()
    seen = []
    for _ in range(60):
        name, outline = page.evaluate(
            "() => { const at = document.activeElement, look = getComputedStyle(at);"
            " return [at.getAttribute('aria-label') || at.innerText || at.tagName,"
            " look.outlineStyle !== 'none' && parseFloat(look.outlineWidth) >= 1]; }"
        )
        assert outline, name
        seen.append(" ".join(name.split()))
        if name == "Message menu":
            page.wait_for_function(NAMES_SHOWN)
            page.keyboard.press("ArrowUp")
            page.keyboard.press("ArrowDown")
            page.keyboard.press("Enter")
            page.get_by_role("menu", name="Message menu").wait_for()
            page.keyboard.press("ArrowDown")
            page.keyboard.press("Escape")
            page.get_by_role("menu", name="Message menu").wait_for(state="detached")
        if name == "Send":
            break
        page.keyboard.press("Tab")
    assert [name for name in REACHED if not any(name in each for each in seen)] == []


WEAK_CONTRAST = (HERE / "room" / "weak_contrast.js").read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_it_can_be_read_in_light_and_dark_wide_and_narrow(
    room: Room, scheme: str, width: int
) -> None:
    """Text stands out from its ground, nothing is cut off, and what one needs is on the screen."""
    page = room.alice.page
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 800})
    page.reload()
    room.alice.keys.first.wait_for()
    try:
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(255, 255, 255)") is (scheme == "light")
        assert page.evaluate(WEAK_CONTRAST) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for name in ("Leave", "Send"):
            button = page.get_by_role("button", name=name, exact=True)
            button.click(trial=True)  # nothing covers it
            box = button.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["y"] + box["height"] <= 800
        messages = page.get_by_role("log", name="Messages").bounding_box()
        assert messages is not None
        assert messages["height"] >= 80
        room.desk.take_pictures(f"{scheme}-{width}")
    finally:
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 1280, "height": 800})
