"""One value, one text: what stands on disks does not depend on which encoder wrote it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import Enum, IntEnum, StrEnum
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moobius_trio.database import stored
from moobius_trio.database.encoding import MAX_DEPTH, Format
from moobius_trio.database.json_records import write_record
from moobius_trio.database.plain import has_text, is_plain, plain_text
from moobius_trio.database.shapes import Misfit

TEXTS = st.text(st.characters(codec=None, categories=None))
ATOMS = st.none() | st.booleans() | st.integers() | TEXTS
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
KEYS = TEXTS.filter(lambda key: not key.startswith("$"))
PLAIN = st.recursive(
    ATOMS | FLOATS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=30
)


@stored(name="canonical text's own")
@attrs.define
class Holder:
    number: float
    text: str
    items: list[object]
    found: dict[str, float | None]


def expected(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


@given(PLAIN)
@example([1e-4, 1e-5, 9e-6, 5e-324, 1e15, 1e16, 1e22, 1.7e308, -0.0, 0.1 + 0.2, 1e-4 - 1e-20])
@example({"": [2**63, 2**64, -(2**63) - 1, 10**30, 1e-7]})
@example({'\x00\x1f\x7f"\\/\b\f\n\r\t\u2028é😀': "\ud800", "a$": "$map"})
def test_plain_values_are_written_as_python_writes_json(value: object) -> None:
    """Byte for byte, whatever the size of a number and whatever stands in a text."""
    assert Format().encode(value) == expected(value)


@given(FLOATS, TEXTS, st.lists(PLAIN), st.dictionaries(KEYS, st.none() | FLOATS))
@example(1e-7, "\udfff", [1e300], {"x": 1e-300})
def test_plain_fields_of_objects_are_written_so_too(
    number: float, text: str, items: list[object], found: dict[str, float | None]
) -> None:
    """An object is its name, its version and its fields, in the order of the class."""
    fields = {"number": number, "text": text, "items": items, "found": found}
    written = Format(Holder).encode(Holder(number, text, items, found))
    assert written == expected({"$type": "canonical text's own", "version": 1, "fields": fields})


def nested(value: object, levels: int) -> object:
    for level in range(levels):
        value = [value] if level % 2 else {"k": value}
    return value


@pytest.mark.parametrize("inner", [1, 1.5, 1e-7, (), b"x", {1: 2}])
def test_how_deep_a_value_may_be_does_not_depend_on_what_is_in_it(inner: Any) -> None:
    """A list at the last level may hold texts and whole numbers, and nothing that has a level."""
    levels = MAX_DEPTH if type(inner) is int else MAX_DEPTH - (2 if type(inner) is dict else 1)
    Format().encode(nested(inner, levels))
    with pytest.raises(Misfit, match="nested"):
        Format().encode(nested(inner, MAX_DEPTH + 1))


class Word(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value", [(), {1: 1}, {"$x": 1}, Word("x"), {Word("x"): 1}, 1e-7, float("inf"), float("nan")]
)
def test_what_is_written_otherwise_is_not_taken_for_plain(value: object) -> None:
    """Wherever it lies; else it would come back as something else."""
    for around in (value, [value], {"k": value}, [{"k": [1, value]}]):
        assert not is_plain(around, MAX_DEPTH)
        assert plain_text(around, MAX_DEPTH) is None


@given(PLAIN.filter(lambda value: is_plain(value, MAX_DEPTH)))
@example({"k": [97.5, None, True, "a\u02ff"]})
def test_an_unchanged_value_of_plain_data_is_seen_at_once(value: object) -> None:
    """Nearly every value is, and each is looked at several times."""
    text = plain_text(value, MAX_DEPTH)
    if text is not None:  # lone surrogates and large whole numbers take the long way
        assert has_text(value, text) == (b"$" not in text)


class Number(IntEnum):
    ONE = 1


class Letter(StrEnum):
    A = "a"


class Kind(Enum):
    ONE = 1


@dataclass
class Point:
    x: int


class Whole(int):
    __slots__ = ()


class Row(list[int]):
    __slots__ = ()


class Table(dict[str, int]):
    __slots__ = ()


DAY = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MARK = "12345678-1234-5678-1234-567812345678"


@pytest.mark.parametrize(
    ("now", "before"),
    [
        ((1, 2), [1, 2]),
        (True, 1),
        (1.0, 1),
        (-0.0, 0.0),
        (math.nan, None),
        (-math.nan, None),
        (math.inf, None),
        (-math.inf, None),
        (Word("x"), "x"),
        (Whole(1), 1),
        (Number.ONE, 1),
        (Letter.A, "a"),
        (Kind.ONE, 1),
        (Row([1]), [1]),
        (Table(x=1), {"x": 1}),
        ({Word("x"): 1}, {"x": 1}),
        (Point(1), {"x": 1}),
        (DAY, DAY.isoformat()),
        (date(2026, 1, 2), "2026-01-02"),
        (time(3, 4, 5), "03:04:05"),
        (UUID(MARK), MARK),
        ({"$tuple": [1]}, (1,)),
        ({"$float": "nan"}, math.nan),
        (b"x", "x"),
        ([1, 2, 3], [1, 2]),
        ({"b": 1, "a": 2}, {"a": 2, "b": 1}),
    ],
)
def test_what_has_become_of_another_type_is_not_taken_for_unchanged(
    now: object, before: object
) -> None:
    """Also where JSON has one text for both; else it would not be stored, nor refused."""
    for inside in (
        lambda value: value,
        lambda value: [value],
        lambda value: {"k": value},
        lambda value: [97.5, {"k": [1, None, value]}],
    ):
        assert not has_text(inside(now), Format().encode(inside(before)))


@given(PLAIN | st.floats(), PLAIN | st.floats())
def test_a_value_has_no_other_text_than_its_own(value: object, other: object) -> None:
    """Whatever stood there before."""
    text = Format().encode(other)
    assert not has_text(value, text) or Format().encode(value) == text


@given(PLAIN | st.floats() | st.binary() | st.dictionaries(st.integers(), ATOMS))
@example(1e22)
@example(-0.0)
@example({"$map": 1})
@example(b"")
def test_a_readable_file_names_the_type_of_its_value(value: object) -> None:
    """The original's ``_type`` is the class of what was stored, whatever its text begins with."""
    content = write_record(b"k", Format().encode(value), named=True)
    assert json.loads(content.decode("utf-8", "surrogatepass"))["_type"] == type(value).__name__
