"""The json engine's files: the original's layout and content, and what is wrong with them."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest

from moobius_trio.database import ContainerSpec, Stores, container, open_stores, stored
from moobius_trio.database.files import safe_name
from moobius_trio.errors import StorageError
from moobius_trio.testing.inline import run_inline
from moobius_trio.testing.storage_data import HOSTILE_KEYS
from moobius_trio.types import ChannelId, Character, Feature, FeatureArgument, ServiceId, UserId

SERVICE = ServiceId("11111111-2222-3333-4444-555555555555")
BAND = ChannelId("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee")
ALICE = UserId("f0000000-0000-0000-0000-000000000001")


@stored(name="JsonState")
@attrs.define
class State:
    stage: str = "light"
    mickey_num: int = 0


@asynccontextmanager
async def opened(root: Path, problems: list[StorageError] | None = None) -> AsyncIterator[Stores]:
    """As a db.json of the original names it."""
    found: list[StorageError] = []
    specs = [
        ContainerSpec(
            name=name, implementation="json", settings={"root_dir": str(root / "json_db")}
        )
        for name in ("states", "größe")
    ]
    async with open_stores(
        specs,
        service_id=SERVICE,
        folder=root / "elsewhere",
        run_sync=run_inline,
        default_engine="memory",
        on_problem=(found if problems is None else problems).append,
    ) as stores:
        yield stores
    assert found == []


def folder_of(root: Path) -> Path:
    return root / "json_db" / f"service_{SERVICE}" / f"band_{BAND}" / "states"


def modes_in(root: Path) -> dict[str, tuple[bool, int]]:
    """For each path inside: whether it is a folder, and who may use it."""
    return {
        str(path.relative_to(root)): (path.is_dir(), stat.S_IMODE(path.stat().st_mode))
        for path in root.rglob("*")
    }


def write(root: Path, name: str, text: str) -> Path:
    path = folder_of(root) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


PROFILE = {"nickname": "Alice", "description": "text", "avatar": "https://host/key.png"}
ORIGINAL: dict[str, tuple[object, str, object]] = {
    "alice": (
        {"stage": "dark", "n": [1, None, 2.5]},
        "dict",
        {"stage": "dark", "n": [1, None, 2.5]},
    ),
    "text": ("äöü 😀", "str", "äöü 😀"),
    "number": (5, "int", 5),
    "fraction": (0.5, "float", 0.5),
    "flag": (True, "bool", True),
    "nothing": (None, "NoneType", None),
    "list": ([1, "x"], "list", [1, "x"]),
    "tuple": ([1, "x"], "tuple", (1, "x")),
    "Upper.Case name": ("kept", "str", "kept"),
    "wand": (
        {"user_id": ALICE, "username": "alice", "user_context": PROFILE},
        "Character",
        Character(user_id=ALICE, username="alice", **PROFILE),
    ),
    "nobody": (
        {"user_id": ALICE, "username": None, "user_context": PROFILE},
        "Character",
        Character(user_id=ALICE, **PROFILE),
    ),
    "key": (
        {
            "feature_id": "key1",
            "feature_name": "magic",
            "button_text": "Do",
            "new_window": True,
            "arguments": [
                {"name": "m", "type": "enum", "optional": False, "values": ["a"], "placeholder": ""}
            ],
        },
        "Feature",
        Feature(
            feature_id="key1",
            feature_name="magic",
            button_text="Do",
            arguments=[FeatureArgument(name="m", type="enum", values=["a"])],
        ),
    ),
}


async def test_the_originals_files_load_and_stay_as_they_are(tmp_path: Path) -> None:
    """Every kind of file of the original loads, and reading it changes no byte."""
    files = {}
    for key, (value, name, _) in ORIGINAL.items():
        path = write(tmp_path, f"{key}.json", json.dumps({key: value, "_type": name}, indent=4))
        files[path] = path.read_bytes()
    async with opened(tmp_path) as stores:
        states = (await stores.storage(BAND, {})).states
        assert dict(states) == {key: expected for key, (_, _, expected) in ORIGINAL.items()}
        assert type(states["tuple"]) is tuple
    assert {path: path.read_bytes() for path in folder_of(tmp_path).iterdir()} == files


ODD_KEYS = (
    *("plain", "Upper", "UPPER", "two words", "a.b", ".dot", "..", "$type", "$set", "%41", "%2e"),
    *("it's", 'a "quote"', "äöü", "e\u0301", "😀", "_key", "_value", "_typ", "-", "x.json", "con"),
    *("5", "True", "None", "a\\b", "a\tb", "k" * 200),
)
NESTED = {
    "who": {"user_id": ALICE, "username": None, "user_context": PROFILE},
    "rows": [[], {}, [{"deep": [None, True, -1.5e300, "\u2028"]}]],
    "": {"_type": "dict", "$tuple": [1]},
}


async def test_a_whole_store_of_the_original_loads_and_only_what_changes_is_written(
    tmp_path: Path,
) -> None:
    """Bands and containers of any name the original could make, keys with odd characters, values
    nested as it wrote them: all there, no byte of them touched but in the record that changes."""
    root = folder_of(tmp_path).parent.parent
    bands = [BAND, ChannelId("Band.One"), ChannelId("two words"), ChannelId("äé")]
    before: dict[Path, bytes] = {}
    for band in bands:
        for name in ("states", "größe"):
            folder = root / f"band_{band}" / name
            folder.mkdir(parents=True)
            for key in ODD_KEYS:
                path = folder / f"{key}.json"
                record = {key: {**NESTED, "of": [band, name, key]}, "_type": "dict"}
                path.write_text(json.dumps(record, indent=4))
                before[path] = path.read_bytes()
    declared = {"größe": container(object, key=str)}
    async with opened(tmp_path) as stores:
        for band in bands:
            storage = await stores.storage(band, declared)
            for name in ("states", "größe"):
                content = {key: {**NESTED, "of": [band, name, key]} for key in ODD_KEYS}
                assert dict(storage.container(name)) == content
    assert {path: path.read_bytes() for path in before} == before
    async with opened(tmp_path) as stores:
        states = (await stores.storage(BAND, declared)).states
        for key in ODD_KEYS[::2]:
            states[key]["rows"] = []
            del before[folder_of(tmp_path) / f"{key}.json"]
        for key in ODD_KEYS[1::4]:
            del states[key]
            del before[folder_of(tmp_path) / f"{key}.json"]
    assert {path: path.read_bytes() for path in before} == before
    left = [key for key in ODD_KEYS if key not in ODD_KEYS[1::4]]
    assert {path.name for path in folder_of(tmp_path).iterdir()} == {f"{key}.json" for key in left}
    async with opened(tmp_path) as stores:
        states = (await stores.storage(BAND, declared)).states
        assert {key: value["rows"] for key, value in states.items()} == {
            key: [] if key in ODD_KEYS[::2] else NESTED["rows"] for key in left
        }


async def test_numbers_as_keys_are_numbers_again_where_they_are_declared(tmp_path: Path) -> None:
    """JSON had only texts for them; the files keep their names and are changed in place."""
    write(tmp_path, "5.json", '{"5": [1], "_type": "list"}')
    write(tmp_path, "-7.json", '{"-7": [2], "_type": "list"}')
    declared = {"states": container(list[int], key=int)}
    async with opened(tmp_path) as stores:
        states = (await stores.storage(BAND, declared)).states
        assert dict(states) == {5: [1], -7: [2]}
        states[5].append(3)
    assert (folder_of(tmp_path) / "5.json").read_text() == '{"5": [1,3], "_type": "list"}'
    async with opened(tmp_path) as stores:
        assert dict((await stores.storage(BAND, declared)).states) == {5: [1, 3], -7: [2]}


async def test_changed_records_keep_the_originals_form_and_file(tmp_path: Path) -> None:
    """A changed value goes into the file that was there, in the form it had."""
    character = {"user_id": ALICE, "username": "alice", "user_context": PROFILE}
    write(tmp_path, "Wand.1.json", json.dumps({"Wand.1": character, "_type": "Character"}))
    write(tmp_path, "alice.json", json.dumps({"alice": {"n": 1}, "_type": "dict"}))
    async with opened(tmp_path) as stores:
        states = (await stores.storage(BAND, {})).states
        states["Wand.1"] = attrs.evolve(states["Wand.1"], username="bob")
        states["alice"]["n"] += 1
        states["new"] = {"ä": [1]}
    assert {path.name: json.loads(path.read_text()) for path in folder_of(tmp_path).iterdir()} == {
        "Wand.1.json": {"Wand.1": {**character, "username": "bob"}, "_type": "Character"},
        "alice.json": {"alice": {"n": 2}, "_type": "dict"},
        "new.json": {"new": {"ä": [1]}, "_type": "dict"},
    }


async def test_plain_objects_become_the_declared_class(tmp_path: Path) -> None:
    """Data of another hand is structured into the declared type; what does not fit is set aside."""
    write(tmp_path, "a.json", '{"a": {"stage": "dark", "mickey_num": 2}, "_type": "dict"}')
    write(tmp_path, "b.json", '{"b": {"mickey_num": null, "gone": 1}, "_type": "JsonState"}')
    write(tmp_path, "c.json", '{"c": {"mickey_num": "two"}, "_type": "dict"}')
    problems: list[StorageError] = []
    async with opened(tmp_path, problems) as stores:
        storage = await stores.storage(BAND, {"states": container(State)})
        assert dict(storage.states) == {"a": State(stage="dark", mickey_num=2), "b": State()}
    [problem] = problems
    assert "states of band" in str(problem)
    assert ".mickey_num is 'two' (str), declared is int" in str(problem)
    assert (folder_of(tmp_path) / "c.json.corrupt-1").exists()


async def test_a_cut_file_is_set_aside_wherever_it_is_cut(tmp_path: Path) -> None:
    """A file cut off at any byte is moved away and reported; all others load (F43)."""
    whole = json.dumps({"cut": {"n": [1, "ä"]}, "_type": "dict"}).encode()
    write(tmp_path, "good.json", '{"good": 1, "_type": "int"}')
    for length in range(len(whole)):
        (folder_of(tmp_path) / "cut.json").write_bytes(whole[:length])
        problems: list[StorageError] = []
        async with opened(tmp_path, problems) as stores:
            assert dict((await stores.storage(BAND, {})).states) == {"good": 1}
        [problem] = problems
        assert "cut.json" in str(problem)
    assert len(list(folder_of(tmp_path).glob("cut.json.corrupt-*"))) == len(whole)


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        '{"_type": "str"}',
        '{"a": 1, "b": 2, "_type": "int"}',
        '{"a": 1, "_type": 5}',
        '{"a": "x", "_type": "os.system"}',
        '{"a": {"command": "x"}, "_type": "os.system"}',
        "[" * 100_000,
        '{"other": 1, "_type": "int"}',
    ],
)
async def test_foreign_files_are_set_aside(tmp_path: Path, content: str) -> None:
    """What is no record, or has the key of another file, is moved away and runs nothing.

    (F43, F63, S9)
    """
    write(tmp_path, "other.json", '{"other": 0, "_type": "int"}')
    write(tmp_path, "zz.json", content)
    write(tmp_path, "notes.txt", "not a record, left alone")
    problems: list[StorageError] = []
    async with opened(tmp_path, problems) as stores:
        assert dict((await stores.storage(BAND, {})).states) == {"other": 0}
    assert len(problems) == 1
    names = {path.name for path in folder_of(tmp_path).iterdir()}
    assert names == {"other.json", "zz.json.corrupt-1", "notes.txt"}


async def test_temporary_files_are_swept_at_the_start(tmp_path: Path) -> None:
    """What a crash left half written is removed before anything is loaded (F39)."""
    left = write(tmp_path, ".new-7", '{"alice": ')
    async with opened(tmp_path) as stores:
        assert not left.exists()
        (await stores.storage(BAND, {})).states["k"] = 1
    assert [path.name for path in folder_of(tmp_path).iterdir()] == ["k.json"]


async def test_everything_is_private_and_inside_the_folder(tmp_path: Path) -> None:
    """No key leaves the container's folder; folders are 0700 and files 0600 (F46, S5, S19)."""
    (tmp_path / "elsewhere").mkdir()
    async with opened(tmp_path) as stores:
        states = (await stores.storage(BAND, {})).states
        for key in HOSTILE_KEYS:
            states[key] = key
        (await stores.storage(ChannelId("../../x"), {})).states["k"] = 1
    assert len(list(folder_of(tmp_path).iterdir())) == len(HOSTILE_KEYS)
    modes = modes_in(tmp_path)
    del modes["elsewhere"]  # was there before
    assert all(name.startswith("json_db") for name in modes)
    assert set(modes.values()) == {(True, 0o700), (False, 0o600)}


