"""Every frame of the generation 1 file, as it stands there, against our values both ways."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from moobius_trio.codec import generation1
from moobius_trio.codec.frames import ClientFrame
from moobius_trio.errors import MalformedPayload
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
    GroupId,
    GroupMessage,
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
    ServiceFrame,
    ServiceId,
    ServiceLogin,
    StyleItem,
    UnknownPayload,
    UpdateChannelInfo,
    UpdateCharacterGroup,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
    UserAction,
    UserCommand,
    UserEvent,
    UserFrame,
    UserId,
    UserLogin,
    UserMessage,
)

GOLDEN = Path(__file__).parent / "golden_frames1"
FACTS = Path(__file__).parents[2] / "docs" / "protocol" / "generation-1.md"
REQUEST = RequestId("<uuid>")
SERVICE = ServiceId("<id>")
CHANNEL = ChannelId("<ch>")
USER = UserId("<user>")
MEMBER = UserId("<member>")
SPEAKER = UserId("<character_id>")
GROUP = GroupId("<group>")
CHANNEL_GROUP = GroupId("<channel group>")
PEOPLE = (MEMBER, UserId("<other>"))
TIME = 1_700_000_000_000
PICTURE = "https://host/p.png"
INFO = {"channel_name": "N", "channel_description": "D", "channel_type": "ccs"}

GROUPS: dict[GroupId, tuple[UserId, ...]] = {
    GROUP: PEOPLE,
    CHANNEL_GROUP: PEOPLE,
    GroupId("<group of service>"): (UserId("service"),),
    GroupId("<group of nobody>"): (),
}


def service_group(members: tuple[UserId, ...]) -> GroupId:
    """The id of the only group that a service needs here; anything else is a LookupError."""
    return {PEOPLE: GROUP}[members]


def channel_group(members: tuple[UserId, ...]) -> GroupId:
    """The same for a user."""
    return {PEOPLE: CHANNEL_GROUP}[members]


def down(content: Content | str = "hi", subtype: str = "text") -> MessageDown:
    """A service's message."""
    return MessageDown(
        channel_id=CHANNEL,
        content=content,
        recipients=PEOPLE,
        sender=SPEAKER,
        subtype=subtype,
        timestamp=TIME,
    )


DIALOG = Feature(
    feature_id="d",
    button_text="D",
    arguments=[
        FeatureArgument(name="L", type="enum", values=["a", "b"], placeholder="p"),
    ],
    dialog=Dialog(title="T", bottom_buttons=[BottomButton(id="ok", text="Yes")]),
)
CARD = Content.card(title="T", text="hi", link="https://host/")
CAPTION = Playground(path=PICTURE, text="caption")

