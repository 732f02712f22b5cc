"""Keys and values that try a store: hostile keys, every kind of value, and exact comparison.

Data and Hypothesis strategies only; what is done with them is the suite's matter.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from moobius_trio.types import Character

__all__ = ("HOSTILE_KEYS", "exactly", "hashable_values", "storable_values")

HOSTILE_KEYS: tuple[str, ...] = (
    "",
    ".",
    "..",
    "../x",
    "../../evil",
    "/etc/passwd",
    "C:\\x",
    "a/b",
    "a\x00b",
    "CON",
    "con",
    "A",
    "a",
    "\u00e9",
    "e\u0301",
    "%2e%2e",
    "%",
    "%%",
    "k" * 300,
    "k" * 299 + "j",
    "😀",
    "\ud800",
    "trailing.",
    "trailing ",
    "_type",
    "_key",
    "_value",
    "$type",
    ".new-1",
    ".lock",
    "x.json",
    "x.json.corrupt-1",
)
"""Keys that have led stores astray: each must keep a record of its own."""


def exactly(value: object) -> object:
    """Something equal only for values that are the same down to their types and their order."""
    kind = type(value)
    if isinstance(value, dict):
        return kind, [(exactly(key), exactly(one)) for key, one in value.items()]
    if isinstance(value, list | tuple):
        return kind, [exactly(one) for one in value]
    if isinstance(value, set | frozenset):
        return kind, sorted(repr(exactly(one)) for one in value)
    if isinstance(value, datetime):
        return kind, value.isoformat(), value.fold, getattr(value.tzinfo, "key", None)
    return kind, repr(value)


def _zones() -> st.SearchStrategy[Any]:
    fixed = timezone(timedelta(hours=5, minutes=30))
    return st.sampled_from([None, UTC, fixed, ZoneInfo("Europe/Berlin")])


_texts = st.text(st.characters(), max_size=8) | st.sampled_from(HOSTILE_KEYS)
_moments = st.datetimes(min_value=datetime(1900, 1, 1), timezones=_zones())
hashable_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | _texts
    | st.binary(max_size=8)
    | _moments
    | st.dates(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
_leaves = (
    hashable_values
    | st.floats()
    | st.times()
    | st.timedeltas()
    | st.builds(Character, user_id=_texts, nickname=_texts, avatar=_texts)
)
storable_values: st.SearchStrategy[Any] = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(_texts, inner, max_size=4)
        | st.dictionaries(hashable_values, inner, max_size=3)
        | st.sets(hashable_values, max_size=3)
    ),
    max_leaves=8,
)
"""Every kind of value that may be stored, nested."""
