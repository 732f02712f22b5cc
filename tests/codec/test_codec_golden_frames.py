"""Every frame of the protocol file, as it stands there, against our values in both directions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moobius_trio.codec import generation0
from moobius_trio.codec.frames import ClientFrame
from moobius_trio.types import (
    NO_SENDER,
    Action,
    BottomButton,
    ChannelId,
    Character,
    Content,
    Copy,
    Dialog,
    Feature,
    FeatureArgument,
    FeatureCall,
    FeatureCallArgument,
    GenericUpdate,
    MenuItem,
    MenuItemClick,
    MessageDown,
    MessageId,
    MessageUp,
    Ping,
    PlatformError,
    Playground,
    RawPayload,
    RequestId,
    ServiceCommand,
    ServiceEvent,
    ServiceId,
    ServiceLogin,
    StyleItem,
    UnknownPayload,
    UpdateChannelInfo,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
    UserAction,
    UserCommand,
    UserEvent,
    UserId,
    UserLogin,
    UserMessage,
)

GOLDEN = Path(__file__).parent / "golden"
REQUEST = RequestId("request-1")
SERVICE = ServiceId("service-1")
CHANNEL = ChannelId("channel-1")
USER = UserId("user-1")
OTHER = UserId("user-2")
TIME = 1_700_000_000_000
PICTURE = "https://host/key.png"

ALICE = Character(
    user_id=OTHER,
    username="alice",
    nickname="Alice",
    avatar="https://host/a.png",
    description="d",
)
KEYS = (
    Feature(
        feature_id="key1",
        feature_name="magic",
        button_text="Do it",
        arguments=[
            FeatureArgument(name="kind", type="enum", values=["A", "B"], placeholder="pick")
        ],
    ),
    Feature(feature_id="key2", feature_name="stage", button_text="Swap"),
)
FORM = Feature(
    feature_id="key3",
    button_text="Ask",
    arguments=[FeatureArgument(name="word", type="password")],
    dialog=Dialog(title="T", bottom_buttons=[BottomButton(id="no", text="No", submit=False)]),
)
MENU = (
    MenuItem(menu_item_id="m1", menu_item_text="M", message_subtypes=["text"]),
    MenuItem(
        menu_item_id="m2",
        menu_item_text="N",
        arguments=[FeatureArgument(name="why", placeholder="say")],
        dialog=Dialog(title="T"),
    ),
)
HELLO = MessageDown(
    channel_id=CHANNEL, content="hello", recipients=[USER], sender=OTHER, timestamp=TIME
)
COPY = Copy(request_id=REQUEST, origin_type="msg_down", status=True)
SURE = FeatureCallArgument(name="sure", value=1)
FILE = FeatureCallArgument(name="file", value=PICTURE, filename="key.png")
CLICK = MenuItemClick(
    menu_item_id="m2",
    channel_id=CHANNEL,
    sender=USER,
    message_id=MessageId("msg-1"),
    message_content=Content(text="hi"),
    arguments=[FeatureCallArgument(name="why", value="so")],
)

FROM_SERVICE: dict[str, ServiceCommand] = {
    "service_login": ServiceLogin(service_id=SERVICE, access_token="token-1"),
    "service_login_first": ServiceLogin(service_id=ServiceId(""), access_token="token-1"),
    "service_ping": Ping(),
    "service_msg_down_a": HELLO,
    "service_msg_down_b": MessageDown(
        channel_id=CHANNEL,
        content=Content(path=PICTURE),
        recipients=[USER],
        sender=OTHER,
        subtype="image",
        timestamp=TIME,
        relayed=True,
    ),
    "service_msg_down_nobody": MessageDown(
        channel_id=CHANNEL,
        content=Content(path=PICTURE),
        sender=NO_SENDER,
        subtype="card",
        timestamp=TIME,
    ),
    "service_update_userlist": UpdateUserList(
        channel_id=CHANNEL, user_list=[ALICE], recipients=[USER]
    ),
    "service_update_features": UpdateFeatures(channel_id=CHANNEL, features=KEYS, recipients=[USER]),
    "service_update_style": UpdateStyle(
        channel_id=CHANNEL, style=[StyleItem(widget="playground")], recipients=[USER]
    ),
    "service_update_playground": UpdatePlayground(
        channel_id=CHANNEL, content=Playground(path=PICTURE, text="caption"), recipients=[USER]
    ),
    "service_update_channel_info": UpdateChannelInfo(channel_id=CHANNEL, data={"any": "thing"}),
    "service_update_generic": GenericUpdate(
        data={"subtype": "own", "whatever": ["the", {"program": None}], "passes": 1.5}
    ),
    "service_update_features_dialog": UpdateFeatures(
        channel_id=CHANNEL, features=[FORM], recipients=[USER]
    ),
    "service_update_playground_more": UpdatePlayground(
        channel_id=CHANNEL,
        content=Playground(path=PICTURE, text="caption"),
        more=[Playground(text="only text")],
        recipients=[USER],
    ),
    "service_update_style_feature": UpdateStyle(
        channel_id=CHANNEL,
        style=[StyleItem(widget="feature", feature_id="key1", text="T")],
        recipients=[USER],
    ),
    "service_update_menu": UpdateMenu(channel_id=CHANNEL, menu=MENU, recipients=[USER]),
}
"""Service to platform, section 3.2."""

FROM_SERVICE_READ_ONLY: dict[str, ServiceCommand] = {
    "service_update_features_lists": UpdateFeatures(
        channel_id=CHANNEL,
        features=[
            Feature(
                feature_id="key1",
                feature_name="magic",
                button_text="Do it",
                arguments=[FeatureArgument(name="why", optional=True, placeholder="say")],
            ),
            Feature(feature_id="key2", feature_name="empty", button_text="E"),
            Feature(feature_id="key3", feature_name="null", button_text="N"),
        ],
        recipients=[USER],
    ),
    "service_update_style_later": UpdateStyle(
        channel_id=CHANNEL,
        style=[
            StyleItem(widget="channel", display="invisible"),
            StyleItem(
                widget="feature",
                display="highlight",
                expand=False,
                feature_id="key1",
                text="<b>!</b>",
            ),
        ],
        recipients=[USER],
    ),
}
"""Forms of the wire that we read and do not write."""

FROM_USER: dict[str, UserCommand] = {
    "user_login": UserLogin(access_token="token-1"),
    "user_ping": Ping(),
    "user_action_fetch_userlist": UserAction(subtype="fetch_user_list", channel_id=CHANNEL),
    "user_action_fetch_features": UserAction(subtype="fetch_features", channel_id=CHANNEL),
    "user_action_fetch_style": UserAction(subtype="fetch_style", channel_id=CHANNEL),
    "user_action_fetch_playground": UserAction(subtype="fetch_playground", channel_id=CHANNEL),
    "user_action_fetch_channel_info": UserAction(subtype="fetch_channel_info", channel_id=CHANNEL),
    "user_action_join_channel": UserAction(subtype="join_channel", channel_id=CHANNEL),
    "user_action_leave_channel": UserAction(subtype="leave_channel", channel_id=CHANNEL),
    "user_msg_up": UserMessage(
        channel_id=CHANNEL, content=Content(text="hello"), recipients=[OTHER]
    ),
    "user_feature_call": FeatureCall(
        feature_id="key1",
        channel_id=CHANNEL,
        sender=USER,
        arguments=[FeatureCallArgument(name="kind", value="A")],
    ),
    "user_feature_call_button": FeatureCall(
        feature_id="key3",
        channel_id=CHANNEL,
        sender=USER,
        arguments=[FILE],
        bottom_button_id="no",
    ),
    "user_menu_item_click": CLICK,
}
"""User to platform, section 3.4."""


def action(subtype: str) -> Action:
    """The action that the goldens have for ``subtype``."""
    return Action(subtype=subtype, channel_id=CHANNEL, sender=USER)


def call(*arguments: FeatureCallArgument, feature_id: str = "key1") -> FeatureCall:
    """The key press that the goldens have."""
    return FeatureCall(feature_id=feature_id, channel_id=CHANNEL, sender=USER, arguments=arguments)


HI = MessageUp(
    channel_id=CHANNEL,
    sender=OTHER,
    content=Content(text="hi"),
    recipients=[USER],
    timestamp=TIME,
    msg_id=MessageId("msg-1"),
)

TO_SERVICE: dict[str, ServiceEvent] = {
    "msg_up": HI,
    "msg_up_infinity": MessageUp(
        channel_id=CHANNEL,
        sender=OTHER,
        content=Content(path=PICTURE),
        subtype="image",
        timestamp=TIME,
        msg_id=MessageId("msg-1"),
    ),
    "action_fetch_userlist": action("fetch_user_list"),
    "action_fetch_features": action("fetch_features"),
    "action_fetch_playground": action("fetch_playground"),
    "action_fetch_channel_info": action("fetch_channel_info"),
    "action_join_channel": action("join_channel"),
    "action_leave_channel": action("leave_channel"),
    "feature_call": call(FeatureCallArgument(name="kind", value="A")),
    "feature_call_plain": call(feature_id="key2"),
    "feature_call_button": FeatureCall(
        feature_id="key3",
        channel_id=CHANNEL,
        sender=USER,
        arguments=[FILE],
        bottom_button_id="no",
    ),
    "menu_item_click": CLICK,
    "copy_client": COPY,
    "copy_client_refused": Copy(
        request_id=REQUEST,
        origin_type="service_login",
        status=False,
        context={"msg": "Message received"},
    ),
    "unknown": UnknownPayload(
        type="roger",
        frame={"type": "roger", "body": {"message_id": "msg-1"}, "more": [1, 2.5, None]},
    ),
    "host_error": PlatformError(
        message="Internal server error", connection_id="connection-1", request_id=REQUEST
    ),
}
"""Platform to service, section 3.3."""

TO_SERVICE_READ_ONLY: dict[str, ServiceEvent] = {
    "msg_up_both_senders": HI,
    "action_no_context": action("fetch_style"),
    "feature_call_values": call(FeatureCallArgument(name="count", value=7), SURE),
    "copy": COPY,
}

TO_USER: dict[str, UserEvent] = {
    "msg_down": HELLO,
    "update_playground": UpdatePlayground(
        channel_id=CHANNEL, content=Playground(path=PICTURE, text="caption")
    ),
    "update_userlist": UpdateUserList(channel_id=CHANNEL, user_list=[ALICE]),
    "update_features": UpdateFeatures(channel_id=CHANNEL, features=[]),
    "update_style": UpdateStyle(channel_id=CHANNEL, style=[StyleItem(widget="playground")]),
    "update_channel_info": UpdateChannelInfo(channel_id=CHANNEL, data={"any": "thing"}),
    "update_generic": GenericUpdate(data={"subtype": "own", "passes": [True]}),
    "update_menu": UpdateMenu(channel_id=CHANNEL, menu=MENU),
    "copy_client": Copy(request_id=REQUEST, origin_type="action", status=True),
    "unknown": UnknownPayload(type="roger", frame={"type": "roger", "body": None}),
}
"""Platform to user, section 3.4."""

TO_USER_READ_ONLY: dict[str, UserEvent] = {
    "update_userlist_context": UpdateUserList(
        channel_id=CHANNEL,
        user_list=[
            Character(user_id=OTHER, nickname="Alice", avatar="https://host/a.png", description="d")
        ],
    ),
}


def golden(name: str) -> str:
    """The text of a golden frame."""
    return (GOLDEN / f"{name}.json").read_text(encoding="utf-8")


def same(written: str, name: str) -> None:
    """What was written means the golden frame, with the same types: true is not 1."""
    assert json.dumps(json.loads(written), sort_keys=True) == json.dumps(
        json.loads(golden(name)), sort_keys=True
    )


def exactly(value: object, expected: object) -> None:
    """Equal, and of the same types inside."""
    assert value == expected
    assert repr(value) == repr(expected)


@pytest.mark.parametrize("name", FROM_SERVICE)
def test_a_service_writes_the_frame(name: str) -> None:
    """A service's command is written as section 3.2 shows it."""
    written = generation0.encode_from_service(
        FROM_SERVICE[name], request_id=REQUEST, client_id=SERVICE, timestamp=TIME
    )
    same(written, f"from_{name}")


