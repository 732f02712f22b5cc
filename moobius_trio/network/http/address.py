"""Addresses: which base URL may be used, how a path is joined to it, where a file may be posted.

Pure text work. No request is made here and nothing may be resolved or opened.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

import attrs

from moobius_trio.errors import ApiError, ConfigError

__all__ = ("BaseAddress", "check_upload_address", "parse_base_address")

SETTING = "http_server_uri"


@attrs.frozen(kw_only=True)
class BaseAddress:
    """The platform's checked HTTP address, without the slashes at its end."""

    url: str
    loopback: bool

    def join(self, path: str) -> str:
        """The address of ``path``, which begins with a slash: exactly one stands between the two.

        The original's template ends with a slash, which gave two
        (docs/protocol/generation-0.md section 2.1).
        """
        return self.url + path


def parse_base_address(url: str) -> BaseAddress:
    """Check the platform's HTTP address.

    Raises:
        ConfigError: it is no address, would carry tokens over an open network (``http`` to
            another machine), or holds what cannot be kept in it (user name, query).
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or not url.isascii() or not _plain(url):
        raise ConfigError(SETTING, "not an address", "It looks like https://host/ or http://…")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError(
            SETTING,
            "an address with a user name, password, query or fragment",
            "Give the address alone; the account belongs into email and password",
        )
    loopback = _is_loopback(host)
    if parts.scheme == "http" and not loopback:
        raise ConfigError(
            SETTING,
            f"http to another machine ({host}) would show password and tokens to the network",
            "Use https; http is for the local platform on this machine",
        )
    return BaseAddress(url=url.rstrip("/"), loopback=loopback)


def check_upload_address(url: str, base: BaseAddress, path: str) -> None:
    """Make sure that a file may be posted to ``url``, an address that the platform gave.

    It may be on another host, over https. Plain http is for this machine, when the platform
    itself is on it. ``path`` is the call that gave the address, for the error.

    Raises:
        ApiError: the address is none of these.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, SplitResult("", "", "", "", "")
    usable = bool(host) and url.isascii() and _plain(url) and "@" not in parts.netloc
    allowed = parts.scheme == "https" or (
        parts.scheme == "http" and base.loopback and _is_loopback(host or "")
    )
    if not (usable and allowed):
        raise ApiError(
            path,
            "a file may not be uploaded to the address that the platform gave; it has to be https",
            status=200,
        )


def _plain(url: str) -> bool:
    return all("!" <= letter <= "~" for letter in url)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
