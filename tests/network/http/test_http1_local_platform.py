"""The client's calls of generation 1 at the local platform: both sides of the wire meet."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
import pytest
import trio
from trio.testing import MockClock

from moobius_trio.errors import ApiError, SignInRefused
from moobius_trio.local import DEFAULT_BAND, Platform, open_platform
from moobius_trio.network.http import HttpApi, open_http_api
from moobius_trio.network.http.calls import ProtocolName
from moobius_trio.testing.inline import run_inline
from moobius_trio.types import ChannelId, Group, Secret, ServiceId, UserId

BASE = "http://127.0.0.1:8000"
EMAIL = "alice@example.org"

GENERATION_1 = {
    *("POST /auth/sign_in", "POST /auth/sign_up", "POST /auth/resend_confirmation"),
    *("POST /auth/confirm_sign_up", "POST /auth/forgot_password", "POST /auth/sign_out"),
    *("POST /auth/confirm_reset_password", "POST /auth/delete_account", "POST /auth/refresh"),
    *("POST /character/fetch_profile", "GET /channel/character_list"),
    *("GET /service/character/list", "GET /user/info", "POST /user/info"),
    *("POST /service/create", "GET /service/list", "POST /service/character/create"),
    *("POST /service/character/update", "POST /channel/create", "POST /service/bind"),
    *("POST /service/unbind", "POST /channel/update", "GET /channel/popular"),
    *("GET /channel/list", "GET /channel/history_message", "GET /file/upload"),
    *("GET /user/group/list", "POST /user/group/create", "GET /service/group"),
    *("GET /user/group", "POST /service/group/create", "GET /user/group/temp"),
}
"""The calls of docs/protocol/generation-1.md section 2.2 that have a path of their own."""


@pytest.fixture
async def platform(autojump_clock: MockClock) -> AsyncIterator[Platform]:
    """A platform in memory."""
    async with open_platform(
        state=None,
        run_sync=run_inline,
        wall_clock=lambda: 1_700_000_000.0 + trio.current_time(),
        random=random.Random(1),
    ) as platform:
        yield platform


def api_of(
    platform: Platform, password: str = "secret", protocol: ProtocolName = "1.8"
) -> AbstractAsyncContextManager[HttpApi]:
    """An API of the platform's that has not signed in."""
    return open_http_api(
        BASE,
        email=EMAIL,
        password=Secret(password),
        run_sync=run_inline,
        transport=httpx.ASGITransport(app=platform.app),
        protocol=protocol,
    )


