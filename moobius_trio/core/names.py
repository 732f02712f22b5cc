"""Checked names: misspelt or foreign callbacks, attributes and arguments, each with ours.

The table itself is data in `core.moved`; no service class is imported here.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from moobius_trio.core.moved import MOVED, Moved
from moobius_trio.core.signatures import accepts, is_async
from moobius_trio.errors import CallbackError

__all__ = (
    "MOVED",
    "Moved",
    "attribute_hint",
    "check_callbacks",
    "not_a_callback",
    "refused_argument",
)

F = TypeVar("F")
Table = Mapping[str, tuple[str, ...]]

HELPER_MARK = "_moobius_not_a_callback"
HELPER_REMEDY = "mark a helper of your own @not_a_callback"

_CALLBACKS = {moved.old: moved for moved in MOVED if moved.kind == "callback"}
_METHODS = {moved.old: moved for moved in MOVED if moved.kind == "method"}
_ARGUMENTS = {moved.old: moved for moved in MOVED if moved.kind == "argument"}


def not_a_callback(method: F) -> F:
    """Mark a method ``on_…`` as a helper of the author's own, which the SDK never calls.

    An overriding method of that name is left alone as well.
    """
    setattr(method, HELPER_MARK, True)
    return method


def check_callbacks(cls: type, callbacks: Mapping[str, tuple[str, ...]]) -> None:
    """Check each method ``on_…`` in the body of a service class and of its mixins.

    To be called when the class is made. Names of callbacks in other SDKs count too where they do
    not begin with ``on_``.

    Args:
        callbacks: every callback's name with its parameters after ``self``.

    Raises:
        CallbackError: a method is no callback, or has other parameters, or is not ``async def``;
            the message has the right form.
    """
    for base in cls.__mro__:
        is_service = all(hasattr(base, name) for name in callbacks)
        if base is not cls and is_service:
            continue  # checked when it was made itself
        for name, attribute in vars(base).items():
            if not name.startswith("on_") and name not in _CALLBACKS:
                continue
            if any(hasattr(vars(owner).get(name), HELPER_MARK) for owner in cls.__mro__):
                continue
            where = f"{base.__name__}.{name}"
            if name in callbacks:
                _check_form(where, base, name, attribute, callbacks)
            elif _is_method(attribute):
                raise CallbackError(where, f"is no callback; {_remedy(name, callbacks)}")


def attribute_hint(name: str) -> str | None:
    """What to write instead of an attribute of another SDK's service; None for any other name.

    A clause to follow ``Demo.send_message: ``, for a MovedError.
    """
    moved = _METHODS.get(name)
    return None if moved is None else _clause(moved)


def refused_argument(name: str) -> str | None:
    """What to write instead of an argument of another SDK; None for any other name.

    A clause to follow ``wand.run(background=…): ``, for a MovedError.
    """
    moved = _ARGUMENTS.get(name)
    return None if moved is None else _clause(moved)


def _check_form(where: str, base: type, name: str, attribute: object, callbacks: Table) -> None:
    form = f"write `{_form(name, callbacks)}`"
    if not _is_method(attribute):
        raise CallbackError(where, f"is a callback and must be a method: {form}")
    method: Callable[..., object] = getattr(base, name)
    if inspect.isasyncgenfunction(inspect.unwrap(method)):
        raise CallbackError(where, f"must not yield: {form}")
    if not is_async(method):
        wrapped = getattr(method, "__name__", name) != name
        remedy = " (its decorator hides the method: functools.wraps)" if wrapped else ""
        raise CallbackError(where, f"is not asynchronous{remedy}: {form}")
    if not accepts(method, len(callbacks[name]) + _takes_self(attribute)):
        raise CallbackError(where, f"does not take what it is given: {form}")


def _is_method(attribute: object) -> bool:
    """Whether a class attribute is something to be called; a nested class is not."""
    if isinstance(attribute, type):
        return False
    return callable(attribute) or hasattr(attribute, "__func__")


def _takes_self(attribute: object) -> bool:
    static = isinstance(attribute, staticmethod | classmethod)
    return hasattr(type(attribute), "__get__") and not static


def _form(name: str, callbacks: Table) -> str:
    return f"async def {name}({', '.join(('self', *callbacks[name]))})"


def _remedy(name: str, callbacks: Table) -> str:
    moved = _CALLBACKS.get(name)
    if moved is not None:
        own = moved.new.removeprefix("MoobiusUser.")  # which it may be that is made
        ours = _form(own, callbacks) if own in callbacks else moved.new
        return f"{_clause(moved, ours)}; {HELPER_REMEDY}"
    bare = {callback.removeprefix("on_"): callback for callback in callbacks}
    close = difflib.get_close_matches(name.removeprefix("on_").lower(), bare, n=1)
    if close:
        right = bare[close[0]]
        return f"did you mean {right}? Write `{_form(right, callbacks)}`, or {HELPER_REMEDY}"
    return f"there are {', '.join(callbacks)}; {HELPER_REMEDY}"


def _clause(moved: Moved, ours: str | None = None) -> str:
    return "".join(_parts(moved, moved.new if ours is None else ours))


def _parts(moved: Moved, ours: str) -> Iterator[str]:
    yield f"{'an argument' if moved.kind == 'argument' else 'a name'} of {moved.origin}; "
    yield f"here write `{ours}`" if ours else "nothing stands for it here"
    if moved.note:
        yield f" ({moved.note})"
