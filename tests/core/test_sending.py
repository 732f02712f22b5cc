"""What an author writes in a call, and the payload that comes of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Never, cast

import pytest

from moobius_trio import (
    NO_SENDER,
    Action,
    Band,
    ChannelId,
    Character,
    Content,
    Feature,
    FeatureCall,
    GenericUpdate,
    MenuItem,
    MessageDown,
    MessageUp,
    MoobiusService,
    MovedError,
    OutboxFull,
    Playground,
    RawPayload,
    Receipt,
    RequestId,
    ServiceStopped,
    StyleItem,
    UpdateChannelInfo,
    UpdateFeatures,
    UpdateMenu,
    UpdatePlayground,
    UpdateStyle,
    UpdateUserList,
    UserId,
)
from moobius_trio.core.members import Members
from moobius_trio.core.recipients import as_recipients
from moobius_trio.testing import Local
from moobius_trio.testing.core_rig import runtime_of

BAND = ChannelId("band")
ALICE = UserId("alice")
BOB = UserId("bob")
KEY: dict[str, Any] = {"feature_id": "roll", "button_text": "Roll"}
CAROL = Character(user_id=UserId("carol"), nickname="Carol")
PRESS = FeatureCall(feature_id="k", channel_id=BAND, sender=ALICE)


class Speaking(MoobiusService):
    """A service without a connection: what it sends is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[object] = []

    async def send(self, payload: Any = None, *refused: Never, **old: Never) -> Receipt:
        self.sent.append(payload)
        return Receipt(RequestId("receipt"))


def a_band(service: Speaking) -> Band:
    """A band of it with nobody in it."""

    async def nobody(user_id: UserId) -> Character:
        raise AssertionError("no profile is asked for")

    members = Members(fetch_profile=nobody, start_soon=lambda *args: None)
    return Band(channel_id=BAND, service=service, members=members)


def up(**changes: Any) -> Any:
    """A text of alice to alice and bob."""
    values: dict[str, Any] = {
        "channel_id": BAND,
        "sender": ALICE,
        "recipients": [ALICE, BOB],
        "content": Content(text="hello", extra={"mood": "good"}),
    }
    return MessageUp(**(values | changes))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (ALICE, (ALICE,)),
        (CAROL, (CAROL.user_id,)),
        ([ALICE, CAROL], (ALICE, CAROL.user_id)),
        ((BOB, ALICE), (BOB, ALICE)),
        ({ALICE: CAROL, BOB: CAROL}, (ALICE, BOB)),
        ({BOB: 1}.keys(), (BOB,)),
        ((user for user in (ALICE, CAROL, ALICE)), (ALICE, CAROL.user_id)),
        ([], ()),
    ],
    ids=["id", "character", "list", "tuple", "mapping", "keys", "generator", "nobody"],
)
def test_recipients(given: Any, meant: tuple[UserId, ...]) -> None:
    """An id, a character or any iterable of them, in order and each once."""
    assert as_recipients(given) == meant


@pytest.mark.parametrize(
    "given",
    [None, 1, b"alice", [b"alice"], [None], [[ALICE]], [1], ..., {1: ALICE}],
    ids=repr,
)
async def test_anything_else_is_refused_at_the_call(given: Any) -> None:
    """Wrong recipients are a TypeError in the line that gives them, for each kind of call."""
    service = Speaking()
    calls: Iterable[Callable[[], Any]] = (
        lambda: service.create_message(BAND, "hi", given),
        lambda: service.send_msg_down(BAND, given, "text", "hi"),
        lambda: service.send_update_user_list(BAND, [], given),
        lambda: service.send_update_features(BAND, [], given),
        lambda: service.send_update_playground(BAND, Playground(), given),
        lambda: service.send_update_style(BAND, [], given),
        lambda: service.send_update_menu(BAND, [], given),
        lambda: a_band(service).create_message("hi", given),
    )
    for call in calls:
        with pytest.raises(TypeError, match=r"recipients|expected a user id"):
            await call()
    if given is not None:  # there it means: those that the user picked
        with pytest.raises(TypeError):
            service.msg_up_to_msg_down(up(), recipients=given)
    assert service.sent == []


