"""What the trace tells of units of work: each of them, how it ended, and what began it."""

from __future__ import annotations

from typing import Any

from moobius_trio import Band, FeatureCall, MessageUp, MoobiusService, container
from moobius_trio.core.units import Unit, unit_of_work
from moobius_trio.testing.actors import SERVICE
from moobius_trio.testing.harness import Local


class Counting(Band):
    counts = container(int)


class Service(MoobiusService[Counting]):
    async def on_msg_up(self, msg_up: MessageUp) -> None:
        if msg_up.text == "fail":
            raise ValueError("no\nluck")
        if msg_up.text == "count":
            self.bands[msg_up.channel_id].counts[msg_up.sender] = 1
        if msg_up.text == "speak":
            await self.reply(msg_up, "spoken")

    async def on_feature_call(self, call: FeatureCall) -> None:
        pass

    async def on_spell(self, spell: object) -> object:
        return spell

    async def outside(self) -> None:
        pass


async def test_a_unit_is_told_of_when_it_has_ended_also_if_it_sent_nothing(local: Local) -> None:
    """Handler, band, user, time and the message that began it."""
    [alice] = await (await local.start(Service())).join("Alice")
    local.units.clear()
    await alice.say("nothing", to=SERVICE)
    [unit] = local.units
    assert (unit.handler, unit.channel_id, unit.user_id) == (
        "Service.on_msg_up",
        "local-demo",
        alice.user_id,
    )
    assert unit.cause is not None
    assert (unit.error, unit.records) == ("", 0)
    assert unit.milliseconds >= 0


async def test_a_frame_and_its_unit_bear_the_id_of_the_message_that_began_them(
    local: Local,
) -> None:
    """By it an inspector puts what a message caused under that message."""
    [alice] = await (await local.start(Service())).join("Alice")
    local.trace.clear()
    local.units.clear()
    await alice.say("speak", to=SERVICE)
    [frame], [unit] = local.trace, local.units
    assert frame.unit == unit.unit
    assert frame.cause == unit.cause is not None
    assert frame.user_id == unit.user_id == alice.user_id
    assert frame.channel_id == unit.channel_id == "local-demo"


async def test_a_unit_that_failed_says_why_in_one_line(local: Local) -> None:
    """Line breaks of the message are written out."""
    local.keep_failures = True
    [alice] = await (await local.start(Service())).join("Alice")
    local.units.clear()
    await alice.say("fail", to=SERVICE)
    failed, on_error = local.units
    assert failed.error == "ValueError: no\\nluck"
    assert (on_error.handler, on_error.error) == ("on_error", "")


async def test_a_unit_counts_what_it_changed(local: Local) -> None:
    """Also where it sent nothing that had to wait for it."""
    [alice] = await (await local.start(Service())).join("Alice")
    local.units.clear()
    await alice.say("count", to=SERVICE)
    assert [unit.records for unit in local.units] == [1]


async def test_work_that_no_message_began_has_no_cause(local: Local) -> None:
    """A spell, a turn in a lane, the start."""
    service = Service()
    band = await local.start(service)
    assert {unit.handler for unit in local.units} >= {"Service.on_start"}
    local.units.clear()
    await local.aspell("a spell")
    await service.in_lane(band.channel_id, service.outside)
    assert [(unit.handler, unit.cause) for unit in local.units] == [
        ("Service.on_spell", None),
        ("Service.outside", None),
    ]


async def test_what_cannot_be_saved_at_the_end_is_the_error_of_its_unit(local: Local) -> None:
    """The handler itself ended well."""

    class Plain(Band):
        kept = container(dict)

    class Wrong(MoobiusService[Plain]):
        async def on_msg_up(self, msg_up: MessageUp) -> None:
            found: dict[str, Any] = self.bands[msg_up.channel_id].kept.setdefault("key", {})
            found["lambda"] = lambda: None

    local.keep_failures = True
    [alice] = await (await local.start(Wrong())).join("Alice")
    local.units.clear()
    await alice.say("go", to=SERVICE)
    assert local.units[0].error.startswith("StorageTypeError: ")


async def test_a_cancelled_unit_is_told_of_too(autojump_clock: object) -> None:
    """With the exception that ended it."""
    import trio

    ended: list[BaseException | None] = []
    with trio.CancelScope() as scope:
        async with unit_of_work(Unit(handler="x"), lambda unit, error: ended.append(error)):
            scope.cancel()
            await trio.sleep_forever()
    [error] = ended
    assert isinstance(error, trio.Cancelled)
