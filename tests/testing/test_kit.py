"""What the kit promises about its calls: when they return, what they raise, what they show."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing

from moobius_trio import (
    Action,
    Band,
    ChannelId,
    Content,
    Feature,
    FeatureArgument,
    FeatureCall,
    Gap,
    HandlerTimedOut,
    MessageUp,
    MoobiusService,
    NeverAwaited,
    ServiceHandle,
    ServiceStopped,
    UserId,
    container,
    every,
    stored,
)
from moobius_trio.local import Knobs
from moobius_trio.testing import SERVICE, Actor, Local, LocalBand, open_local


class Echo(MoobiusService):
    """Passes on what it hears, after `pause` seconds."""

    pause = 0.0

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        if msg_up.text == "boom":
            raise ValueError("nope")
        await trio.sleep(self.pause)
        await self.send(self.msg_up_to_msg_down(msg_up))


@stored
@attrs.define
class State:
    """Something that can be changed inside."""

    hats: int = 0


class HatBand(Band):
    """A room where hats are counted."""

    states = container(State, factory=State)


class Hats(MoobiusService[HatBand]):
    """Counts hats, and keeps a reference that it should not keep."""

    kept: State | None = None

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        self.kept = self.bands[msg_up.channel_id].states[msg_up.sender]
        self.kept.hats += 1


def simulated() -> trio.testing.MockClock:
    """The clock the kit wants in memory."""
    return trio.testing.MockClock(autojump_threshold=0)


def line_at(where: str) -> str:
    """The line that ``file:line`` names."""
    file, _, line = where.rpartition(":")
    return Path(file).read_text().splitlines()[int(line) - 1]


def files_in(folder: Path) -> list[str]:
    """Every file below the folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


async def alone(local: Local, service: MoobiusService[HatBand] | MoobiusService) -> Actor:
    """Alice in the service's room."""
    [alice] = await (await local.start(service)).join("Alice")
    return alice


# When a call returns


async def test_a_call_returns_after_hours_of_simulated_time(local: Local) -> None:
    """A handler that sleeps for three hours is waited for, at once."""
    service = Echo()
    service.pause = 3 * 3600
    [alice] = await (await local.start(service, handler_seconds=None)).join("Alice")
    began = trio.current_time()
    await alice.say("late")
    assert alice.last.text == "late"
    assert trio.current_time() - began >= 3 * 3600


async def test_tasks_of_start_soon_are_not_waited_for(local: Local) -> None:
    """A call returns beside them; `until` waits for what they do, and `skip` lets them go on."""

    class Later(MoobiusService):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            self.start_soon(self.answer, msg_up)

        async def answer(self, msg_up: MessageUp) -> None:
            await trio.sleep(10)
            await self.reply(msg_up, "first")
            await trio.sleep(600)
            await self.reply(msg_up, "second")

    alice = await alone(local, Later())
    await alice.say("go", to=SERVICE)
    assert alice.messages == []
    await local.until(lambda: alice.last.text == "first")
    assert len(alice.messages) == 1
    await local.skip(minutes=10)
    assert alice.texts == ["first", "second"]


async def test_people_may_talk_at_the_same_time(local: Local) -> None:
    """Calls of several actors, and several of one, can run side by side."""
    alice, bob = await (await local.start(Echo())).join("Alice", "Bob")
    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(alice.say, f"a{number}")
            nursery.start_soon(bob.say, f"b{number}")
    assert len(alice.texts) == len(bob.texts) == 20
    assert alice.texts == bob.texts


async def test_a_handler_that_never_ends_fails_the_test(local: Local) -> None:
    """With the usual limit it times out; without one the kit gives up and names it."""

    class Stuck(MoobiusService):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            await trio.sleep_forever()

    alice = await alone(local, Stuck())
    with pytest.raises(HandlerTimedOut):
        await alice.say("hello")
    await local.stop()
    [bob] = await (await local.start(Stuck(), handler_seconds=None)).join("Bob")
    with pytest.raises(AssertionError, match=r"not idle after 86,400 s.*Stuck\.on_msg_up"):
        await bob.say("hello")