@pytest.mark.parametrize(
    ("content", "subtype", "meant"),
    [
        ("hi", "text", Content(text="hi")),
        ("https://host/a.png", "image", Content(path="https://host/a.png")),
        ("https://host/a.mp3", "audio", Content(path="https://host/a.mp3")),
        (Content(text="hi", path="both"), "card", Content(text="hi", path="both")),
    ],
)
async def test_content(content: Any, subtype: str, meant: Content) -> None:
    """A text is the text of a text message and the address of any other; a Content is itself."""
    service = Speaking()
    await service.create_message(BAND, content, ALICE, subtype)
    await a_band(service).create_message(content, ALICE, subtype)
    message = MessageDown(channel_id=BAND, content=meant, recipients=[ALICE], subtype=subtype)
    assert service.sent == [message, message]


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        (lambda s: s.send_update_features(BAND, [{"feature_id": "a"}], ALICE), r"Feature\("),
        (lambda s: s.send_update_features(BAND, Feature(**KEY), ALICE), "brackets"),
        (lambda s: s.send_update_features(BAND, 5, ALICE), "iterable"),
        (lambda s: Feature(**KEY | {"arguments": [{"name": "count"}]}), r"FeatureArgument\("),
        (lambda s: s.send_update_playground(BAND, "Light", ALICE), r"Playground\("),
        (lambda s: s.send_update_playground(BAND, {"text": "Light"}, ALICE), r"Playground\("),
        (lambda s: s.send_update_playground(BAND, [{"text": "Light"}], ALICE), r"Playground\("),
        (lambda s: s.send_update_playground(BAND, 5, ALICE), r"Playground\("),
        (lambda s: s.send_update_menu(BAND, [{"menu_item_id": "a"}], ALICE), r"MenuItem\("),
        (lambda s: s.send_update_style(BAND, [{"widget": "feature"}], ALICE), r"StyleItem\("),
        (lambda s: s.send_update_user_list(BAND, {ALICE: CAROL}, ALICE), r"members\.values\(\)"),
        (lambda s: s.send_update_user_list(BAND, CAROL, ALICE), "brackets"),
    ],
)
async def test_a_screen_in_an_old_form_is_refused_with_the_new_one(call: Any, remedy: str) -> None:
    """Dicts, texts and ids in place of values are refused where they are written."""
    service = Speaking()
    with pytest.raises(TypeError, match=remedy):
        await call(service)
    assert service.sent == []


@pytest.mark.parametrize(
    ("read", "value", "remedy"),
    [
        (lambda value: value.context, up(), "write msg_up.sender and msg_up.recipients"),
        (lambda value: value.user_context, CAROL, "write character.nickname"),
        (lambda value: value.message_id, up(), "write msg_up.msg_id"),
        (lambda value: value.name, CAROL, "write character.nickname$"),
        (lambda value: value.character_id, CAROL, "write character.user_id"),
        (lambda value: value.button_id, PRESS, "write feature_call.feature_id"),
        (lambda value: value.sendr, up(), "no attribute 'sendr'$"),
        (lambda value: value.nick, CAROL, "no attribute 'nick'$"),
        (lambda value: value["text"], Content(text="hi"), "content.text"),
    ],
)
def test_reading_a_value_in_an_old_form_says_the_new_one(
    read: Any, value: object, remedy: str
) -> None:
    """There is no context and no indexing."""
    with pytest.raises((AttributeError, TypeError), match=remedy):
        read(value)
    assert not hasattr(up(), "context")
    assert copy.deepcopy(CAROL) == CAROL


@pytest.mark.parametrize("content", [{"text": "hi"}, {"path": "x"}, None, 3, b"hi"], ids=repr)
async def test_content_in_an_old_form_is_refused_with_the_new_one(content: Any) -> None:
    """A dict of the original's becomes a text or a Content."""
    with pytest.raises(TypeError, match=r"give the text.*Content\(path=…\)"):
        await Speaking().create_message(BAND, content, ALICE)


