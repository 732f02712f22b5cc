"""``--host`` and ``--i-know``: a local platform that other machines can reach.

What the platform asks of them is its own business (docs/architecture.md section 8).
"""

from __future__ import annotations

import socket
from typing import Final

from moobius_trio.cli.output import say
from moobius_trio.errors import UsageError
from moobius_trio.local import Platform

__all__ = ("LOOPBACK", "check_host", "let_guests_in")

LOOPBACK: Final = "127.0.0.1"

_OWN: Final = (LOOPBACK, "::1", "localhost")
_EVERY: Final = ("0.0.0.0", "::")  # noqa: S104 - to be recognised
_SOMEWHERE: Final = ("192.0.2.1", 9)
"""An address that nobody has (RFC 5737); nothing is sent there."""


def check_host(host: str, *, i_know: bool, faults: bool = False, tls: bool = False) -> None:
    """Make sure that whoever lets others in means it.

    Raises:
        UsageError: it was not said, or ``--faults`` asks for a relay, behind which everybody would
            seem to come from this machine; or ``--tls`` for a certificate, which names this
            machine only.
    """
    if host in _OWN:
        return
    if not i_know:
        raise UsageError(
            f"--host {host} lets other machines reach this platform. It is made for trying things "
            "out: nothing is encrypted, and whoever has its link may be anybody on it. "
            "Add --i-know if that is what you want."
        )
    if faults:
        raise UsageError("--host and --faults do not go together. Use one of them.")
    if tls:
        raise UsageError(
            "--host and --tls do not go together: the certificate is for this machine alone. "
            "Other machines reach it through a tunnel (ssh -L), by the name localhost."
        )


def let_guests_in(platform: Platform, url: str, host: str) -> None:
    """Open the platform to others if it listens for them, and say with which link they come in."""
    if host in _OWN:
        return
    token = platform.let_others_in().reveal()
    address = _outgoing_address() if host in _EVERY else host
    name = f"[{address}]" if ":" in address else address
    theirs = f"http://{name}:{url.rpartition(':')[2]}"
    say(
        "",
        f"  Warning   other machines can reach this platform at {theirs}.",
        "            Nothing is encrypted, and whoever has this link may be anybody here:",
        f"  Guests    {theirs}/#token={token}",
        f"  Programs  {theirs}/token/{token}/ (a service's http_server_uri; and ws:// alike)",
        "            The token is new in every run.",
    )


def _outgoing_address() -> str:
    """The address of this machine that others are likely to know; its name if there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_SOMEWHERE)
        except OSError:
            return socket.gethostname()
        return str(probe.getsockname()[0])
