"""The runner of the benchmarks does what it says; how fast anything is, is not asked here."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports one of its modules."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


@pytest.fixture
def run(module: Any) -> ModuleType:
    found: ModuleType = module("run")
    return found


@attrs.frozen
class Fake:
    """A workload of two clients that takes no time."""

    name: str
    values: tuple[float, float] = (100.0, 50.0)
    fails: str = ""
    interrupted: bool = False
    family: str = "fake"
    rounds: int = 2
    seconds: float = 0.0

    def places(self) -> Iterable[Any]:
        place = importlib.import_module("workload").Place
        return [place(f"row {self.name}", client, "msg/s") for client in ("ours", "1.8")]

    def pairs(self) -> Iterable[tuple[str, str]]:
        return [("ours", "1.8")]

    async def run_round(self, bench: Any) -> Iterable[Any]:
        if self.fails:
            raise importlib.import_module("children").ChildFailed(self.fails)
        if self.interrupted:
            raise KeyboardInterrupt
        figure = importlib.import_module("workload").Figure
        clients = bench.turn(["ours", "1.8"])
        by_client = dict(zip(("ours", "1.8"), self.values, strict=True))
        return [figure(f"row {self.name}", one, "msg/s", by_client[one]) for one in clients]


def test_every_workload_is_listed_and_has_a_name_of_its_own(
    run: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """What can be asked for by name is named, in order, without measuring anything."""
    assert run.main(["--list"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    catalogue = sys.modules["catalogue"]
    assert names == [one.name for one in catalogue.WORKLOADS]
    assert len(set(names)) == len(names) > 0


def test_the_time_left_is_told_in_whole_minutes_and_seconds(
    run: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two minutes before the end it does not say three."""
    progress = run.Progress(total=3, planned=119.7)
    workload = Fake("echo", seconds=1.0)
    for _ in range(3):
        progress.start(workload, 0)
    told = [line.partition("]")[0] for line in capsys.readouterr().err.splitlines()]
    assert told == [
        "[1 of 3, about 2 min 00 s left",
        "[2 of 3, about 1 min 59 s left",
        "[3 of 3, about 1 min 58 s left",
    ]


def test_every_goal_names_figures_that_a_workload_gives(module: Any) -> None:
    """A goal whose figure nobody measures would never be judged."""
    goals, catalogue = module("goals"), module("catalogue")
    places = {place for one in catalogue.WORKLOADS for place in one.places()}
    asked = goals.read_goals(goals.FILE.read_text("utf-8"))
    named = {place for one in asked for place in (one.ours, one.theirs) if place is not None}
    assert named - places == set()
    assert len({one.name for one in asked}) == len(asked) > 0


def test_no_two_workloads_fill_the_same_place(module: Any) -> None:
    """Each figure is one workload's alone, and what is compared is measured."""
    workloads = module("catalogue").WORKLOADS
    places = [place for one in workloads for place in one.places()]
    assert len(set(places)) == len(places)
    for one in workloads:
        clients = {place.client for place in one.places()}
        assert {client for pair in one.pairs() for client in pair} <= clients


def test_nobody_is_measured_first_in_every_round(module: Any, tmp_path: Path) -> None:
    """The order goes on by one with each round, and leaves nobody out."""
    bench = module("workload").Bench(
        original=None, folder=tmp_path, ca=tmp_path, certificate=tmp_path
    )
    turns = []
    for bench.round in range(4):
        turns.append(bench.turn(["a", "b", "c"]))
    assert turns == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]
    assert bench.turn([]) == []


