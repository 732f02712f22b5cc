"""Whose signal handler is taken over, what is put back, and where callbacks are called."""

from __future__ import annotations

import signal
import threading

import trio
import trio.testing

from moobius_trio.core.signals import SignalState, counted_signals


def handlers() -> tuple[object, ...]:
    """Who handles the signals now."""
    return tuple(
        signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    )


def nothing() -> None:
    """A callback that does nothing."""


async def test_last_user_puts_back_what_was_there() -> None:
    """The handler stays until the last user leaves, in any order, also after two signals."""
    before = handlers()
    with counted_signals(drain=nothing, cancel=nothing):
        taken = handlers()
        assert taken[:2] != before[:2]
        with counted_signals(drain=nothing, cancel=nothing):
            assert handlers() == taken
        assert handlers() == taken
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert handlers() == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


async def test_each_callback_runs_once_and_in_the_event_loop() -> None:
    """Nothing is called inside the signal handler; later, drain and cancel once each."""
    calls: list[str] = []
    with counted_signals(
        drain=lambda: calls.append("drain"), cancel=lambda: calls.append("cancel")
    ) as state:
        signal.raise_signal(signal.SIGINT)
        assert (calls, state.draining, state.interrupted) == ([], True, False)
        await trio.testing.wait_all_tasks_blocked()
        assert (calls, state.exit_code()) == (["drain"], 0)
        signal.raise_signal(signal.SIGTERM)
        await trio.testing.wait_all_tasks_blocked()
    assert calls == ["drain", "cancel"]
    assert (state.received, state.interrupted, state.exit_code()) == (2, True, 130)


async def test_user_that_joins_after_a_signal_is_told_at_once() -> None:
    """A service started while the others drain drains too; a new count begins afterwards."""
    calls: list[str] = []
    with counted_signals(drain=nothing, cancel=nothing):
        signal.raise_signal(signal.SIGINT)
        with counted_signals(drain=lambda: calls.append("drain"), cancel=nothing):
            await trio.testing.wait_all_tasks_blocked()
    assert calls == ["drain"]
    with counted_signals(drain=nothing, cancel=nothing) as state:
        assert not state.draining


async def test_program_with_a_handler_of_its_own_keeps_it() -> None:
    """Where SIGINT has somebody's handler, neither signal is touched."""
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        own = handlers()
        with counted_signals(drain=nothing, cancel=nothing) as state:
            assert handlers() == own
            signal.raise_signal(signal.SIGINT)
            assert state.received == 0
    finally:
        signal.signal(signal.SIGINT, before)


async def test_handler_set_meanwhile_is_left_in_place() -> None:
    """What a program installs while a service runs is not overwritten at its end."""
    before = signal.getsignal(signal.SIGTERM)
    own = signal.default_int_handler
    try:
        with counted_signals(drain=nothing, cancel=nothing):
            signal.signal(signal.SIGTERM, own)
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_thread_touches_nothing() -> None:
    """A service that runs in another thread leaves the signals alone."""
    before = handlers()
    seen: list[tuple[tuple[object, ...], SignalState]] = []

    async def main() -> None:
        with counted_signals(drain=nothing, cancel=nothing) as state:
            seen.append((handlers(), state))

    thread = threading.Thread(target=trio.run, args=(main,))
    thread.start()
    thread.join()
    assert seen[0][0] == before
    assert seen[0][1].exit_code() == 0