FROM_SERVICE: dict[str, ServiceCommand] = {
    "login": ServiceLogin(service_id=SERVICE, access_token="<token>"),
    "heartbeat": Ping(),
    "message_down": down(),
    "message_down_image": down(Content.file(PICTURE, filename="p.png", size=7), "image"),
    "message_down_audio": down(Content.file("https://host/p.mp3", filename="p.mp3"), "audio"),
    "message_down_file": down(Content.file("https://host/p.pdf", filename="p.pdf", size=9), "file"),
    "message_down_card": down(CARD, "card"),
    "message_down_no_sender": MessageDown(
        channel_id=CHANNEL, content="hi", recipients=PEOPLE, sender=NO_SENDER, timestamp=TIME
    ),
    "characters": UpdateUserList(
        channel_id=CHANNEL,
        user_list=[Character(user_id=each) for each in PEOPLE],
        recipients=PEOPLE,
    ),
    "buttons": UpdateFeatures(
        channel_id=CHANNEL,
        features=[Feature(feature_id="b", button_text="B"), DIALOG],
        recipients=PEOPLE,
    ),
    "buttons_fields": UpdateFeatures(
        channel_id=CHANNEL,
        features=[
            Feature(
                feature_id="f",
                button_text="F",
                arguments=[
                    FeatureArgument(name="A", optional=True),
                    FeatureArgument(name="B", type="textbox"),
                    FeatureArgument(name="C", type="number"),
                    FeatureArgument(name="D", type="password"),
                ],
            ),
            Feature(
                feature_id="q",
                button_text="Q",
                dialog=Dialog(
                    title="Sure?",
                    bottom_buttons=[
                        BottomButton(id="y", text="Yes"),
                        BottomButton(id="n", text="No", submit=False),
                    ],
                ),
            ),
        ],
        recipients=PEOPLE,
    ),
    "menu": UpdateMenu(
        channel_id=CHANNEL,
        menu=[MenuItem(menu_item_id="m", menu_item_text="M", message_subtypes=["text"])],
        recipients=PEOPLE,
    ),
    "menu_all": UpdateMenu(
        channel_id=CHANNEL,
        menu=[
            MenuItem(
                menu_item_id="m",
                menu_item_text="M",
                arguments=[FeatureArgument(name="L", placeholder="p")],
                dialog=Dialog(title="T"),
            )
        ],
        recipients=PEOPLE,
    ),
    "canvas": UpdatePlayground(
        channel_id=CHANNEL,
        content=CAPTION,
        more=[Playground(text="only text")],
        recipients=PEOPLE,
    ),
    "canvas_empty": UpdatePlayground(channel_id=CHANNEL, content=Playground(), recipients=PEOPLE),
    "style": UpdateStyle(
        channel_id=CHANNEL, style=[StyleItem(widget="playground")], recipients=PEOPLE
    ),
    "style_button": UpdateStyle(
        channel_id=CHANNEL,
        style=[
            StyleItem(widget="feature", display="highlight", expand=False, feature_id="b", text="T")
        ],
        recipients=PEOPLE,
    ),
    "channel_info": UpdateChannelInfo(channel_id=CHANNEL, data=INFO),
    "generic": GenericUpdate(
        data={"subtype": "own", "whatever": ["the", {"program": None}], "passes": 1.5}
    ),
}
"""Service to platform, section 3.2."""

FROM_SERVICE_READ_ONLY: dict[str, ServiceCommand] = {
    "message_down_dataclass": down(),
    "message_down_dict": down(),
    "buttons_dicts": UpdateFeatures(
        channel_id=CHANNEL,
        features=[
            Feature(feature_id="a", button_text="A"),
            Feature(feature_id="b", button_text="B"),
            Feature(
                feature_id="c",
                button_text="C",
                arguments=[FeatureArgument(name="L", optional=True)],
            ),
            Feature(feature_id="d", button_text="D", dialog=Dialog()),
            Feature(
                feature_id="e",
                button_text="E",
                dialog=Dialog(bottom_buttons=[BottomButton(id="ok", text="OK")]),
            ),
        ],
        recipients=PEOPLE,
    ),
    "menu_lone_text": UpdateMenu(
        channel_id=CHANNEL,
        menu=[
            MenuItem(menu_item_id="m", menu_item_text="M", message_subtypes=["text"]),
            MenuItem(menu_item_id="n", menu_item_text="N"),
        ],
        recipients=PEOPLE,
    ),
    "style_other_forms": UpdateStyle(
        channel_id=CHANNEL,
        style=[
            StyleItem(widget="playground"),
            StyleItem(widget="feature", display="invisible", expand=False, feature_id="b"),
            StyleItem(widget="channel"),
        ],
        recipients=PEOPLE,
    ),
    "canvas_dicts": UpdatePlayground(
        channel_id=CHANNEL,
        content=Playground(text="only text"),
        more=[Playground(path=PICTURE)],
        recipients=PEOPLE,
    ),
}
"""Forms that the published client writes and we do not."""


def call(*arguments: FeatureCallArgument, sender: UserId = MEMBER, **more: str) -> FeatureCall:
    """A key press."""
    key = more.pop("feature_id", "meow")
    return FeatureCall(
        feature_id=key, channel_id=CHANNEL, sender=sender, arguments=arguments, **more
    )


