"""Hypothesis strategies for every value that goes over the wire, of either generation.

For properties such as "what is written can be read". Texts may be empty, of any letters, and may
hold a lone surrogate; numbers have 64 bits. What a protocol makes of a value is the test's matter.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from moobius_trio.types import (
    Action,
    BottomButton,
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
    MessageUp,
    Ping,
    PlatformError,
    Playground,
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
    UserLogin,
    UserMessage,
)

__all__ = (
    "arguments",
    "characters",
    "contents",
    "copies",
    "dialogs",
    "feature_calls",
    "features",
    "filled_in",
    "ids",
    "integers",
    "json_values",
    "lists_of_ids",
    "maybe",
    "menu_clicks",
    "menu_items",
    "messages_down",
    "objects",
    "service_commands",
    "service_events",
    "stages",
    "style_items",
    "subtypes",
    "texts",
    "unknown_payloads",
    "unknown_types",
    "updates",
    "user_commands",
    "user_events",
)

# One lone surrogate survives; a high one before a low one is one letter to JSON, so only low ones.
texts: st.SearchStrategy[Any] = st.text(
    alphabet=st.one_of(st.characters(exclude_categories=["Cs"]), st.just("\udc80")), max_size=20
)
ids: st.SearchStrategy[Any] = texts
lists_of_ids: st.SearchStrategy[Any] = st.lists(ids, max_size=4)
integers: st.SearchStrategy[Any] = st.integers(min_value=-(2**63), max_value=2**63 - 1)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        texts,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)
objects: st.SearchStrategy[Any] = st.dictionaries(texts, json_values, max_size=3)
maybe: st.SearchStrategy[Any] = st.one_of(st.none(), texts)

contents: st.SearchStrategy[Any] = st.builds(
    Content,
    text=maybe,
    path=maybe,
    extra=st.dictionaries(texts.filter(lambda key: key not in ("text", "path")), json_values),
)
# No word of any generation begins so.
unknown_types: st.SearchStrategy[Any] = texts.map(lambda word: f"x{word}")
subtypes: st.SearchStrategy[Any] = unknown_types | st.sampled_from(
    ["fetch_user_list", "fetch_features", "join_channel", "refresh"]
)
characters: st.SearchStrategy[Any] = st.builds(
    Character, user_id=ids, username=texts, nickname=texts, avatar=texts, description=texts
)
arguments: st.SearchStrategy[Any] = st.builds(
    FeatureArgument,
    name=texts,
    type=texts,
    optional=st.booleans(),
    values=st.lists(texts, max_size=3),
    placeholder=texts,
)
dialogs: st.SearchStrategy[Any] = st.none() | st.builds(
    Dialog,
    title=texts,
    bottom_buttons=st.lists(
        st.builds(BottomButton, id=texts, text=texts, submit=st.booleans()), max_size=2
    ),
)
features: st.SearchStrategy[Any] = st.builds(
    Feature,
    feature_id=texts,
    button_text=texts,
    feature_name=texts,
    arguments=st.lists(arguments, max_size=3),
    dialog=dialogs,
    new_window=st.booleans(),
)
menu_items: st.SearchStrategy[Any] = st.builds(
    MenuItem,
    menu_item_id=texts,
    menu_item_text=texts,
    message_subtypes=st.lists(texts, max_size=2),
    arguments=st.lists(arguments, max_size=2),
    dialog=dialogs,
)
style_items: st.SearchStrategy[Any] = st.builds(
    StyleItem,
    widget=texts,
    display=texts,
    expand=st.booleans(),
    feature_id=maybe,
    text=maybe,
)
stages: st.SearchStrategy[Any] = st.builds(Playground, path=maybe, text=maybe)
filled_in: st.SearchStrategy[Any] = st.lists(
    st.builds(FeatureCallArgument, name=texts, value=st.one_of(texts, integers), filename=maybe),
    max_size=3,
)
feature_calls: st.SearchStrategy[Any] = st.builds(
    FeatureCall,
    feature_id=texts,
    channel_id=ids,
    sender=ids,
    arguments=filled_in,
    bottom_button_id=texts,
)
menu_clicks: st.SearchStrategy[Any] = st.builds(
    MenuItemClick,
    menu_item_id=texts,
    channel_id=ids,
    sender=ids,
    message_id=ids,
    message_subtype=texts,
    message_content=contents,
    arguments=filled_in,
    bottom_button_id=texts,
)
copies: st.SearchStrategy[Any] = st.builds(
    Copy, request_id=ids, origin_type=texts, status=st.booleans(), context=objects
)
messages_down: st.SearchStrategy[Any] = st.builds(
    MessageDown,
    channel_id=ids,
    content=contents,
    recipients=lists_of_ids,
    sender=ids,
    subtype=texts,
    timestamp=integers,
    relayed=st.booleans(),
    msg_id=ids,
)
unknown_payloads: st.SearchStrategy[Any] = st.builds(
    lambda kind, frame: UnknownPayload(type=kind, frame={**frame, "type": kind}),
    unknown_types,
    objects,
)


def updates(recipients: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Every update, with these recipients where it has any."""
    return st.one_of(
        st.builds(
            UpdateUserList,
            channel_id=ids,
            user_list=st.lists(characters, max_size=3),
            recipients=recipients,
        ),
        st.builds(
            UpdateFeatures,
            channel_id=ids,
            features=st.lists(features, max_size=3),
            recipients=recipients,
        ),
        st.builds(
            UpdatePlayground,
            channel_id=ids,
            content=stages,
            recipients=recipients,
            more=st.lists(stages, max_size=2),
        ),
        st.builds(
            UpdateMenu,
            channel_id=ids,
            menu=st.lists(menu_items, max_size=2),
            recipients=recipients,
        ),
        st.builds(
            UpdateStyle,
            channel_id=ids,
            style=st.lists(style_items, max_size=3),
            recipients=recipients,
        ),
        st.builds(UpdateChannelInfo, channel_id=ids, data=objects),
        st.builds(GenericUpdate, data=objects),
    )


service_commands: st.SearchStrategy[Any] = st.one_of(
    messages_down,
    updates(lists_of_ids),
    st.builds(ServiceLogin, service_id=ids, access_token=texts),
    st.just(Ping()),
)
service_events: st.SearchStrategy[Any] = st.one_of(
    st.builds(
        MessageUp,
        channel_id=ids,
        sender=ids,
        content=contents,
        recipients=lists_of_ids,
        subtype=texts,
        timestamp=integers,
        msg_id=ids,
    ),
    st.builds(Action, subtype=subtypes, channel_id=ids, sender=ids),
    feature_calls,
    menu_clicks,
    copies,
    st.builds(PlatformError, message=texts, connection_id=maybe, request_id=maybe),
    unknown_payloads,
)
user_commands: st.SearchStrategy[Any] = st.one_of(
    st.builds(UserLogin, access_token=texts),
    st.builds(UserAction, subtype=subtypes, channel_id=ids),
    st.builds(
        UserMessage, channel_id=ids, content=contents, recipients=lists_of_ids, subtype=texts
    ),
    feature_calls,
    menu_clicks,
    st.just(Ping()),
)
user_events: st.SearchStrategy[Any] = st.one_of(
    messages_down, updates(st.just(())), copies, unknown_payloads
)
