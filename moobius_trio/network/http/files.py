"""Uploads: asking for a place, posting the file there (section 2.3 of docs/protocol/generation-0.md
and generation-1.md).

Only a path that the program itself gives is ever read: nothing here may take one from a message.
Files are read through the ``run_sync`` that was given, never in the event loop.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from moobius_trio.codec import http0_client as http0
from moobius_trio.network.http.address import check_upload_address
from moobius_trio.network.http.calls import get
from moobius_trio.network.http.subject import Subject
from moobius_trio.network.http.uploaded import Uploaded
from moobius_trio.types import UploadTarget

__all__ = ("FileCalls",)

UPLOAD_PATH = "/file/upload"
MAX_FILE_BYTES = 64 * 1024 * 1024
"""Files are held in memory while they are posted, so that a failed attempt can be repeated."""

TAKEN: Final = (204,)
TAKEN_LATER: Final = (200, 201, 204)
"""By which HTTP status a bucket says that it has the file: in generation 0, in generation 1."""

NAME_LATER: Final = "file"
"""What a file is called towards the bucket in generation 1: its own name is nobody's business."""


class FileCalls(Subject):
    """The part of ``HttpApi`` about uploads."""

    _uploaded: Uploaded

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

        The bucket is told the file's own name, not where it lies, and in generation 1 not even
        that; it gets no token. It may be on another host over https; plain http only from and to
        this machine.

        Raises:
            ApiError: the address is not allowed, or the bucket did not answer with HTTP 204 (in
                generation 1 also 200 and 201).
            MalformedPayload: the fields have no key, so the file's address cannot be told.
            OSError: the file cannot be read.
            ValueError: it has more than 64 MiB.
        """
        path = _checked_path(file_path)
        content = await self._run_sync(_read_file, path)
        return await self._post(upload_url, upload_fields, path.name, content)

    async def upload_file(self, file_path: Path | str) -> str:
        """Upload a local file and give its address.

        In generation 0 uploading it again gives another address. In generation 1 a content is
        posted once for as long as the API is open, by SHA-256 and extension: asked for again, also
        under another path or at the same time, the address is the same. The last 1,024 are known.

        Raises:
            ApiError: as ``upload_with_extension`` and ``do_upload_file``.
            OSError: the file cannot be read; nothing was asked.
            ValueError: it has more than 64 MiB.
        """
        path = _checked_path(file_path)
        if self._old:
            return await self._upload(path.name, await self._run_sync(_read_file, path))
        content, digest = await self._run_sync(_read_with_digest, path)
        key = f"{digest}.{_extension(path.name)}"
        return await self._uploaded.once(key, partial(self._upload, path.name, content))

    async def _upload(self, name: str, content: bytes) -> str:
        url, fields = await self.upload_with_extension(_extension(name))
        return await self._post(url, fields, name, content)

    async def _post(self, url: str, fields: Mapping[str, str], name: str, content: bytes) -> str:
        client = self._account.client
        check_upload_address(url, client.address, UPLOAD_PATH)
        address = http0.upload_address(UploadTarget(url=url, fields=fields))
        await client.post_file(
            url,
            fields,
            name if self._old else NAME_LATER,
            content,
            path=UPLOAD_PATH,
            taken=TAKEN if self._old else TAKEN_LATER,
        )
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


def _read_with_digest(path: Path) -> tuple[bytes, str]:
    content = _read_file(path)
    return content, hashlib.sha256(content).hexdigest()
