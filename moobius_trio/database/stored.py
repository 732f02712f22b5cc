"""The classes whose objects may be stored: a closed list, by name and version.

A name in stored data is looked up in this list and nowhere else; no module is ever imported and
no attribute ever fetched because data says so. How fields are written as JSON is not said here.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, TypeVar, overload

import attrs

from moobius_trio import types as words
from moobius_trio.database.plain import AS_IT_IS
from moobius_trio.database.shapes import Misfit, Shape, exact_kinds, fit, shape_of

__all__ = (
    "Migration",
    "StoredClass",
    "StoredField",
    "classes_in",
    "declared_shape",
    "find",
    "of_type",
    "stored",
)

T = TypeVar("T")

Migration = Callable[[dict[str, Any], int], Mapping[str, Any]]
"""Gets the stored fields and the version they were stored with, gives today's fields."""

# All but those with a token or password in them.
_WORDS: tuple[type, ...] = (
    words.Action,
    words.BottomButton,
    words.ChannelInfo,
    words.Character,
    words.Content,
    words.Copy,
    words.Dialog,
    words.Feature,
    words.FeatureArgument,
    words.FeatureCall,
    words.FeatureCallArgument,
    words.Gap,
    words.GenericUpdate,
    words.Group,
    words.GroupMessage,
    words.MenuItem,
    words.MenuItemClick,
    words.MessageDown,
    words.MessageUp,
    words.NewCharacter,
    words.Overflow,
    words.PastMessage,
    words.Ping,
    words.PlatformError,
    words.Playground,
    words.RawPayload,
    words.ServiceInfo,
    words.ServiceStatus,
    words.StyleItem,
    words.UnknownPayload,
    words.UpdateChannelInfo,
    words.UpdateCharacterGroup,
    words.UpdateFeatures,
    words.UpdateMenu,
    words.UpdatePlayground,
    words.UpdateStyle,
    words.UpdateUserList,
    words.UserAction,
    words.UserInfo,
    words.UserMessage,
)


@attrs.frozen
class StoredField:
    """One field of a stored class."""

    name: str
    alias: str
    """What the constructor calls it."""
    init: bool
    default: bool
    shape: Shape
    simple: frozenset[type] = attrs.field(init=False)
    """The plain types that the shape takes without a further look."""

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "simple", AS_IT_IS & exact_kinds(self.shape))


@attrs.define(eq=False)
class StoredClass:
    """A class on the list."""

    cls: type
    name: str
    version: int = 1
    migrate: Migration | None = None
    mutable: bool = True
    """False for members of an Enum and for classes with a hash of their own."""
    _fields: tuple[StoredField, ...] | None = None

    @property
    def fields(self) -> tuple[StoredField, ...]:
        """The fields with their shapes; annotations are read at first use, when all exist.

        Raises:
            Misfit: an annotation names something that is not there.
        """
        if self._fields is None:
            self._fields = tuple(_fields_of(self.cls))
        return self._fields

    def make(self, values: Mapping[str, object], *, lenient: bool = False) -> object:
        """An object from its field values.

        Args:
            values: by field name; missing ones take the class's default, extra ones are ignored.
            lenient: None stands for the default where None is not declared, as in the original's
                files.

        Raises:
            Misfit: a field is missing or not what is declared, or the class itself refuses.
        """
        given: dict[str, object] = {}
        later: dict[str, object] = {}
        for field in self.fields:
            if field.name not in values:
                if not field.default:
                    raise Misfit("is missing").at(f".{field.name}")
                continue
            try:
                value = fit(field.shape, values[field.name])
            except Misfit as exc:
                if lenient and field.default and values[field.name] is None:
                    continue
                raise exc.at(f".{field.name}") from None
            (given if field.init else later)[field.alias if field.init else field.name] = value
        try:
            made: object = self.cls(**given)
        except Exception as exc:  # the author's validators and converters may raise anything
            raise Misfit(f"{self.name} cannot be made of it: {exc!r}") from exc
        for name, value in later.items():
            object.__setattr__(made, name, value)
        return made


_by_class: dict[type, StoredClass] = {}
_by_name: dict[str, list[StoredClass]] = {}


@overload
def stored(cls: type[T], /) -> type[T]: ...


@overload
def stored(
    *, name: str | None = None, version: int = 1, migrate: Migration | None = None
) -> Callable[[type[T]], type[T]]: ...


