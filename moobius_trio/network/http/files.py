"""Uploads: asking for a place, posting the file there (docs/protocol/generation-0.md section 2.3).

Only a path that the program itself gives is ever read: nothing here may take one from a message.
Files are read through the ``run_sync`` that was given, never in the event loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from moobius_trio.codec import http0
from moobius_trio.network.http.address import check_upload_address
from moobius_trio.network.http.auth import Account
from moobius_trio.network.http.calls import get
from moobius_trio.types import RunSync, UploadTarget

__all__ = ("FileCalls",)

UPLOAD_PATH = "/file/upload"
MAX_FILE_BYTES = 64 * 1024 * 1024
"""Files are held in memory while they are posted, so that a failed attempt can be repeated."""


class FileCalls:
    """The part of ``HttpApi`` about files."""

    _account: Account
    _run_sync: RunSync

    async def upload_with_extension(self, extension: str) -> tuple[str, Mapping[str, str]]:
        """Ask for a place for a file; ``extension`` is without a dot, such as ``png``.

        Returns:
            The address to post to, and the form fields to post before the file, in order.
        """
        call = get(UPLOAD_PATH, {"extension": extension})
        target = await self._account.call(call, http0.decode_upload_target)
        return target.url, target.fields

    async def do_upload_file(
        self, upload_url: str, upload_fields: Mapping[str, str], file_path: Path | str
    ) -> str:
        """Post a file to the place that ``upload_with_extension`` gave, and give its address.

        The bucket is told the file's own name, not where it lies, and gets no token. It may be on
        another host over https; plain http only from and to this machine.

        Raises:
            ApiError: the address is not allowed, or the bucket did not answer with HTTP 204.
            MalformedPayload: the fields have no key, so the file's address cannot be told.
            OSError: the file cannot be read.
            ValueError: it has more than 64 MiB.
        """
        path = _checked_path(file_path)
        content = await self._run_sync(_read_file, path)
        return await self._post(upload_url, upload_fields, path.name, content)

    async def upload_file(self, file_path: Path | str) -> str:
        """Upload a file and give its address. Uploading it again gives another address.

        Raises:
            ApiError: as ``upload_with_extension`` and ``do_upload_file``.
            OSError: the file cannot be read; nothing was asked.
            ValueError: it has more than 64 MiB.
        """
        path = _checked_path(file_path)
        content = await self._run_sync(_read_file, path)
        url, fields = await self.upload_with_extension(_extension(path.name))
        return await self._post(url, fields, path.name, content)

    async def _post(self, url: str, fields: Mapping[str, str], name: str, content: bytes) -> str:
        client = self._account.client
        check_upload_address(url, client.address, UPLOAD_PATH)
        address = http0.upload_address(UploadTarget(url=url, fields=fields))
        await client.post_file(url, fields, name, content, path=UPLOAD_PATH)
        return address


def _checked_path(file_path: Path | str) -> Path:
    if not isinstance(file_path, Path | str):
        raise TypeError(f"a file is given by its path, not by {type(file_path).__name__}")
    return Path(file_path)


def _extension(name: str) -> str:
    """The text after the last dot; ``bin`` if there is none, rather than the whole name."""
    return (name.rpartition(".")[2] if "." in name else "") or "bin"


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"{path} has more than {MAX_FILE_BYTES:,} bytes; it was not uploaded")
    return content
