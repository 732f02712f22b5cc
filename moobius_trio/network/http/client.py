"""The one place that makes requests: limits, sizes, headers, and what counts as a reply.

The only module of the package that imports httpx; `open_http_api` imports it late, because httpx
takes longer to import than everything else here. Which calls exist is not its business, nor are
tokens, except that they go to the platform's own origin and nowhere else.
"""

from __future__ import annotations

import io
import random
import ssl
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Literal, TypeVar

import httpx
import trio

from moobius_trio.codec import http0_client as http0
from moobius_trio.codec import http1_client as http1
from moobius_trio.codec.text import MAX_REPLY_BYTES
from moobius_trio.errors import AddressRefused, ApiError, MalformedPayload
from moobius_trio.network.http.address import BaseAddress, without_query
from moobius_trio.network.http.calls import (
    PATIENT,
    QUICK,
    Call,
    NoReply,
    Patience,
    ProtocolName,
    Reply,
)
from moobius_trio.network.http.connections import Connections
from moobius_trio.network.http.retry import read_retry_after, with_retries
from moobius_trio.types import Secret

__all__ = ("Client", "open_client")

T = TypeVar("T")

CLOSE_SECONDS = 1.0
LIMITS = {"timeout": httpx.Timeout(connect=5, read=15, write=15, pool=30).as_dict()}
"""Seconds for one step each; the limits of a whole call are in ``calls.Patience``."""

HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "Connection": "keep-alive"}
NO_HEADERS: Mapping[str, str] = {}
GENERATIONS: Mapping[ProtocolName, int] = {"0.0.1": 0, "1.8": 1}
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Client:
    """Makes calls to one platform.

    It asks the transport itself: what ``httpx.AsyncClient`` does besides (cookies, redirects,
    proxies, sign-in) is not wanted here, and takes a quarter of the time of a call.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        address: BaseAddress,
        random: random.Random,
        protocol: ProtocolName,
    ) -> None:
        self._transport = transport
        self.address = address
        self._random = random
        self._decode_reply = http0.decode_reply if protocol == "0.0.1" else http1.decode_reply
        self._usual = httpx.Headers({**HEADERS, "User-Agent": _user_agent(protocol)})

    async def request(
        self, call: Call, decode: Callable[[object], T], *, token: Secret | None = None
    ) -> T:
        """Make a call and give the data of its answer, decoded.

        At most 30 s for an attempt, 45 s for all; made again as ``with_retries`` says. ``token``
        goes along as the bearer token. Cancellation closes the connection that was in use.

        Raises:
            ApiError: everything else than a good answer: ``code`` is set when the platform
                refused, ``unreachable`` is true when it did not answer.
        """

        def build() -> httpx.Request:
            try:
                return self._request(
                    call.method,
                    _parsed(self.address.join(call.path)),
                    params=dict(call.query) or None,
                    content=call.body,
                    headers=_headers(call, token),
                )
            except (httpx.InvalidURL, UnicodeEncodeError):
                # An id that came in a frame may have any length, and lone surrogates.
                reason = "a value in its query is too long for an address, or no text"
                raise ApiError(call.path, reason) from None

        async def attempt(seconds: float) -> Reply:
            return await self._exchange(build(), call.path, seconds, call.max_bytes)

        reply = await with_retries(
            attempt,
            path=call.path,
            idempotent=call.idempotent,
            patience=QUICK,
            random=self._random,
        )
        try:
            # Nested, so that no local variable holds what may be tokens (see calls.py).
            return decode(
                self._decode_reply(
                    reply.content, path=call.path, status=reply.status, max_bytes=call.max_bytes
                )
            )
        except MalformedPayload as fault:
            raise ApiError(call.path, str(fault), status=reply.status) from None

    async def post_file(
        self,
        url: str,
        fields: Mapping[str, str],
        name: str,
        content: bytes,
        *,
        path: str,
        taken: Collection[int] = (204,),
    ) -> None:
        """Post a file as a form, without a token: ``fields`` in order, then the part ``file``.

        ``taken`` are the HTTP statuses that mean success. Made again after a failure: the fields
        name the key, so the same file lands in the same place. ``url`` has been checked; ``path``
        is the call that gave it, for errors.

        Raises:
            ApiError: anything else was answered, or nothing.
        """
        if not self._can_ask(url):
            raise ApiError(path, "the platform gave an address that is none", status=200)

        async def attempt(seconds: float) -> Reply:
            # A file object and not the bytes: httpx writes it in pieces, so that the write limit
            # is for a piece and a slow line may take its time.
            form = {"file": (name, io.BytesIO(content), "application/octet-stream")}
            request = self._request("POST", url, data=dict(fields), files=form)
            return await self._exchange(request, path, seconds)

        reply = await with_retries(
            attempt, path=path, idempotent=True, patience=PATIENT, random=self._random
        )
        if reply.status not in taken:
            raise ApiError(path, "the bucket did not take the file", status=reply.status)

    async def fetch(self, method: Literal["GET", "HEAD"], url: str, max_bytes: int) -> Reply:
        """What a checked address has, or with HEAD how much: without a token, HTTP 200 only.

        Raises:
            AddressRefused: it is too long, or its host's name is none that there can be.
            ApiError: anything else was answered, more than ``max_bytes``, or nothing.
        """
        if not self._can_ask(url):
            raise AddressRefused("the text given", "it is no address")
        name = without_query(url)

        async def attempt(seconds: float) -> Reply:
            request = self._request(method, url, headers={"Accept": "*/*"})
            return await self._exchange(request, name, seconds, max_bytes)

        patience: Patience = PATIENT if method == "GET" else QUICK
        reply = await with_retries(
            attempt, path=name, idempotent=True, patience=patience, random=self._random
        )
        if reply.status != 200:
            raise ApiError(name, "there is no file to be had", status=reply.status)
        return reply

    def _can_ask(self, url: str) -> bool:
        """Whether httpx takes this for an address; it looks at more than was checked before."""
        try:
            self._request("GET", url)
        except (httpx.InvalidURL, UnicodeError):  # idna's errors are UnicodeErrors
            return False
        return True

    def _request(
        self,
        method: str,
        url: httpx.URL | str,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        **rest: Any,
    ) -> httpx.Request:
        """A request with the headers and limits that all have; ``rest`` as httpx has it."""
        together = httpx.Headers(self._usual)  # its repr hides the token
        together.update(headers)
        return httpx.Request(method, url, headers=together, extensions=LIMITS, **rest)

    async def _exchange(
        self, request: httpx.Request, path: str, seconds: float, max_bytes: int = MAX_REPLY_BYTES
    ) -> Reply:
        """One request and its whole reply, within ``seconds``."""
        try:
            with trio.fail_after(seconds):
                response = await self._transport.handle_async_request(request)
                try:
                    content = await _read(request, response, path, max_bytes)
                finally:
                    # A connection that is not given back or closed here blocks its place for good.
                    with trio.move_on_after(CLOSE_SECONDS, shield=True):
                        await response.aclose()
        except trio.TooSlowError:
            raise NoReply(path, f"not complete within {seconds:.0f} s", sent=True) from None
        except httpx.TransportError as error:
            # Neither its text nor its traceback goes on for all kinds: a refused header is shown
            # in it, and the header may be the token.
            raise NoReply(path, _reason(error), sent=not isinstance(error, NEVER_SENT)) from None
        return Reply(
            status=response.status_code,
            content=content,
            retry_after=read_retry_after(
                response.headers.get("retry-after"), response.headers.get("date")
            ),
            length=_length(response),
        )


@lru_cache(maxsize=64)
def _parsed(url: str) -> httpx.URL:
    """The address of a call; there are few, each takes 50 µs, and a start makes hundreds."""
    return httpx.URL(url)


def _reason(error: httpx.TransportError) -> str:
    """Why there was no reply, without what may hold a header."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"its certificate is not good: {cause.verify_message}; "
                "an authority that this machine does not know is named by ca_file in service.json"
            )
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.NetworkError | httpx.TimeoutException) and str(error):
        return f"{type(error).__name__}: {error}"
    return type(error).__name__