@pytest.mark.parametrize("name", FROM_SERVICE | FROM_SERVICE_READ_ONLY)
def test_the_platform_reads_a_service(name: str) -> None:
    """The platform reads what section 3.2 shows, with who sent it."""
    frame = generation0.decode_from_client(golden(f"from_{name}"))
    flat = name in ("service_ping", "service_login", "service_login_first")
    expected = (FROM_SERVICE | FROM_SERVICE_READ_ONLY)[name]
    exactly(frame, ClientFrame(REQUEST, None if flat else SERVICE, expected))
    assert frame.origin_type == json.loads(golden(f"from_{name}"))["type"]


def test_a_free_frame_is_written_and_comes_as_unknown() -> None:
    """A payload of a type of the program's own is written whole and kept whole."""
    name, body = "from_service_raw", RawPayload(type="other", body={"any": ["thing"]})
    written = generation0.encode_from_service(
        body, request_id=REQUEST, client_id=SERVICE, timestamp=TIME
    )
    same(written, name)
    frame = generation0.decode_from_client(golden(name))
    whole = UnknownPayload(type="other", frame=json.loads(golden(name)))
    exactly(frame, ClientFrame(REQUEST, SERVICE, whole))
    assert frame.origin_type == "other"


@pytest.mark.parametrize("name", FROM_USER)
def test_a_user_writes_and_the_platform_reads_the_frame(name: str) -> None:
    """A user's command is written as section 3.4 shows it, and read as it was meant."""
    written = generation0.encode_from_user(
        FROM_USER[name], request_id=REQUEST, client_id=USER, timestamp=TIME
    )
    same(written, f"from_{name}")
    frame = generation0.decode_from_client(golden(f"from_{name}"))
    flat = name in ("user_ping", "user_login")
    exactly(frame, ClientFrame(REQUEST, None if flat else USER, FROM_USER[name]))


