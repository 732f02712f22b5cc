"""What the service does, as two people see it. `local` is a platform in memory."""

from __future__ import annotations

from service import Zero

from moobius_trio.testing import SERVICE, Local


async def test_people_hear_each_other(local: Local) -> None:
    """To All is to everybody on the list; a whisper is for one."""
    band = await local.start(Zero())
    alice, bob = await band.join("Alice", "Bob")
    await alice.say("hello")
    assert alice.texts == bob.texts == ["hello"]
    await alice.say("psst", to=[bob])
    assert bob.texts == ["hello", "psst"]
    assert alice.texts == ["hello"]


async def test_the_service_answers(local: Local) -> None:
    """What is said to the Service is between the two."""
    band = await local.start(Zero())
    alice, bob = await band.join("Alice", "Bob")
    await alice.say("is anybody there?", to=SERVICE)
    assert alice.last.text == "You said: is anybody there?"
    assert bob.messages == []
