"""The page's calls for older messages, its user's groups, and a service's characters."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from moobius_trio.local import DEFAULT_BAND
from moobius_trio.testing.wires import Wires, open_wires

BAND = DEFAULT_BAND


@pytest.fixture
async def wires() -> AsyncIterator[Wires]:
    async with open_wires() as wires:
        yield wires


async def test_older_messages_come_in_pages(wires: Wires) -> None:
    """The id of the oldest message asks for those before it; each frame down has one."""
    service, alice = await wires.service(0), await wires.user(0, "alice")
    for number in range(7):
        body = {"subtype": "text", "channel_id": BAND, "content": {"text": str(number)}}
        whole = {**body, "recipients": [alice.who], "sender": "x", "timestamp": 1, "context": {}}
        await service.receipt({"type": "msg_down", "client_id": service.who, "body": whole})
    pages, before = [], ""
    while True:
        query = f"/local/history?channel_id={BAND}&limit=3&before={before}"
        page = [frame["body"] for frame in await alice.caller.data("GET", query)]
        if not page:
            break
        pages.append([each["content"]["text"] for each in page])
        before = page[0]["message_id"]
    assert pages == [["4", "5", "6"], ["1", "2", "3"], ["0"]]
    other = await wires.user(0, "bob")
    assert await other.caller.data("GET", f"/local/history?channel_id={BAND}") == []


async def test_a_group_is_its_makers_own_and_keeps_its_order(wires: Wires) -> None:
    """Made twice it is one; another user does not see it."""
    alice, bob = await wires.user(0, "alice"), await wires.user(0, "bob")
    wanted = {"band": BAND, "name": "both", "members": [bob.who, alice.who]}
    made = [await alice.caller.data("POST", "/local/groups", wanted) for _ in range(2)]
    assert made[0] == made[1]
    mine = await alice.caller.data("GET", f"/local/groups?band={BAND}")
    assert mine == [{**made[0], "name": "both", "members": [bob.who, alice.who]}]
    assert await bob.caller.data("GET", f"/local/groups?band={BAND}") == []
    for wrong in ({**wanted, "members": "x"}, {**wanted, "members": [1]}, {**wanted, "band": "?"}):
        assert (await alice.caller.call("POST", "/local/groups", wrong)).status_code in (400, 404)


async def test_agents_are_those_of_the_service_that_holds_the_band(wires: Wires) -> None:
    """Those of another service are not among them; a band of nobody has none."""
    service = await wires.service(1)
    await wires.service(1, email="other@x.org", band=wires.platform.add_band("other"))
    profile = {"name": "Mickey", "avatar": "http://x/m.png", "description": "a mouse"}
    asked = {"service_id": service.who, "context": profile}
    made = await service.caller.data("POST", "/service/character/create", asked)
    alice = await wires.user(0, "alice")
    rows = await alice.caller.data("GET", f"/local/agents?band={BAND}")
    assert rows == [{"id": made["character_id"], **profile}]
    assert await alice.caller.data("GET", "/local/agents?band=local-other") == []


async def test_the_codes_of_accounts_are_shown_to_this_machine(wires: Wires) -> None:
    """There is no mail: whoever sits here reads the code, and it is good once."""
    caller = await wires.caller(1, "somebody@x.org")
    body = {"username": "new@x.org", "password": "long enough"}
    await caller.data("POST", "/auth/sign_up", body)
    (row,) = await caller.data("GET", "/local/codes")
    assert (row["email"], row["purpose"]) == ("new@x.org", "sign up")
    confirmation = {"username": "new@x.org", "confirmation_code": row["code"]}
    await caller.data("POST", "/auth/confirm_sign_up", confirmation)
    assert await caller.data("GET", "/local/codes") == []


async def test_the_receipt_of_a_message_says_what_it_is_called(wires: Wires) -> None:
    """As the history does; a receipt for anything else says nothing of the kind."""
    alice = await wires.user(0, "alice")
    content = {"subtype": "text", "channel_id": BAND, "content": {"text": "hi"}}
    body = {**content, "recipients": [], "timestamp": 1, "context": {}}
    receipt = await alice.receipt({"type": "msg_up", "client_id": alice.who, "body": body})
    (kept,) = await alice.caller.data("GET", f"/local/history?channel_id={BAND}")
    assert receipt["body"]["context"]["message_id"] == kept["body"]["msg_id"]
    asked = {"subtype": "fetch_features", "channel_id": BAND, "context": {}}
    other = await alice.receipt({"type": "action", "client_id": alice.who, "body": asked})
    assert "message_id" not in other["body"]["context"]
