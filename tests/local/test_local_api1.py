"""The HTTP calls of generation 1, each with what its client posts and reads."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import attrs
import pytest
import trio
import trio.testing

from moobius_trio.local import DEFAULT_BAND, Knobs
from moobius_trio.testing.wires import BASE, Caller, Json, Wires, open_wires

BAND = DEFAULT_BAND


@pytest.fixture
async def wires() -> AsyncIterator[Wires]:
    async with open_wires() as wires:
        yield wires


async def refusal(caller: Caller, method: str, path: str, body: object = None) -> int:
    """The HTTP status of a call that fails, in the envelope of both generations."""
    reply = await caller.call(method, path, body)
    envelope = reply.json()
    assert envelope["code"] == reply.status_code * 100
    assert envelope["msg"] == envelope["message"] != ""
    assert reply.headers["content-type"] == "application/json"
    return reply.status_code


async def code_for(caller: Caller, email: str) -> str:
    """The code that was written last to this address."""
    rows = await caller.data("GET", "/local/codes")
    return str([row["code"] for row in rows if row["email"] == email][-1])


async def test_an_account_that_signs_up_is_good_once_it_is_confirmed(wires: Wires) -> None:
    """Rows 2 to 4: until then the right password does not let in; a wrong code does nothing."""
    caller = Caller(wires.http, 1)
    account = {"username": "new@x.org", "password": "first"}
    assert await caller.data("POST", "/auth/sign_up", account) is None
    assert (await caller.sign_in("new@x.org", "first"))["code"] == 40_300
    old = await code_for(caller, "new@x.org")
    await caller.data("POST", "/auth/resend_confirmation", {"username": "new@x.org"})
    new = await code_for(caller, "new@x.org")
    wrong = {"username": "new@x.org", "confirmation_code": "x" if old == new else old}
    assert await refusal(caller, "POST", "/auth/confirm_sign_up", wrong) == 400
    await caller.data("POST", "/auth/confirm_sign_up", {**wrong, "confirmation_code": new})
    assert await refusal(caller, "POST", "/auth/confirm_sign_up", wrong) == 400
    assert (await caller.sign_in("new@x.org", "first"))["code"] == 10_000
    assert await refusal(caller, "POST", "/auth/sign_up", account) == 409
    info = await caller.data("GET", "/user/info")
    assert (info["email"], info["email_verified"]) == ("new@x.org", "true")


async def test_a_new_password_needs_the_code_and_counts_guesses(wires: Wires) -> None:
    """Rows 5 and 6: after five wrong codes the right one is good no more."""
    caller = await wires.caller(1, "a@x.org")
    await caller.data("POST", "/auth/forgot_password", {"username": "a@x.org"})
    body = {"username": "a@x.org", "password": "second", "confirmation_code": "wrong"}
    right = {**body, "confirmation_code": await code_for(caller, "a@x.org")}
    for _ in range(5):
        assert await refusal(caller, "POST", "/auth/confirm_reset_password", body) == 400
    assert await refusal(caller, "POST", "/auth/confirm_reset_password", right) == 400
    await caller.data("POST", "/auth/forgot_password", {"username": "a@x.org"})
    right["confirmation_code"] = await code_for(caller, "a@x.org")
    await caller.data("POST", "/auth/confirm_reset_password", right)
    assert (await caller.sign_in("a@x.org", "p"))["code"] == 40_100
    assert (await caller.sign_in("a@x.org", "second"))["code"] == 10_000


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/user/info", {"name": "x", "avatar": "", "description": ""}),
        ("/service/create", {"description": "d"}),
        ("/channel/create", {"channel_name": "orphan", "context": {}}),
    ],
)
async def test_a_call_whose_account_ends_before_its_body_has_come_does_nothing(
    wires: Wires, path: str, body: Json
) -> None:
    """Neither a fault of ours, nor a service or band of nobody."""
    caller = await wires.caller(1, "a@x.org")
    account = {"username": "a@x.org", "password": "p"}

    async def late() -> AsyncIterator[bytes]:  # noqa: ASYNC900  # httpx reads it to its end
        await caller.data("POST", "/auth/delete_account", account)
        yield json.dumps(body).encode()

    reply = await wires.http.post(path, content=late(), headers=caller.headers)
    assert reply.status_code == 401


async def test_what_changed_while_a_password_was_looked_at_stays(
    wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sign-in takes neither a new profile back nor a new password."""
    state = wires.platform._state
    caller = await wires.caller(1, "a@x.org")
    before = state.world.account("a@x.org")
    assert before is not None
    meanwhile = attrs.evolve(before, person=attrs.evolve(before.person, nickname="New"))

    async def look(*args: object) -> bool:
        state.change(meanwhile)
        return True

    monkeypatch.setattr(state, "run_sync", look)
    assert (await caller.sign_in("a@x.org"))["code"] == 10_000
    assert state.world.account("a@x.org") == meanwhile
    meanwhile = attrs.evolve(meanwhile, password_hash="another")
    assert (await caller.sign_in("a@x.org"))["code"] == 40_100
    assert state.world.account("a@x.org") == meanwhile