@pytest.mark.parametrize("name", TO_SERVICE)
def test_the_platform_writes_to_a_service(name: str) -> None:
    """An event for a service is written as section 3.3 shows it."""
    same(generation0.encode_for_service(TO_SERVICE[name]), f"to_service_{name}")


@pytest.mark.parametrize("name", TO_SERVICE | TO_SERVICE_READ_ONLY)
def test_a_service_reads_the_frame(name: str) -> None:
    """A service reads what section 3.3 shows, with extras that it does not know."""
    event = generation0.decode_for_service(golden(f"to_service_{name}"))
    exactly(event, (TO_SERVICE | TO_SERVICE_READ_ONLY)[name])


@pytest.mark.parametrize("name", TO_USER)
def test_the_platform_writes_to_a_user(name: str) -> None:
    """An event for a user is written as section 3.4 shows it: updates tell no recipients."""
    same(generation0.encode_for_user(TO_USER[name]), f"to_user_{name}")


@pytest.mark.parametrize("name", TO_USER | TO_USER_READ_ONLY)
def test_a_user_reads_the_frame(name: str) -> None:
    """A user's client reads both forms of the list that section 3.4 leaves open."""
    event = generation0.decode_for_user(golden(f"to_user_{name}"))
    exactly(event, (TO_USER | TO_USER_READ_ONLY)[name])


