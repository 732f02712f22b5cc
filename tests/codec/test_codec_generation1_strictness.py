"""What generation 1 refuses on the way in, and what it tells that it leaves out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from moobius_trio.codec import generation1
from moobius_trio.codec.converter import structure
from moobius_trio.codec.irregular import as_list, flat, or_null
from moobius_trio.codec.masking import without_secrets
from moobius_trio.errors import MalformedPayload
from moobius_trio.types import (
    ChannelId,
    Character,
    Content,
    Dialog,
    Feature,
    FeatureArgument,
    MessageDown,
    Ping,
    RequestId,
    ServiceCommand,
    UpdateFeatures,
    UpdateUserList,
    UserId,
)

GOLDEN = Path(__file__).parent / "golden_frames1"
BAND = ChannelId("band-1")
ALICE = UserId("alice")
GONE = object()
"""Stands for a key that is taken out."""

Decode = Callable[[str], object]


def broken(name: str, path: str, value: object) -> str:
    """A golden frame with one key changed."""
    frame = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place = frame
    for step in way:
        place = place[step]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return json.dumps(frame)


def decode_from_client(text: str) -> object:
    """As a platform on which every group is Alice alone."""
    return generation1.decode_from_client(text, members_of=lambda _: (ALICE,))


def faults(decode: Decode, text: str) -> str:
    """The first fault of a frame that is refused."""
    with pytest.raises(MalformedPayload) as caught:
        decode(text)
    return caught.value.faults[0]


MISSING = "required field missing"
TEXT = "expected a text"


@pytest.mark.parametrize(
    ("name", "path", "value", "fault"),
    [
        ("message_up", "type", GONE, f"{MISSING} @ type"),
        ("message_up", "body", GONE, f"{MISSING} @ body"),
        ("message_up", "body.recipients", GONE, f"{MISSING} @ body.recipients"),
        ("message_up", "body.recipients", None, f"{TEXT}, got null @ body.recipients"),
        ("message_up", "body.recipients", [7], f"{TEXT}, got an integer @ body.recipients[0]"),
        ("message_up", "body.message_id", None, f"{TEXT}, got null @ body.message_id"),
        ("message_up", "body.sender", GONE, f"{MISSING} @ body.sender"),
        ("message_up", "body.timestamp", "12", "an integer, got a text @ body.timestamp"),
        ("refresh", "body.sender", GONE, f"{MISSING} @ body.sender"),
        ("refresh", "body.subtype", None, f"{TEXT}, got null @ body.subtype"),
        ("refresh_type", "body", [], "expected an object, got a list @ body"),
        ("button_click", "body.button_id", GONE, f"{MISSING} @ body.button_id"),
        ("button_click", "body.arguments", {}, "a list, got an object @ body.arguments"),
        ("button_click_nested", "body.arguments.0.0.value", 1.5, "@ body.arguments[0].value"),
        ("menu_item_click", "body.message_content", GONE, f"{MISSING} @ body.message_content"),
        ("copy", "body.status", "true", "true or false, got a text @ body.status"),
        ("host_error", "message", None, f"{TEXT}, got null @ message"),
    ],
)
def test_a_service_refuses(name: str, path: str, value: object, fault: str) -> None:
    """One wrong value in a frame for a service is one fault that names its place."""
    text = broken(f"to_service_{name}", path, value)
    assert fault in faults(generation1.decode_for_service, text)


@pytest.mark.parametrize(
    ("name", "path", "value", "fault"),
    [
        ("service_heartbeat", "request_id", GONE, f"{MISSING} @ request_id"),
        ("service_login", "access_token", GONE, f"{MISSING} @ access_token"),
        ("service_message_down", "service_id", 7, f"{TEXT}, got an integer @ service_id"),
        ("service_message_down", "body.recipients", GONE, f"{MISSING} @ body.recipients"),
        ("service_message_down", "body.content", "hi", "expected an object, got a text"),
        ("service_characters", "body.content", {}, f"{MISSING} @ body.content.characters"),
        ("service_characters", "body.recipients", None, f"{TEXT}, got null @ body.recipients"),
        ("service_buttons", "body.content.0.dialog", True, "got true or false @ body.content[0]"),
        ("service_buttons", "body.content.1.dialog.components.0.required", "no", "].required"),
        ("service_menu", "body.content.0.message_subtypes", 7, "].message_subtypes"),
        ("service_canvas", "body.content", {}, "a list, got an object @ body.content"),
        ("service_style", "body.content.0.expand", "maybe", "true or false, got a text"),
        ("service_channel_info", "channel_id", GONE, f"{MISSING} @ channel_id"),
        ("user_message_up", "body.recipients", {}, f"{TEXT}, got an object @ body.recipients"),
        ("user_join_channel", "body.channel_id", GONE, f"{MISSING} @ body.channel_id"),
        ("user_join_channel", "body", "x", "expected an object, got a text @ body"),
    ],
)
def test_the_platform_refuses(name: str, path: str, value: object, fault: str) -> None:
    """One wrong value in a client's frame is one fault that names its place."""
    assert fault in faults(decode_from_client, broken(f"from_{name}", path, value))


