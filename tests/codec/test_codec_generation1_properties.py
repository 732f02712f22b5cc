"""Properties of generation 1: what survives its way, and that nothing that comes in breaks it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import singledispatch
from pathlib import Path
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from moobius_trio.codec import generation1
from moobius_trio.errors import MalformedPayload
from moobius_trio.testing.payloads import (
    features,
    ids,
    integers,
    json_values,
    service_commands,
    service_events,
    texts,
    unknown_types,
    user_commands,
    user_events,
)
from moobius_trio.types import (
    Action,
    Character,
    Content,
    Dialog,
    Feature,
    FeatureArgument,
    FeatureCall,
    FeatureCallArgument,
    GenericUpdate,
    GroupId,
    GroupMessage,
    MenuItem,
    MenuItemClick,
    MessageDown,
    MessageUp,
    Ping,
    RawPayload,
    RequestId,
    ServiceId,
    ServiceLogin,
    StyleItem,
    UnknownPayload,
    UpdateCharacterGroup,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
    UserAction,
    UserId,
    UserLogin,
    UserMessage,
)

GOLDEN = Path(__file__).parent / "golden_frames1"
FRAMES = [path.read_text(encoding="utf-8") for path in sorted(GOLDEN.glob("*.json"))]
TYPES = sorted({json.loads(text).get("type", "roger") for text in FRAMES})
SUBTYPES = sorted(set(re.findall(r'"subtype": "(\w+)"', "".join(FRAMES))))
BODY_KEYS = sorted({key for text in FRAMES for key in json.loads(text).get("body") or ()})

CONTENT_KEYS = {"text", "path", "size", "filename", "link", "title", "button"}


def group_of(members: tuple[UserId, ...]) -> GroupId:
    """A group's id that tells who is in it, in which order."""
    return GroupId(json.dumps(members))


def members_of(group_id: GroupId) -> tuple[UserId, ...] | None:
    """Who is in a group of ``group_of``; None for any other text."""
    try:
        members = json.loads(group_id)
    except ValueError:
        return None
    if not isinstance(members, list) or not all(isinstance(each, str) for each in members):
        return None
    return tuple(members)


def as_bytes(text: str) -> bytes:
    """What goes over the wire: this must never fail."""
    return text.encode()


# What generation 1 makes of each value: the rules of docs/protocol/generation-1.md section 11.


@singledispatch
def kept(value: Any) -> Any:
    """The value as it comes out; most come out as they went in."""
    return value


@kept.register
def _(value: Content) -> Content:
    return attrs.evolve(value, extra={k: v for k, v in value.extra.items() if v is not None})


@kept.register
def _(value: FeatureArgument) -> FeatureArgument:
    known = ("enum", "string", "textbox", "number", "password")
    wire = {"dropdown": "enum", "text": "string"}.get(value.type, value.type)
    return attrs.evolve(value, type=wire if wire in known else "string")


def _form(item: Any, label: str) -> Dialog | None:
    dialog: Dialog | None = item.dialog
    if dialog is None:
        return None
    dialog = attrs.evolve(dialog, title="" if dialog.title == label else dialog.title)
    return None if item.arguments and dialog == Dialog() else dialog


@kept.register
def _(value: Feature) -> Feature:
    return Feature(
        feature_id=value.feature_id,
        button_text=value.button_text,
        arguments=each(value.arguments),
        dialog=_form(value, value.button_text),
    )


@kept.register
def _(value: MenuItem) -> MenuItem:
    return attrs.evolve(
        value, arguments=each(value.arguments), dialog=_form(value, value.menu_item_text)
    )


@kept.register
def _(value: StyleItem) -> StyleItem:
    widget = {"canvas": "playground", "button": "feature"}.get(value.widget, value.widget)
    return attrs.evolve(value, widget=widget)


@kept.register
def _(value: UpdateFeatures) -> UpdateFeatures:
    return attrs.evolve(value, features=each(value.features))


@kept.register
def _(value: UpdateMenu) -> UpdateMenu:
    return attrs.evolve(value, menu=each(value.menu))


