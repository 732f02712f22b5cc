"""A `MoobiusUser` beside services and people: what it sees, says and does."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, TypeVar

import pytest

from moobius_trio import (
    Action,
    BandNotTaken,
    ChannelId,
    Copy,
    Feature,
    FeatureArgument,
    FeatureCall,
    FeatureCallArgument,
    GenericUpdate,
    JobError,
    MenuItem,
    MenuItemClick,
    MessageDown,
    MessageUp,
    MoobiusService,
    MoobiusUser,
    Playground,
    ServiceStopped,
    StyleItem,
    UnknownPayload,
    UpdateChannelInfo,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
    UserId,
    every,
)
from moobius_trio.testing.harness import Local
from moobius_trio.testing.users import start_user


@pytest.fixture(params=["0.0.1", "1.8"])
def protocol(request: pytest.FixtureRequest) -> Literal["0.0.1", "1.8"]:
    """The generation that everybody speaks."""
    chosen: Literal["0.0.1", "1.8"] = request.param
    return chosen


T = TypeVar("T")

BAND = ChannelId("local-demo")
FORM = Feature(
    feature_id="wave", button_text="Wave", arguments=[FeatureArgument(name="how", optional=True)]
)


class Room(MoobiusService):
    """Passes on what people say to each other, and keeps what they do."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[MessageUp] = []
        self.pressed: list[FeatureCall] = []
        self.chosen: list[MenuItemClick] = []

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        self.heard.append(msg_up)
        if msg_up.recipients:
            await self.send(self.msg_up_to_msg_down(msg_up, remove_self=True))

    async def on_feature_call(self, feature_call: FeatureCall) -> None:
        self.pressed.append(feature_call)

    async def on_menu_item_click(self, menu_item_click: MenuItemClick) -> None:
        self.chosen.append(menu_item_click)

    async def on_fetch_features(self, action: Action) -> None:
        await self.bands[action.channel_id].send_update_features([FORM], action.sender)

    async def on_fetch_playground(self, action: Action) -> None:
        await self.bands[action.channel_id].send_update_playground(
            Playground(text="the stage"), action.sender
        )


class Bot(MoobiusUser):
    """Keeps what it is shown, and repeats what is said to it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[object] = []
        self.errors: list[BaseException] = []

    async def on_msg_down(self, msg_down: MessageDown) -> None:
        self.seen.append(msg_down)
        if msg_down.text == "fail":
            raise ValueError("told to")
        await self.reply(msg_down, f"you said {msg_down.text}")

    async def on_update_user_list(self, update: UpdateUserList) -> None:
        self.seen.append(update)

    async def on_update_features(self, update: UpdateFeatures) -> None:
        self.seen.append(update)

    async def on_update_playground(self, update: UpdatePlayground) -> None:
        self.seen.append(update)

    async def on_update_style(self, update: UpdateStyle) -> None:
        self.seen.append(update)

    async def on_update_channel_info(self, update: UpdateChannelInfo) -> None:
        self.seen.append(update)

    async def on_update_menu(self, update: UpdateMenu) -> None:
        self.seen.append(update)

    async def on_error(self, event: object, exc: BaseException) -> None:
        self.errors.append(exc)

    def last(self, kind: type[T]) -> T:
        """The newest of this kind that was seen."""
        return [event for event in self.seen if isinstance(event, kind)][-1]


async def test_a_bot_answers_beside_a_service(
    local: Local, protocol: Literal["0.0.1", "1.8"]
) -> None:
    """It joins, is on the others' list, hears what is said to it, and answers who said it."""
    room, bot = Room(), Bot()
    band = await local.start(room, protocol=protocol)
    [alice] = await band.join("Alice")
    handle = await start_user(local, bot, protocol=protocol)
    assert alice.names == ["Alice", "bot"]
    await alice.say("hello", to=alice.character("bot"))
    assert alice.texts == ["you said hello"]
    assert alice.last.sender == bot.user_id == handle.user_id
    assert handle.channels == bot.channels == (band.channel_id,)


