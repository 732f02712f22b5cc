"""What one HTTP call does: the rules for accounts, services, bands, characters and groups.

Pure functions like those of ``rules``: the ``World``, who asks and new ids come in; a record to
apply or what to answer comes out, or ``Refused``. No trio, SQLite, clock, randomness or wire names.
The calls are those of docs/protocol/generation-0.md section 2.2, and the page's own.
"""

from __future__ import annotations

import re
import unicodedata

import attrs

from moobius_trio.local.records import Account, Band, Figure, Group, Message, Service, Upload
from moobius_trio.local.world import World
from moobius_trio.types import (
    ChannelId,
    Character,
    GroupId,
    ServiceId,
    ServiceInfo,
    UserId,
)

__all__ = (
    "MAX_UPLOADS",
    "MAX_UPLOAD_BYTES",
    "MAX_UPLOAD_BYTES_IN_ALL",
    "Refused",
    "band_of",
    "bind",
    "characters_of",
    "check_profile",
    "check_room",
    "check_text",
    "check_upload",
    "guest_login",
    "guest_name",
    "history_for",
    "member_of_group",
    "members_for",
    "new_account",
    "new_band",
    "new_figure",
    "new_group",
    "new_guest",
    "new_service",
    "own_service",
    "profiles",
    "renamed",
    "services_of",
    "unbind",
)

MAX_UPLOAD_BYTES = 20 * 1024 * 1024
MAX_UPLOADS = 5_000
MAX_UPLOAD_BYTES_IN_ALL = 2 * 1024**3

_MAX_NAME = 200
_MAX_TEXT = 10_000
_MAX_RECORDS = 10_000
"""Of each kind: no client fills the memory with accounts, bands, services or characters."""


class Refused(Exception):
    """The call is not carried out; the caller is answered with this status and these words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def check_text(value: str, what: str, limit: int, *, least: int = 0) -> str:
    """The text, if it has no more characters than that."""
    if not least <= len(value) <= limit:
        raise Refused(400, f"{what} must have {least} to {limit:,} characters, not {len(value):,}")
    return value


def check_room(count: int, what: str) -> None:
    """Refuse one more where there are so many."""
    if count >= _MAX_RECORDS:
        raise Refused(409, f"there are {count:,} {what} already, which is all that fit")


def new_account(world: World, email: str, password_hash: str, user_id: UserId) -> Account:
    """The account that the first sign-in of an e-mail makes (docs/architecture.md section 8)."""
    check_text(email, "username", _MAX_NAME, least=1)
    if not email.isprintable():  # a line break above all: that is how guests are told apart
        raise Refused(400, "username has characters that cannot be shown")
    check_room(len(world.accounts), "accounts")
    name = email.partition("@")[0] or email
    person = Character(user_id=user_id, username=name, nickname=name)
    return Account(person=person, login=email, password_hash=password_hash)


def guest_login(name: str) -> str:
    """The login of the guest of this name: the same for every spelling of upper and lower case.

    It holds a line break, which no e-mail of ``new_account`` has.
    """
    return "guest\n" + unicodedata.normalize("NFC", name.strip()).casefold()


def guest_name(account: Account) -> str:
    """The name by which this guest comes in; empty for an account with an e-mail."""
    kind, _, name = account.login.partition("\n")
    return name if kind == "guest" else ""


def new_guest(world: World, name: str, user_id: UserId) -> Account:
    """A person who comes in through the page by name alone; no password opens the account."""
    name = unicodedata.normalize("NFC", check_text(name.strip(), "name", 40, least=1))
    if not name.isprintable():
        raise Refused(400, "name has characters that cannot be shown")
    check_room(len(world.accounts), "accounts")
    person = Character(user_id=user_id, username=name, nickname=name[:1].upper() + name[1:])
    return Account(person=person, login=guest_login(name))


def renamed(world: World, user_id: UserId, nickname: str) -> Account:
    """The account under another nickname. A guest's login stays what it was."""
    nickname = unicodedata.normalize("NFC", check_text(nickname.strip(), "name", 40, least=1))
    if not nickname.isprintable():
        raise Refused(400, "name has characters that cannot be shown")
    account = world.accounts[user_id]
    return attrs.evolve(account, person=attrs.evolve(account.person, nickname=nickname))


def new_band(world: World, name: str, fresh_id: ChannelId) -> Band:
    """The band of this name: the one there is, or a new one.

    Its id is ``local-`` and the name's letters and digits, so that it is the same on every
    machine; ``fresh_id`` serves for a name that has none of them or whose id is taken.
    """
    name = unicodedata.normalize("NFC", check_text(name.strip(), "name", 60, least=1))
    if not name.isprintable():
        raise Refused(400, "name has characters that cannot be shown")
    for band in world.bands.values():
        if name in (band.name, band.channel_id):
            return band
    check_room(len(world.bands), "bands")
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-").removeprefix("local-")
    channel_id = ChannelId(f"local-{slug}")
    if not slug or channel_id in world.bands:
        channel_id = fresh_id
    return Band(channel_id=channel_id, name=name)


def new_service(world: World, owner: UserId, description: str, service_id: ServiceId) -> Service:
    check_text(description, "description", _MAX_TEXT)
    check_room(len(world.services), "services")
    return Service(service_id=service_id, owner=owner, description=description)


def own_service(world: World, user_id: UserId, service_id: ServiceId) -> Service:
    """The service, if it is this user's.

    Raises:
        Refused: there is no such service, or it belongs to another account.
    """
    service = world.services.get(service_id)
    if service is None:
        raise Refused(404, f"there is no service {service_id}")
    if service.owner != user_id:
        raise Refused(403, f"service {service_id} belongs to another account")
    return service


