"""The demo, row by row of docs/protocol/generation-0.md section 5, through the kit in memory.

One source, on both generations: each row holds on either. What the words of one do not have is
said where it matters: names that no screen shows, and that a client asks for all parts at once.

What must not arrive is proven by something later that did. `test_demo_is_tested` runs the rows
against demos with a handler missing, so a row takes the service's class as its argument.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import pytest

from moobius_trio import Content, MessageTooLarge
from moobius_trio.codec import generation0, generation1
from moobius_trio.testing import SERVICE, Actor, Local
from moobius_trio.types import (
    GroupId,
    MessageDown,
    ServiceCommand,
    UpdateFeatures,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
    UserCommand,
    UserId,
)

Demo: TypeAlias = type[Any]
"""The class of the demo, which is found by its path and so unknown to a type checker."""

GENERATIONS = ("0.0.1", "1.8")


@pytest.fixture(
    autouse=True,
    params=[pytest.param(one, marks=pytest.mark.local(protocol=one)) for one in GENERATIONS],
)
def generation(request: pytest.FixtureRequest) -> str:
    """Each row holds for a service of either generation; the people are the same."""
    return str(request.param)


def speaks(local: Local) -> str:
    """The generation of the service that runs, as its calls tell."""
    return "1.8" if local.platform.calls["GET /service/character/list"] else "0.0.1"


FIGURES = ["Mickey 0", "Mickey 1", "Mickey 2", "Mickey 3", "Mickey 4"]
MICKEY = {"magic_type": "Mickey"}
TALK = {"magic_type": "Talk"}
PICTURE = Content(path="https://example.org/cat.png")


async def two(local: Local, demo: Demo) -> tuple[Actor, Actor]:
    """Alice and Bob in the demo's room."""
    alice, bob = await (await local.start(demo())).join("Alice", "Bob")
    alice.messages.clear()
    bob.messages.clear()
    return alice, bob


async def heard_by_both(alice: Actor, bob: Actor, *alone: str) -> None:
    """Say one more thing to both: afterwards nothing can still be on its way.

    `alone` are the texts that only Alice was to get before.
    """
    await bob.say("that was all", to=[alice, bob])
    assert alice.texts == [*alone, "that was all"]
    assert bob.texts == ["that was all"]


def commands(local: Local, handler: str) -> list[ServiceCommand | UserCommand | Any]:
    """What a handler has sent, in order, and told apart as the wire has it."""
    return [
        decoded(local, record.frame)
        for record in local.trace
        if record.handler == f"DemoService.{handler}"
    ]


def decoded(local: Local, frame: str) -> ServiceCommand | UserCommand | Any:
    """A frame of the generation that the service speaks."""
    if speaks(local) == "0.0.1":
        return generation0.decode_from_client(frame).command

    def members_of(group_id: GroupId) -> tuple[UserId, ...] | None:
        group = local.platform._state.world.use_group(group_id)
        return None if group is None else group.members

    return generation1.decode_from_client(frame, members_of=members_of).command


# What the client asks for


async def test_fetch_user_list_shows_everybody_and_the_own_figures(
    local: Local, demo: Demo
) -> None:
    """The user gets all real people, then the figures this user has made, and no other user."""
    alice, bob = await two(local, demo)
    await alice.click("key1", MICKEY)
    alice.clear()
    bob.clear()
    await alice.fetch("fetch_user_list")
    assert alice.names == ["Alice", "Bob", "Mickey 0"]
    assert bob.names == []
    await bob.fetch("fetch_user_list")
    assert bob.names == ["Alice", "Bob"]


async def test_fetch_features_shows_the_two_keys(local: Local, demo: Demo) -> None:
    """The user gets a key with a choice and a plain one."""
    alice, bob = await two(local, demo)
    alice.clear()
    bob.clear()
    await alice.fetch("fetch_features")
    magic, stage = alice.keys
    assert (magic.feature_id, magic.button_text) == ("key1", "Do Some Magic")
    if speaks(local) == "0.0.1":  # the other generation has no such name
        assert magic.feature_name == "magic"
    (choice,) = magic.arguments
    assert (choice.name, choice.type, choice.values) == ("magic_type", "enum", ("Mickey", "Talk"))
    assert (stage.feature_id, stage.button_text, stage.arguments) == ("key2", "Swap Stage", ())
    assert not bob.keys


