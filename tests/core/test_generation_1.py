"""A service on generation 1: groups behind lists, in both directions, and what may go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Literal

import attrs
import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import wait_all_tasks_blocked

from moobius_trio import (
    Action,
    ApiError,
    Band,
    ChannelId,
    Content,
    GroupId,
    GroupMessage,
    MessageId,
    MessageUp,
    MoobiusService,
    Receipt,
    UserId,
    container,
)
from moobius_trio.core.inlet import Inlet
from moobius_trio.network.group_book import GroupBook
from moobius_trio.testing import Local, LocalBand
from moobius_trio.testing.core_rig import FaultyApi, deliver, faulty_api, runtime_of

pytestmark = pytest.mark.local(protocol="1.8")

CREATE = "/service/group/create"
LOOK_UP = "/user/group"


class Echo(MoobiusService):
    """Notes what it hears and what failed; passes on what is for people."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str | None] = []
        self.failed: list[tuple[object, BaseException]] = []

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        self.heard.append(msg_up.text)
        if not msg_up.to_service:
            await self.send(self.msg_up_to_msg_down(msg_up))

    async def on_error(self, event: object, exc: BaseException) -> None:
        self.failed.append((event, exc))


@pytest.fixture
def api() -> Iterator[FaultyApi]:
    """What services of the test call the platform through."""
    with faulty_api() as api:
        yield api


def to_group(group: str, text: str, band: LocalBand, number: int = 0) -> GroupMessage:
    """Somebody said something to a group."""
    return GroupMessage(
        message=MessageUp(
            channel_id=band.channel_id,
            sender=UserId("alice"),
            content=Content(text=text),
            msg_id=MessageId(f"{group}-{text}-{number}"),
        ),
        group_id=GroupId(group),
    )


async def group_of(service: MoobiusService, *members: UserId) -> str:
    """A group that the platform knows."""
    return await service.http_api.create_group(members)


async def test_a_service_that_knows_nothing_of_groups_is_a_working_room(local: Local) -> None:
    """Messages reach whom they are for, and the list shows who is there."""
    service = Echo()
    band = await local.start(service)
    alice, bob, carol = await band.join("Alice", "Bob", "Carol")
    await alice.say("to all")
    await bob.say("to one", to=[carol])
    await carol.say("to nobody else", to=())
    assert alice.texts == ["to all"]
    assert bob.texts == ["to all"]
    assert carol.texts == ["to all", "to one"]
    assert service.heard == ["to all", "to one", "to nobody else"]
    assert alice.names == ["Alice", "Bob", "Carol"]
    await bob.leave()
    assert alice.names == ["Alice", "Carol"]


async def test_a_thousand_messages_to_the_same_people_are_one_group(
    local: Local, api: FaultyApi
) -> None:
    """Counted where the platform is asked."""
    service = Echo()
    band = await local.start(service)
    people = [actor.user_id for actor in await band.join("Alice", "Bob")]
    local.keep_unheard = True
    fifty = people + [UserId(f"gone-{number}") for number in range(48)]
    before = api.count(CREATE)
    for number in range(1_000):
        await service.create_message(band.channel_id, f"{number}", fifty)
    await local.settle()
    assert api.count(CREATE) - before == 1


async def test_a_thousand_messages_of_one_group_are_one_lookup(
    local: Local, api: FaultyApi
) -> None:
    """Counted where the platform is asked; they are handled in their order."""
    service = Echo()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    group = await group_of(service, alice.user_id)
    before = api.count(LOOK_UP)
    deliver(service, *(to_group(group, f"{number}", band) for number in range(999)))
    await local.settle()
    assert api.count(LOOK_UP) - before == 1
    assert alice.texts == [f"{number}" for number in range(999)]


async def test_a_reconnect_asks_for_no_group_again(local: Local, api: FaultyApi) -> None:
    """A group's id belongs to the platform, not to the connection."""
    service = Echo()
    band = await local.start(service)
    alice, bob = await band.join("Alice", "Bob")
    await alice.say("before")
    asked = api.count(CREATE)
    await local.drop_socket()
    await alice.say("behind")
    assert bob.texts == ["before", "behind"]
    assert api.count(CREATE) == asked