@pytest.mark.parametrize(("of_user", "of_service"), [("0.0.1", "1.8"), ("1.8", "0.0.1")])
async def test_it_need_not_speak_the_generation_of_the_service(
    local: Local, of_user: str, of_service: Literal["0.0.1", "1.8"]
) -> None:
    """Characters, keys, messages, presses and choices cross between the two."""
    room, bot = Room(), Bot()
    band = await local.start(room, protocol=of_service)
    [alice] = await band.join("Alice")
    await start_user(local, bot, protocol=of_user)
    assert [character.nickname for character in bot.characters(BAND)] == ["Alice", "bot"]
    assert bot.last(UpdateFeatures) == UpdateFeatures(channel_id=BAND, features=[FORM])
    await alice.say("hello", to=alice.character("bot"))
    assert alice.texts == ["you said hello"]
    await bot.click(BAND, "wave", {"how": "twice"}, bottom_button_id="later")
    await bot.choose("quote", bot.last(MessageDown))
    await local.settle()
    assert room.pressed[0].values == {"how": "twice"}
    assert room.chosen[0].message_content.text == "hello"


async def test_it_chooses_from_the_menu_of_a_message(
    local: Local, protocol: Literal["0.0.1", "1.8"]
) -> None:
    """The service hears which entry of which message, and what was filled in."""
    room, bot = Room(), Bot()
    band = await local.start(room, protocol=protocol)
    [alice] = await band.join("Alice")
    await start_user(local, bot, protocol=protocol)
    await alice.say("hello", to=alice.character("bot"))
    item = MenuItem(menu_item_id="quote", menu_item_text="Quote", message_subtypes=["text"])
    await room.bands[BAND].send_update_menu([item], bot.user_id)
    await local.settle()
    assert bot.last(UpdateMenu) == UpdateMenu(channel_id=BAND, menu=[item])
    message = bot.last(MessageDown)
    await bot.choose("quote", message, {"how": "loud"}, bottom_button_id="ok")
    await local.settle()
    assert room.chosen == [
        MenuItemClick(
            menu_item_id="quote",
            channel_id=BAND,
            sender=bot.user_id,
            message_id=message.msg_id,
            message_subtype="text",
            message_content=message.content,
            arguments=[FeatureCallArgument(name="how", value="loud")],
            bottom_button_id="ok",
        )
    ]
    assert message.msg_id


async def test_what_the_service_shows_is_there_before_anybody_acts(
    local: Local, protocol: str
) -> None:
    """Joining asks for the screen: characters, keys and stage come in callbacks of their own."""
    band = await local.start(Room(), protocol=protocol)
    await band.join("Alice")
    bot = Bot()
    await start_user(local, bot, protocol=protocol)
    assert [character.nickname for character in bot.characters(BAND)] == ["Alice", "bot"]
    assert bot.last(UpdateUserList) == UpdateUserList(
        channel_id=BAND, user_list=bot.characters(BAND)
    )
    assert bot.last(UpdateFeatures) == UpdateFeatures(channel_id=BAND, features=[FORM])
    assert bot.last(UpdatePlayground) == UpdatePlayground(
        channel_id=BAND, content=Playground(text="the stage")
    )
    bot.seen.clear()
    receipts = await bot.refresh(BAND)
    await local.settle()
    assert {type(event) for event in bot.seen} == {
        UpdateUserList,
        UpdateFeatures,
        UpdatePlayground,
    }
    assert {receipt.state for receipt in receipts} == {"confirmed"}


async def test_style_and_channel_info_come_too(
    local: Local, protocol: Literal["0.0.1", "1.8"]
) -> None:
    """What a service sends besides has callbacks like the rest."""
    room, bot = Room(), Bot()
    await local.start(room, protocol=protocol)
    await start_user(local, bot, protocol=protocol)
    band = room.bands[BAND]
    await band.send_update_style([StyleItem(widget="playground")], bot.user_id)
    await band.send_update_channel_info({"channel_name": "The room"})
    await local.settle()
    assert bot.last(UpdateStyle) == UpdateStyle(
        channel_id=BAND, style=[StyleItem(widget="playground")]
    )
    assert bot.last(UpdateChannelInfo) == UpdateChannelInfo(
        channel_id=BAND, data={"channel_name": "The room"}
    )


async def test_it_speaks_to_the_service_and_to_people(
    local: Local, protocol: Literal["0.0.1", "1.8"]
) -> None:
    """Without recipients the Service is meant; with some they are, in order."""
    room, bot = Room(), Bot()
    band = await local.start(room, protocol=protocol)
    alice, bob = await band.join("Alice", "Bob")
    await start_user(local, bot, protocol=protocol)
    receipt = await bot.say(BAND, "for the Service")
    assert (await receipt.outcome()).state == "confirmed"
    await bot.say(BAND, "for both", [alice.user_id, bob.user_id])
    await bot.say(BAND, "http://localhost/p.png", alice.user_id, "image")
    await local.settle()
    assert [(one.text, one.recipients) for one in room.heard[:2]] == [
        ("for the Service", ()),
        ("for both", (alice.user_id, bob.user_id)),
    ]
    assert room.heard[0].to_service
    assert room.heard[2].content.path == "http://localhost/p.png"
    assert room.heard[2].subtype == "image"
    assert alice.texts == bob.texts == ["for both"]


