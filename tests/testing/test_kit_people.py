"""What people can do in a test, and what the kit shows of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from moobius_trio import (
    Action,
    Content,
    Feature,
    FeatureArgument,
    FeatureCall,
    MessageUp,
    MoobiusService,
)
from moobius_trio.testing import Actor, Local


class Echo(MoobiusService):
    """Passes on what it hears."""

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        await self.send(self.msg_up_to_msg_down(msg_up))


async def alone(local: Local, service: MoobiusService[Any]) -> Actor:
    """Alice in the service's room."""
    [alice] = await (await local.start(service)).join("Alice")
    return alice


class Keys(MoobiusService):
    """A room with a key that has a form, and whose list of people is hidden."""

    async def on_fetch_features(self, action: Action) -> None:
        fields = [
            FeatureArgument(name="colour", type="enum", values=["red", "blue"]),
            FeatureArgument(name="note", optional=True),
        ]
        key = Feature(feature_id="paint", button_text="Paint", arguments=fields)
        plain = Feature(feature_id="plain", button_text="Plain")
        await self.bands[action.channel_id].send_update_features([key, plain], action.sender)

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
    await alice.click("paint", note="please", colour="blue")
    assert alice.last.text == '{"colour": "blue", "note": "please"}'
    await alice.click("paint", {"colour": "red"}, note="at once")
    assert alice.last.text == '{"colour": "red", "note": "at once"}'
    for feature_id, arguments, message in (
        ("paint", {"colour": "green"}, r"offers \['red', 'blue'\]"),
        ("paint", {"color": "red"}, r"no field 'color': its fields are \['colour', 'note'\]"),
        ("paint", {"note": "x"}, r"needs \['colour'\], as click\('paint', colour=…\)"),
        ("plain", {"colour": "red"}, r"no field 'colour': it has no form"),
        ("dance", {}, r"no key 'dance'; on the screen: paint, plain"),
    ):
        with pytest.raises(AssertionError, match=message):
            await alice.click(feature_id, arguments)
    assert len(alice.messages) == 3


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


async def send_files(local: Local, folder: Path, client: httpx.AsyncClient) -> None:
    """Alice sends files of several kinds to Bob, who finds them where the messages say."""
    alice, bob = await (await local.start(Echo())).join("Alice", "Bob")
    for name, subtype in (("cat.png", "image"), ("purr.mp3", "audio"), ("cat.txt", "file")):
        (folder / name).write_bytes(f"this is {name}".encode())
        await alice.send_file(folder / name, to=[bob])
        assert bob.last.subtype == subtype
        assert (await client.get(bob.last.content.path or "")).content == f"this is {name}".encode()
    await alice.send_file(folder / "cat.txt", subtype="card")
    assert bob.last.subtype == "card"
    with pytest.raises(FileNotFoundError):
        await alice.send_file(folder / "dog.png")


async def test_files_are_uploaded_and_sent(local: Local, tmp_path: Path) -> None:
    """The file lies on the platform, and its name tells what kind of message it is."""
    transport = httpx.ASGITransport(app=local.platform.app)
    async with httpx.AsyncClient(transport=transport) as client:
        await send_files(local, tmp_path, client)
        await local.skip(days=3)  # longer than any token is good for
        [carol] = await local.band("local-demo").join("Carol")
        await carol.send_file(tmp_path / "cat.png")
        assert carol.last.subtype == "image"


@pytest.mark.local(sockets=True)
async def test_files_are_uploaded_over_sockets(local: Local, tmp_path: Path) -> None:
    """The same over HTTP on this machine."""
    async with httpx.AsyncClient(trust_env=False) as client:
        await send_files(local, tmp_path, client)