@kept.register
def _(value: UpdateStyle) -> UpdateStyle:
    return attrs.evolve(value, style=each(value.style))


@kept.register
def _(value: UpdatePlayground) -> UpdatePlayground:
    first, *more = value.items or (value.content,)
    return attrs.evolve(value, content=first, more=more)


@kept.register
def _(value: UpdateUserList) -> UpdateUserList:
    only_ids = [Character(user_id=each.user_id) for each in value.user_list]
    return attrs.evolve(value, user_list=only_ids)


@kept.register
def _(value: FeatureCallArgument) -> FeatureCallArgument:
    return attrs.evolve(value, value=str(value.value))


@kept.register
def _(value: FeatureCall) -> FeatureCall:
    return attrs.evolve(value, arguments=each(value.arguments))


@kept.register
def _(value: MenuItemClick) -> MenuItemClick:
    content = known_content(value.message_content)
    return attrs.evolve(value, arguments=each(value.arguments), message_content=content)


@kept.register(Action)
@kept.register(UserAction)
def _(value: Any) -> Any:
    fetch = value.subtype in ("fetch_user_list", "fetch_features")
    return attrs.evolve(value, subtype="refresh" if fetch else value.subtype)


@kept.register(MessageDown)
@kept.register(MessageUp)
@kept.register(UserMessage)
def _(value: Any) -> Any:
    return attrs.evolve(value, content=kept(value.content))


def each(values: Iterable[Any]) -> list[Any]:
    """Each of them as it comes out."""
    return [kept(value) for value in values]


def known_content(content: Content) -> Content:
    """What is sent on to a client: nothing that a published one does not know."""
    extra = {key: value for key, value in content.extra.items() if key in CONTENT_KEYS}
    return kept(attrs.evolve(content, extra=extra))  # type: ignore[no-any-return]


@given(service_commands, ids, ids, integers)
def test_from_service_to_platform(command: Any, request: Any, client: Any, time: int) -> None:
    """Every command of a service reaches the platform as section 11 says."""
    text = generation1.encode_from_service(
        command, request_id=request, client_id=client, timestamp=time, group_of=group_of
    )
    frame = generation1.decode_from_client(as_bytes(text), members_of=members_of)
    expected = kept(command)
    if isinstance(command, MessageDown):
        expected = attrs.evolve(expected, relayed=False, msg_id="")
    nobody = isinstance(command, ServiceLogin | Ping | GenericUpdate)
    assert frame == generation1.ClientFrame(request, None if nobody else client or None, expected)
    assert frame.origin_type == json.loads(text)["type"] == generation1.origin_type(command)


@given(unknown_types, json_values)
def test_free_payloads(kind: str, body: Any) -> None:
    """A payload of a type of the program's own reaches the platform whole."""
    text = generation1.encode_from_service(
        RawPayload(type=kind, body=body),
        request_id=RequestId("r"),
        client_id=ServiceId("s"),
        timestamp=0,
        group_of=group_of,
    )
    frame = generation1.decode_from_client(as_bytes(text), members_of=members_of)
    assert isinstance(frame.command, UnknownPayload)
    assert frame.client_id == "s"
    assert frame.command.frame["body"] == body


@given(service_events)
def test_from_platform_to_service(event: Any) -> None:
    """Every event reaches a service as section 11 says; a message to others names their group."""
    text = generation1.encode_for_service(event, group_of=group_of)
    expected = kept(event)
    if isinstance(event, MessageUp):
        expected = attrs.evolve(expected, content=known_content(event.content))
        if event.recipients:
            message = attrs.evolve(expected, recipients=())
            expected = GroupMessage(message=message, group_id=group_of(event.recipients))
    read = generation1.decode_for_service(as_bytes(text))
    assert read == expected
    assert hash(read) == hash(expected)


@given(user_commands, ids, ids, integers)
def test_from_user_to_platform(command: Any, request: Any, client: Any, time: int) -> None:
    """Every command of a user reaches the platform; who acts is whom the frame names."""
    text = generation1.encode_from_user(
        command, request_id=request, user_id=client, timestamp=time, group_of=group_of
    )
    frame = generation1.decode_from_client(as_bytes(text), members_of=members_of)
    expected = kept(command)
    if isinstance(command, FeatureCall | MenuItemClick):
        expected = attrs.evolve(expected, sender=client)
    nobody = isinstance(command, UserLogin | Ping)
    assert frame == generation1.ClientFrame(request, None if nobody else client or None, expected)


