"""Rules for single frames: pure calls on a small world."""

from __future__ import annotations

import attrs
import pytest

from moobius_trio.local.records import Account, Band, Message, RequestSeen, Service, UserJoined
from moobius_trio.local.rules import Outcome, ToService, ToUsers, from_service, from_user
from moobius_trio.local.world import REQUESTS_PER_SERVICE, World
from moobius_trio.types import (
    Action,
    ChannelId,
    Character,
    Content,
    FeatureCall,
    GenericUpdate,
    MessageDown,
    MessageId,
    MessageUp,
    Ping,
    Playground,
    RequestId,
    ServiceCommand,
    ServiceId,
    ServiceLogin,
    UnknownPayload,
    UpdateChannelInfo,
    UpdatePlayground,
    UserAction,
    UserCommand,
    UserId,
    UserLogin,
    UserMessage,
)

BAND, EMPTY_BAND = ChannelId("band"), ChannelId("empty")
SERVICE = ServiceId("service")
ALICE, BOB, CAROL = UserId("alice"), UserId("bob"), UserId("carol")
NOW = 1_700_000_000_000


@pytest.fixture
def world() -> World:
    """Alice and Bob are in a band that a service holds; Carol is in none."""
    world = World()
    for user_id in (ALICE, BOB, CAROL):
        world.apply(Account(person=Character(user_id=user_id), login=user_id))
    world.apply(Service(service_id=SERVICE, owner=CAROL))
    world.apply(Band(channel_id=BAND, name="band", service_id=SERVICE))
    world.apply(Band(channel_id=EMPTY_BAND, name="empty"))
    world.apply(UserJoined(channel_id=BAND, user_id=BOB))
    world.apply(UserJoined(channel_id=BAND, user_id=ALICE))
    return world


def up(world: World, user_id: UserId, command: UserCommand | ServiceCommand) -> Outcome:
    return from_user(world, user_id, command, now=NOW, msg_id=MessageId("m1"))


def down(
    world: World, command: ServiceCommand | UserCommand | UnknownPayload, request_id: str = "r1"
) -> Outcome:
    return from_service(world, SERVICE, RequestId(request_id), command, now=NOW)


def take(world: World, outcome: Outcome) -> Outcome:
    assert outcome.refusal == ""
    for change in outcome.changes:
        world.apply(change)
    return outcome


def test_a_message_up_reaches_the_service_with_sender_time_and_a_new_id(world: World) -> None:
    """The service gets what the user sent, in the user's order of recipients."""
    command = UserMessage(channel_id=BAND, content=Content(text="hi"), recipients=(BOB, ALICE))
    outcome = take(world, up(world, ALICE, command))
    event = MessageUp(
        channel_id=BAND,
        sender=ALICE,
        content=Content(text="hi"),
        recipients=(BOB, ALICE),
        timestamp=NOW,
        msg_id=MessageId("m1"),
    )
    assert outcome.frames == (ToService(service_id=SERVICE, event=event),)
    (kept,) = world.history_of(BAND, ALICE, 10)
    assert (kept.direction, kept.sender, kept.msg_id) == ("up", ALICE, "m1")
    assert world.history_of(BAND, BOB, 10) == ()


def test_a_message_up_in_a_band_without_service_is_kept_and_goes_nowhere(world: World) -> None:
    """Nobody is told, the user's history has it, and the receipt says why."""
    take(world, up(world, ALICE, UserAction(subtype="join_channel", channel_id=EMPTY_BAND)))
    outcome = take(
        world, up(world, ALICE, UserMessage(channel_id=EMPTY_BAND, content=Content(text="x")))
    )
    assert outcome.frames == ()
    assert "no service" in outcome.note
    assert len(world.history_of(EMPTY_BAND, ALICE, 10)) == 1


@pytest.mark.parametrize(
    "command",
    [
        UserMessage(channel_id=BAND, content=Content(text="x")),
        UserAction(subtype="fetch_features", channel_id=BAND),
        UserAction(subtype="leave_channel", channel_id=BAND),
        FeatureCall(feature_id="k", channel_id=BAND, sender=CAROL),
    ],
)
def test_who_is_no_member_may_only_join(world: World, command: UserCommand) -> None:
    """Everything else is refused, changes nothing and reaches nobody."""
    outcome = up(world, CAROL, command)
    assert "not a member" in outcome.refusal
    assert (outcome.changes, outcome.frames) == ((), ())


