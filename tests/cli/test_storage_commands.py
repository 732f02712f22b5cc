"""``moobius-trio storage …``: looking, copying out and in, and moving to another engine."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moobius_trio.cli import main
from moobius_trio.cli.storage import converting
from moobius_trio.database import ContainerSpec, Place, container, json_engine, open_stores
from moobius_trio.errors import StorageError
from moobius_trio.testing.commands import Ended, open_command, run_command
from moobius_trio.testing.inline import run_inline
from moobius_trio.testing.redis_server import open_redis_server
from moobius_trio.testing.storage_data import (
    HOSTILE_KEYS,
    exactly,
    hashable_values,
    storable_values,
)
from moobius_trio.types import ChannelId, Character, ServiceId, UserId

SERVICE = "service-1"
BAND = "band-1"
PASSWORD = "canary-of-the-password"
HEAD = '{"moobius_trio_export":1,"service_id":"service-1"}'

Content = Mapping[tuple[str | None, str], Mapping[Any, Any]]
"""What is stored, by band and container."""


def command(*arguments: str | Path) -> Ended:
    """The command line in this process."""
    output, errors = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with (
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
        pytest.raises(SystemExit) as ended,
    ):
        main(["storage", *map(str, arguments)])
    output.seek(0)
    code = ended.value.code
    assert isinstance(code, int)
    return Ended(code=code, output=output.read(), errors=errors.getvalue(), seconds=0)


def refused(*arguments: str | Path, code: int = 2) -> str:
    """The one line of a command that does nothing."""
    ended = command(*arguments)
    assert (ended.code, ended.output) == (code, ""), ended.errors
    [line] = ended.errors.splitlines()
    return line


def done(*arguments: str | Path) -> str:
    """What a command prints that does what it should."""
    ended = command(*arguments)
    assert ended.code == 0, ended.errors
    return ended.output + ended.errors


def make_project(folder: Path, db_json: object = None, **others: object) -> Path:
    """A project of which only what the storage commands read is filled in."""
    folder.mkdir(exist_ok=True)
    (folder / "service.json").write_text(json.dumps({"service_id": SERVICE, **others}))
    if db_json is not None:
        (folder / "db.json").write_text(json.dumps(db_json))
    return folder


def entries(engine: str, *names: str) -> list[dict[str, object]]:
    return [{"implementation": engine, "name": name} for name in names]


async def _stored(
    folder: Path, engine: str, names: set[tuple[str | None, str]], content: Content | None
) -> Content:
    def raise_it(problem: StorageError) -> None:
        raise problem

    found: dict[tuple[str | None, str], Mapping[Any, Any]] = {}
    specs = [ContainerSpec(name=name, implementation=engine) for name in {one[1] for one in names}]
    async with open_stores(
        specs,
        service_id=ServiceId(SERVICE),
        folder=folder,
        run_sync=run_inline,
        on_problem=raise_it,
    ) as stores:
        declared = {name: container(object, key=object) for _, name in names}
        for band, name in names:
            storage = await stores.storage(None if band is None else ChannelId(band), declared)
            box = storage.container(name)
            if content is not None:
                box.update(content[band, name])
            found[band, name] = dict(box)
    return found


def write(folder: Path, content: Content, engine: str = "sqlite") -> None:
    trio.run(_stored, folder, engine, set(content), content)


def read(folder: Path, content: Content, engine: str = "sqlite") -> Content:
    """What is stored now, in the containers of ``content``."""
    return trio.run(_stored, folder, engine, set(content), None)


def same(first: Content, second: Content, *, order: bool) -> bool:
    """Whether keys and values are equal down to their types."""

    def form(content: Content) -> object:
        return {
            place: (list if order else sorted)(
                repr((exactly(key), exactly(value))) for key, value in records.items()
            )
            for place, records in content.items()
        }

    return form(first) == form(second)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


RECORDS: Content = {
    (None, "counts"): {"starts": 3},
    (BAND, "states"): {
        "alice": {"hats": ["top"], "at": (1, 2)},
        7: {1, 2},
        "7": b"\x00",
        "\x1b[2Jesc": "\x1b]0;x\x07 \u202e \x9b31m",
        "ch": Character(user_id=UserId("u"), nickname="N"),
        "half \ude00": "\ud800",
    },
}

# Looking ------------------------------------------------------------------------------------------


def test_show_lists_containers(tmp_path: Path) -> None:
    """Band, container, engine, records and bytes, and where the store lies; nothing is changed."""
    write(make_project(tmp_path), RECORDS)
    before = files(tmp_path)
    shown = done("show", tmp_path)
    assert str(tmp_path / "service_service-1.sqlite3") in shown
    assert "survives a loss of power; no service has it open" in shown
    rows = [line.split() for line in shown.splitlines()]
    assert ["-", "counts", "sqlite", "1", "7"] in rows
    assert [BAND, "states", "sqlite", "6"] in [row[:4] for row in rows]
    assert files(tmp_path) == before


def test_show_lists_the_records_of_a_container(tmp_path: Path) -> None:
    """One line each, with its type; what would steer a terminal is escaped."""
    write(make_project(tmp_path), RECORDS)
    shown = done("show", tmp_path, "--band", BAND, "--container", "states")
    assert shown.isprintable() or all(line.isprintable() for line in shown.split("\n"))
    assert "alice" in shown
    assert "{'hats': ['top'], 'at': (1, 2)}" in shown
    assert "{1, 2}" in shown
    assert "'7'" in shown
    assert "Character(user_id='u'" in shown
    assert "starts  3" in done("show", tmp_path, "--band", "-", "--container", "counts")
    assert max(map(len, shown.split("\n"))) <= 80


def test_show_prints_a_value_in_full(tmp_path: Path) -> None:
    """In lines that fit; a key that is no text is named as it is shown."""
    long = {f"k{n}": ["x" * 20, n] for n in range(10)}
    write(make_project(tmp_path), {(BAND, "box"): {"long": long, (1, "a"): "tuple"}})
    shown = done("show", tmp_path, "--container", "box", "--key", "long")
    assert all(f"'k{n}': ['{'x' * 20}', {n}]," in shown for n in range(10))
    assert "…" not in shown
    assert "'tuple'" in done("show", tmp_path, "--container", "box", "--key", "(1, 'a')")


def test_show_speaks_json(tmp_path: Path) -> None:
    """One line for programs; values are in the form of an export."""
    write(make_project(tmp_path), RECORDS)
    found = json.loads(done("show", tmp_path, "--json"))
    assert found["service_id"] == SERVICE
    [store] = found["stores"]
    assert (store["engine"], store["open"], store["pid"]) == ("sqlite", False, None)
    assert {(one["band"], one["container"], one["records"]) for one in found["containers"]} == {
        (None, "counts", 1),
        (BAND, "states", 6),
    }
    [states] = json.loads(done("show", tmp_path, "--container", "states", "--json"))["containers"]
    assert {"key": 7, "value": {"$set": [1, 2]}} in states["content"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--band", "nix"], ["band 'nix'", BAND]),
        (["--container", "nix"], ["container 'nix'", "states"]),
        (["--container", "states", "--key", "nix"], ["nothing of that name"]),
        (["--key", "x"], ["--container NAME"]),
        (["--service", "nix"], ["no service 'nix'", SERVICE]),
    ],
)
def test_what_is_not_there_is_one_line(
    options: list[str], words: list[str], tmp_path: Path
) -> None:
    """It says what there is instead."""
    write(make_project(tmp_path), RECORDS)
    line = refused("show", tmp_path, *options)
    assert all(word in line for word in words)


def test_a_record_that_cannot_be_read_is_shown_as_such(tmp_path: Path) -> None:
    """The rest is shown; a torn file stays where it is."""
    write(make_project(tmp_path, entries("json", "box")), {(BAND, "box"): {"k": 1}}, "json")
    torn = tmp_path / "service_service-1/band_band-1/box/torn.json"
    torn.write_text('{"torn": [1')
    ended = command("show", tmp_path, "--container", "box")
    assert ended.code == 0
    assert "  k  1\n" in ended.output
    assert f"{torn}: cannot be read" in ended.errors
    assert torn.exists()


# Which stores -------------------------------------------------------------------------------------


def test_where_nothing_is_stored_one_line_says_so(tmp_path: Path) -> None:
    """And nothing is made: no folder, no file."""
    assert "no service has stored anything" in refused("show", tmp_path)
    assert "no such project" in refused("show", tmp_path / "nowhere")
    make_project(tmp_path)
    before = files(tmp_path)
    assert "has stored nothing that can be read" in refused("show", tmp_path, code=78)
    assert files(tmp_path) == before


def test_the_project_is_named_by_folder_file_or_service_json(tmp_path: Path) -> None:
    """As for `run`, and by service.json itself; the author's code is not imported."""
    write(make_project(tmp_path), RECORDS)
    (tmp_path / "service.py").write_text("raise SystemExit('imported')")
    for path in ("", "service.py", "service.py:Game", "service.json"):
        assert "states" in done("show", tmp_path / path)