def test_a_user_refuses() -> None:
    """A character list that names no group is malformed; the path says where."""
    text = broken("to_user_characters", "body.content.characters", ["alice"])
    fault = faults(generation1.decode_for_user, text)
    assert fault == f"{TEXT}, got a list @ body.content.characters"


def test_a_fault_names_a_group_but_not_all_of_a_long_one() -> None:
    """A group's id comes from outside, so it is cut before it gets into a log."""
    text = broken("from_user_message_up", "body.recipients", "g" * 5000)
    fault = faults(lambda given: generation1.decode_from_client(given, members_of={}.get), text)
    assert fault == f"the group '{'g' * 80}' is unknown @ body.recipients"


def test_who_clicks_is_not_taken_from_the_body() -> None:
    """A client cannot press a key in somebody else's name."""
    frame: Any = decode_from_client(broken("from_user_button_click", "body.sender", "bob"))
    assert frame.command.sender == frame.client_id == "<user>"


def test_a_service_frame_from_a_swapped_call_names_no_client() -> None:
    """The published client writes its target as service_id there (section 9, defect 10)."""
    frame: Any = decode_from_client(broken("from_service_generic", "service_id", "target"))
    assert frame.client_id is None


def test_irregular_fields_are_made_regular_and_then_read_strictly() -> None:
    """Null and absence mean the default; what is left wrong is a fault with its path."""

    @attrs.define
    class Shape:
        some: tuple[str, ...] = or_null(("a",), regular=as_list)
        deep: tuple[int, ...] = or_null((), regular=flat)

    def read(data: object) -> tuple[object, object]:
        shape = structure(data, Shape, what="shape")
        return shape.some, shape.deep

    assert read({}) == read({"some": None, "deep": None}) == (("a",), ())
    assert read({"some": "b", "deep": [[1], 2, []]}) == (("b",), (1, 2))
    assert "@ deep" in faults(lambda text: read(json.loads(text)), '{"deep": [[[1]]]}')
    assert "@ some" in faults(lambda text: read(json.loads(text)), '{"some": {}}')


def key(**given: Any) -> ServiceCommand:
    """An update with one key."""
    features = [Feature(feature_id="k", button_text="K", **given)]
    return UpdateFeatures(channel_id=BAND, features=features)


@pytest.mark.parametrize(
    ("command", "lost"),
    [
        (key(), ()),
        (key(arguments=[FeatureArgument(name="a")]), ()),
        (key(dialog=Dialog(title="T")), ()),
        (key(feature_name="magic"), ("feature_name",)),
        (key(new_window=True), ("new_window",)),
        (key(arguments=[FeatureArgument(name="a")], new_window=False), ("new_window",)),
        (key(feature_name="magic", new_window=True), ("feature_name", "new_window")),
        (MessageDown(channel_id=BAND, content=Content.file("p", filename="f", size=1)), ()),
        (MessageDown(channel_id=BAND, content=Content(extra={"mood": 1})), ("content",)),
        (Ping(), ()),
    ],
)
def test_what_has_no_word_is_told(command: ServiceCommand, lost: tuple[str, ...]) -> None:
    """Each kind of loss has one word, told once for a frame; mostly there is none."""
    assert generation1.losses(command) == lost


def test_a_list_that_shows_somebody_otherwise_is_told() -> None:
    """Everybody sees the profile that the platform has, whatever stands in the list."""
    alice = Character(user_id=ALICE, nickname="Alice", avatar="a", description="d")
    known = {(BAND, ALICE): alice}

    def lost(*shown: Character) -> tuple[str, ...]:
        update = UpdateUserList(channel_id=BAND, user_list=shown, recipients=[ALICE])
        return generation1.losses(update, lambda channel, user: known.get((channel, user)))

    stranger = Character(user_id=UserId("puppet"), nickname="P")
    assert lost(alice, stranger, attrs.evolve(alice, username="other")) == ()
    for otherwise in ({"nickname": "Al"}, {"avatar": "b"}, {"description": ""}):
        assert lost(alice, attrs.evolve(alice, **otherwise)) == ("profile",)
    as_cat = UpdateUserList(channel_id=BAND, user_list=[attrs.evolve(alice, nickname="Cat")])
    assert generation1.losses(as_cat) == ()


def test_what_is_typed_into_a_password_field_is_masked() -> None:
    """Generation 1 names a field by its label; a secret under one stays out of the log."""
    frame = '{"arguments": [{"label": "Password", "value": "tr0ub4dor", "filename": null}]}'
    assert "tr0ub4dor" not in without_secrets(frame)
    assert without_secrets(frame.replace("Password", "Colour")).count("tr0ub4dor") == 1


def test_a_frame_is_named_for_its_receipt_even_where_it_is_refused() -> None:
    """A client learns which of its frames was no good."""
    text = broken("from_service_message_down", "body", GONE)
    assert generation1.name_of_frame(text) == (RequestId("<uuid>"), "message_down")
    assert generation1.name_of_frame("[]") == (RequestId(""), "")
