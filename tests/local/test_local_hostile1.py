"""Frames and calls of generation 1 with anything in them: answered, and nobody else notices."""

from __future__ import annotations

import json
from typing import Any

import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from moobius_trio.local import DEFAULT_BAND
from moobius_trio.testing.wires import Json, Wires, open_wires

BAND = DEFAULT_BAND

values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([BAND, "service", "temp", "\ud800", "", "m" * 300])
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)

DIALOG = {"title": "T", "components": [{"label": "L", "type": "text"}], "bottom_buttons": [{}]}
BODIES: list[tuple[str, Json]] = [
    ("message_down", {"subtype": "text", "content": {"text": "x"}, "sender": "s", "timestamp": 1}),
    ("update", {"subtype": "characters", "content": {"characters": "g"}}),
    ("update", {"subtype": "buttons", "content": [{"button_id": "b", "dialog": DIALOG}]}),
    ("update", {"subtype": "menu", "content": [{"menu_item_id": "m", "dialog": DIALOG}]}),
    ("update", {"subtype": "canvas", "content": [{"text": "t", "path": "p"}]}),
    ("update", {"subtype": "style", "content": [{"widget": "canvas", "display": "visible"}]}),
    ("message_up", {"subtype": "text", "content": {"text": "x"}, "timestamp": 1}),
    ("action", {"subtype": "refresh"}),
    ("action", {"subtype": "button_click", "button_id": "b", "arguments": [[{"label": "L"}]]}),
    ("action", {"subtype": "menu_item_click", "menu_item_id": "m", "message_id": "x"}),
    ("heartbeat", {}),
    ("roger", {}),
]


@st.composite
def frames(draw: st.DrawFn) -> Json:
    """A frame of generation 1 in which some values are something else, or missing."""
    kind, body = draw(st.sampled_from(BODIES))
    whole = json.loads(json.dumps({"type": kind, "body": {**body, "channel_id": BAND}}))
    whole["body"]["recipients"] = draw(st.sampled_from(["service", "g", [BAND], None]))
    for _ in range(draw(st.integers(0, 3))):
        place = whole["body"]
        key = draw(st.sampled_from([*place, "context", "dialog"]))
        if draw(st.booleans()):
            place.pop(key, None)
        else:
            place[key] = draw(values)
    if draw(st.integers(0, 9)) == 0:
        whole["body"] = draw(values)
    return dict(whole)


@given(st.lists(st.tuples(st.booleans(), frames()), max_size=12))
@settings(max_examples=20)
def test_whatever_a_frame_holds_it_is_answered_and_the_band_goes_on(
    sent: list[tuple[bool, Json]],
) -> None:
    """By services and users; people of both generations still get what is said afterwards."""

    async def main() -> None:
        async with open_wires() as wires:
            service = await wires.service(1)
            old, new = await wires.user(0, "old"), await wires.user(1, "new")
            group = await service.caller.data(
                "POST", "/service/group/create", {"characters": [old.who, new.who]}
            )
            for by_service, frame in sent:
                wire, own = (service, "service_id") if by_service else (new, "user_id")
                reply = await wire.receipt({own: wire.who, **frame})
                assert reply["type"] == "copy"
            body = {"subtype": "text", "channel_id": BAND, "content": {"text": "still here"}}
            said = {**body, "recipients": group, "timestamp": 1, "sender": "x", "context": {}}
            frame = {"type": "message_down", "service_id": service.who, "body": said}
            assert (await service.receipt(frame))["body"]["status"] is True
            for wire, kind in ((old, "msg_down"), (new, "message_down")):
                while (await wire.get(kind))["body"]["content"] != {"text": "still here"}:
                    pass

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


KEYS = (
    *("username", "password", "confirmation_code", "access_token", "refresh_token", "group_id"),
    *("character_list", "service_id", "character_id", "channel_id", "channel_name", "group_name"),
    *("context", "characters", "name", "avatar", "description", "members"),
)
POSTS = (
    *("/auth/sign_up", "/auth/resend_confirmation", "/auth/confirm_sign_up", "/auth/sign_out"),
    *("/auth/forgot_password", "/auth/confirm_reset_password", "/auth/delete_account"),
    *("/character/fetch_profile", "/user/info", "/service/character/create", "/channel/create"),
    *("/service/character/update", "/channel/update", "/user/group/create"),
    *("/service/group/create", "/local/groups"),
)
GETS = (
    *("/channel/character_list", "/service/character/list", "/channel/history_message"),
    *("/user/group/list", "/service/group", "/user/group", "/user/group/temp"),
    *("/local/history", "/local/groups", "/local/agents", "/channel/list"),
)


async def make_all_calls(wires: Wires, body: Any, query: dict[str, str]) -> None:
    caller = await wires.caller(1, "a@x.org")
    for path in POSTS:
        reply = await caller.call("POST", path, body)
        assert reply.status_code < 500, (path, reply.text)
        assert isinstance(reply.json()["code"], int)
        caller = await wires.caller(1, "a@x.org")  # it may have signed out
    for path in GETS:
        request = wires.http.build_request("GET", path, params=query, headers=caller.headers)
        reply = await wires.http.send(request)
        assert reply.status_code < 500, (path, reply.text)


@given(
    st.dictionaries(st.sampled_from(KEYS), values) | values,
    st.dictionaries(
        st.sampled_from(
            ["channel_id", "service_id", "group_id", "user_id", "limit", "before", "band"]
        ),
        st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from([BAND, "5", "null"]),
    ),
)
@settings(max_examples=8)
def test_whatever_a_call_holds_it_is_no_fault_of_the_platform(
    body: Any, query: dict[str, str]
) -> None:
    """It is refused in the envelope, or does what it says."""

    async def main() -> None:
        async with open_wires() as wires:
            await make_all_calls(wires, body, query)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