@pytest.mark.parametrize("path", ["forgot_password", "resend_confirmation"])
async def test_no_letter_is_written_to_a_guest_or_to_nobody(wires: Wires, path: str) -> None:
    """A guest of the page has no password, and none can be made by its login's inner name."""
    wires.platform.sign_in_guest("alice")
    caller = Caller(wires.http, 1)
    for name in ("guest\nalice", "nobody@x.org"):
        assert await refusal(caller, "POST", f"/auth/{path}", {"username": name}) == 404
    assert await caller.data("GET", "/local/codes") == []


async def test_signing_out_ends_the_tokens_of_the_account(wires: Wires) -> None:
    """Row 8: its refresh token too; another account's token in the body is refused."""
    alice, bob = await wires.caller(1, "a@x.org"), await wires.caller(1, "b@x.org")
    assert await refusal(alice, "POST", "/auth/sign_out", {"access_token": bob.token}) == 401
    assert await alice.data("POST", "/auth/sign_out", {"access_token": alice.token}) is None
    assert await refusal(alice, "GET", "/user/info") == 401
    body = {"username": "a@x.org", "refresh_token": alice.refresh_token}
    assert await refusal(alice, "POST", "/auth/refresh", body) == 401
    await bob.data("GET", "/user/info")


async def test_a_refresh_gives_an_access_token_that_counts(wires: Wires) -> None:
    """Row 9: without a refresh token in it."""
    caller = await wires.caller(1, "a@x.org")
    body = {"username": "a@x.org", "refresh_token": caller.refresh_token}
    result = (await caller.data("POST", "/auth/refresh", body))["AuthenticationResult"]
    assert set(result) == {"AccessToken"}
    caller.headers["Authorization"] = f"Bearer {result['AccessToken']}"
    await caller.data("GET", "/user/info")


async def test_a_deleted_account_leaves_its_bands_and_takes_its_services_along(
    wires: Wires,
) -> None:
    """Row 7: services hear of the leaving, its own band is free, its connections are closed."""
    service, alice = await wires.service(1), await wires.user(1, "alice")
    await service.get("action")
    email = {"username": "alice@x.org"}
    assert await refusal(alice.caller, "POST", "/auth/delete_account", {}) == 400
    assert await refusal(alice.caller, "POST", "/auth/delete_account", {**email, "password": "?"})
    await alice.caller.data("POST", "/auth/delete_account", {**email, "password": "p"})
    assert await alice.closed() == 1008
    while (frame := await service.get("action"))["body"]["subtype"] != "leave":
        pass
    assert frame["body"]["sender"] == alice.who
    owner = {"username": "service@x.org", "password": "p"}
    await service.caller.data("POST", "/auth/delete_account", owner)
    assert await service.closed() == 1008
    assert [band.service_id for band in wires.platform.bands()] == [None]
    again = await wires.caller(1, "alice@x.org")  # the first sign-in makes a new account
    assert (await again.data("GET", "/user/info"))["user_id"] != alice.who


