"""What systemd is told of a service of ``Type=notify``: ready, stopping, alive.

The protocol is that of sd_notify(3): lines in a datagram to the socket that ``NOTIFY_SOCKET``
names. Nothing of a service is known here.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping

import structlog
import trio

__all__ = ("Notifier",)

log = structlog.get_logger()

STATUS_SECONDS = 10.0
"""How often the status is looked at."""


class Notifier:
    """Tells systemd, if it asked for that; otherwise does nothing.

    Args:
        environ: the environment; ``NOTIFY_SOCKET`` (a path, or ``@`` and an abstract name),
            ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` count.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._said: dict[str, str] = {}
        self._failed = False
        self._interval = _watchdog_interval(environ)

    @property
    def wanted(self) -> bool:
        """Whether anybody listens."""
        return bool(self._address)

    def tell(self, name: str, value: str) -> None:
        """Send ``NAME=value`` unless that is what was sent last; never waits, never raises."""
        if self._said.get(name) != value:
            self._said[name] = value
            self._send(f"{name}={value}")

    async def keep_telling(self, status: Callable[[], str]) -> None:
        """Send the status whenever it is another one, and the sign of life, until cancelled.

        The sign of life comes from the event loop and so proves that it turns. It is sent twice
        in the time after which systemd gives the process up.
        """
        if not self.wanted:
            return
        while True:
            self.tell("STATUS", status())
            if self._interval is not None:
                self._send("WATCHDOG=1")
            await trio.sleep(min(STATUS_SECONDS, self._interval or STATUS_SECONDS))

    def _send(self, text: str) -> None:
        if not self.wanted:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto(text.encode(), address)
        except (OSError, ValueError) as exc:
            if not self._failed:
                log.warning("systemd cannot be told", socket=self._address, problem=str(exc))
            self._failed = True
        else:
            self._failed = False


def _watchdog_interval(environ: Mapping[str, str]) -> float | None:
    """Seconds between two signs of life; None where none are wanted of this process."""
    pid = environ.get("WATCHDOG_PID", "")
    try:
        seconds = int(environ.get("WATCHDOG_USEC", "0")) / 1_000_000
    except ValueError:
        return None
    return seconds / 2 if seconds > 0 and pid in ("", str(os.getpid())) else None
