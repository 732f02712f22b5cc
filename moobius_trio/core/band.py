"""One band as its service sees it: who is in it, what is stored for it, and how to speak there.

Nothing else is public on a band, since its other attributes are the author's containers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moobius_trio.core.members import Members
from moobius_trio.core.names import attribute_hint
from moobius_trio.core.recipients import Recipients, Speaker
from moobius_trio.database import declared_containers
from moobius_trio.errors import ConfigError, MovedError
from moobius_trio.types import (
    ChannelId,
    Character,
    Content,
    Feature,
    JsonValue,
    MenuItem,
    MessageId,
    PastMessage,
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
    Assigning a mapping to a container replaces its content.

    Raises:
        TypeError: a subclass gives a container the name of something that every band has.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in declared_containers(cls):
            if name in _RESERVED or name.startswith("_"):
                raise TypeError(
                    f"{cls.__name__}.{name}: a container cannot have this name, since it would "
                    "hide what every band has; give it another one"
                )

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

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Store everything that is changed in the block together, or nothing of it::

            async with self.bands[channel_id].transaction():
                accounts[giver].coins -= 1
                accounts[taker].coins += 1

        Returns when it is stored. Frames sent inside leave then. When the block raises, or the
        changes cannot be stored, memory goes back to what it was, with new objects in the
        records, and the frames are dropped (docs/architecture.md section 6).

        Raises:
            RuntimeError: this handler has a transaction open already.
            StorageError: nothing of it was stored; also where an engine cannot do it (json), or
                not for containers in different stores, or on redis of different bands.
        """
        return self._storage.transaction()

    async def put(
        self, name: str, engine: str | None = None, load: bool = True, clear: bool = False
    ) -> CachedDict[str, Any]:
        """Add a container while the service runs; it is an attribute from then on.

        One of that name that is there already is given, loaded and cleared as asked.

        Args:
            engine: the one db.json names for it, or the default one, if not given.
            load: read its records now; otherwise `CachedDict.load` does.
            clear: begin with nothing; what is stored is removed.

        Raises:
            ConfigError: there is no such engine, or every band has something of that name.
            StorageError: it cannot be opened or read.
        """
        if name in _RESERVED or name.startswith("_"):
            raise ConfigError(
                f"container {name}", "bears a name that every band keeps for itself", "Rename it"
            )
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

    async def send_update_playground(
        self, content: Playground | Iterable[Playground], recipients: Recipients
    ) -> Receipt:
        """Set the stage of the recipients; see `MoobiusService.send_update_playground`."""
        return await self._service.send_update_playground(self.channel_id, content, recipients)

    async def send_update_menu(self, menu: Iterable[MenuItem], recipients: Recipients) -> Receipt:
        """Set the menu that messages open for the recipients; none removes it."""
        return await self._service.send_update_menu(self.channel_id, menu, recipients)

    async def send_update_style(
        self, style_content: Iterable[StyleItem], recipients: Recipients
    ) -> Receipt:
        """Set the style of the recipients' screens."""
        return await self._service.send_update_style(self.channel_id, style_content, recipients)

    async def send_update_channel_info(self, channel_data: Mapping[str, JsonValue]) -> Receipt:
        """Tell what is known of the band itself."""
        return await self._service.send_update_channel_info(self.channel_id, channel_data)

    async def send_file(
        self,
        file: str | Path,
        recipients: Recipients,
        *,
        subtype: str | None = None,
        filename: str = "",
        sender: Speaker | None = None,
    ) -> Receipt:
        """Show the recipients a picture, a sound or a file; see `MoobiusService.send_file`."""
        return await self._service.send_file(
            self.channel_id, file, recipients, subtype=subtype, filename=filename, sender=sender
        )

    async def fetch_message_history(
        self, limit: int = 64, before: MessageId | None = None
    ) -> list[PastMessage]:
        """What was said here; see `MoobiusService.fetch_message_history`."""
        return await self._service.fetch_message_history(self.channel_id, limit, before)

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

    def __setattr__(self, name: str, value: Any) -> None:
        """Replace a container's content, or set an attribute that the class declares."""
        storage = self.__dict__.get("_storage")
        if storage is None or name.startswith("_") or _declares(type(self), name):
            object.__setattr__(self, name, value)
        else:
            setattr(storage, name, value)  # what is no container would be forgotten at the end

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.channel_id} with {len(self.members)} members>"


def _declares(cls: type, name: str) -> bool:
    """Whether a class says that its objects have this attribute."""
    return hasattr(cls, name) or any(
        name in getattr(base, "__annotations__", ()) for base in cls.__mro__
    )


_RESERVED = frozenset({"channel_id", *(name for name in vars(Band) if not name.startswith("_"))})