async def mailed_code(platform: Platform) -> str:
    """The code that was sent last, as it is shown to whoever sits at the machine."""
    transport = httpx.ASGITransport(app=platform.app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        rows = (await client.get("/local/codes")).json()["data"]
    return str(rows[-1]["code"])


async def has_a_service(api: HttpApi) -> ServiceId:
    """A service that holds the band that is there from the start."""
    service_id = await api.create_service("a demo")
    assert await api.bind_service_to_channel(service_id, DEFAULT_BAND)
    (service,) = await api.get_service_list()
    assert (service.service_id, service.channel_ids) == (service_id, (DEFAULT_BAND,))
    return service_id


async def account_calls(platform: Platform) -> None:
    """An account is made, gets another password, signs out and ends."""
    async with api_of(platform) as api:
        await api.sign_up()
        with pytest.raises(SignInRefused, match="confirm"):
            await api.authenticate()
        await api.resend_confirmation()
        with pytest.raises(ApiError, match="code"):
            await api.confirm_sign_up("wrong")
        await api.confirm_sign_up(await mailed_code(platform))
        await api.authenticate()
        await api.refresh()
        await api.request_password_reset_code()
    async with api_of(platform, "another") as api:
        with pytest.raises(SignInRefused):
            await api.authenticate()
        await api.reset_password_with_code(await mailed_code(platform))
        await api.authenticate()
        token = api.access_token
        await api.sign_out()
        await api.authenticate()
        assert api.access_token != token
        await api.delete_account()


async def people_calls(api: HttpApi, service_id: ServiceId) -> None:
    """Profiles of people and figures are read and changed."""
    await api.update_current_user("Alice", "https://a/p.png", "words")
    me = await api.fetch_user_info()
    assert (me.name, me.avatar, me.description) == ("Alice", "https://a/p.png", "words")
    assert me.email == EMAIL
    mickey = await api.create_agent(service_id, "Mickey", "", "a mouse")
    await api.update_agent(service_id, mickey.user_id, "Minnie", "https://a/m.png", "")
    (minnie,) = await api.fetch_agents(service_id)
    assert (minnie.user_id, minnie.nickname) == (mickey.user_id, "Minnie")
    found = await api.fetch_profiles([mickey.user_id, me.user_id])
    assert [each.nickname for each in found] == ["Minnie", "Alice"]
    assert (await api.fetch_user_profile(me.user_id)).nickname == "Alice"
    assert await api.fetch_real_characters(DEFAULT_BAND, service_id) == ()
    assert await api.fetch_member_ids(DEFAULT_BAND, me.user_id) == ()


async def band_calls(api: HttpApi, service_id: ServiceId) -> None:
    """A band is made, renamed, taken and left; nobody has said anything in it."""
    lobby = await api.create_channel("Lobby", "for all")
    await api.update_channel(lobby, "Hall", "for some")
    assert lobby in await api.fetch_popular_channels()
    assert await api.fetch_channel_list() == ()
    await api.bind_service_to_channel(service_id, lobby)
    assert await api.fetch_message_history(lobby) == ()
    assert [each async for each in api.iterate_message_history(lobby)] == []
    await api.unbind_service_from_channel(service_id, lobby)
    with pytest.raises(ApiError):
        await api.bind_service_to_channel(service_id, ChannelId("nowhere"))


async def group_calls(api: HttpApi, service_id: ServiceId) -> None:
    """Groups keep their order; one that is not there is an error."""
    me = (await api.fetch_user_info()).user_id
    members = (UserId("u-2"), me, UserId("u-1"))
    group = await api.create_group(members)
    assert await api.fetch_service_group(group) == members
    picked = await api.create_channel_group(DEFAULT_BAND, members, "picked")
    assert await api.fetch_group(picked, DEFAULT_BAND, me) == members
    listed = await api.fetch_channel_groups(DEFAULT_BAND, service_id)
    assert listed == (Group(group_id=picked, members=members),)
    assert await api.fetch_temp_groups(DEFAULT_BAND, service_id) == ()
    assert (await api.fetch_user_from_group(me, DEFAULT_BAND, picked)).nickname == "Alice"
    with pytest.raises(ApiError, match="no group"):
        await api.fetch_service_group(type(group)("nobody"))


async def file_calls(api: HttpApi, folder: Path) -> None:
    """What is uploaded can be weighed and fetched again."""
    content = b"\x89PNG\r\n\x1a\n" + bytes(1_000)
    (folder / "hat.png").write_bytes(content)
    address = await api.upload_file(folder / "hat.png")
    assert await api.upload_file(folder / "hat.png") == address
    assert await api.fetch_size(address) == len(content)
    assert (await api.download(address, folder / "got")).read_bytes() == content
    with pytest.raises(ApiError, match="larger than 1,000 bytes"):
        await api.download_bytes(address, max_bytes=1_000)


async def test_every_call_of_generation_1_at_the_local_platform(
    platform: Platform, tmp_path: Path
) -> None:
    """The platform answers each call in the form that the client reads, and does what it says."""
    await account_calls(platform)
    async with api_of(platform) as api:
        await api.authenticate()  # a new account, since the other one has gone
        service_id = await has_a_service(api)
        await people_calls(api, service_id)
        await band_calls(api, service_id)
        await group_calls(api, service_id)
        await file_calls(api, tmp_path)
    assert platform.calls.keys() >= GENERATION_1
    assert platform.calls["GET /file/upload"] == 1


async def test_the_same_names_at_the_local_platform_in_generation_0(platform: Platform) -> None:
    """What both generations have gives the same values from the same platform."""
    async with api_of(platform) as new, api_of(platform, protocol="0.0.1") as old:
        await new.authenticate()
        await old.authenticate()
        service_id = await has_a_service(new)
        mickey = await old.create_service_user(service_id, "Mouse", "Mickey", "", "a mouse")
        assert await new.fetch_agents(service_id) == await old.fetch_agents(service_id) == (mickey,)
        assert await new.fetch_user_profile(mickey.user_id) == mickey
        assert await old.fetch_profiles([mickey.user_id]) == (mickey,)
        group = await old.create_group([mickey.user_id])
        assert await new.fetch_service_group(group) == (mickey.user_id,)
        for api in (old, new):
            assert (await api.fetch_user_info()).user_id == (await new.fetch_user_info()).user_id
