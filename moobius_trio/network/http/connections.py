"""The connections that requests go over, kept open between them. No request is made up here."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final

import httpcore
import httpx
import trio

__all__ = ("Connections",)

MOST: Final = 100
"""Calls to the platform that are under way; the others wait."""

IDLE_SECONDS: Final = 5.0
"""So long a connection is used again; platforms end those that rest for longer."""
CLOSE_SECONDS: Final = 1.0


class Connections(httpx.AsyncBaseTransport):
    """One platform's connections, and those to anybody else.

    The platform's are kept here and not in a pool of httpx: one that has 32 looks at each of
    them, for each of them, whenever a request begins or ends, which takes longer than all else
    about a call.

    Nothing of the environment changes it (proxies, certificate files).

    Args:
        url: an address of the platform.
        tls: says whose certificates are good; None: httpx's usual ones, a bundle that is only
            read when an address wants it.
    """

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        self._origin = _origin(httpx.URL(url))
        self._tls = tls
        self._room = trio.Semaphore(MOST)
        self._idle: list[httpcore.AsyncHTTPConnection] = []
        self._all: set[httpcore.AsyncHTTPConnection] = set()
        self._others: httpx.AsyncHTTPTransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As httpx has it; raises ``httpx.TransportError``."""
        if _origin(request.url) != self._origin:
            if self._others is None:
                self._others = httpx.AsyncHTTPTransport(verify=self._trust(), trust_env=False)
            return await self._others.handle_async_request(request)
        await self._room.acquire()
        try:
            one = await self._take(request.url)
        except BaseException:
            self._room.release()
            raise

        def give_back() -> None:
            if one.is_idle() and not one.is_closed():
                self._idle.append(one)
            else:  # not read to its end, or the platform wants no more of it
                self._all.discard(one)
            self._room.release()

        try:
            with _as_httpx():
                reply = await one.handle_async_request(_for_httpcore(request))
        except BaseException:
            give_back()
            raise

        return httpx.Response(
            reply.status,
            headers=reply.headers,
            stream=_Body(reply, give_back),
            extensions=reply.extensions,
        )

    async def _take(self, url: httpx.URL) -> httpcore.AsyncHTTPConnection:
        """One that rests, or a new one, which connects with its first request."""
        trust = self._trust() if url.scheme == "https" else None
        while self._idle:
            one = self._idle.pop()
            if not one.has_expired():
                return one
            self._all.discard(one)
            await _close(one)
        one = httpcore.AsyncHTTPConnection(
            _for_httpcore_url(url).origin, ssl_context=trust, keepalive_expiry=IDLE_SECONDS
        )
        self._all.add(one)
        return one

    def _trust(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = httpx.create_ssl_context(trust_env=False)
        return self._tls

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all of them."""
        self._idle.clear()
        async with trio.open_nursery() as nursery:
            while self._all:
                nursery.start_soon(_close, self._all.pop())
            if self._others is not None:
                nursery.start_soon(self._others.aclose)


class _Body(httpx.AsyncByteStream):
    """What a reply holds; its connection is free when it is closed."""

    def __init__(self, reply: httpcore.Response, give_back: Callable[[], None]) -> None:
        self._reply = reply
        assert isinstance(reply.stream, AsyncIterable)  # noqa: S101  # as httpcore answers
        self._pieces = aiter(reply.stream)
        self._give_back: Callable[[], None] | None = give_back

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        with _as_httpx():
            return await anext(self._pieces)

    async def aclose(self) -> None:
        """Also a second time."""
        try:
            await self._reply.aclose()
        finally:
            if self._give_back is not None:
                self._give_back()
                self._give_back = None


async def _close(one: httpcore.AsyncHTTPConnection) -> None:
    with trio.move_on_after(CLOSE_SECONDS, shield=True):  # TLS says goodbye
        await one.aclose()


def _for_httpcore(request: httpx.Request) -> httpcore.Request:
    assert isinstance(request.stream, httpx.AsyncByteStream)  # noqa: S101  # of bytes it is both
    return httpcore.Request(
        request.method,
        _for_httpcore_url(request.url),
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )


def _for_httpcore_url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )


@contextmanager
def _as_httpx() -> Iterator[None]:
    """The errors of httpcore as those of httpx, which have the same names."""
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
    ) as error:
        kind: type[httpx.TransportError] = getattr(httpx, type(error).__name__)
        raise kind(str(error)) from error


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return (url.scheme, url.host, url.port)
