"""The world together with what it needs to run: store, clock, ids, tokens, knobs.

No socket, no route and no rule here. Both the HTTP calls and the sessions work on this.
"""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Final

import trio

from moobius_trio.codec.generations import Generation
from moobius_trio.local.access import Access
from moobius_trio.local.credentials import TokenBook, hash_password
from moobius_trio.local.knobs import Knobs
from moobius_trio.local.records import Account, Change
from moobius_trio.local.store import Store
from moobius_trio.local.world import World
from moobius_trio.types import RunSync, Secret, Tokens, UserId

__all__ = ("ID_PREFIX", "State")

ID_PREFIX: Final = "local-"
"""What every id of the local platform begins with, so that none is taken for a real one."""


class State:
    """One platform's state. Without a store it lives in memory only."""

    def __init__(
        self,
        *,
        world: World,
        store: Store | None,
        knobs: Knobs,
        run_sync: RunSync,
        wall_clock: Callable[[], float],
        random: random.Random,
        password_work: int,
    ) -> None:
        self.world = world
        self.knobs = knobs
        self.run_sync = run_sync
        self.tokens = TokenBook()
        self.calls: Counter[str] = Counter()
        """How often each call of the protocol was made, by method and path."""
        self.access = Access()
        self.front_port: int | None = None
        """Where clients come in, if another program listens for the platform."""
        self._store = store
        self._files: dict[str, bytes] = {}
        self._wall_clock = wall_clock
        self._random = random
        self._password_work = password_work

    @property
    def now(self) -> float:
        """Seconds since 1970."""
        return self._wall_clock()

    @property
    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return int(self._wall_clock() * 1000)

    def new_id(self) -> str:
        """A fresh id. It names something and opens nothing: secrets are made elsewhere."""
        return f"{ID_PREFIX}{uuid.UUID(int=self._random.getrandbits(128), version=4)}"

    def change(self, *changes: Change) -> None:
        """Make the changes in the world now, and on disk soon."""
        for change in changes:
            self.world.apply(change)
        if self._store is not None:
            self._store.put(changes)

    async def saved(self) -> None:
        """Wait until all changes so far are on disk, so that a reply promises no less.

        Raises:
            StorageError: they cannot be written now.
        """
        if self._store is None:
            await trio.lowlevel.checkpoint()
        else:
            await self._store.flush()

    async def save_file(self, key: str, content: bytes) -> None:
        """Keep the bytes of an upload.

        Raises:
            StorageError: they cannot be written.
        """
        if self._store is None:
            self._files[key] = content
            await trio.lowlevel.checkpoint()
        else:
            await self._store.save_upload(key, content)

    async def load_file(self, key: str) -> bytes:
        """The bytes of an upload that the world knows.

        Raises:
            StorageError: they cannot be read.
        """
        if self._store is None:
            await trio.lowlevel.checkpoint()
            return self._files[key]
        return await self._store.load_upload(key)

    async def hash_password(self, password: Secret) -> str:
        """What is kept of a password."""
        return await self.run_sync(hash_password, password, self._password_work)

    def issue_tokens(self, account: Account, generation: Generation = 0) -> Tokens:
        """New tokens for the account, good for as long as the knobs say."""
        return self.tokens.issue(
            account.user_id,
            now=self.now,
            access_seconds=self.knobs.access_seconds,
            refresh_seconds=self.knobs.refresh_seconds,
            generation=generation,
        )

    def user_of(self, access_token: str) -> UserId | None:
        """Whose access token it is; None when it is nobody's or has expired."""
        return self.tokens.access(access_token, now=self.now)