async def test_a_stop_ends_the_wait_for_what_will_not_happen(local: Local) -> None:
    """Spells that a service leaves undone when it stops hold up nobody."""

    class Slow(MoobiusService):
        async def on_spell(self, spell: object) -> None:
            await trio.sleep(5)

    await local.start(Slow())
    began = trio.current_time()
    for number in range(3):
        local.handle().spell(number)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(local.settle)
        await trio.sleep(1)
        await local.handle().stop()
    assert trio.current_time() - began < 60


async def test_skip_runs_jobs_in_their_order(local: Local) -> None:
    """Jobs that fall due in the time skipped have all run, the sooner ones first."""

    class Bells(MoobiusService):
        rung: list[str]

        @every(minutes=20)
        async def small(self) -> None:
            self.rung.append(f"small {self.now():%H:%M}")

        @every(minutes=30)
        async def large(self) -> None:
            self.rung.append(f"large {self.now():%H:%M}")

    service = Bells()
    service.rung = []
    await local.start(service)
    await local.skip(minutes=61)
    assert service.rung == [
        "small 12:20",
        "large 12:30",
        "small 12:40",
        *sorted(["small 13:00", "large 13:00"], key=service.rung.index),
    ]


async def test_until_says_what_did_not_become_true(local: Local) -> None:
    """The condition's place is named, and what it raised is the cause."""
    alice = await alone(local, Echo())
    with pytest.raises(AssertionError, match=r"not true after 5 s \(.*test_kit\.py:\d+\)") as info:
        await local.until(lambda: alice.last.text == "never said", seconds=5)
    assert "has been sent no message" in str(info.value.__cause__)


# What a call raises


async def test_a_failing_handler_fails_the_call(local: Local) -> None:
    """Its own exception comes out of the call that caused it, once."""
    alice = await alone(local, Echo())
    with pytest.raises(ValueError, match="nope"):
        await alice.say("boom")
    await alice.say("fine")
    assert alice.last.text == "fine"


async def test_several_failures_come_as_a_group(local: Local) -> None:
    """Two bands that fail in one call are both shown."""

    class Failing(MoobiusService):
        @every(minutes=1)
        async def job(self, band: Band) -> None:
            raise ValueError(band.channel_id)

    await local.start(Failing(), bands=["one", "two"])
    one, two = (pytest.RaisesExc(ValueError, match=band) for band in ("local-one", "local-two"))
    with pytest.RaisesGroup(one, two):
        await local.skip(minutes=1)


async def test_failures_can_be_kept(local: Local) -> None:
    """A test about failing handlers looks at them itself, with the event each was about."""
    alice = await alone(local, Echo())
    local.keep_failures = True
    await alice.say("boom")
    ((event, exc),) = local.failures
    assert isinstance(event, MessageUp)
    assert event.text == "boom"
    assert isinstance(exc, ValueError)


def test_a_failure_that_no_call_raised_comes_at_the_end() -> None:
    """What fails behind the last call still fails the test."""

    async def main() -> None:
        async with open_local() as local:
            alice = await alone(local, Echo())
            await alice.say("boom", settle=False)

    with pytest.raises(ValueError, match="nope"):
        trio.run(main, clock=simulated())


async def test_a_failing_start_fails_start(local: Local) -> None:
    """What `on_start` raises comes out of `start`, as it is, and the band is free again."""

    class NoStart(MoobiusService):
        async def on_start(self) -> None:
            raise ValueError("cannot")

    with pytest.raises(ValueError, match="cannot"):
        await local.start(NoStart())
    with pytest.raises(AssertionError, match="nothing was started"):
        local.handle()


async def test_a_service_that_breaks_down_fails_the_next_call(local: Local) -> None:
    """An error that ends the whole service is raised in the test, not around it."""

    class Doomed(Echo):
        async def serve(
            self, *, task_status: trio.TaskStatus[ServiceHandle] = trio.TASK_STATUS_IGNORED
        ) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.fall)
                await super().serve(task_status=task_status)

        async def fall(self) -> None:
            await trio.sleep(30)
            raise ValueError("broken down")

    alice = await alone(local, Doomed())
    await alice.say("fine")
    with pytest.raises(ValueError, match="broken down"):
        await local.skip(minutes=1)
    assert not local.handle().running


