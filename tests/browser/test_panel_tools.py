"""Time and faults, the problems of a service, and tapes, on the page of ``moobius-trio dev``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from moobius_trio.testing.browsing import Desk, Person
from moobius_trio.testing.commands import open_command

pytestmark = pytest.mark.browser

ROOM = """
from moobius_trio import Band, MessageUp, MoobiusService, every


class RoomService(MoobiusService):
    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await self.send(self.msg_up_to_msg_down(msg_up))

    @every(hours=1)
    async def strike(self, band: Band) -> None:
        await band.create_message("Bong", band.members)
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The service's file."""
    path = tmp_path / "room.py"
    path.write_text(ROOM)
    return path


@pytest.fixture
def builder(tmp_path: Path, source: Path, desk: Desk) -> Iterator[Person]:
    """Alice on the page of ``dev`` with the panel open."""
    options = ("--port", "0", "--no-browser", "--ready-json")
    with open_command("dev", source, *options, cwd=tmp_path) as dev:
        alice = desk.sit_down(dev.ready()["url"], "alice", builds=True)
        alice.sees("Alice")
        yield alice
        desk.close()
        assert dev.stop().code == 0


def show(person: Person, tab: str) -> None:
    """Open a tab of the panel."""
    person.page.get_by_role("tab", name=tab).click()


def press(person: Person, name: str) -> None:
    """Press the button of exactly this name."""
    person.page.get_by_role("button", name=name, exact=True).click()


def test_time_and_faults(desk: Desk, builder: Person) -> None:
    """Jobs run when asked and when their clock is put forward; what was broken mends itself."""
    from playwright.sync_api import expect

    alice, page = builder, builder.page
    show(alice, "Time and faults")
    press(alice, "Run strike now")
    expect(alice.messages).to_have_count(1)
    press(alice, "+1 h")
    expect(alice.messages).to_have_count(2)
    expect(page.get_by_text("The jobs' clock is 1 h ahead.")).to_be_visible()
    press(alice, "Restart")
    expect(page.get_by_text("Restarted 1 time")).to_be_visible()
    for number, fault in enumerate(("Drop socket", "Expire token", "0.2 s", "Off")):
        press(alice, fault)
        page.get_by_role("button", name="Dismiss the news").click()
        press(alice, "Run strike now")
        expect(alice.messages).to_have_count(3 + number)
    desk.take_pictures("tools")
    press(alice, "Reset band…")
    dialog = page.get_by_role("dialog", name="Reset local-demo?")
    dialog.get_by_role("button", name="Cancel").click()
    assert alice.messages.count() > 0
    press(alice, "Reset band…")
    dialog.get_by_role("button", name="Reset band").click()
    expect(alice.messages).to_have_count(0)


def test_a_problem_of_the_service_is_shown_until_it_is_mended(
    desk: Desk, builder: Person, source: Path
) -> None:
    """With file and line; meanwhile the old code answers."""
    from playwright.sync_api import expect

    alice = builder
    source.write_text(ROOM.replace("(msg_up))", "(msg_up)"))
    problem = alice.page.get_by_role("alert", name="Service problem")
    expect(problem).to_contain_text("SyntaxError")
    expect(problem).to_contain_text("room.py:7")
    problem.get_by_text("Traceback, where it happened first").click()
    expect(problem.locator("pre")).to_contain_text("msg_up_to_msg_down(msg_up)")
    alice.say("the old one", "All")
    alice.hears("the old one", "Alice to 1, text")
    desk.take_pictures("problem")
    source.write_text(ROOM.replace("(msg_up))", "(msg_up, text='new'))"))
    problem.wait_for(state="detached")
    alice.say("the new one", "All")
    alice.hears("new", "Alice to 1, text")


def test_a_tape_is_recorded_and_checked(desk: Desk, builder: Person, source: Path) -> None:
    """The same service plays the same; one that has changed is found out, with what differs."""
    from playwright.sync_api import expect

    alice, page = builder, builder.page
    show(alice, "Tape")
    press(alice, "Record")
    page.get_by_role("button", name="Stop and save").wait_for()
    alice.say("hello", "All")
    alice.hears("hello", "Alice to 1, text")
    with page.expect_download() as download:
        press(alice, "Stop and save")
    tape = source.parent / "tapes" / download.value.suggested_filename
    download.value.save_as(tape)
    outcome = page.get_by_role("status", name="Outcome of the tape")
    page.get_by_label("Tape to check").set_input_files(tape)
    expect(outcome).to_contain_text("The same.")
    source.write_text(ROOM.replace("(msg_up))", "(msg_up, text='howdy'))"))
    show(alice, "Time and faults")
    expect(page.get_by_text("Restarted 1 time")).to_be_visible()
    show(alice, "Tape")
    page.get_by_label("Tape to check").set_input_files(tape)
    expect(outcome).to_contain_text("Not the same")
    expect(outcome).to_contain_text("howdy")
    desk.take_pictures("difference")
