"""Frames and trace in every order, and units that are counted anew: nothing is put in a wrong
place."""

from __future__ import annotations

import json

import attrs
from hypothesis import given
from hypothesis import strategies as st

from moobius_trio.core.environment import TraceRecord, UnitRecord
from moobius_trio.local.inspector import EARLY, KEPT, Inspector, Seen
from moobius_trio.types import (
    Action,
    ChannelId,
    Content,
    FeatureCall,
    MenuItemClick,
    MessageId,
    MessageUp,
    UserId,
)

BAND = ChannelId("band")
PEOPLE = ("alice", "bob", "carol")


@attrs.define
class Clock:
    milliseconds: int = 0

    def __call__(self) -> int:
        return self.milliseconds


def inspector(clock: Clock | None = None) -> Inspector:
    return Inspector(clock or Clock(), lambda user_id: None)


def do(looked: Inspector, event: MessageUp | Action | FeatureCall | MenuItemClick) -> None:
    """Somebody does something, and the service is told of it."""
    seen = Seen(direction="up", type_="x", from_=event.sender, to=("service",), text="", size=0)
    looked.note(lambda: seen, weight=0, events=[event])


def press(user: str) -> FeatureCall:
    return FeatureCall(feature_id="k", channel_id=BAND, sender=UserId(user))


def message(user: str, msg_id: str) -> MessageUp:
    return MessageUp(
        channel_id=BAND,
        sender=UserId(user),
        content=Content(text="hi"),
        timestamp=1,
        msg_id=MessageId(msg_id),
    )


def fetch(user: str) -> Action:
    return Action(subtype="fetch_features", channel_id=BAND, sender=UserId(user))


def send(looked: Inspector, request_id: str) -> None:
    """The service sends a frame."""
    seen = Seen(direction="down", type_="x", from_="service", text=request_id, size=0)
    looked.note(lambda: seen, weight=0, request_id=request_id)


def frame_trace(
    unit: int, request_id: str, user: str, cause: str | None = None, on: str = "on_feature_call"
) -> TraceRecord:
    return TraceRecord(
        frame=json.dumps({"type": "msg_down", "request_id": request_id, "body": {}}),
        unit=unit,
        handler=f"Service.{on}",
        milliseconds=1.0,
        records=0,
        cause=cause,
        channel_id=BAND,
        user_id=UserId(user),
    )


def unit_trace(
    unit: int, user: str, cause: str | None = None, on: str = "on_feature_call"
) -> UnitRecord:
    return UnitRecord(
        unit=unit,
        handler=f"Service.{on}",
        milliseconds=2.0,
        records=1,
        error="",
        cause=cause,
        channel_id=BAND,
        user_id=UserId(user),
    )


@given(st.data(), st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=8), st.booleans())
def test_a_frame_is_under_what_caused_it_in_whatever_order_the_news_come(
    data: st.DataObject, people: list[str], messages: bool
) -> None:
    """Up frames come in order, and so do a person's units; everything else may come in any order,
    the end of a unit before its frame too."""
    looked = inspector()
    traces: list[list[TraceRecord | UnitRecord]] = []
    for number, user in enumerate(people):
        cause = f"m{number}" if messages else None
        do(looked, message(user, f"m{number}") if messages else press(user))
        on = "on_msg_up" if messages else "on_feature_call"
        traces.append(
            [
                frame_trace(number, f"r{number}", user, cause, on),
                unit_trace(number, user, cause, on),
            ]
        )
    # The units of one person end one after the other; those of others come in between.
    waiting = {user: [i for i, each in enumerate(people) if each == user] for user in set(people)}
    sent = data.draw(st.permutations(range(len(people))))
    for number in sent:
        if data.draw(st.booleans()):
            _trace_one(data, looked, waiting, traces)
        send(looked, f"r{number}")
    while any(waiting.values()):
        _trace_one(data, looked, waiting, traces)
    kept = looked.kept
    for number, user in enumerate(people):
        assert (kept[number].from_, kept[number].milliseconds, kept[number].records) == (user, 2, 1)
    for number, told in zip(sent, kept[len(people) :], strict=True):
        assert (told.frame, told.cause, told.milliseconds) == (f"r{number}", number + 1, 1)