def click(sender: UserId = MEMBER, **more: object) -> MenuItemClick:
    """A choice from a menu."""
    given: dict[str, object] = {
        "message_content": Content(text="hi"),
        "message_id": MessageId("<id>"),
        **more,
    }
    return MenuItemClick(menu_item_id="m", channel_id=CHANNEL, sender=sender, **given)  # type: ignore[arg-type]


VALUE = FeatureCallArgument(name="L", value="v")
SAID = UserMessage(channel_id=CHANNEL, content=Content(text="hi"), recipients=PEOPLE)
SAID_TO_SERVICE = UserMessage(channel_id=CHANNEL, content=Content(text="hi"))
CLICKED = click(USER, message_subtype="<unknown>", message_content=Content())

FROM_USER: dict[str, UserCommand] = {
    "login": UserLogin(access_token="<token>"),
    "heartbeat": Ping(),
    "join_channel": UserAction(subtype="join_channel", channel_id=CHANNEL),
    "leave_channel": UserAction(subtype="leave_channel", channel_id=CHANNEL),
    "refresh": UserAction(subtype="refresh", channel_id=CHANNEL),
    "message_up_group": SAID,
    "message_up_service": SAID_TO_SERVICE,
    "button_click": call(VALUE, sender=USER, feature_id="b"),
    "menu_item_click": CLICKED,
}
"""User to platform, section 3.3."""

FROM_USER_READ_ONLY: dict[str, UserCommand] = {
    "join": UserAction(subtype="join_channel", channel_id=CHANNEL),
    "leave": UserAction(subtype="leave_channel", channel_id=CHANNEL),
    "message_up": SAID,
    "message_up_group_of_service": SAID_TO_SERVICE,
    "button_click_nested": call(VALUE, sender=USER, feature_id="b"),
    "menu_item_click_nested": CLICKED,
}


def action(subtype: str) -> Action:
    """A request, as a service is told of it."""
    return Action(subtype=subtype, channel_id=CHANNEL, sender=MEMBER)


def up(*recipients: UserId, content: Content | None = None, subtype: str = "text") -> MessageUp:
    """A message, as a service is told of it."""
    return MessageUp(
        channel_id=CHANNEL,
        sender=MEMBER,
        content=content or Content(text="hello world"),
        recipients=recipients,
        subtype=subtype,
        timestamp=1719869068282,
        msg_id=MessageId("<uuid>"),
    )


def receipt(origin_type: str, *, status: bool = True, **context: str) -> Copy:
    """A receipt, as a service gets it."""
    return Copy(
        request_id=RequestId("<uuid of the client frame>"),
        origin_type=origin_type,
        status=status,
        context=context,
    )


FILE = Content.file("https://host/p.pdf", filename="p.pdf", size=9)
FILLED_IN = FeatureCallArgument(name="F", value="https://host/p.pdf", filename="p.pdf")

TO_SERVICE: dict[str, tuple[ServiceEvent, ServiceFrame]] = {
    "message_up": (up(*PEOPLE), GroupMessage(message=up(), group_id=GROUP)),
    "message_up_file": (
        up(*PEOPLE, content=FILE, subtype="file"),
        GroupMessage(message=up(content=FILE, subtype="file"), group_id=GROUP),
    ),
    **{
        name: (event, event)
        for name, event in {
            "message_up_to_service": up(),
            "refresh": action("refresh"),
            "join": action("join_channel"),
            "leave": action("leave_channel"),
            "button_click": call(),
            "button_click_fields": call(VALUE, FILLED_IN, bottom_button_id="ok"),
            "menu_item_click": click(),
            "copy": receipt("heartbeat"),
            "copy_message": receipt("message_down", message="Message received"),
            "copy_refused": receipt("service_login", status=False),
            "host_error": PlatformError(
                message="Internal server error", connection_id="connection-1", request_id=REQUEST
            ),
            "host_error_short": PlatformError(message="Internal server error"),
            "unknown": UnknownPayload(
                type="roger",
                frame={"type": "roger", "body": {"message_id": "<id>"}, "more": [1, 2.5, None]},
            ),
        }.items()
    },
}
"""Platform to service, section 3.4: what is written, and what a service reads."""

