"""What the benchmarks beside the echo measure is what they say; how much it is, is not asked."""

from __future__ import annotations

import importlib
import json
import os
import sys
import types
import uuid
from pathlib import Path
from typing import Any

import pytest
import trio

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports one of their modules."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


@pytest.mark.parametrize("generation", [0, 1])
@pytest.mark.parametrize("size", [400, 8192])
def test_the_codec_is_measured_with_a_frame_of_the_size_that_is_named(
    module: Any, generation: int, size: int
) -> None:
    """The frame is read as a message to the Service, and each part of the way takes some time."""
    frame = module("codec").frame(generation, size)
    assert len(frame) == size
    ours = module("codec_ours")
    side = ours.side_of(generation)
    message = side.decode(frame)
    assert message.to_service
    assert set(message.text) == {"x"}
    found = ours.measure(side, frame, 10)
    assert list(found) == list(module("codec").PARTS)
    assert all(seconds > 0 for seconds in found.values())


def test_strangers_are_in_one_band_alone(module: Any) -> None:
    """Else who speaks is in every band."""
    load_http, bands = module("load_http"), module("services").bands(3)
    calls = load_http.Calls()
    calls.members = 4
    lists = [load_http.members(calls, band) for band in bands]
    assert all(one[0] == load_http.USER for one in lists)
    calls.strangers = True
    lists = [load_http.members(calls, band) for band in bands]
    assert len({uuid.UUID(one) for members in lists for one in members}) == 12
    told = load_http.data_of(calls, "/channel/character_list", bands[1], b"")
    assert told == {"character_list": lists[1]}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_the_memory_of_a_process_is_read(module: Any) -> None:
    """What it has now, what of it is its own, and the most that it had."""
    memory = module("memory")
    found = memory.resident(os.getpid())
    assert 0 < found["Pss"] <= found["Rss"]
    assert memory.peak(os.getpid()) > 1


async def test_a_flood_is_over_when_the_service_has_come_to_rest(
    module: Any, autojump_clock: object
) -> None:
    """It is waited for while it works, and given up if it never stops."""
    memory = module("memory")
    child = types.SimpleNamespace(pid=1)
    began = trio.current_time()

    def busy_for(seconds: float) -> Any:
        return types.SimpleNamespace(cpu=lambda pid: min(trio.current_time() - began, seconds))

    await memory.until_quiet(busy_for(3.2), child)
    assert 3.2 <= trio.current_time() - began <= 5
    with pytest.raises(module("children").ChildFailed, match="not come to rest"):
        await memory.until_quiet(busy_for(1_000_000), child)


def test_programs_are_timed_in_turns(
    module: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Each is run once before, then so many times; one that fails gives no figure."""
    import_times = module("import_times")
    log = tmp_path / "log"
    programs = [["/bin/sh", "-c", f"printf {name} >> {log}"] for name in "ab"]
    order = json.dumps({"programs": programs, "times": 2})
    monkeypatch.setattr(sys, "stdin", [order])
    import_times.main()
    assert log.read_text() == "ababab"
    found = json.loads(capsys.readouterr().out)
    assert [len(times) for times in found] == [2, 2]
    assert all(seconds > 0 for times in found for seconds, _ in times)
    with pytest.raises(SystemExit, match="ended with 3"):
        import_times.run(["/bin/sh", "-c", "exit 3"])
