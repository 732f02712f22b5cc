"""What a service asks of its platform besides speaking: figures, bands, history, files.

Each is one or two calls of `HttpApi`, which has the rest. Nothing is sent on the socket here
but by the subclass's own `send_…`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import attrs
import structlog

from moobius_trio.core.recipients import Recipients, Speaker
from moobius_trio.core.sending import Sending
from moobius_trio.types import (
    ChannelId,
    Character,
    Content,
    MessageId,
    MessageUp,
    PastMessage,
    ServiceId,
    UserInfo,
)

if TYPE_CHECKING:
    from moobius_trio.core.runtime import Runtime
    from moobius_trio.network.http import HttpApi
    from moobius_trio.network.receipts import Receipt

__all__ = ("PlatformCalls",)

log = structlog.get_logger()

PICTURES: Final = frozenset({".apng", ".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp"})
SOUNDS: Final = frozenset({".aac", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav"})


class PlatformCalls(Sending, ABC):
    """Calls that need ``"protocol": "1.8"`` say so; the others work on both generations."""

    @property
    @abstractmethod
    def http_api(self) -> HttpApi:
        """The platform's HTTP calls."""

    @property
    @abstractmethod
    def service_id(self) -> ServiceId:
        """This service's id."""

    @property
    @abstractmethod
    def _live(self) -> Runtime:
        """The running parts; raises ``ServiceStopped`` while there are none."""

    # Files

    async def upload_file(self, path: str | Path) -> str:
        """Upload a local file and give its address; the same content is uploaded once only.

        Remembered over restarts. A relative path counts from the working directory.

        Raises:
            OSError: the file cannot be read.
            ApiError: the upload was refused.
        """
        return await self._live.cast.upload_file(Path(path))

    async def send_file(
        self,
        channel_id: ChannelId,
        file: str | Path,
        recipients: Recipients,
        *,
        subtype: str | None = None,
        filename: str = "",
        sender: Speaker | None = None,
    ) -> Receipt:
        """Show the recipients a picture, a sound, or a file to fetch; raises as `upload_file` too.

        Args:
            file: the path of a local file, as a ``Path``, which is uploaded; a text is an address.
            subtype: ``image``, ``audio`` or ``file``; None: as its name ends.
            filename: what people read; empty: the name of the local file. Generation 0 elsewhere
                than on a platform of ours shows none.
        """
        if isinstance(file, Path):
            address = await self.upload_file(file)
            status = await self._live.environment.run_sync(file.stat)
            name = filename or file.name
            content = Content.file(address, filename=name, size=status.st_size)
        else:
            name = filename or file
            content = Content.file(file, filename=filename)
        kind = subtype or _kind_of(name)
        return await self.send_msg_down(channel_id, recipients, kind, content, sender)

    async def download(
        self,
        source: str | Content | MessageUp | PastMessage,
        folder: str | Path | None = None,
        *,
        file: str | Path | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Save what an address, or a message with a file, leads to; see `HttpApi.download`.

        The name that the sender gave it is never used.

        Raises:
            ValueError: the message has no file.
            AddressRefused, ApiError, OSError: as `HttpApi.download`.
        """
        address = source if isinstance(source, str) else _content_of(source).path
        if not address:
            raise ValueError("there is nothing to download: the message has no content.path")
        return await self.http_api.download(address, folder, file=file, overwrite=overwrite)

    # Figures

    async def create_agent(
        self, name: str, avatar: str | Path = "", description: str = ""
    ) -> Character:
        """Make a figure of this service, anew at each call; `ensure_characters` makes it once.

        Args:
            avatar: an address, or the path of a local picture as a ``Path``, which is uploaded.

        Raises:
            OSError: the picture cannot be read.
            ApiError: it was refused.
        """
        picture = await self._address_of(avatar)
        return await self.http_api.create_agent(self.service_id, name, picture, description)

    async def update_agent(
        self,
        agent: Speaker,
        *,
        name: str | None = None,
        avatar: str | Path | None = None,
        description: str | None = None,
    ) -> Character:
        """Change a figure of this service and give it as it is now; what is not given stays.

        Whoever has it on the screen sees the change with the next `send_update_user_list`.

        Raises:
            NotInGeneration: the service runs on generation 0.
            OSError, ApiError: as `create_agent`.
        """
        before = (
            agent if isinstance(agent, Character) else await self.http_api.fetch_user_profile(agent)
        )
        after = attrs.evolve(
            before,
            nickname=before.nickname if name is None else name,
            avatar=before.avatar if avatar is None else await self._address_of(avatar),
            description=before.description if description is None else description,
        )
        await self.http_api.update_agent(
            self.service_id, after.user_id, after.nickname, after.avatar, after.description
        )
        self._live.cast.note_changed(after)
        return after

    async def fetch_agents(self) -> list[Character]:
        """The figures that this service has made, in the platform's order.

        Raises:
            ApiError: the platform did not answer as it should.
        """
        return list(await self.http_api.fetch_agents(self.service_id))

    # Bands

    async def create_channel(self, name: str, description: str = "") -> ChannelId:
        """Make a band, have this service hold it, and serve it from now on.

        `on_channel_init` has returned for it when this does; its failure is reported. The band
        stays: name its id in ``channels`` of service.json to serve it after a restart too.

        Raises:
            NotInGeneration: the service runs on generation 0.
            ApiError: the platform refused it; where it was made and could not be held, the log
                has its id.
        """
        channel_id = await self.http_api.create_channel(name, description)
        log.info("made a band; service.json does not name it yet", band=channel_id, name=name)
        await self.http_api.bind_service_to_channel(self.service_id, channel_id)
        await self._live.taking_on(channel_id)
        return channel_id

    async def update_channel(self, channel_id: ChannelId, name: str, description: str) -> None:
        """Give a band a name and a description; both are written.

        Raises:
            NotInGeneration: the service runs on generation 0.
            ApiError: the platform refused it.
        """
        await self.http_api.update_channel(channel_id, name, description)

    async def fetch_channel_list(self) -> list[ChannelId]:
        """The bands that the account's own user is in; raises as `update_channel`."""
        return list(await self.http_api.fetch_channel_list())

    async def fetch_popular_channels(self) -> list[ChannelId]:
        """The bands that the platform shows to everybody; raises as `update_channel`."""
        return list(await self.http_api.fetch_popular_channels())

    async def fetch_message_history(
        self, channel_id: ChannelId, limit: int = 64, before: MessageId | None = None
    ) -> list[PastMessage]:
        """What was said in a band, one page of it; see `HttpApi.fetch_message_history`.

        Raises:
            NotInGeneration: the service runs on generation 0.
            ApiError: the platform refused it; a refusal is never an empty page.
        """
        return list(await self.http_api.fetch_message_history(channel_id, limit, before))

    def iterate_message_history(
        self, channel_id: ChannelId, page: int = 64
    ) -> AsyncIterator[PastMessage]:
        """All that was said in a band, the newest first, for an ``async for``.

        Asked for as it is needed, a page at a time; raises as `fetch_message_history`.
        """
        return self.http_api.iterate_message_history(channel_id, page)

    # The account's own user

    async def fetch_user_info(self) -> UserInfo:
        """Who the account itself is; generation 0 tells its id alone.

        Raises:
            ApiError: the platform did not answer as it should.
        """
        return await self.http_api.fetch_user_info()

    async def update_current_user(
        self, name: str, avatar: str | Path = "", description: str = ""
    ) -> None:
        """Change the profile that others see of the account's own user; all three are written.

        Raises:
            NotInGeneration: the service runs on generation 0.
            OSError, ApiError: as `create_agent`.
        """
        await self.http_api.update_current_user(name, await self._address_of(avatar), description)

    async def _address_of(self, picture: str | Path) -> str:
        return await self.upload_file(picture) if isinstance(picture, Path) else picture


def _kind_of(name: str) -> str:
    extension = PurePosixPath(name.partition("?")[0]).suffix.lower()
    if extension in PICTURES:
        return "image"
    return "audio" if extension in SOUNDS else "file"


def _content_of(source: Content | MessageUp | PastMessage) -> Content:
    return source if isinstance(source, Content) else source.content
