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
    results = bench.Results()
    goal = bench.Goal("sqlite", "few", times_less=8)
    for seconds, stall in ((1e-4, 0.004), (9.0, 0.9), (1e-4, 0.004)):
        results.add("sqlite", [bench.Figures("few", 10, seconds, stall, 0.0)])
    assert goal.judge(results).endswith("not compared")
    assert bench.Goal("sqlite", "few", stall_ms=5).judge(results).endswith("4.0 ms: met")
    assert bench.Goal("sqlite", "few", stall_ms=4).judge(results).endswith("4.0 ms: NOT MET")
    results.add("original", [bench.Figures("few", 10, 8e-4, 0.1, 0.0)])
    assert goal.judge(results).endswith("8.0 times: met")
    results.add("original", [bench.Figures("few", 10, 2e-4, 0.1, 0.0)])
    assert goal.judge(results).endswith("5.0 times: NOT MET")
    assert "10.0 (10.0-900000.0)" in results.table()


@pytest.mark.skipif(not Path("/proc/mounts").exists(), reason="this system has no /proc/mounts")
def test_the_file_system_of_a_folder_is_named(bench: ModuleType) -> None:
    """The innermost mount counts, not one whose name only begins alike."""
    assert bench.file_system(Path("/proc/self"))[1] == "proc"
