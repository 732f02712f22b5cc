"""What the demo makes at its start, keeps apart between bands, and keeps over a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest

from moobius_trio.testing import SERVICE, Local

Demo: TypeAlias = type[Any]

FIGURES = ["Mickey 0", "Mickey 1", "Mickey 2", "Mickey 3", "Mickey 4"]
MICKEY = {"magic_type": "Mickey"}


async def test_figures_and_pictures_are_made_at_start(local: Local, demo: Demo) -> None:
    """Five Mickeys and a Wand with pictures, each once however many bands there are."""
    service = demo()
    await local.start(service, bands=["local-demo", "second"])
    made = await service.http_api.get_service_user_list(service.service_id)
    assert sorted((one.username, one.nickname) for one in made) == [
        *(("Mickey", name) for name in FIGURES),
        ("Wand", "Wand"),
    ]
    assert all(one.avatar for one in made)
    assert len(set(service.pictures.values())) == 2


async def test_bands_know_nothing_of_each_other(local: Local, demo: Demo) -> None:
    """The same person has a state of her own in each band; each band has its own check-in."""
    first = await local.start(demo(), bands=["local-demo", "second"])
    second = local.band("second")
    alice, bob = await first.join("Alice", "Bob")
    away, carol = await second.join("Alice", "Carol")
    await alice.click("key1", MICKEY)
    await away.say("hide", to=SERVICE)
    assert alice.names == ["Alice", "Bob", "Mickey 0"]
    assert away.names == carol.names == ["Alice", "Carol"]
    assert len(alice.keys) == 2
    for each in (alice, bob, away, carol):
        each.messages.clear()
        await each.fetch()
    assert alice.names == ["Alice", "Bob", "Mickey 0"]
    assert away.names == ["Alice", "Carol"]
    await alice.say("hello")
    assert (bob.texts, carol.texts) == (["hello"], [])
    await local.skip(minutes=1)
    await local.aspell(("X", 1))
    for each in (bob, carol):
        assert each.texts[-2].startswith("Check in every minute!")
        assert each.last.text == "WAND: X"
    assert carol.texts[:-2] == []


@pytest.mark.parametrize(
    ("engine", "protocol"), [("sqlite", "0.0.1"), ("json", "0.0.1"), ("sqlite", "1.8")]
)
async def test_a_restart_keeps_what_users_did(
    local: Local, demo: Demo, tmp_path: Path, engine: str, protocol: Literal["0.0.1", "1.8"]
) -> None:
    """Stage, figures and hidden keys are there again; figures and pictures are not made twice."""
    before = demo()
    band = await local.start(before, engine=engine, state=tmp_path, protocol=protocol)
    alice, bob = await band.join("Alice", "Bob")
    await alice.click("key1", MICKEY)
    await alice.click("key2")
    await alice.say("hide", to=SERVICE)
    dark, mickey = alice.stage, alice.character("Mickey 0")
    service_id = before.service_id
    made = await before.http_api.get_service_user_list(service_id)
    await local.stop()
    alice.clear()
    after = demo()
    await local.start(after, engine=engine, state=tmp_path, protocol=protocol)
    assert after.service_id == service_id
    assert after.pictures == before.pictures
    assert await after.http_api.get_service_user_list(after.service_id) == made
    await alice.fetch()
    assert alice.names == ["Alice", "Bob", "Mickey 0"]
    assert alice.characters[-1] == mickey
    assert not alice.keys
    assert alice.stage == dark
    assert len(bob.keys) == 2


async def test_figures_are_found_again_when_the_store_is_lost(local: Local, demo: Demo) -> None:
    """A service that remembers nothing finds its figures at the platform instead of making more."""
    before, after = demo(), demo()
    await local.start(before)
    made = before.cast
    await local.stop()
    await local.start(after)
    assert after.cast == made
    assert len(await after.http_api.get_service_user_list(after.service_id)) == len(made)


async def test_a_cut_connection_changes_nothing(local: Local, demo: Demo) -> None:
    """After a forced disconnect users, their state and the jobs are what they were."""
    alice, bob = await (await local.start(demo())).join("Alice", "Bob")
    await alice.click("key1", MICKEY)
    await local.drop_socket()
    await alice.click("key1", MICKEY)
    assert alice.names == ["Alice", "Bob", "Mickey 0", "Mickey 1"]
    await alice.say("still there?", to=[bob])
    assert bob.last.text == "still there?"
    await local.skip(minutes=1)
    assert "Check in" in (bob.last.text or "")
    assert local.handle().statistics().link.connections == 2


@pytest.mark.local(sockets=True)
@pytest.mark.parametrize("protocol", ["0.0.1", "1.8"])
async def test_the_demo_over_real_sockets(
    local: Local, demo: Demo, protocol: Literal["0.0.1", "1.8"]
) -> None:
    """A little of everything holds over HTTP and WebSockets of this machine too."""
    alice, bob = await (await local.start(demo(), protocol=protocol)).join("Alice", "Bob")
    assert alice.texts == ["Alice joined the band!", "Bob joined the band!"]
    await alice.click("key1", MICKEY)
    assert alice.names == ["Alice", "Bob", "Mickey 0"]
    await alice.click("key1", {"magic_type": "Talk"})
    assert alice.last.text == "Mickey 0 Here!"
    await alice.click("key2")
    assert alice.stage is not None
    assert alice.stage.text == "Let There Be Dark!"
    await bob.say("moobius")
    await bob.say("hide", to=SERVICE)
    await local.aspell(("ABRA ", 2))
    await bob.leave()
    assert alice.texts[3:] == ["Moobius is Great!", "WAND: ABRA ABRA ", "Bob left the band!"]
    assert bob.texts == ["Bob joined the band!", "Moobius is Great!", "WAND: ABRA ABRA "]
    assert not bob.keys
    assert alice.names == ["Alice"]
