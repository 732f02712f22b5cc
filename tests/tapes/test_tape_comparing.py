"""What counts as a difference between two tapes, and what does not."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from moobius_trio.tapes import Down, Tape, Up, compare

BAND = "local-demo"


def click(who: str = "Alice", *, together: bool = False, key: str = "key1") -> Up:
    frame = {"type": "feature_call", "body": {"feature_id": key, "arguments": []}}
    return Up(who=who, band=BAND, together=together, frame=frame)


def heard(text: str, *to: str, by: str = "") -> Down:
    body = {"subtype": "text", "content": {"text": text}}
    return Down(to=to or ("Alice",), band=BAND, by=by, frame={"type": "msg_down", "body": body})


def stage(text: str, *to: str) -> Down:
    body = {"subtype": "update_playground", "content": {"text": text}}
    return Down(to=to or ("Alice",), band=BAND, frame={"type": "update", "body": body})


def style(widget: str, display: str) -> Down:
    items = [{"widget": widget, "display": display}]
    body = {"subtype": "update_style", "content": items}
    return Down(to=("Alice",), band=BAND, frame={"type": "update", "body": body})


def tape(*events: Up | Down) -> Tape:
    return Tape(events=events)


def test_the_first_difference_is_named() -> None:
    """Step, deed, person, what was expected, what came, and the place in the frame."""
    one = tape(click(), heard("hello"), click("Bob", key="key2"), heard("yes", "Bob"))
    other = tape(click(), heard("hello"), click("Bob", key="key2"), heard("no", "Bob"))
    difference = compare(one, other)
    assert difference is not None
    assert (difference.step, difference.who) == (2, "Bob")
    assert difference.did == ("Bob clicks key2",)
    assert difference.lines[-1] == '  at body.content.text: "yes" became "no"'


def test_what_is_missing_or_too_much_is_a_difference() -> None:
    """A frame that does not come, and one that nobody expected."""
    whole, less = tape(click(), heard("hello")), tape(click())
    missing, more = compare(whole, less), compare(less, whole)
    assert missing is not None
    assert missing.got is None
    assert "sees        nothing more" in missing.lines[2]
    assert more is not None
    assert more.expected is None


def test_the_order_of_one_persons_frames_counts() -> None:
    """Two messages that change places, and a message that comes before the stage."""
    a, b = heard("a"), heard("b")
    assert compare(tape(click(), a, b), tape(click(), b, a)) is not None
    assert compare(tape(click(), a, stage("x")), tape(click(), stage("x"), a)) is not None


@given(st.permutations([heard("a"), heard("b", "Bob"), heard("c", "Carol")]))
def test_between_people_there_is_no_order(downs: Sequence[Down]) -> None:
    """Each sees what they saw."""
    assert (
        compare(
            tape(click(), heard("a"), heard("b", "Bob"), heard("c", "Carol")), tape(click(), *downs)
        )
        is None
    )


def test_one_frame_for_two_is_as_good_as_two_frames() -> None:
    """What each person sees is compared, not how it was sent."""
    assert (
        compare(
            tape(click(), heard("a", "Alice", "Bob")), tape(click(), heard("a", "Bob"), heard("a"))
        )
        is None
    )


def test_a_state_that_was_replaced_does_not_count() -> None:
    """Of two stages in a step the last one is what is seen; styles of two widgets are two."""
    assert compare(tape(click(), stage("x"), stage("y")), tape(click(), stage("y"))) is None
    assert compare(tape(click(), stage("y"), stage("x")), tape(click(), stage("y"))) is not None
    shown, hidden = style("channel", "visible"), style("feature", "invisible")
    assert compare(tape(click(), shown, hidden), tape(click(), hidden)) is not None


def test_what_was_done_at_once_is_one_step() -> None:
    """Then the order between messages and states says nothing; that of messages still does."""
    both = click(), click("Bob", together=True)
    one = tape(*both, heard("a"), stage("x"), style("channel", "visible"))
    other = tape(*both, style("channel", "visible"), stage("x"), heard("a"))
    assert compare(one, other) is None
    assert (
        compare(tape(*both, heard("a"), heard("b")), tape(*both, heard("b"), heard("a")))
        is not None
    )


def test_jobs_are_compared_only_if_asked_for() -> None:
    """What the service sent by itself has its own order beside what people's deeds led to."""
    job = heard("tick", by="Demo.tick")
    one, other = tape(click(), job, heard("a")), tape(click(), heard("a"))
    assert compare(one, other) is None
    assert compare(one, other, time=True) is not None
    assert compare(one, tape(click(), heard("a"), job), time=True) is None


def test_true_is_not_one() -> None:
    """Values of another type are other values; the order of keys says nothing."""

    def frame(value: object) -> Tape:
        body = {"subtype": "x", "value": value}
        return tape(click(), Down(to=("Alice",), band=BAND, frame={"type": "update", "body": body}))  # type: ignore[dict-item]

    assert compare(frame(True), frame(1)) is not None
    assert compare(frame({"a": 1, "b": 2}), frame({"b": 2, "a": 1})) is None
