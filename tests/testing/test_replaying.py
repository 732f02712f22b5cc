"""A tape of the demo, recorded in memory, played to the demo and to changed copies of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import trio

from moobius_trio import MessageUp, MoobiusService, every
from moobius_trio.cli.dev import demo_folder
from moobius_trio.cli.loading import load_service
from moobius_trio.errors import UsageError
from moobius_trio.local.inspected import as_plain
from moobius_trio.tapes import Recorder, Tape, Up, compare, read_tape, write_tape
from moobius_trio.testing import SERVICE, Local, check_tape, open_local, replay


async def record_demo() -> Tape:
    """Alice is there when it begins, Bob comes later, and they try every key."""
    async with open_local() as local:
        band = await local.start(load_service(str(demo_folder())))
        [alice] = await band.join("Alice")
        recorder = Recorder(*local.platform.who_is_there(), began=0)

        def listen(news: Any) -> None:
            recorder.feed(as_plain(news))

        with local.platform.inspector.listen(listen):
            [bob] = await band.join("Bob")
            await trio.sleep(1)
            for do in (
                lambda: alice.click("key1", magic_type="Mickey"),
                lambda: alice.click("key1", magic_type="Talk"),
                lambda: bob.click("key2"),
                lambda: bob.say("hello @all"),
                lambda: alice.say("psst", to=alice.character("Mickey 0")),
                lambda: alice.say("reset", to=SERVICE),
                lambda: bob.send_file(demo_folder() / "resources" / "wand.png"),
                lambda: bob.leave(),
            ):
                await do()
                await trio.sleep(10)
        return recorder.tape(
            await local.platform.load_uploads(recorder.uploads),
            ended=local._site.wall_clock_ms(),
            service="demo",
        )


@pytest.fixture(scope="module")
def tape() -> Tape:
    """What was recorded, once written and read."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    return read_tape(write_tape(trio.run(record_demo, clock=clock)), "demo.jsonl")


async def test_the_same_service_shows_the_same(
    tape: Tape, autojump_clock: trio.testing.MockClock
) -> None:
    """Whoever was there when the tape began is there again; files and figures are found again."""
    async with open_local() as local:
        await local.start(load_service(str(demo_folder())))
        seen = await replay(local, tape)
    assert compare(tape, seen) is None
    assert seen.sights(time=False) == tape.sights(time=False) == 16
    assert tape.members == {"local-demo": ("Alice",)}
    assert len(tape.files) == 1


async def test_one_word_is_a_difference(
    tape: Tape, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """It is named with the step, the person, and the place in the frame."""
    shutil.copytree(demo_folder() / "resources", tmp_path / "resources")
    source = (demo_folder() / "service.py").read_text(encoding="utf-8")
    (tmp_path / "service.py").write_text(source.replace(" Here!", " here!"), encoding="utf-8")
    (tmp_path / "demo.jsonl").write_text(write_tape(tape), encoding="utf-8")
    async with open_local() as local:
        await local.start(load_service(str(tmp_path)))
        with pytest.raises(AssertionError) as found:
            await check_tape(local, tmp_path / "demo.jsonl")
    said = str(found.value).splitlines()
    assert said[1] == "step 3: Alice clicks key1 (magic_type=Talk)"
    assert said[-1] == '  at body.content.text: "Mickey 0 Here!" became "Mickey 0 here!"'


class Ticking(MoobiusService):
    """Ticks every ten seconds, and answers in time."""

    word = "tick"

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await self.reply(msg_up, f"{msg_up.text} at {self.now():%H:%M:%S}")

    @every(seconds=10)
    async def tick(self, band: Any) -> None:
        await band.create_message(self.word, band.members)


def ticking_tape() -> Tape:
    def said(text: str, ms: int) -> Up:
        body = {"subtype": "text", "content": {"text": text}, "recipients": []}
        return Up(who="Alice", band="local-demo", ms=ms, frame={"type": "msg_up", "body": body})

    return Tape(
        members={"local-demo": ("Alice",)}, events=(said("a", 500), said("b", 35_000)), ms=41_000
    )


async def test_jobs_run_only_in_the_tapes_own_time(autojump_clock: trio.testing.MockClock) -> None:
    """Without it no time passes; with it they run where they did, and are compared."""
    async with open_local() as local:
        await local.start(Ticking())
        still = await replay(local, ticking_tape())
        assert [down.by for step in still.steps for down in step.downs] == ["", ""]
    async with open_local() as local:
        await local.start(Ticking())
        golden = await replay(local, ticking_tape(), time=True)
    assert [len(step.downs) for step in golden.steps] == [0, 4, 2]
    assert golden.ms == 41_000
    async with open_local() as local:
        await local.start(Ticking())
        assert compare(golden, await replay(local, golden, time=True), time=True) is None
    async with open_local() as local:
        service = Ticking()
        service.word = "tock"
        await local.start(service)
        seen = await replay(local, golden, time=True)
    assert compare(golden, seen) is None
    difference = compare(golden, seen, time=True)
    assert difference is not None
    assert difference.lines[-1] == '  at body.content.text: "tick" became "tock"'


async def test_what_the_platform_refuses_ends_the_play(local: Local) -> None:
    """Somebody speaks on the tape who never came in; one line says so."""
    await local.start(Ticking())
    tape = Tape(events=ticking_tape().events)
    with pytest.raises(UsageError, match=r"^step 1: .*Alice.* not a member of band local-demo"):
        await replay(local, tape)