TO_SERVICE_READ_ONLY: dict[str, ServiceFrame] = {
    "message_up_real": GroupMessage(message=up(), group_id=GROUP),
    "message_up_list": up(*PEOPLE),
    "message_up_empty_list": up(),
    "message_up_list_of_service": up(),
    "message_up_empty_text": GroupMessage(message=up(), group_id=GroupId("")),
    "join_channel": action("join_channel"),
    "fetch_userlist": action("fetch_user_list"),
    "refresh_type": action("refresh"),
    "button_click_nested": call(VALUE),
    "button_click_nested_empty": call(),
    "button_click_short": call(),
    "menu_item_click_short": click(message_id=MessageId("")),
    "copy_short": receipt("heartbeat"),
    "unknown_copy_client": UnknownPayload(
        type="copy_client",
        frame={
            "type": "copy_client",
            "body": {"request_id": "<uuid>", "origin_type": "ping", "status": True},
        },
    ),
}

SEEN = MessageDown(
    channel_id=CHANNEL,
    content="hi",
    sender=SPEAKER,
    timestamp=TIME,
    msg_id=MessageId("<id>"),
)


def for_user(name: str) -> UserEvent:
    """What a service wrote, as a user's client knows it: without the recipients."""
    command = FROM_SERVICE[name]
    assert isinstance(command, UpdateFeatures | UpdateMenu | UpdatePlayground | UpdateStyle)
    return type(command)(**{key: getattr(command, key) for key in _fields(command)})


def _fields(command: object) -> list[str]:
    return [name for name in type(command).__slots__ if name not in ("recipients", "__weakref__")]


TO_USER: dict[str, tuple[UserEvent, UserFrame]] = {
    "characters": (
        UpdateUserList(channel_id=CHANNEL, user_list=[Character(user_id=each) for each in PEOPLE]),
        UpdateCharacterGroup(channel_id=CHANNEL, group_id=GROUP),
    ),
    **{
        name: (event, event)
        for name, event in {
            "message_down": SEEN,
            "buttons": for_user("buttons"),
            "menu": for_user("menu"),
            "canvas": for_user("canvas"),
            "style": for_user("style"),
            "channel_info": UpdateChannelInfo(channel_id=CHANNEL, data=INFO),
            "generic": GenericUpdate(data={"subtype": "own", "passes": [True]}),
            "copy": Copy(request_id=REQUEST, origin_type="action", status=True),
            "unknown": UnknownPayload(type="roger", frame={"type": "roger", "body": None}),
        }.items()
    },
}
"""Platform to user, section 3.4."""

