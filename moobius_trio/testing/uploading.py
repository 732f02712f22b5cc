"""Files that a person of a test sends: to the platform's bucket first, as the page does it."""

from __future__ import annotations

import mimetypes
import random
from pathlib import Path
from typing import TYPE_CHECKING

from moobius_trio.codec import http0
from moobius_trio.network.http.address import parse_base_address
from moobius_trio.network.http.calls import get
from moobius_trio.network.http.client import open_client
from moobius_trio.types import Secret

if TYPE_CHECKING:
    import httpx

    from moobius_trio.testing.site import Site

__all__ = ("subtype_of", "upload", "upload_as")

UPLOAD_PATH = "/file/upload"


async def upload_as(site: Site, name: str, path: Path) -> str:
    """Upload a file as the guest of this name and give its address.

    Raises:
        OSError: it cannot be read.
        ApiError: the platform did not take it.
    """
    content = await site.run_sync(path.read_bytes)
    token = site.platform.sign_in_guest(name).tokens.access  # one that has not expired meanwhile
    return await upload(site.http_uri(), site.transport(), token, path.name, content)


async def upload(
    uri: str, transport: httpx.AsyncBaseTransport | None, token: Secret, name: str, content: bytes
) -> str:
    """Upload a file to a platform and give its address.

    Args:
        uri: the platform's HTTP address.
        transport: instead of httpx's own.
        token: of whoever uploads it.
        name: the file's name, of which the ending counts.

    Raises:
        ApiError: the platform did not take it.
    """
    call = get(UPLOAD_PATH, {"extension": name.rpartition(".")[2].lower() if "." in name else ""})
    async with open_client(
        parse_base_address(uri),
        transport=transport,
        random=random.Random(0),  # noqa: S311  # for pauses
    ) as client:
        target = await client.request(call, http0.decode_upload_target, token=token)
        await client.post_file(target.url, target.fields, name, content, path=UPLOAD_PATH)
    return http0.upload_address(target)


def subtype_of(path: Path | str) -> str:
    """The subtype of a message with this file, told by its name."""
    kind = (mimetypes.guess_type(str(path))[0] or "").partition("/")[0]
    return kind if kind in ("image", "audio") else "file"