def test_a_store_is_found_without_a_project(tmp_path: Path) -> None:
    """``--folder`` names where the files lie; several services there are listed."""
    write(tmp_path, RECORDS)
    assert "states" in done("show", "--folder", tmp_path)
    assert "states" in done("show", "--folder", tmp_path, "--engine", "sqlite")
    (tmp_path / "service_other.sqlite3").write_bytes(b"")
    line = refused("show", "--folder", tmp_path)
    assert "several services: other, service-1" in line
    assert "states" in done("show", "--folder", tmp_path, "--service", SERVICE)


def test_services_that_dev_keeps_are_found(tmp_path: Path) -> None:
    """Beside the project or in ``--state``; that of service.json comes first, others by name."""
    for state in (tmp_path / ".moobius-trio", tmp_path / "state"):
        write(state / "stores", RECORDS)
        (state / "game.json").write_text(json.dumps({"service_id": SERVICE}))
    assert "Service   game (service-1)" in done("show", tmp_path)
    assert "Service   game (service-1)" in done("show", tmp_path, "--state", tmp_path / "state")
    (tmp_path / ".moobius-trio" / "other.json").write_text(json.dumps({"service_id": "s2"}))
    assert "several services: game (service-1), other (s2)" in refused("show", tmp_path)
    assert "states" in done("show", tmp_path, "--service", "game")
    make_project(tmp_path, service_id="live")
    assert "service live in" in refused("show", tmp_path, code=78)


