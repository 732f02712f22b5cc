"""The limits of what is parsed, and that what is written can always be sent."""

from __future__ import annotations

import json
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moobius_trio.codec.text import MAX_DEPTH, MAX_MESSAGE_BYTES, dump, parse_object
from moobius_trio.errors import MalformedPayload


def nested(levels: int) -> str:
    """An object with lists inside it, ``levels`` deep in all, and many side by side."""
    return '{"a":' + "[" * (levels - 1) + "1" + "]" * (levels - 1) + ', "b": [[],[],{}]}'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ('{"a": 1}{', "not JSON"),
        ("[]", "expected an object"),
        ('"Forbidden"', "expected an object"),
        ("null", "expected an object"),
        ("7", "expected an object"),
        ('{"a": NaN}', "out of range"),
        ('{"a": -Infinity}', "out of range"),
        ('{"a": 1e999}', "out of range"),
        ('{"a": ' + "9" * 5000 + "}", "out of range"),
        ("[" * 100_000, "deeper than 64"),
        ('{"a":' * 20_000, "deeper than 64"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
        ("\ufeff{}", "not JSON"),
        ('{"a": "\x00"}', "not JSON"),
    ],
)
def test_what_is_no_object_is_malformed(text: str | bytes, fault: str) -> None:
    """Whatever is wrong with a text, one error says what, and names what was read (F60, S6)."""
    with pytest.raises(MalformedPayload, match=fault) as caught:
        parse_object(text, "frame")
    assert caught.value.what == "frame"
    assert caught.value.__cause__ is None


def test_depth_is_counted_exactly() -> None:
    """As many levels as allowed pass, one more does not, also when there are many brackets.

    (F60, S6)
    """
    assert parse_object(nested(MAX_DEPTH), "frame")
    with pytest.raises(MalformedPayload, match="deeper than 64 levels"):
        parse_object(nested(MAX_DEPTH + 1), "frame")


def test_brackets_in_a_text_are_no_levels() -> None:
    """A text full of brackets is not deep."""
    assert parse_object(dump({"a": "[{" * 500}), "frame") == {"a": "[{" * 500}


@pytest.mark.parametrize("letter", ["x", "é", "∞", "😀"])
def test_size_is_counted_in_bytes(letter: str) -> None:
    """The limit counts bytes, not letters, for a text as for bytes; at the limit it passes.

    (F60, S6)
    """
    around = len('{"a":""}')
    room = 480
    text = '{"a":"' + letter * (room // len(letter.encode())) + '"}'
    for given_as in (text, text.encode()):
        assert parse_object(given_as, "frame", max_bytes=room + around)
        with pytest.raises(MalformedPayload, match="larger than 487 bytes"):
            parse_object(given_as, "frame", max_bytes=room + around - 1)


def test_the_default_limit_is_that_of_a_frame() -> None:
    """A frame of the largest size is read and one byte more is not."""
    text = '{"a":"' + "x" * (MAX_MESSAGE_BYTES - 8) + '"}'
    assert parse_object(text, "frame")
    with pytest.raises(MalformedPayload, match="larger than 131,072 bytes"):
        parse_object(text + " ", "frame")


def test_a_malformed_text_is_not_shown() -> None:
    """The error does not carry the text, which may hold a token."""
    with pytest.raises(MalformedPayload) as caught:
        parse_object('{"access_token": "secret-1", }', "frame")
    assert "secret-1" not in repr(caught.value)
    assert caught.value.__suppress_context__


def test_dump_is_compact_and_keeps_letters() -> None:
    """No spaces, and letters of any script as they are."""
    assert dump({"a": ["∞", 1, None, True]}) == '{"a":["∞",1,null,true]}'


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_can_be_sent(text: str) -> None:
    """What is written encodes as UTF-8, lone surrogates too, and parses to what JSON means."""
    written = dump({"a": text}).encode()
    assert parse_object(written, "frame")["a"] == json.loads(json.dumps(text))


def test_read_only_mappings_are_written() -> None:
    """The values' read-only mappings are objects like any other, at any depth."""
    assert dump({"a": MappingProxyType({"b": (1, MappingProxyType({}))})}) == '{"a":{"b":[1,{}]}}'


def test_what_json_cannot_hold_is_refused() -> None:
    """A program's own mistake is a TypeError or ValueError, never a broken frame."""
    within: list[object] = []
    within.append(within)
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(TypeError, match="type set"):
        dump({"a": {1}})
    for value in (float("nan"), float("inf"), within, deep):
        with pytest.raises(ValueError, match=r".+"):
            dump({"a": value})
