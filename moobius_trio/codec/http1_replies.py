"""Generation 1 over HTTP, the server's side: what clients are replied.

A ``…_data`` gives what ``encode_reply`` wraps. No path, no header and no rule of the platform; the
requests are in ``http1_requests``. What generation 0 has in the same form is written by
``http0_server``. Facts: docs/protocol/generation-1.md section 2.
"""

from __future__ import annotations

from collections.abc import Iterable

from moobius_trio.codec.http0_server import character_data
from moobius_trio.codec.plain import content_object
from moobius_trio.codec.tags import TO_SERVICE
from moobius_trio.types import (
    ChannelId,
    ChannelInfo,
    Character,
    Group,
    GroupId,
    PastMessage,
    UserId,
    UserInfo,
)

__all__ = (
    "agent_data",
    "channel_group_data",
    "channel_id_data",
    "channels_data",
    "groups_data",
    "history_data",
    "member_ids_data",
    "members_data",
    "profiles_data",
    "user_group_data",
    "user_info_data",
)


def _profile_object(name: str, avatar: str, description: str) -> dict[str, object]:
    return {"name": name, "avatar": avatar, "description": description}


def _agent_object(character: Character) -> dict[str, object]:
    profile = _profile_object(character.nickname, character.avatar, character.description)
    if character.username:  # a key of ours, which clients of this generation keep unread
        profile["username"] = character.username
    return {"character_id": character.user_id, "character_context": profile}


def agent_data(character: Character) -> object:
    """The reply to ``/service/character/create``."""
    return _agent_object(character)


def profiles_data(characters: Iterable[Character]) -> object:
    """The reply to ``/character/fetch_profile``, in the order asked for, and to
    ``/service/character/list``."""
    return [_agent_object(each) for each in characters]


def member_ids_data(user_ids: Iterable[UserId]) -> object:
    """The reply to ``/channel/character_list``."""
    return {"character_list": list(user_ids)}


def user_info_data(info: UserInfo) -> object:
    """The reply to ``GET /user/info``; ``sub`` is where generation 0 reads the id."""
    return {
        "context": _profile_object(info.name, info.avatar, info.description),
        "email": info.email,
        "email_verified": "true" if info.email_verified else "false",
        "user_id": info.user_id,
        "sub": info.user_id,
        "system_context": {},
    }


def channel_id_data(channel_id: ChannelId) -> object:
    """The reply to ``/channel/create``."""
    return {"channel_id": channel_id}


def channels_data(channels: Iterable[ChannelInfo]) -> object:
    """The reply to ``/channel/list`` and ``/channel/popular``: objects, which both readers take."""
    return [
        {
            "channel_id": each.channel_id,
            "channel_name": each.channel_name,
            "channel_type": each.channel_type,
            "context": {
                "channel_description": each.channel_description,
                "channel_type": each.channel_type,
            },
        }
        for each in channels
    ]


def channel_group_data(group_id: GroupId) -> object:
    """The reply to ``/user/group/create``. That to ``/service/group/create`` is a bare text."""
    return {"group_id": group_id}


def groups_data(groups: Iterable[Group]) -> object:
    """The reply to ``/user/group/list`` and ``/user/group/temp``."""
    return [{"group_id": each.group_id, "characters": each.members} for each in groups]


def members_data(user_ids: Iterable[UserId]) -> object:
    """The reply to ``/service/group``, in order."""
    return {"characters": list(user_ids)}


def user_group_data(user_ids: Iterable[UserId], profile: Character | None) -> object:
    """The reply to ``/user/group``, which is one path with two meanings: who is in the group, and
    for generation 0 the profile of the member asked for."""
    data: dict[str, object] = {"characters": list(user_ids)}
    asked = None if profile is None else character_data(profile)
    return asked | data if isinstance(asked, dict) else data


def history_data(messages: Iterable[PastMessage]) -> object:
    """The reply to ``/channel/history_message``: the bodies of the messages (section 3.4). Its
    shape is not in the sources."""
    return [_past_object(each) for each in messages]


def _past_object(message: PastMessage) -> dict[str, object]:
    return {
        "subtype": message.subtype,
        "channel_id": message.channel_id,
        "content": content_object(message.content),
        "timestamp": message.timestamp,
        "recipients": message.group_id or list(message.recipients) or TO_SERVICE,
        "sender": message.sender,
        "message_id": message.msg_id,
        "context": {},
    }
