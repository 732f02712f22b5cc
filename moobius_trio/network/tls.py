"""Whom a client trusts besides those that the machine trusts. No connection is made here."""

from __future__ import annotations

import ssl
from pathlib import Path

from moobius_trio.errors import ConfigError

__all__ = ("trusting", "trusting_alone")


def trusting(ca_file: Path) -> ssl.SSLContext:
    """What checks certificates by the machine's authorities and by those in ``ca_file`` (PEM).

    Names and dates are checked as ever: a file adds whom to believe and takes nothing away. It
    reads files, so it belongs into a thread.

    Raises:
        ConfigError: the file cannot be read, or no certificate is in it.
    """
    context = trusting_alone(ca_file)
    context.load_default_certs()
    return context


def trusting_alone(ca_file: Path) -> ssl.SSLContext:
    """As `trusting`, but by the file's authorities alone; it takes a hundredth of the time.

    ``load_default_certs`` of what it gives adds the machine's authorities.

    Raises:
        ConfigError: as `trusting`.
    """
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except ssl.SSLError:
        problem = f"{ca_file} has no certificate in PEM form"
    except OSError as exc:
        problem = f"{ca_file} cannot be read ({exc.strerror})"
    raise ConfigError(
        "service.json, key ca_file",
        problem,
        "`moobius-trio local --tls` prints the path of its own; without the key the machine's "
        "authorities count alone",
    )
