"""One band with services and users of both generations: what each of them has on its wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

import pytest
import trio
import trio.testing

from moobius_trio.local import DEFAULT_BAND, Knobs
from moobius_trio.testing.wires import Json, Wire, Wires, open_wires

BAND = DEFAULT_BAND
Generation = Literal[0, 1]


@pytest.fixture
async def wires() -> AsyncIterator[Wires]:
    async with open_wires() as wires:
        yield wires


def body(subtype: str, **more: object) -> Json:
    return {"subtype": subtype, "channel_id": BAND, **more}


async def group(wire: Wire, *members: str) -> str:
    """The id of a group that a service made."""
    made = await wire.caller.data(
        "POST", "/service/group/create", {"group_id": "", "characters": members}
    )
    assert isinstance(made, str)
    return made


async def say(wire: Wire, text: str, *recipients: str) -> Json:
    """A message of a service or of a user, in their own words; gives the receipt."""
    if wire.caller.generation == 0:
        kind = "msg_down" if wire.login()["type"] == "service_login" else "msg_up"
        said = body("text", content={"text": text}, recipients=recipients, timestamp=1, context={})
        frame = {"type": kind, "client_id": wire.who, "body": {**said, "sender": wire.who}}
        return await wire.receipt(frame)
    if wire.login()["type"] == "service_login":
        to = await group(wire, *recipients)
        said = body("text", content={"text": text}, recipients=to, timestamp=1, context={})
        frame = {"type": "message_down", "service_id": wire.who, "body": {**said, "sender": "x"}}
        return await wire.receipt(frame)
    to = "service"
    if recipients:
        asked = {"channel_id": BAND, "group_name": "g", "characters": recipients}
        to = (await wire.caller.data("POST", "/user/group/create", asked))["group_id"]
    said = body("text", content={"text": text}, recipients=to, timestamp=1, context={})
    ids = {"user_id": wire.who, "service_id": wire.who}
    return await wire.receipt({"type": "message_up", **ids, "body": said})


async def heard(wires: Wires, wire: Wire) -> tuple[str, list[str]]:
    """The text of the next message that a service is told of, and for whom it was."""
    if wire.caller.generation == 0:
        frame = (await wire.get("msg_up"))["body"]
        assert frame["context"]["recipients"] == frame["recipients"]
        return frame["content"]["text"], frame["recipients"]
    frame = (await wire.get("message_up"))["body"]
    allowed = {"subtype", "channel_id", "content", "timestamp", "recipients", "sender"}
    assert set(frame) <= allowed | {"message_id", "context"}
    if frame["recipients"] == "service":
        return frame["content"]["text"], []
    query = f"group_id={frame['recipients']}&channel_id={BAND}&user_id={frame['sender']}"
    found = await wire.caller.data("GET", f"/user/group?{query}")
    return frame["content"]["text"], found["characters"]


async def seen(wire: Wire) -> str:
    """The text of the next message that a user is sent."""
    frame = (await wire.get("msg_down", "message_down"))["body"]
    if wire.caller.generation == 1:
        keys = {"subtype", "channel_id", "content", "timestamp", "sender", "message_id", "context"}
        assert set(frame) == keys
        assert frame["message_id"].startswith("local-")
    return str(frame["content"]["text"])


@pytest.mark.parametrize("service_generation", [0, 1])
async def test_a_message_goes_up_and_down_between_all_generations(
    wires: Wires, service_generation: Generation
) -> None:
    """Two users of each generation and a service of either: recipients and their order are kept."""
    service = await wires.service(service_generation)
    old, new = await wires.user(0, "old"), await wires.user(1, "new")
    for speaker, others in ((old, [new.who, old.who]), (new, [old.who, new.who])):
        reply = await say(speaker, "hello", *others)
        assert reply["body"]["status"] is True
        assert await heard(wires, service) == ("hello", others)
        await say(speaker, "to the Service")
        assert await heard(wires, service) == ("to the Service", [])
    reply = await say(service, "answer", new.who, old.who, "nobody")
    assert reply["type"] == ("copy_client" if service_generation == 0 else "copy")
    assert reply["body"]["status"] is True
    assert [await seen(each) for each in (old, new)] == ["answer", "answer"]


async def actions(wire: Wire, count: int) -> list[tuple[str, str]]:
    """The next actions that a service is told of: subtype and sender."""
    bodies = [(await wire.get("action"))["body"] for _ in range(count)]
    if wire.caller.generation == 1:
        assert all(set(each) == {"subtype", "channel_id", "sender", "context"} for each in bodies)
    return [(each["subtype"], each["sender"]) for each in bodies]


async def ask(wires: Wires, wire: Wire, *subtypes: str) -> None:
    for subtype in subtypes:
        await wires.act(wire, subtype)


@pytest.mark.parametrize("generation", [0, 1])
async def test_a_service_of_generation_1_sees_a_join_and_then_a_refresh(
    wires: Wires, generation: Generation
) -> None:
    """Of users of either generation; what a page then asks for in parts is the same refresh."""
    service = await wires.service(1)
    alice = await wires.user(generation, "alice")
    parts = ("fetch_userlist", "fetch_features", "fetch_playground", "fetch_channel_info")
    await ask(wires, alice, *(parts if generation == 0 else ()), "leave_channel")
    assert await actions(service, 3) == [
        ("join", alice.who),
        ("refresh", alice.who),
        ("leave", alice.who),
    ]


async def test_parts_that_are_asked_for_again_or_later_are_a_refresh_of_their_own(
    wires: Wires, autojump_clock: trio.testing.MockClock
) -> None:
    """A reload at once is one; so is a single part after a while, and each user has their own."""
    service = await wires.service(1)
    alice, bob = await wires.user(0, "alice"), await wires.user(0, "bob")
    await actions(service, 4)
    parts = ("fetch_userlist", "fetch_features", "fetch_playground")
    await ask(wires, alice, *parts)  # covered by the refresh behind the join
    await ask(wires, alice, *parts)
    await ask(wires, bob, *parts)
    await trio.sleep(2)
    await ask(wires, alice, "fetch_channel_info")
    await ask(wires, alice, "leave_channel")
    assert await actions(service, 3) == [
        ("refresh", alice.who),
        ("refresh", alice.who),
        ("leave", alice.who),
    ]


async def test_a_service_that_comes_back_is_asked_again(wires: Wires) -> None:
    """What the one before was asked does not count for it."""
    service = await wires.service(1)
    alice = await wires.user(0, "alice")
    again = await wires.connect(service.caller, service.who)
    assert await service.closed() == 1008
    await ask(wires, alice, "fetch_features")
    assert await actions(again, 1) == [("refresh", alice.who)]


async def test_a_refresh_is_three_requests_for_a_service_of_generation_0(wires: Wires) -> None:
    """In the order in which a page asks; a join is a join alone."""
    service = await wires.service(0)
    alice = await wires.user(1, "alice")
    await ask(wires, alice, "refresh")
    assert await actions(service, 4) == [
        ("join_channel", alice.who),
        ("fetch_userlist", alice.who),
        ("fetch_features", alice.who),
        ("fetch_playground", alice.who),
    ]


async def test_a_click_of_generation_1_reaches_either_generation_flat(wires: Wires) -> None:
    """A client of 1.8 wraps the arguments once too often, also those of a key without any."""
    for generation in (0, 1):
        service = await wires.service(generation, email=f"s{generation}@x.org", band=BAND)
        alice = await wires.user(1, "alice")
        argument = {"label": "L", "value": "v", "filename": None}
        for arguments in ([[argument]], [[]], [argument]):
            click = body("button_click", button_id="b", arguments=arguments, context={})
            frame = {"type": "action", "user_id": alice.who, "body": click}
            await alice.receipt({**frame, "body": {**click, "bottom_button_id": "ok"}})
        calls = []
        while len(calls) < 3:
            got = await service.get("feature_call", "action")
            if got["type"] == "feature_call" or got["body"]["subtype"] == "button_click":
                calls.append(got["body"])
        if generation == 0:
            one = [{"name": "L", "value": "v"}]
            assert [call["arguments"] for call in calls] == [one, [], one]
            assert {call["feature_id"] for call in calls} == {"b"}
        else:
            assert [call["arguments"] for call in calls] == [[argument], [], [argument]]
            allowed = {"subtype", "button_id", "channel_id", "sender", "arguments"}
            assert all(set(call) <= allowed | {"bottom_button_id", "context"} for call in calls)
        assert {call["sender"] for call in calls} == {alice.who}
        unbind = {"channel_id": BAND, "service_id": service.who}
        await service.caller.data("POST", "/service/unbind", unbind)


async def update(service: Wire, subtype: str, *recipients: str, **more: object) -> None:
    """An update that is taken."""
    if service.caller.generation == 1:
        to = await group(service, *recipients)
        frame = {"type": "update", "service_id": service.who}
    else:
        to, frame = list(recipients), {"type": "update", "client_id": service.who}
    reply = await service.receipt({**frame, "body": body(subtype, recipients=to, **more)})
    assert reply["body"]["status"] is True, reply


async def updated(wire: Wire) -> Json:
    """The body of the next update that a user is sent, without what all of them have."""
    found: Json = (await wire.get("update"))["body"]
    if wire.caller.generation == 1:
        allowed = {"subtype", "channel_id", "content", "recipients", "group_id", "context"}
        assert set(found) <= allowed
    assert found.pop("channel_id") == BAND
    return {key: found[key] for key in found if key not in ("context", "group_id")}


async def test_a_character_list_is_a_group_for_one_and_profiles_for_the_other(
    wires: Wires,
) -> None:
    """From a service of either generation; the order is kept, and unknown rows are known then."""
    old, new = await wires.user(0, "old"), await wires.user(1, "new")
    first = await wires.service(1, email="s1@x.org")
    to = await group(first, new.who, old.who)
    await update(first, "characters", old.who, new.who, content={"characters": to})
    rows = (await updated(old))["userlist"]
    assert [(row["user_id"], row["user_context"]["nickname"]) for row in rows] == [
        (new.who, "new"),
        (old.who, "old"),
    ]
    listed = (await updated(new))["content"]["characters"]
    path = f"/user/group?group_id={listed}&channel_id={BAND}&user_id={new.who}"
    assert (await new.caller.data("GET", path))["characters"] == [new.who, old.who]
    unbind = {"channel_id": BAND, "service_id": first.who}
    await first.caller.data("POST", "/service/unbind", unbind)
    second = await wires.service(0, email="s0@x.org")
    profile = {"nickname": "Ghost", "description": "d", "avatar": "http://x/g.png"}
    ghost = {"user_id": "ghost", "username": "g", "user_context": profile}
    await update(second, "update_userlist", old.who, new.who, userlist=[ghost], context={})
    assert (await updated(old))["userlist"] == [ghost]
    listed = (await updated(new))["content"]["characters"]
    path = f"/user/group?group_id={listed}&channel_id={BAND}&user_id={new.who}"
    assert (await new.caller.data("GET", path))["characters"] == ["ghost"]
    masked = {"user_id": new.who, "username": "", "user_context": dict.fromkeys(profile, "")}
    await update(second, "update_userlist", old.who, userlist=[masked], context={})
    assert (await updated(old))["userlist"] == [masked]
    asked = {"character_list": ["ghost", new.who]}
    shown, own = await new.caller.data("POST", "/character/fetch_profile", asked)
    assert shown["character_context"]["name"] == "Ghost"
    assert own["character_id"] == new.who


async def test_keys_stage_and_style_of_generation_1_are_seen_by_both(wires: Wires) -> None:
    """What generation 0 has no word for is in the page's own keys."""
    service = await wires.service(1)
    old, new = await wires.user(0, "old"), await wires.user(1, "new")
    everybody = (old.who, new.who)
    component = {"label": "L", "type": "dropdown", "required": True, "placeholder": "p"}
    bottom = {"id": "ok", "text": "Yes", "submit": True}
    dialog: Json = {"title": "T", "components": [{**component, "choices": ["a"]}]}
    dialog["bottom_buttons"] = [bottom]
    button = {"button_id": "d", "button_text": "D", "dialog": dialog}
    await update(service, "buttons", *everybody, content=[button], group_id="temp", context={})
    (key,) = (await updated(old))["features"]
    assert (key["feature_id"], key["new_window"], key["dialog"]["title"]) == ("d", True, "T")
    assert key["arguments"][0]["type"] == "enum"
    assert (await updated(new))["content"] == [button]
    items = [{"text": "one", "path": "http://x/1.png"}, {"text": "two", "path": None}]
    await update(service, "canvas", *everybody, content=items, group_id="temp", context={})
    stage = await updated(old)
    assert (stage["content"], stage["more"]) == (items[0], [{"text": "two"}])
    assert (await updated(new))["content"] == items
    style = {"widget": "canvas", "display": "visible", "expand": True}
    style = {**style, "button_id": None, "text": None}
    await update(service, "style", *everybody, content=[style], group_id="temp", context={})
    (item,) = (await updated(old))["content"]
    assert item == {"widget": "playground", "display": "visible", "expand": "true"}
    assert (await updated(new))["content"] == [style]