def test_file_names_differ_on_every_file_system() -> None:
    """Different keys get names that differ without case, are short, and are no path."""
    names = [safe_name(key.encode("utf-8", "surrogatepass")) for key in HOSTILE_KEYS]
    assert len({name.casefold() for name in names}) == len(HOSTILE_KEYS)
    assert all(name.isascii() and len(name) <= 200 and "/" not in name for name in names)
    assert not any(name.startswith(".") or name.endswith((".", " ")) for name in names)


async def test_links_are_not_followed(tmp_path: Path) -> None:
    """A link in place of a record is set aside, one in place of a folder is refused (S5)."""
    outside = tmp_path / "outside.json"
    outside.write_text('{"link": "secret", "_type": "str"}')
    folder_of(tmp_path).mkdir(parents=True)
    (folder_of(tmp_path) / "link.json").symlink_to(outside)
    problems: list[StorageError] = []
    async with opened(tmp_path, problems) as stores:
        states = (await stores.storage(BAND, {})).states
        assert not states
        states["link"] = "mine"
    assert len(problems) == 1
    assert outside.read_text() == '{"link": "secret", "_type": "str"}'
    folder_of(tmp_path).rename(tmp_path / "moved")
    folder_of(tmp_path).symlink_to(tmp_path / "moved")
    async with opened(tmp_path) as stores:
        with pytest.raises(StorageError, match="is a link"):
            await stores.storage(BAND, {})


