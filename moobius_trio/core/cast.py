"""Pictures and figures of a service: uploaded and made once, remembered over restarts.

What is remembered lies in two containers of the service's own storage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import attrs
import trio

from moobius_trio.database import CachedDict
from moobius_trio.network.http import HttpApi
from moobius_trio.network.side_by_side import side_by_side
from moobius_trio.types import Character, NewCharacter, RunSync, ServiceId, UserId

__all__ = ("CHARACTERS", "UPLOADS", "Cast")

UPLOADS = "sdk-uploads"
CHARACTERS = "sdk-characters"


@attrs.define(eq=False)
class Cast:
    """Uploads and figures of one service."""

    _http_api: HttpApi
    _service_id: ServiceId
    _uploads: CachedDict[str, str]
    _characters: CachedDict[str, Character]
    _run_sync: RunSync
    _uploading: dict[str, trio.Lock] = attrs.field(factory=dict)
    _making: trio.Lock = attrs.field(factory=trio.Lock)

    async def upload_file(self, path: Path) -> str:
        """The address of the file's content; uploaded when it is not known yet."""
        # The same bytes under another kind of name are another file to the platform.
        key = await self._run_sync(_digest, path) + path.suffix.lower()
        lock = self._uploading.setdefault(key, trio.Lock())
        try:
            async with lock:  # whoever needs the same file meanwhile waits for this upload
                known = self._uploads.get(key)
                if known is None:
                    known = self._uploads[key] = await self._http_api.upload_file(path)
        finally:
            if not lock.locked():
                self._uploading.pop(key, None)
        return known

    async def ensure_characters(self, wanted: Iterable[NewCharacter]) -> dict[str, Character]:
        """The figures by key; those not remembered are found at the platform or made."""
        by_key = {new.key: new for new in wanted}
        async with self._making:
            missing = [new for new in by_key.values() if new.key not in self._characters]
            if missing:
                unclaimed = await self._unclaimed()
                for new in missing:
                    found = unclaimed.get(self._looks(new))
                    if found:
                        self._characters[new.key] = found.pop(0)
                await side_by_side(
                    self._make, (new for new in missing if new.key not in self._characters)
                )
            return {key: self._characters[key] for key in by_key}

    def note_changed(self, character: Character) -> None:
        """A figure is not what it was; whoever asks for it by its key gets it as it is."""
        for key, known in list(self._characters.items()):
            if known.user_id == character.user_id:
                self._characters[key] = character

    def ids(self) -> set[UserId]:
        """The figures that were asked for by key so far."""
        return {character.user_id for character in self._characters.values()}

    async def _unclaimed(self) -> dict[tuple[str, str, str], list[Character]]:
        """Figures the platform has of this service that no key stands for, by what they say."""
        claimed = self.ids()
        unclaimed: dict[tuple[str, str, str], list[Character]] = {}
        for one in await self._http_api.get_service_user_list(self._service_id):
            if one.user_id not in claimed:
                unclaimed.setdefault(self._looks(one), []).append(one)
        return unclaimed

    def _looks(self, figure: Character | NewCharacter) -> tuple[str, str, str]:
        """What two figures have in common that are one. Generation 1 has no usernames."""
        named = self._http_api.protocol == "0.0.1"
        return (figure.username if named else "", figure.nickname, figure.description)

    async def _make(self, new: NewCharacter) -> None:
        avatar = new.avatar
        if isinstance(avatar, Path):
            avatar = await self.upload_file(avatar)
        self._characters[new.key] = await self._http_api.create_service_user(
            self._service_id, new.username, new.nickname, avatar, new.description
        )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
