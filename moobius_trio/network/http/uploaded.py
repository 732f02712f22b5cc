"""Which files lie at the platform already, so that the same content is posted once.

Addresses by key, bounded; what a key is made of and how a file is posted is not known here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

import trio

__all__ = ("Uploaded",)

MOST: Final = 1024


class Uploaded:
    """The addresses of files uploaded before, the last ``most`` that were asked for."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._addresses: OrderedDict[str, str] = OrderedDict()
        self._uploading: dict[str, trio.Lock] = {}

    async def once(self, key: str, upload: Callable[[], Awaitable[str]]) -> str:
        """The address for the key; ``upload`` is called when it is not known.

        Whoever asks for the same key meanwhile waits for that upload, and makes its own if it
        fails or is cancelled. What ``upload`` raises is raised, and nothing is remembered.
        """
        lock = self._uploading.setdefault(key, trio.Lock())
        try:
            async with lock:
                address = self._addresses.get(key)
                if address is None:
                    address = self._addresses[key] = await upload()
                    if len(self._addresses) > self._most:
                        self._addresses.popitem(last=False)
                else:
                    self._addresses.move_to_end(key)
        finally:
            if not lock.locked():
                self._uploading.pop(key, None)
        return address
