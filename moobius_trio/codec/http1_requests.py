"""Generation 1 over HTTP, the server's side: what clients post.

Bodies only: no path, no header and no rule of the platform; the replies are in ``http1_replies``.
What generation 0 has in the same form is read by ``http0_server``. Facts:
docs/protocol/generation-1.md section 2. A ``decode_…`` raises ``MalformedPayload`` for a body that
is not of the shape that section 2.2 says.
"""

from __future__ import annotations

from typing import TypeVar

import attrs

from moobius_trio.codec.converter import structure
from moobius_trio.codec.http0_server import CreateGroup
from moobius_trio.codec.text import parse_object
from moobius_trio.types import ChannelId, GroupId, Secret, ServiceId, UserId

__all__ = (
    "ConfirmSignUp",
    "CreateAgent",
    "CreateChannel",
    "CreateChannelGroup",
    "ResetPassword",
    "UpdateAgent",
    "UpdateChannel",
    "UpdateUser",
    "decode_confirm_sign_up",
    "decode_create_agent",
    "decode_create_channel",
    "decode_create_channel_group",
    "decode_create_group",
    "decode_fetch_profiles",
    "decode_history_before",
    "decode_reset_password",
    "decode_sign_out",
    "decode_update_agent",
    "decode_update_channel",
    "decode_update_user",
    "decode_username",
)

T = TypeVar("T")


@attrs.frozen
class ConfirmSignUp:
    """The body of ``POST /auth/confirm_sign_up``."""

    email: str
    code: Secret


@attrs.frozen
class ResetPassword:
    """The body of ``POST /auth/confirm_reset_password``."""

    email: str
    password: Secret
    code: Secret


@attrs.frozen
class UpdateUser:
    """The body of ``POST /user/info``: an account's new profile."""

    name: str
    avatar: str
    description: str


@attrs.frozen
class CreateAgent:
    """The body of ``POST /service/character/create``."""

    service_id: ServiceId
    name: str
    avatar: str
    description: str


@attrs.frozen
class UpdateAgent:
    """The body of ``POST /service/character/update``."""

    service_id: ServiceId
    character_id: UserId
    name: str
    avatar: str
    description: str


@attrs.frozen
class CreateChannel:
    """The body of ``POST /channel/create``."""

    name: str
    description: str


@attrs.frozen
class UpdateChannel:
    """The body of ``POST /channel/update``."""

    channel_id: ChannelId
    name: str
    description: str


@attrs.frozen
class CreateChannelGroup:
    """The body of ``POST /user/group/create``: recipients that a user picked."""

    channel_id: ChannelId
    name: str
    user_ids: tuple[UserId, ...]


@attrs.define
class _UsernameBody:
    username: str


@attrs.define(repr=False)
class _ConfirmSignUpBody:
    username: str
    confirmation_code: str


@attrs.define(repr=False)
class _ResetPasswordBody:
    username: str
    password: str
    confirmation_code: str


@attrs.define(repr=False)
class _SignOutBody:
    access_token: str


@attrs.define
class _FetchProfilesBody:
    character_list: tuple[UserId, ...]


@attrs.define
class _Profile:
    name: str
    avatar: str | None = None
    description: str | None = None


@attrs.define
class _CreateAgentBody:
    service_id: ServiceId
    context: _Profile


@attrs.define
class _UpdateAgentBody:
    service_id: ServiceId
    character_id: UserId
    context: _Profile


@attrs.define
class _ChannelContext:
    channel_description: str | None = None


@attrs.define
class _CreateChannelBody:
    channel_name: str
    context: _ChannelContext = attrs.field(factory=_ChannelContext)


@attrs.define
class _UpdateChannelBody:
    channel_id: ChannelId
    channel_name: str
    context: _ChannelContext = attrs.field(factory=_ChannelContext)


@attrs.define
class _CreateGroupBody:
    characters: tuple[UserId, ...]
    group_id: GroupId = GroupId("")


@attrs.define
class _CreateOldGroupBody:
    members: tuple[UserId, ...]
    group_id: GroupId = GroupId("")


@attrs.define
class _CreateChannelGroupBody:
    channel_id: ChannelId
    characters: tuple[UserId, ...]
    group_name: str = ""


def _read(body: bytes, kind: type[T], what: str) -> T:
    return structure(parse_object(body, what), kind, what=what)


def decode_username(body: bytes) -> str:
    """The e-mail alone: ``POST /auth/resend_confirmation`` and ``/auth/forgot_password``."""
    return _read(body, _UsernameBody, "account").username


def decode_confirm_sign_up(body: bytes) -> ConfirmSignUp:
    """E-mail and the code that was sent there."""
    shape = _read(body, _ConfirmSignUpBody, "confirmation")
    return ConfirmSignUp(shape.username, Secret(shape.confirmation_code))


def decode_reset_password(body: bytes) -> ResetPassword:
    """E-mail, the new password, and the code that was sent."""
    shape = _read(body, _ResetPasswordBody, "password reset")
    return ResetPassword(shape.username, Secret(shape.password), Secret(shape.confirmation_code))


def decode_sign_out(body: bytes) -> Secret:
    """The access token that ends."""
    return Secret(_read(body, _SignOutBody, "sign-out").access_token)


def decode_fetch_profiles(body: bytes) -> tuple[UserId, ...]:
    """Whose profiles; the reply keeps this order."""
    return _read(body, _FetchProfilesBody, "profile request").character_list


def decode_update_user(body: bytes) -> UpdateUser:
    """An account's new profile."""
    shape = _read(body, _Profile, "profile")
    return UpdateUser(shape.name, shape.avatar or "", shape.description or "")


def decode_create_agent(body: bytes) -> CreateAgent:
    """A figure that a service makes."""
    shape = _read(body, _CreateAgentBody, "agent")
    of = shape.context
    return CreateAgent(shape.service_id, of.name, of.avatar or "", of.description or "")


def decode_update_agent(body: bytes) -> UpdateAgent:
    """A figure's new profile."""
    shape = _read(body, _UpdateAgentBody, "agent")
    of = shape.context
    return UpdateAgent(
        shape.service_id, shape.character_id, of.name, of.avatar or "", of.description or ""
    )


def decode_create_channel(body: bytes) -> CreateChannel:
    """A new band's name and description."""
    shape = _read(body, _CreateChannelBody, "channel")
    return CreateChannel(shape.channel_name, shape.context.channel_description or "")


def decode_update_channel(body: bytes) -> UpdateChannel:
    """A band's new name and description."""
    shape = _read(body, _UpdateChannelBody, "channel")
    description = shape.context.channel_description or ""
    return UpdateChannel(shape.channel_id, shape.channel_name, description)


def decode_create_group(body: bytes) -> CreateGroup:
    """A group and who is in it: both generations post to ``/service/group/create``, under
    ``characters`` here and ``members`` there. A new group's id is empty."""
    data = parse_object(body, "group")
    if "members" in data and "characters" not in data:
        old = structure(data, _CreateOldGroupBody, what="group")
        return CreateGroup(old.group_id, old.members)
    shape = structure(data, _CreateGroupBody, what="group")
    return CreateGroup(shape.group_id, shape.characters)


def decode_create_channel_group(body: bytes) -> CreateChannelGroup:
    """A group that a user makes in a band, and who is in it."""
    shape = _read(body, _CreateChannelGroupBody, "group")
    return CreateChannelGroup(shape.channel_id, shape.group_name, shape.characters)


def decode_history_before(value: str | None) -> str | None:
    """The message before which history is wanted, out of the query; None: from the newest."""
    return None if value in (None, "", "null") else value
