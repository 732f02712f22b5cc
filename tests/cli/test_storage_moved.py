"""``storage import`` of a folder in which SDK 1.8 has kept its records."""

from __future__ import annotations

import json
import os
from pathlib import Path

import attrs
import pytest
import trio

from moobius_trio.cli import main
from moobius_trio.database import ContainerSpec, container, open_stores, stored
from moobius_trio.errors import StorageError
from moobius_trio.testing.inline import run_inline
from moobius_trio.types import ChannelId, ServiceId

SERVICE = "service-1"


@stored(name="MovedState")
@attrs.define
class State:
    """A dataclass of the service before."""

    stage: str
    seen: list[str]


RECORDS: dict[str, object] = {
    "channel_c-1/states/alice.json": {
        "_moobius_type": "service.MovedState",
        "_moobius_val": {"stage": "dark", "seen": ["a"]},
    },
    "channel_c-1/states/a/slash.json": 5,
    "channel_c-1/pages/Ünder score.json": {"$set": [1], "b": None},
    "channel_c-2/states/bob.json": "light",
}
EXPECTED: dict[tuple[str, str], dict[str, object]] = {
    ("c-1", "states"): {"alice": State("dark", ["a"]), "a/slash": 5},
    ("c-1", "pages"): {"Ünder score": {"$set": [1], "b": None}},
    ("c-2", "states"): {"bob": "light"},
}


def old_records(root: Path, service: str = SERVICE) -> Path:
    for name, value in RECORDS.items():
        path = root / f"service_{service}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
    return root


def make_project(folder: Path, engine: str, **settings: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "service.json").write_text(json.dumps({"service_id": SERVICE}))
    entries = [
        {"implementation": engine, "name": name, "settings": settings}
        for name in ("states", "pages")
    ]
    (folder / "db.json").write_text(json.dumps(entries))
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str]:
    with pytest.raises(SystemExit) as ended:
        main(["storage", "import", *map(str, arguments)])
    output, errors = capsys.readouterr()
    assert not output
    return ended.value.code, errors


def stored_now(project: Path, engine: str, root: str = ".") -> object:
    """What the service finds in its containers."""

    def raise_it(problem: StorageError) -> None:
        raise problem

    async def read() -> object:
        specs = [
            ContainerSpec(name=name, implementation=engine, settings={"root_dir": root})
            for name in ("states", "pages")
        ]
        found: dict[tuple[str, str], dict[str, object]] = {}
        async with open_stores(
            specs,
            service_id=ServiceId(SERVICE),
            folder=project,
            run_sync=run_inline,
            on_problem=raise_it,
        ) as stores:
            declared = {name: container(object, key=str) for name in ("states", "pages")}
            for band, name in EXPECTED:
                storage = await stores.storage(ChannelId(band), declared)
                found[band, name] = dict(storage.container(name))
        return found

    return trio.run(read)


@pytest.mark.parametrize("engine", ["sqlite", "json"])
@pytest.mark.parametrize("given", ["root", "service", "of another service", "among others"])
def test_records_of_1_8_come_into_the_stores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: str, given: str
) -> None:
    """From root_dir or the folder of a service, into whatever engine db.json names."""
    project = make_project(tmp_path / "new", engine)
    service = "service-0" if given == "of another service" else SERVICE
    place = old_records(tmp_path / "old", service)
    if given == "among others":
        old_records(place, "service-0")
        (place / "service_service-0" / "channel_c-1" / "states" / "alice.json").write_text("0")
    if given == "service":
        place /= f"service_{SERVICE}"
    code, said = run(capsys, place, project)
    assert (code, said.splitlines()[0]) == (0, "4 records into 3 containers of service service-1.")
    assert "Put @stored above the class MovedState of the values." in said
    assert stored_now(project, engine) == EXPECTED


def test_old_and_new_records_may_lie_side_by_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the same root_dir: the json engine passes over what 1.8 has made, and leaves it."""
    project = make_project(tmp_path / "new", "json", root_dir="data")
    old_records(project / "data")
    assert run(capsys, project / "data", project)[0] == 0
    assert stored_now(project, "json", "data") == EXPECTED
    names = {path.name for path in (project / "data").iterdir()}
    assert names == {"service_service-1"}
    assert run(capsys, project / "data", project)[0] == 78  # holds records already
    assert run(capsys, project / "data", project, "--replace")[0] == 0
    assert (project / "data" / "service_service-1/channel_c-2/states/bob.json").is_file()


def test_what_is_wrong_is_one_line_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record that was cut off, a link, folders without records or with those of several."""
    project = make_project(tmp_path / "new", "sqlite")
    old = old_records(tmp_path / "old")

    def refused(said: str, place: Path = old) -> None:
        code, errors = run(capsys, place, project)
        assert (code, errors.count("\n")) == (2, 1)
        assert said in errors
        assert sorted(path.name for path in project.iterdir()) == ["db.json", "service.json"]

    last = old / f"service_{SERVICE}" / "channel_c-2" / "states" / "bob.json"
    last.write_text('{"cut')
    refused(f"{last}: it is not JSON")
    last.unlink()
    last.symlink_to(project / "db.json")
    refused(f"{last}: cannot be read")
    last.unlink()
    os.mkfifo(last)
    refused(f"{last}: is no file")
    refused("no records of SDK 1.8", project)
    old_records(tmp_path / "many", "service-8")
    old_records(tmp_path / "many", "service-9")
    refused("of several services: service_service-8, service_service-9", tmp_path / "many")
