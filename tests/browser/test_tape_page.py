"""A tape recorded by clicking through the demo, checked on the page before and after a change."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from moobius_trio.cli.projects import project_folder
from moobius_trio.tapes import read_tape
from moobius_trio.testing.browsing import Desk, Person
from moobius_trio.testing.commands import open_command, run_command

pytestmark = pytest.mark.browser


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the demo."""
    shutil.copytree(project_folder("demo"), tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def url(copy: Path, desk: Desk) -> Iterator[str]:
    """``moobius-trio dev`` of it; everybody has gone before it ends."""
    options = ("--port", "0", "--no-browser", "--ready-json", "--no-reload")
    with open_command("dev", ".", *options, cwd=copy) as dev:
        yield str(dev.ready()["url"])
        desk.close()
        assert dev.stop().code == 0


def press(person: Person, name: str) -> None:
    """Press the button of exactly this name."""
    person.page.get_by_role("button", name=name, exact=True).click()


def test_a_tape_made_by_clicking(url: str, desk: Desk, copy: Path, tmp_path: Path) -> None:
    """Green for the service of the recording; one word changed, and the frame is named."""
    from playwright.sync_api import expect

    alice = desk.sit_down(url, "alice", builds=True)
    alice.keys.nth(1).wait_for()
    alice.page.get_by_role("tab", name="Tape").click()
    press(alice, "Record")
    alice.page.get_by_role("button", name="Stop and save").wait_for()
    bob = desk.sit_down(url, "bob")
    bob.keys.nth(1).wait_for()
    for person in (alice, bob):
        person.hears("Bob joined the band!")
    alice.press("Do Some Magic", "Mickey")
    alice.sees("Alice", "Bob", "Mickey 0")
    alice.press("Do Some Magic", "Talk")
    alice.hears("Mickey 0 Here!")
    bob.press("Swap Stage")
    bob.stage.get_by_text("Let There Be Dark!").wait_for()
    bob.say("moobius", "All")
    alice.hears("Moobius is Great!")
    with alice.page.expect_download() as downloading:
        press(alice, "Stop and save")
    path = tmp_path / "clicked.jsonl"
    downloading.value.save_as(path)
    tape = read_tape(path.read_text(encoding="utf-8"), "clicked.jsonl")
    assert tape.members == {"local-demo": ("Alice",)}
    assert {event.who for step in tape.steps for event in step.ups} == {"Alice", "Bob"}

    outcome = alice.page.get_by_role("status", name="Outcome of the tape")
    alice.page.get_by_label("Tape to check").set_input_files(path)
    expect(outcome).to_contain_text("The same.", timeout=60_000)

    source = copy / "service.py"
    changed = source.read_text(encoding="utf-8").replace("Moobius is Great!", "Moobius is Good!")
    source.write_text(changed, encoding="utf-8")
    alice.page.get_by_label("Tape to check").set_input_files(path)
    expect(outcome).to_contain_text("Not the same", timeout=60_000)
    expect(outcome).to_contain_text('"Moobius is Great!" became "Moobius is Good!"')
    desk.take_pictures("difference")
    ended = run_command("tape", "check", path, copy, cwd=tmp_path)
    assert ended.code == 1
    assert "Bob says 'moobius' to Alice, Bob" in ended.output


def test_a_tape_is_played_on_the_page(url: str, desk: Desk, tmp_path: Path) -> None:
    """What people did is done again by the same people, and the service answers again."""
    from playwright.sync_api import expect

    alice = desk.sit_down(url, "alice", builds=True)
    alice.keys.nth(1).wait_for()
    alice.page.get_by_role("tab", name="Tape").click()
    press(alice, "Record")
    alice.page.get_by_role("button", name="Stop and save").wait_for()
    alice.say("moobius", "All")
    answers = alice.messages.get_by_text("Moobius is Great!", exact=True)
    expect(answers).to_have_count(1)
    with alice.page.expect_download() as downloading:
        press(alice, "Stop and save")
    path = tmp_path / "again.jsonl"
    downloading.value.save_as(path)
    alice.page.get_by_label("Tape to play").set_input_files(path)
    news = alice.page.get_by_role("status", name="News")
    expect(news).to_have_text("again.jsonl has been played.", timeout=60_000)
    expect(answers).to_have_count(2)
    assert alice.page.get_by_role("alert").count() == 0