def test_the_memory_engine_keeps_nothing(tmp_path: Path) -> None:
    """Each command says so in one line."""
    make_project(tmp_path, entries("memory", "states"))
    export = tmp_path / "export"
    export.write_text(f'{HEAD}\n{{"band":"b","container":"states","key":"k","value":1}}\n')
    for arguments in (
        ("import", export, tmp_path),
        ("convert", tmp_path, "--to", "memory"),
        ("convert", tmp_path, "--to", "json", "--container", "states"),
        ("show", tmp_path, "--engine", "memory"),
    ):
        assert "nothing is kept there" in refused(*arguments)


# Beside a running service -------------------------------------------------------------------------

COUNTER = """
from moobius_trio import MoobiusService, container


class Counter(MoobiusService):
    counts = container(int)

    async def on_start(self):
        self.counts["starts"] = self.counts.get("starts", 0) + 1
        await self.storage.flush()
"""


def test_beside_a_running_service(tmp_path: Path) -> None:
    """Looking and copying out work and leave no trace; whatever changes is refused with its pid."""
    make_project(tmp_path)
    (tmp_path / "counter.py").write_text(COUNTER)
    (tmp_path / "export").write_text(
        f'{HEAD}\n{{"band":null,"container":"counts","key":"starts","value":9}}\n'
    )
    options = ("--port", "0", "--no-browser", "--ready-json")
    here = (tmp_path, "--service", "counter")
    with open_command("dev", "counter.py", *options, cwd=tmp_path) as dev:
        dev.ready()
        stores = tmp_path / ".moobius-trio" / "stores"
        before = files(stores)
        assert len(before) == 4  # the file, its journal with its index, and the lock
        shown = done("show", *here)
        (pid,) = re.findall(r"a service has it open \(pid (\d+)\)", shown)
        assert os.getpgid(int(pid)) == dev.pid  # the service has a process of its own
        # In a process of its own: what is shared in memory would show who reads it.
        listed = run_command(
            "storage", "show", "--service", "counter", "--container", "counts", cwd=tmp_path
        )
        assert listed.output == "counts of the service itself (sqlite), 1 record\n  starts  1\n"
        exported = run_command("storage", "export", "-", ".", "--service", "counter", cwd=tmp_path)
        assert exported.output.splitlines()[1:] == [
            '{"band":null,"container":"counts","key":"starts","value":1}'
        ]
        assert files(stores) == before
        for arguments in (
            ("import", tmp_path / "export", *here, "--replace"),
            ("convert", *here, "--to", "json"),
        ):
            line = refused(*arguments, code=78)
            assert line.startswith("StoreLocked: ")
            assert f"(pid {pid})" in line
        assert files(stores) == before
        assert not (tmp_path / "db.json").exists()
        assert dev.stop().code == 0
    assert "no service has it open" in done("show", *here)
    assert "1 record into 1 container" in done("import", tmp_path / "export", *here, "--replace")
    with open_command("dev", "counter.py", *options, cwd=tmp_path) as dev:
        dev.ready()
        assert dev.stop().code == 0
    assert "starts  10" in done("show", *here, "--container", "counts")