async def test_one_s_own_profile_is_read_and_changed(wires: Wires) -> None:
    """Rows 13 and 14: with what either generation reads, and seen by others afterwards."""
    caller = await wires.caller(1, "a@x.org")
    info = await caller.data("GET", "/user/info")
    assert info["user_id"] == info["sub"]
    assert info["context"] == {"name": "a", "avatar": "", "description": ""}
    assert info["system_context"] == {}
    changed = {"name": "Alice", "avatar": "http://x/a.png", "description": "it is me"}
    assert (await caller.data("POST", "/user/info", changed))["context"] == changed
    other = await wires.caller(1, "b@x.org")
    asked = {"character_list": [info["user_id"]]}
    (profile,) = await other.data("POST", "/character/fetch_profile", asked)
    assert profile["character_context"] == {**changed, "username": "a"}
    assert await refusal(caller, "POST", "/user/info", {**changed, "name": "x" * 300}) == 400


async def test_agents_are_made_changed_and_listed_by_their_owner_alone(wires: Wires) -> None:
    """Rows 12, 17 and 18."""
    service = await wires.service(1)
    call = service.caller.data
    profile = {"name": "Mickey", "avatar": "http://x/m.png", "description": "a mouse"}
    made = await call(
        "POST", "/service/character/create", {"service_id": service.who, "context": profile}
    )
    assert made["character_context"].items() >= profile.items()
    new = {"name": "Minnie", "avatar": "", "description": ""}
    body = {"service_id": service.who, "character_id": made["character_id"], "context": new}
    await call("POST", "/service/character/update", body)
    (row,) = await call("GET", f"/service/character/list?service_id={service.who}")
    assert row["character_id"] == made["character_id"]
    assert row["character_context"].items() >= new.items()
    thief = await wires.caller(1, "thief@x.org")
    assert await refusal(thief, "POST", "/service/character/update", body) == 403
    nobody = {**body, "character_id": "nobody"}
    assert await refusal(service.caller, "POST", "/service/character/update", nobody) == 404


async def test_profiles_keep_the_order_that_was_asked_for(wires: Wires) -> None:
    """Row 10: callers pair the rows with their own list."""
    callers = [await wires.caller(1, f"{name}@x.org") for name in "abc"]
    ids = [(await each.data("GET", "/user/info"))["user_id"] for each in callers]
    for order in (ids, ids[::-1], [ids[1], ids[0], ids[1]]):
        rows = await callers[0].data("POST", "/character/fetch_profile", {"character_list": order})
        assert [row["character_id"] for row in rows] == order
    unknown = {"character_list": [ids[0], "nobody"]}
    assert await refusal(callers[0], "POST", "/character/fetch_profile", unknown) == 404


async def test_members_are_told_to_the_service_and_to_whoever_asks_as_themselves(
    wires: Wires,
) -> None:
    """Row 11: in joining order; a client in user mode asks before it joins."""
    service = await wires.service(1)
    bob, alice = await wires.user(1, "bob"), await wires.user(0, "alice")
    path = f"/channel/character_list?channel_id={BAND}&service_id="
    members = {"character_list": [bob.who, alice.who]}
    assert await service.caller.data("GET", path + service.who) == members
    outside = await wires.user(1, "outside", band=None)
    assert await outside.caller.data("GET", path + outside.who) == members
    assert await refusal(outside.caller, "GET", path + service.who) == 403