@given(user_events)
def test_from_platform_to_user(event: Any) -> None:
    """Every event reaches a user as section 11 says; a character list is a group."""
    text = generation1.encode_for_user(event, group_of=group_of)
    expected = kept(event)
    if isinstance(event, MessageDown):
        content = known_content(event.content)
        expected = attrs.evolve(expected, recipients=(), relayed=False, content=content)
    if isinstance(event, UpdateUserList):
        group_id = group_of(tuple(each.user_id for each in event.user_list))
        expected = UpdateCharacterGroup(channel_id=event.channel_id, group_id=group_id)
    read = generation1.decode_for_user(as_bytes(text))
    assert read == expected
    assert hash(read) == hash(expected)


@given(features)
def test_what_comes_out_comes_out_again(feature: Feature) -> None:
    """What survived one way survives each further one: nothing is worn away."""
    once = kept(feature)
    assert kept(once) == once
    assert once.new_window == (bool(once.arguments) or once.dialog is not None)


MESSAGE = {"subtype", "channel_id", "content", "timestamp", "sender", "message_id", "context"}
CLICK = {"subtype", "channel_id", "sender", "arguments", "bottom_button_id", "context"}
ITEM_CLICK = {"menu_item_id", "message_subtype", "message_content", "message_id"}
UPDATE = {"subtype", "channel_id", "content", "recipients", "group_id", "context"}
BODIES = {
    MessageUp: MESSAGE | {"recipients"},
    MessageDown: MESSAGE,
    Action: {"subtype", "channel_id", "sender", "context"},
    FeatureCall: CLICK | {"button_id"},
    MenuItemClick: CLICK | ITEM_CLICK,
}
"""The keys that section 3.4 allows in a body; of what is not here none but those of an update."""
REQUIRED = {
    MessageUp: MESSAGE - {"context"} | {"recipients"},
    MessageDown: MESSAGE - {"context"},
    Action: {"subtype", "channel_id", "sender"},
    FeatureCall: {"button_id", "channel_id", "sender"},
    MenuItemClick: (ITEM_CLICK - {"message_id"}) | {"channel_id", "sender"},
}
ITEMS = {
    "buttons": {"button_id", "button_text", "dialog"},
    "menu": {"menu_item_id", "menu_item_text", "message_subtypes", "dialog"},
    "canvas": {"text", "path"},
    "style": {"widget", "display", "expand", "button_id", "text"},
}
"""The fields of the types of section 4, which are what the items of an update are made into."""


def only_known_keys(event: Any, text: str) -> None:
    """Nothing in the frame of ``event`` would lose a published client the event."""
    body = json.loads(text)["body"]
    if type(event) in BODIES:
        assert REQUIRED[type(event)] <= body.keys() <= BODIES[type(event)]
        assert body.get("content", {}).keys() <= CONTENT_KEYS
        assert body.get("message_content", {}).keys() <= CONTENT_KEYS
        for argument in body.get("arguments", []):
            assert {"label", "value"} <= argument.keys() <= {"label", "value", "filename"}
        return
    if body.keys() == {"request_id", "origin_type", "status", "context"}:
        return
    assert {"subtype", "channel_id", "content"} <= body.keys() <= UPDATE
    if body["subtype"] in ITEMS:
        assert all(each.keys() == ITEMS[body["subtype"]] for each in body["content"])


@given(service_events)
def test_a_service_is_sent_no_key_that_it_does_not_know(event: Any) -> None:
    """One unknown key in a body would lose a published client the event (section 3.4)."""
    text = generation1.encode_for_service(event, group_of=group_of)
    if "body" in (frame := json.loads(text)) and not isinstance(event, UnknownPayload):
        assert frame.keys() == {"type", "body"}
        only_known_keys(event, text)
        assert isinstance(frame["body"].get("recipients", ""), str)


