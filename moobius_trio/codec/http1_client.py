"""Generation 1 over HTTP, the client's side: what is posted, and what a good reply holds.

Bodies only: no path, no header and no request. What generation 0 has in the same form is read
and written by ``http0_client``. Facts: docs/protocol/generation-1.md section 2. A ``decode_…`` is
given the ``data`` that ``decode_reply`` returned and raises ``MalformedPayload`` when it is not of
the shape that section 2.2 says; keys that are not named there are ignored.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from moobius_trio.codec import http0_client
from moobius_trio.codec.converter import structure
from moobius_trio.codec.envelope import SUCCESS, read_envelope
from moobius_trio.codec.tags import TO_SERVICE
from moobius_trio.codec.text import MAX_REPLY_BYTES, dump
from moobius_trio.errors import MalformedPayload
from moobius_trio.types import (
    NO_SENDER,
    ChannelId,
    Character,
    Content,
    Group,
    GroupId,
    MessageId,
    PastMessage,
    Secret,
    ServiceId,
    UserId,
    UserInfo,
)

__all__ = (
    "decode_channel_id",
    "decode_channel_ids",
    "decode_character",
    "decode_characters",
    "decode_group",
    "decode_groups",
    "decode_history",
    "decode_member_ids",
    "decode_members",
    "decode_reply",
    "decode_user_info",
    "encode_channel_group",
    "encode_confirm_sign_up",
    "encode_create_channel",
    "encode_create_character",
    "encode_create_group",
    "encode_fetch_profiles",
    "encode_history_before",
    "encode_reset_password",
    "encode_sign_out",
    "encode_update_channel",
    "encode_update_character",
    "encode_update_user",
    "encode_username",
)

_ALSO_SUCCESS = 204
_NO_MESSAGE = "null"


@attrs.define(eq=False, repr=False)
class _Profile:
    """Texts that may be missing or null: one figure without a picture must not cost a list."""

    name: str | None = None
    avatar: str | None = None
    description: str | None = None
    username: str | None = None


@attrs.define(eq=False, repr=False)
class _Character:
    character_id: UserId
    character_context: _Profile

    def value(self) -> Character:
        profile = self.character_context
        return Character(
            user_id=self.character_id,
            username=profile.username or "",
            nickname=profile.name or "",
            avatar=profile.avatar or "",
            description=profile.description or "",
        )


@attrs.define(eq=False, repr=False)
class _MemberIds:
    character_list: tuple[UserId, ...]


@attrs.define(eq=False, repr=False)
class _UserInfo:
    user_id: UserId
    context: _Profile
    email: str | None = None
    email_verified: object = None


@attrs.define(eq=False, repr=False)
class _ChannelId:
    channel_id: ChannelId


@attrs.define(eq=False, repr=False)
class _Members:
    characters: tuple[UserId, ...]


@attrs.define(eq=False, repr=False)
class _Group:
    group_id: GroupId
    characters: tuple[UserId, ...]


@attrs.define(eq=False, repr=False)
class _PastMessage:
    subtype: str
    content: Content
    channel_id: ChannelId | None = None
    sender: UserId = NO_SENDER
    timestamp: int = 0
    message_id: MessageId = MessageId("")
    recipients: object = None


def _bytes(body: dict[str, object]) -> bytes:
    return dump(body).encode()


def _profile(name: str, avatar: str, description: str) -> dict[str, object]:
    return {"name": name, "avatar": avatar, "description": description}


def encode_username(email: str) -> bytes:
    """The body of ``POST /auth/resend_confirmation`` and of ``POST /auth/forgot_password``."""
    return _bytes({"username": email})


def encode_confirm_sign_up(email: str, code: Secret) -> bytes:
    """The body of ``POST /auth/confirm_sign_up``."""
    return _bytes({"username": email, "confirmation_code": code.reveal()})


def encode_reset_password(email: str, password: Secret, code: Secret) -> bytes:
    """The body of ``POST /auth/confirm_reset_password``: the password is the new one."""
    return _bytes(
        {"username": email, "password": password.reveal(), "confirmation_code": code.reveal()}
    )


def encode_sign_out(access: Secret) -> bytes:
    """The body of ``POST /auth/sign_out``."""
    return _bytes({"access_token": access.reveal()})


def encode_fetch_profiles(user_ids: Iterable[UserId]) -> bytes:
    """The body of ``POST /character/fetch_profile``; the reply has their order."""
    return _bytes({"character_list": list(user_ids)})


def encode_update_user(name: str, avatar: str, description: str) -> bytes:
    """The body of ``POST /user/info``."""
    return _bytes(_profile(name, avatar, description))


def encode_create_character(
    service_id: ServiceId, name: str, avatar: str, description: str
) -> bytes:
    """The body of ``POST /service/character/create``."""
    return _bytes({"service_id": service_id, "context": _profile(name, avatar, description)})


def encode_update_character(
    service_id: ServiceId, user_id: UserId, name: str, avatar: str, description: str
) -> bytes:
    """The body of ``POST /service/character/update``."""
    profile = _profile(name, avatar, description)
    return _bytes({"service_id": service_id, "character_id": user_id, "context": profile})


def encode_create_channel(name: str, description: str) -> bytes:
    """The body of ``POST /channel/create``."""
    return _bytes({"channel_name": name, "context": {"channel_description": description}})


def encode_update_channel(channel_id: ChannelId, name: str, description: str) -> bytes:
    """The body of ``POST /channel/update``."""
    context = {"channel_description": description}
    return _bytes({"channel_id": channel_id, "channel_name": name, "context": context})


def encode_create_group(group_id: GroupId, user_ids: Iterable[UserId]) -> bytes:
    """The body of ``POST /service/group/create``; a new group's id is empty."""
    return _bytes({"group_id": group_id, "characters": list(user_ids)})