async def test_a_channel_is_made_bound_described_and_found(wires: Wires) -> None:
    """Rows 19, 20, 22 to 24: two may have one name; only its maker or its service changes it."""
    service = await wires.service(1)
    call = service.caller.data
    body = {"channel_name": "Club", "context": {"channel_description": "for members"}}
    ids = [(await call("POST", "/channel/create", body))["channel_id"] for _ in range(2)]
    assert len(set(ids)) == 2
    await call("POST", "/service/bind", {"channel_id": ids[0], "service_id": service.who})
    alice = await wires.user(1, "alice", band=ids[0])
    (mine,) = await alice.caller.data("GET", "/channel/list")
    assert mine["channel_id"] == ids[0]
    assert mine["context"] == {"channel_description": "for members", "channel_type": "ccs"}
    rows = await call("GET", "/channel/popular")
    assert rows[0] == mine  # nobody is anywhere else
    assert {row["channel_id"] for row in rows} == {BAND, *ids}
    change = {**body, "channel_id": ids[0], "channel_name": "Bar"}
    assert await refusal(alice.caller, "POST", "/channel/update", change) == 403
    await call("POST", "/channel/update", change)
    assert [band.name for band in wires.platform.bands()] == [BAND, "Bar", "Club"]
    page = await alice.caller.data("GET", "/local/bands")
    assert [row["name"] for row in page] == [BAND, "Bar", "Club"]


async def test_a_band_of_the_page_is_described_by_the_service_that_holds_it(wires: Wires) -> None:
    """It was made by no account; while nobody holds it, nobody changes it."""
    service = await wires.service(1)
    change = {"channel_id": BAND, "channel_name": "Hall", "context": {"channel_description": "d"}}
    other = await wires.caller(1, "other@x.org")
    assert await refusal(other, "POST", "/channel/update", change) == 403
    await service.caller.data("POST", "/channel/update", change)
    assert wires.platform.bands()[0].name == "Hall"
    for name in ("", "x" * 201, "two\nlines"):
        wrong = {**change, "channel_name": name}
        assert await refusal(service.caller, "POST", "/channel/update", wrong) == 400
    binding = {"channel_id": BAND, "service_id": service.who}
    await service.caller.data("POST", "/service/unbind", binding)
    assert await refusal(service.caller, "POST", "/channel/update", change) == 403


async def test_the_history_before_a_moment_is_asked_for_by_its_milliseconds(
    wires: Wires, autojump_clock: trio.testing.MockClock
) -> None:
    """As an id of the platform's own is no number, digits are a time."""
    await wires.service(1)
    alice = await wires.user(1, "alice")
    body = {"subtype": "text", "channel_id": BAND, "recipients": "service", "context": {}}
    for number in range(3):
        said = {**body, "content": {"text": str(number)}}
        await alice.receipt({"type": "message_up", "user_id": alice.who, "body": said})
        await trio.sleep(1)
    path = f"/channel/history_message?channel_id={BAND}&limit=9&before="
    rows = await alice.caller.data("GET", path)
    before = await alice.caller.data("GET", path + str(rows[2]["timestamp"]))
    assert [row["content"]["text"] for row in before] == ["0", "1"]
    assert await alice.caller.data("GET", path + "no-such-message") == []


async def test_the_history_is_paged_and_told_in_the_caller_s_generation(wires: Wires) -> None:
    """Row 25: all of a band for the account of its service, for a user what they sent or got."""
    service, alice, bob = await wires.service(1), await wires.user(1, "a"), await wires.user(1, "b")
    members = {"group_id": "", "characters": [alice.who]}
    group = await service.caller.data("POST", "/service/group/create", members)
    body = {"subtype": "text", "channel_id": BAND, "recipients": group, "context": {}}
    for number in range(5):
        said = {**body, "content": {"text": str(number)}, "timestamp": 1, "sender": "x"}
        await service.receipt({"type": "message_down", "service_id": service.who, "body": said})
    up = {**body, "content": {"text": "up"}, "recipients": "service"}
    await bob.receipt({"type": "message_up", "user_id": bob.who, "body": up})
    path = f"/channel/history_message?channel_id={BAND}&limit=4&before="
    last = await service.caller.data("GET", path + "null")
    assert [row["content"]["text"] for row in last] == ["2", "3", "4", "up"]
    assert last[3]["recipients"] == "service"
    found = await service.caller.data("GET", f"/service/group?group_id={last[0]['recipients']}")
    assert found == {"characters": [alice.who]}
    first = await service.caller.data("GET", path + last[0]["message_id"])
    assert [row["content"]["text"] for row in first] == ["0", "1"]
    assert [row["content"] for row in await bob.caller.data("GET", path)] == [{"text": "up"}]
    assert len(await alice.caller.data("GET", path)) == 4
    stranger = await wires.caller(1, "stranger@x.org")
    assert await refusal(stranger, "GET", path) == 403
    old = await wires.caller(0, "service@x.org")
    assert await refusal(old, "GET", path) == 404
    wires.platform.knobs = Knobs(history="refused")
    assert await refusal(service.caller, "GET", path) == 403


