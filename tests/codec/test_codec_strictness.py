"""What is refused on the way in, and how exactly the refusal says where."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from moobius_trio.codec import generation0
from moobius_trio.codec.converter import structure
from moobius_trio.codec.features import decode_features
from moobius_trio.errors import MalformedPayload
from moobius_trio.types import Character, Feature, MessageUp, Playground, UserId

GOLDEN = Path(__file__).parent / "golden"
GONE = object()
"""Stands for a key that is taken out."""


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


MISSING = "required field missing"
TEXT = "expected a text"
INTEGER = "expected an integer"
LIST = "expected a list"
OBJECT = "expected an object"


@pytest.mark.parametrize(
    ("name", "path", "value", "fault"),
    [
        ("msg_up", "type", GONE, f"{MISSING} @ type"),
        ("msg_up", "type", None, f"{TEXT} @ type"),
        ("msg_up", "type", ["msg_up"], f"{TEXT} @ type"),
        ("msg_up", "body", GONE, f"{MISSING} @ body"),
        ("msg_up", "body", None, f"{OBJECT}, got null @ body"),
        ("msg_up", "body", "x", f"{OBJECT}, got a text @ body"),
        ("msg_up", "body", [], f"{OBJECT}, got a list @ body"),
        ("msg_up", "body.subtype", None, f"{TEXT}, got null @ body.subtype"),
        ("msg_up", "body.channel_id", GONE, f"{MISSING} @ body.channel_id"),
        ("msg_up", "body.channel_id", 7, f"{TEXT}, got an integer @ body.channel_id"),
        ("msg_up", "body.msg_id", None, f"{TEXT}, got null @ body.msg_id"),
        ("msg_up", "body.timestamp", 1.5, f"{INTEGER}, got a fraction @ body.timestamp"),
        ("msg_up", "body.timestamp", 1.0, f"{INTEGER}, got a fraction @ body.timestamp"),
        ("msg_up", "body.timestamp", True, f"{INTEGER}, got true or false @ body.timestamp"),
        ("msg_up", "body.timestamp", "12", f"{INTEGER}, got a text @ body.timestamp"),
        ("msg_up", "body.timestamp", 2**63, "the integer is out of range @ body.timestamp"),
        ("msg_up", "body.content", "hi", f"{OBJECT}, got a text @ body.content"),
        ("msg_up", "body.content", [], f"{OBJECT}, got a list @ body.content"),
        ("msg_up", "body.content.text", 7, f"{TEXT}, got an integer @ body.content.text"),
        ("msg_up", "body.content.path", {}, f"{TEXT}, got an object @ body.content.path"),
        ("msg_up", "body.context", None, f"{OBJECT}, got null @ body.context"),
        ("msg_up", "body.context", {}, f"{MISSING} @ body.context.sender"),
        ("msg_up", "body.context.sender", 7, f"{TEXT}, got an integer @ body.context.sender"),
        ("msg_up", "body.context.recipients", "x", f"{LIST}, got a text @ body.context.recipients"),
        (
            "msg_up",
            "body.context.recipients",
            {},
            f"{LIST}, got an object @ body.context.recipient",
        ),
        ("msg_up", "body.context.recipients.0", None, "got null @ body.context.recipients[0]"),
        ("action_join_channel", "body.sender", GONE, f"{MISSING} @ body.sender"),
        ("action_join_channel", "body.subtype", 7, f"{TEXT}, got an integer @ body.subtype"),
        ("feature_call", "body.arguments", GONE, f"{MISSING} @ body.arguments"),
        ("feature_call", "body.arguments", None, f"{LIST}, got null @ body.arguments"),
        ("feature_call", "body.arguments.0", "A", f"{OBJECT}, got a text @ body.arguments[0]"),
        ("feature_call", "body.arguments.0.value", 1.5, "a fraction @ body.arguments[0].value"),
        ("feature_call", "body.arguments.0.value", None, "got null @ body.arguments[0].value"),
        ("feature_call", "body.arguments.0.value", [], "got a list @ body.arguments[0].value"),
        ("feature_call", "body.arguments.0.value", 2**64, "range @ body.arguments[0].value"),
        ("copy_client", "body.status", 1, "expected true or false, got an integer @ body.status"),
        ("copy_client", "body.status", "true", "expected true or false, got a text @ body.status"),
        ("copy_client", "body.context", None, f"{OBJECT}, got null @ body.context"),
        ("copy_client", "body.request_id", GONE, f"{MISSING} @ body.request_id"),
        ("host_error", "message", None, f"{TEXT}, got null @ message"),
        ("host_error", "requestId", 7, f"{TEXT}, got an integer @ requestId"),
        ("host_error", "message", GONE, f"{MISSING} @ type"),
    ],
)
def test_a_service_refuses(name: str, path: str, value: object, fault: str) -> None:
    """One wrong value in a frame for a service is one fault that names its place."""
    with pytest.raises(MalformedPayload) as caught:
        generation0.decode_for_service(broken(f"to_service_{name}", path, value))
    assert fault in caught.value.faults[0]


@pytest.mark.parametrize(
    ("name", "path", "value", "fault"),
    [
        ("service_ping", "request_id", GONE, f"{MISSING} @ request_id"),
        ("service_ping", "request_id", 7, f"{TEXT}, got an integer @ request_id"),
        ("service_ping", "type", GONE, f"{MISSING} @ type"),
        ("service_login", "access_token", GONE, f"{MISSING} @ access_token"),
        ("service_login", "service_id", None, f"{TEXT}, got null @ service_id"),
        ("service_msg_down_a", "client_id", 7, f"{TEXT}, got an integer @ client_id"),
        ("service_msg_down_a", "body.recipients", GONE, f"{MISSING} @ body.recipients"),
        (
            "service_msg_down_a",
            "body.recipients",
            "user-1",
            f"{LIST}, got a text @ body.recipients",
        ),
        ("service_msg_down_a", "body.sender", None, f"{TEXT}, got null @ body.sender"),
        ("service_msg_down_b", "body.timestamp", None, f"{INTEGER}, got null @ body.timestamp"),
        ("service_update_playground", "body", GONE, f"{MISSING} @ body"),
        ("service_update_playground", "body", [], f"{OBJECT}, got a list @ body"),
        ("service_update_playground", "body.recipients", GONE, f"{MISSING} @ body.recipients"),
        ("service_update_playground", "body.content", "x", f"{OBJECT}, got a text @ body.content"),
        ("service_update_playground", "body.content", [], f"{OBJECT}, got a list @ body.content"),
        ("service_update_features", "body.features", {}, f"{LIST}, got an object @ body.features"),
        (
            "service_update_features",
            "body.features.0.arguments",
            "x",
            f"{LIST}, got a text @ body.features[0].arguments",
        ),
        (
            "service_update_features",
            "body.features.0.arguments.0.values",
            "AB",
            f"{LIST}, got a text @ body.features[0].arguments[0].values",
        ),
        (
            "service_update_features",
            "body.features.1.new_window",
            "true",
            "expected true or false, got a text @ body.features[1].new_window",
        ),
        (
            "service_update_style",
            "body.content.0.expand",
            "maybe",
            'expected "true" or "false" @ body.content[0].expand',
        ),
        (
            "service_update_style",
            "body.content.0.expand",
            None,
            'expected "true" or "false" @ body.content[0].expand',
        ),
        (
            "service_update_userlist",
            "body.userlist.0.user_context.avatar",
            None,
            f"{TEXT}, got null @ body.userlist[0].user_context.avatar",
        ),
        ("service_update_channel_info", "channel_id", GONE, f"{MISSING} @ channel_id"),
        ("service_update_channel_info", "body", GONE, f"{MISSING} @ body"),
        ("service_update_channel_info", "body", "x", f"{OBJECT}, got a text @ body"),
        ("user_login", "access_token", 7, f"{TEXT}, got an integer @ access_token"),
        ("user_action_join_channel", "body.channel_id", GONE, f"{MISSING} @ body.channel_id"),
        ("user_msg_up", "body.content", "x", f"{OBJECT}, got a text @ body.content"),
        ("user_feature_call", "body.sender", GONE, f"{MISSING} @ body.sender"),
    ],
)
def test_the_platform_refuses(name: str, path: str, value: object, fault: str) -> None:
    """One wrong value in a client's frame is one fault that names its place."""
    with pytest.raises(MalformedPayload) as caught:
        generation0.decode_from_client(broken(f"from_{name}", path, value))
    assert fault in caught.value.faults[0]


