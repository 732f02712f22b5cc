"""View lanes: a reload is answered while a handler waits, but never before its own join."""

from __future__ import annotations

import trio
import trio.testing

from moobius_trio import Action, ChannelId, MessageUp, MoobiusService, UserId
from moobius_trio.core.mailbox_room import Limits
from moobius_trio.testing import Local
from moobius_trio.testing.core_rig import deliver, runtime_of


class Screen(MoobiusService):
    """Its messages and joins wait until they may go on; it notes what it does."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.waits_in_message = trio.Event()
        self.waits_in_join = trio.Event()
        self.waits_in_join.set()
        self.waits_in_view = trio.Event()
        self.waits_in_view.set()

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await self.waits_in_message.wait()
        self.seen.append("message")

    async def on_join_channel(self, action: Action) -> None:
        await self.waits_in_join.wait()
        self.seen.append(f"join {action.sender}")

    async def on_leave_channel(self, action: Action) -> None:
        self.seen.append(f"leave {action.sender}")

    async def on_fetch_user_list(self, action: Action) -> None:
        await self.waits_in_view.wait()
        self.seen.append(f"list {action.sender}")

    async def on_fetch_features(self, action: Action) -> None:
        self.seen.append(f"keys {action.sender}")


class Stage:
    """A band with a service, and what users of made-up ids do there."""

    def __init__(self, service: Screen, channel_id: ChannelId) -> None:
        self.service = service
        self.channel_id = channel_id

    async def act(self, user: str, *subtypes: str) -> None:
        """Let requests of a user arrive, and wait until nothing more happens."""
        deliver(
            self.service,
            *(
                Action(subtype=subtype, channel_id=self.channel_id, sender=UserId(user))
                for subtype in subtypes
            ),
        )
        await trio.testing.wait_all_tasks_blocked()

    async def say(self) -> None:
        """Let a message arrive."""
        deliver(self.service, MessageUp(channel_id=self.channel_id, sender=UserId("alice")))
        await trio.testing.wait_all_tasks_blocked()


async def open_stage(local: Local) -> Stage:
    """A running service with nobody in its band."""
    service = Screen()
    band = await local.start(service)
    return Stage(service, band.channel_id)


async def test_a_reload_is_answered_while_a_handler_waits(local: Local) -> None:
    """Requests for the screen run beside the band's lane; messages wait for their turn."""
    stage = await open_stage(local)
    await stage.say()
    await stage.say()
    await stage.act("alice", "fetch_user_list", "fetch_features")
    assert stage.service.seen == ["list alice", "keys alice"]
    stage.service.waits_in_message.set()
    await local.settle()
    assert stage.service.seen[2:] == ["message", "message"]


async def test_a_view_waits_for_its_own_join(local: Local) -> None:
    """While the join waits or runs the newcomer's screen is held back, and nobody else's."""
    stage = await open_stage(local)
    await stage.say()
    await stage.act("bob", "join_channel", "fetch_user_list")
    await stage.act("alice", "fetch_user_list")
    assert stage.service.seen == ["list alice"]
    stage.service.waits_in_join = trio.Event()
    stage.service.waits_in_message.set()
    await trio.testing.wait_all_tasks_blocked()
    assert stage.service.seen == ["list alice", "message"]
    stage.service.waits_in_join.set()
    await local.settle()
    assert stage.service.seen[2:] == ["join bob", "list bob"]


async def test_a_join_holds_back_the_next_view_also_while_one_runs(local: Local) -> None:
    """A view that runs already ends; the one behind it waits for the join."""
    stage = await open_stage(local)
    service = stage.service
    service.waits_in_view = trio.Event()
    service.waits_in_join = trio.Event()
    await stage.act("bob", "fetch_user_list", "fetch_features")
    await stage.act("bob", "join_channel")
    service.waits_in_view.set()
    await trio.testing.wait_all_tasks_blocked()
    assert service.seen == ["list bob"]
    service.waits_in_join.set()
    await local.settle()
    assert service.seen == ["list bob", "join bob", "keys bob"]


async def test_a_view_waits_for_a_join_and_a_leave(local: Local) -> None:
    """Held back by both, a view goes on when the last of them has ended."""
    stage = await open_stage(local)
    await stage.say()
    await stage.act("bob", "join_channel", "leave_channel", "fetch_user_list")
    assert stage.service.seen == []
    stage.service.waits_in_message.set()
    await local.settle()
    assert stage.service.seen == ["message", "join bob", "leave bob", "list bob"]


async def test_a_view_is_not_held_for_ever_by_a_join_that_fails(local: Local) -> None:
    """A join handler that raises, and one that was shed, let the view go on."""

    class Failing(Screen):
        async def on_join_channel(self, action: Action) -> None:
            raise ValueError("no")

    local.keep_failures = True
    service = Failing()
    band = await local.start(service)
    stage = Stage(service, band.channel_id)
    await stage.act("bob", "join_channel", "fetch_user_list")
    await local.settle()
    assert service.seen == ["list bob"]
    lanes = runtime_of(service).dispatcher.lanes
    lanes.room.limits = Limits(band_events=2)
    await stage.say()
    await stage.say()
    await stage.act("carol", "join_channel", "fetch_user_list")
    assert service.seen == ["list bob", "list carol"]
    assert service.statistics().lanes.shed == 1
    service.waits_in_message.set()
    await local.settle()