async def test_where_nobody_speaks_the_service_is_answered(
    local: Local, protocol: Literal["0.0.1", "1.8"]
) -> None:
    """A message without a sender can only be the service's own."""
    room, bot = Room(), Bot()
    await local.start(room, protocol=protocol)
    await start_user(local, bot, protocol=protocol)
    await room.bands[BAND].create_message("a notice", bot.user_id)
    await local.settle()
    assert [(one.text, one.to_service) for one in room.heard] == [("you said a notice", True)]


async def test_it_presses_keys_with_forms(local: Local, protocol: Literal["0.0.1", "1.8"]) -> None:
    """The form's values and the button that was pressed arrive."""
    room, bot = Room(), Bot()
    await local.start(room, protocol=protocol)
    await start_user(local, bot, protocol=protocol)
    await bot.click(BAND, "wave")
    await bot.click(BAND, "wave", {"how": "twice", "often": 2}, bottom_button_id="later")
    await bot.click(BAND, "wave", [FeatureCallArgument(name="f", value="u", filename="a.png")])
    await local.settle()
    plain, filled, file = room.pressed
    assert (plain.arguments, plain.bottom_button_id) == ((), "confirm")
    assert (filled.values, filled.bottom_button_id) == (
        {"how": "twice", "often": 2 if protocol == "0.0.1" else "2"},  # numbers become text
        "later",
    )
    assert file.arguments[0].filename == "a.png"
    assert {call.sender for call in room.pressed} == {bot.user_id}


async def test_it_joins_and_leaves_while_it_runs(
    local: Local, protocol: Literal["0.0.1", "1.8"]
) -> None:
    """Both are seen by the service, and a band that was left shows nothing more."""
    room, bot = Room(), Bot()
    await local.start(room, bands=("local-demo", "second"), protocol=protocol)
    await start_user(local, bot, bands=(), protocol=protocol)
    assert bot.channels == ()
    second = local.band("second").channel_id
    await bot.join(second)
    await bot.join(BAND)
    await local.settle()
    assert bot.channels == (second, BAND)
    assert bot.user_id in room.bands[second].members
    await bot.leave(second)
    await local.settle()
    assert bot.channels == (BAND,)
    assert bot.characters(second) == ()
    assert bot.user_id not in room.bands[second].members


async def test_a_refusal_is_an_outcome(local: Local, protocol: Literal["0.0.1", "1.8"]) -> None:
    """What the platform does not take is `refused`, and the user goes on."""
    room, bot = Room(), Bot()
    await local.start(room, bands=("local-demo", "second"), protocol=protocol)
    await start_user(local, bot, protocol=protocol)
    outcome = await (await bot.say(local.band("second").channel_id, "not a member")).outcome()
    assert outcome.state == "refused"
    assert "join it first" in outcome.reason
    assert (await (await bot.say(BAND, "a member")).outcome()).state == "confirmed"
    nowhere = await bot.join(ChannelId("local-nowhere"))
    assert (await nowhere.outcome()).state == "refused"
    await local.settle()
    assert bot.channels == (BAND,)


async def test_a_band_that_is_refused_does_not_keep_it_from_the_others(
    local: Local, protocol: str
) -> None:
    """It runs with the bands that it could join; with none of them it does not start."""
    await local.start(Room(), protocol=protocol)
    bot = Bot()
    handle = await start_user(
        local, bot, channels=(ChannelId("local-nowhere"), BAND), protocol=protocol
    )
    assert handle.channels == (BAND,)
    with pytest.raises(BandNotTaken, match="local-nowhere"):
        await start_user(local, Bot(), channels=(ChannelId("local-nowhere"),), protocol=protocol)


async def test_a_failing_handler_touches_nothing_else(
    local: Local, protocol: Literal["0.0.1", "1.8"]
) -> None:
    """It is reported to `on_error`; the next message is handled."""
    local.keep_failures = True
    bot = Bot()
    band = await local.start(Room(), protocol=protocol)
    await start_user(local, bot, protocol=protocol)
    [alice] = await band.join("Alice")
    await alice.say("fail", to=bot.user_id)
    await alice.say("go on", to=bot.user_id)
    assert alice.texts == ["you said go on"]
    assert [str(exc) for exc in bot.errors] == ["told to"]
    [(event, _)] = local.failures
    assert isinstance(event, MessageDown)