TO_USER_READ_ONLY: dict[str, UserFrame] = {
    "message_down_recipients": SEEN,
    "canvas_recipients": for_user("canvas"),
    "channel_info_as_sent": UpdateChannelInfo(channel_id=CHANNEL, data=INFO),
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


def client_of(command: object, client_id: str) -> str | None:
    """Whom a frame names: nobody where it is one of those that have no id of their own."""
    return (
        None if isinstance(command, ServiceLogin | UserLogin | Ping | GenericUpdate) else client_id
    )


@pytest.mark.parametrize("name", FROM_SERVICE)
def test_a_service_writes_the_frame(name: str) -> None:
    """A service's command is written as section 3.2 shows it."""
    written = generation1.encode_from_service(
        FROM_SERVICE[name],
        request_id=REQUEST,
        client_id=SERVICE,
        timestamp=TIME,
        group_of=service_group,
    )
    same(written, f"from_service_{name}")


@pytest.mark.parametrize("name", FROM_SERVICE | FROM_SERVICE_READ_ONLY)
def test_the_platform_reads_a_service(name: str) -> None:
    """The platform reads what section 3.2 shows, with who sent it and whom a group means."""
    text = golden(f"from_service_{name}")
    frame = generation1.decode_from_client(text, members_of=GROUPS.get)
    expected = (FROM_SERVICE | FROM_SERVICE_READ_ONLY)[name]
    exactly(frame.command, expected)
    assert frame == ClientFrame(REQUEST, client_of(expected, SERVICE), expected)
    assert frame.origin_type == json.loads(text)["type"]


def test_a_free_frame_is_written_and_comes_as_unknown() -> None:
    """A payload of a type of the program's own has the ids of the published client's."""
    body = RawPayload(type="other", body={"any": ["thing"]})
    written = generation1.encode_from_service(
        body, request_id=REQUEST, client_id=SERVICE, timestamp=TIME, group_of=service_group
    )
    same(written, "from_service_free")
    frame = generation1.decode_from_client(golden("from_service_free"), members_of=GROUPS.get)
    whole = UnknownPayload(type="other", frame=json.loads(golden("from_service_free")))
    exactly(frame.command, whole)
    assert (frame.client_id, frame.origin_type) == (SERVICE, "other")


def test_a_free_message_down_is_one() -> None:
    """A message that the program writes itself reaches the platform as a message."""
    body = RawPayload(
        type="message_down", body=json.loads(golden("from_service_message_down"))["body"]
    )
    written = generation1.encode_from_service(
        body, request_id=REQUEST, client_id=SERVICE, timestamp=0, group_of=service_group
    )
    frame = generation1.decode_from_client(written, members_of=GROUPS.get)
    assert frame == ClientFrame(REQUEST, SERVICE, down())


@pytest.mark.parametrize("name", FROM_USER)
def test_a_user_writes_the_frame(name: str) -> None:
    """A user's command is written as section 3.3 shows it, but with a flat list of arguments."""
    written = generation1.encode_from_user(
        FROM_USER[name], request_id=REQUEST, user_id=USER, timestamp=TIME, group_of=channel_group
    )
    same(written, f"from_user_{name}")


@pytest.mark.parametrize("name", FROM_USER | FROM_USER_READ_ONLY)
def test_the_platform_reads_a_user(name: str) -> None:
    """The platform reads what section 3.3 shows; who acts is whom the frame names."""
    text = golden(f"from_user_{name}")
    frame = generation1.decode_from_client(text, members_of=GROUPS.get)
    expected = (FROM_USER | FROM_USER_READ_ONLY)[name]
    exactly(frame.command, expected)
    assert frame == ClientFrame(REQUEST, client_of(expected, USER), expected)
    assert frame.origin_type == json.loads(text)["type"]


@pytest.mark.parametrize("name", TO_SERVICE)
def test_the_platform_writes_to_a_service(name: str) -> None:
    """An event for a service is written as section 3.4 allows it."""
    written = generation1.encode_for_service(TO_SERVICE[name][0], group_of=service_group)
    same(written, f"to_service_{name}")


@pytest.mark.parametrize("name", [*TO_SERVICE, *TO_SERVICE_READ_ONLY])
def test_a_service_reads_the_frame(name: str) -> None:
    """A service reads what section 3.4 shows; a group is not taken for the Service."""
    read = {**{key: frame for key, (_, frame) in TO_SERVICE.items()}, **TO_SERVICE_READ_ONLY}
    exactly(generation1.decode_for_service(golden(f"to_service_{name}")), read[name])


@pytest.mark.parametrize("name", TO_USER)
def test_the_platform_writes_to_a_user(name: str) -> None:
    """An event for a user is written as section 3.4 allows it: nothing tells who else gets it."""
    same(generation1.encode_for_user(TO_USER[name][0], group_of=service_group), f"to_user_{name}")


@pytest.mark.parametrize("name", [*TO_USER, *TO_USER_READ_ONLY])
def test_a_user_reads_the_frame(name: str) -> None:
    """A user's client reads both forms of what section 3.4 leaves open."""
    read = {**{key: frame for key, (_, frame) in TO_USER.items()}, **TO_USER_READ_ONLY}
    exactly(generation1.decode_for_user(golden(f"to_user_{name}")), read[name])


@pytest.mark.parametrize("subtype", ["fetch_user_list", "fetch_features", "fetch_playground"])
def test_a_request_for_one_part_is_one_for_all(subtype: str) -> None:
    """Generation 1 has one word for what generation 0 asks for in parts (section 7)."""
    same(
        generation1.encode_for_service(action(subtype), group_of=service_group),
        "to_service_refresh",
    )
    asked = generation1.encode_from_user(
        UserAction(subtype=subtype, channel_id=CHANNEL),
        request_id=REQUEST,
        user_id=USER,
        timestamp=TIME,
        group_of=channel_group,
    )
    same(asked, "from_user_refresh")


def test_a_message_for_a_user_needs_a_time() -> None:
    """Only a client's frame gets the time of sending filled in."""
    message = MessageDown(channel_id=CHANNEL, content="hi", recipients=PEOPLE)
    with pytest.raises(ValueError, match="timestamp"):
        generation1.encode_for_user(message, group_of=service_group)
    written = generation1.encode_from_service(
        message, request_id=REQUEST, client_id=SERVICE, timestamp=7, group_of=service_group
    )
    assert json.loads(written)["body"]["timestamp"] == 7


def test_a_group_that_cannot_be_told_is_the_callers_error() -> None:
    """A lookup that fails is never taken for "to the Service": the LookupError comes through."""
    with pytest.raises(LookupError):
        generation1.encode_for_service(up(USER), group_of=service_group)
    with pytest.raises(LookupError):
        generation1.encode_from_service(
            MessageDown(channel_id=CHANNEL, content="hi", recipients=[USER]),
            request_id=REQUEST,
            client_id=SERVICE,
            timestamp=0,
            group_of=service_group,
        )


def named(name: str, group: str) -> str:
    """A golden frame that names another group."""
    return re.sub(r"<(?:channel )?group>", group, golden(name))


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("from_service_message_down", "the group '<elsewhere>' is unknown @ body.recipients"),
        ("from_service_buttons", "the group '<elsewhere>' is unknown @ body.recipients"),
        ("from_service_characters", "'<elsewhere>' is unknown @ body.content.characters"),
        ("from_user_message_up", "the group '<elsewhere>' is unknown @ body.recipients"),
    ],
)
def test_a_group_that_nobody_knows_is_a_fault(name: str, fault: str) -> None:
    """The platform refuses a frame with such a group and names it."""
    with pytest.raises(MalformedPayload) as caught:
        generation1.decode_from_client(named(name, "<elsewhere>"), members_of=GROUPS.get)
    assert fault in caught.value.faults[0]


