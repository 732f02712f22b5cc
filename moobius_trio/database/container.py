"""Containers declared on a class, with the types of their keys and values.

Only the declaration: where a container is kept and how is the storage's matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, overload

from moobius_trio.database.cached_dict import CachedDict
from moobius_trio.types import UserId

if TYPE_CHECKING:
    from moobius_trio.database.storage import MoobiusStorage

__all__ = ("Container", "HasStorage", "container", "declared_containers")

K = TypeVar("K")
V = TypeVar("V")


class HasStorage(Protocol):
    """Whatever containers can be declared on: a band, or the service itself."""

    @property
    def _storage(self) -> MoobiusStorage: ...


class Container(Generic[K, V]):
    """A declared container; made by `container`.

    Reading the attribute gives the `CachedDict`; assigning a mapping replaces its content in one
    commit.
    """

    def __init__(
        self, declared: object, key: object, factory: Callable[[], V] | None = None
    ) -> None:
        self.declared = declared
        """The type of the values."""
        self.key = key
        """The type of the keys."""
        self.factory = factory
        """Makes a missing value when it is read by ``[]``."""
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Container[K, V]: ...
    @overload
    def __get__(self, instance: HasStorage, owner: type) -> CachedDict[K, V]: ...
    def __get__(
        self, instance: HasStorage | None, owner: type
    ) -> Container[K, V] | CachedDict[K, V]:
        return self if instance is None else instance._storage.container(self.name)

    def __set__(self, instance: HasStorage, value: Mapping[K, V]) -> None:
        setattr(instance._storage, self.name, value)


@overload
def container(
    declared: type[V], /, *, factory: Callable[[], V] | None = None
) -> Container[UserId, V]: ...


@overload
def container(
    declared: type[V], /, *, key: type[K], factory: Callable[[], V] | None = None
) -> Container[K, V]: ...


def container(
    declared: Any, /, *, key: Any = UserId, factory: Callable[[], Any] | None = None
) -> Container[Any, Any]:
    """Declare a container: ``states = container(State, factory=State)`` in a `Band` subclass.

    What is stored is brought into the declared type when it is loaded, and checked against it
    when it is stored.

    Args:
        declared: the type of its values: a `stored` class, or built-ins such as ``list[str]``.
        key: the type of its keys; `UserId` unless given.
        factory: makes the value that ``[]`` gives for a missing key, and stores it. ``in`` and
            ``get`` never make one.
    """
    return Container(declared, key, factory)


def declared_containers(cls: type) -> dict[str, Container[Any, Any]]:
    """The containers declared on a class and its bases, by name."""
    found: dict[str, Container[Any, Any]] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            if isinstance(value, Container):
                found[name] = value
            else:
                found.pop(name, None)
    return found
