"""The fast library does what the standard library's json does: same values, text and words."""

from __future__ import annotations

import enum
import json
import math
import uuid
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moobius_trio.codec.strict import dump_strictly, parse_strictly
from moobius_trio.codec.text import MAX_DEPTH, dump, parse
from moobius_trio.errors import MalformedPayload

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=20)
"""Lone surrogates and control characters too."""

values = st.recursive(
    st.none() | st.booleans() | ANY_TEXT | st.integers() | st.floats(),
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.dictionaries(ANY_TEXT, inside, max_size=4)
        | st.lists(inside, max_size=3).map(tuple)
        | st.dictionaries(ANY_TEXT, inside, max_size=3).map(MappingProxyType)
    ),
    max_leaves=12,
)
"""Whatever a program may put into a free part, NaN and integers of any size among it."""

parts = st.one_of(
    st.sampled_from(
        [
            *(
                '{"a":1,"b":2,"a":3}',
                "[",
                "]",
                "{",
                "}",
                ",",
                ":",
                " ",
                "\t",
                "\n",
                "\x0b",
                "\ufeff",
            ),
            *('"a"', '"', "'a'", "\\", '"\\ud83d\\ude00"', '"\\ud83d"', '"\\uDE00x"', '"\\u12"'),
            *('"\\x"', '"\x00"', '"\x1f"', '"\x7f"', '"\ud800"', "é", '"é"', "//", "true", "nul"),
            *("null", "None", "NaN", "-Infinity", "-0", "-0.0", "01", "1.", ".5", "+1", "1e5", "-"),
            *("1E400", "-1e400", "1e-400", "0.1", "1e15", "1e16", "5e-324", "9007199254740993.0"),
            *("18446744073709551615", "18446744073709551616", "-9223372036854775808"),
            *("-9223372036854775809", "9" * 308, "9" * 400, "-" + "9" * 4300, "9" * 4301),
            *("0." + "1" * 900, "[" * 63, "]" * 63, '{"a":' * 64, "}" * 64, "[" * 300),
        ]
    ),
    values.map(lambda value: json.dumps(value, default=dict)),
    st.integers().map(str),
    st.floats().map(repr),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
)
texts = st.lists(parts, max_size=6).map("".join)
"""JSON, nearly JSON, and what a hostile client may send."""


def outcome(do: Callable[[], object]) -> object:
    """What comes of it, so that two ways of doing it can be compared: kinds, order and all."""
    try:
        return "done", repr(do())
    except MalformedPayload as exc:
        return "malformed", exc.what, exc.faults
    except (TypeError, ValueError) as exc:
        return type(exc).__name__, str(exc)


def same_reading(text: str | bytes) -> None:
    """Both read the same, or refuse it in the same words."""
    fast = outcome(partial(parse, text, "frame"))
    assert fast == outcome(partial(parse_strictly, text, "frame", MAX_DEPTH))


@given(texts)
@example("[" * MAX_DEPTH + "]" * MAX_DEPTH)
@example("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
@example('{"a":' * MAX_DEPTH + "{}" + "}" * MAX_DEPTH)
@example('{"a":[18446744073709551616]}')
def test_texts_are_read_alike(text: str) -> None:
    """Each text gives the same value, of the same kinds in the same order, or the same words."""
    same_reading(text)
    same_reading(text.encode(errors="surrogatepass"))


@given(st.binary(max_size=60) | texts.map(lambda text: text.encode("utf-16", "surrogatepass")))
@example(b'"\xed\xa0\x80"')
@example(b'"\xc0\xaf"')
@example(b'\xef\xbb\xbf{"a":1}')
def test_bytes_are_read_alike(data: bytes) -> None:
    """So does each row of bytes, UTF-8 or not."""
    same_reading(data)


@given(values)
def test_what_was_written_is_read_alike(value: object) -> None:
    """JSON with escapes and spaces in it, as other libraries write it, is read the same."""
    same_reading(json.dumps(value, default=dict, indent=1))
    same_reading(json.dumps(value, default=dict, ensure_ascii=False))


@given(values)
@example({"a": math.nan})
@example([math.inf])
@example([1e16, 1e-5, 1e15, 1e-4, 0.1, -0.0, 123456789012345.6])
@example({"a": 2**64, "b": -(2**63) - 1})
@example({"\ud800": "\udfff"})
def test_values_are_written_alike(value: object) -> None:
    """Each value has the same text, letter for letter, or is refused by the same error."""
    assert outcome(partial(dump, value)) == outcome(partial(dump_strictly, value))


class Word(enum.StrEnum):
    """An author's own words."""

    HELLO = "hello"


class Colour(enum.Enum):
    """An enumeration that is no text."""

    RED = "red"


class Pair(NamedTuple):
    """A tuple with names."""

    a: int
    b: int


class Number(float):
    """A float of an author's own."""


@pytest.mark.parametrize(
    "value",
    [
        Word.HELLO,
        Colour.RED,
        Pair(1, 2),
        Number(1.5),
        uuid.UUID(int=7),
        orjson.Fragment(b"{}"),
        b"bytes",
        {1, 2},
        OrderedDict(a=1),
        {7: "int", None: "none", True: "bool", 1.5: "float"},
        {Word.HELLO: Word.HELLO},
        {Colour.RED: 1},
        {uuid.UUID(int=7): 1},
        {b"a": 1},
        {(1,): 1},
    ],
)
def test_what_an_author_may_pass_by_mistake(value: object) -> None:
    """Types that the fast library knows and json does not are refused as ever, at any place."""
    places: list[Any] = [value, [value], {"a": (value,)}, MappingProxyType({"a": value})]
    for place in places:
        assert outcome(partial(dump, place)) == outcome(partial(dump_strictly, place))