async def test_a_call_nobody_awaited_is_named(local: Local) -> None:
    """A forgotten `await` fails the call, with the handler and the line."""

    class Forgetful(MoobiusService):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            self.reply(msg_up, "lost")  # type: ignore[unused-coroutine]

    alice = await alone(local, Forgetful())
    with pytest.raises(NeverAwaited) as info:
        await alice.say("hello")
    assert info.value.handler == "Forgetful.on_msg_up"
    assert info.value.call.endswith("reply")
    assert "self.reply(msg_up" in line_at(info.value.where)


async def test_a_change_outside_any_unit_fails_the_call(local: Local) -> None:
    """A record changed through a kept reference is named with its container and key."""
    service = Hats()
    alice = await alone(local, service)
    await alice.say("hello", to=SERVICE)
    assert service.kept is not None
    service.kept.hats = 7
    with pytest.raises(AssertionError, match=rf"states of band local-demo.*{alice.user_id}"):
        await local.settle()
    await alice.say("hello", to=SERVICE)
    assert service.kept.hats == 8


async def test_a_change_that_the_timed_sweep_finds_fails_the_call(local: Local) -> None:
    """Half a minute passes in the call, so that storage finds the change before the kit does."""
    service = Hats()
    alice = await alone(local, service)
    await alice.say("hello", to=SERVICE)
    assert service.kept is not None
    service.kept.hats = 7
    with pytest.raises(AssertionError, match="outside any unit of work"):
        await local.skip(minutes=1)


# What people can do


class Keys(MoobiusService):
    """A room with a key that has a form, and whose list of people is hidden."""

    async def on_fetch_features(self, action: Action) -> None:
        fields = [
            FeatureArgument(name="colour", type="enum", values=["red", "blue"]),
            FeatureArgument(name="note", optional=True),
        ]
        key = Feature(feature_id="paint", button_text="Paint", arguments=fields)
        await self.bands[action.channel_id].send_update_features([key], action.sender)

    async def on_feature_call(self, feature_call: FeatureCall) -> None:
        await self.reply(feature_call, json.dumps(dict(feature_call.values)))

    async def on_fetch_user_list(self, action: Action) -> None:
        pass

    async def on_join_channel(self, action: Action) -> None:
        pass


async def test_a_key_is_pressed_as_its_form_allows(local: Local) -> None:
    """Only what the page would let a person fill in can be sent."""
    alice = await alone(local, Keys())
    await alice.click("paint", {"colour": "red"})
    assert alice.last.text == '{"colour": "red"}'
    await alice.click("paint", {"note": "please", "colour": "blue"})
    assert alice.last.text == '{"colour": "blue", "note": "please"}'
    for feature_id, arguments, message in (
        ("paint", {"colour": "green"}, r"offers \['red', 'blue'\]"),
        ("paint", {"color": "red"}, r"no field 'color'"),
        ("paint", {"note": "x"}, r"needs \['colour'\]"),
        ("dance", {}, r"no key 'dance'; on the screen: paint"),
    ):
        with pytest.raises(AssertionError, match=message):
            await alice.click(feature_id, arguments)
    assert len(alice.messages) == 2


async def test_all_is_nobody_while_the_list_is_empty(local: Local) -> None:
    """Speaking to All then would speak to the Service, which the page does not offer either."""
    alice = await alone(local, Keys())
    with pytest.raises(AssertionError, match="to=SERVICE"):
        await alice.say("hello")
    with pytest.raises(AssertionError, match="does not see 'Bob'"):
        alice.character("Bob")


async def test_recipients_are_people_characters_or_ids(local: Local) -> None:
    """One or several of them, mixed."""
    alice, bob = await (await local.start(Echo())).join("Alice", "Bob")
    await alice.say("1", to=bob)
    await alice.say("2", to=bob.user_id)
    await alice.say("3", to=alice.character("Bob"))
    await alice.say("4", to=[alice, alice.character("Bob")])
    assert bob.texts == ["1", "2", "3", "4"]
    assert alice.texts == ["4"]
    assert list(bob.last.recipients) == [alice.user_id, bob.user_id]


