"""Downloads: files of messages, which other people chose (docs/protocol/generation-1.md section 2.2
rows 34 and 35).

Where a file is written, the program says; nothing here may make a path of what a message or a
server calls it. Files are written through the ``run_sync`` that was given, never in the event loop.
"""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from moobius_trio.network.http.address import check_download_address
from moobius_trio.network.http.subject import Subject

__all__ = ("DownloadCalls",)

MAX_DOWNLOAD_BYTES: Final = 64 * 1024 * 1024
DEFAULT_FOLDER: Final = Path("downloads")
"""In the working directory, as the original has it."""

_EXTENSION: Final = re.compile(r"\.[A-Za-z0-9]{1,8}")


class DownloadCalls(Subject):
    """The part of ``HttpApi`` about downloads, alike in both generations."""

    async def download(
        self,
        url: str,
        folder: Path | str | None = None,
        *,
        file: Path | str | None = None,
        max_bytes: int = MAX_DOWNLOAD_BYTES,
        overwrite: bool = False,
    ) -> Path:
        """Save what an address has, such as ``content.path`` of a message, and say where.

        The file is there whole or not at all, and only its owner can read it. No token goes along,
        no redirect is followed, and the content is held in memory until it is written.

        Args:
            url: https, and not of an inner network; on this machine only where the platform is.
            folder: where to save it under a new random name with the extension of the address
                (up to eight letters and digits). None: ``downloads`` in the working directory.
            file: save it as this file instead. Never make it of a message's ``filename``.
            max_bytes: refuse more than this.
            overwrite: replace ``file`` if it is there.

        Raises:
            AddressRefused: the address is not allowed; nothing was asked.
            ApiError: not HTTP 200, more than ``max_bytes``, or no answer; nothing was written.
            FileExistsError: ``file`` is there; it was not touched.
            OSError: it cannot be written.
        """
        target = _target(url, folder, file)
        if not overwrite:
            await self._run_sync(_refuse_existing, target)
        content = await self.download_bytes(url, max_bytes=max_bytes)
        await self._run_sync(_save, content, target, overwrite)
        return target

    async def download_bytes(self, url: str, *, max_bytes: int = MAX_DOWNLOAD_BYTES) -> bytes:
        """What an address has, as ``download`` gets it; no file is written.

        Raises:
            AddressRefused: the address is not allowed; nothing was asked.
            ApiError: not HTTP 200, more than ``max_bytes``, or no answer.
        """
        client = self._account.client
        check_download_address(url, client.address)
        return (await client.fetch("GET", url, max_bytes)).content

    async def fetch_size(self, url: str) -> int | None:
        """The bytes that a file is said to have; None when its server does not say.

        Raises:
            AddressRefused: the address is not allowed; nothing was asked.
            ApiError: not HTTP 200, or no answer.
        """
        client = self._account.client
        check_download_address(url, client.address)
        return (await client.fetch("HEAD", url, 0)).length


def _target(url: str, folder: Path | str | None, file: Path | str | None) -> Path:
    if file is not None:
        if folder is not None:
            raise TypeError("a download goes into a folder or to a file, not both")
        return Path(file)
    try:
        suffix = Path(urlsplit(url).path).suffix
    except ValueError:  # no address at all, which will be said when it is asked for
        suffix = ""
    name = secrets.token_hex(16) + (suffix.lower() if _EXTENSION.fullmatch(suffix) else "")
    return Path(DEFAULT_FOLDER if folder is None else folder) / name


def _refuse_existing(target: Path) -> None:
    if os.path.lexists(target):
        raise FileExistsError(f"{target} is there; give overwrite=True to replace it")


def _save(content: bytes, target: Path, overwrite: bool) -> None:
    """Write a file beside its place, then give it its name, all at once."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".download-")
    written = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if not overwrite:
            _take_name(written, target)
        written.replace(target)
    finally:
        written.unlink(missing_ok=True)


def _take_name(written: Path, target: Path) -> None:
    """Make sure that ``target`` is this download's: a renaming would take a name that is taken."""
    try:
        try:
            os.link(written, target)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links: an empty file is there for a moment
            target.touch(exist_ok=False)
    except FileExistsError:
        _refuse_existing(target)
        raise