def test_a_word_to_nobody_is_not_one_to_the_service() -> None:
    """A user's message to an empty group is refused; a service may speak to nobody."""
    with pytest.raises(MalformedPayload, match="the group has no members"):
        generation1.decode_from_client(
            named("from_user_message_up", "<group of nobody>"), members_of=GROUPS.get
        )
    frame = generation1.decode_from_client(
        named("from_service_message_down", "<group of nobody>"), members_of=GROUPS.get
    )
    assert isinstance(frame.command, MessageDown)
    assert frame.command.recipients == ()


def test_every_example_of_the_protocol_file_is_a_golden_frame() -> None:
    """What section 3 of the file shows is what these tests read, key by key."""
    text = FACTS.read_text(encoding="utf-8")
    section = text[text.index("\n## 3. ") : text.index("\n## 4. ")]
    shown = [json.loads(each) for each in re.findall(r"```json\n(.*?)```", section, re.DOTALL)]
    read = [json.loads(path.read_text(encoding="utf-8")) for path in GOLDEN.glob("*.json")]
    assert len(shown) == 18
    assert [example for example in shown if example not in read] == []


def test_every_golden_frame_is_used() -> None:
    """A frame that was written down and that no test reads would prove nothing."""
    tables = [
        ("from_service_", {*FROM_SERVICE, *FROM_SERVICE_READ_ONLY, "free"}),
        ("from_user_", {*FROM_USER, *FROM_USER_READ_ONLY}),
        ("to_service_", {*TO_SERVICE, *TO_SERVICE_READ_ONLY}),
        ("to_user_", {*TO_USER, *TO_USER_READ_ONLY}),
    ]
    named_here = {f"{prefix}{name}" for prefix, names in tables for name in names}
    assert {path.stem for path in GOLDEN.glob("*.json")} == named_here