async def test_messages_come_in_their_order(
    local: Local, protocol: Literal["0.0.1", "1.8"]
) -> None:
    """One at a time, also when the handler waits."""
    order: list[str | None] = []

    class Slow(MoobiusUser):
        async def on_msg_down(self, msg_down: MessageDown) -> None:
            order.append(f"begin {msg_down.text}")
            await self.run_sync(lambda: None)
            order.append(f"end {msg_down.text}")

    room, user = Room(), Slow()
    await local.start(room, protocol=protocol)
    await start_user(local, user, protocol=protocol)
    for number in range(20):
        await room.bands[BAND].create_message(str(number), user.user_id)
    await local.settle()
    assert order == [f"{word} {number}" for number in range(20) for word in ("begin", "end")]


async def test_unknown_frames_and_receipts_have_callbacks(
    local: Local, protocol: Literal["0.0.1", "1.8"]
) -> None:
    """An update that nobody knows is handed on whole; `on_copy` is called where it is defined."""
    known: list[object] = []

    class Curious(MoobiusUser):
        async def on_copy(self, copy: Copy) -> None:
            known.append(copy.origin_type)

        async def on_unknown_payload(self, payload: object) -> None:
            known.append(payload)

    await local.start(Room(), protocol=protocol)
    user = Curious()
    await start_user(local, user, protocol=protocol)
    assert known[0] == "user_login"
    for payload in (
        UnknownPayload(type="new", frame={"type": "new"}),
        GenericUpdate(data={"subtype": "new", "channel_id": BAND}),
    ):
        user._live.dispatcher.receive(payload)
        await local.settle()
        assert known[-1] == payload


async def test_it_works_by_itself_as_well(local: Local, protocol: Literal["0.0.1", "1.8"]) -> None:
    """Jobs, tasks and spells are those of a service."""
    done: list[object] = []

    class Busy(MoobiusUser):
        async def on_start(self) -> None:
            self.start_soon(self.greet, "hello")

        async def greet(self, text: str) -> None:
            await self.say(BAND, text)

        @every(minutes=1)
        async def tick(self) -> None:
            done.append(self.now())

        async def on_spell(self, spell: object) -> object:
            return [spell, self.channels]

    room, user = Room(), Busy()
    await local.start(room, protocol=protocol)
    handle = await start_user(local, user, protocol=protocol)
    assert [one.text for one in room.heard] == ["hello"]
    await local.skip(minutes=3)
    assert len(done) == 3
    assert await handle.aspell("abc", wait=True) == ["abc", (BAND,)]
    await handle.stop()
    await local.skip(minutes=3)
    assert len(done) == 3
    assert not handle.running


async def test_a_job_that_takes_a_band_is_refused() -> None:
    """A user holds no bands; that is said when it is made."""

    class Wrong(MoobiusUser):
        @every(minutes=1)
        async def tick(self, band: object) -> None:
            pass

    with pytest.raises(JobError, match=r"tick.*a user holds none"):
        Wrong()


async def test_it_stays_connected_for_hours(
    local: Local, protocol: Literal["0.0.1", "1.8"]
) -> None:
    """Heartbeats are sent, tokens are renewed and connections rotated while nothing happens."""
    room, bot = Room(), Bot()
    await local.start(room, protocol=protocol)
    await start_user(local, bot, protocol=protocol)
    await local.skip(hours=4)
    link = bot.statistics().link
    assert link.state == "connected"
    assert link.heartbeats > timedelta(hours=4) / timedelta(seconds=35)
    assert link.rotations == 2
    assert link.refused_logins == 0
    await bot.say(BAND, "still here")
    await local.settle()
    assert room.heard[-1].text == "still here"


async def test_after_a_gap_it_asks_for_the_screen(
    local: Local, protocol: Literal["0.0.1", "1.8"]
) -> None:
    """What changed while it was away is shown to it when it is back."""
    room, bot = Room(), Bot()
    await local.start(room, protocol=protocol)
    await start_user(local, bot, protocol=protocol)
    await local.skip(hours=1, minutes=40)
    bot.seen.clear()
    await local.skip(minutes=30)  # by then the connection has been exchanged
    assert bot.statistics().link.rotations == 1
    assert {type(event) for event in bot.seen} == {
        UpdateUserList,
        UpdateFeatures,
        UpdatePlayground,
    }


async def test_what_is_called_while_it_does_not_run_says_so() -> None:
    """No call is lost in silence."""
    with pytest.raises(ServiceStopped, match="Bot"):
        await Bot().say(BAND, "hello", UserId("alice"))