async def test_views_and_lanes_by_sender(local: Local) -> None:
    """With ``lanes: sender`` a join waits for nobody else, and its view still waits for it."""
    service = Screen()
    band = await local.start(service, lanes="sender")
    stage = Stage(service, band.channel_id)
    await stage.say()
    service.waits_in_join = trio.Event()
    await stage.act("bob", "join_channel", "fetch_user_list")
    await stage.act("carol", "fetch_user_list")
    assert service.seen == ["list carol"]
    service.waits_in_join.set()
    await trio.testing.wait_all_tasks_blocked()
    assert service.seen == ["list carol", "join bob", "list bob"]
    service.waits_in_message.set()
    await local.settle()


async def test_requests_that_wait_twice_are_one(local: Local) -> None:
    """Of equal requests of one user that wait only one is handled; others are not affected."""
    stage = await open_stage(local)
    service = stage.service
    service.waits_in_view = trio.Event()
    await stage.act("alice", "fetch_user_list")
    await stage.act("alice", *["fetch_user_list", "fetch_features"] * 10)
    await stage.act("bob", "fetch_features")
    service.waits_in_view.set()
    await local.settle()
    assert sorted(service.seen) == ["keys alice", "keys bob", "list alice", "list alice"]
    assert service.statistics().lanes.coalesced == 18


async def test_the_same_request_in_two_bands_is_two(local: Local) -> None:
    """Requests coalesce for one user in one band only."""
    service = Screen()
    await local.start(service, bands=["red", "blue"])
    service.waits_in_view = trio.Event()
    red, blue = (Stage(service, channel_id) for channel_id in service.bands)
    for _ in range(2):
        await red.act("alice", "fetch_user_list")
        await blue.act("alice", "fetch_user_list")
    service.waits_in_view.set()
    await local.settle()
    assert service.seen == ["list alice"] * 4


async def test_no_view_lane_is_left_behind(local: Local) -> None:
    """When everything is handled no lane remembers its user."""
    stage = await open_stage(local)
    for number in range(50):
        await stage.act(f"user-{number}", "join_channel", "fetch_user_list", "leave_channel")
    await local.settle()
    assert stage.service.statistics().lanes.lanes == 0


async def test_a_refresh_asks_for_each_part_as_generation_0_does(local: Local) -> None:
    """A service that knows nothing of refreshes shows the same screen, beside a slow handler."""
    stage = await open_stage(local)
    await stage.say()
    await stage.act("alice", "refresh")
    assert stage.service.seen == ["list alice", "keys alice"]
    stage.service.waits_in_message.set()


async def test_two_refreshes_are_answered_together(local: Local) -> None:
    """What waits twice for the same user is done once, part by part."""
    stage = await open_stage(local)
    await stage.act("alice", "refresh", "refresh", "fetch_user_list")
    assert stage.service.seen == ["list alice", "keys alice"]


async def test_a_part_that_fails_leaves_the_others_of_a_refresh_alone(local: Local) -> None:
    """They are handled by themselves, each under its own name."""

    class Broken(Screen):
        async def on_fetch_user_list(self, action: Action) -> None:
            raise ValueError("no list today")

    service = Broken()
    local.keep_failures = True
    stage = Stage(service, (await local.start(service)).channel_id)
    await stage.act("alice", "refresh")
    assert service.seen == ["keys alice"]
    [(event, _)] = local.failures
    assert event == Action(
        subtype="fetch_user_list", channel_id=stage.channel_id, sender=UserId("alice")
    )


async def test_on_refresh_takes_the_whole_request_and_may_hand_it_on(local: Local) -> None:
    """Defined by the author it is called once; its default asks for the parts in their order."""

    class Whole(Screen):
        async def on_refresh(self, action: Action) -> None:
            self.seen.append(f"all for {action.sender}")
            await super().on_refresh(action)

        async def on_fetch_playground(self, action: Action) -> None:
            self.seen.append(f"{action.subtype} {action.sender}")

    service = Whole()
    stage = Stage(service, (await local.start(service)).channel_id)
    await stage.act("alice", "refresh")
    assert service.seen == [
        "all for alice",
        "list alice",
        "keys alice",
        "fetch_playground alice",
    ]


async def test_a_refresh_waits_for_the_users_own_join(local: Local) -> None:
    """It is a request for the screen like any other."""
    stage = await open_stage(local)
    stage.service.waits_in_join = trio.Event()
    await stage.act("alice", "join_channel", "refresh")
    assert stage.service.seen == []
    stage.service.waits_in_join.set()
    await trio.testing.wait_all_tasks_blocked()
    assert stage.service.seen == ["join alice", "list alice", "keys alice"]


async def test_a_service_with_an_on_action_of_its_own_is_asked_for_parts(local: Local) -> None:
    """It was written for generation 0, whose clients know no refresh."""

    class Old(MoobiusService):
        def __init__(self) -> None:
            super().__init__()
            self.asked: list[str] = []

        async def on_action(self, action: Action) -> None:
            self.asked.append(action.subtype)

    service = Old()
    channel_id = (await local.start(service)).channel_id
    deliver(service, Action(subtype="refresh", channel_id=channel_id, sender=UserId("alice")))
    await local.settle()
    assert service.asked == ["fetch_user_list", "fetch_features", "fetch_playground"]