async def test_a_folder_of_the_original_is_copied_before_its_first_change(tmp_path: Path) -> None:
    """Files without a format number are kept once as they were; a newer number is refused."""
    path = write(tmp_path, "a.json", '{"a": 1, "_type": "int"}')
    for value in (2, 3):
        async with opened(tmp_path) as stores:
            (await stores.storage(BAND, {})).states["a"] = value
    copy = tmp_path / "json_db" / f"service_{SERVICE}.format-0"
    assert (copy / path.relative_to(copy.with_name(f"service_{SERVICE}"))).read_text() == (
        '{"a": 1, "_type": "int"}'
    )
    (copy.with_name(f"service_{SERVICE}") / ".format").write_text("2")
    with pytest.raises(StorageError, match="has format 2, this version reads up to 1"):
        async with opened(tmp_path):
            pytest.fail("opened")


async def test_a_file_is_synced_before_its_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Content, then name, then folder reach the disk in that order (F40)."""
    async with opened(tmp_path) as stores:
        states = (await stores.storage(BAND, {})).states
        states["a"] = 1
        await stores.flush()
        steps: list[str] = []
        fsync, rename = os.fsync, Path.rename

        def noted_fsync(descriptor: int) -> None:
            kind = stat.S_ISDIR(os.fstat(descriptor).st_mode)
            steps.append("sync folder" if kind else "sync file")
            fsync(descriptor)

        def noted_rename(self: Path, target: Path) -> Path:
            steps.append("rename")
            return rename(self, target)

        monkeypatch.setattr(os, "fsync", noted_fsync)
        monkeypatch.setattr(Path, "rename", noted_rename)
        states.update(a=2, b=3)
        await stores.flush()
    assert steps == ["sync file", "sync file", "rename", "rename", "sync folder"]


async def test_a_failed_sync_breaks_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After EIO nothing is acknowledged until the store is opened again; no old value is lost.

    (F42)
    """
    async with opened(tmp_path, []) as stores:
        states = (await stores.storage(BAND, {})).states
        states["a"] = 1
        await stores.flush()

        def failing(descriptor: int) -> None:
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", failing)
            states["a"] = 2
            with pytest.raises(StorageError, match="the disk failed"):
                await stores.flush()
        with pytest.raises(StorageError, match="until the service is restarted"):
            states["a"] = 3
        assert states["a"] == 1
    async with opened(tmp_path) as stores:
        assert dict((await stores.storage(BAND, {})).states) == {"a": 1}
