"""What a recorder makes of an inspector's records."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moobius_trio.errors import UsageError
from moobius_trio.tapes import Recorder, Tape, Up
from moobius_trio.tapes.normal import Names, command_of, deed, file_name, sight
from moobius_trio.types import ChannelId, UserId, UserMessage

BAND = "local-demo"
numbers = itertools.count(100)
ALICE = "local-11111111-1111-4111-8111-111111111111"
BOB = "local-22222222-2222-4222-8222-222222222222"
OWL = "local-33333333-3333-4333-8333-333333333333"
NOBODY = "local-44444444-4444-4444-8444-444444444444"
KEY = "0123456789abcdef0123456789abcdef.png"
ADDRESS = f"http://127.0.0.1:8765/bucket/{KEY}/{KEY}"


def recorder(**members: list[str]) -> Recorder:
    return Recorder(members or {BAND: [ALICE]}, {ALICE: "Alice", BOB: "Bob"}, began=1000)


def up(n: int, at: int, kind: str, body: dict[str, Any], **more: Any) -> dict[str, Any]:
    frame = {"type": kind, "request_id": f"r{n}", "body": {"channel_id": BAND, **body}}
    record = {"kind": "frame", "n": n, "at": at, "direction": "up", "type": kind, "band": BAND}
    return {
        **record,
        "from": ALICE,
        "to": ["service"],
        "refused": "",
        "frame": json.dumps(frame),
        **more,
    }


def down(
    at: int, body: dict[str, Any], *to: str, kind: str = "msg_down", **more: Any
) -> dict[str, Any]:
    frame = {
        "type": kind,
        "request_id": "s1",
        "client_id": "s",
        "body": {"channel_id": BAND, **body},
    }
    record = {
        "kind": "frame",
        "n": next(numbers),
        "at": at,
        "direction": "down",
        "type": kind,
        "band": BAND,
    }
    given = {"cause": None, "handler": "", "from": "service", "to": list(to)}
    return {**record, **given, "refused": "", "frame": json.dumps(frame), **more}


def made(found: Recorder, **uploads: bytes) -> Tape:
    return found.tape({KEY: uploads["picture"]} if uploads else {}, ended=3000)


def test_ids_become_names_and_times_go() -> None:
    """Of people, of characters that a list named, within texts, and of nobody known."""
    found = recorder()
    found.feed(
        up(
            1,
            1500,
            "msg_up",
            {
                "content": {"text": "@hi"},
                "recipients": [BOB],
                "subtype": "text",
                "timestamp": 5,
                "msg_id": "m",
                "context": {"sender": ALICE},
            },
        )
    )
    rows = [{"user_id": OWL, "username": "bird", "user_context": {"nickname": "Owl"}}]
    found.feed(
        down(
            1501,
            {"subtype": "update_userlist", "userlist": rows, "context": {}},
            ALICE,
            kind="update",
        )
    )
    text = f"{BOB} and {NOBODY}"
    found.feed(
        down(
            1502,
            {
                "subtype": "text",
                "content": {"text": text},
                "sender": OWL,
                "timestamp": 7,
                "recipients": [ALICE, BOB],
            },
            ALICE,
            BOB,
        )
    )
    tape = made(found)
    assert [event.frame for event in tape.events] == [
        {
            "type": "msg_up",
            "body": {"subtype": "text", "content": {"text": "@@hi"}, "recipients": ["@Bob"]},
        },
        {
            "type": "update",
            "body": {
                "subtype": "update_userlist",
                "userlist": [
                    {"user_id": "@Owl", "username": "bird", "user_context": {"nickname": "Owl"}}
                ],
            },
        },
        {
            "type": "msg_down",
            "body": {"subtype": "text", "content": {"text": "@Bob and @?"}, "sender": "@Owl"},
        },
    ]
    assert tape.members == {BAND: ("Alice",)}
    assert (tape.events[0].ms, tape.ms) == (500, 2000)


def test_what_a_deed_led_to_stands_behind_it() -> None:
    """Also where something else was done meanwhile; what came of none bears its handler."""
    found = recorder()
    found.feed(
        up(1, 1000, "feature_call", {"feature_id": "slow", "arguments": [], "sender": ALICE})
    )
    found.feed(
        up(2, 2000, "feature_call", {"feature_id": "fast", "arguments": [], "sender": ALICE})
    )
    say = {"subtype": "text", "content": {"text": "fast"}}
    found.feed(down(2001, say, ALICE, cause=2, handler="D.on_feature_call"))
    found.feed(
        down(
            2002, {**say, "content": {"text": "slow"}}, ALICE, cause=1, handler="D.on_feature_call"
        )
    )
    found.feed(down(2003, {**say, "content": {"text": "tick"}}, ALICE, handler="D.tick"))
    found.feed(
        down(2004, {**say, "content": {"text": "old"}}, ALICE, cause=0, handler="D.on_msg_up")
    )
    steps = made(found).steps
    texts = [[str(each.frame["body"]["content"]["text"]) for each in step.downs] for step in steps]  # type: ignore[index, call-overload]
    assert texts == [[], ["slow"], ["fast", "tick"]]
    assert [each.by for each in steps[2].downs] == ["", "D.tick"]


def test_what_comes_at_once_is_one_step() -> None:
    """Within a quarter of a second; unless it is known to be a step of its own."""
    found = recorder()
    for number, at in enumerate((1000, 1010, 1300, 1310)):
        if at == 1310:
            found.begin_step()
        found.feed(up(number, at, "action", {"subtype": "fetch_features"}))
    assert [len(step.ups) for step in made(found).steps] == [0, 2, 1, 1]


def test_what_belongs_on_no_tape_is_passed_over() -> None:
    """Logins, receipts, what was refused, what nobody saw; what is not whole is counted."""
    found = recorder()
    for record in (
        {"kind": "handled", "n": 1},
        {"kind": "cleared"},
        up(1, 1000, "user_login", {}),
        up(2, 1000, "action", {"subtype": "x"}, refused="not a member"),
        down(1000, {"subtype": "text"}),
        down(1000, {}, ALICE, kind="copy"),
    ):
        found.feed(record)
    assert made(found).events == ()
    found.feed({**down(1000, {"subtype": "text"}, ALICE), "frame": '{"type":"msg_do'})
    assert (made(found).events, found.left_out) == ((), 1)


def test_a_recording_without_end_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes when the room is taken is counted, and what came before stays."""
    one = up(1, 1000, "action", {"subtype": "fetch_features"})
    monkeypatch.setattr("moobius_trio.tapes.recorder.ROOM", 2 * len(one["frame"]))
    found = recorder()
    for _ in range(5):
        found.feed(one)
    assert (found.ups, found.left_out) == (2, 3)


