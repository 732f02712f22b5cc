"""Tapes as text: what is written is read, and what is no tape is refused in one line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moobius_trio.errors import UsageError
from moobius_trio.tapes import Down, Tape, Up, read_tape, write_tape
from moobius_trio.tapes.text import FORMAT

names = st.text(min_size=1, max_size=20)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
bodies = st.dictionaries(st.text(max_size=8), plain, max_size=3)
times = st.integers(0, 2**40)
ups = st.builds(
    Up,
    who=names,
    band=names,
    ms=times,
    together=st.booleans(),
    frame=st.fixed_dictionaries(
        {"type": st.sampled_from(["msg_up", "action", "feature_call"]), "body": bodies}
    ),
)
downs = st.builds(
    Down,
    to=st.lists(names, max_size=3).map(tuple),
    band=names,
    ms=times,
    by=st.text(max_size=20),
    frame=st.fixed_dictionaries(
        {"type": st.sampled_from(["msg_down", "update"]), "body": bodies},
        optional={"subtype": st.text(max_size=9)},
    ),
)
tapes = st.builds(
    Tape,
    service=st.text(max_size=20),
    recorded=st.text(max_size=20),
    members=st.dictionaries(names, st.lists(names, max_size=3).map(tuple), max_size=3),
    files=st.dictionaries(names, st.binary(max_size=50), max_size=2),
    events=st.lists(ups | downs, max_size=8).map(tuple),
    ms=times,
)

HEAD = {"tape": FORMAT, "protocol": "0.0.1"}
DONE = '{"end":7}'


@given(tapes)
def test_what_is_written_is_read(tape: Tape) -> None:
    """Any tape, with any text in any place."""
    assert read_tape(write_tape(tape), "a.jsonl") == tape


@given(tapes, st.integers(0))
def test_a_tape_that_was_cut_off_is_known_as_one(tape: Tape, place: int) -> None:
    """Wherever it was cut, the middle of a line or between two, one line says so."""
    text = write_tape(tape)
    cut = text[: place % (len(text) - 1)]
    with pytest.raises(UsageError, match=r"^a\.jsonl.*(cut off|no tape)") as refused:
        read_tape(cut, "a.jsonl")
    assert "\n" not in str(refused.value)


@given(st.text(max_size=200))
def test_any_other_text_is_no_tape(text: str) -> None:
    """One line, whatever it is."""
    with pytest.raises(UsageError, match="no tape") as refused:
        read_tape(text, "a.jsonl")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([json.dumps({**HEAD, "tape": 2}), DONE], "format 2; this version reads format 1. Install"),
        ([json.dumps({**HEAD, "tape": 0}), DONE], "format 0; .* Record it anew"),
        (
            [json.dumps({**HEAD, "tape": "1"}), DONE],
            "line 1: expected an integer, got a text @ tape",
        ),
        ([json.dumps({**HEAD, "protocol": "1.8"}), DONE], "protocol '1.8'"),
        ([json.dumps(HEAD), "{}", DONE], "line 2: a line of a tape has one of"),
        ([json.dumps(HEAD), "[]", DONE], "line 2: expected an object"),
        ([json.dumps(HEAD), '{"up": "Alice"}', DONE], "line 2: required field missing"),
        (
            [json.dumps(HEAD), '{"up":"Alice","band":"b","type":"user_login","body":{}}', DONE],
            "line 2: nobody does 'user_login'",
        ),
        (
            [json.dumps(HEAD), '{"down":["Alice"],"band":"b","type":"copy","body":{}}', DONE],
            "line 2: nobody is sent 'copy'",
        ),
        ([json.dumps(HEAD), '{"file":"file:1","base64":"?"}', DONE], "line 2: .* no base64"),
        ([json.dumps(HEAD), DONE, '{"up": "Alice"}'], "line 2: the tape ends here"),
        ([json.dumps(HEAD), '{"end":NaN}'], "line 2: .*"),
    ],
)
def test_a_wrong_line_is_named(lines: list[str], said: str) -> None:
    """Another format, another protocol, a line that is none: file, line, and what is wrong."""
    with pytest.raises(UsageError, match=said) as refused:
        read_tape("\n".join([*lines, ""]), "a.jsonl")
    assert str(refused.value).startswith("a.jsonl")
    assert "\n" not in str(refused.value)


def test_a_huge_tape_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its size is looked at before anything is parsed."""
    text = write_tape(Tape())
    monkeypatch.setattr("moobius_trio.tapes.text.TAPE_BYTES", len(text))
    assert read_tape(text, "a.jsonl") == Tape()
    with pytest.raises(UsageError, match="may have"):
        read_tape(text + "\n", "a.jsonl")
