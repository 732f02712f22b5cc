"""The connections that requests go over, kept open between them. No request is made up here."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Final

import httpcore  # noqa: F401  # httpx would import it later, and whole (see api.py)
import httpx
import trio

__all__ = ("Connections",)

MOST: Final = 100
"""Calls to the platform that are under way; the others wait."""

ONE: Final = httpx.Limits(max_connections=1, max_keepalive_connections=1)


class Connections(httpx.AsyncBaseTransport):
    """One platform's connections, and those to anybody else.

    Of the platform's each is a pool of its own: one that has 32 looks at each of them, for each
    of them, whenever a request begins or ends, which takes longer than all else about a call.

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
        self._idle: list[httpx.AsyncHTTPTransport] = []
        self._all: list[httpx.AsyncHTTPTransport] = []
        self._others: httpx.AsyncHTTPTransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As httpx has it; raises ``httpx.TransportError``."""
        if _origin(request.url) != self._origin:
            if self._others is None:
                self._others = httpx.AsyncHTTPTransport(verify=self._trust(), trust_env=False)
                self._all.append(self._others)
            return await self._others.handle_async_request(request)
        await self._room.acquire()
        one = self._idle.pop() if self._idle else self._open()

        def give_back() -> None:
            self._idle.append(one)
            self._room.release()

        try:
            response = await one.handle_async_request(request)
        except BaseException:
            give_back()
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101
        response.stream = _Body(response.stream, give_back)
        return response

    def _open(self) -> httpx.AsyncHTTPTransport:
        # Over a plain one goes no TLS: it has nobody to trust.
        secure = self._origin[0] == "https"
        trust = self._trust() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        one = httpx.AsyncHTTPTransport(verify=trust, trust_env=False, limits=ONE)
        self._all.append(one)
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
        async with trio.open_nursery() as nursery:
            for one in self._all:
                nursery.start_soon(one.aclose)


class _Body(httpx.AsyncByteStream):
    """What a reply holds; its connection is free when it is closed."""

    def __init__(self, body: httpx.AsyncByteStream, give_back: Callable[[], None]) -> None:
        self._body = body
        self._give_back: Callable[[], None] | None = give_back

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._body.__aiter__()

    async def aclose(self) -> None:
        """Also a second time."""
        try:
            await self._body.aclose()
        finally:
            if self._give_back is not None:
                self._give_back()
                self._give_back = None


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return (url.scheme, url.host, url.port)