async def test_keys_stage_and_style_of_generation_0_are_seen_by_generation_1(
    wires: Wires,
) -> None:
    """A key with fields has a dialog, one without has none."""
    service = await wires.service(0)
    new = await wires.user(1, "new")
    field = {"name": "N", "type": "string", "optional": True, "placeholder": ""}
    keys: list[Json] = [
        {"feature_id": "k", "feature_name": "n", "button_text": "K", "new_window": False},
        {"feature_id": "f", "feature_name": "n", "button_text": "F", "new_window": True},
    ]
    keys[1]["arguments"] = [field]
    await update(service, "update_features", new.who, features=keys, group_id="temp", context={})
    plain, form = (await updated(new))["content"]
    assert plain == {"button_id": "k", "button_text": "K", "dialog": None}
    component = {"label": "N", "type": "text", "required": False, "placeholder": None}
    assert form["dialog"]["components"] == [{**component, "choices": None}]
    await update(service, "update_playground", new.who, content={}, group_id="temp", context={})
    assert (await updated(new))["content"] == []


async def test_a_menu_is_shown_and_clicked_in_every_mix(wires: Wires) -> None:
    """The click names the message, and says what it was where the client does not."""
    service = await wires.service(1)
    old, new = await wires.user(0, "old"), await wires.user(1, "new")
    item: Json = {"menu_item_id": "m", "menu_item_text": "M", "message_subtypes": ["text"]}
    item["dialog"] = None
    await update(service, "menu", old.who, new.who, content=[item], context={})
    assert (await updated(old))["content"][0]["menu_item_id"] == "m"
    assert (await updated(new))["content"] == [item]
    await say(service, "choose me", old.who, new.who)
    named = (await old.get("msg_down"))["body"]["message_id"]
    assert named == (await new.get("message_down"))["body"]["message_id"]
    click = body("menu_item_click", menu_item_id="m", message_id=named, context={})
    repeated = {"message_subtype": "text", "message_content": {"text": "choose me"}}
    by_id = {"message_subtype": "<unknown>", "message_content": {}, "arguments": [[]]}
    mine = {**click, **repeated, "arguments": [], "sender": old.who}
    await old.receipt({"type": "action", "client_id": old.who, "body": mine})
    theirs = {**click, **by_id, "bottom_button_id": "confirm"}
    await new.receipt({"type": "action", "user_id": new.who, "body": theirs})
    clicks = []
    while len(clicks) < 2:
        frame = (await service.get("action"))["body"]
        if frame["subtype"] == "menu_item_click":
            clicks.append(frame)
    assert [each["sender"] for each in clicks] == [old.who, new.who]
    for each in clicks:
        assert each["message_id"] == named
        assert (each["message_subtype"], each["message_content"]) == ("text", {"text": "choose me"})
        assert each["arguments"] == []


