"""Addresses: which base URL may be used, how a path is joined to it, where a file may be posted.

Pure text work. No request is made here and nothing may be resolved or opened.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

import attrs

from moobius_trio.errors import AddressRefused, ApiError, ConfigError

__all__ = (
    "BaseAddress",
    "check_download_address",
    "check_upload_address",
    "parse_base_address",
    "without_query",
)

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


def check_download_address(url: str, base: BaseAddress) -> None:
    """Make sure that a file may be asked for at ``url``, which may come out of a message.

    Somebody who sends an address would have the service ask machines that only it can reach. So it
    is https and no address of an inner network, or it is on this machine when the platform itself
    is, or it is the platform's own host. Names are not resolved: one that leads inside is not
    noticed, but has to show a certificate for itself.

    Raises:
        AddressRefused: the address is none of these.
    """
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise AddressRefused("the text given", "it is no address") from None
    shown = without_query(url)
    if parts.scheme not in ("http", "https") or not host or not url.isascii() or not _plain(url):
        raise AddressRefused("the text given", "it is no address")
    if "@" in parts.netloc:
        raise AddressRefused("the text given", "it has a user name in it")
    if base.loopback and _is_loopback(host):
        return
    if parts.scheme != "https":
        raise AddressRefused(shown, "it is not https")
    if host != urlsplit(base.url).hostname and not _is_outside(host):
        raise AddressRefused(shown, "it leads to this machine or an inner network")


def without_query(url: str) -> str:
    """The address without what may be a signature, for errors and the log."""
    return url.partition("#")[0].partition("?")[0]


def _is_outside(host: str) -> bool:
    """Whether a host is not, as far as its text tells, of this machine or an inner network."""
    if host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        # The system reads 127.1 and 0x7f000001 as addresses too; no name ends with a number.
        last = host.rpartition(".")[2]
        return not (last.isdigit() or last.startswith("0x"))


def _plain(url: str) -> bool:
    return all("!" <= letter <= "~" for letter in url)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