async def test_a_lookup_that_fails_is_an_error_and_never_a_word_to_the_service(
    local: Local, api: FaultyApi
) -> None:
    """The handler is not called; the next message is looked up anew."""
    service = Echo()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    group = await group_of(service, alice.user_id)
    local.keep_failures = True
    api.failing[LOOK_UP] = 400
    lost = to_group(group, "lost", band)
    deliver(service, lost)
    await local.settle()
    assert service.heard == []
    [(event, exc)] = service.failed
    assert event == lost
    assert isinstance(exc, ApiError)
    assert [event for event, _ in local.failures] == [lost]
    del api.failing[LOOK_UP]
    deliver(service, to_group(group, "heard", band))
    await local.settle()
    assert service.heard == ["heard"]


@pytest.mark.parametrize("known", [True, False], ids=["empty", "unknown"])
async def test_a_group_of_nobody_is_an_error(local: Local, known: bool) -> None:
    """An empty group is not the Service either."""
    service = Echo()
    band = await local.start(service)
    group = await group_of(service) if known else "no-such-group"
    local.keep_failures = True
    deliver(service, to_group(group, "private", band))
    await local.settle()
    assert service.heard == []
    assert len(service.failed) == 1


@pytest.mark.parametrize("group", ["x" * 70_000, "\ud800"], ids=["long", "surrogate"])
async def test_a_group_that_no_address_can_name_is_an_error_too(local: Local, group: str) -> None:
    """What is in a frame must not end the service."""
    service = Echo()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    local.keep_failures = True
    deliver(service, to_group(group, "private", band))
    await local.settle()
    assert service.heard == []
    [(_, exc)] = service.failed
    assert isinstance(exc, ApiError)
    await alice.say("still there?")
    assert service.heard == ["still there?"]


async def test_a_slow_lookup_keeps_the_order_of_its_band_and_no_other_waiting(
    local: Local, api: FaultyApi
) -> None:
    """What needs no lookup waits behind what does; other bands go on."""
    service = Echo()
    band = await local.start(service, bands=["local-demo", "Other"])
    other = local.band("Other")
    group = await group_of(service, UserId("alice"))
    local.keep_unheard = True
    api.slow[LOOK_UP] = 5
    said = [to_group(group, "first", band).message, to_group("", "elsewhere", other).message]
    deliver(service, to_group(group, "slow", band), *said)
    await trio.sleep(1)
    assert service.heard == ["elsewhere"]
    await local.settle()
    assert service.heard == ["elsewhere", "slow", "first"]


async def test_a_group_that_cannot_be_made_is_an_error_to_the_send_alone(
    local: Local, api: FaultyApi
) -> None:
    """The handler may go on, and what it sends next goes out."""
    errors: list[ApiError] = []

    class Careful(Echo):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            api.failing[CREATE] = 400
            members = list(self.bands[msg_up.channel_id].members)
            try:
                await self.create_message(msg_up.channel_id, "lost", members[::-1])
            except ApiError as exc:
                errors.append(exc)
            del api.failing[CREATE]
            await self.reply(msg_up, "could not tell them")

    band = await local.start(Careful())
    alice, bob = await band.join("Alice", "Bob")
    await alice.say("tell them")
    assert len(errors) == 1
    assert (alice.texts, bob.texts) == (["could not tell them"], [])


class Accounts(Band):
    """What is stored for a band."""

    coins = container(int)


