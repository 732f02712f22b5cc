"""How a `MoobiusUser` is started, stopped, cut off, refused, and told what went wrong."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Literal

import attrs
import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from moobius_trio import (
    Action,
    ApiError,
    CallbackError,
    ChannelId,
    ConnectionLost,
    Gap,
    MessageDown,
    MessageUp,
    MoobiusService,
    MoobiusUser,
    MoobiusWand,
    MovedError,
    Overflow,
    SignInRefused,
    Unreachable,
    UpdateUserList,
    UserId,
    open_wand,
)
from moobius_trio.core.mailbox_room import Limits
from moobius_trio.network.memory import MemoryFrameStream, memory_connector
from moobius_trio.testing.core_rig import FakeSignals, changed_environment, faulty_api, reachable
from moobius_trio.testing.harness import Local
from moobius_trio.testing.users import prepare_user, start_user
from moobius_trio.types import Secret, UpdateCharacterGroup

BAND = ChannelId("local-demo")


class Room(MoobiusService):
    """Keeps what it hears, and passes on what is for somebody."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[MessageUp] = []

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        self.heard.append(msg_up)
        if msg_up.recipients:
            await self.send(self.msg_up_to_msg_down(msg_up))


class Awaited:
    """What ``nursery.start`` gives a task; nobody needs the handle."""

    def started(self, value: object = None) -> None:
        raise AssertionError("it has never been ready")


class Bot(MoobiusUser):
    """Notes its life."""

    def __init__(self) -> None:
        super().__init__()
        self.life: list[str] = []
        self.errors: list[tuple[object, BaseException]] = []

    async def on_start(self) -> None:
        self.life.append("start")

    async def on_stop(self) -> None:
        self.life.append("stop")
        await self.say(BAND, "good bye")

    async def on_msg_down(self, msg_down: MessageDown) -> None:
        self.life.append(f"heard {msg_down.text}")

    async def on_update_user_list(self, update: UpdateUserList) -> None:
        names = ", ".join(character.nickname for character in update.user_list)
        self.life.append(f"sees {names}")

    async def on_error(self, event: object, exc: BaseException) -> None:
        self.errors.append((event, exc))


async def test_a_stop_lets_what_is_said_leave(local: Local) -> None:
    """`on_stop` runs, its words arrive, and the handle says that it has ended."""
    room, bot = Room(), Bot()
    await local.start(room)
    handle = await start_user(local, bot)
    assert handle.running
    await handle.stop()
    assert not handle.running
    assert (bot.life[0], bot.life[-1]) == ("start", "stop")
    assert room.heard[-1].text == "good bye"
    await start_user(local, bot)  # the same object again
    assert bot.life[-2:] == ["start", "sees bot"]