async def test_groups_of_a_service_are_a_bare_id_and_keep_their_order(wires: Wires) -> None:
    """Rows 30 to 32: the same list again gives the same group, another order another one."""
    service, alice = await wires.service(1), await wires.user(1, "alice")
    made = []
    for members in (["x", alice.who], ["x", alice.who], [alice.who, "x"]):
        body = {"group_id": "", "characters": members}
        made.append(await service.caller.data("POST", "/service/group/create", body))
    assert made[0] == made[1] != made[2]
    assert wires.platform.calls["POST /service/group/create"] == 3
    query = f"group_id={made[2]}&channel_id={BAND}&user_id={alice.who}"
    for path in (f"/service/group?group_id={made[2]}", f"/user/group?{query}"):
        found = await service.caller.data("GET", path)
        assert found["characters"] == [alice.who, "x"]
    assert found["user_id"] == alice.who  # what generation 0 reads there
    unknown = f"/user/group?group_id=none&channel_id={BAND}&user_id={alice.who}"
    assert await refusal(service.caller, "GET", unknown) == 404
    empty = await service.caller.data("GET", "/user/group/temp?channel_id=x&service_id=x")
    assert empty == []


async def test_channel_groups_are_listed_for_the_service_and_for_their_maker(wires: Wires) -> None:
    """Rows 28 and 29."""
    service, alice = await wires.service(1), await wires.user(1, "alice")
    body = {"channel_id": BAND, "group_name": "g", "characters": [alice.who]}
    made = await alice.caller.data("POST", "/user/group/create", body)
    path = f"/user/group/list?channel_id={BAND}&service_id="
    rows = [{"group_id": made["group_id"], "characters": [alice.who]}]
    assert await service.caller.data("GET", path + service.who) == rows
    assert await alice.caller.data("GET", path + alice.who) == rows
    bob = await wires.user(1, "bob")
    assert await bob.caller.data("GET", path + service.who) == []


