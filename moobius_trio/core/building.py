"""The parts of a run, built and joined; nothing is started and nothing decided here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from moobius_trio.codec.generation0_service import decode_for_service, encode_from_service
from moobius_trio.codec.tags import origin_type
from moobius_trio.config import Settings
from moobius_trio.core.band import Band
from moobius_trio.core.bands import Bands
from moobius_trio.core.boundary import Boundary
from moobius_trio.core.cast import CHARACTERS, UPLOADS, Cast
from moobius_trio.core.catching_up import CatchUp
from moobius_trio.core.dispatch import Dispatcher
from moobius_trio.core.environment import Environment
from moobius_trio.core.members import Members
from moobius_trio.core.runtime import Runtime, Tracing
from moobius_trio.core.spells import SpellLoop
from moobius_trio.core.taking_on import TakingOn
from moobius_trio.core.unheard import UnheardWatch
from moobius_trio.database import MoobiusStorage, Stores, declared_containers
from moobius_trio.errors import GroupUnknown
from moobius_trio.network.group_book import GroupBook
from moobius_trio.network.http import HttpApi
from moobius_trio.network.link import Link, Side
from moobius_trio.network.outbox import Outbox
from moobius_trio.network.side_by_side import both, side_by_side
from moobius_trio.network.wire1 import Generation1Wire
from moobius_trio.types import (
    ChannelId,
    Character,
    GroupMessage,
    MessageUp,
    ServiceCommand,
    ServiceFrame,
    ServiceId,
    UserId,
)

if TYPE_CHECKING:
    from moobius_trio.core.service import MoobiusService

__all__ = ("Footing", "Speech", "make_runtime", "make_speech")


@attrs.frozen(eq=False, kw_only=True)
class Speech:
    """How a run speaks with its platform."""

    side: Side[ServiceCommand, ServiceFrame]
    resolve: Callable[[GroupMessage], Awaitable[MessageUp]]


@attrs.frozen(eq=False, kw_only=True)
class Footing:
    """What a run stands on before it has any handlers."""

    service: MoobiusService[Any]
    environment: Environment
    settings: Settings
    name: str
    service_id: ServiceId
    http_api: HttpApi
    stores: Stores
    speech: Speech
    outbox: Outbox
    link: Link
    tracing: Tracing | None


def make_speech(service: MoobiusService[Any], settings: Settings, http_api: HttpApi) -> Speech:
    """The generation that service.json names; on generation 1 with a book of groups."""
    if settings.protocol == "1.8":

        def profile_of(channel_id: ChannelId, user_id: UserId) -> Character | None:
            band = service.bands.get(channel_id)
            return None if band is None else band.members.get(user_id)

        book = GroupBook(http_api.create_group, http_api.fetch_group)
        wire = Generation1Wire(book, profile_of=profile_of)
        return Speech(side=wire.side(), resolve=wire.resolve)
    side: Side[ServiceCommand, ServiceFrame] = Side(
        decode=decode_for_service, encode=encode_from_service, origin_type=origin_type
    )
    return Speech(side=side, resolve=_no_groups)


async def _no_groups(event: GroupMessage) -> MessageUp:
    raise GroupUnknown(event.group_id, event.channel_id, "generation 0 has no groups")


async def make_runtime(
    footing: Footing, taken: Sequence[ChannelId], nursery: trio.Nursery
) -> Runtime:
    """Everything that handlers use; their tasks will run in the nursery."""
    service, environment, settings = footing.service, footing.environment, footing.settings
    boundary = Boundary(
        on_error=service.on_error,
        limit=settings.handler_seconds,
        on_failure=environment.on_failure,
        on_end=footing.tracing.ended if footing.tracing is not None else None,
    )
    make_band = _band_maker(footing, nursery)
    lists, (storage, cast) = await both(
        partial(footing.http_api.get_channel_user_lists, taken, footing.service_id),
        partial(_open_own, footing),
    )
    bands = Bands(await side_by_side(make_band, zip(taken, lists, strict=True)))
    catch_up = CatchUp(
        bands=bands,
        fetch=lambda channel_id: _fetch_members(footing, channel_id),
        start_soon=nursery.start_soon,
        enter=lambda work: dispatcher.inner(work),
        tell=lambda gap: dispatcher.tell(gap),
        now=service.now,
    )
    dispatcher = Dispatcher(
        service=service,
        bands=bands,
        boundary=boundary,
        nursery=nursery,
        lanes=settings.lanes,
        on_member_shed=catch_up.after_shedding,
        resolve=footing.speech.resolve,
    )

    async def take_on(channel_id: ChannelId) -> Band:
        return await make_band((channel_id, await _fetch_members(footing, channel_id)))

    return Runtime(
        environment=environment,
        settings=settings,
        name=footing.name,
        service_id=footing.service_id,
        http_api=footing.http_api,
        outbox=footing.outbox,
        link=footing.link,
        stores=footing.stores,
        boundary=boundary,
        storage=storage,
        cast=cast,
        jobs=service.jobs,
        spells=SpellLoop(
            spells=service._spells_out,
            on_spell=service.on_spell,
            handler=f"{type(service).__name__}.on_spell",
            boundary=boundary,
            name=footing.name,
        ),
        dispatcher=dispatcher,
        catch_up=catch_up,
        bands=bands,
        taking_on=TakingOn(
            bands=bands,
            make=take_on,
            dispatcher=dispatcher,
            boundary=boundary,
            on_channel_init=service.on_channel_init,
            handler=f"{type(service).__name__}.on_channel_init",
            name=footing.name,
        ),
        nursery=nursery,
        tracing=footing.tracing,
        unheard=UnheardWatch(bands=bands, figures=cast.ids, tell=environment.on_unheard),
    )


async def _open_own(footing: Footing) -> tuple[MoobiusStorage, Cast]:
    """What is stored of the service itself."""
    storage = await footing.stores.storage(None, declared_containers(type(footing.service)))
    cast = Cast(
        footing.http_api,
        footing.service_id,
        await storage.put(UPLOADS),
        await storage.put(CHARACTERS),
        footing.environment.run_sync,
    )
    return storage, cast


def _band_maker(
    footing: Footing, nursery: trio.Nursery
) -> Callable[[tuple[ChannelId, Sequence[Character]]], Awaitable[Band]]:
    """Makes a band with the people in it and its store."""
    band_class = type(footing.service)._band_class
    declared = declared_containers(band_class)

    async def make(band_and_people: tuple[ChannelId, Sequence[Character]]) -> Band:
        channel_id, people = band_and_people
        members = Members(
            fetch_profile=footing.http_api.fetch_user_profile, start_soon=nursery.start_soon
        )
        members.replace(people)
        band = band_class(channel_id=channel_id, service=footing.service, members=members)
        band._storage = await footing.stores.storage(channel_id, declared)
        return band

    return make


async def _fetch_members(footing: Footing, channel_id: ChannelId) -> Sequence[Character]:
    return await footing.http_api.fetch_real_characters(channel_id, footing.service_id)
