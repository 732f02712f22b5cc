"""The original as a service, with two people of ours in its band: one on each generation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import trio
from original import PASSWORD, Original, open_original
from people import Person, open_person
from report import Report
from service_calls import make_calls, meet_defects
from service_scene import BAND, SCENE, Scene
from service_screen import show_screen

from moobius_trio.types import MessageDown

__all__ = ("play_service",)

PNG: Final = b"\x89PNG\r\n\x1a\n" + bytes(64)
WAV: Final = b"RIFF\x2c\x00\x00\x00WAVEfmt " + bytes(32)
TEXT: Final = b"Notes of the day.\n" * 20


async def play_service(report: Report, python: str, folder: Path, url: str, ca_file: Path) -> None:
    """All of it, with a second start at the end."""
    start = partial(
        open_original,
        report,
        python,
        folder / "service",
        url,
        email="service@example.org",
        channels=[BAND],
        service_mode=True,
    )
    async with start() as original:
        if not await _starts(report, original):
            return
        async with _people(folder, url, ca_file) as (alice, bob):
            scene = Scene(report, original, alice, bob, folder, url, ca_file)
            await _people_act(scene)
            agent = await _agents(scene)
            await _messages(scene, agent)
            await show_screen(scene, agent)
            await make_calls(scene)
            await meet_defects(scene, agent)
            await _ends(scene)
    async with start() as original, report.step(SCENE, "second start", original.logged) as step:
        await original.event("on_start")
        kept = await original.call("stored", BAND, "notes")
        assert kept == {"a": {"n": 1}, "b": [1, 2]}, kept
        step.came("the same service id, and the database has what was stored")
    async with report.step(SCENE, "what it prints keeps the password to itself"):
        assert PASSWORD not in original.output.read_text(encoding="utf-8"), "it is printed"


async def _starts(report: Report, original: Original) -> bool:
    """Whether it runs at all; without that nothing else can be tried."""
    started = False
    async with report.step(SCENE, "start: sign-in, two logins, bind", original.logged) as step:
        await original.event("before_channel_init")
        channel = await original.event("on_channel_init")
        service_id = await original.event("on_start")
        assert channel == BAND
        assert service_id
        started = True
        step.came("before_channel_init, on_channel_checkin, on_channel_init, on_start")
    async with report.step(SCENE, "send_heartbeat", original.logged) as step:
        await original.call("send_heartbeat")
        copy = await original.event("on_copy_client", lambda it: it["origin_type"] == "heartbeat")
        assert copy["status"] is True
        step.came("on_copy_client of the heartbeat")
    return started


@asynccontextmanager
async def _people(folder: Path, url: str, ca_file: Path) -> AsyncIterator[tuple[Person, Person]]:
    async with (
        open_person(folder, url, ca_file, "alice", "0.0.1", BAND) as alice,
        open_person(folder, url, ca_file, "bob", "1.8", BAND) as bob,
    ):
        yield alice, bob


def _by(person: Person) -> Callable[[Any], bool]:
    return lambda event: event["sender"] == person.user_id


async def _people_act(scene: Scene) -> None:
    original, alice, bob = scene.original, scene.alice, scene.bob
    async with scene.step("people join") as step:
        for person in (alice, bob):
            joined = await original.event("on_join", _by(person))
            assert joined["channel_id"] == BAND
            await original.event("on_refresh", _by(person))
        step.came("on_join and on_refresh of both")
    async with scene.step("people speak to the service, which says it again") as step:
        for person in (alice, bob):
            await person.say(BAND, "hello")
            heard = await original.event("on_message_up", _by(person))
            assert (heard["content"]["text"], heard["recipients"]) == ("hello", [])
            assert heard["message_id"]
            echo = await person.seen.first(MessageDown)
            assert (echo.text, echo.sender) == ("hello", person.user_id)
        step.came("on_message_up with no recipients; send_message passes it on to its sender")
    async with scene.step("people speak to each other") as step:
        for person in (alice, bob):
            await person.say(BAND, "psst", scene.everybody)
            heard = await original.event("on_message_up", _by(person))
            assert heard["recipients"] == scene.everybody
        step.came("on_message_up with both recipients in order")


async def _agents(scene: Scene) -> str:
    original = scene.original
    picture = scene.folder / "light.png"
    picture.write_bytes(PNG)
    agent = ""
    async with scene.step("create_agent with a local picture") as step:
        made = await original.call("create_agent", "Mickey", str(picture), "a mouse")
        agent = str(made["character_id"])
        assert (made["name"], made["description"]) == ("Mickey", "a mouse")
        assert made["avatar"].startswith("https://127.0.0.1")
        step.came("a Character with its uploaded picture")
    async with scene.step("update_agent, fetch_agents") as step:
        await original.call("update_agent", agent, made["avatar"], "the mouse", "Mick")
        [found] = await original.call("fetch_agents")
        assert (found["character_id"], found["name"]) == (agent, "Mick")
        step.came("the new name in the list")
    async with scene.step("create_agent without a picture asks nobody else for one"):
        plain = await original.call("create_agent", "Plain")
        assert plain["avatar"].startswith("https://127.0.0.1"), plain["avatar"]
    return agent


async def _messages(scene: Scene, agent: str) -> None:
    original, to = scene.original, scene.everybody
    files = {"picture.png": PNG, "sound.wav": WAV, "notes.txt": TEXT}
    for name, content in files.items():
        (scene.folder / name).write_bytes(content)
    path = {"$": "Path", "path": str(scene.folder / "picture.png")}
    async with scene.step("send_message: text of an agent") as step:
        await original.call("send_message", "hi there", BAND, agent, to)
        heard = await scene.both_hear(lambda it: it.subtype == "text" and it.text == "hi there")
        assert heard.sender == agent
        step.came("both hear it from the agent")
    async with scene.step("send_message: picture by Path") as step:
        await original.call("send_message", path, BAND, agent, to)
        heard = await scene.both_hear(lambda it: it.subtype == "image")
        assert (heard.content.filename, heard.content.size) == ("picture.png", len(PNG))
        step.came("uploaded; path, filename and size")
    async with scene.step("send_message: sound") as step:
        sound = str(scene.folder / "sound.wav")
        await original.call("send_message", sound, BAND, agent, to, "audio")
        heard = await scene.both_hear(lambda it: it.subtype == "audio")
        assert heard.content.size == len(WAV)
        step.came("path, filename and size")
    async with scene.step("send_message: file with a name of its own") as step:
        notes = {"$": "Path", "path": str(scene.folder / "notes.txt")}
        named = {"file_display_name": "today.txt"}
        await original.call("send_message", notes, BAND, agent, to, **named)
        heard = await scene.both_hear(lambda it: it.subtype == "file")
        assert (heard.content.filename, heard.content.size) == ("today.txt", len(TEXT))
        address = heard.content.path
        step.came("path, filename and size")
    async with scene.step("send_message: file by its address, whose size it asks for") as step:
        await original.call("send_message", address, BAND, agent, to, "file")
        heard = await scene.both_hear(lambda it: it.subtype == "file")
        assert heard.content.size == len(TEXT)
        step.came("HEAD gives the size")
    async with scene.step("send_message: card") as step:
        words = ("All about it", "https://example.org/", "A title", "Go there")
        card = dict(zip(("text", "link", "title", "button"), words, strict=True))
        await original.call("send_message", card, BAND, agent, to)
        said = (await scene.both_hear(lambda it: it.subtype == "card")).content
        assert (said.text, said.link, said.title, said.button) == words
        step.came("title, text, link and button")


async def _ends(scene: Scene) -> None:
    original, bob = scene.original, scene.bob
    async with scene.step("its connection is cut") as step:
        original.forget("on_copy_client")
        await scene.cut()
        back = await original.event(
            "on_copy_client", lambda it: it["origin_type"] == "service_login"
        )
        assert back["status"] is True
        await bob.say(BAND, "still there?")
        heard = await original.event("on_message_up", _by(bob))
        assert heard["content"]["text"] == "still there?"
        await bob.seen.first(MessageDown, lambda it: it.text == "still there?")
        step.came("it logs in again, hears what is said then, and answers")
    async with scene.step("a person leaves") as step:
        await bob.leave(BAND)
        left = await original.event("on_leave")
        assert left["sender"] == bob.user_id
        step.came("on_leave")
    async with scene.step("nothing unknown came, and no error was logged meanwhile"):
        with trio.move_on_after(0.3):
            unknown = await original.event("on_unknown_payload")
            raise AssertionError(f"on_unknown_payload: {unknown}")