async def test_groups_make_room_for_new_ones(wires: Wires, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was not used for the longest goes: clients make all of theirs at each start."""
    monkeypatch.setattr("moobius_trio.local.rules_channels.MAX_GROUPS", 3)
    service = await wires.service(1)

    async def make(name: str) -> str:
        body = {"group_id": "", "characters": [name]}
        return str(await service.caller.data("POST", "/service/group/create", body))

    ids = [await make(name) for name in "abc"]
    assert await make("a") == ids[0]  # which is a use of it
    await make("d")
    path = "/service/group?group_id="
    assert await refusal(service.caller, "GET", path + ids[1]) == 404
    for kept in (ids[0], ids[2]):
        await service.caller.data("GET", path + kept)


async def test_a_service_s_calls_at_its_start_are_answered(wires: Wires) -> None:
    """Rows 1, 15, 16, 20 and 21, in the order of section 5.1."""
    caller = await wires.caller(1, "s@x.org")
    service_id = (await caller.data("POST", "/service/create", {"description": "d"}))["service_id"]
    binding = {"channel_id": BAND, "service_id": service_id}
    await caller.data("POST", "/service/bind", binding)
    assert await caller.data("GET", "/service/list") == [
        {"service_id": service_id, "channel_ids": [BAND]}
    ]
    thief = await wires.caller(1, "thief@x.org")
    own = (await thief.data("POST", "/service/create", {"description": "d"}))["service_id"]
    taken = {"channel_id": BAND, "service_id": own}
    assert await refusal(thief, "POST", "/service/bind", taken) == 409
    await caller.data("POST", "/service/unbind", binding)
    await thief.data("POST", "/service/bind", taken)


async def test_a_file_goes_up_in_a_form_of_aiohttp_s_and_is_asked_for_its_size(
    wires: Wires,
) -> None:
    """Rows 26, 27, 34 and 35: text parts with a type, the file named `file`, 204 without one."""
    caller = await wires.caller(1, "s@x.org")
    target = await caller.data("GET", "/file/upload?extension=txt")
    parts = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n'
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{value}\r\n"
        for name, value in target["fields"].items()
    )
    file = 'Content-Disposition: form-data; name="file"; filename="file"\r\n'
    form = f"{parts}--b\r\n{file}Content-Type: application/octet-stream\r\n\r\nhello\r\n--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    reply = await wires.http.post(target["url"], content=form, headers=headers)
    assert (reply.status_code, reply.content) == (204, b"")
    assert "content-type" not in reply.headers
    address = target["url"] + target["fields"]["key"]
    assert address.startswith(BASE)
    assert (await wires.http.get(address)).content == b"hello"
    assert (await wires.http.head(address)).headers["content-length"] == "5"


ROWS: list[tuple[str, str, Json | None]] = [
    ("POST", "/auth/sign_out", {"access_token": "x"}),
    ("POST", "/character/fetch_profile", {"character_list": []}),
    ("GET", "/channel/character_list?channel_id=x&service_id=x", None),
    ("GET", "/service/character/list?service_id=x", None),
    ("GET", "/user/info", None),
    ("POST", "/user/info", {"name": "", "avatar": "", "description": ""}),
    ("POST", "/service/create", {"description": ""}),
    ("GET", "/service/list", None),
    ("POST", "/service/character/create", {}),
    ("POST", "/service/character/update", {}),
    ("POST", "/channel/create", {"channel_name": "x"}),
    ("POST", "/service/bind", {}),
    ("POST", "/service/unbind", {}),
    ("POST", "/channel/update", {}),
    ("GET", "/channel/popular", None),
    ("GET", "/channel/list", None),
    ("GET", "/file/upload?extension=png", None),
    ("GET", "/user/group/list?channel_id=x&service_id=x", None),
    ("POST", "/user/group/create", {}),
    ("GET", "/service/group?group_id=x", None),
    ("GET", "/user/group?group_id=x&channel_id=x&user_id=x", None),
    ("POST", "/service/group/create", {}),
    ("GET", "/user/group/temp?channel_id=x&service_id=x", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ROWS, ids=[f"{r[0]} {r[1]}" for r in ROWS])
async def test_a_call_needs_a_good_token(
    wires: Wires, method: str, path: str, body: Json | None
) -> None:
    """Nothing is told or changed without one."""
    stranger = Caller(wires.http, 1)
    assert await refusal(stranger, method, path, body) == 401
    stranger.headers["Authorization"] = "Bearer 0123456789abcdef.wrong"
    assert await refusal(stranger, method, path, body) == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/auth/sign_up"),
        ("POST", "/character/fetch_profile"),
        ("GET", "/channel/popular"),
        ("POST", "/user/group/create"),
        ("GET", "/service/group"),
    ],
)
async def test_every_call_can_be_told_to_fail(wires: Wires, method: str, path: str) -> None:
    """With a status and words that are no envelope, as the platform's host has them."""
    caller = await wires.caller(1, "a@x.org")
    wires.platform.knobs = Knobs(http_fault="503")
    assert (await caller.call(method, path, {})).status_code == 503
    wires.platform.knobs = Knobs()
    assert (await caller.call(method, path, {})).status_code == (200 if "popular" in path else 400)


async def test_calls_are_counted_by_route(wires: Wires) -> None:
    """Refused ones as well; what stands in the query does not make another call of it."""
    caller = await wires.caller(1, "a@x.org")
    for number in range(3):
        await caller.call("GET", f"/service/group?group_id={number}")
    assert wires.platform.calls["GET /service/group"] == 3
    assert set(wires.platform.calls) == {"POST /auth/sign_in", "GET /service/group"}
