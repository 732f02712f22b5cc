"""Who is connected: sessions under the id that logged in on them. No I/O and no rule here."""

from __future__ import annotations

from typing import Generic, TypeVar

from moobius_trio.local.session import Session

__all__ = ("Roster",)

K = TypeVar("K")


class Roster(Generic[K]):
    """The sessions of each id, in the order in which they logged in."""

    def __init__(self) -> None:
        self._sessions: dict[K, dict[Session, None]] = {}

    def __contains__(self, key: K) -> bool:
        return key in self._sessions

    def __getitem__(self, key: K) -> tuple[Session, ...]:
        """The sessions of this id; none for an id that is not connected."""
        return tuple(self._sessions.get(key, ()))

    def add(self, key: K, session: Session) -> None:
        """Adding a session that is there already changes nothing."""
        self._sessions.setdefault(key, {})[session] = None

    def remove(self, key: K, session: Session) -> None:
        """Removing a session that is not there changes nothing."""
        of_key = self._sessions.get(key, {})
        of_key.pop(session, None)
        if not of_key:
            self._sessions.pop(key, None)