async def test_what_the_platform_refuses_fails_the_call(local: Local) -> None:
    """Its words are shown; what closes the connection is told apart."""
    alice, bob = await (await local.start(Echo())).join("Alice", "Bob")
    await alice.leave()
    with pytest.raises(AssertionError, match="refused what Alice did: not a member"):
        await alice.say("hello", to=[bob])
    with pytest.raises(AssertionError, match=r"Bob is not connected any more.*1009"):
        await bob.say("x" * 70_000)
    with pytest.raises(AssertionError, match="Bob is not connected any more"):
        await bob.say("hello")


async def test_pictures_are_sent_as_content(local: Local) -> None:
    """A message of any kind has a subtype and a content."""
    alice, bob = await (await local.start(Echo())).join("Alice", "Bob")
    await alice.send(Content(path="https://example.org/x.png"), subtype="image", to=[bob])
    assert (bob.last.subtype, bob.last.text) == ("image", None)
    assert bob.last.content.path == "https://example.org/x.png"


# Services, bands, faults


async def test_several_services_run_side_by_side(local: Local) -> None:
    """Each has its bands; handle, spell and fault can be told which one is meant."""

    class Named(Echo):
        def __init__(self, word: str) -> None:
            super().__init__()
            self.word = word

        async def on_spell(self, spell: object) -> str:
            return f"{self.word} {spell}"

    one, other = Named("one"), Named("other")
    first = await local.start(one, bands=["here"])
    second = await local.start(other, bands=["there", "everywhere"])
    [alice], [bob] = await first.join("Alice"), await second.join("Bob")
    assert await local.aspell("spell") == "other spell"
    assert await local.aspell("spell", one) == "one spell"
    assert local.handle(one).service_id != local.handle(other).service_id
    assert local.handle().channels == ("local-there", "local-everywhere")
    await local.drop_socket(one)
    assert local.handle(one).statistics().link.connections == 2
    assert local.handle(other).statistics().link.connections == 1
    await alice.say("hello")
    await bob.say("hello")
    assert alice.texts == bob.texts == ["hello"]
    assert local.band("everywhere").channel_id == local.band("local-everywhere").channel_id
    with pytest.raises(AssertionError, match="no band 'nowhere'"):
        local.band("nowhere")
    with pytest.raises(AssertionError, match="was not started"):
        local.handle(Named("third"))


async def test_a_stopped_service_is_continued_by_its_class_and_band(local: Local) -> None:
    """Started again it has the id it had; a second one beside it has its own."""
    await local.start(Echo(), bands=["one"])
    await local.start(Echo(), bands=["two"])
    ids = [run.service_id for run in (local.handle(), local.handle())]
    service = Echo()
    await local.stop()
    assert not local.handle().running
    with pytest.raises(ServiceStopped):
        await local.aspell("anybody?")
    await local.start(service, bands=["two"])
    assert local.handle(service).service_id == ids[1]


async def test_drop_socket_returns_when_all_is_well_again(local: Local) -> None:
    """The service hears of the gap with who came and went, and goes on."""

    class Noting(Echo):
        gaps: list[Gap]

        async def on_gap(self, gap: Gap) -> None:
            self.gaps.append(gap)

    service = Noting()
    service.gaps = []
    alice, bob = await (await local.start(service)).join("Alice", "Bob")
    await local.drop_socket()
    (gap,) = service.gaps
    assert gap.channel_id == alice.channel_id
    await alice.say("still there?")
    assert bob.last.text == "still there?"


@pytest.mark.parametrize("mode", ["foreign", "absent"])
async def test_a_platform_without_receipts_is_no_trouble(local: Local, mode: str) -> None:
    """Actors and services get on where copies name other ids or do not come at all."""
    local.platform.knobs = Knobs(copies_echo_id=mode)  # type: ignore[arg-type]
    alice, bob = await (await local.start(Echo())).join("Alice", "Bob")
    await alice.say("hello")
    assert bob.texts == ["hello"]