async def test_fetch_features_shows_none_while_they_are_hidden(local: Local, demo: Demo) -> None:
    """Whoever has hidden the keys gets none after a reload either; others keep theirs."""
    alice, bob = await two(local, demo)
    await alice.say("hide", to=SERVICE)
    seen = alice.seen
    bob.clear()
    await alice.fetch("fetch_features")
    assert alice.seen > seen
    assert not alice.keys
    await bob.fetch("fetch_features")
    assert len(bob.keys) == 2


async def test_fetch_playground_shows_the_stage_and_then_its_style(
    local: Local, demo: Demo
) -> None:
    """The user gets picture and caption of the own stage, and after it how to show it."""
    alice, bob = await two(local, demo)
    alice.clear()
    bob.clear()
    local.trace.clear()
    await alice.fetch("fetch_playground")
    assert alice.stage is not None
    assert alice.stage.text == "Let There Be Light!"
    assert alice.stage.path
    (item,) = alice.style
    assert (item.widget, item.display, item.expand) == ("playground", "visible", True)
    stage, style = commands(local, "on_fetch_playground")
    assert isinstance(stage, UpdatePlayground)
    assert isinstance(style, UpdateStyle)
    assert (bob.stage, bob.style) == (None, ())


async def test_fetch_channel_info_sends_nothing(local: Local, demo: Demo) -> None:
    """The demo has nothing to tell of the band."""
    alice, bob = await two(local, demo)
    seen = alice.seen
    await alice.fetch("fetch_channel_info")
    assert alice.seen == seen
    await heard_by_both(alice, bob)


# Keys


async def test_key1_mickey_adds_a_figure(local: Local, demo: Demo) -> None:
    """Each press adds the next figure, up to five, on this user's list alone."""
    alice, bob = await two(local, demo)
    for count in range(1, 6):
        await alice.click("key1", MICKEY)
        assert alice.names == ["Alice", "Bob", *FIGURES[:count]]
    figure = alice.character("Mickey 4")
    assert figure.description == "I am Mickey 4!"
    if speaks(local) == "0.0.1":  # likewise
        assert figure.username == "Mickey"
    assert figure.avatar
    assert bob.names == ["Alice", "Bob"]
    await heard_by_both(alice, bob)


async def test_key1_in_eight_lines(local: Local, demo: Demo) -> None:
    """The row once more, as short as a user of the kit writes it."""
    band = await local.start(demo())
    alice, bob = await band.join("Alice", "Bob")
    await alice.click("key1", magic_type="Mickey")
    assert alice.names == ["Alice", "Bob", "Mickey 0"]
    assert bob.names == ["Alice", "Bob"]
    await alice.click("key1", magic_type="Talk")
    assert alice.last.text == "Mickey 0 Here!"


async def test_key1_mickey_stops_at_five(local: Local, demo: Demo) -> None:
    """The sixth press adds none; the user is told, as if by the user."""
    alice, bob = await two(local, demo)
    for _ in range(6):
        await alice.click("key1", MICKEY)
    assert alice.names == ["Alice", "Bob", *FIGURES]
    assert alice.last.text == "You have reached the limit of Mickey!"
    assert alice.last.sender == alice.user_id
    await heard_by_both(alice, bob, "You have reached the limit of Mickey!")


async def test_key1_talk_needs_a_figure(local: Local, demo: Demo) -> None:
    """Without a figure nobody can talk; the user is told, as if by the user."""
    alice, bob = await two(local, demo)
    await alice.click("key1", TALK)
    assert alice.last.text == "Please Create Mickey First!"
    assert alice.last.sender == alice.user_id
    await heard_by_both(alice, bob, "Please Create Mickey First!")


