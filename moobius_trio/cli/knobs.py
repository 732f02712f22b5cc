"""``--knob NAME=VALUE``: texts to a platform's knobs and back.

What a knob means stands with ``Knobs``.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs

from moobius_trio.errors import UsageError
from moobius_trio.local import Knobs

__all__ = ("changed_knobs", "read_knobs")

_TRUTH = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


def read_knobs(given: Sequence[str], base: Knobs) -> Knobs:
    """``base``, changed by texts ``NAME=VALUE``; of two for the same name the later one counts.

    Raises:
        UsageError: a name is unknown or a value is none that it can have; one line.
    """
    kinds = get_type_hints(Knobs)
    changes: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if name not in kinds:
            near = difflib.get_close_matches(name, kinds, n=1)
            hint = f"did you mean {near[0]}?" if near else "`moobius-trio local --help` lists them."
            raise UsageError(f"there is no knob {name!r}; {hint}")
        try:
            if not equals:
                raise ValueError
            changes[name] = _read(value.strip(), kinds[name])
            attrs.evolve(base, **{name: changes[name]})
        except (ValueError, TypeError):
            raise UsageError(
                f"{value!r} is no value for the knob {name}; it takes {_describe(kinds[name])}."
            ) from None
    return attrs.evolve(base, **changes)


def changed_knobs(knobs: Knobs) -> list[str]:
    """Those that are not as by default, each as ``NAME=VALUE``."""
    usual = Knobs()
    return [
        f"{field.name}={_show(getattr(knobs, field.name))}"
        for field in attrs.fields(Knobs)
        if getattr(knobs, field.name) != getattr(usual, field.name)
    ]


def _read(value: str, kind: Any) -> object:
    arguments = get_args(kind)
    origin = get_origin(kind)
    if origin is Literal:
        return value  # the knob's own validator knows the choices
    if origin is tuple:
        return tuple(part.strip() for part in value.split(",")) if value else ()
    if origin in (Union, types.UnionType):
        return None if value.lower() == "none" else _read(value, arguments[0])
    if kind is bool:
        if value.lower() not in _TRUTH:
            raise ValueError(value)
        return _TRUTH[value.lower()]
    found: object = kind(value)
    return found


def _show(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(value)
    return "none" if value is None else str(value)


def _describe(kind: Any) -> str:
    arguments = get_args(kind)
    origin = get_origin(kind)
    if origin is Literal:
        return " or ".join(arguments)
    if origin is tuple:
        return f"some of {', '.join(get_args(arguments[0]))}, with commas between"
    if origin in (Union, types.UnionType):
        return f"{_describe(arguments[0])}, or none"
    return {bool: "yes or no", int: "a whole number", float: "seconds"}.get(kind, "a text")
