"""One band as its service sees it: who is in it, what is stored for it, and how to speak there.

Nothing else is public on a band, since its other attributes are the author's containers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from moobius_trio.core.members import Members
from moobius_trio.core.names import attribute_hint
from moobius_trio.core.recipients import Recipients, Speaker
from moobius_trio.errors import MovedError
from moobius_trio.types import (
    ChannelId,
    Character,
    Content,
    Feature,
    JsonValue,
    Playground,
    StyleItem,
    UserId,
)

if TYPE_CHECKING:
    from moobius_trio.core.service import MoobiusService
    from moobius_trio.database import CachedDict, MoobiusStorage
    from moobius_trio.network.receipts import Receipt

__all__ = ("Band",)


class Band:
    """One room of a service: ``self.bands[channel_id]``.

    Subclass it to declare containers with types, and name the subclass in the service's bases:
    ``class MyBand(Band): states = container(State, factory=State)`` and
    ``class Demo(MoobiusService[MyBand])``. Containers that only db.json names are attributes too.
    """

    def __init__(
        self,
        *,
        channel_id: ChannelId,
        service: MoobiusService[Any],
        members: Members,
    ) -> None:
        self.channel_id = channel_id
        self._service = service
        self._members = members
        self._storage: MoobiusStorage  # set when the stores are open, before any handler runs

    @property
    def members(self) -> Mapping[UserId, Character]:
        """The people of the band in joining order, kept by the SDK; read-only.

        Already extended when `on_join_channel` runs, and already reduced when `on_leave_channel`
        runs.
        """
        return self._members.view

    def profile(self, user_id: UserId) -> Character:
        """The last known profile, also of one who left.

        One whose profile could not be fetched has the id as nickname.
        """
        return self._members.profile(user_id)

    def save(self, name: str) -> None:
        """Queue every record of one container now; not needed, changes are saved by themselves."""
        container = self._storage.container(name)
        for key in container:
            container.save(key)

    async def flush(self) -> None:
        """Wait until every change made so far is stored.

        Raises:
            StorageError: one of them could not be stored.
        """
        await self._storage.flush()

    async def put(
        self, name: str, engine: str | None = None, load: bool = True, clear: bool = False
    ) -> CachedDict[str, Any]:
        """Add a container while the service runs; it is an attribute from then on."""
        return await self._storage.put(name, engine=engine, load=load, clear=clear)

    async def create_message(
        self,
        content: Content | str,
        recipients: Recipients,
        subtype: str = "text",
        sender: Speaker | None = None,
    ) -> Receipt:
        """Say something in this band; see `MoobiusService.create_message`."""
        return await self._service.create_message(
            self.channel_id, content, recipients, subtype, sender
        )

    async def send_msg_down(
        self,
        recipients: Recipients,
        subtype: str,
        message_content: Content | str,
        sender: Speaker | None = None,
    ) -> Receipt:
        """Say something in this band; see `MoobiusService.send_msg_down`."""
        return await self._service.send_msg_down(
            self.channel_id, recipients, subtype, message_content, sender
        )

    async def send_update_user_list(
        self, user_list: Iterable[Character], recipients: Recipients
    ) -> Receipt:
        """Set the character list of the recipients."""
        return await self._service.send_update_user_list(self.channel_id, user_list, recipients)

    async def send_update_features(
        self, feature_data: Iterable[Feature], recipients: Recipients
    ) -> Receipt:
        """Set the keys of the recipients; none hides them all."""
        return await self._service.send_update_features(self.channel_id, feature_data, recipients)

    async def send_update_playground(self, content: Playground, recipients: Recipients) -> Receipt:
        """Set the stage of the recipients."""
        return await self._service.send_update_playground(self.channel_id, content, recipients)

    async def send_update_style(
        self, style_content: Iterable[StyleItem], recipients: Recipients
    ) -> Receipt:
        """Set the style of the recipients' screens."""
        return await self._service.send_update_style(self.channel_id, style_content, recipients)

    async def send_update_channel_info(self, channel_data: Mapping[str, JsonValue]) -> Receipt:
        """Tell what is known of the band itself."""
        return await self._service.send_update_channel_info(self.channel_id, channel_data)

    def __getattr__(self, name: str) -> Any:
        """A container that only db.json names."""
        if not name.startswith("_"):
            storage = self.__dict__.get("_storage")
            if storage is not None and name in storage:
                return storage.container(name)
            hint = attribute_hint(name)
            if hint is not None:
                raise MovedError(f"{type(self).__name__}.{name}: {hint}")
        raise AttributeError(
            f"{type(self).__name__} has no attribute {name!r}; "
            "a container is declared on the class or named in db.json"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.channel_id} with {len(self.members)} members>"
