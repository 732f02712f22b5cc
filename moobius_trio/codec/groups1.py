"""Recipients of generation 1: a group's id, or the word for the Service.

How ids and lists belong together is asked of the caller; nothing is remembered here. Facts:
docs/protocol/generation-1.md sections 3.4, 3.5 and 8.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from moobius_trio.codec.converter import structure
from moobius_trio.codec.tags import TO_SERVICE
from moobius_trio.errors import MalformedPayload
from moobius_trio.types import GroupId, UserId

__all__ = (
    "GroupOf",
    "MembersOf",
    "as_recipients",
    "members_in",
    "read_recipients",
    "recipients_from_user",
    "recipients_in",
)

GroupOf: TypeAlias = Callable[[tuple[UserId, ...]], GroupId]
"""The id of the group of these, in this order. Raises LookupError when it cannot say."""

MembersOf: TypeAlias = Callable[[GroupId], tuple[UserId, ...] | None]
"""Who is in a group, in order; None when there is no such group."""

_MOST_SHOWN = 80


def as_recipients(members: tuple[UserId, ...]) -> tuple[UserId, ...]:
    """A group's members as recipients: one of the Service alone means the Service, so nobody.

    The published client makes such a group of the word (section 3.5).
    """
    return () if members == (UserId(TO_SERVICE),) else members


def read_recipients(body: object, what: str) -> GroupId | tuple[UserId, ...]:
    """The recipients that stand in a body: a group's id, or who they are where that is said.

    A list is taken as generation 0 means it.

    Raises:
        MalformedPayload: there are none, or they are neither a text nor a list of texts.
    """
    if type(body) is not dict or "recipients" not in body:
        raise MalformedPayload(what, ["required field missing @ body.recipients"])
    given = body["recipients"]
    if type(given) is list:
        listed = structure(given, tuple[UserId, ...], what=what, at="body.recipients")
        return as_recipients(listed)
    group_id = structure(given, GroupId, what=what, at="body.recipients")
    return () if group_id == TO_SERVICE else group_id


def recipients_in(body: object, what: str, members_of: MembersOf) -> tuple[UserId, ...]:
    """The recipients that stand in a service's frame, looked up.

    Raises:
        MalformedPayload: there are none, or nobody knows the group.
    """
    given = read_recipients(body, what)
    if isinstance(given, tuple):
        return given
    return as_recipients(members_in(given, what, "recipients", members_of))


def recipients_from_user(body: object, what: str, members_of: MembersOf) -> tuple[UserId, ...]:
    """The same of a user's message, in which no recipients mean the Service.

    Raises:
        MalformedPayload: as ``recipients_in``, or the group is one of nobody: a word to nobody
            must not become one to the Service (section 7).
    """
    given = read_recipients(body, what)
    if isinstance(given, tuple):
        return given
    members = members_in(given, what, "recipients", members_of)
    if not members:
        raise MalformedPayload(what, ["the group has no members @ body.recipients"])
    return as_recipients(members)


def members_in(group_id: GroupId, what: str, at: str, members_of: MembersOf) -> tuple[UserId, ...]:
    """Who is in a group that a frame names.

    Raises:
        MalformedPayload: nobody knows it.
    """
    members = members_of(group_id)
    if members is None:
        fault = f"the group {group_id[:_MOST_SHOWN]!r} is unknown @ body.{at}"
        raise MalformedPayload(what, [fault])
    return members
