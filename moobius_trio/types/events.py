"""What reaches a service: requests of users, key presses, receipts, and what nobody knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from moobius_trio.types.ids import ChannelId, GroupId, MessageId, RequestId, UserId
from moobius_trio.types.messages import Content, MessageUp
from moobius_trio.types.values import (
    JsonValue,
    OldName,
    as_mapping,
    as_tuple,
    empty_mapping,
)

__all__ = (
    "CONFIRM",
    "Action",
    "Copy",
    "FeatureCall",
    "FeatureCallArgument",
    "GroupMessage",
    "MenuItemClick",
    "PlatformError",
    "ServiceEvent",
    "ServiceFrame",
    "UnknownPayload",
)


@attrs.frozen(kw_only=True)
class Action:
    """A request of a user's client (docs/protocol/generation-0.md section 3.3)."""

    subtype: str
    """``fetch_user_list``, ``fetch_features``, ``fetch_playground``, ``fetch_channel_info``,
    ``join_channel``, ``leave_channel``, ``refresh`` (generation 1: everything at once), or the
    platform's own word for anything else."""
    channel_id: ChannelId
    sender: UserId


@attrs.frozen(kw_only=True)
class FeatureCallArgument:
    """One filled-in field of a key's form."""

    name: str
    value: str | int
    filename: str | None = None
    """The file's name where the value is the address of a file."""


def _as_arguments(values: Iterable[FeatureCallArgument]) -> tuple[FeatureCallArgument, ...]:
    return as_tuple(values)


CONFIRM: Final = "confirm"
"""The button of a form that has none of its own (docs/protocol/generation-1.md section 4)."""


@attrs.frozen(kw_only=True)
class FeatureCall:
    """A key press."""

    feature_id: str
    channel_id: ChannelId
    sender: UserId
    arguments: tuple[FeatureCallArgument, ...] = attrs.field(default=(), converter=_as_arguments)
    bottom_button_id: str = CONFIRM
    """Which button of the form was pressed; ``confirm`` where there was no choice."""

    @property
    def values(self) -> dict[str, str | int]:
        """The filled-in fields: name to value. Of two with one name the last counts."""
        return {argument.name: argument.value for argument in self.arguments}

    if not TYPE_CHECKING:  # for mypy an unknown attribute stays an error
        button_id = OldName("feature_call.feature_id")


@attrs.frozen(kw_only=True)
class MenuItemClick:
    """Somebody chose an entry of a message's menu (docs/protocol/generation-1.md section 3.4)."""

    menu_item_id: str
    channel_id: ChannelId
    sender: UserId
    message_id: MessageId = MessageId("")
    """The message, as the platform names it; empty where the client does not say."""
    message_subtype: str = "text"
    message_content: Content = Content()
    """What the message says, as the client repeats it: do not trust it with secrets."""
    arguments: tuple[FeatureCallArgument, ...] = attrs.field(default=(), converter=_as_arguments)
    bottom_button_id: str = CONFIRM

    @property
    def values(self) -> dict[str, str | int]:
        """The filled-in fields: name to value. Of two with one name the last counts."""
        return {argument.name: argument.value for argument in self.arguments}


@attrs.frozen(kw_only=True)
class GroupMessage:
    """A message whose recipients are known by a group's id alone, and have to be looked up.

    It is no ``MessageUp`` yet: an empty list in one would say that the Service is meant
    (docs/protocol/generation-1.md section 3.5).
    """

    message: MessageUp
    """All but the recipients."""
    group_id: GroupId

    @property
    def channel_id(self) -> ChannelId:
        """The band it was said in."""
        return self.message.channel_id

    @property
    def sender(self) -> UserId:
        """Who said it."""
        return self.message.sender


@attrs.frozen(kw_only=True)
class Copy:
    """The platform's receipt for one of our frames. ``status`` False is a refusal."""

    request_id: RequestId
    origin_type: str
    status: bool
    context: Mapping[str, JsonValue] = attrs.field(
        factory=empty_mapping, converter=as_mapping, hash=False
    )

    @property
    def reason(self) -> str:
        """Why it was refused, as the platform words it; at most 200 characters."""
        message = self.context.get("message")
        return (message if isinstance(message, str) and message else str(dict(self.context)))[:200]


@attrs.frozen(kw_only=True)
class PlatformError:
    """A frame of the platform's host instead of one of the protocol: it has no type."""

    message: str
    connection_id: str | None = None
    request_id: RequestId | None = None


@attrs.frozen(kw_only=True)
class UnknownPayload:
    """A frame whose type this version does not know."""

    type: str
    frame: Mapping[str, JsonValue] = attrs.field(converter=as_mapping, hash=False)
    """The whole frame as it came, with its type."""


ServiceEvent: TypeAlias = (
    MessageUp | Action | FeatureCall | MenuItemClick | Copy | PlatformError | UnknownPayload
)
"""Everything a service's socket can bring."""

ServiceFrame: TypeAlias = ServiceEvent | GroupMessage
"""The same as the wire has it: the recipients of a message may have to be looked up first."""
