"""Values that SDK 1.8 has stored come back as what they were, and no name in them is called."""

from __future__ import annotations

import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moobius_trio.database.encoding import Format, Unreadable
from moobius_trio.database.moved_records import convert_value
from moobius_trio.database.stored import stored
from moobius_trio.types import (
    Character,
    Content,
    Dialog,
    Feature,
    FeatureArgument,
    MenuItem,
    Playground,
    StyleItem,
    UserId,
)


@stored(name="MovedHat")
@attrs.define
class Hat:
    """What a service of 1.8 had as a dataclass."""

    size: int
    feather: str | None = None


def moved(value: object) -> object:
    """What a service finds in its container."""
    return Format().decode(convert_value(json.dumps(value).encode()).text)


def wrapped(dotted: str, fields: object) -> dict[str, object]:
    return {"_moobius_type": dotted, "_moobius_val": fields}


plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(plain_values)
def test_bare_values_come_back(value: object) -> None:
    """Whatever JSON holds, also keys that would be marks of ours."""
    assert moved(value) == value


def test_dicts_that_look_like_ours_stay_dicts() -> None:
    """A user of 1.8 may have shaped them."""
    hostile = {"$type": "Character", "fields": {}, "a": [{"$set": [1]}]}
    assert moved(hostile) == hostile
    more = {**wrapped("moobius.types.Character", {"name": "x"}), "more": 1}
    assert moved(more) == more


def test_objects_of_the_authors_classes_come_back() -> None:
    """By the last part of their name, also inside others; the classes are told."""
    value = convert_value(
        json.dumps([wrapped("bot.hats.MovedHat", {"size": 5, "feather": None})]).encode()
    )
    assert Format().decode(value.text) == [Hat(5)]
    assert value.classes == {"MovedHat"}


def test_objects_of_1_8_become_ours() -> None:
    """Characters and what screens show; what has no counterpart is the dict of its fields."""
    person = {"character_id": "u", "name": "Alice", "avatar": "a.png", "description": "d"}
    assert moved(wrapped("moobius.types.Character", {**person, "character_context": person})) == (
        Character(user_id=UserId("u"), nickname="Alice", avatar="a.png", description="d")
    )
    stage = {"text": None, "path": "p.png"}
    assert moved([wrapped("moobius.types.CanvasItem", stage)]) == [Playground(path="p.png")]
    style = {"widget": "button", "display": "highlight", "expand": None, "button_id": "b"}
    assert moved(wrapped("moobius.types.StyleItem", style)) == StyleItem(
        widget="feature", display="highlight", feature_id="b"
    )
    field = {"label": "light", "type": "dropdown", "required": True, "choices": ["on", "off"]}
    dialog = {
        "title": "The lamp",
        "components": [wrapped("moobius.types.InputComponent", field)],
        "bottom_buttons": None,
    }
    button = {
        "button_id": "b",
        "button_text": "B",
        "dialog": wrapped("moobius.types.Dialog", dialog),
    }
    assert moved(wrapped("moobius.types.Button", button)) == Feature(
        feature_id="b",
        button_text="B",
        arguments=[FeatureArgument(name="light", type="enum", values=["on", "off"])],
        dialog=Dialog(title="The lamp"),
    )
    item = {"menu_item_id": "m", "menu_item_text": "M", "message_subtypes": "text", "dialog": None}
    assert moved(wrapped("moobius.types.MenuItem", item)) == MenuItem(
        menu_item_id="m", menu_item_text="M", message_subtypes=["text"]
    )
    card = {"text": "t", "path": None, "link": "https://x.org", "title": "T", "button": "B"}
    assert moved(wrapped("moobius.types.MessageContent", card)) == Content.card(
        title="T", text="t", link="https://x.org", button="B"
    )
    assert moved(wrapped("moobius.types.View", {"x": [1]})) == {"x": [1]}


@pytest.mark.parametrize("fields", ["touch /tmp/x", {"command": "touch /tmp/x"}])
def test_no_name_in_the_data_is_ever_called(
    fields: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1.8 calls what the name says; here a text stays a text and an object waits for its class."""

    def called(*args: object) -> None:
        raise AssertionError("it was called")

    monkeypatch.setattr("os.system", called)
    monkeypatch.setattr("builtins.__import__", called)
    content = b'{"_moobius_type": "os.system", "_moobius_val": %b}' % json.dumps(fields).encode()
    text = convert_value(content).text
    if isinstance(fields, str):
        assert Format().decode(text) == wrapped("os.system", fields)
    else:
        with pytest.raises(Unreadable, match="'system' is no stored class"):
            Format().decode(text)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 3000, b"[" * 150 + b"]" * 150])
def test_what_is_no_value_is_refused(content: bytes) -> None:
    """Cut off, no text, or nested too deep."""
    with pytest.raises(Unreadable):
        convert_value(content)


def test_an_object_of_1_8_that_is_none_is_refused() -> None:
    """With the type and the place in it."""
    broken = wrapped("moobius.types.Button", {"button_id": 5, "button_text": "B"})
    with pytest.raises(Unreadable, match=r"it holds a Button that is none: .*button_id"):
        moved([broken])
