"""Callbacks and defaults: a service of one handler is a working room, and every event has one."""

from __future__ import annotations

import trio

from moobius_trio import (
    Action,
    ChannelId,
    Content,
    Copy,
    Feature,
    FeatureCall,
    MessageUp,
    MoobiusService,
    UnknownPayload,
)
from moobius_trio.testing import SERVICE, Local
from moobius_trio.testing.core_rig import deliver
from moobius_trio.types import UserId


class Echo(MoobiusService):
    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await self.send(self.msg_up_to_msg_down(msg_up))


class Recorder(MoobiusService):
    """Writes down which callback got what."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, object]] = []

    def note(self, callback: str, event: object) -> None:
        self.seen.append((callback, event))

    def names(self) -> list[str]:
        return [callback for callback, _ in self.seen]


async def test_a_service_of_one_handler_is_a_working_room(local: Local) -> None:
    """With only `on_msg_up` everybody sees who is there, who comes and who goes."""
    band = await local.start(Echo())
    alice, bob = await band.join("Alice", "Bob")
    assert alice.names == bob.names == ["Alice", "Bob"]
    await alice.say("hello")
    assert (alice.texts, bob.texts) == (["hello"], ["hello"])
    await bob.leave()
    assert alice.names == ["Alice"]


async def test_a_reload_is_answered_with_the_members(local: Local) -> None:
    """The default of `on_fetch_user_list` goes to the asker and to nobody else."""
    band = await local.start(Echo())
    alice, bob = await band.join("Alice", "Bob")
    seen = bob.seen
    alice.characters = ()
    await alice.fetch("fetch_user_list")
    assert alice.names == ["Alice", "Bob"]
    assert bob.seen == seen


async def test_each_request_has_a_callback_of_its_own(local: Local) -> None:
    """The default of `on_action` calls the method that is named after the request."""

    class Service(Recorder):
        async def on_fetch_user_list(self, action: Action) -> None:
            self.note("on_fetch_user_list", action.sender)

        async def on_fetch_features(self, action: Action) -> None:
            self.note("on_fetch_features", action.sender)

        async def on_fetch_playground(self, action: Action) -> None:
            self.note("on_fetch_playground", action.sender)

        async def on_fetch_channel_info(self, action: Action) -> None:
            self.note("on_fetch_channel_info", action.sender)

        async def on_join_channel(self, action: Action) -> None:
            self.note("on_join_channel", action.sender)

        async def on_leave_channel(self, action: Action) -> None:
            self.note("on_leave_channel", action.sender)

    service = Service()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    await alice.fetch("fetch_channel_info")
    await alice.leave()
    assert service.seen == [
        (callback, alice.user_id)
        for callback in (
            "on_join_channel",
            "on_fetch_user_list",
            "on_fetch_features",
            "on_fetch_playground",
            "on_fetch_channel_info",
            "on_leave_channel",
        )
    ]


async def test_an_own_on_action_gets_every_request(local: Local) -> None:
    """Overridden, `on_action` is all that is called, and members are kept all the same."""

    class Service(Recorder):
        async def on_action(self, action: Action) -> None:
            self.note(action.subtype, sorted(self.bands[action.channel_id].members))

        async def on_join_channel(self, action: Action) -> None:
            raise AssertionError("on_action did not call it")

    service = Service()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    await alice.leave()
    assert service.seen[0] == ("join_channel", [alice.user_id])
    assert service.seen[-1] == ("leave_channel", [])


async def test_a_request_of_an_unknown_kind_disturbs_nobody(local: Local) -> None:
    """The default of `on_action` leaves out what no callback is named after, `on_error` too."""

    class Service(Recorder):
        async def on_error(self, event: object, exc: BaseException) -> None:
            self.note("on_error", event)

        async def on_msg_up(self, msg_up: MessageUp) -> None:
            self.note("on_msg_up", msg_up.text)

    service = Service()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    for subtype in ("error", "nonsense", "fetch_moon", "start"):
        deliver(
            service,
            Action(subtype=subtype, channel_id=band.channel_id, sender=alice.user_id),
        )
    await alice.say("still there?", to=SERVICE)
    assert service.seen == [("on_msg_up", "still there?")]


async def test_messages_keys_copies_and_unknown_frames_reach_their_callbacks(
    local: Local,
) -> None:
    """What is no request has one callback for each kind, with the whole value."""

    class Service(Recorder):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            self.note("on_msg_up", msg_up.content)

        async def on_feature_call(self, feature_call: FeatureCall) -> None:
            self.note("on_feature_call", feature_call.values)

        async def on_copy(self, copy: Copy) -> None:
            self.note("on_copy", copy.origin_type)

        async def on_unknown_payload(self, payload: UnknownPayload) -> None:
            self.note("on_unknown_payload", payload.type)

        async def on_fetch_features(self, action: Action) -> None:
            key = Feature(feature_id="key1", button_text="Press")
            await self.send_update_features(action.channel_id, [key], action.sender)

    service = Service()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    service.seen.clear()
    await alice.click("key1")
    await alice.send(Content(path="https://host/cat.png"), subtype="image", to=SERVICE)
    deliver(service, UnknownPayload(type="moon_phase", frame={"type": "moon_phase"}))
    await local.settle()
    assert service.seen == [
        ("on_feature_call", {}),
        ("on_msg_up", Content(path="https://host/cat.png")),
        ("on_unknown_payload", "moon_phase"),
    ]
    await service.create_message(band.channel_id, "hi", alice.user_id)
    await local.settle()
    assert service.names()[-1] == "on_copy"


async def test_events_of_a_band_of_somebody_else_are_left_out(local: Local) -> None:
    """An event of a band that the service does not hold reaches no callback."""

    class Service(Recorder):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            self.note("on_msg_up", msg_up.channel_id)

    service = Service()
    band = await local.start(service)
    for channel_id in (ChannelId("elsewhere"), band.channel_id):
        deliver(service, MessageUp(channel_id=channel_id, sender=UserId("alice")))
    await local.settle()
    assert service.seen == [("on_msg_up", band.channel_id)]


async def test_every_band_is_prepared_before_the_service(local: Local) -> None:
    """`on_channel_init` runs once for each band, at most 16 side by side, and then `on_start`."""

    class Service(Recorder):
        running = most = 0

        async def on_channel_init(self, channel_id: ChannelId) -> None:
            self.running += 1
            self.note("on_channel_init", channel_id)
            self.most = max(self.most, self.running)
            await trio.sleep(1)
            assert self.bands[channel_id].members == {}
            self.running -= 1

        async def on_start(self) -> None:
            self.note("on_start", self.running)

    service = Service()
    await local.start(service, bands=[f"band-{number}" for number in range(40)])
    prepared = {str(channel_id) for callback, channel_id in service.seen[:-1]}
    assert prepared == set(service.bands)
    assert len(service.seen) == 41
    assert service.seen[-1] == ("on_start", 0)
    assert service.most == 16
