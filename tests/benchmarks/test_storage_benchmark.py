"""The storage benchmark measures what it says; how fast anything is, is not asked here."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from moobius_trio.database import ContainerSpec, open_stores
from moobius_trio.testing import run_inline
from moobius_trio.types import ChannelId, ServiceId

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    module = importlib.import_module("storage_ours")
    monkeypatch.setattr(module, "RECORDS", 20)
    return module


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("storage")


@pytest.mark.parametrize("engine", ["sqlite", "json"])
async def test_a_round_overwrites_what_is_there_and_waits_until_it_is_stored(
    ours: ModuleType, tmp_path: Path, autojump_clock: object, engine: str
) -> None:
    """The second round finds the records of the first; after it they hold its last values."""
    spec = ContainerSpec(name="states", implementation=engine)
    workloads = [ours.Workload("few", 3, 2, 2), ours.Workload("idle", 0, 1, 1)]
    rounds = [
        await ours.measure_round(spec, tmp_path, workloads, run_sync=run_inline) for _ in range(2)
    ]
    named = [[(one.workload, one.keys) for one in figures] for figures in rounds]
    assert named == [
        [("load", 0), ("few", 6), ("idle", 0)],
        [("load", 20), ("few", 6), ("idle", 0)],
    ]
    async with open_stores(
        [spec],
        service_id=ServiceId("bench"),
        folder=tmp_path,
        run_sync=run_inline,
        on_problem=ours.give_up,
    ) as stores:
        states = (await stores.storage(ChannelId("band"), {})).container("states")
        points = {key: state["points"] for key, state in states.items()}
    changed = sorted(points, key=lambda key: -points[key])[:6]
    assert sorted(changed) == [f"user-{number:06}" for number in range(6)]


def test_goals_are_judged_by_medians(bench: ModuleType) -> None:
    """One slow round does not decide, and a comparison that was left out is no failure."""
    goals, table = importlib.import_module("goals"), importlib.import_module("table")
    asked = goals.read_goals(goals.FILE.read_text("utf-8"))
    by_name = {one.name: one for one in asked if one.name.startswith("storage")}
    results = table.Results()

    def add(client: str, seconds: float, stall: float) -> None:
        found = bench.storage_workload.Figures("100 keys", 10, seconds, stall, 0.0)
        results.add(bench.figures_of(client, [found]))

    def judged(name: str) -> tuple[str, bool | None]:
        verdict = by_name[name].judge(results.medians())
        return verdict.figure, verdict.met

    for seconds, stall in ((1e-4, 0.004), (9.0, 0.9), (1e-4, 0.004)):
        add("ours sqlite", seconds, stall)
    assert judged("storage, 100 keys") == ("", None)
    assert judged("storage, longest stall, 100 keys") == ("4 stall ms", True)
    add("ours sqlite", 9.0, 0.006)
    add("ours sqlite", 1e-4, 0.006)
    assert judged("storage, longest stall, 100 keys") == ("6 stall ms", False)
    add("1.8", 8e-4, 0.1)
    assert judged("storage, 100 keys") == ("8.00 x", True)
    add("1.8", 2e-4, 0.1)
    assert judged("storage, 100 keys") == ("5.00 x", False)


def test_what_opens_the_records_has_a_row_and_nothing_has_no_keys(bench: ModuleType) -> None:
    """Every figure of a round has its place, and where no key is changed there is none of it."""
    figures = bench.storage_workload.Figures
    found = [figures(one, keys, 1.0, 0.1, 0.1) for one, keys in (("load", 5), ("nothing", 0))]
    places = [one.place for one in bench.figures_of("1.8", found)]
    assert len(places) == 5
    assert set(places) <= set(bench.Storage().places())


@pytest.mark.skipif(not Path("/proc/mounts").exists(), reason="this system has no /proc/mounts")
def test_the_file_system_of_a_folder_is_named(bench: ModuleType) -> None:
    """The innermost mount counts, not one whose name only begins alike."""
    assert bench.file_system(Path("/proc/self"))[1] == "proc"