def encode_channel_group(channel_id: ChannelId, name: str, user_ids: Iterable[UserId]) -> bytes:
    """The body of ``POST /user/group/create``."""
    return _bytes({"channel_id": channel_id, "group_name": name, "characters": list(user_ids)})


def encode_history_before(message_id: MessageId | None) -> str:
    """The value of ``before`` in the query of ``/channel/history_message``."""
    return _NO_MESSAGE if message_id is None else message_id


def decode_reply(
    content: bytes, *, path: str, status: int, max_bytes: int = MAX_REPLY_BYTES
) -> object:
    """The ``data`` of a reply's envelope, as ``read_envelope``; 10000 and 204 are success.

    Raises:
        ApiError: the envelope says failure, or there is no envelope: not JSON, no ``code``.
    """
    return read_envelope(
        content,
        path=path,
        status=status,
        success=(SUCCESS, _ALSO_SUCCESS),
        max_bytes=max_bytes,
    )


def decode_characters(data: object) -> tuple[Character, ...]:
    """Profiles, or the characters of a service: a list, in the platform's order."""
    rows = structure(data, tuple[_Character, ...], what="characters", at="data")
    return tuple(row.value() for row in rows)


def decode_character(data: object) -> Character:
    """One character."""
    return structure(data, _Character, what="character", at="data").value()


def decode_member_ids(data: object) -> tuple[UserId, ...]:
    """The ids of a band's members."""
    return structure(data, _MemberIds, what="member list", at="data").character_list


def decode_user_info(data: object) -> UserInfo:
    """The account's own user; whether its address is known to be right is a text or a truth."""
    shape = structure(data, _UserInfo, what="user info", at="data")
    return UserInfo(
        user_id=shape.user_id,
        name=shape.context.name or "",
        avatar=shape.context.avatar or "",
        description=shape.context.description or "",
        email=shape.email or "",
        email_verified=shape.email_verified is True or shape.email_verified == "true",
    )


def decode_channel_id(data: object) -> ChannelId:
    """The id of a band just created."""
    return structure(data, _ChannelId, what="channel", at="data").channel_id


def decode_channel_ids(data: object) -> tuple[ChannelId, ...]:
    """The ids of a list of bands: of ids, or of objects that have one; none at all is no band."""
    if data is None:
        return ()
    rows = structure(data, tuple[object, ...], what="channel list", at="data")
    return tuple(
        ChannelId(row)
        if isinstance(row, str)
        else structure(row, _ChannelId, what="channel list", at=f"data[{index}]").channel_id
        for index, row in enumerate(rows)
    )


def decode_groups(data: object) -> tuple[Group, ...]:
    """Groups with their members; none at all is no group."""
    if data is None:
        return ()
    rows = structure(data, tuple[_Group, ...], what="group list", at="data")
    return tuple(Group(group_id=row.group_id, members=row.characters) for row in rows)


def decode_group(data: object) -> GroupId:
    """The id of a group just made: a bare text for a service, in an object for a user."""
    group_id = http0_client.decode_group(data)
    if not group_id:  # sent on as recipients, it would reach nobody
        raise MalformedPayload("group", ["the id is empty @ data"])
    return group_id


def decode_members(data: object) -> tuple[UserId, ...]:
    """Who is in a group, in order.

    Raises:
        MalformedPayload: also for an empty value, by which a platform says that it has no such
            group: taken for an empty list, a private message would turn into one to the Service.
    """
    if not data:
        raise MalformedPayload("group", ["the platform has no such group @ data"])
    return structure(data, _Members, what="group", at="data").characters


def decode_history(data: object, channel_id: ChannelId) -> tuple[PastMessage, ...]:
    """Messages of a band, in the platform's order; none at all is no message.

    Their shape is not in the sources. Read are bodies of messages (section 3.4), alone or in their
    frames, with recipients as a group, as a list, or without.
    """
    if data is None:
        return ()
    rows = structure(data, tuple[object, ...], what="history", at="data")
    return tuple(_past(row, channel_id, f"data[{index}]") for index, row in enumerate(rows))


def _past(row: object, channel_id: ChannelId, at: str) -> PastMessage:
    if isinstance(row, dict) and isinstance(row.get("body"), dict):
        row, at = row["body"], f"{at}.body"
    shape = structure(row, _PastMessage, what="history", at=at)
    recipients, group_id = _recipients(shape.recipients, f"{at}.recipients")
    return PastMessage(
        channel_id=shape.channel_id or channel_id,
        content=shape.content,
        sender=shape.sender,
        subtype=shape.subtype,
        timestamp=shape.timestamp,
        msg_id=shape.message_id,
        recipients=recipients,
        group_id=group_id,
    )


def _recipients(value: object, at: str) -> tuple[tuple[UserId, ...], GroupId | None]:
    if value is None or value == TO_SERVICE:
        return (), None
    if isinstance(value, str):
        return (), GroupId(value)
    return structure(value, tuple[UserId, ...], what="history", at=at), None