def test_recipients_of_an_update_are_not_told_to_a_user() -> None:
    """Who else gets an update stays between the service and the platform."""
    update = UpdatePlayground(channel_id=CHANNEL, content=Playground(), recipients=[USER, OTHER])
    assert "user-" not in generation0.encode_for_user(update)


def test_a_message_for_a_user_needs_a_time() -> None:
    """Only a service's frame gets the time of sending filled in."""
    message = MessageDown(channel_id=CHANNEL, content="hello", recipients=[USER])
    with pytest.raises(ValueError, match="timestamp"):
        generation0.encode_for_user(message)
    written = generation0.encode_from_service(
        message, request_id=REQUEST, client_id=SERVICE, timestamp=7
    )
    assert json.loads(written)["body"]["timestamp"] == 7


def test_every_golden_frame_is_used() -> None:
    """A frame that was written down and that no test reads would prove nothing."""
    tables = [
        ("from_", {*FROM_SERVICE, *FROM_SERVICE_READ_ONLY, *FROM_USER, "service_raw"}),
        ("to_service_", {*TO_SERVICE, *TO_SERVICE_READ_ONLY}),
        ("to_user_", {*TO_USER, *TO_USER_READ_ONLY}),
    ]
    for prefix, names in tables:
        found = {path.stem.removeprefix(prefix) for path in GOLDEN.glob(f"{prefix}*.json")}
        assert found == names
