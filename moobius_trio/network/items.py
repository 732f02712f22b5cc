"""A frame on its way through the outbox, and how a command becomes one or several of them.

No queue, no socket and no clock here: id and time are parameters.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final, Generic, Protocol, TypeAlias, cast

import attrs
from typing_extensions import TypeVar

from moobius_trio.errors import MessageTooLarge
from moobius_trio.network.receipts import Receipt
from moobius_trio.network.reports import Hold, WrittenFrame
from moobius_trio.types import (
    ChannelId,
    MessageDown,
    Ping,
    RequestId,
    ServiceCommand,
    ServiceFrame,
    ServiceId,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
    UserId,
)

__all__ = (
    "ADDRESSED",
    "ClientId",
    "Item",
    "ItemSet",
    "ServiceWire",
    "Side",
    "items_of",
    "service_side",
    "size_of",
    "state_key",
)

ClientId: TypeAlias = ServiceId | UserId
"""Who holds the connection: a service, or in user mode a user."""

C = TypeVar("C", default=ServiceCommand)
E = TypeVar("E", default=ServiceFrame)
C_contra = TypeVar("C_contra", contravariant=True)

Addressed: TypeAlias = (
    MessageDown | UpdateUserList | UpdateFeatures | UpdatePlayground | UpdateStyle | UpdateMenu
)
ADDRESSED: Final = (
    MessageDown,
    UpdateUserList,
    UpdateFeatures,
    UpdatePlayground,
    UpdateStyle,
    UpdateMenu,
)
"""Whatever has recipients."""


class ServiceWire(Protocol):
    """A generation of the protocol, as a service speaks it: ``codec.generation0`` is one, and
    `Generation1Wire`."""

    def decode_for_service(self, text: str | bytes, /) -> ServiceFrame:
        """Raises ``MalformedPayload`` and nothing else."""
        ...

    def encode_from_service(
        self,
        command: ServiceCommand,
        /,
        *,
        request_id: RequestId,
        client_id: ServiceId,
        timestamp: int,
    ) -> str: ...

    def origin_type(self, value: ServiceCommand, /) -> str:
        """The word by which a copy names the frame it answers."""
        ...


class Encode(Protocol[C_contra]):
    """From a command to the text of its frame."""

    def __call__(
        self,
        command: C_contra | Ping,
        /,
        *,
        request_id: RequestId,
        client_id: Any,  # of the kind that this side has
        timestamp: int,
    ) -> str: ...


@attrs.frozen(kw_only=True)
class Side(Generic[C, E]):
    """What link and outbox need of a wire: one side of it, a service's or a user's.

    ``C`` is what that side sends, ``E`` what it is sent.
    """

    decode: Callable[[str], E]
    """Raises ``MalformedPayload`` and nothing else."""
    encode: Encode[C]
    origin_type: Callable[[C | Ping], str]
    """The word by which a copy names the frame it answers."""
    prepare: Callable[[C], Awaitable[None]] | None = None
    """Awaited before a command is encoded, where the platform has to name a group for its
    recipients (generation 1). Such a frame has no list, so it is never split, and one for nobody
    cannot be written. None: frames list their recipients."""
    is_prepared: Callable[[C], bool] = lambda command: False
    """Whether there is nothing to ask for, so that ``prepare`` would return at once."""
    on_refused: Callable[[], None] = lambda: None
    """Called when the platform has refused a frame for good: what was prepared may not hold any
    more. Must not raise."""


def service_side(wire: ServiceWire) -> Side[ServiceCommand, ServiceFrame]:
    """The wire as a service speaks it."""
    return Side(
        decode=wire.decode_for_service,
        encode=wire.encode_from_service,
        origin_type=wire.origin_type,
    )


@attrs.define(eq=False)
class Item:
    """One encoded frame, its receipt, and where it is."""

    request_id: RequestId
    text: str
    size: int
    """Bytes on the wire."""
    state_key: Hashable | None
    """What a newer frame must share to replace this one; None for what is never replaced."""
    receipt: Receipt
    channel_id: ChannelId | None
    unit: int | None
    """The unit of work that sent it."""
    waits: int = 0
    """Holds that are not over yet, an open transaction among them."""
    sequence: int = 0
    """Of a state: its place among them in the order of ``put``."""
    place: int = 0
    """Its place in the order of becoming ready, which is the order of writing."""
    home: ItemSet | None = None
    """The set of those not written that holds it now."""
    written_at: float = 0.0
    """When its last write began, by trio's clock."""
    heard: int | None = None
    """The stream's sign of life when its answer became late."""
    outdated: bool = False
    """True when a newer state of the same thing has been written."""
    refused: bool = False
    """True when the platform has said no to it once."""
    perhaps_taken: bool = False
    """True when a connection ended before its answer: what it says of later writes is not all."""
    ended: bool = False

    def as_written(self) -> WrittenFrame:
        """What the trace is told."""
        return WrittenFrame(
            text=self.text,
            request_id=self.request_id,
            channel_id=self.channel_id,
            unit=self.unit,
        )