async def test_arguments_in_the_order_of_1_8_are_refused_with_ours() -> None:
    """There content comes first, then band, sender and recipients; nothing is sent so."""
    service, text, recipients = Speaking(), ChannelId("hi"), cast(Any, [ALICE])
    with pytest.raises(TypeError, match=r"create_message\(channel_id, content, recipients"):
        await service.create_message(text, BAND, ALICE, recipients)
    assert service.sent == []


async def test_a_sender_is_an_id_or_a_character() -> None:
    """Without one nobody speaks; anything else is refused."""
    service = Speaking()
    await service.create_message(BAND, "hi", ALICE)
    await service.create_message(BAND, "hi", ALICE, sender=BOB)
    await service.create_message(BAND, "hi", ALICE, sender=CAROL)
    senders = [message.sender for message in service.sent if isinstance(message, MessageDown)]
    assert senders == [NO_SENDER, BOB, CAROL.user_id]
    with pytest.raises(TypeError, match="expected a user id or a Character, not 7"):
        await service.create_message(BAND, "hi", ALICE, sender=7)  # type: ignore[arg-type]


async def test_calls_take_the_originals_order() -> None:
    """By position each call means what the table of the design says, on a service and a band."""
    service, key = Speaking(), Feature(feature_id="k", button_text="K")
    item, stage = StyleItem(widget="playground", display="visible"), Playground(text="dark")
    band = a_band(service)
    said = MessageDown(
        channel_id=BAND, recipients=[ALICE], subtype="text", content="hi", sender=BOB
    )
    for receipt in (
        await service.send_msg_down(BAND, [ALICE], "text", "hi", BOB),
        await band.send_msg_down([ALICE], "text", "hi", BOB),
        await service.create_message(BAND, "hi", [ALICE], "text", BOB),
        await band.create_message("hi", [ALICE], "text", BOB),
    ):
        assert isinstance(receipt, Receipt)
    await service.send_update("target", {"subtype": "own"})
    speakers: list[tuple[Any, tuple[ChannelId, ...]]] = [(service, (BAND,)), (band, ())]
    for updates, head in speakers:
        await updates.send_update_user_list(*head, [CAROL], [ALICE])
        await updates.send_update_features(*head, [key], [ALICE])
        await updates.send_update_playground(*head, stage, [ALICE])
        await updates.send_update_style(*head, [item], [ALICE])
        await updates.send_update_channel_info(*head, {"name": "x"})
    to_alice: dict[str, Any] = {"channel_id": BAND, "recipients": [ALICE]}
    expected = [
        UpdateUserList(user_list=[CAROL], **to_alice),
        UpdateFeatures(features=[key], **to_alice),
        UpdatePlayground(content=stage, **to_alice),
        UpdateStyle(style=[item], **to_alice),
        UpdateChannelInfo(channel_id=BAND, data={"name": "x"}),
    ]
    assert service.sent == [said] * 4 + [GenericUpdate(data={"subtype": "own"}), *expected * 2]


async def test_a_stage_of_several_items_is_a_canvas() -> None:
    """One item, several in their order, or none for an empty stage; from a band as well."""
    service = Speaking()
    one, two = Playground(text="one"), Playground(text="two")
    await service.send_update_playground(BAND, one, ALICE)
    await service.send_update_playground(BAND, [one], ALICE)
    await a_band(service).send_update_playground(iter([one, two]), ALICE)
    await service.send_update_playground(BAND, [], ALICE)
    updates = [update for update in service.sent if isinstance(update, UpdatePlayground)]
    assert [update.items for update in updates] == [(one,), (one,), (one, two), ()]


async def test_a_menu_goes_to_its_recipients() -> None:
    """From the service and from a band alike."""
    service = Speaking()
    item = MenuItem(menu_item_id="translate", menu_item_text="Translate", message_subtypes=["text"])
    await service.send_update_menu(BAND, [item], [ALICE, BOB])
    await a_band(service).send_update_menu([item], [ALICE, BOB])
    assert service.sent == [UpdateMenu(channel_id=BAND, menu=[item], recipients=[ALICE, BOB])] * 2


