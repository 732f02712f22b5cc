"""Reading an ``update``: which of its six forms a frame has, then its body.

Only the reading; they are written by ``plain`` and the ``generation0`` modules. Facts:
docs/protocol/generation-0.md section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from moobius_trio.codec.converter import structure
from moobius_trio.codec.frames import body_of
from moobius_trio.codec.plain import ListUpdate
from moobius_trio.codec.shapes import JsonObject
from moobius_trio.codec.tags import (
    CHANNEL_INFO,
    UPDATE,
    UPDATE_FEATURES,
    UPDATE_MENU,
    UPDATE_PLAYGROUND,
    UPDATE_STYLE,
    UPDATE_USER_LIST,
)
from moobius_trio.types import (
    GenericUpdate,
    Update,
    UpdateChannelInfo,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
)

__all__ = ("decode_update",)

_UPDATES: Final[Mapping[object, type[ListUpdate]]] = MappingProxyType(
    {
        UPDATE_USER_LIST: UpdateUserList,
        UPDATE_FEATURES: UpdateFeatures,
        UPDATE_MENU: UpdateMenu,
        UPDATE_PLAYGROUND: UpdatePlayground,
        UPDATE_STYLE: UpdateStyle,
    }
)


def decode_update(frame: dict[str, object], *, as_user: bool = False) -> Update:
    """The update that a frame of that type is; one of an unknown subtype is generic.

    Args:
        as_user: read it as a user's client is sent it: without recipients, and with rows that
            may carry the profile under ``context`` (section 3.4).

    Raises:
        MalformedPayload: the body is not what its subtype needs.
    """
    if frame.get("subtype") == CHANNEL_INFO:
        return structure(frame, UpdateChannelInfo, what=CHANNEL_INFO)
    body = structure(body_of(frame, UPDATE), JsonObject, what=UPDATE, at="body")
    subtype = body.get("subtype")
    kind = _UPDATES.get(subtype) if isinstance(subtype, str) else None
    if kind is None:
        return GenericUpdate(data=body)
    given = _as_of_a_service(body) if as_user else body
    return structure(given, kind, what=f"{UPDATE} {subtype}", at="body")


def _as_of_a_service(body: JsonObject) -> dict[str, object]:
    """A user's update as the service wrote it, as far as that can be told."""
    given: dict[str, object] = {"recipients": [], **body}
    rows = given.get("userlist")
    if isinstance(rows, list):
        given["userlist"] = [_with_user_context(row) for row in rows]
    return given


def _with_user_context(row: object) -> object:
    if isinstance(row, dict) and "user_context" not in row and "context" in row:
        return {**row, "user_context": row["context"]}
    return row
