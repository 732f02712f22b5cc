"""Frames of the spell socket: what is written is read, and nothing else is (S14)."""

from __future__ import annotations

import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moobius_trio.core.spell_wire import (
    HEADER,
    MAX_REQUEST_BYTES,
    Accepted,
    Cast,
    Raised,
    Returned,
    Stopped,
    StopRequest,
    body_length,
    frame,
    parse_answer,
    parse_request,
)
from moobius_trio.errors import MalformedPayload

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(spell=PLAIN, wait=st.booleans())
def test_a_spell_arrives_as_it_was_cast(spell: object, wait: bool) -> None:
    """Any plain value goes through unchanged, with the length of its body in front."""
    written = frame(Cast(spell, wait))
    body = written[HEADER:]
    assert body_length(written[:HEADER], MAX_REQUEST_BYTES) == len(body)
    request = parse_request(body)
    assert isinstance(request, Cast)
    assert (repr(request.spell), request.wait) == (repr(spell), wait)


@given(value=PLAIN)
def test_a_value_arrives_as_it_was_returned(value: object) -> None:
    """The same way back."""
    answer = parse_answer(frame(Returned(value))[HEADER:])
    assert isinstance(answer, Returned)
    assert repr(answer.value) == repr(value)


@given(body=st.binary(max_size=300) | PLAIN.map(lambda value: json.dumps(value).encode()))
def test_whatever_is_no_request_is_refused(body: bytes) -> None:
    """Nothing but MalformedPayload comes of bytes that nobody wrote as a request (S14)."""
    with pytest.raises(MalformedPayload):
        parse_request(body)


@given(length=st.integers(0, 2**32 - 1))
def test_a_length_is_checked_before_anything_is_read(length: int) -> None:
    """From the four bytes alone: 1 to 65,536 pass, 4 GB do not (S14)."""
    header = struct.pack("!I", length)
    if 1 <= length <= MAX_REQUEST_BYTES:
        assert body_length(header, MAX_REQUEST_BYTES) == length
    else:
        with pytest.raises(MalformedPayload, match="1 to 65,536 are allowed"):
            body_length(header, MAX_REQUEST_BYTES)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"kind": "spell", "spell": NaN, "wait": true}', "out of range"),
        ('{"kind": "spell", "spell": 1e999, "wait": true}', "out of range"),
        ('{"kind": "spell", "spell": ' + "[" * 70 + "]" * 70 + ', "wait": true}', "deeper than 64"),
        ('{"kind": "spell", "spell": 1}', "wait is missing"),
        ('{"kind": "spell", "wait": true}', "spell is missing"),
        ('{"kind": "spell", "spell": 1, "wait": "yes"}', "wrong type"),
        ('{"kind": "spell", "spell": 1, "wait": 1}', "wrong type"),
        ('{"kind": "spell", "spell": 1, "wait": true, "x": 1}', "takes spell, wait and no more"),
        ('{"kind": "stop", "now": true}', "takes nothing and no more"),
        ('{"kind": "eval"}', "kind must be one of spell, status, stop"),
        ('{"kind": ["spell"]}', "kind must be"),
        ('{"kind": "accepted"}', "kind must be"),
        ("[]", "expected an object"),
        ("", "not JSON"),
    ],
)
def test_a_fault_is_named(text: str, fault: str) -> None:
    """What is wrong with a request is said in words that help to mend it."""
    with pytest.raises(MalformedPayload, match=fault):
        parse_request(text.encode())


class Strange:
    """Nothing that JSON knows."""


@pytest.mark.parametrize(
    ("spell", "error"),
    [
        ({1, 2}, TypeError),
        (b"bytes", TypeError),
        (Strange(), TypeError),
        ({1: "one"}, TypeError),
        ({"a": {None: 1}}, TypeError),
        (math.nan, ValueError),
        (-math.inf, ValueError),
        ("x" * 70_000, ValueError),
    ],
)
def test_what_json_does_not_know_is_refused_where_it_is_cast(
    spell: object, error: type[Exception]
) -> None:
    """Before anything is sent."""
    with pytest.raises(error):
        frame(Cast(spell, False))


def test_a_spell_too_deep_is_refused_where_it_is_cast() -> None:
    """Since no service would take it."""
    spell: object = 1
    for _ in range(70):
        spell = [spell]
    with pytest.raises(ValueError, match="deeper than 64"):
        frame(Cast(spell, False))


def test_a_tuple_becomes_a_list() -> None:
    """As in all JSON; a service that takes ``[word, times]`` takes both."""
    assert parse_request(frame(Cast(("abra", 3), False))[HEADER:]) == Cast(["abra", 3], False)


def test_long_texts_of_errors_are_cut() -> None:
    """An error whose text is a megabyte does not fail to be told."""
    answer = parse_answer(frame(Raised("ValueError", "x" * 2_000_000))[HEADER:])
    assert isinstance(answer, Raised)
    assert len(answer.text) == 1000


@pytest.mark.parametrize("message", [Accepted(), Stopped(begun=True)])
def test_answers_are_no_requests(message: Accepted | Stopped) -> None:
    """The two halves do not take each other's messages."""
    with pytest.raises(MalformedPayload):
        parse_request(frame(message)[HEADER:])
    with pytest.raises(MalformedPayload):
        parse_answer(frame(StopRequest())[HEADER:])