def _trace_one(
    data: st.DataObject,
    looked: Inspector,
    waiting: dict[str, list[int]],
    traces: list[list[TraceRecord | UnitRecord]],
) -> None:
    people = sorted(user for user, units in waiting.items() if units)
    if not people:
        return
    unit = waiting[data.draw(st.sampled_from(people))].pop(0)
    for record in data.draw(st.permutations(traces[unit])):
        looked.trace(record)


def test_a_unit_of_a_service_that_was_started_anew_is_another_one() -> None:
    """Its numbers begin from one again; what the old one had not handled is nobody's cause."""
    looked = inspector()
    do(looked, press("alice"))
    do(looked, press("alice"))
    looked.trace(unit_trace(1, "alice"))
    looked.service_began()
    do(looked, press("alice"))
    send(looked, "r")
    looked.trace(frame_trace(1, "r", "alice"))
    assert [each.cause for each in looked.kept] == [None, None, None, 3]


def test_each_handler_is_given_its_own_events_alone() -> None:
    """A key press does not take the place of a request that was made before it, and a job none."""
    looked = inspector()
    do(looked, fetch("alice"))
    do(looked, press("alice"))
    do(looked, press("bob"))
    looked.trace(unit_trace(1, "alice"))
    looked.trace(unit_trace(2, "bob"))
    looked.trace(unit_trace(3, "alice", on="on_fetch_features"))
    looked.trace(unit_trace(4, "alice"))
    looked.trace(attrs.evolve(unit_trace(5, "alice", on="strike"), user_id=None))
    assert [each.handler for each in looked.kept] == [
        "Service.on_fetch_features",
        "Service.on_feature_call",
        "Service.on_feature_call",
    ]


def test_one_run_that_answers_several_requests_is_that_of_the_last_one_it_waited_for() -> None:
    """Those that came after it began have a run of their own."""
    clock = Clock()
    looked = inspector(clock)
    for clock.milliseconds in (100, 101, 109):
        do(looked, fetch("alice"))
    clock.milliseconds = 110
    looked.trace(unit_trace(1, "alice", on="on_fetch_features"))  # began at 108
    looked.trace(unit_trace(2, "alice", on="on_fetch_features"))
    assert [each.handler != "" for each in looked.kept] == [False, True, True]


def test_a_refresh_causes_what_its_parts_send() -> None:
    """A service handles it whole, or as the requests of which it consists."""
    for handlers in (
        ("on_refresh",),
        ("on_fetch_user_list", "on_fetch_features", "on_fetch_playground"),
    ):
        looked = inspector()
        do(looked, Action(subtype="refresh", channel_id=BAND, sender=UserId("alice")))
        for unit, handler in enumerate(handlers):
            send(looked, f"r{unit}")
            looked.trace(frame_trace(unit, f"r{unit}", "alice", on=handler))
        assert [each.cause for each in looked.kept[1:]] == [1] * len(handlers)


def test_a_choice_from_a_menu_causes_what_its_handler_sends() -> None:
    """A key press of the same person before it does not take its place."""
    looked = inspector()
    do(looked, press("alice"))
    do(looked, MenuItemClick(menu_item_id="m", channel_id=BAND, sender=UserId("alice")))
    send(looked, "r")
    looked.trace(frame_trace(1, "r", "alice", on="on_menu_item_click"))
    assert looked.kept[2].cause == 2


def test_what_is_remembered_for_the_trace_is_bounded() -> None:
    """Also for a service that is started by hand, whose trace nobody ever sends, and for a trace
    without frames."""
    looked = inspector()
    for number in range(3_000):
        do(looked, press("alice"))
        do(looked, message("alice", str(number)))
        send(looked, f"r{number}")
    for number in range(3_000):
        looked.trace(frame_trace(number, f"late{number}", "alice"))
    causes = looked._causes
    assert len(looked.kept) == KEPT
    assert len(looked._by_request) <= KEPT
    assert len(looked._early) == EARLY
    assert max(len(causes._came), len(causes._messages), len(causes._units)) <= 2_000
