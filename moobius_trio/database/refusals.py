"""What an author is told when a change is refused at once; when that is, the containers decide."""

from __future__ import annotations

from moobius_trio.database.engine import Place
from moobius_trio.database.shapes import Misfit
from moobius_trio.errors import StorageError, StorageTypeError

__all__ = ("busy", "no_key", "shared", "unstorable")


def unstorable(container: str, key: object, found: Misfit) -> StorageTypeError:
    """The error for a value that cannot be stored."""
    return StorageTypeError(container, key, "".join(found.path), found.problem)


def no_key(container: str, key: object, found: Misfit) -> StorageTypeError:
    """The error for what cannot be a key."""
    return StorageTypeError(container, key, "", f"the key {found.problem}")


def shared(container: str, key: object, holder: str, other: object) -> StorageTypeError:
    """The error for one value under two keys: ``other`` of the container ``holder`` has it."""
    return StorageTypeError(
        container,
        key,
        "",
        f"is the same object as {holder}[{other!r}], so a change of one would be a change "
        "of both; store a copy",
    )


def busy(place: Place, key: object) -> StorageError:
    """The error for a record that an open transaction of another handler has changed."""
    return StorageError(
        f"{place}[{key!r}]",
        "is being changed in an open transaction of another handler",
        "Try again when that has ended",
    )
