"""The demo as two people see it. `local` is a platform in memory, where time passes at once."""

from __future__ import annotations

from service import DemoService

from moobius_trio.testing import SERVICE, Local


async def test_a_mickey_is_on_its_makers_list_alone(local: Local) -> None:
    """The first key makes figures, each person their own, five at most."""
    band = await local.start(DemoService())
    alice, bob = await band.join("Alice", "Bob")
    await alice.click("key1", {"magic_type": "Mickey"})
    assert alice.names == ["Alice", "Bob", "Mickey 0"]
    assert bob.names == ["Alice", "Bob"]
    await alice.click("key1", {"magic_type": "Talk"})
    assert alice.last.text == "Mickey 0 Here!"
    await alice.say("reset", to=SERVICE)
    assert alice.names == ["Alice", "Bob"]


async def test_each_has_a_stage_of_their_own(local: Local) -> None:
    """The second key swaps it, and shows the picture."""
    band = await local.start(DemoService())
    alice, bob = await band.join("Alice", "Bob")
    await alice.click("key2")
    assert alice.stage is not None
    assert alice.stage.text == "Let There Be Dark!"
    assert alice.last.subtype == "image"
    assert bob.stage is not None
    assert bob.stage.text == "Let There Be Light!"


async def test_wand_checks_in(local: Local) -> None:
    """Once a minute, in every band."""
    band = await local.start(DemoService())
    [alice] = await band.join("Alice")
    await local.skip(minutes=2)
    assert alice.texts[-1] == "Check in every minute! 2024-01-01 12:02:00"