def test_a_file_is_known_by_its_content() -> None:
    """Wherever it lies; what people uploaded is kept with the tape, what the service did is not."""
    found = recorder()
    found.feed(
        up(1, 1000, "msg_up", {"content": {"path": ADDRESS}, "recipients": [], "subtype": "image"})
    )
    assert found.uploads == (KEY,)
    tape = made(found, picture=b"picture")
    label = file_name("other.png", b"picture")
    assert tape.events[0].frame["body"] == {
        "subtype": "image",
        "content": {"path": label},
        "recipients": [],
    }
    assert tape.files == {label: b"picture"}
    other = recorder()
    other.feed(up(1, 1000, "feature_call", {"feature_id": "k", "arguments": [], "sender": ALICE}))
    other.feed(down(1001, {"subtype": "image", "content": {"path": ADDRESS}}, ALICE))
    assert made(other, picture=b"picture").files == {}
    assert made(other).events[1].frame["body"] == {
        "subtype": "image",
        "content": {"path": "file:?"},
    }


@given(st.text(max_size=30), st.lists(st.sampled_from([ALICE, BOB]), max_size=2))
def test_a_deed_can_be_done_again(text: str, to: list[str]) -> None:
    """What somebody said, with any text, comes back from its names as the same message."""
    names = Names()
    names.learn(ALICE, "Alice")
    names.learn(BOB, "Bob")
    frame = {
        "type": "msg_up",
        "body": {"subtype": "text", "content": {"text": text}, "recipients": to},
    }
    again = command_of(Up(who="Alice", band=BAND, frame=deed(frame, names, {})), names.identity, {})  # type: ignore[arg-type]
    assert isinstance(again, UserMessage)
    assert (again.channel_id, again.content.text) == (ChannelId(BAND), text)
    assert again.recipients == tuple(map(UserId, to))


def test_a_deed_that_nobody_could_do_is_refused() -> None:
    """A tape that was written by hand may say anything."""
    wrong = Up(who="Alice", band=BAND, frame={"type": "feature_call", "body": {"feature_id": 5}})
    with pytest.raises(UsageError, match=r"what Alice does cannot be sent: .*feature_id"):
        command_of(wrong, lambda name: name, {})


def test_a_guest_is_the_same_however_they_were_spelt() -> None:
    """Who comes in as alice is called Alice; that is their name on the tape, and so they come."""
    names = Names()
    names.learn(ALICE, "Alice")
    names.learn(OWL, "Owl")
    rows = [{"user_id": ALICE, "username": "alice"}, {"user_id": OWL, "username": "bird"}]
    frame = {"type": "update", "body": {"subtype": "update_userlist", "userlist": rows}}
    seen = sight(frame, names, {})  # type: ignore[arg-type]
    assert seen["body"] == {
        "subtype": "update_userlist",
        "userlist": [
            {"user_id": "@Alice", "username": "Alice"},
            {"user_id": "@Owl", "username": "bird"},
        ],
    }


def test_two_of_one_name_are_two() -> None:
    """The second one bears a number, and each name leads back to its own."""
    names = Names()
    for identity in (ALICE, BOB, ALICE):
        names.learn(identity, "Twin")
    assert (names.of(ALICE), names.of(BOB)) == ("Twin", "Twin (2)")
    assert names.identity("Twin (2)") == BOB