# Copying out and in -------------------------------------------------------------------------------


def test_an_export_is_lines_of_json(tmp_path: Path) -> None:
    """A head, then a record a line; private, whole, valid UTF-8, and harmless on a terminal."""
    write(make_project(tmp_path), RECORDS)
    path = tmp_path / "out.jsonl"
    assert "7 records of 2 containers" in done("export", path, tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    head, *lines = path.read_text("utf-8").splitlines()
    assert head == HEAD
    assert len(lines) == 7
    assert json.loads(lines[0]) == {
        "band": None,
        "container": "counts",
        "key": "starts",
        "value": 3,
    }
    steering = b"\x1b\x07\x7f", "\x9b".encode(), "\u202e".encode()
    assert not any(mark in path.read_bytes() for mark in steering)
    exported = run_command("storage", "export", cwd=tmp_path)
    assert (exported.code, exported.errors) == (0, "")
    assert exported.output.startswith(HEAD + "\n")


def test_an_export_never_takes_the_place_of_a_file(tmp_path: Path) -> None:
    """Not without ``--replace``, and never that of a folder; no temporary file is left."""
    write(make_project(tmp_path), RECORDS)
    path = tmp_path / "out.jsonl"
    path.write_text("mine")
    assert "is there already" in refused("export", path, tmp_path)
    assert path.read_text() == "mine"
    done("export", path, tmp_path, "--replace")
    assert path.read_bytes().startswith(HEAD.encode())
    assert "is there already" in refused("export", tmp_path, tmp_path, "--replace")
    assert "cannot be written" in refused("export", tmp_path / "no" / "folder", tmp_path)
    assert "no option" in refused("export", "--bogus", tmp_path)
    assert list(tmp_path.glob("*.tmp")) == list(tmp_path.glob(".*.tmp")) == []


def test_what_cannot_be_read_is_not_left_out_silently(tmp_path: Path) -> None:
    """All else is exported, and the command fails."""
    write(make_project(tmp_path, entries("json", "box")), {(BAND, "box"): {"k": 1}}, "json")
    folder = tmp_path / "service_service-1/band_band-1/box"
    (folder / "torn.json").write_text('{"torn": [1')
    (folder / "odd.json").write_text('{"odd": {"$datetime": "never"}, "_type": "datetime"}')
    ended = command("export", tmp_path / "out", tmp_path)
    assert ended.code == 78
    assert "2 records cannot be read and are not in the export" in ended.errors
    assert len((tmp_path / "out").read_text().splitlines()) == 2


_contents = st.dictionaries(
    st.tuples(st.sampled_from([BAND, "../x", None]), st.sampled_from(["box", "other"])),
    st.dictionaries(hashable_values, storable_values, min_size=1, max_size=4),
    max_size=3,
).filter(bool)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_contents)
def test_everything_comes_back_as_it_was(content: Content) -> None:
    """Out and in again, and from sqlite to json and back, keys and values keep their types."""
    with tempfile.TemporaryDirectory() as name:
        one, two = make_project(Path(name) / "one"), make_project(Path(name) / "two")
        write(one, content)
        done("export", one / "out", one)
        done("import", one / "out", two)
        assert same(read(two, content), content, order=True)
        done("convert", two, "--to", "json")
        assert same(read(two, content, "json"), content, order=False)
        (two / "service_service-1.sqlite3").unlink()
        done("convert", two, "--to", "sqlite")
        assert same(read(two, content), content, order=False)


