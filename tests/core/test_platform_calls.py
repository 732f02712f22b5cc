"""What generation 1 adds to what a service may ask: figures, bands, history, files, profiles."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from moobius_trio import (
    ApiError,
    ChannelId,
    Character,
    Content,
    MessageUp,
    MoobiusService,
    NewCharacter,
    NotInGeneration,
    UserId,
)
from moobius_trio.core.bands import Bands
from moobius_trio.testing import Local
from moobius_trio.testing.core_rig import deliver, faulty_api

both = pytest.mark.parametrize("protocol", ["0.0.1", "1.8"])
generation_1 = pytest.mark.local(protocol="1.8")


class Rooms(MoobiusService):
    """Makes a band when told to; notes which bands were prepared, and answers in each."""

    def __init__(self) -> None:
        super().__init__()
        self.prepared: list[ChannelId] = []

    async def on_channel_init(self, channel_id: ChannelId) -> None:
        self.prepared.append(channel_id)

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        if msg_up.text is not None and msg_up.text.startswith("open "):
            await self.create_channel(msg_up.text.removeprefix("open "), "made by a service")
        else:
            await self.reply(msg_up, f"heard in {len(self.bands)} bands")


@generation_1
async def test_a_band_that_a_service_makes_is_served_at_once(local: Local) -> None:
    """It is prepared first, is on every list, and goes on after its maker's handler."""
    service = Rooms()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    await alice.say("open the garden", to=())
    made = [one for one in service.bands if one != band.channel_id]
    assert len(made) == 1
    assert service.prepared == [band.channel_id, *made]
    garden = local.band("the garden")
    assert garden.channel_id == made[0]
    [bob] = await garden.join("Bob")
    assert bob.names == ["Bob"]
    await bob.say("hello", to=())
    assert bob.texts == ["heard in 2 bands"]
    assert made[0] in await service.fetch_popular_channels()
    await service.update_channel(made[0], "the other garden", "renamed")
    assert local.band("the other garden").channel_id == made[0]


@generation_1
async def test_what_comes_while_a_new_band_is_prepared_waits(local: Local) -> None:
    """Its first event is handled when `on_channel_init` has returned."""
    order: list[str] = []

    class Slow(Rooms):
        async def on_channel_init(self, channel_id: ChannelId) -> None:
            if len(self.bands) > 1:
                said = MessageUp(channel_id=channel_id, sender=UserId("alice"))
                deliver(self, said)
                await trio.sleep(1)
                order.append("prepared")

        async def on_msg_up(self, msg_up: MessageUp) -> None:
            order.append("message")

    service = Slow()
    await local.start(service)
    await service.create_channel("slow")
    await local.settle()
    assert order == ["prepared", "message"]


@generation_1
async def test_a_band_may_be_made_before_the_lanes_open(local: Local) -> None:
    """In `on_start` as well: no event is handled before that anyway."""

    class Early(Rooms):
        async def on_start(self) -> None:
            self.made = await self.create_channel("early")

    service = Early()
    await local.start(service)
    assert service.made in service.bands
    [alice] = await local.band("early").join("Alice")
    await alice.say("hello", to=())
    assert alice.texts == ["heard in 2 bands"]


@generation_1
async def test_a_band_whose_preparation_fails_is_served_and_reported(local: Local) -> None:
    """As with anything that fails while a service runs."""

    class Broken(Rooms):
        async def on_channel_init(self, channel_id: ChannelId) -> None:
            if len(self.bands) > 1:
                raise ValueError("no paint left")

    service = Broken()
    await local.start(service)
    local.keep_failures = True
    made = await service.create_channel("unpainted")
    assert made in service.bands
    assert [str(exc) for _, exc in local.failures] == ["no paint left"]


@generation_1
async def test_a_band_that_is_refused_is_an_error_and_not_served(local: Local) -> None:
    """Neither where it cannot be made nor where it cannot be held."""
    with faulty_api() as api:
        service = Rooms()
        band = await local.start(service)
        for path in ("/channel/create", "/service/bind"):
            api.failing[path] = 400
            with pytest.raises(ApiError):
                await service.create_channel("nowhere")
            del api.failing[path]
        assert list(service.bands) == [band.channel_id]


def test_a_loop_over_the_bands_goes_on_while_one_is_added() -> None:
    """It sees those that there were when it began."""

    class Named:
        def __init__(self, channel_id: str) -> None:
            self.channel_id = ChannelId(channel_id)

    bands = Bands([Named("one"), Named("two")])  # type: ignore[list-item]  # all that it looks at
    seen = []
    for channel_id in bands:
        seen.append(channel_id)
        if len(seen) == 1:
            bands.add(Named("three"))  # type: ignore[arg-type]
    assert seen == ["one", "two"]
    assert list(bands) == ["one", "two", "three"]
    assert len(bands) == 3
    with pytest.raises(TypeError):
        bands[ChannelId("four")] = Named("four")  # type: ignore[index]


