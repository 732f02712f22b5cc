"""Frames that somebody they are meant for will never get: what is reported, and what is not."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
import pytest
import structlog
import trio
from structlog.testing import capture_logs

from moobius_trio import (
    Action,
    Band,
    Character,
    MessageUp,
    MoobiusService,
    NewCharacter,
    UserId,
)
from moobius_trio.testing import SERVICE, Actor, Local
from moobius_trio.testing.core_rig import place


class Speaker(MoobiusService):
    """Does with a message what a test gives it to do."""

    puppet: Character
    work: Callable[[Speaker, Band, MessageUp], Awaitable[object]]

    async def on_start(self) -> None:
        figures = await self.ensure_characters(NewCharacter(key="owl", nickname="Owl"))
        self.puppet = figures["owl"]

    async def on_fetch_user_list(self, action: Action) -> None:
        band = self.bands[action.channel_id]
        await band.send_update_user_list([*band.members.values(), self.puppet], action.sender)

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await self.work(self.bands[msg_up.channel_id], msg_up)  # type: ignore[call-arg]


async def three(local: Local) -> tuple[Speaker, Actor, Actor, Actor]:
    """A service with three people."""
    service = Speaker()
    alice, bob, carol = await (await local.start(service)).join("Alice", "Bob", "Carol")
    return service, alice, bob, carol


def work(service: Speaker, fn: Callable[[Band, MessageUp], Awaitable[object]]) -> None:
    """What the next messages lead to."""
    service.work = fn  # type: ignore[assignment]


async def test_an_empty_list_of_recipients_fails_the_call(local: Local) -> None:
    """The handler, its line, and how many people would have been there are named."""
    service, alice, *_ = await three(local)

    async def to_nobody(band: Band, msg_up: MessageUp) -> None:
        await band.create_message("who is there?", [])

    work(service, to_nobody)
    line = inspect.getsourcelines(to_nobody)[1] + 1
    expected = rf"Speaker\.on_msg_up.*{Path(__file__).name}:{line}\).*a message to nobody, while 3"
    with pytest.raises(AssertionError, match=expected):
        await alice.say("hello")


@pytest.mark.parametrize("name", ["left", "puppet", "nickname"])
async def test_whoever_gets_nothing_is_named_with_the_reason(local: Local, name: str) -> None:
    """One who left, a character of the service's own, and a nickname instead of an id."""
    service, alice, bob, carol = await three(local)
    await carol.leave()
    who, reason = {
        "left": (carol.user_id, r"\(Carol\), who has left"),
        "puppet": (service.puppet.user_id, "a character of the service's own"),
        "nickname": (UserId("Bob"), "'Bob', which is the id of nobody there"),
    }[name]

    async def speak(band: Band, msg_up: MessageUp) -> None:
        await band.create_message("psst", [bob.user_id, who])

    work(service, speak)
    with pytest.raises(AssertionError, match=reason):
        await alice.say("hello", to=[bob])
    assert bob.last.text == "psst"
    (unheard,) = local.unheard
    assert (unheard.handler, unheard.recipients) == ("Speaker.on_msg_up", (who,))


async def test_screens_are_looked_at_as_well(local: Local) -> None:
    """Keys, stage, style and lists for one who is not there."""
    service, alice, *_ = await three(local)
    local.keep_unheard = True

    async def show(band: Band, msg_up: MessageUp) -> None:
        await band.send_update_features([], UserId("nobody"))
        await band.send_update_user_list([], UserId("nobody"))

    work(service, show)
    await alice.say("hello")
    assert [one.reason.split(" to ")[0] for one in local.unheard] == ["keys", "a character list"]


async def test_whom_a_person_picked_is_that_persons_choice(local: Local) -> None:
    """Passed on or answered to those who were picked, also by a task, nothing is reported."""
    service, alice, bob, carol = await three(local)

    async def answer(msg_up: MessageUp) -> None:
        await trio.sleep(10)
        await service.create_message(msg_up.channel_id, "later", msg_up.recipients)

    async def pass_on(band: Band, msg_up: MessageUp) -> None:
        await service.send(service.msg_up_to_msg_down(msg_up, remove_self=True))
        await band.create_message("said", msg_up.recipients)
        service.start_soon(answer, msg_up)

    work(service, pass_on)
    await carol.leave()
    for to in ([bob, carol], [service.puppet], [alice], SERVICE):
        await alice.say("hello", to=to)
        await local.skip(seconds=20)
    assert local.unheard == []
    assert bob.texts == ["hello", "said", "later"]


async def test_all_the_others_may_be_nobody(local: Local) -> None:
    """With one person in the band, or none, a frame for all others is for nobody, rightly."""
    service = Speaker()
    [alice] = await (await local.start(service)).join("Alice")

    async def to_the_others(band: Band, msg_up: MessageUp) -> None:
        await band.create_message("hi", [one for one in band.members if one != msg_up.sender])

    work(service, to_the_others)
    await alice.say("hello", to=SERVICE)
    await alice.say("hello", to=[service.puppet])
    await alice.leave()
    assert local.unheard == []


async def test_without_a_kit_the_log_says_it_once_for_each_place(local: Local) -> None:
    """A service goes on as before; a line of code that errs for each event is named once."""
    service = Speaker()
    place(local, service)

    async def to_nobody(band: Band, msg_up: MessageUp) -> None:
        await band.create_message("one", UserId("Bob"))
        await band.create_message("other", UserId("Bob"))

    work(service, to_nobody)
    service._environment = attrs.evolve(service._environment, on_unheard=None)
    async with trio.open_nursery() as nursery:
        handle = await nursery.start(service.serve)
        [alice] = await local.band("local-demo").join("Alice")
        with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
            for _ in range(3):
                await alice.say("hello", to=SERVICE)
                await trio.sleep(1)
        await handle.stop()
    lines = [log for log in logs if log["event"] == "a frame that somebody will not get"]
    assert [log["log_level"] for log in lines] == ["warning"] * 2
    assert {log["handler"] for log in lines} == {"Speaker.on_msg_up"}
    assert len({log["where"] for log in lines}) == 2