async def test_the_trace_tells_what_caused_each_frame(local: Local) -> None:
    """Frames come with the handler that sent them, in order."""
    alice = await alone(local, Echo())
    local.trace.clear()
    await alice.say("hello")
    (record,) = local.trace
    assert record.handler == "Echo.on_msg_up"
    assert "hello" in record.frame


async def test_values_show_what_they_are(local: Local) -> None:
    """A failed assertion prints names, not addresses of objects."""
    band = await local.start(Echo())
    [alice] = await band.join("Alice")
    assert repr(band) == "<LocalBand local-demo>"
    assert repr(alice) == "<Actor Alice in local-demo, 0 messages>"
    assert repr(local) == f"<Local with services [echo] and [{alice!r}]>"


# A project's own files


class Keeper(MoobiusService):
    """Uses a container that only db.json names."""

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        notes = self.bands[msg_up.channel_id].notes
        notes[msg_up.sender] = [*notes.get(msg_up.sender, []), msg_up.text]


def project(folder: Path) -> Keeper:
    """A service with files of its own, which name a real account and a real store."""
    (folder / "config").mkdir()
    config = folder / "config" / "service.json"
    config.write_text(
        json.dumps(
            {
                "http_server_uri": "https://example.org/",
                "ws_server_uri": "wss://example.org/",
                "email": "me@example.org",
                "password": "x",
                "service_id": "real",
                "channels": ["real-band"],
                "lanes": "sender",
                "handler_seconds": 5,
            }
        )
    )
    (folder / "config" / "db.json").write_text(
        json.dumps(
            [{"implementation": "json", "name": "notes", "settings": {"root_dir": str(folder)}}]
        )
    )
    return Keeper(config)


async def test_a_projects_choices_count_and_its_data_are_left_alone(
    local: Local, tmp_path: Path
) -> None:
    """Options and containers are taken; account, bands and stores are the kit's."""
    service = project(tmp_path)
    files = files_in(tmp_path)
    alice = await alone(local, service)
    await alice.say("remember", to=SERVICE)
    assert service.bands[ChannelId("local-demo")].notes[alice.user_id] == ["remember"]
    assert service.service_id != "real"
    settings = service._live.settings
    assert (settings.lanes, settings.handler_seconds) == ("sender", 5.0)
    await local.stop()
    assert files_in(tmp_path) == files


async def test_a_tests_own_options_win(local: Local, tmp_path: Path) -> None:
    """What is given to `start` goes before service.json."""
    service = project(tmp_path)
    await local.start(service, handler_seconds=None, lanes="channel")
    assert service._live.settings.handler_seconds is None
    assert service._live.settings.lanes == "channel"


async def test_stores_go_where_the_test_says(local: Local, tmp_path: Path) -> None:
    """With `state` containers are kept in files there, and there is no default for the folder."""
    with pytest.raises(ValueError, match="state=tmp_path"):
        await local.start(Hats(), engine="sqlite")
    service = Hats()
    [alice] = await (await local.start(service, state=tmp_path)).join("Alice")
    await alice.say("hello", to=SERVICE)
    await local.stop()
    assert [name for name in files_in(tmp_path) if name.endswith(".sqlite3")]
    await local.start(service, state=tmp_path)
    states = service.bands[ChannelId("local-demo")].states
    assert states[UserId(alice.user_id)] == State(1)


# Time, threads and the way it is opened


@pytest.mark.parametrize("clock", [None, trio.testing.MockClock(), trio.testing.MockClock(rate=5)])
def test_memory_wants_a_clock_that_jumps(clock: trio.abc.Clock | None) -> None:
    """On any other clock it would hang or take real minutes, so that it says what to do."""

    async def main() -> None:
        async with open_local():
            raise AssertionError("not reached")

    with pytest.raises(RuntimeError, match="autojump_threshold=0"):
        trio.run(main, clock=clock)