async def test_a_message_that_was_not_for_somebody_is_not_told_to_them_by_a_click(
    wires: Wires,
) -> None:
    """Whoever guesses an id learns nothing of what it says."""
    service = await wires.service(1)
    alice, eve = await wires.user(1, "alice"), await wires.user(1, "eve")
    await say(service, "secret", alice.who)
    named = (await alice.get("message_down"))["body"]["message_id"]
    click = body("menu_item_click", menu_item_id="m", message_id=named, context={})
    by_id = {"message_subtype": "<unknown>", "message_content": {}, "arguments": [[]]}
    await eve.receipt({"type": "action", "user_id": eve.who, "body": {**click, **by_id}})
    while (frame := await service.get("action"))["body"]["subtype"] != "menu_item_click":
        pass
    assert frame["body"]["message_content"] == {}


async def test_groups_made_at_once_are_bounded(
    wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those used last stay; what is forgotten is refused, not taken for one of nobody."""
    service, old = await wires.service(1), await wires.user(0, "old")
    monkeypatch.setattr("moobius_trio.local.groups.MADE", 3)
    ids = []
    for name in ("a", "b", "c", "a", "d"):
        await say(old, "hello", name)
        ids.append((await service.get("message_up"))["body"]["recipients"])
    assert ids[0] == ids[3]
    found = {}
    for group_id in ids[1:]:
        query = f"/user/group?group_id={group_id}&channel_id={BAND}&user_id={old.who}"
        reply = await service.caller.call("GET", query)
        found[group_id] = reply.json()["data"]["characters"] if reply.is_success else None
    assert list(found.values()) == [None, ["c"], ["a"], ["d"]]


async def test_a_group_of_the_service_alone_means_the_service(wires: Wires) -> None:
    """The original makes such a group of the word; one that does not exist is refused."""
    service = await wires.service(0)
    new = await wires.user(1, "new")
    await say(new, "hello", "service")
    assert await heard(wires, service) == ("hello", [])
    said = body("text", content={"text": "x"}, recipients="no such group", context={})
    reply = await new.receipt({"type": "message_up", "user_id": new.who, "body": said})
    assert reply["body"]["status"] is False
    assert "no such group" in reply["body"]["context"]["message"]
    assert await service.none_more("msg_up")


async def test_two_connections_of_one_service_are_each_told_in_their_own_words(
    wires: Wires,
) -> None:
    """Where a second login is let in beside the first, as while an old version is replaced."""
    wires.platform.knobs = Knobs(second_login="both")
    old = await wires.service(0)
    caller = await wires.caller(1, "service@x.org")
    new = await wires.connect(caller, old.who)
    alice = await wires.user(1, "alice")
    await wires.act(alice, "refresh")
    await say(alice, "hello")
    assert await actions(new, 3) == [
        ("join", alice.who),
        ("refresh", alice.who),
        ("refresh", alice.who),
    ]
    told = await actions(old, 4)
    assert [subtype for subtype, _ in told] == [
        "join_channel",
        "fetch_userlist",
        "fetch_features",
        "fetch_playground",
    ]
    assert await heard(wires, new) == await heard(wires, old) == ("hello", [])


async def test_a_service_that_is_away_misses_what_people_do(wires: Wires) -> None:
    """Kept as history, not delivered later, in either generation; nobody's frame is refused."""
    service, old, new = await wires.service(1), await wires.user(0, "o"), await wires.user(1, "n")
    await service.stream.aclose()
    await ask(wires, new, "refresh")
    for user in (old, new):
        assert (await say(user, "into the void"))["body"]["status"] is True
    again = await wires.connect(service.caller, service.who)
    assert await again.none_more("message_up", "action")
    path = f"/channel/history_message?channel_id={BAND}&limit=9&before=null"
    rows = await service.caller.data("GET", path)
    assert [row["content"]["text"] for row in rows] == ["into the void"] * 2
