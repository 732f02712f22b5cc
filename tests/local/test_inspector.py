"""What the inspector knows of the frames of a real service: cause, handler, records, error."""

from __future__ import annotations

import json

import trio

from moobius_trio import (
    Action,
    Band,
    Feature,
    FeatureArgument,
    FeatureCall,
    MessageUp,
    MoobiusService,
    container,
)
from moobius_trio.local import Inspected
from moobius_trio.testing.actors import SERVICE, Actor
from moobius_trio.testing.harness import Local
from moobius_trio.types import FeatureCallArgument, UserAction

LINK = ("ping", "user_login", "service_login", "copy_client")
KEY = Feature(
    feature_id="key",
    button_text="Key",
    arguments=[FeatureArgument(name="wait", type="string", placeholder="")],
)


class Counting(Band):
    counts = container(int)


class Service(MoobiusService[Counting]):
    async def on_msg_up(self, msg_up: MessageUp) -> None:
        if msg_up.text == "fail":
            await self.reply(msg_up, "before")
            raise ValueError("no luck")
        counts = self.bands[msg_up.channel_id].counts
        counts[msg_up.sender] = counts.get(msg_up.sender, 0) + 1
        if msg_up.text == "two":
            await self.reply(msg_up, "first")
        if msg_up.text != "nothing":
            await self.reply(msg_up, f"to {msg_up.text}")

    async def on_fetch_features(self, action: Action) -> None:
        await trio.sleep(1)
        await self.bands[action.channel_id].send_update_features([KEY], action.sender)

    async def on_feature_call(self, call: FeatureCall) -> None:
        await trio.sleep(float(call.values["wait"]))
        await self.reply(call, f"waited {call.values['wait']}")


def seen(local: Local) -> list[Inspected]:
    """Frames that are not the link's own, oldest first."""
    return [each for each in local.platform.inspector.kept if each.type_ not in LINK]


def ups(local: Local, type_: str) -> list[Inspected]:
    return [each for each in seen(local) if each.direction == "up" and each.type_ == type_]


def caused_by(local: Local, up: Inspected) -> list[Inspected]:
    return [each for each in seen(local) if each.cause == up.n]


async def press(actor: Actor, wait: str) -> None:
    """Press the key and wait for the platform's receipt only."""
    await actor._command(
        FeatureCall(
            feature_id="key",
            channel_id=actor.channel_id,
            sender=actor.user_id,
            arguments=[FeatureCallArgument(name="wait", value=wait)],
        )
    )


async def test_a_message_has_its_handler_and_what_it_caused_under_it(local: Local) -> None:
    """Both directions with sender, recipients, names, sizes and the text as it was."""
    band = await local.start(Service())
    alice, _ = await band.join("Alice", "Bob")
    await alice.say("two", to=SERVICE)
    [up] = ups(local, "msg_up")
    assert (up.direction, up.subtype, up.band) == ("up", "text", "local-demo")
    assert (up.from_, up.to) == (alice.user_id, ("service",))
    assert up.names == {alice.user_id: "Alice"}
    assert (up.handler, up.records, up.error, up.refused) == ("Service.on_msg_up", 1, "", "")
    assert up.milliseconds is not None
    assert '"text":"two"' in up.frame
    assert up.size == len(up.frame)
    first, second = caused_by(local, up)
    assert '"first"' in first.frame
    assert '"to two"' in second.frame
    assert (first.direction, first.type_, first.from_) == ("down", "msg_down", "service")
    assert (first.to, first.names) == ((alice.user_id,), {alice.user_id: "Alice"})
    assert (first.handler, first.records) == ("Service.on_msg_up", 1)
    assert first.milliseconds is not None
    assert up.n < first.n < second.n


async def test_a_handler_that_fails_says_so_at_the_frame_that_it_took(local: Local) -> None:
    """And what it said before stands under it."""
    local.keep_failures = True
    [alice] = await (await local.start(Service())).join("Alice")
    await alice.say("fail", to=SERVICE)
    [up] = ups(local, "msg_up")
    assert up.error == "ValueError: no luck"
    assert [each.error for each in caused_by(local, up)] == [""]


async def test_a_handler_that_says_nothing_is_told_of_too(local: Local) -> None:
    """Its frame gets handler, time and records, and has nothing under it."""
    [alice] = await (await local.start(Service())).join("Alice")
    await alice.say("nothing", to=SERVICE)
    [up] = ups(local, "msg_up")
    assert (up.handler, up.records) == ("Service.on_msg_up", 1)
    assert caused_by(local, up) == []


async def test_each_of_several_people_at_once_causes_their_own(local: Local) -> None:
    """Key presses have no id: handlers that run at the same time are still told apart."""
    band = await local.start(Service(), lanes="sender")
    people = await band.join("Alice", "Bob", "Carol")
    for actor, waits in zip(people, ("3", "2", "1"), strict=True):
        for wait in (waits, "0"):
            await press(actor, wait)
    await local.until(lambda: all(len(actor.texts) == 2 for actor in people))
    presses = ups(local, "feature_call")
    assert len(presses) == 6
    for each in presses:
        [down] = caused_by(local, each)
        assert down.to == (each.from_,)
        waited = json.loads(each.frame)["body"]["arguments"][0]["value"]
        assert json.loads(down.frame)["body"]["content"]["text"] == f"waited {waited}"
        assert each.handler == "Service.on_feature_call"
        assert each.subtype == "key"


async def test_requests_answered_by_one_run_leave_nothing_for_the_next(local: Local) -> None:
    """A service answers requests for the same screen that wait together once; the one after them
    causes its own answer."""
    [alice] = await (await local.start(Service())).join("Alice")
    request = UserAction(subtype="fetch_features", channel_id=alice.channel_id)
    before = len(ups(local, "action"))
    for _ in range(3):
        await alice._command(request)
    await alice.say("nothing", to=SERVICE)
    await alice.fetch("fetch_features")
    effects = [len(caused_by(local, each)) for each in ups(local, "action")[before:]]
    assert effects == [1, 0, 1, 1]