def test_joining_makes_a_member_and_tells_the_service(world: World) -> None:
    """The newcomer is the last of the members, and the service hears of it."""
    outcome = take(world, up(world, CAROL, UserAction(subtype="join_channel", channel_id=BAND)))
    assert world.members(BAND) == (BOB, ALICE, CAROL)
    event = Action(subtype="join_channel", channel_id=BAND, sender=CAROL)
    assert outcome.frames == (ToService(service_id=SERVICE, event=event),)


def test_joining_twice_is_no_second_join(world: World) -> None:
    """A member who joins again stays where they are, and nobody is told."""
    outcome = take(world, up(world, BOB, UserAction(subtype="join_channel", channel_id=BAND)))
    assert (outcome.changes, outcome.frames) == ((), ())


def test_leaving_removes_the_member_and_tells_the_service(world: World) -> None:
    """Who leaves and joins again is the newest member."""
    outcome = take(world, up(world, BOB, UserAction(subtype="leave_channel", channel_id=BAND)))
    assert world.members(BAND) == (ALICE,)
    event = Action(subtype="leave_channel", channel_id=BAND, sender=BOB)
    assert outcome.frames == (ToService(service_id=SERVICE, event=event),)
    take(world, up(world, BOB, UserAction(subtype="join_channel", channel_id=BAND)))
    assert world.members(BAND) == (ALICE, BOB)


@pytest.mark.parametrize(
    "subtype",
    ["fetch_user_list", "fetch_features", "fetch_playground", "fetch_channel_info", "dance"],
)
def test_other_actions_pass_to_the_service_unchanged(world: World, subtype: str) -> None:
    """A word that nobody knows passes too, and the members stay as they are."""
    outcome = take(world, up(world, ALICE, UserAction(subtype=subtype, channel_id=BAND)))
    event = Action(subtype=subtype, channel_id=BAND, sender=ALICE)
    assert outcome.frames == (ToService(service_id=SERVICE, event=event),)
    assert outcome.changes == ()


def test_a_key_press_passes_but_not_in_anothers_name(world: World) -> None:
    """The sender that a client writes into a key press must be itself."""
    call = FeatureCall(feature_id="k", channel_id=BAND, sender=ALICE)
    assert up(world, ALICE, call).frames == (ToService(service_id=SERVICE, event=call),)
    assert "another user" in up(world, BOB, call).refusal


def test_a_band_that_does_not_exist_is_refused(world: World) -> None:
    """Both sides are told that there is none."""
    nowhere = ChannelId("nowhere")
    join = UserAction(subtype="join_channel", channel_id=nowhere)
    speech = MessageDown(channel_id=nowhere, content="x", recipients=(ALICE,))
    assert "no band nowhere" in up(world, ALICE, join).refusal
    assert "no band nowhere" in down(world, speech).refusal


def test_a_message_down_goes_to_members_only_in_order(world: World) -> None:
    """Those who are no members are ignored; the message itself stays as the service wrote it."""
    command = MessageDown(
        channel_id=BAND, content="x", recipients=(ALICE, CAROL, UserId("nobody"), BOB, ALICE)
    )
    outcome = take(world, down(world, command))
    event = attrs.evolve(command, timestamp=NOW)
    assert outcome.frames == (ToUsers(users=(ALICE, BOB), event=event),)
    for user_id, kept in ((ALICE, 1), (BOB, 1), (CAROL, 0)):
        assert len(world.history_of(BAND, user_id, 10)) == kept


def test_the_services_own_timestamp_is_kept(world: World) -> None:
    """The platform fills in the time only where there is none."""
    command = MessageDown(channel_id=BAND, content="x", recipients=(BOB,), timestamp=5)
    (frame,) = down(world, command).frames
    assert isinstance(frame, ToUsers)
    assert frame.event == command