def test_hostile_keys_come_back(tmp_path: Path) -> None:
    """Each is a record of its own, on every way."""
    halves = "\ud83d\ude00"  # of one character, as two; not the character
    content = {(BAND, "box"): {key: {"own": key} for key in (*HOSTILE_KEYS, halves, "😀 2")}}
    one, two = make_project(tmp_path / "one"), make_project(tmp_path / "two")
    write(one, content)
    done("export", one / "out", one)
    (two / "db.json").write_text(json.dumps(entries("json", "box")))
    done("import", one / "out", two)
    assert same(read(two, content, "json"), content, order=False)


def line(key: object, value: object, name: str = "box") -> str:
    return json.dumps({"band": BAND, "container": name, "key": key, "value": value})


def write_export(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([HEAD, *lines]) + "\n")
    return path


def test_records_that_are_there_are_not_touched_unasked(tmp_path: Path) -> None:
    """Refused; merged, with the others kept; or replaced, with the others gone."""
    place = (BAND, "box")
    write(make_project(tmp_path), {place: {"a": 1, "b": 2}, (BAND, "other"): {"x": 1}})
    export = write_export(tmp_path / "in", line("c", 3), line("a", 10))
    refusal = refused("import", export, tmp_path, code=78)
    assert "box of band band-1: holds 2 records already" in refusal
    assert "--merge" in refusal
    assert read(tmp_path, {place: {}}) == {place: {"a": 1, "b": 2}}
    done("import", export, tmp_path, "--merge")
    assert list(read(tmp_path, {place: {}})[place].items()) == [("a", 10), ("b", 2), ("c", 3)]
    done("import", export, tmp_path, "--replace")
    assert list(read(tmp_path, {place: {}})[place].items()) == [("c", 3), ("a", 10)]
    assert read(tmp_path, {(BAND, "other"): {}}) == {(BAND, "other"): {"x": 1}}
    assert "exclude one another" in refused("import", export, tmp_path, "--merge", "--replace")


