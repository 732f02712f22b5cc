"""Generation 0 over HTTP, the server's side: what clients post, and what they are replied.

Bodies only: no path, no header and no rule of the platform. Facts:
docs/protocol/generation-0.md section 2. A ``decode_…`` raises ``MalformedPayload`` for a body
that is not of the shape that section 2.2 says; a ``…_data`` gives what ``encode_reply`` wraps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import attrs

from moobius_trio.codec.converter import structure
from moobius_trio.codec.plain import character_object, profile_object
from moobius_trio.codec.shapes import ProfileShape
from moobius_trio.codec.text import parse_object
from moobius_trio.types import (
    ChannelId,
    Character,
    GroupId,
    Secret,
    ServiceId,
    ServiceInfo,
    Tokens,
    UploadTarget,
    UserId,
)

__all__ = (
    "Binding",
    "CreateCharacter",
    "CreateGroup",
    "RefreshRequest",
    "SignIn",
    "character_data",
    "characters_data",
    "decode_binding",
    "decode_create_character",
    "decode_create_group",
    "decode_create_service",
    "decode_fetch_profile",
    "decode_refresh",
    "decode_sign_in",
    "group_data",
    "profile_data",
    "service_id_data",
    "services_data",
    "tokens_data",
    "upload_target_data",
    "user_info_data",
    "user_list_data",
)

T = TypeVar("T")


@attrs.frozen
class SignIn:
    """The body of ``POST /auth/sign_in``."""

    email: str
    password: Secret


@attrs.frozen
class RefreshRequest:
    """The body of ``POST /auth/refresh``."""

    email: str
    refresh: Secret


@attrs.frozen
class Binding:
    """The body of ``POST /service/bind`` and of ``POST /service/unbind``."""

    service_id: ServiceId
    channel_id: ChannelId


@attrs.frozen
class CreateCharacter:
    """The body of ``POST /service/user/create``."""

    service_id: ServiceId
    username: str
    nickname: str
    avatar: str
    description: str


@attrs.frozen
class CreateGroup:
    """The body of ``POST /service/group/create``."""

    group_id: GroupId
    user_ids: tuple[UserId, ...]


@attrs.define(repr=False)
class _SignInBody:
    username: str
    password: str


@attrs.define(repr=False)
class _RefreshBody:
    username: str
    refresh_token: str


@attrs.define
class _CreateServiceBody:
    description: str


@attrs.define
class _FetchProfileBody:
    userlist: tuple[UserId, ...]


@attrs.define
class _CreateCharacterBody:
    service_id: ServiceId
    username: str
    context: ProfileShape


@attrs.define
class _CreateGroupBody:
    group_id: GroupId
    members: tuple[UserId, ...]


def _read(body: bytes, kind: type[T], what: str) -> T:
    return structure(parse_object(body, what), kind, what=what)


def decode_sign_in(body: bytes) -> SignIn:
    """E-mail and password."""
    shape = _read(body, _SignInBody, "sign-in")
    return SignIn(shape.username, Secret(shape.password))


def decode_refresh(body: bytes) -> RefreshRequest:
    """E-mail and refresh token."""
    shape = _read(body, _RefreshBody, "refresh")
    return RefreshRequest(shape.username, Secret(shape.refresh_token))


def decode_create_service(body: bytes) -> str:
    """The new service's description."""
    return _read(body, _CreateServiceBody, "service").description


def decode_binding(body: bytes) -> Binding:
    """Which service and which band."""
    return _read(body, Binding, "binding")


def decode_fetch_profile(body: bytes) -> tuple[UserId, ...]:
    """Whose profiles; clients ask for one at a time."""
    return _read(body, _FetchProfileBody, "profile request").userlist


def decode_create_character(body: bytes) -> CreateCharacter:
    """A figure that a service makes."""
    shape = _read(body, _CreateCharacterBody, "character")
    profile = shape.context
    return CreateCharacter(
        service_id=shape.service_id,
        username=shape.username,
        nickname=profile.nickname,
        avatar=profile.avatar,
        description=profile.description,
    )


def decode_create_group(body: bytes) -> CreateGroup:
    """A group and who is in it."""
    shape = _read(body, _CreateGroupBody, "group")
    return CreateGroup(shape.group_id, shape.members)


def tokens_data(tokens: Tokens) -> object:
    """The reply to a sign-in; to a refresh without a refresh token."""
    result = {"AccessToken": tokens.access.reveal()}
    if tokens.refresh is not None:
        result["RefreshToken"] = tokens.refresh.reveal()
    return {"AuthenticationResult": result}


def services_data(services: Iterable[ServiceInfo]) -> object:
    """The reply to ``/service/list``."""
    return [{"service_id": each.service_id, "channel_ids": each.channel_ids} for each in services]


def service_id_data(service_id: ServiceId) -> object:
    """The reply to ``/service/create``."""
    return {"service_id": service_id}


def user_list_data(characters: Iterable[Character]) -> object:
    """The reply to ``/channel/userlist``: an object with the list in it."""
    return {"userlist": characters_data(characters)}


def characters_data(characters: Iterable[Character]) -> object:
    """The reply to ``/service/user/list``: the list itself."""
    return [character_object(each) for each in characters]


def character_data(character: Character) -> object:
    """The reply to ``/service/user/create`` and ``/user/group``."""
    return character_object(character)


def profile_data(character: Character) -> object:
    """The reply to ``/user/fetch_profile``: an object with the profile under the user's id."""
    profile = {"username": character.username, "user_context": profile_object(character)}
    return {character.user_id: profile}


def group_data(group_id: GroupId) -> object:
    """The reply to ``/service/group/create``: a bare text, as was seen live."""
    return group_id


def upload_target_data(target: UploadTarget) -> object:
    """The reply to ``/file/upload``."""
    return {"url": target.url, "fields": target.fields}


def user_info_data(user_id: UserId) -> object:
    """The reply to ``/user/info``."""
    return {"sub": user_id}
