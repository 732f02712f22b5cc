"""The state folder: what is kept over a restart, and what becomes of a folder that is no good."""

from __future__ import annotations

import errno
import os
import random
import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from moobius_trio.errors import StorageError, StoreLocked, UsageError
from moobius_trio.local import DEFAULT_BAND, Platform, open_platform, stored
from moobius_trio.local.records import (
    Account,
    Band,
    Change,
    Figure,
    Forgotten,
    Group,
    Message,
    RequestSeen,
    Service,
    Upload,
    UserJoined,
    UserLeft,
)
from moobius_trio.local.store import DATABASE, Store, open_store
from moobius_trio.local.store_formats import FORMAT
from moobius_trio.local.world import HISTORY_PER_BAND, World
from moobius_trio.testing.inline import run_inline
from moobius_trio.types import (
    ChannelId,
    Character,
    Content,
    GroupId,
    MessageId,
    RequestId,
    ServiceId,
    UserId,
)

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

texts = st.text(st.characters(codec=None), max_size=20)  # surrogates too: JSON can carry them
users = st.builds(UserId, texts)
bands = st.builds(ChannelId, texts)
services = st.builds(ServiceId, texts)
characters = st.builds(
    Character, user_id=users, username=texts, nickname=texts, avatar=texts, description=texts
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
contents = st.builds(
    Content,
    text=st.none() | texts,
    path=st.none() | texts,
    extra=st.dictionaries(texts, json_values, max_size=3),
)
messages = st.builds(
    Message,
    channel_id=bands,
    direction=st.sampled_from(["up", "down"]),
    content=contents,
    sender=users,
    recipients=st.lists(users, max_size=3).map(tuple),
    readers=st.lists(users, max_size=3).map(tuple),
    subtype=texts,
    timestamp=st.integers(0, 2**53),
    msg_id=st.builds(MessageId, texts),
    service_id=st.none() | services,
    request_id=st.builds(RequestId, texts),
)
records = st.one_of(
    st.builds(
        Account, person=characters, login=texts, password_hash=texts, confirmed=st.booleans()
    ),
    st.builds(
        Band,
        channel_id=bands,
        name=texts,
        service_id=st.none() | services,
        description=texts,
        owner=st.none() | users,
    ),
    st.builds(Service, service_id=services, owner=users, description=texts),
    st.builds(Figure, service_id=services, character=characters),
    st.builds(
        Group,
        group_id=st.builds(GroupId, texts),
        owner=users,
        members=st.lists(users, max_size=3).map(tuple),
        channel_id=st.none() | bands,
        name=texts,
    ),
    st.builds(Upload, key=texts, media_type=texts, size=st.integers(0, 2**40)),
    st.builds(UserJoined, channel_id=bands, user_id=users),
)


@given(records)
def test_every_record_comes_back_as_it_went_in(record: Change) -> None:
    """Whatever texts are in it, the stored form is ASCII and gives the same record."""
    _, (kind, key, value) = stored.statement(record)
    assert key.isascii()
    assert value.isascii()
    assert stored.load_record(kind, value) == record


@given(messages)
def test_every_message_comes_back_as_it_went_in(message: Message) -> None:
    """With the free part of its content."""
    _, (band, value) = stored.statement(message)
    assert band.isascii()
    assert value.isascii()
    assert stored.load_message(value) == message


@pytest.mark.parametrize(
    ("kind", "value"), [("band", "{}"), ("band", "nonsense"), ("band", "[]"), ("hat", "{}")]
)
def test_a_text_that_is_no_record_is_named_as_such(kind: str, value: str) -> None:
    """One kind of error, whatever is wrong with it."""
    with pytest.raises(stored.NotOurs):
        stored.load_record(kind, value)


def opened(folder: Path | None) -> AbstractAsyncContextManager[Platform]:
    return open_platform(
        state=folder, run_sync=run_inline, wall_clock=lambda: 1_000.0, random=random.Random(1)
    )


CHANGES: tuple[Change, ...] = (
    Account(person=Character(user_id=UserId("a")), login="a@x", password_hash="h"),
    Account(person=Character(user_id=UserId("b")), login="b@x"),
    Service(service_id=ServiceId("s"), owner=UserId("a"), description="d"),
    Band(channel_id=ChannelId("c"), name="c"),
    Band(channel_id=ChannelId("d"), name="d"),
    UserJoined(channel_id=ChannelId("c"), user_id=UserId("a")),
    UserJoined(channel_id=ChannelId("c"), user_id=UserId("b")),
    Band(channel_id=ChannelId("c"), name="c", service_id=ServiceId("s")),
    UserLeft(channel_id=ChannelId("c"), user_id=UserId("a")),
    UserJoined(channel_id=ChannelId("c"), user_id=UserId("a")),
    Figure(service_id=ServiceId("s"), character=Character(user_id=UserId("f"))),
    Group(group_id=GroupId("g"), owner=UserId("a"), members=(UserId("b"),)),
    Upload(key="k.png", media_type="image/png", size=3),
    RequestSeen(service_id=ServiceId("s"), request_id=RequestId("not kept")),
    *(
        Message(
            channel_id=ChannelId("c"),
            direction="down",
            content=Content(text=str(number)),
            readers=(UserId("b"),),
            service_id=ServiceId("s"),
            request_id=RequestId(f"r{number}"),
        )
        for number in range(5)
    ),
)


async def test_a_restart_restores_the_whole_world(tmp_path: Path) -> None:
    """Accounts, bands, members in order, services, bindings, characters, groups, messages and
    uploads are as they were, each in its order."""
    before = World()
    async with open_store(tmp_path, run_sync=run_inline) as store:
        for change in CHANGES:
            before.apply(change)
            store.put([change])
        await store.save_upload("k.png", b"abc")
    after = World()
    async with open_store(tmp_path, run_sync=run_inline) as store:
        for change in await store.load():
            after.apply(change)
        assert await store.load_upload("k.png") == b"abc"
    for name in ("accounts", "bands", "services", "figures", "groups", "uploads"):
        assert list(getattr(after, name).items()) == list(getattr(before, name).items()), name
    assert (after.logins, after.upload_bytes) == (before.logins, 3)
    assert after.members(ChannelId("c")) == before.members(ChannelId("c")) == ("b", "a")
    assert after.history == before.history
    assert after.was_seen(ServiceId("s"), RequestId("r4"))


async def test_only_the_newest_messages_of_a_band_are_loaded(tmp_path: Path) -> None:
    """All of them stay in the file."""
    async with open_store(tmp_path, run_sync=run_inline) as store:
        for number in range(HISTORY_PER_BAND + 1):
            content = Content(text=str(number))
            store.put([Message(channel_id=ChannelId("c"), direction="up", content=content)])
    async with open_store(tmp_path, run_sync=run_inline) as store:
        loaded = [change for change in await store.load() if isinstance(change, Message)]
    assert [loaded[0].content.text, loaded[-1].content.text] == ["1", str(HISTORY_PER_BAND)]
    with sqlite3.connect(tmp_path / DATABASE) as connection:
        (count,) = connection.execute("SELECT count(*) FROM message").fetchone()
    connection.close()
    assert count == HISTORY_PER_BAND + 1


class _CountingRunner:
    """Runs inline; counts the calls of the writer, and lets some of them fail."""

    def __init__(self) -> None:
        self.writes = 0
        self.failures = 0

    async def __call__(self, fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
        await trio.lowlevel.checkpoint()
        if getattr(fn, "__name__", "") == "_write":
            self.writes += 1
            if self.failures:
                self.failures -= 1
                raise sqlite3.OperationalError("disk I/O error")
        return fn(*args)


async def test_changes_are_written_in_groups(tmp_path: Path) -> None:
    """What comes while nothing is being written goes in one transaction."""
    runner = _CountingRunner()
    async with open_store(tmp_path, run_sync=runner) as store:
        for change in CHANGES:
            store.put([change])
        await store.flush()
        assert runner.writes == 1
    assert runner.writes == 1


async def test_a_failed_write_is_told_and_tried_again(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """Who waits for it gets the error; the change is on disk when the disk is well again."""
    runner = _CountingRunner()
    async with open_store(tmp_path, run_sync=runner) as store:
        runner.failures = 1
        store.put(CHANGES)
        with pytest.raises(StorageError, match="cannot be written"):
            await store.flush()
        await store.flush()
        assert runner.writes == 2
        assert len(await store.load()) > 0


async def test_a_group_is_written_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    """A change in it that cannot be written takes the others of its group back."""
    async with open_store(tmp_path, run_sync=run_inline) as store:
        broken = Upload(key="k", media_type="t", size=object())  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            await run_inline(_write_now, store, [CHANGES[0], broken])
        assert await store.load() == []


def _write_now(store: Store, changes: list[Change]) -> None:
    from moobius_trio.local import store as module

    module._write(store._connection, changes)


async def test_a_block_that_raises_gets_its_own_exception_and_all_is_written(
    tmp_path: Path,
) -> None:
    """Neither wrapped in a group nor lost is what the block raised; the changes are kept."""

    async def fail() -> None:
        async with open_store(tmp_path, run_sync=run_inline) as store:
            store.put(CHANGES)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with open_store(tmp_path, run_sync=run_inline) as store:
        assert len(await store.load()) > 0


async def test_two_platforms_on_one_folder_are_refused_with_the_pid(tmp_path: Path) -> None:
    """The second one names the first; when the first has ended, the folder is free."""
    async with opened(tmp_path):
        with pytest.raises(StoreLocked, match=f"pid {os.getpid()}") as caught:
            async with opened(tmp_path):
                pass
    assert caught.value.pid == os.getpid()
    async with opened(tmp_path) as platform:
        assert platform.bands()[0].channel_id == DEFAULT_BAND


async def test_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    """One line says so; the file is as it was."""
    async with opened(tmp_path):
        pass
    connection = sqlite3.connect(tmp_path / DATABASE)
    connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    connection.close()
    before = (tmp_path / DATABASE).read_bytes()
    with pytest.raises(StorageError, match=f"newer version \\(format {FORMAT + 1}") as caught:
        async with opened(tmp_path):
            pass
    assert "\n" not in str(caught.value)
    assert (tmp_path / DATABASE).read_bytes() == before


OLD_SCHEMA = """
CREATE TABLE record (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
                     PRIMARY KEY (kind, key));
CREATE TABLE message (id INTEGER PRIMARY KEY, band TEXT NOT NULL, value TEXT NOT NULL);
CREATE INDEX message_of_band ON message (band, id);
PRAGMA user_version = 1;
"""


def write_format_1(folder: Path) -> bytes:
    """A state folder as the version before this one left it; gives the file's bytes."""
    connection = sqlite3.connect(folder / DATABASE)
    connection.executescript(OLD_SCHEMA)
    connection.execute(
        "INSERT INTO record VALUES ('band', '\"c\"', ?)",
        ('{"channel_id":"c","name":"c","service_id":null}',),
    )
    group = '{"group_id":"g","owner":"a","members":["b"]}'
    connection.execute("INSERT INTO record VALUES ('group', '\"g\"', ?)", (group,))
    account = '{"person":{"user_id":"b","username":"","nickname":"B","avatar":"","description":""}'
    account += ',"login":"b@x","password_hash":"h"}'
    connection.execute("INSERT INTO record VALUES ('account', '\"b\"', ?)", (account,))
    content = '"content":{"text":"\\ud83d","path":null,"extra":{}}'
    for direction, more in (("up", ',"msg_id":"m"'), ("down", ""), ("down", ',"readers":["b"]')):
        value = f'{{"channel_id":"c","direction":"{direction}",{content}{more}}}'
        connection.execute("INSERT INTO message (band, value) VALUES ('\"c\"', ?)", (value,))
    connection.commit()
    connection.close()
    return (folder / DATABASE).read_bytes()


async def test_a_folder_of_the_version_before_is_copied_and_brought_up_to_date(
    tmp_path: Path,
) -> None:
    """Everything is there; what is new is empty, and messages to users have ids that stay."""
    write_format_1(tmp_path)
    found = []
    for _ in range(2):
        async with open_store(tmp_path, run_sync=run_inline) as store:
            found.append(await store.load())
    assert found[0] == found[1]
    band, group, account, *messages = found[0]
    assert band == Band(channel_id=ChannelId("c"), name="c")
    assert group == Group(group_id=GroupId("g"), owner=UserId("a"), members=(UserId("b"),))
    assert isinstance(account, Account)
    assert account.confirmed
    assert [each.msg_id for each in messages if isinstance(each, Message)] == [
        "m",
        "local-kept-2",
        "local-kept-3",
    ]
    assert {each.content.text for each in messages if isinstance(each, Message)} == {"\ud83d"}
    copy = sqlite3.connect(tmp_path / f"{DATABASE}.format-1")
    assert copy.execute("PRAGMA user_version").fetchone() == (1,)
    assert copy.execute("SELECT count(*) FROM message").fetchone() == (3,)
    copy.close()
    assert (tmp_path / f"{DATABASE}.format-1").stat().st_mode & 0o777 == 0o600


async def test_an_older_folder_that_cannot_be_copied_is_left_alone(tmp_path: Path) -> None:
    """Nothing is changed before there is a copy, and one that is there is not written over."""
    before = write_format_1(tmp_path)
    (tmp_path / f"{DATABASE}.format-1.part").mkdir()
    with pytest.raises(StorageError, match="cannot be opened"):
        async with opened(tmp_path):
            pass
    assert (tmp_path / DATABASE).read_bytes() == before
    (tmp_path / f"{DATABASE}.format-1.part").rmdir()
    (tmp_path / f"{DATABASE}.format-1").write_text("mine")
    async with opened(tmp_path):
        pass
    assert (tmp_path / f"{DATABASE}.format-1").read_text() == "mine"


async def test_what_is_forgotten_is_gone_after_a_restart_too(tmp_path: Path) -> None:
    """Accounts, services, characters and groups."""
    async with open_store(tmp_path, run_sync=run_inline) as store:
        store.put(CHANGES)
        kept = {type(each): each for each in CHANGES}
        gone = [kept[Account], kept[Service], kept[Figure], kept[Group]]
        store.put(Forgotten(record=each) for each in gone)  # type: ignore[arg-type]
    world = World()
    async with open_store(tmp_path, run_sync=run_inline) as store:
        for change in await store.load():
            world.apply(change)
    assert list(world.accounts) == ["a"]
    assert (world.services, world.figures, world.groups) == ({}, {}, {})


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    """It may be somebody's notes."""
    (tmp_path / DATABASE).write_text("these are my notes\n" * 100)
    with pytest.raises(StorageError, match="is no state of a local platform"):
        async with opened(tmp_path):
            pass
    assert (tmp_path / DATABASE).read_text().startswith("these are my notes")


async def test_a_record_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """It is one line with the file and the kind."""
    async with opened(tmp_path):
        pass
    connection = sqlite3.connect(tmp_path / DATABASE)
    with connection:
        connection.execute("INSERT INTO record VALUES ('band', 'x', '{}')")
    connection.close()
    with pytest.raises(StorageError, match=r"platform\.sqlite3: has a record .*Band"):
        async with opened(tmp_path):
            pass


async def test_a_path_that_cannot_be_a_folder_is_one_line(tmp_path: Path) -> None:
    """A file in the way, below it too."""
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "state"):
        with pytest.raises(StorageError, match="cannot be used as the state folder") as caught:
            async with opened(folder):
                pass
        assert "\n" not in str(caught.value)


async def test_a_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the folder and the remedy."""

    def refuse(path: Path, *args: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StorageError, match=r"Permission denied.*--state") as caught:
        async with opened(tmp_path):
            pass
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_nobody_else_may_read_the_state(tmp_path: Path) -> None:
    """The folder, the database and the uploads are the owner's alone."""
    folder = tmp_path / "deep" / "state"
    async with open_store(folder, run_sync=run_inline) as store:
        store.put(CHANGES)
        await store.save_upload("k", b"x")
        await store.flush()
        for path in (folder, folder / DATABASE, folder / "uploads", folder / "uploads" / "k"):
            assert path.stat().st_mode & 0o077 == 0, path


async def test_a_band_with_an_impossible_name_is_a_usage_error(tmp_path: Path) -> None:
    """Also when there is a store, whose writer is running by then."""
    with pytest.raises(UsageError, match="name"):
        async with open_platform(
            state=tmp_path,
            bands=["x" * 100],
            run_sync=run_inline,
            wall_clock=lambda: 0.0,
            random=random.Random(1),
        ):
            pass


async def test_a_restart_brings_back_bands_and_guests(tmp_path: Path) -> None:
    """The same name is the same user and the same band as before; old tokens are gone."""
    async with opened(tmp_path) as platform:
        guest = platform.sign_in_guest("alice")
        band = platform.add_band("my room")
    async with opened(tmp_path) as platform:
        assert [each.channel_id for each in platform.bands()] == [DEFAULT_BAND, band]
        again = platform.sign_in_guest("Alice")
    assert (again.user_id, again.nickname) == (guest.user_id, "Alice")
    assert again.tokens != guest.tokens


async def test_threads_write_without_blocking_the_loop(tmp_path: Path) -> None:
    """With a real thread the store keeps the same promises."""
    async with open_store(tmp_path, run_sync=_in_thread) as store:
        store.put(CHANGES)
        await store.flush()
    async with open_store(tmp_path, run_sync=_in_thread) as store:
        assert len(await store.load()) > 0


async def _in_thread(fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
    return await trio.to_thread.run_sync(fn, *args)