@given(user_events)
def test_a_user_is_sent_no_key_that_it_does_not_know(event: Any) -> None:
    """The same, but for what a service wrote as a whole itself."""
    if not isinstance(event, UnknownPayload | GenericUpdate):
        only_known_keys(event, generation1.encode_for_user(event, group_of=group_of))


DECODERS: list[Callable[[Any], object]] = [
    generation1.decode_for_service,
    generation1.decode_for_user,
    lambda text: generation1.decode_from_client(text, members_of=members_of),
]


def only_malformed(text: Any) -> None:
    """No decoder raises anything but its own error."""
    for decode in DECODERS:
        try:
            decode(text)
        except MalformedPayload as exc:
            assert exc.faults  # noqa: PT017  (any other exception is the failure)


@given(st.binary(max_size=200) | st.text(alphabet=st.characters(exclude_categories=())))
def test_anything(data: bytes | str) -> None:
    """Bytes and texts are read or refused."""
    only_malformed(data)
    assert all(isinstance(part, str) for part in generation1.name_of_frame(data))


@given(
    st.fixed_dictionaries(
        {"type": st.sampled_from(TYPES) | json_values, "request_id": texts | json_values},
        optional={
            "subtype": st.sampled_from(SUBTYPES) | json_values,
            "channel_id": texts | json_values,
            "user_id": texts | json_values,
            "message": json_values,
            "body": json_values
            | st.dictionaries(
                st.sampled_from(BODY_KEYS),
                json_values | st.sampled_from([*SUBTYPES, "service", '["user"]']),
            ),
        },
    )
)
def test_anything_like_a_frame(frame: Any) -> None:
    """Objects with the right keys and anything in them are read or refused."""
    only_malformed(json.dumps(frame))


@given(st.sampled_from(FRAMES), st.randoms(use_true_random=False), json_values)
def test_a_frame_with_one_part_replaced(text: str, random: Any, value: Any) -> None:
    """A good frame of which any one part became something else is read or refused."""
    frame = json.loads(text)
    place = frame
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = random.choice(keys)
        below = place[key]
        if not isinstance(below, dict | list) or not below or random.random() < 0.3:
            place[key] = value
            break
        place = below
    only_malformed(json.dumps(frame))


def test_deep_frames_do_not_break() -> None:
    """Deep arguments and deep free parts end in no RecursionError."""
    for levels in (60, 64, 65, 500, 50_000):
        for lists in ("[" * levels + "]" * levels, '{"a":' * levels + "1" + "}" * levels):
            only_malformed(
                '{"type": "action", "request_id": "r", "body": {"subtype": "button_click", '
                f'"button_id": "b", "channel_id": "c", "sender": "s", "arguments": {lists}}}}}'
            )
            only_malformed(f'{{"type": "update", "request_id": "r", "body": {lists}}}')


def with_extras(data: Any) -> Any:
    """The same with one more key in every object."""
    if isinstance(data, dict):
        return {"zzz": [None], **{key: with_extras(value) for key, value in data.items()}}
    return [with_extras(each) for each in data] if isinstance(data, list) else data


def without_free_parts(value: Any) -> Any:
    """The value as plain data, without the parts that keep unknown keys on purpose."""
    return attrs.asdict(value, filter=lambda field, _: field.name not in ("extra", "context"))


def test_keys_that_nobody_knows_lose_no_event() -> None:
    """Extra keys at every level of every golden frame change nothing: a later platform has some."""

    def decode(stem: str, frame: object) -> Any:
        text = json.dumps(frame)
        if stem.startswith("to_service_"):
            return generation1.decode_for_service(text)
        if stem.startswith("to_user_"):
            return generation1.decode_for_user(text)
        return generation1.decode_from_client(text, members_of=lambda _: (UserId("u"),))

    for path in GOLDEN.glob("*.json"):
        frame = json.loads(path.read_text(encoding="utf-8"))
        before, after = decode(path.stem, frame), decode(path.stem, with_extras(frame))
        if not {"unknown", "free", "generic", "info"} & set(path.stem.split("_")):
            assert without_free_parts(after) == without_free_parts(before), path.stem