async def test_key1_talk_lets_the_newest_figure_speak(local: Local, demo: Demo) -> None:
    """The figure that was made last speaks to the user."""
    alice, bob = await two(local, demo)
    await alice.click("key1", MICKEY)
    await alice.click("key1", MICKEY)
    await alice.click("key1", TALK)
    assert alice.last.text == "Mickey 1 Here!"
    assert alice.last.sender == alice.character("Mickey 1").user_id
    await heard_by_both(alice, bob, "Mickey 1 Here!")


async def test_key2_swaps_the_stage(local: Local, demo: Demo) -> None:
    """The stage turns dark and light again, and its picture comes as a message after it."""
    alice, bob = await two(local, demo)
    light, his = alice.stage, bob.stage
    assert light is not None
    local.trace.clear()
    await alice.click("key2")
    dark = alice.stage
    assert dark is not None
    assert dark.text == "Let There Be Dark!"
    assert dark.path not in (None, light.path)
    assert alice.last.subtype == "image"
    assert alice.last.content.path == dark.path
    assert alice.last.sender == alice.user_id
    stage, message = commands(local, "on_feature_call")
    assert isinstance(stage, UpdatePlayground)
    assert isinstance(message, MessageDown)
    await alice.click("key2")
    assert alice.stage == light
    assert alice.last.content.path == light.path
    await heard_by_both(alice, bob)
    assert bob.stage == his


# Messages


async def test_moobius_is_answered_with_praise(local: Local, demo: Demo) -> None:
    """In any case of letters the word is replaced, to whom it was said, by who said it."""
    alice, bob = await two(local, demo)
    local.trace.clear()
    await alice.say("mOObius", to=[bob])
    assert bob.last.text == "Moobius is Great!"
    assert bob.last.sender == alice.user_id
    assert list(bob.last.recipients) == [bob.user_id]
    await alice.say("moobius")
    assert alice.texts == ["Moobius is Great!"]
    assert bob.texts == ["Moobius is Great!"] * 2
    (first, _) = commands(local, "on_msg_up")
    assert isinstance(first, MessageDown)
    assert not first.relayed  # shape A of the protocol: a message of the service's own


async def test_other_text_goes_to_whom_was_picked(local: Local, demo: Demo) -> None:
    """It comes as it was said, to the sender too if picked, and to nobody else."""
    alice, bob = await two(local, demo)
    local.trace.clear()
    await alice.say("hello", to=[alice, bob])
    assert alice.texts == bob.texts == ["hello"]
    assert bob.last.sender == alice.user_id
    assert list(bob.last.recipients) == [alice.user_id, bob.user_id]
    await alice.say("psst", to=[bob])
    await bob.say("yes?", to=[alice])
    assert bob.texts == ["hello", "psst"]
    assert alice.texts == ["hello", "yes?"]
    first, *_ = commands(local, "on_msg_up")
    assert isinstance(first, MessageDown)
    assert first.relayed == (speaks(local) == "0.0.1")  # shape B: the user's message turned round


async def test_pictures_go_to_all_who_were_picked_but_the_sender(local: Local, demo: Demo) -> None:
    """A message that is no text comes to the others alone, and to nobody if no other was picked."""
    alice, bob = await two(local, demo)
    await alice.send(PICTURE, subtype="image", to=[alice, bob])
    assert bob.last.subtype == "image"
    assert bob.last.content.path == PICTURE.path
    assert bob.last.sender == alice.user_id
    assert list(bob.last.recipients) == [bob.user_id]
    bob.messages.clear()
    await alice.send(PICTURE, subtype="image", to=[alice])
    await alice.send(PICTURE, subtype="image", to=SERVICE)
    await heard_by_both(alice, bob)