def test_an_import_goes_where_db_json_says(tmp_path: Path) -> None:
    """Each container to its engine, those that it does not name to sqlite."""
    make_project(tmp_path, entries("json", "box"))
    done("import", write_export(tmp_path / "in", line("a", 1), line("a", 2, "other")), tmp_path)
    assert (tmp_path / "service_service-1/band_band-1/box/a.json").is_file()
    assert read(tmp_path, {(BAND, "other"): {}}) == {(BAND, "other"): {"a": 2}}


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "must be an object"),
        ('{"band": "b", "container": "box", "key": "k"}', "must be an object with the keys"),
        ('{"band": "", "container": "box", "key": "k", "value": 1}', "band must be"),
        ('{"band": "b", "container": 5, "key": "k", "value": 1}', "container must be"),
        (line("k", {"$datetime": "never"}), "its value is none"),
        (line("k", {"$type": "State", "version": "x", "fields": {}}), "its value is none"),
        (line("k", {"$type": "S", "fields": {"at": {"$bytes": "?"}}}), "its value is none"),
        (line([1], 1), "its key is none"),
        (line({"$float": "nan"}, 1), "its key is none"),
        (line("first", 1), "has a key that stands in the file already"),
        (line("k", 1).replace("1}", "1e999}"), "its value is none"),
        (line("k", 1).replace("1}", "[" * 2_000 + "]" * 2_000 + "}"), "is not JSON"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_written(bad: str, words: str, tmp_path: Path) -> None:
    """Also when all lines before it are right."""
    make_project(tmp_path)
    export = write_export(tmp_path / "in", line("first", 1), line("second", 2), bad)
    before = files(tmp_path)
    problem = refused("import", export, tmp_path)
    assert f"{export}, line 4: {words}" in problem
    assert problem.endswith("Nothing was imported.")
    assert files(tmp_path) == before


def test_what_is_no_export_is_not_imported(tmp_path: Path) -> None:
    """Another file, an empty one, a newer format, and none at all."""
    make_project(tmp_path)
    path = tmp_path / "in"
    for text, words in (
        ("", "the file is empty"),
        ("{}\n", "this is no export"),
        ('{"moobius_trio_export": 2}\n', "has format 2"),
        ("\x00\x01", "is not JSON"),
    ):
        path.write_text(text)
        assert f"line 1: {words}" in refused("import", path, tmp_path).replace(
            "this is no export: the", "the"
        )
    assert "No such file" in refused("import", tmp_path / "nothing", tmp_path)
    assert "must be a file" in refused("import", "/dev/null", tmp_path)


def test_a_line_longer_than_any_record_is_not_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused by its length."""
    monkeypatch.setattr("moobius_trio.cli.storage.sources.MAX_LINE_BYTES", 100)
    export = write_export(tmp_path / "in", line("k", "x" * 100))
    make_project(tmp_path)
    assert "line 2: is longer than any record" in refused("import", export, tmp_path)


def test_classes_of_the_author_travel_without_their_code(tmp_path: Path) -> None:
    """Their records are moved as they are, nested ones too."""
    make_project(tmp_path)
    inner = {"$type": "Inner", "version": 3, "fields": {"s": {"$set": [1]}}}
    value = {"$type": "Outer", "version": 1, "fields": {"one": inner, "many": [inner, inner]}}
    export = write_export(tmp_path / "in", line("k", value), line({"$tuple": [inner]}, 1))
    done("import", export, tmp_path)
    done("convert", tmp_path, "--to", "json")
    done("export", tmp_path / "out", tmp_path)
    found = [json.loads(text) for text in (tmp_path / "out").read_text().splitlines()[1:]]
    assert {json.dumps(one["value"]) for one in found} == {json.dumps(value), "1"}
    assert "Outer(one=Inner version 3(s={1})" in done("show", tmp_path, "--container", "box")


# Moving -------------------------------------------------------------------------------------------


def test_convert_moves_and_names_the_new_engine(tmp_path: Path) -> None:
    """Other entries and their order stay, new ones are added; the old store stays as it was."""
    db_json = [
        {"name": "cache", "implementation": "memory"},
        {"load": False, "implementation": "sqlite", "name": "states", "clear": False},
        {"implementation": "redis", "name": "far", "settings": {"password": PASSWORD}},
    ]
    write(make_project(tmp_path), RECORDS)
    (tmp_path / "db.json").write_text(json.dumps(db_json))
    (tmp_path / "db.json").chmod(0o640)
    old = (tmp_path / "service_service-1.sqlite3").read_bytes()
    said = done(
        "convert",
        tmp_path,
        "--to",
        "json",
        "--settings",
        '{"root_dir": "data"}',
        "--container",
        "states",
        "--container",
        "counts",
    )
    assert "states: 6 records copied and compared." in said
    assert "counts: 1 record copied and compared." in said
    assert "no container uses it any more" in said
    assert PASSWORD not in said
    assert json.loads((tmp_path / "db.json").read_text()) == [
        db_json[0],
        {**db_json[1], "implementation": "json", "settings": {"root_dir": "data"}},
        db_json[2],
        {"implementation": "json", "name": "counts", "settings": {"root_dir": "data"}},
    ]
    assert stat.S_IMODE((tmp_path / "db.json").stat().st_mode) == 0o640
    assert (tmp_path / "service_service-1.sqlite3").read_bytes() == old
    assert same(read(tmp_path / "data", RECORDS, "json"), RECORDS, order=False)


def test_convert_of_some_containers_says_that_the_old_store_is_needed(tmp_path: Path) -> None:
    """What stays in it is neither moved nor called useless; what was moved is marked in `show`."""
    write(make_project(tmp_path), RECORDS)
    said = done("convert", tmp_path, "--to", "json", "--container", "states")
    assert "other containers use it; keep it" in said
    rows = [row.split() for row in done("show", tmp_path).splitlines()]
    assert [BAND, "states", "json", "6"] in [row[:4] for row in rows]
    assert any(row[:3] == [BAND, "states", "sqlite"] and "not" in row for row in rows)
    done("export", tmp_path / "out", tmp_path)
    assert len((tmp_path / "out").read_bytes().splitlines()) == 8  # each record once


def test_convert_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    """One line each, and db.json is not made."""
    write(make_project(tmp_path), {(BAND, "my box"): {"k": 1}, (None, "members"): {"k": 1}})
    for options, words, code in (
        (["--to", "jsn"], "Did you mean 'json'?", 78),
        (["--to", "sqlite"], "nothing is stored outside sqlite", 2),
        (["--to", "json", "--settings", "[]"], "must be a JSON object", 78),
        (["--to", "json", "--settings", f'{{"{PASSWORD}'], "must be a JSON object", 78),
        (["--to", "json", "--container", "nix"], "'nix'", 2),
        (["--to", "json", "--container", "my box"], "as an attribute", 78),
        (["--to", "json", "--container", "members"], "another name", 78),
    ):
        problem = refused("convert", tmp_path, *options, code=code)
        assert words in problem
        assert PASSWORD not in problem
    assert not (tmp_path / "db.json").exists()
    assert "no service.json" in refused("convert", make_folder(tmp_path), "--to", "json")


def make_folder(tmp_path: Path) -> Path:
    state = tmp_path / "plain" / ".moobius-trio"
    write(state / "stores", RECORDS)
    (state / "game.json").write_text(json.dumps({"service_id": SERVICE}))
    return state.parent


def test_other_records_in_the_new_store_are_kept(tmp_path: Path) -> None:
    """Unless ``--replace`` is given; then the new store has the old one's records only."""
    place = (BAND, "states")
    write(make_project(tmp_path), RECORDS)
    write(tmp_path, {place: {"mine": 1}}, "json")
    problem = refused("convert", tmp_path, "--to", "json", code=78)
    assert "states of band band-1: holds 1 record that the old store has not" in problem
    assert read(tmp_path, {place: {}}, "json") == {place: {"mine": 1}}
    assert not (tmp_path / "db.json").exists()
    done("convert", tmp_path, "--to", "json", "--replace")
    assert same(read(tmp_path, RECORDS, "json"), RECORDS, order=False)


def test_an_interrupted_convert_has_changed_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl+C midway: 130, db.json and the old store as before; started again it goes through."""
    write(make_project(tmp_path), RECORDS)
    before = files(tmp_path)
    load = converting._load

    async def interrupted(engine: Any, place: Place) -> dict[bytes, bytes]:
        if place.band is not None and "sqlite" not in engine.where and len(calls) == 0:
            calls.append(place)
            raise KeyboardInterrupt
        return await load(engine, place)

    calls: list[Place] = []
    monkeypatch.setattr(converting, "_load", interrupted)
    ended = command("convert", tmp_path, "--to", "json")
    assert (ended.code, ended.output, ended.errors) == (130, "", "")
    assert calls
    new = tmp_path / "service_service-1"
    assert list(new.glob("*/*/*.json"))  # it was midway
    assert {name: files(tmp_path)[name] for name in before} == before
    assert not (tmp_path / "db.json").exists()
    done("convert", tmp_path, "--to", "json")
    assert same(read(tmp_path, RECORDS, "json"), RECORDS, order=False)


def test_a_store_that_changes_what_it_is_given_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has arrived is compared; db.json is left alone."""
    real = json_engine.write_record

    def forgetful(key: bytes, value: bytes, *, named: bool) -> bytes:
        return real(key, b"0" if key == b"alice" else value, named=named)

    write(make_project(tmp_path), RECORDS)
    monkeypatch.setattr(json_engine, "write_record", forgetful)
    problem = refused("convert", tmp_path, "--to", "json", code=78)
    assert "does not hold what was copied there; db.json was not changed" in problem
    assert not (tmp_path / "db.json").exists()


def test_another_service_of_the_project_is_moved_by_name(tmp_path: Path) -> None:
    """db.json is for both, so the first move says what is still to be moved."""
    write(make_project(tmp_path), RECORDS)
    state = tmp_path / ".moobius-trio"
    write(state / "stores", RECORDS)
    (state / "stores" / "service_service-1.sqlite3").rename(
        state / "stores" / "service_local-2.sqlite3"
    )
    (state / "game.json").write_text(json.dumps({"service_id": "local-2"}))
    assert "--service game --from ENGINE" in done("convert", tmp_path, "--to", "json")
    assert "not used" in done("show", tmp_path, "--service", "game")
    options = ("--service", "game", "--to", "json")
    assert "--from ENGINE" in refused("convert", tmp_path, *options)
    done("convert", tmp_path, *options, "--from", "sqlite")
    rows = [row.split()[:4] for row in done("show", tmp_path, "--service", "game").splitlines()]
    assert [BAND, "states", "json", "6"] in rows


def test_to_redis_and_back(tmp_path: Path) -> None:
    """Through a server with a password, which is never shown; looking takes no lease."""
    write(make_project(tmp_path), RECORDS)
    with open_redis_server(password=PASSWORD) as server:
        settings = json.dumps(dict(server.settings))
        said = done("convert", tmp_path, "--to", "redis", "--settings", settings)
        assert "states: 6 records copied and compared." in said
        assert (tmp_path / "db.json").stat().st_mode & 0o077 == 0
        shown = done("show", tmp_path)
        rows = [row.split()[:4] for row in shown.splitlines()]
        assert [BAND, "states", "redis", "6"] in rows
        assert "no service has it open" in shown
        said += done("export", tmp_path / "out", tmp_path)
        said += refused("import", tmp_path / "out", tmp_path, code=78)
        said += done("import", tmp_path / "out", tmp_path, "--replace")
        said += done("convert", tmp_path, "--to", "json")
        assert same(read(tmp_path, RECORDS, "json"), RECORDS, order=False)
    (tmp_path / "db.json").write_text(
        json.dumps([{"name": "far", "implementation": "redis", "settings": json.loads(settings)}])
    )
    (tmp_path / "db.json").chmod(0o600)
    # In processes of their own, since anyio leaves streams unclosed when a connection is refused.
    ended = run_command("storage", "show", cwd=tmp_path)
    assert ended.code == 0  # one that cannot be reached does not hide the others
    assert "cannot be reached" in ended.errors
    assert "states" in ended.output
    failed = run_command("storage", "export", "all", cwd=tmp_path)
    assert failed.code == 78
    assert "cannot be reached" in failed.errors
    assert not (tmp_path / "all").exists()
    assert PASSWORD not in said + shown + ended.output + ended.errors + failed.errors