def test_a_user_refuses() -> None:
    """A list whose rows have neither form of the profile is malformed; the path says which."""
    text = broken("to_user_update_userlist_context", "body.userlist.0.context", GONE)
    with pytest.raises(MalformedPayload) as caught:
        generation0.decode_for_user(text)
    assert caught.value.faults == (f"{MISSING} @ body.userlist[0].user_context",)


def test_all_faults_are_told_at_once() -> None:
    """The error has every fault of the body, not only the first."""
    with pytest.raises(MalformedPayload) as caught:
        generation0.decode_for_service('{"type": "action", "body": {"sender": 7}}')
    assert caught.value.what == "action"
    assert set(caught.value.faults) == {
        f"{MISSING} @ body.subtype",
        f"{MISSING} @ body.channel_id",
        f"{TEXT}, got an integer @ body.sender",
    }


def test_faults_are_few_even_when_the_frame_has_many() -> None:
    """A frame of nothing but faults gives an error that can still be logged."""
    text = broken("to_service_msg_up", "body.context.recipients", [None] * 5000)
    with pytest.raises(MalformedPayload) as caught:
        generation0.decode_for_service(text)
    assert len(caught.value.faults) == 21
    assert caught.value.faults[-1] == "and 4980 more"


def test_a_fault_does_not_show_what_stood_there() -> None:
    """A wrong value may be a token in the wrong place; only its type is told."""
    with pytest.raises(MalformedPayload) as caught:
        generation0.decode_from_client(
            broken("from_service_login", "access_token", ["secret-1", {"secret-1": 1}])
        )
    assert "secret-1" not in f"{caught.value} {caught.value.faults}"
    assert caught.value.__suppress_context__


