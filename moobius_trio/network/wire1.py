"""Generation 1 as a service speaks it: the words of the codec, and groups in place of lists.

What a frame looks like is the codec's, which group stands for whom is the book's
(docs/protocol/generation-1.md section 3.5).
"""

from __future__ import annotations

import attrs
import structlog

from moobius_trio.codec import generation1_service
from moobius_trio.codec.groups1 import as_recipients
from moobius_trio.codec.losses1 import ProfileOf, losses
from moobius_trio.codec.tags1 import origin_type
from moobius_trio.errors import GroupUnknown
from moobius_trio.network.group_book import GroupBook
from moobius_trio.network.items import ADDRESSED, Side, service_side
from moobius_trio.types import (
    GroupMessage,
    MessageDown,
    MessageUp,
    RequestId,
    ServiceCommand,
    ServiceFrame,
    ServiceId,
    UpdateUserList,
    UserId,
)

__all__ = ("Generation1Wire",)

log = structlog.get_logger()


class Generation1Wire:
    """A `ServiceWire`. Before a command is encoded, `prepare` has to have returned for it.

    What the generation has no word for is left out, and told in the log once for each kind
    (docs/protocol/generation-1.md section 11).

    Args:
        profile_of: how everybody sees a character, which a character list cannot change; None:
            that it says something else is not noticed.
    """

    def __init__(self, book: GroupBook, *, profile_of: ProfileOf | None = None) -> None:
        self._book = book
        self._profile_of = profile_of
        self._told: set[str] = set()

    decode_for_service = staticmethod(generation1_service.decode_for_service)
    """What the platform told the service; of a message the recipients may be a group's id;
    raises ``MalformedPayload``: it is no frame."""

    def encode_from_service(
        self,
        command: ServiceCommand,
        /,
        *,
        request_id: RequestId,
        client_id: ServiceId,
        timestamp: int,
    ) -> str:
        """The frame with which a service sends the command.

        Raises:
            LookupError: it was not prepared.
        """
        if not isinstance(command, MessageDown) or command.content.extra:
            self._tell_losses(command)  # of what is by far the most frequent nothing can be lost
        return generation1_service.encode_from_service(
            command,
            request_id=request_id,
            client_id=client_id,
            timestamp=timestamp,
            group_of=self._book.id_of,
        )

    origin_type = staticmethod(origin_type)
    """The word by which a copy names the frame it answers."""

    def _tell_losses(self, command: ServiceCommand) -> None:
        """What generation 1 has no word for is told once for each kind of loss."""
        for loss in losses(command, self._profile_of):
            if loss not in self._told:
                self._told.add(loss)
                log.info("generation 1 has no word for a part of a frame", part=loss)

    def side(self) -> Side[ServiceCommand, ServiceFrame]:
        """What link and outbox need of it."""
        return attrs.evolve(
            service_side(self),
            prepare=self.prepare,
            is_prepared=self._is_prepared,
            on_refused=self._book.forget_lists,
        )

    def _is_prepared(self, command: ServiceCommand) -> bool:
        if isinstance(command, MessageDown):  # by far the most frequent
            return self._book.knows(command.recipients)
        return all(map(self._book.knows, _lists_in(command)))

    async def prepare(self, command: ServiceCommand) -> None:
        """Have the platform know every list of people in the command; see `GroupBook.ready`."""
        await self._book.ready(*_lists_in(command))

    async def resolve(self, event: GroupMessage) -> MessageUp:
        """The message with its recipients, asked for once for each group.

        Raises:
            GroupUnknown: the platform names nobody. It must not seem to be for the Service.
            MoobiusError: the platform could not be asked.
        """
        members = await self._book.members(event.group_id, event.channel_id, event.sender)
        if not members:
            raise GroupUnknown(event.group_id, event.channel_id, "the platform names nobody in it")
        return attrs.evolve(event.message, recipients=as_recipients(members))


def _lists_in(command: ServiceCommand) -> tuple[tuple[UserId, ...], ...]:
    """The lists of people that the platform has to know as groups."""
    if isinstance(command, UpdateUserList):
        return command.recipients, tuple(character.user_id for character in command.user_list)
    return (command.recipients,) if isinstance(command, ADDRESSED) else ()
