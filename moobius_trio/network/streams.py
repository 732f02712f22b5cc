"""The connection of texts that outbox and link speak through, whatever carries it.

Protocols and one error; nothing here opens anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol, TypeAlias, runtime_checkable

from moobius_trio.errors import MoobiusError

__all__ = ("TOO_LARGE", "Connector", "CouldNotConnect", "FrameStream", "StartsAtOnce")

TOO_LARGE: Final = 1009
"""The close code of a peer that got more than it takes (RFC 6455 section 7.4.1)."""


class FrameStream(Protocol):
    """A connection on which one text is one frame.

    ``send_text`` and ``ping`` may be called by several tasks: frames come out whole, each after
    the other. ``receive_text`` is for one task at a time.
    """

    @property
    def heard(self) -> int:
        """A number that rises with every sign of life of the peer; only its change counts."""
        ...

    @property
    def closed(self) -> bool:
        """True once it is known that nothing can be written any more."""
        ...

    async def send_text(self, text: str) -> None:
        """Write one text; returns when the transport took it, which is no receipt.

        Cancelled, the connection has ended: the frame may be half written, and nothing can be
        written behind half a frame.

        Raises:
            ConnectionLost: the connection is closed.
        """
        ...

    async def send_texts(self, texts: Sequence[str]) -> None:
        """Write several texts, each a frame, in one go where the transport can.

        Returns, ends and raises as ``send_text``; which of them have left is then unknown.
        """
        ...

    async def receive_text(self) -> str:
        """The next text. Cancelled, no text is lost.

        Raises:
            ConnectionLost: the connection is closed and what came before is taken.
        """
        ...

    async def ping(self) -> None:
        """Send a WebSocket ping; returns when the peer has answered it, which may be never.

        Raises:
            ConnectionLost: the connection is closed.
        """
        ...

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye, wait at most a second for the answer, and close. Twice does no harm."""
        ...


@runtime_checkable
class StartsAtOnce(Protocol):
    """A connection that can write what the transport takes at once without a task of its own."""

    @property
    def heard(self) -> int:
        """As ``FrameStream.heard``."""
        ...

    @property
    def closed(self) -> bool:
        """As ``FrameStream.closed``."""
        ...

    def start_sending(self, texts: Sequence[str]) -> bool:
        """Take several texts, each a frame, and write as much of them as goes without waiting.

        True if all has left; else ``send_texts(())`` writes the rest, and nothing else may be
        written before.

        Raises:
            ConnectionLost: the connection is closed; which of them have left is then unknown.
        """
        ...


Connector: TypeAlias = Callable[[], AbstractAsyncContextManager[FrameStream]]
"""Opens a connection for the length of a block. When the block ends it says goodbye with 1000,
bounded, unless the block ended with ``ConnectionLost``: then it only closes. Entering it raises
``CouldNotConnect``."""


class CouldNotConnect(MoobiusError):
    """No connection came about.

    Attributes:
        reason: what happened, in words.
        fatal: True when trying again will not help: the address or the certificate is wrong.
        retry_after: seconds the platform asks to wait; None when it asks nothing.
    """

    exit_code = 69

    def __init__(
        self, reason: str, *, fatal: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fatal = fatal
        self.retry_after = retry_after
