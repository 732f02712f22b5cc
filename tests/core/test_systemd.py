"""What systemd is told: ready, stopping, status and signs of life, on any kind of socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog
import trio
import trio.testing

from moobius_trio.core.notify import Notifier


@contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    """A socket as systemd has one."""
    name = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(name)
        bound.setblocking(False)
        yield bound


def heard(bound: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(bound.recv(4096).decode())
        except BlockingIOError:
            return found


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "abstract":
        return f"@moobius-trio-test-{os.getpid()}"
    return str(tmp_path / "notify")


def test_what_is_said_arrives(address: str) -> None:
    """One datagram each; what was said last is not said again."""
    notifier = Notifier({"NOTIFY_SOCKET": address})
    with listening(address) as bound:
        for name, value in [("READY", "1"), ("STATUS", "a"), ("STATUS", "a"), ("STATUS", "b")]:
            notifier.tell(name, value)
        assert heard(bound) == ["READY=1", "STATUS=a", "STATUS=b"]


def test_without_the_variable_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a socket is made."""
    monkeypatch.setattr("socket.socket", None)
    for environ in ({}, {"NOTIFY_SOCKET": ""}):
        notifier = Notifier(environ)
        assert not notifier.wanted
        notifier.tell("READY", "1")


@pytest.mark.parametrize("broken", ["/nowhere/at/all", "@", "a\0b", "x" * 300])
def test_a_socket_that_is_not_there_harms_nothing(broken: str) -> None:
    """It is one warning."""
    notifier = Notifier({"NOTIFY_SOCKET": broken})
    with structlog.testing.capture_logs() as lines:
        notifier.tell("READY", "1")
        notifier.tell("STATUS", "a")
    assert [line["event"] for line in lines] == ["systemd cannot be told"]


def test_a_reader_that_does_not_read_holds_nobody_up(address: str) -> None:
    """What does not fit is lost."""
    notifier = Notifier({"NOTIFY_SOCKET": address})
    with listening(address) as bound, structlog.testing.capture_logs() as lines:
        for number in range(10_000):
            notifier.tell("STATUS", str(number))
        assert heard(bound)
    assert len(lines) == 1


@pytest.mark.parametrize("pid", [None, str(os.getpid())], ids=["no pid", "own pid"])
async def test_signs_of_life_come_twice_in_the_time_given(
    address: str, autojump_clock: trio.testing.MockClock, pid: str | None
) -> None:
    """With a watchdog of 4 s at 0, 2, 4 and 6 s; the status when it has changed."""
    environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "4000000"}
    if pid is not None:
        environ["WATCHDOG_PID"] = pid
    notifier = Notifier(environ)
    status = "starting"
    with listening(address) as bound:
        with trio.move_on_after(7):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(notifier.keep_telling, lambda: status)
                await trio.sleep(3)
                status = "ready"
        assert heard(bound) == [
            "STATUS=starting",
            "WATCHDOG=1",
            "WATCHDOG=1",
            "STATUS=ready",
            "WATCHDOG=1",
            "WATCHDOG=1",
        ]


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "x"},
        {"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"},
    ],
)
async def test_no_signs_of_life_unless_they_are_wanted_of_this_process(
    address: str, autojump_clock: trio.testing.MockClock, wish: dict[str, str]
) -> None:
    """The status alone is sent."""
    notifier = Notifier({"NOTIFY_SOCKET": address, **wish})
    with listening(address) as bound:
        with trio.move_on_after(100):
            await notifier.keep_telling(lambda: "ready")
        assert heard(bound) == ["STATUS=ready"]