def test_an_update_goes_to_members_and_channel_info_to_all_of_them(world: World) -> None:
    """Updates are not kept as messages."""
    stage = UpdatePlayground(channel_id=BAND, content=Playground(text="x"), recipients=(CAROL, BOB))
    assert take(world, down(world, stage)).frames == (ToUsers(users=(BOB,), event=stage),)
    info = UpdateChannelInfo(channel_id=BAND, data={"a": 1})
    frames = take(world, down(world, info, "r2")).frames
    assert frames == (ToUsers(users=(BOB, ALICE), event=info),)
    assert world.history_of(BAND, BOB, 10) == ()


def test_a_service_may_not_speak_in_a_band_that_it_does_not_hold(world: World) -> None:
    """A band that is free is not everybody's."""
    command = MessageDown(channel_id=EMPTY_BAND, content="x", recipients=(ALICE,))
    assert "not bound" in down(world, command).refusal


def test_a_repeated_request_id_is_answered_and_dropped(world: World) -> None:
    """The second frame of an id has no effect, whatever is in it; other services have their own
    ids, and the knob turns the rule off."""
    command = MessageDown(channel_id=BAND, content="x", recipients=(ALICE,))
    stage = UpdatePlayground(channel_id=BAND, content=Playground(text="x"), recipients=(BOB,))
    take(world, down(world, command))
    for repeated in (command, stage):
        outcome = down(world, repeated)
        assert (outcome.changes, outcome.frames, outcome.refusal) == ((), (), "")
    take(world, down(world, stage, "r2"))
    assert down(world, stage, "r2").frames == ()
    assert down(world, command, "r3").frames != ()
    again = from_service(world, SERVICE, RequestId("r1"), command, now=NOW, drop_repeats=False)
    assert again.frames != ()


def test_a_refused_frame_may_be_sent_again_with_its_id(world: World) -> None:
    """Only accepted frames count as seen."""
    command = MessageDown(channel_id=EMPTY_BAND, content="x", recipients=())
    assert down(world, command).refusal
    world.apply(Band(channel_id=EMPTY_BAND, name="empty", service_id=SERVICE))
    assert down(world, command).changes != ()


def test_the_ids_that_are_remembered_are_bounded() -> None:
    """The oldest is forgotten first."""
    world = World()
    for number in range(REQUESTS_PER_SERVICE + 1):
        world.apply(RequestSeen(service_id=SERVICE, request_id=RequestId(str(number))))
    assert not world.was_seen(SERVICE, RequestId("0"))
    assert world.was_seen(SERVICE, RequestId("1"))


def test_heartbeats_and_updates_of_no_kind_are_accepted_and_reach_nobody(world: World) -> None:
    """They are answered like everything else."""
    for command in (Ping(), GenericUpdate(data={"any": "thing"})):
        outcome = down(world, command)
        assert (outcome.refusal, outcome.frames) == ("", ())
    assert up(world, CAROL, Ping()) == Outcome()


@pytest.mark.parametrize(
    "command",
    [
        UnknownPayload(type="dance", frame={}),
        UserMessage(channel_id=BAND, content=Content(text="x")),
        UserLogin(access_token="t"),
    ],
)
def test_what_a_service_cannot_send_is_refused(
    world: World, command: UserCommand | UnknownPayload
) -> None:
    """A user's frames and unknown ones have no effect on a service's connection."""
    outcome = down(world, command)
    assert outcome.refusal
    assert (outcome.changes, outcome.frames) == ((), ())


@pytest.mark.parametrize(
    "command",
    [
        MessageDown(channel_id=BAND, content="x", recipients=(ALICE,)),
        ServiceLogin(service_id=SERVICE, access_token="t"),
    ],
)
def test_what_a_user_cannot_send_is_refused(world: World, command: ServiceCommand) -> None:
    """Nobody speaks as a service on a user's connection."""
    assert up(world, ALICE, command).refusal


def test_the_history_of_a_user_is_the_newest_messages_oldest_first(world: World) -> None:
    """The limit cuts off the old end."""
    for number in range(5):
        message = Message(
            channel_id=BAND, direction="down", content=Content(text=str(number)), readers=(ALICE,)
        )
        world.apply(message)
    kept = world.history_of(BAND, ALICE, 3)
    assert [message.content.text for message in kept] == ["2", "3", "4"]