ItemSet: TypeAlias = OrderedDict[Item, None]
"""Items in order, any of which can be taken out at once."""


def size_of(text: str) -> int:
    """Bytes of the text on the wire."""
    return len(text) if text.isascii() else len(text.encode())


def state_key(command: object) -> Hashable | None:
    """What makes two updates states of the same thing (docs/architecture.md section 5).

    Channel, kind and recipients in order; for a style its set of targets too. None for messages,
    channel info and generic updates: each of those counts.
    """
    match command:
        case MessageDown():  # first: it is by far the most frequent
            return None
        case UpdateStyle():
            targets = frozenset((item.widget, item.feature_id) for item in command.style)
            return (UpdateStyle, command.channel_id, command.recipients, targets)
        case UpdateUserList() | UpdateFeatures() | UpdatePlayground() | UpdateMenu():
            return (type(command), command.channel_id, command.recipients)
        case _:
            return None


def items_of(
    command: C,
    encode: Callable[[C], tuple[RequestId, str]],
    limit: int,
    *,
    listed: bool = True,
    unit: int | None = None,
    transaction: Hold | None = None,
) -> list[Item]:
    """The command as frames of at most ``limit`` bytes each, under one receipt.

    Several only where the list of recipients is what makes it too large; each then goes to a
    part of them, in order. ``listed``: whether the frame has such a list at all.

    Raises:
        MessageTooLarge: it would not fit even for a single recipient.
    """
    request_id, text = encode(command)
    size = size_of(text)
    if size <= limit:
        key = None if isinstance(command, MessageDown) else state_key(command)
        receipt = Receipt(request_id, 1, transaction)
        channel_id: ChannelId | None = getattr(command, "channel_id", None)
        return [Item(request_id, text, size, key, receipt, channel_id, unit)]
    if not listed or not isinstance(command, ADDRESSED) or len(command.recipients) < 2:
        raise MessageTooLarge(size, limit)
    _check_fits_one(command, encode, limit)
    items: list[Item] = []
    for half in _halves(command):
        one = cast("C", half)  # what is addressed is a command of this kind
        items += items_of(one, encode, limit, unit=unit, transaction=transaction)
    receipt = Receipt(items[0].request_id, len(items), transaction)
    for item in items:
        item.receipt = receipt
    return items


def _check_fits_one(
    command: Addressed, encode: Callable[[Any], tuple[RequestId, str]], limit: int
) -> None:
    """Say so at once if splitting cannot help, instead of splitting down to the last one."""
    longest = max(command.recipients, key=len)
    size = size_of(encode(attrs.evolve(command, recipients=(longest,)))[1])
    if size > limit:
        raise MessageTooLarge(size, limit)


def _halves(command: Addressed) -> tuple[Addressed, Addressed]:
    middle = len(command.recipients) // 2
    return (
        attrs.evolve(command, recipients=command.recipients[:middle]),
        attrs.evolve(command, recipients=command.recipients[middle:]),
    )