async def test_it_runs_under_the_wand_beside_a_service(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spells reach it, and one signal stops it in good order."""
    room, bot = Room(), Bot()
    await local.start(room)
    signals = FakeSignals()
    signals.install(monkeypatch)
    prepare_user(local, bot)
    async with MoobiusWand() as wand:
        handle = await wand.run(bot)
        assert handle.user_id == bot.user_id
        assert await wand.aspell(handle, "x", wait=True) is None
        signals.send()
        await trio.sleep_forever()
    assert bot.life[-1] == "stop"
    assert room.heard[-1].text == "good bye"


async def test_a_second_signal_does_not_wait(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that would take its time is cancelled, and the exit code is 130."""

    class Slow(Bot):
        async def on_stop(self) -> None:
            signals.send()
            await trio.sleep(3)
            self.life.append("not reached")

    signals = FakeSignals()
    signals.install(monkeypatch)
    slow = Slow()
    prepare_user(local, slow)

    async with trio.open_nursery() as nursery:
        await nursery.start(_ended_with_130, slow)
        signals.send()
    assert "not reached" not in slow.life


async def _ended_with_130(user: MoobiusUser, *, task_status: trio.TaskStatus[object]) -> None:
    with pytest.raises(SystemExit) as ended:
        await user.serve(task_status=task_status)
    assert ended.value.code == 130


@pytest.mark.local(sockets=True)
@pytest.mark.parametrize("protocol", ["0.0.1", "1.8"])
async def test_over_real_sockets_it_is_the_same(
    local: Local, protocol: Literal["0.0.1", "1.8"]
) -> None:
    """Everything crosses loopback sockets, and a stop ends it in good order."""
    room, bot = Room(), Bot()
    band = await local.start(room, protocol=protocol)
    [alice] = await band.join("Alice")
    handle = await start_user(local, bot, protocol=protocol)
    await alice.say("hello", to=bot.user_id)
    await local.until(lambda: "heard hello" in bot.life)
    await handle.stop()
    assert bot.life[-1] == "stop"
    await local.until(lambda: room.heard[-1].text == "good bye")


@pytest.mark.parametrize("protocol", ["0.0.1", "1.8"])
async def test_what_is_said_while_it_is_away_arrives_once(
    local: Local, protocol: Literal["0.0.1", "1.8"]
) -> None:
    """A cut loses and doubles nothing, and the handler hears of the gap."""
    gaps: list[Gap] = []

    class Cut(Bot):
        async def on_gap(self, gap: Gap) -> None:
            gaps.append(gap)
            await super().on_gap(gap)

    streams: list[MemoryFrameStream] = []

    async def serve(stream: MemoryFrameStream) -> None:
        streams.append(stream)
        await local.platform.serve_socket(stream)

    room, bot = Room(), Cut()
    await local.start(room)
    with changed_environment(
        lambda environment: attrs.evolve(
            environment, connect=memory_connector(local._site.nursery, serve)
        )
    ):
        await start_user(local, bot, protocol=protocol)
    bot.life.clear()
    streams[0].cut()
    receipts = [await bot.say(BAND, str(number)) for number in range(5)]
    assert {(await receipt.outcome()).state for receipt in receipts} == {"confirmed"}
    await local.settle()
    assert [one.text for one in room.heard] == ["0", "1", "2", "3", "4"]
    [gap] = gaps
    assert gap.channel_id == BAND
    assert bot.life == ["sees cut"]


@pytest.mark.local(sockets=True)
async def test_it_is_reached_by_its_name(local: Local) -> None:
    """Other processes of this machine see it and cast spells at it, as at a service."""

    class Counted(Bot):
        async def on_spell(self, spell: object) -> object:
            return [spell, len(self.channels)]

    with reachable() as environ:
        handle = await start_user(local, Counted())
        async with open_wand("counted", environ=environ) as wand:
            assert await wand.aspell("x", wait=True) == ["x", 1]
            status = await wand.status()
        assert (status.service_id, status.bands) == (handle.user_id, (BAND,))
        await handle.stop()


async def test_it_asks_the_platform_in_its_own_name(local: Local) -> None:
    """Bands, members, history, profiles: calls of generation 1 that a user may make."""
    room, bot = Room(), Bot()
    band = await local.start(room, protocol="1.8")
    [alice] = await band.join("Alice")
    await start_user(local, bot, protocol="1.8")
    api = bot.http_api
    assert await api.fetch_channel_list() == (BAND,)
    assert await api.fetch_member_ids(BAND, bot.user_id) == (alice.user_id, bot.user_id)
    await alice.say("hello", to=bot.user_id)
    assert "hello" in [past.content.text for past in await api.fetch_message_history(BAND)]
    await api.update_current_user("Botty", "", "a bot")
    info = await api.fetch_user_info()
    assert (info.user_id, info.name, info.description) == (bot.user_id, "Botty", "a bot")
    [profile] = await api.fetch_profiles([bot.user_id])
    assert profile.nickname == "Botty"


async def test_bands_that_it_is_in_already_are_not_joined_again(local: Local) -> None:
    """Where the platform says which they are, its service sees one join, and then a refresh."""
    actions: list[str] = []

    class Watching(Room):
        async def on_action(self, action: Action) -> None:
            actions.append(action.subtype)
            await super().on_action(action)

    bot = Bot()
    await local.start(Watching(), protocol="1.8")
    handle = await start_user(local, bot, protocol="1.8")
    await handle.stop()
    assert actions[0] == "join_channel"
    asked = actions[1:]  # a refresh is all the questions there are
    handle = await start_user(local, bot, protocol="1.8")
    assert handle.statistics().outbox.written == 1
    assert asked
    assert actions == ["join_channel", *asked, *asked]
    assert handle.channels == (BAND,)


async def test_one_group_is_asked_for_once(local: Local) -> None:
    """Two hundred messages to the same ten people are one request for their group."""
    room, bot = Room(), Bot()
    band = await local.start(room, protocol="1.8")
    people = await band.join(*(f"person {number}" for number in range(10)))
    await start_user(local, bot, protocol="1.8")
    before = local.platform.calls.copy()
    for number in range(200):
        await bot.say(BAND, str(number), [person.user_id for person in people])
    await local.settle()
    assert len(room.heard) == 200
    assert room.heard[-1].recipients == tuple(person.user_id for person in people)
    made = local.platform.calls - before
    assert made["POST /user/group/create"] == 1


@pytest.mark.parametrize("path", ["/user/group", "/character/fetch_profile"])
async def test_a_list_that_cannot_be_looked_up_is_an_error(local: Local, path: str) -> None:
    """It is never an empty list; what comes later is handled, and the next list is looked up."""
    local.keep_failures = True
    with faulty_api() as api:
        room, bot = Room(), Bot()
        band = await local.start(room)
        await start_user(local, bot, protocol="1.8")
        bot.life.clear()
        api.failing[path] = 500
        [alice] = await band.join("Alice")
        await alice.say("hello", to=bot.user_id)
        await local.until(lambda: bot.life == ["heard hello"])
        assert bot.errors
        for event, exc in bot.errors:
            assert isinstance(event, UpdateCharacterGroup)
            assert isinstance(exc, ApiError)
        del api.failing[path]
        await bot.refresh(BAND)
        await local.settle()
        assert bot.life[-1] == "sees bot, Alice"


async def test_recipients_that_cannot_be_made_a_group_are_an_error(local: Local) -> None:
    """It is the caller's; nothing is sent, least of all to the Service."""
    with faulty_api() as api:
        room, bot = Room(), Bot()
        await local.start(room)
        await start_user(local, bot, protocol="1.8")
        api.failing["/user/group/create"] = 500
        with pytest.raises(ApiError, match="/user/group/create"):
            await bot.say(BAND, "secret", UserId("alice"))
        await bot.say(BAND, "for the Service")
        await local.settle()
        assert [one.text for one in room.heard] == ["for the Service"]


async def test_a_flood_is_bounded_and_counted(local: Local) -> None:
    """What there is no room for is shed and reported; nothing else is lost."""
    reports: list[Overflow] = []

    class Slow(Bot):
        async def on_msg_down(self, msg_down: MessageDown) -> None:
            await trio.sleep(10)
            await super().on_msg_down(msg_down)

        async def on_overflow(self, overflow: Overflow) -> None:
            reports.append(overflow)

    room, bot = Room(), Slow()
    await local.start(room)
    await start_user(local, bot)
    bot._live.dispatcher.lanes.room.limits = Limits(band_events=5)
    for number in range(20):
        await room.bands[BAND].create_message(str(number), bot.user_id)
    await local.skip(minutes=10)
    heard = [word for word in bot.life if word.startswith("heard")]
    assert heard == [f"heard {number}" for number in range(5)]
    assert sum(report.shed for report in reports) == 15
    assert bot.statistics().lanes.shed == 15


async def test_a_wrong_password_ends_the_start(local: Local) -> None:
    """As for a service, and nothing of it is shown."""
    bot = Bot()
    await start_user(local, bot)
    with capture_logs() as logs, pytest.raises(SignInRefused) as refused:
        await start_user(local, Bot(), password=Secret("no"))
    assert "a password of the kit" not in f"{refused.value!r} {logs!r}"


async def test_a_refused_login_is_the_accounts(local: Local) -> None:
    """There is no service to name: the error says which account, also after a sign-in anew."""
    bot = Bot()
    prepare_user(local, bot)

    async def refuse(stream: MemoryFrameStream) -> None:
        with suppress(ConnectionLost):
            while True:
                login = json.loads(await stream.receive_text())
                body = {
                    "request_id": login["request_id"],
                    "origin_type": "user_login",
                    "status": False,
                    "context": {"message": "no such user"},
                }
                await stream.send_text(json.dumps({"type": "copy_client", "body": body}))

    async with trio.open_nursery() as nursery:
        bot._environment = attrs.evolve(bot._environment, connect=memory_connector(nursery, refuse))
        with pytest.raises(SignInRefused, match=r"bot@example\.org.*no such user"):
            await bot.serve()
        nursery.cancel_scope.cancel()


async def test_a_platform_that_is_not_there(local: Local) -> None:
    """It is one error with the address, as for a service."""
    with faulty_api() as api:
        api.failing["/auth/sign_in"] = 0
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1"):
            await start_user(local, Bot())


async def test_a_signal_before_it_is_logged_in_ends_it(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for a platform that says nothing; whoever awaits the start hears of the end."""
    signals = FakeSignals()
    signals.install(monkeypatch)
    bot = Bot()
    prepare_user(local, bot)

    async def silent(stream: MemoryFrameStream) -> None:
        await stream.receive_text()
        signals.send()

    async with trio.open_nursery() as nursery:
        bot._environment = attrs.evolve(bot._environment, connect=memory_connector(nursery, silent))
        await bot.serve()
        assert bot.life == []
        signals.state._received = 0
        with pytest.raises(SystemExit):
            await bot.serve(task_status=Awaited())


def test_names_are_checked_when_the_class_is_made() -> None:
    """A misspelt callback, one of the original and one of a service each name ours."""
    with pytest.raises(CallbackError, match="on_msg_down"):

        class Misspelt(MoobiusUser):
            async def on_msg_donw(self, msg_down: MessageDown) -> None: ...

    with pytest.raises(CallbackError, match="on_update_playground"):

        class Original(MoobiusUser):
            async def on_update_canvas(self, update: object) -> None: ...

    with pytest.raises(CallbackError, match=r"async def on_msg_down\(self, msg_down\)"):

        class Sync(MoobiusUser):
            def on_msg_down(self, msg_down: MessageDown) -> None: ...  # type: ignore[override]


def test_attributes_of_a_service_name_ours() -> None:
    """What a user has instead stands in the error."""
    bot = Bot()
    for name, ours in (
        ("send_message", "say"),
        ("send_button_click", "MoobiusUser.click"),
        ("bands", "channels"),
        ("storage", "no containers"),
    ):
        with pytest.raises(MovedError, match=ours):
            getattr(bot, name)
    with pytest.raises(AttributeError, match="nonsense"):
        bot.nonsense  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(MovedError, match="is_agent"):
        MoobiusUser(is_agent=True)  # type: ignore[arg-type]