def test_keys_that_nobody_knows_are_no_fault() -> None:
    """Extra keys at every level of every golden frame change nothing."""
    read = {
        "to_service_": generation0.decode_for_service,
        "from_": generation0.decode_from_client,
        "to_user_": generation0.decode_for_user,
    }
    for prefix, decode in read.items():
        for path in GOLDEN.glob(f"{prefix}*.json"):
            frame = json.loads(path.read_text(encoding="utf-8"))
            before: Any = decode(json.dumps(frame))
            after: Any = decode(json.dumps(with_extras(frame)))
            if not {"unknown", "raw", "generic", "info"} & set(path.stem.split("_")):
                assert without_free_parts(after) == without_free_parts(before), path.stem


def with_extras(data: Any) -> Any:
    """The same with one more key in every object."""
    if isinstance(data, dict):
        return {"zzz": [None], **{key: with_extras(value) for key, value in data.items()}}
    return [with_extras(each) for each in data] if isinstance(data, list) else data


def without_free_parts(value: Any) -> Any:
    """The value as plain data, without the parts that keep unknown keys on purpose."""
    plain = attrs.asdict(value, filter=lambda field, _: field.name not in ("extra", "context"))
    return copy.deepcopy(plain)


def test_extra_keys_of_content_are_kept_and_sent_on() -> None:
    """What a later platform puts into a message reaches the users that it is relayed to."""
    content = {"text": "hi", "link": {"title": "t"}, "size": 3}
    event = generation0.decode_for_service(broken("to_service_msg_up", "body.content", content))
    assert isinstance(event, MessageUp)
    assert event.content.extra == {"link": {"title": "t"}, "size": 3}
    assert json.loads(generation0.encode_for_service(event))["body"]["content"] == content


def test_null_texts_of_content_and_stage_mean_absent() -> None:
    """A stage or a message may say null for the half that it does not use."""
    assert structure({"path": None}, Playground, what="stage") == Playground()
    event = generation0.decode_for_service(
        broken("to_service_msg_up", "body.content", {"text": None, "path": "p", "n": 1})
    )
    assert isinstance(event, MessageUp)
    assert (event.content.text, event.content.path, event.content.extra) == (None, "p", {"n": 1})


def test_a_row_without_a_name_has_an_empty_one() -> None:
    """The name of a row may be null or absent (section 2.2); its id may not."""
    profile = {"nickname": "n", "description": "d", "avatar": "a"}
    for row in ({"user_id": "u", "username": None}, {"user_id": "u"}):
        character = structure({**row, "user_context": profile}, Character, what="character")
        assert character.user_id == UserId("u")
        assert character.username == ""
    with pytest.raises(MalformedPayload, match="@ user_id"):
        structure({"user_id": None, "user_context": profile}, Character, what="character")


def test_a_union_is_never_guessed() -> None:
    """A kind that could be one of several is refused, since whoever decodes knows which it is."""

    @attrs.define
    class Either:
        value: Character | Playground

    with pytest.raises(MalformedPayload, match="a union is not guessed"):
        structure({"value": {}}, Either, what="either")


def test_objects_of_one_type_are_checked_inside() -> None:
    """An object whose values have a type is an object, and each of its values has that type."""
    assert structure({"a": "b"}, dict[str, str], what="fields") == {"a": "b"}
    for wrong in ([], [["a", "b"]], "ab", None, {"a": 1}):
        with pytest.raises(MalformedPayload):
            structure(wrong, dict[str, str], what="fields")


def test_a_file_of_keys() -> None:
    """A features.json is a list of keys as the wire has them; anything else says where."""
    key = {"feature_id": "key1", "button_text": "Do it"}
    assert decode_features(json.dumps([key])) == (Feature(feature_id="key1", button_text="Do it"),)
    for text, fault in (
        ("{}", "expected a list, got an object @ features"),
        ('[{"feature_id": "key1"}]', "required field missing @ features[0].button_text"),
        ("[], []", "not JSON"),
        ("[" * 9999, "deeper than 64 levels"),
    ):
        with pytest.raises(MalformedPayload) as caught:
            decode_features(text)
        assert fault in caught.value.faults[0]