async def test_a_group_that_cannot_be_made_takes_a_transaction_back(
    local: Local, api: FaultyApi
) -> None:
    """Neither the frame nor the change is there; one that can be made leaves with the commit."""
    receipts: list[Receipt] = []

    class Bank(MoobiusService[Accounts]):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            band = self.bands[msg_up.channel_id]
            async with band.transaction():
                band.coins["alice"] = 1
                receipts.append(await band.create_message("one coin", msg_up.sender))
                await band.create_message("all know", list(band.members)[::-1])

    service = Bank()
    band = await local.start(service)
    alice, bob = await band.join("Alice", "Bob")
    local.keep_failures = True
    api.failing[CREATE] = 400
    await alice.say("give me one", to=())
    coins = service.bands[band.channel_id].coins
    assert "alice" not in coins
    assert (alice.texts, bob.texts) == ([], [])
    del api.failing[CREATE]
    await alice.say("give me one", to=())
    assert coins["alice"] == 1
    assert (alice.texts, bob.texts) == (["one coin", "all know"], ["all know"])
    assert receipts[-1].state == "confirmed"


async def test_tasks_that_need_the_same_new_group_share_it(local: Local, api: FaultyApi) -> None:
    """However many speak at once."""
    service = Echo()
    band = await local.start(service)
    alice, bob = await band.join("Alice", "Bob")
    api.slow[CREATE] = 1
    before = api.count(CREATE)
    to = [bob.user_id, alice.user_id]
    for number in range(20):
        service.start_soon(service.create_message, band.channel_id, f"{number}", to)
    await local.until(lambda: len(bob.texts) == 20)
    assert api.count(CREATE) - before == 1


async def test_what_waits_for_a_group_is_not_overtaken_in_its_band(
    local: Local, api: FaultyApi
) -> None:
    """The list that was sent last is the one that stays; requests run side by side all the same."""
    service = Echo()
    band = await local.start(service, bands=["local-demo", "Other"])
    other = local.band("Other")
    alice, _ = await band.join("Alice", "Bob")
    [carol] = await other.join("Carol")
    people = list(service.bands[band.channel_id].members.values())
    api.slow[CREATE] = 5
    to = [alice.user_id]
    send = service.send_update_user_list
    service.start_soon(send, band.channel_id, [*people, people[0]], to)
    await wait_all_tasks_blocked()
    api.slow[CREATE] = 0
    service.start_soon(send, band.channel_id, people[:1], to)
    service.start_soon(service.create_message, other.channel_id, "elsewhere", [carol.user_id])
    await trio.sleep(1)
    assert carol.texts == ["elsewhere"]
    await trio.sleep(5)
    await local.settle()
    assert alice.names == ["Alice"]


@pytest.mark.parametrize("ending", ["failed", "cancelled"])
async def test_what_never_gets_its_group_lets_others_pass(
    local: Local, api: FaultyApi, ending: str
) -> None:
    """Whoever gave up keeps nobody waiting, and those behind keep their order."""
    service = Echo()
    band = await local.start(service)
    alice, _ = await band.join("Alice", "Bob")
    local.keep_failures = True
    say = partial(service.start_soon, service.create_message, band.channel_id)
    gone = [[alice.user_id, UserId(f"gone-{number}")] for number in range(2)]
    local.keep_unheard = True
    scopes = []
    for number, seconds in enumerate((7, 5)):
        api.slow[CREATE] = seconds
        scopes.append(say(f"{number}", gone[number]))
        await wait_all_tasks_blocked()
    say("last", [alice.user_id])
    await wait_all_tasks_blocked()
    if ending == "cancelled":
        scopes[1].cancel()
        await wait_all_tasks_blocked()
        assert alice.texts == []
    else:
        await trio.sleep(1)
        api.failing[CREATE] = 400
        await trio.sleep(5)
        assert alice.texts == []
        del api.failing[CREATE]
    await trio.sleep(10)
    await local.settle()
    assert alice.texts == ["0", "last"]