@pytest.mark.parametrize(
    ("address", "filename", "subtype"),
    [
        ("https://host/a.png", "", "image"),
        ("https://host/a.PNG?size=2", "", "image"),
        ("https://host/a.mp3", "", "audio"),
        ("https://host/a.mp4", "", "file"),
        ("https://host/a", "", "file"),
        ("https://host/a", "cat.jpg", "image"),
    ],
)
async def test_a_file_is_of_the_kind_that_its_name_says(
    address: str, filename: str, subtype: str
) -> None:
    """An address goes out as it is; another kind may be named."""
    service = Speaking()
    await service.send_file(BAND, address, ALICE, filename=filename, sender=BOB)
    await a_band(service).send_file(address, ALICE, filename=filename, sender=BOB)
    await service.send_file(BAND, address, ALICE, subtype="file")
    message = MessageDown(
        channel_id=BAND,
        content=Content.file(address, filename=filename),
        recipients=[ALICE],
        subtype=subtype,
        sender=BOB,
    )
    assert service.sent[:2] == [message, message]
    assert isinstance(service.sent[2], MessageDown)
    assert service.sent[2].subtype == "file"


async def test_a_local_file_is_uploaded_and_shown_with_its_name_and_size(
    local: Local, tmp_path: Path
) -> None:
    """A path as a ``Path`` is a local file; its folder is told to nobody."""
    service = MoobiusService()
    band = await local.start(service)
    [alice] = await band.join("Alice")
    picture = tmp_path / "cat.png"
    picture.write_bytes(b"\x89PNG cat")
    await service.send_file(band.channel_id, picture, alice.user_id)
    await local.settle()
    assert alice.last.subtype == "image"
    assert alice.last.content.path is not None
    assert alice.last.content.path.startswith("http")
    assert (alice.last.content.filename, alice.last.content.size) == ("cat.png", 8)
    assert str(tmp_path) not in repr(alice.last)


def test_an_upward_message_turned_round() -> None:
    """Same sender, content, kind and recipients; it is marked as relayed."""
    down = Speaking().msg_up_to_msg_down(up())
    assert down == MessageDown(
        channel_id=BAND,
        sender=ALICE,
        recipients=[ALICE, BOB],
        content=Content(text="hello", extra={"mood": "good"}),
        relayed=True,
    )


def test_an_upward_message_turned_round_without_its_sender() -> None:
    """``remove_self`` leaves the sender out, also of recipients that are given."""
    service = Speaking()
    assert service.msg_up_to_msg_down(up(), remove_self=True).recipients == (BOB,)
    assert service.msg_up_to_msg_down(up(), True, recipients=[ALICE]).recipients == ()


def test_an_upward_message_turned_round_with_another_text() -> None:
    """A text replaces the content, also of an image, which becomes a text message."""
    image = up(subtype="image", content=Content(path="https://host/cat.png"))
    service = Speaking()
    down = service.msg_up_to_msg_down(image, text="a cat")
    assert (down.subtype, down.content) == ("text", Content(text="a cat"))
    kept = service.msg_up_to_msg_down(image)
    assert (kept.subtype, kept.content) == ("image", image.content)
    assert service.msg_up_to_msg_down(up(), text="").content == Content(text="")


def test_an_upward_message_turned_round_to_others() -> None:
    """Recipients in any form, none included, replace those that the user picked."""
    service = Speaking()
    assert service.msg_up_to_msg_down(up(), recipients=CAROL).recipients == (CAROL.user_id,)
    assert service.msg_up_to_msg_down(up(), recipients=[]).recipients == ()


@pytest.mark.parametrize(
    "event",
    [
        up(),
        FeatureCall(feature_id="k", channel_id=BAND, sender=ALICE),
        Action(subtype="fetch_features", channel_id=BAND, sender=ALICE),
    ],
    ids=["message", "key", "request"],
)
async def test_a_reply_goes_to_the_sender_alone(event: MessageUp | FeatureCall | Action) -> None:
    """Spoken as that user, unless somebody else is named."""
    service = Speaking()
    await service.reply(event, "yes")
    await service.reply(event, "https://host/a.png", subtype="image", sender=CAROL)
    assert service.sent == [
        MessageDown(channel_id=BAND, recipients=[ALICE], content="yes", sender=ALICE),
        MessageDown(
            channel_id=BAND,
            recipients=[ALICE],
            content=Content(path="https://host/a.png"),
            subtype="image",
            sender=CAROL.user_id,
        ),
    ]


