"""Text to values and back: the only place that knows the wire's names. Pure.

One module for each generation of the protocol (``generation0``) and one for its HTTP bodies
(``http0``); the rest is what they are made of. No trio, no sockets, no clock, no ids made here.
"""

from __future__ import annotations

from moobius_trio.codec.frames import ClientFrame
from moobius_trio.codec.text import MAX_DEPTH, MAX_MESSAGE_BYTES

__all__ = ("MAX_DEPTH", "MAX_MESSAGE_BYTES", "ClientFrame")
