"""What SQLite is told: few statements that write what was changed, in the order of the changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moobius_trio.database.engine import Change, Place
from moobius_trio.database.sqlite_engine import _SCHEMA
from moobius_trio.database.sqlite_statements import MOST_BYTES, statements
from moobius_trio.types import ChannelId

PLACES = [Place(ChannelId("b"), "box"), Place(ChannelId("b"), "bag"), Place(None, "box")]
WHERE = st.tuples(st.sampled_from(PLACES), st.integers(0, 40).map(lambda n: b"k%d" % n))
COMMITS = st.lists(st.lists(st.tuples(WHERE, st.integers(0, 2)), unique_by=lambda one: one[0]))


@contextmanager
def opened() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(_SCHEMA)
        yield connection


def updates(count: int, size: int = 1) -> list[Change]:
    return [Change(PLACES[0], b"%d" % number, b"v" * size) for number in range(count)]


@given(COMMITS)
def test_what_is_changed_is_what_then_stands_there(commits: list[list[tuple[object, int]]]) -> None:
    """Changed, new and removed records of several containers, in the order in which they came."""
    expected: dict[object, bytes] = {}
    with opened() as connection:
        for number, commit in enumerate(commits):
            changes = []
            for where, what in commit:
                place, key = where  # type: ignore[misc]
                text = None if what == 0 else b"%d" % number
                changes.append(Change(place, key, text, what == 1))
                if what != 2:
                    expected.pop(where, None)
                if text is not None:
                    expected[where] = text
            for statement, parameters in statements(changes):
                connection.execute(statement, parameters)
        found = connection.execute(
            "SELECT band, container, key, value FROM record ORDER BY position"
        ).fetchall()
    assert [
        ("" if place.band is None else place.band, place.container, key, text)
        for (place, key), text in expected.items()  # type: ignore[misc]
    ] == found


def test_a_hundred_records_are_written_by_three_statements() -> None:
    """The loop waits for the interpreter at each that begins or ends."""
    assert [len(values) // 2 - 1 for _, values in statements(updates(100))] == [64, 32, 4]


def test_records_of_several_containers_share_their_statements() -> None:
    """A change of each of a hundred bands is no hundred statements; the container is named once
    where there is one alone."""
    places = [Place(ChannelId(f"b{number}"), "box") for number in range(100)]
    mixed = [Change(place, b"k", b"v") for place in places]
    gone = [Change(PLACES[0], b"k", None)]
    found = [len(values) for _, values in statements([*mixed, *gone, *updates(100)])]
    assert found == [64 * 4, 32 * 4, 4 * 4, 3, 2 + 64 * 2, 2 + 32 * 2, 2 + 4 * 2]


@pytest.mark.parametrize("fresh", [False, True])
def test_records_are_written_as_they_are_read_from_the_statement(fresh: bool) -> None:
    """No table of a statement's values is set up before the first of them is stored."""
    changes = [change._replace(fresh=fresh) for change in updates(64)]
    with opened() as connection:
        for statement, parameters in statements(changes):
            steps = connection.execute(f"EXPLAIN {statement}", parameters).fetchall()
            assert not {"OpenEphemeral", "OpenAutoindex"} & {step[1] for step in steps}


def test_there_are_few_different_statements() -> None:
    """However many records a commit has: each statement is read by SQLite and kept."""
    texts = {text for count in range(200) for text, _ in statements(updates(count))}
    assert len(texts) == 8


def test_large_values_are_written_one_by_one() -> None:
    """What a statement has overwritten is kept in memory until it has ended."""
    found = [len(values) // 2 - 1 for _, values in statements(updates(4, MOST_BYTES // 2 + 1))]
    assert found == [1, 1, 1, 1]


def test_records_are_removed_by_their_keys() -> None:
    """By the index; a look at every record of a band would hold up all commits."""
    gone = [Change(PLACES[0], b"%d" % number, None) for number in range(50)]
    with opened() as connection:
        for statement, parameters in statements(gone):
            [*plan] = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            assert "band=? AND container=? AND key=?" in plan[0][-1]