def _headers(call: Call, token: Secret | None) -> httpx.Headers:
    """The headers of a call (docs/protocol/generation-0.md section 2.1)."""
    headers = httpx.Headers()  # its repr hides the token
    if call.body is not None:
        headers["Content-Type"] = "application/json"
    if token is not None:
        headers["Auth-Origin"] = "cognito"
        headers["Authorization"] = f"Bearer {token.reveal()}"
    return headers


def _length(response: httpx.Response) -> int | None:
    told = response.headers.get("content-length", "")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 20 else None


async def _read(
    request: httpx.Request, response: httpx.Response, path: str, max_bytes: int
) -> bytes:
    """The body of a reply that is worth reading.

    A compressed one is refused unread: a small one can hold any amount (and we asked for none).
    """
    status = response.status_code
    if response.is_redirect:
        raise ApiError(
            path,
            "the reply is a redirect, which is not followed; give the address it leads to",
            status=status,
        )
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise ApiError(path, "the reply is compressed, which was not asked for", status=status)
    if request.method == "HEAD":
        return b""
    content = bytearray()
    too_large = (_length(response) or 0) > max_bytes
    with trio.CancelScope() as reading:
        if too_large:
            reading.cancel()
        async for piece in _stream_of(response):
            content += piece
            if len(content) > max_bytes:
                # The next read ends httpx's generators from the innermost outwards; leaving the
                # loop would strand them half-way.
                reading.cancel()
    if too_large or len(content) > max_bytes:
        raise ApiError(path, f"the reply is larger than {max_bytes:,} bytes", status=status)
    return bytes(content)


def _stream_of(response: httpx.Response) -> httpx.AsyncByteStream:
    """What a transport for trio answers with, as it came; httpx itself would decode it."""
    assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101
    return response.stream


def _user_agent(protocol: ProtocolName) -> str:
    """Who asks, by which a platform that speaks both generations can tell them apart."""
    from importlib.metadata import PackageNotFoundError, version  # httpx does without

    try:
        of = version("moobius_trio")
    except PackageNotFoundError:  # run from a folder that was never installed
        of = "0"
    return f"moobius_trio/{of} (generation {GENERATIONS[protocol]})"


@asynccontextmanager
async def open_client(
    address: BaseAddress,
    *,
    transport: httpx.AsyncBaseTransport | None,
    tls: ssl.SSLContext | None = None,
    random: random.Random,
    protocol: ProtocolName = "0.0.1",
) -> AsyncIterator[Client]:
    """A client for one platform; its connections are closed at the end of the block.

    Nothing of the environment changes it (proxies, netrc, certificate files), no redirect is
    followed and no cookie kept.
    """
    async with transport or Connections(address.url, tls) as connections:
        yield Client(connections, address, random, protocol)
