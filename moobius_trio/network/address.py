"""The address in ``ws_server_uri``: taken apart, and refused where a token would travel in clear.

Pure: nothing is looked up or connected here.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import attrs

from moobius_trio.errors import ConfigError

__all__ = ("WebSocketAddress", "parse_websocket_address")

WHERE: Final = "service.json, key ws_server_uri"


@attrs.frozen
class WebSocketAddress:
    """Where to connect, and what to ask for there."""

    host: str
    port: int
    resource: str
    """Path and query."""
    secure: bool

    @property
    def host_header(self) -> str:
        """The host as the handshake names it: without the scheme's own port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def parse_websocket_address(url: str) -> WebSocketAddress:
    """Take ``url`` apart.

    Raises:
        ConfigError: it is no WebSocket address, holds a password, or is ``ws://`` to another
            machine.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(WHERE, f"is no address ({error})") from None
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise ConfigError(WHERE, "is no WebSocket address", "It begins with wss:// and a host")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(WHERE, "holds a user name or password", "Write the address alone")
    secure = parts.scheme == "wss"
    if not secure and not _is_loopback(parts.hostname):
        raise ConfigError(
            WHERE,
            f"would send the access token in clear to {parts.hostname}",
            "Use wss://; ws:// is for this machine only",
        )
    resource = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return WebSocketAddress(parts.hostname, port or (443 if secure else 80), resource, secure)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
