"""What may be given as recipients, sender and content, and what it means. No sending here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from moobius_trio.types import Character, Content, Playground, UserId

__all__ = ("Recipients", "Speaker", "as_canvas", "as_content", "as_recipients", "as_sender")

Speaker: TypeAlias = UserId | Character
"""Who speaks: an id, or the character itself."""

Recipients: TypeAlias = (
    UserId | Character | Iterable[UserId] | Iterable[Character] | Iterable[UserId | Character]
)
"""An id, a character, or any iterable of them; of a mapping the keys count."""


def as_recipients(recipients: Recipients) -> tuple[UserId, ...]:
    """The ids, in order, each once.

    Raises:
        TypeError: something in it is neither an id nor a character.
    """
    if isinstance(recipients, str):
        return (recipients,)
    if isinstance(recipients, Character):
        return (recipients.user_id,)
    if isinstance(recipients, bytes) or not isinstance(recipients, Iterable):
        raise TypeError(
            f"recipients are user ids, characters or an iterable of them, not {recipients!r}"
        )
    return tuple(dict.fromkeys(as_sender(one) for one in recipients))


def as_sender(sender: Speaker) -> UserId:
    """The id of whoever is meant.

    Raises:
        TypeError: it is neither an id nor a character.
    """
    if isinstance(sender, Character):
        return sender.user_id
    if isinstance(sender, str):
        return sender
    raise TypeError(f"expected a user id or a Character, not {sender!r}")


def as_content(content: Content | str | Mapping[str, object], subtype: str) -> Content:
    """A text stands for the text of a text message, and for the address of any other one.

    Raises:
        TypeError: it is neither a text nor a Content, or the subtype is no text: so it is with
            the arguments in the order of SDK 1.8.
    """
    if not isinstance(subtype, str):
        raise TypeError(
            f"subtype is a text such as 'text' or 'image', not {subtype!r}; the band comes first: "
            "create_message(channel_id, content, recipients, subtype, sender)"
        )
    if isinstance(content, Content):
        return content
    if isinstance(content, str):
        return Content(text=content) if subtype == "text" else Content(path=content)
    raise TypeError(
        f"content is a text or a Content, not {content!r}; "
        "instead of {'text': …} give the text, instead of {'path': …} Content(path=…)"
    )


def as_canvas(items: Iterable[Playground]) -> tuple[Playground, ...]:
    """The items of a stage, in order, at least one: an empty one stands for none.

    Raises:
        TypeError: they are no iterable; what is wrong with an item its update says.
    """
    if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable):
        raise TypeError(
            f"expected a Playground or several, not {items!r}; write Playground(path=…, text=…)"
        )
    return tuple(items) or (Playground(),)
