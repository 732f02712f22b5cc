"""Generation 0 over HTTP, the client's side: what is posted, and what a good reply holds.

Bodies only: no path, no header and no request. Facts: docs/protocol/generation-0.md section 2.
A ``decode_…`` is given the ``data`` that ``decode_reply`` returned and raises
``MalformedPayload`` when it is not of the shape that section 2.2 says.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

import attrs

from moobius_trio.codec.converter import structure
from moobius_trio.codec.envelope import SUCCESS, read_envelope
from moobius_trio.codec.shapes import ProfileShape
from moobius_trio.codec.text import MAX_REPLY_BYTES, dump
from moobius_trio.errors import MalformedPayload
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
    "decode_character",
    "decode_characters",
    "decode_group",
    "decode_profile",
    "decode_reply",
    "decode_service_id",
    "decode_services",
    "decode_tokens",
    "decode_upload_target",
    "decode_user_info",
    "decode_user_list",
    "encode_binding",
    "encode_create_character",
    "encode_create_group",
    "encode_create_service",
    "encode_fetch_profile",
    "encode_refresh",
    "encode_sign_in",
    "upload_address",
)


@attrs.define(eq=False, repr=False)
class _Authentication:
    AccessToken: str
    RefreshToken: str | None = None


@attrs.define(eq=False, repr=False)
class _AuthenticationData:
    AuthenticationResult: _Authentication


@attrs.define(eq=False, repr=False)
class _Service:
    service_id: ServiceId
    channel_ids: tuple[ChannelId, ...]


@attrs.define(eq=False, repr=False)
class _ServiceIdData:
    service_id: ServiceId


@attrs.define(eq=False, repr=False)
class _UserListData:
    userlist: tuple[Character, ...]


@attrs.define(eq=False, repr=False)
class _Profile:
    user_context: ProfileShape
    username: str | None = None


@attrs.define(eq=False, repr=False)
class _GroupData:
    group_id: GroupId


@attrs.define(eq=False, repr=False)
class _UploadData:
    url: str
    fields: dict[str, str]


@attrs.define(eq=False, repr=False)
class _UserInfoData:
    sub: UserId


def _bytes(body: dict[str, object]) -> bytes:
    return dump(body).encode()


def encode_sign_in(email: str, password: Secret) -> bytes:
    """The body of ``POST /auth/sign_in``."""
    return _bytes({"username": email, "password": password.reveal()})


def encode_refresh(email: str, refresh: Secret) -> bytes:
    """The body of ``POST /auth/refresh``."""
    return _bytes({"username": email, "refresh_token": refresh.reveal()})


def encode_create_service(description: str) -> bytes:
    """The body of ``POST /service/create``."""
    return _bytes({"description": description})


def encode_binding(service_id: ServiceId, channel_id: ChannelId) -> bytes:
    """The body of ``POST /service/bind`` and of ``POST /service/unbind``."""
    return _bytes({"channel_id": channel_id, "service_id": service_id})


def encode_fetch_profile(user_id: UserId) -> bytes:
    """The body of ``POST /user/fetch_profile``: a list of one."""
    return _bytes({"userlist": [user_id]})


def encode_create_character(
    service_id: ServiceId, username: str, nickname: str, avatar: str, description: str
) -> bytes:
    """The body of ``POST /service/user/create``: its profile has another key than in replies."""
    profile = {"nickname": nickname, "avatar": avatar, "description": description}
    return _bytes({"service_id": service_id, "username": username, "context": profile})


def encode_create_group(group_id: GroupId, user_ids: Iterable[UserId]) -> bytes:
    """The body of ``POST /service/group/create``."""
    return _bytes({"group_id": group_id, "members": list(user_ids)})


def decode_reply(
    content: bytes, *, path: str, status: int, max_bytes: int = MAX_REPLY_BYTES
) -> object:
    """The ``data`` of a reply's envelope, as ``read_envelope``; only 10000 is success.

    Raises:
        ApiError: the envelope says failure, or there is no envelope: not JSON, no ``code``.
    """
    return read_envelope(content, path=path, status=status, success=(SUCCESS,), max_bytes=max_bytes)


def decode_tokens(data: object) -> Tokens:
    """The tokens of a sign-in; of a refresh without a refresh token."""
    shape = structure(data, _AuthenticationData, what="tokens", at="data").AuthenticationResult
    refresh = None if shape.RefreshToken is None else Secret(shape.RefreshToken)
    return Tokens(access=Secret(shape.AccessToken), refresh=refresh)


def decode_services(data: object) -> tuple[ServiceInfo, ...]:
    """The account's services, in the order of the platform."""
    rows = structure(data, tuple[_Service, ...], what="service list", at="data")
    return tuple(
        ServiceInfo(service_id=row.service_id, channel_ids=row.channel_ids) for row in rows
    )


def decode_service_id(data: object) -> ServiceId:
    """The id of a service just created."""
    return structure(data, _ServiceIdData, what="service", at="data").service_id


def decode_user_list(data: object) -> tuple[Character, ...]:
    """The members of a band: an object with the list in it."""
    return structure(data, _UserListData, what="user list", at="data").userlist


def decode_characters(data: object) -> tuple[Character, ...]:
    """The characters of a service: the list itself."""
    return structure(data, tuple[Character, ...], what="characters", at="data")


def decode_character(data: object) -> Character:
    """One character."""
    return structure(data, Character, what="character", at="data")


def decode_profile(data: object, user_id: UserId) -> Character:
    """One user's profile out of the object that has it under the user's id."""
    profiles = structure(data, dict[str, object], what="profile", at="data")
    if user_id not in profiles:
        raise MalformedPayload("profile", [f"required field missing @ data.{user_id}"])
    profile = structure(profiles[user_id], _Profile, what="profile", at=f"data.{user_id}")
    return profile.user_context.character(user_id, profile.username)


def decode_group(data: object) -> GroupId:
    """A group's id: a bare text was seen live, an object is what the original wanted."""
    if isinstance(data, str):
        return GroupId(data)
    return structure(data, _GroupData, what="group", at="data").group_id


def decode_upload_target(data: object) -> UploadTarget:
    """Where to post a file; ``fields`` keeps its order and has at least ``key``."""
    shape = structure(data, _UploadData, what="upload target", at="data")
    if "key" not in shape.fields:  # the uploaded file's address ends with it (section 2.3)
        raise MalformedPayload("upload target", ["required field missing @ data.fields.key"])
    return UploadTarget(url=shape.url, fields=MappingProxyType(shape.fields))


def upload_address(target: UploadTarget) -> str:
    """Where a file posted to ``target`` is found afterwards: both texts joined (section 2.3)."""
    if "key" not in target.fields:
        raise MalformedPayload("upload target", ["required field missing @ fields.key"])
    return target.url + target.fields["key"]


def decode_user_info(data: object) -> UserId:
    """The id of the account's own user (section 3.4)."""
    return structure(data, _UserInfoData, what="user info", at="data").sub
