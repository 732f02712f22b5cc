"""What is said: messages up from users, messages down to users, and what they contain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Never

import attrs

from moobius_trio.types.ids import NO_SENDER, ChannelId, GroupId, MessageId, UserId, as_user_ids
from moobius_trio.types.values import JsonValue, OldName, as_mapping, empty_mapping

__all__ = ("Content", "MessageDown", "MessageUp", "PastMessage")


@attrs.frozen(kw_only=True)
class Content:
    """What a message says: a text, the address of a picture, sound or file, or a card.

    ``extra`` holds whatever else the wire object had, read-only; it is sent on unchanged. The
    further words of docs/protocol/generation-1.md section 4 are read from it by name.
    """

    text: str | None = None
    path: str | None = None
    extra: Mapping[str, JsonValue] = attrs.field(
        default=empty_mapping(), converter=as_mapping, hash=False
    )

    @classmethod
    def file(cls, path: str, *, filename: str = "", size: int | None = None) -> Content:
        """What a picture, sound or file is: its address, the name to show, its size in bytes."""
        extra: dict[str, JsonValue] = {}
        if filename:
            extra["filename"] = filename
        if size is not None:
            extra["size"] = size
        return cls(path=path, extra=extra)

    @classmethod
    def card(cls, *, title: str, text: str, link: str, button: str = "Open") -> Content:
        """A card: a title, a text, and a button that leads to an address."""
        return cls(text=text, extra={"title": title, "link": link, "button": button})

    def _extra_text(self, key: str) -> str | None:
        value = self.extra.get(key)
        return value if isinstance(value, str) else None

    @property
    def filename(self) -> str | None:
        """The name that a file has for people; None when it is not said. Never a path to use."""
        return self._extra_text("filename")

    @property
    def size(self) -> int | None:
        """The bytes that a file is said to have."""
        value = self.extra.get("size")
        return value if type(value) is int else None

    @property
    def title(self) -> str | None:
        """The title of a card."""
        return self._extra_text("title")

    @property
    def link(self) -> str | None:
        """The address that a card's button leads to."""
        return self._extra_text("link")

    @property
    def button(self) -> str | None:
        """What stands on a card's button."""
        return self._extra_text("button")

    if not TYPE_CHECKING:  # for mypy it stays an error

        def __getitem__(self, key: object) -> Never:
            raise TypeError(
                f"a Content is no dict, so it has no [{key!r}]; "
                "write content.text, content.path or content.extra[…]"
            )


@attrs.frozen(kw_only=True)
class MessageUp:
    """A message that a user sent up (docs/protocol/generation-0.md section 3.3)."""

    channel_id: ChannelId
    sender: UserId
    content: Content = Content()
    recipients: tuple[UserId, ...] = attrs.field(default=(), converter=as_user_ids)
    """Whom the user picked, in order. Empty: the Service."""
    subtype: str = "text"
    """``text``, ``image``, ``audio``, ``file``, ``card`` or a word of the platform's."""
    timestamp: int = 0
    """Milliseconds since 1970, by the platform's clock."""
    msg_id: MessageId = MessageId("")

    @property
    def text(self) -> str | None:
        """The text; None when the message is no text."""
        return self.content.text if self.subtype == "text" else None

    @property
    def to_service(self) -> bool:
        """True when the user spoke to the Service (∞) and to nobody else."""
        return not self.recipients

    if not TYPE_CHECKING:  # for mypy an unknown attribute stays an error
        context = OldName("msg_up.sender and msg_up.recipients")
        message_id = OldName("msg_up.msg_id")


def _as_content(value: Content | str) -> Content:
    return Content(text=value) if isinstance(value, str) else value


@attrs.frozen(kw_only=True)
class MessageDown:
    """A message for users (docs/protocol/generation-0.md section 3.2)."""

    channel_id: ChannelId
    content: Content = attrs.field(converter=_as_content)
    recipients: tuple[UserId, ...] = attrs.field(default=(), converter=as_user_ids)
    sender: UserId = NO_SENDER
    subtype: str = "text"
    timestamp: int | None = None
    """Milliseconds since 1970. None until it is sent: the time of sending is filled in."""
    relayed: bool = False
    """True for an upward message turned round: it is written in the wire's second shape."""
    msg_id: MessageId = MessageId("")
    """What the platform calls it towards users (docs/protocol/generation-1.md section 3.4); a
    service leaves it empty."""

    @property
    def text(self) -> str | None:
        """The text; None when the message is no text."""
        return self.content.text if self.subtype == "text" else None


@attrs.frozen(kw_only=True)
class PastMessage:
    """A message of a band's history (docs/protocol/generation-1.md section 2.2 row 25)."""

    channel_id: ChannelId
    content: Content = Content()
    sender: UserId = NO_SENDER
    subtype: str = "text"
    timestamp: int = 0
    """Milliseconds since 1970, by the platform's clock."""
    msg_id: MessageId = MessageId("")
    recipients: tuple[UserId, ...] = attrs.field(default=(), converter=as_user_ids)
    """Whom it was for, where the platform lists them. Empty with no group: the Service."""
    group_id: GroupId | None = None
    """Whom it was for, where the platform names a group; ``fetch_group`` gives its members."""

    @property
    def text(self) -> str | None:
        """The text; None when the message is no text."""
        return self.content.text if self.subtype == "text" else None
