"""Files: where to post them, taking them in, giving them back.

Each file has a place of its own, a random key of the platform's, asked for beforehand. A client's
file name is not even read, and its type is told from its bytes (docs/architecture.md section 8).
Wire: docs/protocol/generation-0.md section 2.3.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
import trio
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response

from moobius_trio.codec.http0 import upload_target_data
from moobius_trio.local.api import read_body
from moobius_trio.local.media import is_shown_inline, sniff
from moobius_trio.local.records import Upload
from moobius_trio.local.rules_http import MAX_UPLOAD_BYTES, Refused, check_upload
from moobius_trio.local.state import State
from moobius_trio.types import UploadTarget

__all__ = ("Uploads",)

_FORM_BYTES: Final = 64 * 1024
"""What the form may have round the file."""

_PLACES: Final = 1_000
_PLACE_SECONDS: Final = 3600.0
_PLACE: Final = re.compile(r"/bucket/([0-9a-f]{32}\.[a-z0-9]{1,8})/")

_AT_ONCE: Final = 4
"""Files that are read side by side. Each is in memory, and others wait without being read."""

_READ_SECONDS: Final = 120.0
"""How long a file may take to come, with its turn."""

_log = structlog.get_logger()


class _InMemoryParser(MultiPartParser):
    """Starlette's parser without its temporary files, which would be written in a thread."""

    spool_max_size = MAX_UPLOAD_BYTES + _FORM_BYTES


class Uploads:
    """The platform's bucket."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._places: dict[str, float] = {}
        self._arriving: dict[str, int] = {}
        self._turns = trio.CapacityLimiter(_AT_ONCE)

    def target(self, origin: str, extension: str) -> object:
        """Where one file may be posted within the next hour, for the reply to
        ``GET /file/upload``; ``origin`` is the platform's own, as the one who asks names it."""
        ending = extension.lower() if re.fullmatch(r"[A-Za-z0-9]{1,8}", extension) else "bin"
        key = f"{secrets.token_hex(16)}.{ending}"
        if len(self._places) >= _PLACES:
            del self._places[next(iter(self._places))]
        self._places[key] = self._state.now + _PLACE_SECONDS
        # The URL ends with a slash: the file's address is the URL and the key, simply joined. The
        # key stands in the URL too, since whoever posts here bears no token: to have been told of
        # this place is what lets a file in.
        url = f"{origin}/bucket/{key}/"
        return upload_target_data(UploadTarget(url=url, fields={"key": key}))

    def is_place(self, path: str) -> bool:
        """Whether this is the path of a place that waits for its file."""
        found = _PLACE.fullmatch(path)
        return found is not None and self._places.get(found[1], 0) > self._state.now

    async def take(self, request: Request) -> Response:
        """``POST /bucket/KEY/``: HTTP 204 and nothing in it, as clients of the original ask for.

        Raises:
            Refused: nobody was told of this place, or the form or the file is not as it has to be.
        """
        if not self.is_place(request.scope["path"]):
            raise Refused(403, "ask GET /file/upload for a place to upload to first")
        place = request.path_params["place"]
        with self._given_back_unless_used(place):
            content = await self._read(request, place)
            upload = Upload(key=place, media_type=sniff(content), size=len(content))
            check_upload(self._state.world, upload, tuple(self._arriving.values()))
            self._arriving[place] = upload.size
            try:
                await self._state.save_file(place, content)
                self._state.change(upload)
            finally:
                del self._arriving[place]
            await self._state.saved()
        _log.info("file uploaded", key=place, media_type=upload.media_type, size=upload.size)
        return Response(status_code=204)

    @contextmanager
    def _given_back_unless_used(self, place: str) -> Iterator[None]:
        """The place is nobody else's meanwhile; after a failure its file can be posted again."""
        expires = self._places.pop(place)
        try:
            yield
        except BaseException:
            self._places[place] = expires
            raise

    async def _read(self, request: Request, place: str) -> bytes:
        with trio.move_on_after(_READ_SECONDS):
            async with self._turns:
                key, content = await _read_form(request)
            if key != place:
                raise Refused(403, "the form names another place than its address")
            return content
        raise Refused(408, f"the file did not come within {_READ_SECONDS:g} seconds")

    async def give(self, request: Request) -> Response:
        """``GET /bucket/KEY/KEY``: a picture or sound to be shown, anything else to be saved."""
        upload = self._state.world.uploads.get(request.path_params["key"])
        if upload is None:
            raise Refused(404, "there is no such file")
        content = await self._state.load_file(upload.key)
        headers = {
            "Cache-Control": "private, max-age=31536000, immutable",
            "Content-Security-Policy": "sandbox; default-src 'none'; media-src 'self'",
        }
        if not is_shown_inline(upload.media_type):
            headers["Content-Disposition"] = "attachment"  # the page knows what the sender calls it
        return Response(content, media_type=upload.media_type, headers=headers)


async def _read_form(request: Request) -> tuple[str, bytes]:
    """The key and the file out of a multipart form as python-requests, httpx and browsers write
    it."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise Refused(400, "a file is posted as multipart/form-data")
    body = _Body(await read_body(request, MAX_UPLOAD_BYTES + _FORM_BYTES))
    # Any asynchronous iterator does; the parser's annotation asks for a generator.
    parser = _InMemoryParser(
        request.headers,
        body,  # type: ignore[arg-type]
        max_files=1,
        max_fields=20,
        max_part_size=4096,
    )
    try:
        form = await parser.parse()
    except MultiPartException as exc:
        raise Refused(400, f"the form cannot be read: {exc.message}") from None
    key, file = form.get("key"), form.get("file")
    if not isinstance(key, str) or not isinstance(file, UploadFile):
        raise Refused(400, "the form needs a field named key and a file named file")
    content = await file.read()
    await file.close()
    return key, content


class _Body:
    """A body that has been read, as the one chunk that the parser gets."""

    def __init__(self, content: bytes) -> None:
        self._chunks = [content]

    def __aiter__(self) -> _Body:
        return self

    async def __anext__(self) -> bytes:
        if not self._chunks:
            raise StopAsyncIteration
        return self._chunks.pop()