def stored(
    cls: type[T] | None = None,
    /,
    *,
    name: str | None = None,
    version: int = 1,
    migrate: Migration | None = None,
) -> type[T] | Callable[[type[T]], type[T]]:
    """Let objects of an attrs class, or members of an Enum, be stored.

    Goes above ``@attrs.define``.

    A field that is new and has a default needs no new version. For anything else raise
    ``version`` and give ``migrate(fields, version)``: it gets the fields as stored and gives
    today's.

    Args:
        name: what stands in the data; the class's own name otherwise. Two classes may share a
            name as long as each is used in containers that are declared with it.

    Raises:
        TypeError: it is no attrs class, or the name is one of moobius_trio's own.
    """
    if version < 1:
        raise TypeError("versions begin with 1")

    def register(one: type[T]) -> type[T]:
        title = name or one.__name__
        if not _can_be_stored(one):
            raise TypeError(
                f"@stored needs an attrs class; put it above @attrs.define of {one.__qualname__}"
            )
        if any(entry.cls in _WORDS for entry in _by_name.get(title, ())):
            raise TypeError(
                f"moobius_trio has a class {title} of its own; use @stored(name=…) for yours"
            )
        _register(StoredClass(one, title, version, migrate, _is_mutable(one)))
        return one

    return register if cls is None else register(cls)


def of_type(cls: type) -> StoredClass | None:
    """The entry of a class; None when it is not on the list. Subclasses are not."""
    return _by_class.get(cls)


def find(name: str, preferred: Mapping[str, StoredClass]) -> StoredClass:
    """The class that is stored under a name.

    Args:
        preferred: the classes that the container is declared with.

    Raises:
        Misfit: there is none, or several.
    """
    entry = preferred.get(name)
    if entry is not None:
        return entry
    entries = _by_name.get(name, [])
    if not entries:
        raise Misfit(f"{name!r} is no stored class; put @stored above the class of that name")
    if len(entries) > 1:
        raise Misfit(
            f"{len(entries)} classes are stored under the name {name!r}; "
            "declare the container with one of them, or give them names by @stored(name=…)"
        )
    return entries[0]


def declared_shape(declared: object) -> Shape:
    """The shape of a declared type, in which stored classes can be made from plain objects."""
    return shape_of(declared, _build)


def classes_in(declared: object) -> dict[str, StoredClass]:
    """The stored classes that a declared type speaks of, by name, also inside their fields."""
    found: dict[str, StoredClass] = {}
    for entry in _walk(declared, set()):
        found.setdefault(entry.name, entry)
    return found


def _walk(declared: object, seen: set[type]) -> Iterator[StoredClass]:
    for arg in typing.get_args(declared):
        yield from _walk(arg, seen)
    if isinstance(declared, type) and declared in _by_class and declared not in seen:
        seen.add(declared)
        yield _by_class[declared]
        if attrs.has(declared):
            for hint in _hints(declared).values():
                yield from _walk(hint, seen)


def _register(entry: StoredClass) -> None:
    entries = _by_name.setdefault(entry.name, [])
    # A module that is loaded again replaces its classes.
    place = (entry.cls.__module__, entry.cls.__qualname__)
    entries[:] = [one for one in entries if (one.cls.__module__, one.cls.__qualname__) != place]
    entries.append(entry)
    _by_class[entry.cls] = entry


def _can_be_stored(cls: type) -> bool:
    return attrs.has(cls) or issubclass(cls, Enum)


def _is_mutable(cls: type) -> bool:
    return not issubclass(cls, Enum) and cls.__hash__ in (None, object.__hash__)


def _build(cls: type, values: dict[Any, Any]) -> object:
    """An object from plain data that does not say its class: the annotation does."""
    entry = _by_class.get(cls)
    if entry is None or issubclass(cls, Enum):
        raise Misfit.of(values, cls.__name__)
    return entry.make(values, lenient=True)


def _fields_of(cls: type) -> Iterator[StoredField]:
    if not attrs.has(cls):
        return
    hints = _hints(cls)
    for field in attrs.fields(cls):
        yield StoredField(
            name=field.name,
            alias=field.alias or field.name,
            init=field.init,
            default=field.default is not attrs.NOTHING or not field.init,
            shape=declared_shape(hints.get(field.name, object)),
        )


def _hints(cls: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls)
    except NameError:
        # Classes of a function's body are in no module; those that are stored are known here.
        known = {one.__name__: one for one in _by_class}
    try:
        return typing.get_type_hints(cls, localns=known)
    except NameError as exc:
        raise Misfit(f"an annotation of {cls.__qualname__} cannot be read: {exc}") from exc


for _word in _WORDS:
    _register(StoredClass(_word, _word.__name__, mutable=False))