async def test_hide_and_show(local: Local, demo: Demo) -> None:
    """Said to the Service, in any case of letters, they take the keys away and bring them back."""
    alice, bob = await two(local, demo)
    keys = alice.keys
    assert len(keys) == 2
    await alice.say("HIDE", to=SERVICE)
    assert not alice.keys
    seen = alice.seen
    await alice.fetch("fetch_features")
    assert alice.seen > seen
    assert not alice.keys
    await alice.say("show", to=SERVICE)
    assert alice.keys == keys
    alice.clear()
    await alice.fetch("fetch_features")
    assert alice.keys == keys
    assert bob.keys == keys
    await heard_by_both(alice, bob)


async def test_only_the_features_row_changes_keys(local: Local, demo: Demo) -> None:
    """Keys come by `update_features` alone, once when asked for and once when hidden or shown."""
    alice, _ = await two(local, demo)
    local.trace.clear()
    await alice.click("key1", MICKEY)
    await alice.say("show", to=SERVICE)
    sent = [decoded(local, record.frame) for record in local.trace]
    assert [type(command) for command in sent] == [UpdateUserList, UpdateFeatures]


async def test_reset_takes_the_figures_away(local: Local, demo: Demo) -> None:
    """Said to the Service it leaves real people only, also after a reload; others keep theirs."""
    alice, bob = await two(local, demo)
    await alice.click("key1", MICKEY)
    await bob.click("key1", MICKEY)
    await alice.say("reset", to=SERVICE)
    assert alice.names == ["Alice", "Bob"]
    await alice.fetch("fetch_user_list")
    assert alice.names == ["Alice", "Bob"]
    await bob.fetch("fetch_user_list")
    assert bob.names == ["Alice", "Bob", "Mickey 0"]
    await heard_by_both(alice, bob)


async def test_other_words_to_the_service_do_nothing(local: Local, demo: Demo) -> None:
    """Neither an unknown word nor a command with a space around it has any effect."""
    alice, bob = await two(local, demo)
    seen = alice.seen, bob.seen
    for word in ("abracadabra", " hide", "reset ", "moobius", ""):
        await alice.say(word, to=SERVICE)
    assert (alice.seen, bob.seen) == seen
    await heard_by_both(alice, bob)


async def test_commands_to_people_are_texts(local: Local, demo: Demo) -> None:
    """What would be a command to the Service is just a text when it is said to somebody."""
    alice, bob = await two(local, demo)
    await alice.say("hide", to=[bob])
    await alice.say(" moobius", to=[bob])
    assert bob.texts == ["hide", " moobius"]
    assert len(alice.keys) == 2


# What the second generation adds, on either


async def test_a_text_can_be_praised(local: Local, demo: Demo) -> None:
    """An entry of its menu says so to everybody, as whoever chose it; a picture has no such one."""
    alice, bob = await two(local, demo)
    await alice.say("hello")
    await bob.choose("praise")
    assert alice.texts == bob.texts == ["hello", "“hello” How true!"]
    assert alice.last.sender == bob.user_id
    await bob.send(PICTURE, subtype="image", to=[alice])
    with pytest.raises(AssertionError):
        await alice.choose("praise")


async def test_a_picture_has_a_card(local: Local, demo: Demo) -> None:
    """An entry of its menu gives whoever chose it a card that leads to it, and nobody else."""
    alice, bob = await two(local, demo)
    await bob.send(PICTURE, subtype="image", to=[alice])
    await alice.choose("about")
    assert alice.last.subtype == "card"
    assert (alice.last.content.title, alice.last.content.link) == ("A picture", PICTURE.path)
    assert bob.messages == []


# Coming and going


async def test_join_is_announced_to_all(local: Local, demo: Demo) -> None:
    """All get the list of real people, then hear of the newcomer, who speaks."""
    band = await local.start(demo())
    [alice] = await band.join("Alice")
    assert alice.texts == ["Alice joined the band!"]
    await alice.click("key1", MICKEY)
    local.trace.clear()
    [bob] = await band.join("Bob")
    assert alice.names == bob.names == ["Alice", "Bob"]
    assert alice.last.text == bob.last.text == "Bob joined the band!"
    assert bob.last.sender == bob.user_id
    assert bob.texts == ["Bob joined the band!"]
    people, word = commands(local, "on_join_channel")
    assert isinstance(people, UpdateUserList)
    assert isinstance(word, MessageDown)
    assert set(people.recipients) == set(word.recipients) == {alice.user_id, bob.user_id}


