"""What the calls for bands and groups do that only generation 1 has.

Pure functions like those of ``rules_http``. No trio, SQLite, clock, randomness or wire names. The
calls are those of docs/protocol/generation-1.md section 2.2 rows 11, 19, 22 to 25 and 28 to 33.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from moobius_trio.local.records import Band, Change, Forgotten, Group, Message
from moobius_trio.local.rules_http import Refused, band_of, check_room, check_text, own_service
from moobius_trio.local.world import World
from moobius_trio.types import ChannelId, ChannelInfo, GroupId, ServiceId, UserId

__all__ = (
    "MAX_GROUPS",
    "changed_channel",
    "channel_groups",
    "channel_info",
    "history_of",
    "joined",
    "member_ids",
    "new_channel",
    "new_channel_group",
    "popular",
    "with_room",
)

MAX_GROUPS = 10_000
"""Groups that clients made; the one that was not used for the longest makes room for a new one.
A client of generation 1 makes all of its own anew at each start."""

_MAX_NAME = 200
_MAX_TEXT = 10_000
_LISTED = 500


def channel_info(band: Band) -> ChannelInfo:
    """What is told of a band; ``ccs`` is one that a service runs, ``dcs`` one that nobody runs."""
    return ChannelInfo(
        channel_id=band.channel_id,
        channel_name=band.name,
        channel_description=band.description,
        channel_type="dcs" if band.service_id is None else "ccs",
    )


def new_channel(
    world: World, owner: UserId, name: str, description: str, channel_id: ChannelId
) -> Band:
    """A band that an account makes; there may be others of this name."""
    check_room(len(world.bands), "bands")
    band = Band(channel_id=channel_id, name=name, owner=owner)
    return _named(band, name, description)


def changed_channel(
    world: World, user_id: UserId, channel_id: ChannelId, name: str, description: str
) -> Band:
    """The band under another name, for the account that made it or whose service holds it."""
    band = band_of(world, channel_id)
    if band.owner != user_id:
        if band.service_id is None:
            raise Refused(
                403, f"band {channel_id} was made by somebody else, and no service holds it"
            )
        own_service(world, user_id, band.service_id)
    return _named(band, name, description)


def _named(band: Band, name: str, description: str) -> Band:
    name = check_text(name.strip(), "channel_name", _MAX_NAME, least=1)
    if not name.isprintable():
        raise Refused(400, "channel_name has characters that cannot be shown")
    check_text(description, "channel_description", _MAX_TEXT)
    return attrs.evolve(band, name=name, description=description)


def popular(world: World) -> tuple[ChannelInfo, ...]:
    """Bands, those with the most members first."""
    bands = sorted(world.bands.values(), key=lambda band: -len(world.members(band.channel_id)))
    return tuple(map(channel_info, bands[:_LISTED]))


def joined(world: World, user_id: UserId) -> tuple[ChannelInfo, ...]:
    """The bands that the user is a member of. A client in user mode joins those of its own that
    are missing here (docs/protocol/generation-1.md section 5.2)."""
    return tuple(
        channel_info(band)
        for band in world.bands.values()
        if world.is_member(band.channel_id, user_id)
    )


def member_ids(
    world: World, user_id: UserId, asking: str, channel_id: ChannelId
) -> tuple[UserId, ...]:
    """The members of a band in joining order, for the service that holds it, or for anybody who
    asks as themselves, as clients in user mode do."""
    band = band_of(world, channel_id)
    if asking != user_id:
        own_service(world, user_id, ServiceId(asking))
        if band.service_id != asking:
            raise Refused(403, f"band {channel_id} is not bound to service {asking}")
    return world.members(channel_id)


def history_of(
    world: World, user_id: UserId, channel_id: ChannelId, limit: int, before: str | None
) -> tuple[Message, ...]:
    """The last messages before one, oldest first: all of a band for the account whose service
    holds it, for a member those that they sent or were sent."""
    band = band_of(world, channel_id)
    holder = None if band.service_id is None else world.services[band.service_id]
    if holder is not None and holder.owner == user_id:
        return world.history_of(channel_id, None, limit, before)
    if not world.is_member(channel_id, user_id):
        raise Refused(403, f"not a member of band {channel_id}, nor the account of its service")
    return world.history_of(channel_id, user_id, limit, before)


def new_channel_group(
    world: World,
    owner: UserId,
    channel_id: ChannelId,
    name: str,
    members: tuple[UserId, ...],
    group_id: GroupId,
) -> Group:
    """A group that a user makes in a band; the same again is the same."""
    band_of(world, channel_id)
    check_text(name, "group_name", _MAX_NAME)
    check_room(len(members), "members")
    known = world.groups.get(world.group_of(owner, members) or GroupId(""))
    if known is not None and known.channel_id == channel_id and known.name == name:
        return known
    return Group(group_id=group_id, owner=owner, members=members, channel_id=channel_id, name=name)


def channel_groups(
    world: World, user_id: UserId, asking: str, channel_id: ChannelId
) -> tuple[Group, ...]:
    """The groups that users made in a band: all for the service that holds it, else one's own."""
    band = band_of(world, channel_id)
    holder = None if band.service_id is None else world.services[band.service_id]
    all_of_them = holder is not None and holder.owner == user_id and asking == holder.service_id
    return tuple(
        group
        for group in world.groups.values()
        if group.channel_id == channel_id and (all_of_them or group.owner == user_id)
    )


def with_room(world: World, group: Group) -> Iterable[Change]:
    """The changes that make the group, if need be after forgetting one that nobody uses."""
    if group.group_id not in world.groups and len(world.groups) >= MAX_GROUPS:
        yield Forgotten(record=next(iter(world.groups.values())))
    yield group
