"""Questions about the author's functions: is it asynchronous, what does it take, what is it called?

Nothing here calls what it looks at, and no message to a user is made here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

__all__ = ("accepts", "is_async", "name_of", "required_positional")


def is_async(fn: object) -> bool:
    """True for ``async def``, also under decorators that name what they wrap.

    A decorator's own ``async def`` counts as well as the one it wraps: either makes the call
    awaitable.
    """
    if not callable(fn):
        return False
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(inspect.unwrap(fn))


def accepts(fn: Callable[..., object], count: int) -> bool:
    """True when ``fn`` can be called with ``count`` positional arguments and nothing else."""
    try:
        inspect.signature(fn).bind(*range(count))
    except ValueError:  # it does not say what it takes
        return True
    except TypeError:
        return False
    return True


def required_positional(fn: Callable[..., object]) -> int | None:
    """How many positional arguments ``fn`` cannot do without; None if it also needs others.

    A bound method's ``self`` is not counted, a plain function's is.
    """
    count = 0
    for parameter in inspect.signature(fn).parameters.values():
        if parameter.default is not parameter.empty:
            continue
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            count += 1
        elif parameter.kind is parameter.KEYWORD_ONLY:
            return None
    return count


def name_of(fn: object) -> str:
    """What a function is called in logs and errors, such as ``Demo.greet``.

    Raises:
        TypeError: it is no function, but the coroutine that calling one has given.
    """
    if inspect.iscoroutine(fn):
        fn.close()  # nobody will await it, and that is no second mistake
        raise TypeError(
            f"{fn.__qualname__}() was called, and its result given in place of the function: "
            "write (fn, …) with its arguments behind it, and no call"
        )
    named = getattr(fn, "func", fn)  # what a functools.partial wraps
    return str(getattr(named, "__qualname__", None) or repr(fn)).rpartition("<locals>.")[2]