@pytest.mark.parametrize(
    ("figure", "asked", "values", "said"),
    [
        ("msg/s", "against = '1.8'\nfactor = 2", (100, 50), ("2 x 1.8", "2.00 x", True)),
        ("msg/s", "against = '1.8'\nfactor = 2", (99, 50), ("2 x 1.8", "1.98 x", False)),
        ("p50 us", "against = '1.8'\nfactor = 2", (50, 100), ("2 x 1.8", "2.00 x", True)),
        ("MiB", "against = '1.8'\nfactor = 1", (51, 50), ("no worse than 1.8", "0.98 x", False)),
        ("MiB", "limit = 5", (5, 0), ("at most 5 MiB", "5 MiB", True)),
        ("MiB", "limit = 5\nstrict = true", (5, 0), ("under 5 MiB", "5 MiB", False)),
        ("msg/s", "limit = 5", (4, 0), ("at least 5 msg/s", "4 msg/s", False)),
    ],
)
def test_a_goal_is_a_factor_or_a_limit(
    module: Any, figure: str, asked: str, values: tuple[float, float], said: tuple[str, str, bool]
) -> None:
    """Of what is counted by the second more is better, of all else less."""
    place = module("workload").Place
    (goal,) = module("goals").read_goals(
        f"[[goal]]\nname='n'\nworkload='w'\nclient='ours'\nfigure='{figure}'\n{asked}"
    )
    medians = {place("w", "ours", figure): values[0], place("w", "1.8", figure): values[1]}
    verdict = goal.judge(medians)
    assert (goal.text, verdict.figure, verdict.met) == said
    assert goal.judge({}).met is None


@pytest.mark.parametrize("rest", ["factor = 2", "against = '1.8'", "", "limit = 1\nfactor = 2"])
def test_a_goal_that_can_not_be_judged_is_refused(module: Any, rest: str) -> None:
    """The file says which one it is."""
    text = f"[[goal]]\nname='n'\nworkload='w'\nclient='ours'\nfigure='s'\n{rest}"
    with pytest.raises(ValueError, match="goal 1: it has either"):
        module("goals").read_goals(text)


def test_ratios_come_first_and_a_failure_ends_with_1(
    run: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """One workload that fails does not keep the others from being measured."""
    monkeypatch.setattr(
        sys.modules["catalogue"], "WORKLOADS", (Fake("bad", fails="it has ended"), Fake("good"))
    )
    file = tmp_path / "figures.json"
    assert run.main(["--json", str(file)]) == 1
    printed = capsys.readouterr()
    assert "FAILED: bad: it has ended" in printed.err
    assert "round 2" in printed.err
    assert "round 3" not in printed.err  # it asks for two
    ratios, _, figures = printed.out.partition("The figures")
    assert "ours : 1.8" in ratios
    assert "2.00 x" in ratios
    assert "50" in figures.split()
    assert printed.out.endswith("because it failed: bad\n")
    written = json.loads(file.read_text())
    assert [one["rounds"] for one in written["figures"]] == [[100.0] * 2, [50.0] * 2]
    assert written["failed"] == ["bad"]
    assert run.main(["--only", "go", "--rounds", "3"]) == 0
    assert "round 3" in capsys.readouterr().err


def test_an_interrupted_run_shows_what_it_has(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl+C takes nothing away that was measured before."""
    workloads = (Fake("good"), Fake("long", interrupted=True))
    monkeypatch.setattr(sys.modules["catalogue"], "WORKLOADS", workloads)
    assert run.main([]) == 130
    printed = capsys.readouterr()
    assert "2.00 x" in printed.out
    assert "interrupted after" in printed.err


def test_an_unknown_name_is_refused(run: ModuleType) -> None:
    """Nothing is measured under a name that is no workload's."""
    with pytest.raises(SystemExit, match="--only nothing: no workload"):
        run.main(["--only", "nothing"])


async def test_a_process_that_fails_is_heard(module: Any, tmp_path: Path) -> None:
    """Its last words are in the error, and so is an error it tells of by itself."""
    children = module("children")
    script = tmp_path / "child.py"
    script.write_text(
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    print(json.dumps({'error': 'no'} if 'bad' in line else 1), flush=True)\n"
        "    if 'end' in line: sys.exit('its last words')\n"
    )
    async with children.open_child([sys.executable, str(script)], folder=tmp_path) as child:
        assert await child.ask({"do": "good"}) == 1
        with pytest.raises(children.ChildFailed, match=r"child\.py: no"):
            await child.ask({"do": "bad"})
        assert await child.ask({"do": "end"}) == 1
        with pytest.raises(children.ChildFailed, match=r"(?s)has ended.*its last words"):
            await child.hear()