async def test_leave_is_announced_to_the_rest(local: Local, demo: Demo) -> None:
    """Those who stay get the list without the leaver, and then the leaver's last word."""
    alice, bob = await two(local, demo)
    seen = bob.seen
    local.trace.clear()
    await bob.leave()
    assert alice.names == ["Alice"]
    assert alice.texts == ["Bob left the band!"]
    assert alice.last.sender == bob.user_id
    people, word = commands(local, "on_leave_channel")
    assert isinstance(people, UpdateUserList)
    assert isinstance(word, MessageDown)
    assert people.recipients == word.recipients == (alice.user_id,)
    await alice.say("anybody there?", to=[alice, bob])
    assert alice.last.text == "anybody there?"
    assert bob.seen == seen


async def test_whoever_comes_again_starts_afresh(local: Local, demo: Demo) -> None:
    """Figures, hidden keys and stage are forgotten when the user leaves."""
    alice, _ = await two(local, demo)
    light = alice.stage
    await alice.click("key1", MICKEY)
    await alice.click("key2")
    await alice.say("hide", to=SERVICE)
    assert alice.stage != light
    await alice.leave()
    await alice.rejoin()
    assert alice.names == ["Bob", "Alice"]
    assert len(alice.keys) == 2
    assert alice.stage == light


# By itself and by magic


async def test_every_minute_wand_says_the_time(local: Local, demo: Demo) -> None:
    """Each minute all real people get one text with a time stamp, from Wand."""
    service = demo()
    alice, bob = await (await local.start(service)).join("Alice", "Bob")
    await bob.leave()
    alice.messages.clear()
    bob.messages.clear()
    await local.skip(seconds=59)
    assert alice.texts == []
    await local.skip(seconds=2)
    assert alice.texts == ["Check in every minute! 2024-01-01 12:01:00"]
    assert alice.last.sender == service.cast["Wand"].user_id
    await local.skip(minutes=2)
    assert alice.texts[1:] == [
        "Check in every minute! 2024-01-01 12:02:00",
        "Check in every minute! 2024-01-01 12:03:00",
    ]
    assert bob.texts == []


async def test_a_spell_is_said_to_all(local: Local, demo: Demo) -> None:
    """A word and a number give the word that many times, from Wand, to everybody."""
    service = demo()
    alice, bob = await (await local.start(service)).join("Alice", "Bob")
    alice.messages.clear()
    await local.handle().aspell(("ABRA ", 3), wait=True)
    await local.settle()
    assert alice.texts == ["WAND: ABRA ABRA ABRA "]
    assert bob.last.text == "WAND: ABRA ABRA ABRA "
    assert bob.last.sender == service.cast["Wand"].user_id
    await local.aspell(["from another process ", 1])
    await local.aspell("neither word nor number")
    assert alice.texts[1:] == ["WAND: from another process ", "WAND: DEFAULT"]


async def test_a_spell_too_large_is_refused_and_the_connection_lives(
    local: Local, demo: Demo
) -> None:
    """40,000 letters pass; more are an error for whoever cast the spell, and nothing is cut."""
    alice, bob = await two(local, demo)
    await local.aspell(("BOMB" * 10_000, 1))
    assert len(alice.last.text or "") == len("WAND: ") + 40_000
    for times in (2, 3, 4, 5):
        with pytest.raises(MessageTooLarge):
            await local.handle().aspell(("BOMB" * 10_000, times), wait=True)
    await local.aspell(("SURVIVED! ", 5))
    assert alice.last.text == bob.last.text == "WAND: " + "SURVIVED! " * 5
    assert len(alice.messages) == len(bob.messages) == 2
    assert local.handle().statistics().link.connections == 1