async def test_groups_that_are_not_used_for_longest_are_forgotten(
    local: Local, api: FaultyApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More lists than the book holds: each is still right, and asked for again where needed."""
    monkeypatch.setattr("moobius_trio.core.building.GroupBook", partial(GroupBook, size=3))
    service = Echo()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    local.keep_unheard = True
    before = api.count(CREATE)
    for _ in range(2):
        for number in range(5):
            to = [alice.user_id, UserId(f"gone-{number}")]
            await service.create_message(band.channel_id, f"{number}", to)
    await local.settle()
    assert alice.texts == [f"{number}" for number in range(5)] * 2
    assert api.count(CREATE) - before == 10


async def test_a_stop_does_not_wait_for_a_lookup(local: Local, api: FaultyApi) -> None:
    """What waits for one when the lanes' time is over is left behind, and the service ends."""
    service = Echo()
    band = await local.start(service)
    group = await group_of(service, UserId("alice"))
    api.slow[LOOK_UP] = 40
    deliver(service, to_group(group, "too late", band))
    await wait_all_tasks_blocked()
    await local.stop(service)
    assert service.heard == []


async def test_a_message_that_comes_twice_is_handled_once(local: Local) -> None:
    """Also where its recipients are a group."""
    service = Echo()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    group = await group_of(service, alice.user_id)
    duplicates = runtime_of(service).link._duplicates
    first = to_group(group, "once", band)
    assert [duplicates.is_repeated(first, 0.0) for _ in range(2)] == [False, True]
    elsewhere = GroupMessage(message=first.message, group_id=GroupId("another"))
    assert not duplicates.is_repeated(elsewhere, 0.0)


async def test_a_message_to_a_group_of_a_band_not_held_is_left_out(local: Local) -> None:
    """It is not even looked up."""
    service = Echo()
    band = await local.start(service)
    stranger = LocalBand(local, ChannelId("elsewhere"))
    deliver(service, to_group("g", "hello", stranger))
    await local.settle()
    assert service.heard == []
    assert service.statistics().lanes.not_held == 1
    assert band.channel_id in service.bands


class Masked(MoobiusService):
    """Shows everybody under another name."""

    async def on_fetch_user_list(self, action: Action) -> None:
        members = self.bands[action.channel_id].members.values()
        shown = [attrs.evolve(each, nickname="Cat") for each in members]
        await self.send_update_user_list(action.channel_id, shown, [action.sender])


async def test_a_list_that_shows_people_otherwise_is_told_in_the_log(local: Local) -> None:
    """Everybody sees a person's own name on generation 1, and the author is told, once."""
    with capture_logs() as logs:
        band = await local.start(Masked())
        (alice,) = await band.join("Alice")
        await band.join("Bob")
    assert alice.names == ["Alice", "Bob"]
    assert [line["part"] for line in logs if "part" in line] == ["profile"]


async def test_what_comes_before_the_service_is_there_waits_for_it(
    local: Local, api: FaultyApi
) -> None:
    """Messages to a group and refreshes too: they are read while the members are fetched."""
    service = Echo()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    early = to_group(await group_of(service, alice.user_id), "early", band)
    refresh = Action(subtype="refresh", channel_id=band.channel_id, sender=alice.user_id)
    inlet = Inlet([band.channel_id])
    inlet(early)
    inlet(refresh)
    assert alice.names == ["Alice"]
    alice.clear()
    inlet.open(runtime_of(service).dispatcher)
    await local.settle()
    assert (alice.texts, alice.names) == (["early"], ["Alice"])


@pytest.mark.parametrize("lanes", ["channel", "sender"])
async def test_a_band_in_which_too_much_waits_sheds_messages_to_groups_like_others(
    local: Local, api: FaultyApi, lanes: Literal["channel", "sender"]
) -> None:
    """Each is counted, with what it takes; what was taken is handled in its order."""
    service = Echo()
    band = await local.start(service, lanes=lanes)
    group = await group_of(service, UserId("alice"))
    local.keep_unheard = True
    api.slow[LOOK_UP] = 1
    deliver(service, *(to_group(group, f"{number}", band) for number in range(1_200)))
    await local.settle()
    shed = service.statistics().lanes.shed
    room = 1_000 if lanes == "channel" else 101  # the one that runs does not wait
    assert 1_200 - room <= shed <= 1_200 - room + 1
    assert service.heard == [f"{number}" for number in range(1_200 - shed)]
    assert api.count(LOOK_UP) == 1
