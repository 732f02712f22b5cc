"""Members: kept by the SDK, true before a handler asks, and never waited for long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from moobius_trio import Action, ChannelId, Character, Gap, MessageUp, MoobiusService, UserId
from moobius_trio.core.mailbox_room import Limits
from moobius_trio.core.members import Members
from moobius_trio.errors import ApiError
from moobius_trio.testing import SERVICE, Local
from moobius_trio.testing.core_rig import deliver, faulty_api, runtime_of

ALICE = UserId("alice")
BOB = UserId("bob")


def person(user_id: UserId) -> Character:
    """A profile that differs from the stand-in for one that could not be fetched."""
    return Character(user_id=user_id, nickname=user_id.title())


class Profiles:
    """The platform's answers to questions for profiles, as slow or wrong as a test wants."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.fails = False
        self.asked: list[UserId] = []

    async def fetch(self, user_id: UserId) -> Character:
        self.asked.append(user_id)
        await trio.sleep(self.seconds)
        if self.fails:
            raise ApiError("/user/fetch_profile", "no", status=500)
        return person(user_id)


@asynccontextmanager
async def members_of(profiles: Profiles) -> AsyncIterator[Members]:
    """An empty band."""
    async with trio.open_nursery() as nursery:
        yield Members(fetch_profile=profiles.fetch, start_soon=nursery.start_soon)
        nursery.cancel_scope.cancel()


async def test_a_join_has_its_profile(autojump_clock: trio.testing.MockClock) -> None:
    """The fetch begins when the join is read, and the member has its profile at once after it."""
    profiles = Profiles()
    profiles.seconds = 1.5
    async with members_of(profiles) as members:
        members.expect(ALICE)
        start = trio.current_time()
        await members.join(ALICE)
        assert members.view == {ALICE: person(ALICE)}
        assert trio.current_time() - start == 1.5