def services_of(world: World, user_id: UserId) -> tuple[ServiceInfo, ...]:
    """The account's services with the bands that each holds, oldest first."""
    return tuple(
        ServiceInfo(service_id=service_id, channel_ids=world.bands_of(service_id))
        for service_id, service in world.services.items()
        if service.owner == user_id
    )


def band_of(world: World, channel_id: ChannelId) -> Band:
    """The band, if there is one of this id."""
    if (band := world.bands.get(channel_id)) is None:
        raise Refused(404, f"there is no band {channel_id}")
    return band


def bind(world: World, user_id: UserId, service_id: ServiceId, channel_id: ChannelId) -> Band:
    """The band, held by the service.

    Raises:
        Refused: another service holds it; the message names the holder and its account.
    """
    own_service(world, user_id, service_id)
    band = band_of(world, channel_id)
    if band.service_id is not None and band.service_id != service_id:
        holder = world.services[band.service_id]
        account = world.accounts[holder.owner]
        raise Refused(
            409,
            f"band {channel_id} is held by service {holder.service_id} "
            f"of account {account.login}; unbind it first",
        )
    return attrs.evolve(band, service_id=service_id)


def unbind(world: World, user_id: UserId, service_id: ServiceId, channel_id: ChannelId) -> Band:
    """The band, free again. Unbinding a band that is free already changes nothing."""
    own_service(world, user_id, service_id)
    band = band_of(world, channel_id)
    if band.service_id not in (None, service_id):
        raise Refused(409, f"band {channel_id} is held by another service, {band.service_id}")
    return attrs.evolve(band, service_id=None)


def members_for(
    world: World, user_id: UserId, service_id: ServiceId, channel_id: ChannelId
) -> tuple[Character, ...]:
    """The people of a band in joining order, for the service that holds it."""
    own_service(world, user_id, service_id)
    if band_of(world, channel_id).service_id != service_id:
        raise Refused(403, f"band {channel_id} is not bound to service {service_id}")
    return tuple(world.accounts[member].person for member in world.members(channel_id))


def history_for(
    world: World, user_id: UserId, channel_id: ChannelId, limit: int
) -> tuple[Message, ...]:
    """The last messages of a band, oldest first, for the account whose service holds it."""
    holder = band_of(world, channel_id).service_id
    if holder is None:
        raise Refused(403, f"no service holds band {channel_id}")
    own_service(world, user_id, holder)
    kept = tuple(world.history.get(channel_id, ()))
    return kept[-limit:] if limit else ()


def profiles(world: World, user_ids: tuple[UserId, ...]) -> tuple[Character, ...]:
    """The people or figures with these ids, in order."""
    found = []
    for user_id in user_ids:
        if (character := world.character(user_id)) is None:
            raise Refused(404, f"there is no user {user_id}")
        found.append(character)
    return tuple(found)


def new_figure(world: World, owner: UserId, service_id: ServiceId, character: Character) -> Figure:
    """A character of a service's own."""
    own_service(world, owner, service_id)
    check_profile(character)
    check_room(len(world.figures), "characters")
    return Figure(service_id=service_id, character=character)


def check_profile(character: Character) -> Character:
    """The character, if no text of it is too long."""
    check_text(character.username, "username", _MAX_NAME)
    check_text(character.nickname, "name", _MAX_NAME)
    check_text(character.avatar, "avatar", _MAX_TEXT)
    check_text(character.description, "description", _MAX_TEXT)
    return character


def characters_of(world: World, user_id: UserId, service_id: ServiceId) -> tuple[Character, ...]:
    """The characters that the service made, oldest first."""
    own_service(world, user_id, service_id)
    return tuple(
        figure.character for figure in world.figures.values() if figure.service_id == service_id
    )


def new_group(
    world: World,
    owner: UserId,
    group_id: GroupId,
    user_ids: tuple[UserId, ...],
    fresh_id: GroupId,
) -> Group:
    """A group under the id the caller chose; without one a fresh one, or the one that the caller
    made of the same users before."""
    check_text(group_id, "group_id", _MAX_NAME)
    check_room(len(user_ids), "members")
    known = world.groups.get(group_id or world.group_of(owner, user_ids) or GroupId(""))
    if known is None:
        return Group(group_id=group_id or fresh_id, owner=owner, members=user_ids)
    if known.owner != owner:
        raise Refused(409, f"group {group_id} belongs to another account")
    return attrs.evolve(known, members=user_ids)


def member_of_group(
    world: World, user_id: UserId, channel_id: ChannelId, group_id: GroupId
) -> Character:
    """One member of a group."""
    band_of(world, channel_id)
    group = world.groups.get(group_id)
    if group is None:
        raise Refused(404, f"there is no group {group_id}")
    if user_id not in group.members:
        raise Refused(404, f"user {user_id} is not in group {group_id}")
    return profiles(world, (user_id,))[0]


def check_upload(world: World, upload: Upload, arriving: tuple[int, ...] = ()) -> Upload:
    """The upload, if it fits beside those that are there and those that are being written, whose
    sizes in bytes ``arriving`` has (docs/architecture.md section 8)."""
    if upload.size > MAX_UPLOAD_BYTES:
        raise Refused(413, f"a file may have {MAX_UPLOAD_BYTES:,} bytes at most")
    if len(world.uploads) + len(arriving) >= MAX_UPLOADS:
        raise Refused(507, f"there are {MAX_UPLOADS:,} files already, which is all that fit")
    if world.upload_bytes + sum(arriving) + upload.size > MAX_UPLOAD_BYTES_IN_ALL:
        raise Refused(507, "the files of this platform take all the room there is for them")
    return upload
