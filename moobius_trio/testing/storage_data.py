"""Keys and values that try a store: hostile keys, every kind of value, and exact comparison.

Data and Hypothesis strategies only; what is done with them is the suite's matter.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from moobius_trio import types as words
from moobius_trio.types import Character

__all__ = ("HOSTILE_KEYS", "WORDS", "exactly", "hashable_values", "storable_values")

HOSTILE_KEYS: tuple[str, ...] = (
    "",
    ".",
    "..",
    "../x",
    "../../evil",
    "/etc/passwd",
    "C:\\x",
    "a/b",
    "a\x00b",
    "CON",
    "con",
    "A",
    "a",
    "\u00e9",
    "e\u0301",
    "%2e%2e",
    "%",
    "%%",
    "k" * 300,
    "k" * 299 + "j",
    "😀",
    "\ud800",
    "trailing.",
    "trailing ",
    "_type",
    "_key",
    "_value",
    "$type",
    ".new-1",
    ".lock",
    "x.json",
    "x.json.corrupt-1",
)
"""Keys that have led stores astray: each must keep a record of its own."""

_BAND, _ALICE = words.ChannelId("band-1"), words.UserId("alice")
_CONTENT = words.Content(text="hi", path="a.png", extra={"size": [1, {"x": None}], "$set": [1]})
_PERSON = Character(user_id=_ALICE, username="a", nickname="A", avatar="p", description="d")
_ARGUMENT = words.FeatureArgument(name="n", type="enum", optional=True, values=["a", "b"])
_BUTTON = words.BottomButton(id="b", text="Go", submit=False)
_DIALOG = words.Dialog(title="T", bottom_buttons=[_BUTTON])
_FEATURE = words.Feature(feature_id="f", button_text="Do", arguments=[_ARGUMENT], dialog=_DIALOG)
_ITEM = words.MenuItem(
    menu_item_id="i", menu_item_text="I", message_subtypes=["text"], arguments=[_ARGUMENT]
)
_SAID = words.MessageUp(channel_id=_BAND, sender=_ALICE, content=_CONTENT, timestamp=5)
_GROUP = words.GroupId("g")
_STAGE = words.Playground(path="p.png", text="t")
_STYLE = words.StyleItem(widget="channel", display="highlight", expand=False)
_JSON: dict[str, words.JsonValue] = {"a": [1, 2.5, None, True], "b": {"c": {}}}

WORDS: tuple[object, ...] = (
    words.Action(subtype="join_channel", channel_id=_BAND, sender=_ALICE),
    _PERSON,
    _CONTENT,
    words.Copy(request_id=words.RequestId("r"), origin_type="t", status=False, context=_JSON),
    _FEATURE,
    _ARGUMENT,
    words.FeatureCall(
        feature_id="f",
        channel_id=_BAND,
        sender=_ALICE,
        arguments=[words.FeatureCallArgument(name="n", value=5)],
    ),
    words.FeatureCallArgument(name="n", value="v"),
    words.Gap(
        channel_id=_BAND,
        since=datetime(2024, 1, 1, tzinfo=UTC),
        until=datetime(2024, 1, 2, tzinfo=UTC),
        reason="r",
        joined=[_ALICE],
    ),
    words.GenericUpdate(data=_JSON),
    words.MessageDown(channel_id=_BAND, content=_CONTENT, recipients=[_ALICE], timestamp=5),
    words.MessageUp(
        channel_id=_BAND,
        sender=_ALICE,
        content=_CONTENT,
        recipients=[_ALICE],
        timestamp=5,
        msg_id=words.MessageId("m"),
    ),
    words.NewCharacter(key="k", nickname="N", username="u", avatar="a.png"),
    words.Overflow(channel_id=_BAND, shed=3, waiting=4),
    words.Ping(),
    words.PlatformError(message="no", connection_id="c"),
    _STAGE,
    words.RawPayload(type="t", body=[_JSON, "x", None]),
    words.ServiceStatus(
        name="n",
        pid=5,
        service_id=words.ServiceId("s"),
        bands=[_BAND],
        state="ready",
        since=datetime(2024, 1, 1, tzinfo=UTC),
    ),
    words.ServiceInfo(service_id=words.ServiceId("s"), channel_ids=[_BAND]),
    _STYLE,
    words.UnknownPayload(type="t", frame=_JSON),
    words.UpdateChannelInfo(channel_id=_BAND, data=_JSON),
    words.UpdateFeatures(channel_id=_BAND, features=[_FEATURE], recipients=[_ALICE]),
    words.UpdatePlayground(channel_id=_BAND, content=_STAGE, recipients=[_ALICE]),
    words.UpdateStyle(channel_id=_BAND, style=[_STYLE], recipients=[_ALICE]),
    words.UpdateUserList(channel_id=_BAND, user_list=[_PERSON], recipients=[_ALICE]),
    words.UserAction(subtype="fetch_features", channel_id=_BAND),
    words.UserMessage(channel_id=_BAND, content=_CONTENT, recipients=[_ALICE]),
    _BUTTON,
    _DIALOG,
    _ITEM,
    words.ChannelInfo(channel_id=_BAND, channel_name="N", channel_type="ccs"),
    words.Group(group_id=_GROUP, members=(_ALICE,)),
    words.GroupMessage(message=_SAID, group_id=_GROUP),
    words.MenuItemClick(
        menu_item_id="i",
        channel_id=_BAND,
        sender=_ALICE,
        message_content=_CONTENT,
        arguments=[words.FeatureCallArgument(name="n", value="v", filename="f.txt")],
    ),
    words.PastMessage(channel_id=_BAND, content=_CONTENT, sender=_ALICE, group_id=_GROUP),
    words.UpdateCharacterGroup(channel_id=_BAND, group_id=_GROUP),
    words.UpdateMenu(channel_id=_BAND, menu=[_ITEM], recipients=[_ALICE]),
    words.UserInfo(user_id=_ALICE, name="A", email="a@example.org", email_verified=True),
)
"""One of each kind of ``moobius_trio.types`` that may be stored, with its fields filled in."""


def exactly(value: object) -> object:
    """Something equal only for values that are the same down to their types and their order."""
    kind = type(value)
    if isinstance(value, dict):
        return kind, [(exactly(key), exactly(one)) for key, one in value.items()]
    if isinstance(value, list | tuple):
        return kind, [exactly(one) for one in value]
    if isinstance(value, set | frozenset):
        return kind, sorted(repr(exactly(one)) for one in value)
    if isinstance(value, datetime):
        return kind, value.isoformat(), value.fold, getattr(value.tzinfo, "key", None)
    return kind, repr(value)


def _zones() -> st.SearchStrategy[Any]:
    fixed = timezone(timedelta(hours=5, minutes=30))
    return st.sampled_from([None, UTC, fixed, ZoneInfo("Europe/Berlin")])


_texts = st.text(st.characters(), max_size=8) | st.sampled_from(HOSTILE_KEYS)
_moments = st.datetimes(min_value=datetime(1900, 1, 1), timezones=_zones())
hashable_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | _texts
    | st.binary(max_size=8)
    | _moments
    | st.dates(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
_leaves = (
    hashable_values
    | st.floats()
    | st.times()
    | st.timedeltas()
    | st.builds(Character, user_id=_texts, nickname=_texts, avatar=_texts)
)
storable_values: st.SearchStrategy[Any] = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(_texts, inner, max_size=4)
        | st.dictionaries(hashable_values, inner, max_size=3)
        | st.sets(hashable_values, max_size=3)
    ),
    max_leaves=8,
)
"""Every kind of value that may be stored, nested."""