@both
async def test_a_figure_is_made_and_listed_on_both_generations(local: Local, protocol: str) -> None:
    """A figure has its name for all to see, and is found again."""
    service = MoobiusService()
    await local.start(service, protocol=protocol)  # type: ignore[arg-type]  # one of the two
    cat = await service.create_agent("Cat", description="purrs")
    assert (cat.nickname, cat.description) == ("Cat", "purrs")
    assert [one.user_id for one in await service.fetch_agents()] == [cat.user_id]
    by_key = await service.ensure_characters(NewCharacter(key="cat", nickname="Cat"))
    again = await service.ensure_characters(NewCharacter(key="cat", nickname="Cat"))
    assert by_key == again


@both
async def test_a_figure_found_by_key_after_its_record_was_lost_is_the_same(
    local: Local, protocol: str
) -> None:
    """On generation 1 a figure has no username to be found by; its name and words do."""
    wanted = NewCharacter(key="cat", nickname="Cat", description="purrs")
    service = MoobiusService()
    await local.start(service, protocol=protocol)  # type: ignore[arg-type]  # one of the two
    first = (await service.ensure_characters(wanted))["cat"]
    await local.stop()
    second = MoobiusService()  # its records were in memory
    await local.start(second, protocol=protocol)  # type: ignore[arg-type]
    assert (await second.ensure_characters(wanted))["cat"].user_id == first.user_id


@generation_1
async def test_a_figure_can_be_changed(local: Local, tmp_path: Path) -> None:
    """What is not given stays; whoever asks for it by its key gets it as it is now."""
    service = MoobiusService()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    picture = tmp_path / "cat.png"
    picture.write_bytes(b"\x89PNG cat")
    wanted = NewCharacter(key="cat", nickname="Cat", description="purrs")
    cat = (await service.ensure_characters(wanted))["cat"]
    lion = await service.update_agent(cat, name="Lion", avatar=picture)
    assert (lion.nickname, lion.description) == ("Lion", "purrs")
    assert lion.avatar.startswith("http")
    assert (await service.ensure_characters(wanted))["cat"] == lion
    tame = await service.update_agent(lion.user_id, description="roars")
    assert (tame.nickname, tame.avatar, tame.description) == ("Lion", lion.avatar, "roars")
    await service.send_update_user_list(band.channel_id, [tame], alice.user_id)
    await local.settle()
    assert [(one.nickname, one.description) for one in alice.characters] == [("Lion", "roars")]


@generation_1
async def test_history_is_what_was_said(local: Local) -> None:
    """A page of it, from the service or its band, and all of it in turn, the newest first."""
    service = Rooms()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    for number in range(5):
        await alice.say(f"word {number}", to=())
    words = [f"word {number}" for number in range(5)]
    page = await service.fetch_message_history(band.channel_id)
    assert [said.text for said in page if said.sender == alice.user_id and said.text in words]
    assert await service.bands[band.channel_id].fetch_message_history() == page
    told = [
        said.text
        async for said in service.iterate_message_history(band.channel_id, page=2)
        if said.text in words
    ]
    assert told == words[::-1]


@generation_1
async def test_the_accounts_own_profile_is_read_and_changed(local: Local) -> None:
    """All three parts are written."""
    service = MoobiusService()
    await local.start(service)
    await service.update_current_user("Maker", description="makes bands")
    info = await service.fetch_user_info()
    assert (info.name, info.description) == ("Maker", "makes bands")


@both
async def test_what_somebody_sent_can_be_saved(local: Local, tmp_path: Path, protocol: str) -> None:
    """Under a name of the program's own, whatever the sender calls it."""
    service = MoobiusService()
    await local.start(service, protocol=protocol)  # type: ignore[arg-type]  # one of the two
    original = tmp_path / "notes.txt"
    original.write_bytes(b"all of it")
    address = await service.upload_file(original)
    content = Content.file(address, filename="../../etc/passwd")
    saved = await service.download(content, tmp_path / "saved")
    assert saved.read_bytes() == b"all of it"
    assert saved.parent == tmp_path / "saved"
    assert saved.suffix == ".txt"
    chosen = await service.download(address, file=tmp_path / "chosen.txt")
    assert chosen == tmp_path / "chosen.txt"
    with pytest.raises(ValueError, match=r"no content\.path"):
        await service.download(Content(text="no file"))


async def test_what_generation_0_has_no_call_for_says_what_it_needs(local: Local) -> None:
    """It is an error with the remedy, and nothing is asked."""
    service = MoobiusService()
    band = await local.start(service, protocol="0.0.1")
    figure = Character(user_id=(await service.create_agent("Cat")).user_id)
    for call in (
        lambda: service.create_channel("new"),
        lambda: service.update_channel(band.channel_id, "new", ""),
        lambda: service.fetch_popular_channels(),
        lambda: service.fetch_channel_list(),
        lambda: service.fetch_message_history(band.channel_id),
        lambda: service.update_current_user("Me"),
        lambda: service.update_agent(figure, name="Lion"),
    ):
        with pytest.raises(NotInGeneration, match=r'"protocol": "1\.8"'):
            await call()
    assert list(service.bands) == [band.channel_id]