def test_it_opens_without_pytest() -> None:
    """A plain script gets the same, and its own errors as they are."""

    async def main() -> list[str]:
        async with open_local(bands=["more"]) as local:
            [alice] = await (await local.start(Echo(), bands=["more"])).join("Alice")
            await alice.say("hello")
            return alice.texts

    async def failing() -> None:
        async with open_local() as local:
            await local.start(Echo())
            raise LookupError("mine")

    assert trio.run(main, clock=simulated()) == ["hello"]
    with pytest.raises(LookupError, match="mine"):
        trio.run(failing, clock=simulated())


async def test_threads_are_refused_in_simulated_time(local: Local) -> None:
    """A handler that asks for one is told what to write instead, and that works."""

    class Reader(MoobiusService):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            match msg_up.text:
                case "thread":
                    await trio.to_thread.run_sync(Path(__file__).read_text)
                case "path":
                    await trio.Path(__file__).read_text()
                case _:
                    text = await self.run_sync(Path(__file__).read_text)
                    await self.reply(msg_up, text[:10])

    alice = await alone(local, Reader())
    for word in ("thread", "path"):
        with pytest.raises(RuntimeError, match=r"self\.run_sync\(fn"):
            await alice.say(word)
    began = trio.current_time()
    await alice.say("inline")
    assert alice.last.text == '"""What th'
    assert trio.current_time() - began < 60


def test_threads_are_allowed_again_afterwards() -> None:
    """Nothing of the guard outlives the block."""

    async def main() -> int:
        async with open_local():
            pass
        return await trio.to_thread.run_sync(lambda: 2)

    assert trio.run(main, clock=simulated()) == 2


async def test_time_passes_only_when_it_is_skipped(local: Local) -> None:
    """Calls take no time of their own, so that a job falls due where the test expects it."""
    began = trio.current_time()
    alice, bob = await (await local.start(Echo())).join("Alice", "Bob")
    for _ in range(20):
        await alice.say("hello")
        await bob.fetch()
    assert trio.current_time() - began < 1


# Over real sockets


@pytest.mark.local(sockets=True)
async def test_echo_over_real_sockets(local: Local) -> None:
    """The same calls hold over loopback sockets, also through a cut."""
    alice, bob = await (await local.start(Echo())).join("Alice", "Bob")
    assert alice.names == bob.names == ["Alice", "Bob"]
    await alice.say("hello")
    assert alice.texts == bob.texts == ["hello"]
    await local.drop_socket()
    await alice.say("psst", to=[bob])
    assert bob.texts == ["hello", "psst"]
    assert alice.texts == ["hello"]
    with pytest.raises(ValueError, match="nope"):
        await alice.say("boom")
    with pytest.raises(RuntimeError, match="real sockets"):
        await local.skip(minutes=1)
    assert [record.handler for record in local.trace if "psst" in record.frame]
    assert all(record.unit is not None for record in local.trace)


@pytest.mark.local(sockets=True)
async def test_all_has_been_seen_over_real_sockets(local: Local) -> None:
    """Also of a handler that says much and late, before one call returns."""

    class Burst(MoobiusService):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            await trio.sleep(0.1)
            members = self.bands[msg_up.channel_id].members
            for number in range(300):
                await self.create_message(msg_up.channel_id, str(number), members)

    alice, bob = await (await local.start(Burst())).join("Alice", "Bob")
    await alice.say("go", to=SERVICE)
    assert alice.texts == bob.texts == [str(number) for number in range(300)]


@pytest.mark.local(sockets=True, bands=["more"], knobs=Knobs(answer_pings=False))
async def test_the_marker_gives_the_options(local: Local) -> None:
    """Bands and knobs of the platform come from the marker, and threads are allowed."""
    assert [band.name for band in local.platform.bands()] == ["local-demo", "more"]
    [alice] = await (await local.start(Echo(), bands=["more"])).join("Alice")
    assert isinstance(local.band("more"), LocalBand)
    await alice.say("hello")
    assert alice.texts == ["hello"]
    assert await trio.to_thread.run_sync(lambda: 1) == 1