async def test_a_slow_profile_is_waited_for_two_seconds(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Then the id stands in for the nickname, until the profile comes."""
    profiles = Profiles()
    profiles.seconds = 30
    async with members_of(profiles) as members:
        members.expect(ALICE)
        start = trio.current_time()
        await members.join(ALICE)
        assert trio.current_time() - start == 2
        assert members.view[ALICE] == Character(user_id=ALICE, nickname="alice")
        await trio.sleep(29)
        assert members.view[ALICE] == person(ALICE)


async def test_the_two_seconds_count_from_the_lane_not_from_the_socket(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A profile that came while the event waited in its lane costs the lane nothing."""
    profiles = Profiles()
    profiles.seconds = 5
    async with members_of(profiles) as members:
        members.expect(ALICE)
        await trio.sleep(10)
        start = trio.current_time()
        await members.join(ALICE)
        assert members.view[ALICE] == person(ALICE)
        assert trio.current_time() == start


async def test_a_profile_that_cannot_be_fetched_is_the_id(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A failing fetch delays nothing and ends nothing; the next join asks again."""
    profiles = Profiles()
    profiles.fails = True
    async with members_of(profiles) as members:
        members.expect(ALICE)
        await members.join(ALICE)
        assert members.view[ALICE].nickname == "alice"
        profiles.fails = False
        members.leave(ALICE)
        members.expect(ALICE)
        await members.join(ALICE)
        assert members.view[ALICE] == person(ALICE)


async def test_the_last_known_profile_outlives_its_owner(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """One who left is still known, also when the profile came only after that."""
    profiles = Profiles()
    profiles.seconds = 30
    async with members_of(profiles) as members:
        members.expect(ALICE)
        await members.join(ALICE)
        members.leave(ALICE)
        assert members.view == {}
        assert members.profile(ALICE).nickname == "alice"
        await trio.sleep(30)
        assert members.profile(ALICE) == person(ALICE)
        assert members.view == {}


async def test_two_joins_of_one_person_ask_once(autojump_clock: trio.testing.MockClock) -> None:
    """While a profile is on its way nobody asks for it again."""
    profiles = Profiles()
    profiles.seconds = 1
    async with members_of(profiles) as members:
        for _ in range(3):
            members.expect(ALICE)
        await members.join(ALICE)
        members.leave(ALICE)
        await members.join(ALICE)
        assert profiles.asked == [ALICE]
        assert members.view[ALICE] == person(ALICE)


async def test_a_flood_of_joins_is_none_of_requests(autojump_clock: trio.testing.MockClock) -> None:
    """Of 500 profiles eight are asked for at once, in the order of the joins; all come."""
    profiles = Profiles()
    profiles.seconds = 1
    people = [UserId(str(number)) for number in range(500)]
    async with members_of(profiles) as members:
        for user_id in people:
            members.expect(user_id)
        await trio.sleep(0.5)
        assert profiles.asked == people[:8]
        for user_id in people:
            await members.join(user_id)
        assert profiles.asked == people
        assert members.view == {user_id: person(user_id) for user_id in people}
        assert trio.current_time() < 65


async def test_slow_profiles_of_a_flood_come_in_the_end(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Each join waits two seconds at most, and nobody keeps the id for a name."""
    profiles = Profiles()
    profiles.seconds = 30
    people = [UserId(str(number)) for number in range(40)]
    async with members_of(profiles) as members:
        for user_id in people:
            members.expect(user_id)
        for user_id in people:
            start = trio.current_time()
            await members.join(user_id)
            assert trio.current_time() - start <= 2
        assert set(members.view) == set(people)
        await trio.sleep(30 * 40 / 8)
        assert members.view == {user_id: person(user_id) for user_id in people}


async def test_who_left_before_being_asked_about_is_not_asked_about(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A thousand people who come and go at once leave nothing that waits."""
    profiles = Profiles()
    profiles.seconds = 30
    async with members_of(profiles) as members:
        for number in range(8):
            members.expect(UserId(f"early-{number}"))
        for number in range(1_000):
            user_id = UserId(str(number))
            members.expect(user_id)
            members.leave(user_id)
        assert len(members._wanted) == 8
        await trio.sleep(100)
        assert len(profiles.asked) == 8
        members.expect(ALICE)
        members.leave(ALICE)  # and is expected once more, behind the first join in the lane
        profiles.seconds = 1
        await members.join(ALICE)
        assert members.view == {ALICE: person(ALICE)}


async def test_the_memory_for_those_who_left_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one who left longest ago is forgotten first."""
    monkeypatch.setattr("moobius_trio.core.members.KNOWN_LIMIT", 2)
    async with members_of(Profiles()) as members:
        members.replace([person(UserId(name)) for name in "abc"])
        for name in "bac":
            members.leave(UserId(name))
        known = [members.profile(UserId(name)).nickname for name in "abc"]
        assert known == ["A", "b", "C"]


async def test_a_fetched_list_says_who_came_and_went() -> None:
    """A list replaces the members, in its order, and the difference is told."""
    async with members_of(Profiles()) as members:
        assert members.replace([person(ALICE), person(BOB)]) == ([ALICE, BOB], [])
        carol = UserId("carol")
        assert members.replace([person(carol), person(BOB)]) == ([carol], [ALICE])
        assert list(members.view) == [carol, BOB]
        assert members.profile(ALICE) == person(ALICE)


async def test_a_list_does_not_undo_what_happened_since_it_was_asked_for() -> None:
    """Whoever joined or left while the list was under way is right, not the list."""
    carol = UserId("carol")
    async with members_of(Profiles()) as members:
        members.replace([person(ALICE), person(BOB)])
        with members.journal() as changed:
            await members.join(carol)
            members.leave(ALICE)
        members.leave(BOB)  # no part of the journal
        assert members.replace([person(ALICE), person(BOB)], but=changed) == ([BOB], [])
        assert list(members.view) == [BOB, carol]


async def test_journals_of_two_lists_do_not_mix() -> None:
    """Each list is mended by what happened while it was under way itself."""
    async with members_of(Profiles()) as members:
        with members.journal() as first:
            with members.journal() as second:
                pass
            await members.join(ALICE)
        assert (first, second) == ({ALICE}, set())


class Watching(MoobiusService):
    """Writes down what its handlers see of the members."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, list[str]]] = []
        self.gaps: list[Gap] = []

    def look(self, where: str, channel_id: ChannelId) -> None:
        members = self.bands[channel_id].members.values()
        self.seen.append((where, [member.nickname for member in members]))

    async def on_start(self) -> None:
        for channel_id in self.bands:
            self.look("start", channel_id)

    async def on_join_channel(self, action: Action) -> None:
        self.look("join", action.channel_id)

    async def on_leave_channel(self, action: Action) -> None:
        self.look("leave", action.channel_id)

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        self.look("message", msg_up.channel_id)

    async def on_gap(self, gap: Gap) -> None:
        self.gaps.append(gap)
        self.look("gap", gap.channel_id)


async def test_handlers_find_members_as_the_event_left_them(local: Local) -> None:
    """Known before `on_start`, extended before `on_join_channel`, reduced before the leave."""
    [early] = await local.band("local-demo").join("Early")
    service = Watching()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    await early.leave()
    assert service.seen == [
        ("start", ["Early"]),
        ("join", ["Early", "Alice"]),
        ("leave", ["Alice"]),
    ]
    assert service.bands[band.channel_id].profile(early.user_id).nickname == "Early"
    assert service.bands[band.channel_id].members[alice.user_id].nickname == "Alice"


async def test_members_cannot_be_changed_from_outside(local: Local) -> None:
    """What the SDK keeps is a view for everybody else."""
    service = Watching()
    band = await local.start(service)
    members = service.bands[band.channel_id].members
    with pytest.raises(TypeError):
        members[ALICE] = person(ALICE)  # type: ignore[index]


async def test_a_join_is_announced_within_two_seconds(local: Local) -> None:
    """A profile that takes ten seconds delays the band by two; then it is corrected."""
    service = Watching()
    with faulty_api() as api:
        band = await local.start(service)
        api.slow["/user/fetch_profile"] = 10
        start = trio.current_time()
        [alice] = await band.join("Alice")
        assert trio.current_time() - start == 2
        assert service.seen[-1] == ("join", [alice.user_id])
        await trio.sleep(9)
        await alice.say("who am I?", to=SERVICE)
        assert service.seen[-1] == ("message", ["Alice"])


async def test_a_gap_tells_who_came_and_went(local: Local) -> None:
    """After a cut the list is fetched again before later events; `on_gap` has the difference."""
    service = Watching()
    band = await local.start(service)
    alice, bob = await band.join("Alice", "Bob")
    local.platform.cut()
    await bob.leave()
    [carol] = await band.join("Carol")
    await local.until(lambda: service.gaps)
    await alice.say("who is here?", to=SERVICE)
    [gap] = service.gaps
    assert (gap.joined, gap.left) == ((carol.user_id,), (bob.user_id,))
    assert gap.channel_id == band.channel_id
    assert gap.since < gap.until <= service.now()
    assert service.seen[-2:] == [("gap", ["Alice", "Carol"]), ("message", ["Alice", "Carol"])]


async def test_a_gap_is_reported_for_every_band(local: Local) -> None:
    """Each band hears of it, once, also when nobody came or went."""
    service = Watching()
    await local.start(service, bands=["red", "blue"])
    await local.drop_socket()
    await local.until(lambda: len(service.gaps) >= 2)
    assert {gap.channel_id for gap in service.gaps} == set(service.bands)
    assert len(service.gaps) == 2
    assert all(gap.joined == gap.left == () for gap in service.gaps)


async def test_a_gap_is_reported_when_the_list_cannot_be_fetched(local: Local) -> None:
    """A platform whose HTTP half is away still costs the service its gap, and keeps no lane."""
    service = Watching()
    with faulty_api() as api:
        band = await local.start(service)
        [alice] = await band.join("Alice")
        api.failing["/channel/userlist"] = 500
        await local.drop_socket()
        await local.until(lambda: service.gaps)
        await alice.say("hello", to=SERVICE)
    assert [(gap.joined, gap.left) for gap in service.gaps] == [((), ())]
    assert service.seen[-1] == ("message", ["Alice"])


async def test_a_slow_list_after_a_gap_holds_the_lane_for_two_seconds(local: Local) -> None:
    """Events go on with the old members then; the new ones come, and the gap with them."""
    service = Watching()
    with faulty_api() as api:
        band = await local.start(service)
        alice, bob = await band.join("Alice", "Bob")
        api.slow["/channel/userlist"] = 20
        local.platform.cut()
        await bob.leave()
        await local.drop_socket()
        start = trio.current_time()
        await alice.say("hello", to=SERVICE)
        assert trio.current_time() - start <= 4
        assert service.seen[-1] == ("message", ["Alice", "Bob"])
        [dave] = await band.join("Dave")
        assert service.seen[-1] == ("join", ["Alice", "Bob", "Dave"])
        await local.until(lambda: service.gaps)
    assert service.gaps[0].left == (bob.user_id,)
    assert list(service.bands[band.channel_id].members) == [alice.user_id, dave.user_id]


async def test_an_old_list_does_not_undo_what_was_handled_meanwhile(local: Local) -> None:
    """A list that was 20 s on its way back knows nothing of who came and went in that time."""
    service = Watching()
    with faulty_api() as api:
        band = await local.start(service)
        alice, bob = await band.join("Alice", "Bob")
        api.late["/channel/userlist"] = 20
        await local.drop_socket()
        [dave] = await band.join("Dave")
        await bob.leave()
        await local.until(lambda: service.gaps)
    assert (service.gaps[0].joined, service.gaps[0].left) == ((), ())
    assert list(service.bands[band.channel_id].members) == [alice.user_id, dave.user_id]


async def test_a_join_that_is_shed_is_not_lost_for_the_members(local: Local) -> None:
    """When a full lane sheds joins and leaves, the list is fetched once the lane has caught up."""
    proceed = trio.Event()

    class Stuck(Watching):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            await proceed.wait()

    service = Stuck()
    band = await local.start(service)
    alice, bob = await band.join("Alice", "Bob")
    lanes = runtime_of(service).dispatcher.lanes
    lanes.room.limits = Limits(band_events=2)
    for _ in range(2):
        deliver(service, MessageUp(channel_id=band.channel_id, sender=alice.user_id))
        await trio.testing.wait_all_tasks_blocked()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bob.leave)
        await trio.testing.wait_all_tasks_blocked()
        assert bob.user_id in service.bands[band.channel_id].members
        proceed.set()
    assert list(service.bands[band.channel_id].members) == [alice.user_id]
    assert service.statistics().lanes.shed == 1