@pytest.mark.parametrize(
    ("args", "options"),
    [
        (("msg_down", {"text": "hi"}), {}),
        (("msg_down",), {"payload_body": {}}),
        ((), {"payload_type": "msg_down", "payload_body": {}}),
        (({"type": "msg_down"},), {}),
        ((None,), {}),
        ((up(),), {}),
    ],
    ids=["two", "mixed", "named", "dict", "none", "upward"],
)
async def test_send_refuses_the_old_forms_with_the_new_one(args: Any, options: Any) -> None:
    """The original's ``send(type, body)`` says how it is written here, whatever its form."""
    with pytest.raises(MovedError, match=r"await self\.send\(msg_down\).*RawPayload\(type=…"):
        await MoobiusService().send(*args, **options)


async def test_a_service_that_does_not_run_says_so() -> None:
    """Sending, bands, storage: each raises ServiceStopped before the start and after the end."""
    service = MoobiusService()
    with pytest.raises(ServiceStopped):
        await service.create_message(BAND, "hi", ALICE)
    for look in (lambda: service.bands, lambda: service.storage, lambda: service.statistics()):
        with pytest.raises(ServiceStopped):
            look()


async def test_a_forgotten_super_init_is_named() -> None:
    """An `__init__` that does not call the base's fails with that remedy."""

    class Forgetful(MoobiusService):
        def __init__(self) -> None:
            pass

    with pytest.raises(RuntimeError, match=r"Forgetful\.__init__ has to call super\(\)"):
        _ = Forgetful().bands


async def test_what_is_sent_arrives(local: Local) -> None:
    """Over the wire: message, every update, and a frame of one's own; each is confirmed."""
    service = MoobiusService()
    channel_id = (await local.start(service)).channel_id
    [alice] = await local.band("local-demo").join("Alice")
    band = service.bands[channel_id]
    key = Feature(feature_id="k", button_text="K")
    receipts = [
        await band.create_message("hi", alice.user_id, sender=CAROL),
        await band.send_update_user_list([CAROL], alice.user_id),
        await band.send_update_features([key], band.members),
        await band.send_update_playground(Playground(path="p", text="t"), alice.user_id),
        await band.send_update_style(
            [StyleItem(widget="playground", display="visible", expand=True)], alice.user_id
        ),
        await band.send_update_channel_info({"name": "x"}),
        await service.send(RawPayload(type="roger", body={"message_id": "1"})),
    ]
    await local.settle()
    assert [receipt.state for receipt in receipts] == ["confirmed"] * 6 + ["refused"]
    assert (alice.last.text, alice.last.sender) == ("hi", CAROL.user_id)
    assert alice.names == ["Carol"]
    assert alice.keys == (key,)
    assert alice.stage == Playground(path="p", text="t")
    assert alice.style[0].expand is True


async def test_a_message_to_nobody_is_dropped(local: Local) -> None:
    """Its receipt says so at once, and nothing is written."""
    service = MoobiusService()
    band = await local.start(service)
    receipt = await service.create_message(band.channel_id, "hi", [])
    outcome = await receipt.outcome()
    assert (outcome.state, outcome.reason) == ("dropped", "no recipients")
    assert local.trace == []


async def test_a_full_outbox_is_an_error_after_a_wait(local: Local) -> None:
    """While the platform is away `send` waits for room, ten seconds at most (F33)."""
    service = MoobiusService()
    band = await local.start(service)
    runtime = runtime_of(service)
    runtime.outbox._queue.limit_items = 2
    runtime.outbox.pause()
    for text in "ab":
        await service.create_message(band.channel_id, text, ALICE)
    with pytest.raises(OutboxFull, match="stayed full for 10 s"):
        await service.create_message(band.channel_id, "c", ALICE)
    runtime.outbox.resume()
