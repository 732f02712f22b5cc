"""Rules for single HTTP calls: pure calls on a small world."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from moobius_trio.local import rules_http as rules
from moobius_trio.local.records import Account, Band, Group, Service, Upload, UserJoined
from moobius_trio.local.rules_http import Refused
from moobius_trio.local.world import World
from moobius_trio.types import ChannelId, Character, GroupId, ServiceId, ServiceInfo, UserId

OWNER, OTHER = UserId("owner"), UserId("other")
MINE, SECOND, THEIRS = ServiceId("mine"), ServiceId("second"), ServiceId("theirs")
BAND = ChannelId("band")


@pytest.fixture
def world() -> World:
    """Two accounts with services, and one band that nobody holds."""
    world = World()
    for user_id in (OWNER, OTHER):
        person = Character(user_id=user_id, nickname=user_id.title())
        world.apply(Account(person=person, login=f"{user_id}@x"))
    world.apply(Service(service_id=MINE, owner=OWNER))
    world.apply(Service(service_id=THEIRS, owner=OTHER))
    world.apply(Service(service_id=SECOND, owner=OWNER))
    world.apply(Band(channel_id=BAND, name="band"))
    return world


def test_a_held_band_refuses_another_service_and_names_the_holder(world: World) -> None:
    """After the holder has unbound it, the other may have it; the same service may bind again."""
    world.apply(rules.bind(world, OTHER, THEIRS, BAND))
    with pytest.raises(Refused, match="held by service theirs of account other@x") as caught:
        rules.bind(world, OWNER, MINE, BAND)
    assert caught.value.status == 409
    assert rules.bind(world, OTHER, THEIRS, BAND).service_id == THEIRS
    world.apply(rules.unbind(world, OTHER, THEIRS, BAND))
    assert rules.bind(world, OWNER, MINE, BAND).service_id == MINE


def test_only_the_owner_of_the_holder_may_unbind(world: World) -> None:
    """Neither another account nor another service frees a band."""
    world.apply(rules.bind(world, OTHER, THEIRS, BAND))
    with pytest.raises(Refused, match="belongs to another account"):
        rules.unbind(world, OWNER, THEIRS, BAND)
    with pytest.raises(Refused, match="held by another service, theirs"):
        rules.unbind(world, OWNER, MINE, BAND)


def test_the_service_list_has_the_own_services_with_their_bands(world: World) -> None:
    """Oldest first, as they were made."""
    world.apply(rules.bind(world, OWNER, MINE, BAND))
    assert rules.services_of(world, OWNER) == (
        ServiceInfo(service_id=MINE, channel_ids=(BAND,)),
        ServiceInfo(service_id=SECOND),
    )


def test_members_are_people_in_joining_order_for_the_holder_only(world: World) -> None:
    """A service that does not hold the band is told so."""
    for user_id in (OTHER, OWNER):
        world.apply(UserJoined(channel_id=BAND, user_id=user_id))
    with pytest.raises(Refused, match="not bound"):
        rules.members_for(world, OWNER, MINE, BAND)
    world.apply(rules.bind(world, OWNER, MINE, BAND))
    people = rules.members_for(world, OWNER, MINE, BAND)
    assert [person.nickname for person in people] == ["Other", "Owner"]


def test_a_figure_is_found_by_its_service_and_by_its_id(world: World) -> None:
    """A character that a service made is no member of any band."""
    mickey = Character(user_id=UserId("f"), username="Mickey", nickname="Mickey 0")
    world.apply(rules.new_figure(world, OWNER, MINE, mickey))
    assert rules.characters_of(world, OWNER, MINE) == (mickey,)
    assert rules.characters_of(world, OWNER, SECOND) == ()
    assert rules.profiles(world, (UserId("f"), OWNER))[0] == mickey


def test_band_ids_are_made_of_the_name_and_stay_distinct(world: World) -> None:
    """The same name or id gives the same band; a name that would give a taken id, or has no
    letters, gets a fresh id."""
    fresh = ChannelId("local-fresh")

    def made(name: str) -> Band:
        band = rules.new_band(world, name, fresh)
        world.apply(band)
        return band

    assert made("local-demo").channel_id == "local-demo"
    assert made("My  Room!").channel_id == "local-my-room"
    assert made("my room").channel_id == fresh
    assert made(" My  Room! ").channel_id == "local-my-room"
    assert made("local-my-room").name == "My  Room!"
    assert rules.new_band(world, "聊天", fresh).channel_id == fresh


def test_a_guest_is_the_same_in_upper_and_lower_case(world: World) -> None:
    """The name that others see begins with a capital; the user name is as it was given."""
    guest = rules.new_guest(world, " alice ", UserId("a"))
    assert (guest.person.username, guest.person.nickname) == ("alice", "Alice")
    assert guest.login == rules.guest_login("ALICE")
    assert guest.login != rules.new_account(world, "alice", "", UserId("b")).login


@pytest.mark.parametrize(
    ("status", "call"),
    [
        (400, lambda w: rules.new_guest(w, "", OWNER)),
        (400, lambda w: rules.new_guest(w, "a\nb", OWNER)),
        (400, lambda w: rules.new_guest(w, "x" * 41, OWNER)),
        (400, lambda w: rules.new_band(w, "  ", BAND)),
        (400, lambda w: rules.new_band(w, "\x1b[31m", BAND)),
        (400, lambda w: rules.new_account(w, "", "", OWNER)),
        (400, lambda w: rules.new_service(w, OWNER, "x" * 10_001, MINE)),
        (404, lambda w: rules.own_service(w, OWNER, ServiceId("none"))),
        (403, lambda w: rules.own_service(w, OWNER, THEIRS)),
        (404, lambda w: rules.bind(w, OWNER, MINE, ChannelId("none"))),
        (403, lambda w: rules.characters_of(w, OWNER, THEIRS)),
        (404, lambda w: rules.profiles(w, (UserId("none"),))),
        (403, lambda w: rules.new_figure(w, OWNER, THEIRS, Character(user_id=UserId("f")))),
        (400, lambda w: rules.new_group(w, OWNER, GroupId("g" * 201), (), GroupId("f"))),
        (404, lambda w: rules.member_of_group(w, OWNER, BAND, GroupId("none"))),
        (404, lambda w: rules.member_of_group(w, OWNER, ChannelId("none"), GroupId("none"))),
        (413, lambda w: rules.check_upload(w, Upload(key="k", media_type="t", size=2**30))),
    ],
)
def test_what_cannot_be_is_refused(
    world: World, status: int, call: Callable[[World], object]
) -> None:
    """Each with the HTTP status that fits and words of its own."""
    with pytest.raises(Refused) as caught:
        call(world)
    assert caught.value.status == status
    assert caught.value.message


def test_groups_belong_to_who_made_them(world: World) -> None:
    """A group without an id gets one; another account cannot take it over."""
    group = rules.new_group(world, OWNER, GroupId(""), (OWNER,), GroupId("fresh"))
    assert group == Group(group_id=GroupId("fresh"), owner=OWNER, members=(OWNER,))
    world.apply(group)
    assert rules.member_of_group(world, OWNER, BAND, GroupId("fresh")).user_id == OWNER
    with pytest.raises(Refused, match="not in group"):
        rules.member_of_group(world, OTHER, BAND, GroupId("fresh"))
    with pytest.raises(Refused, match="another account"):
        rules.new_group(world, OTHER, GroupId("fresh"), (), GroupId("x"))


def test_uploads_are_bounded_in_number_and_in_all(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caps hold for all files together."""
    monkeypatch.setattr(rules, "MAX_UPLOADS", 2)
    monkeypatch.setattr(rules, "MAX_UPLOAD_BYTES_IN_ALL", 10)
    upload = Upload(key="a", media_type="image/png", size=8)
    world.apply(rules.check_upload(world, upload))
    with pytest.raises(Refused, match="all the room"):
        rules.check_upload(world, Upload(key="b", media_type="image/png", size=3))
    world.apply(rules.check_upload(world, Upload(key="b", media_type="image/png", size=1)))
    with pytest.raises(Refused, match="2 files already"):
        rules.check_upload(world, Upload(key="c", media_type="image/png", size=0))
