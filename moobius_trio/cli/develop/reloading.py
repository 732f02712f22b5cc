"""When the process of a service is replaced, and by what: the `Control` of ``dev``.

The old service runs on until the new code is imported; then it is stopped in order, and only when
nothing of it is left the new one begins, so that stores, name and login are never held twice.
Nothing is printed, watched or served here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import trio

from moobius_trio.cli.develop.process import Child, ChildFailed, serve_child
from moobius_trio.cli.develop.questions import (
    advance,
    check_seconds,
    hurry_if_still,
    job_rows,
    run_job,
)
from moobius_trio.cli.develop.watcher import Restarted, Watcher
from moobius_trio.cli.develop.words import Load, Loaded, Lost, Ready
from moobius_trio.core.environment import TraceRecord, UnitRecord
from moobius_trio.local import JobRow, Problem, ServiceState
from moobius_trio.local.control import RunState

__all__ = ("Reloader",)


@attrs.define(eq=False)
class _Wish:
    """The service is to be started anew."""

    why: str
    since: float
    """trio's clock."""
    done: trio.Event = attrs.field(factory=trio.Event)


class Reloader:
    """Runs one process of the service after the other; the platform's `Control`.

    Args:
        target: what the user typed.
        nursery: where the tasks of the processes run; all but a spare one have ended with `run`.
        watcher: told what becomes of the service.
        reload: start it anew when it is wished, and wait for that when it has crashed.
    """

    def __init__(
        self, target: str, *, nursery: trio.Nursery, watcher: Watcher, reload: bool
    ) -> None:
        self._target = target
        self._nursery = nursery
        self._watcher = watcher
        self._reload = reload
        self._listeners: list[Callable[[], None]] = []
        self._state = ServiceState(name="", state="starting")
        self._current: Child | None = None
        self._ready = False
        self._loaded: tuple[Child, Loaded] | None = None
        self._spare: Child | None = None
        self._one_spare = trio.Lock()
        self._wishes: list[_Wish] = []
        self._news = trio.Event()
        self._stopping = False
        self._interrupt = trio.CancelScope()
        self._ahead = 0.0
        self._job_names: frozenset[str] = frozenset()

    # What the platform asks

    def state(self) -> ServiceState:
        """How the service does now."""
        return self._state

    def on_change(self, tell: Callable[[], None]) -> None:
        """Have ``tell`` called after each change of the state or of the jobs."""
        self._listeners.append(tell)

    async def restart(self) -> None:
        """Start the service anew; returns when it is ready, or is known not to become so."""
        await self.wish("restart asked for").wait()

    async def jobs(self) -> tuple[JobRow, ...]:
        """The service's jobs; none while it does not run or does not answer."""
        child = self._running
        rows = () if child is None else await job_rows(child)
        self._job_names = frozenset(row.name for row in rows)
        return rows

    async def run_job(self, name: str) -> None:
        """Run a job once, now; returns when the run has ended.

        Raises:
            UsageError: there is no such job, or no service that runs.
        """
        await run_job(self._running, name)
        self._tell()

    async def advance(self, seconds: float) -> float:
        """Put the clock of jobs forward; it stays so over restarts of the service.

        Raises:
            UsageError: not a number of seconds, or too many; or the service does not answer.
        """
        check_seconds(seconds)
        child = self._running
        if child is None:
            self._ahead += seconds
        else:
            self._ahead = await advance(child, seconds)
        self._tell()
        return self._ahead

    # What the command says

    def wish(self, why: str) -> trio.Event:
        """Have the service started anew; gives what is set when that has been tried.

        Several wishes that come while one is fulfilled are fulfilled together.
        """
        wish = _Wish(why, trio.current_time())
        if self._stopping:
            wish.done.set()
        else:
            self._wishes.append(wish)
            self._news.set()
        return wish.done

    def request_stop(self) -> None:
        """End in good order; returns at once."""
        self._stopping = True
        self._interrupt.cancel()

    async def load(self) -> Loaded | None:
        """Import the code for the first time; None when the stop came first.

        Raises:
            ChildFailed: it cannot be imported.
        """
        with self._until_stopped():
            self._loaded = await self._load()
            return self._loaded[1]
        return None

    async def run(self) -> int:
        """Have the service served, and started anew as wished, until it is stopped.

        Returns:
            The exit code.
        """
        try:
            with self._until_stopped():
                try:
                    await self._begin("", trio.current_time())
                except ChildFailed as exc:
                    self._watcher.on_no_start(exc)
                    return max(exc.code, 1)
                return await self._replace()
            return await self._end()
        finally:
            self._stopping = True
            for wish in self._wishes:
                wish.done.set()
            self._set(state="stopped")

    # How it is done

    @property
    def _running(self) -> Child | None:
        return self._current if self._ready else None

    @contextmanager
    def _until_stopped(self) -> Iterator[None]:
        with trio.CancelScope() as self._interrupt:
            if self._stopping:
                self._interrupt.cancel()
            yield

    async def _replace(self) -> int:
        """Fulfil wishes until the service ends without one; gives the exit code."""
        while True:
            await self._news.wait()
            self._news = trio.Event()
            ended = None if self._current is None else self._current.ended
            if ended is not None:
                self._current, self._ready = None, False
                if ended.problem is None:
                    return max(ended.code, 0)
                self._fail(ended.problem, "crashed")
                if not self._reload:
                    return ended.code if ended.code > 0 else 1
            if self._wishes:
                await self._renew()

    async def _renew(self) -> None:
        """Fulfil all wishes there are, and those that come meanwhile, with the newest code."""
        taken: list[_Wish] = []
        try:
            while self._wishes:
                taken, self._wishes = [*taken, *self._wishes], []
                self._discard()
                self._loaded = await self._load()
                if not self._wishes:
                    self._set(state="restarting")
                    await self._stop_current()
            await self._begin(taken[-1].why, taken[-1].since)
        except ChildFailed as exc:
            old = self._running
            runs_on = old is not None and old.ended is None
            if not runs_on:
                await self._stop_current()  # one whose start has hung, or one that is gone
            self._fail(exc.problem, "running" if runs_on else "crashed")
        finally:
            for wish in taken:
                wish.done.set()

    async def _load(self) -> tuple[Child, Loaded]:
        child, self._spare = self._spare, None
        if child is None or child.ended is not None:
            child = await self._start()
        try:
            return child, await child.ask(Load(target=self._target), Loaded)
        except BaseException:
            child.kill()
            raise

    async def _begin(self, why: str, since: float) -> None:
        """Have what was loaded served; returns without that when a wish comes first."""
        assert self._loaded is not None  # noqa: S101
        child, loaded = self._loaded
        order = await self._watcher.prepare(loaded)
        self._current, self._loaded = child, None
        self._nursery.start_soon(self._note_end, child)
        ready: Ready | ChildFailed | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._cancel_at_wish, nursery.cancel_scope)
            try:
                ready = await child.ask(attrs.evolve(order, ahead=self._ahead), Ready)
            except ChildFailed as exc:
                ready = exc  # raised below, and not in a group
            nursery.cancel_scope.cancel()
        if isinstance(ready, ChildFailed):
            raise ready
        if ready is None:
            return
        self._ready = True
        first = not self._state.name
        seconds = trio.current_time() - since
        self._set(
            name=ready.name,
            state="running",
            problem=None,
            restarts=self._state.restarts + (not first),
            restart_seconds=None if first else seconds,
        )
        self._watcher.on_ready(ready, None if first else Restarted(why, seconds))
        if self._reload:
            self._nursery.start_soon(self._keep_spare)

    async def _cancel_at_wish(self, scope: trio.CancelScope) -> None:
        """A start that hangs, as in ``on_start``, must not be in the way of better code."""
        while not self._wishes:
            await self._news.wait()
            if not self._wishes:
                self._news = trio.Event()
        scope.cancel()

    async def _stop_current(self) -> None:
        self._ready = False
        if self._current is not None:
            child = self._current
            child.terminate()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(hurry_if_still, child)
                await child.wait_ended()
                nursery.cancel_scope.cancel()
            self._current = None

    async def _end(self) -> int:
        """Stop what runs in good order, and discard what does not."""
        self._discard()
        self._ready = False
        if self._current is None:
            return 0
        self._current.terminate()
        ended = await self._current.wait_ended()
        if ended.problem is not None:
            self._fail(ended.problem, "crashed")
        return max(ended.code, 0)

    def _discard(self) -> None:
        """End a process that was loaded and is not served."""
        if self._loaded is not None:
            self._loaded[0].kill()
            self._loaded = None

    async def _start(self) -> Child:
        child: Child = await self._nursery.start(serve_child, self._take_trace)
        return child

    async def _keep_spare(self) -> None:
        async with self._one_spare:
            if self._spare is None:
                self._spare = await self._start()

    async def _note_end(self, child: Child) -> None:
        await child.wait_ended()
        self._news.set()

    def _take_trace(self, record: TraceRecord | UnitRecord | Lost) -> None:
        self._watcher.on_trace(record)
        if isinstance(record, UnitRecord) and record.handler in self._job_names:
            self._tell()

    def _fail(self, problem: Problem, state: RunState) -> None:
        self._set(state=state, problem=problem)
        self._watcher.on_problem(problem, runs_on=state == "running")

    def _set(self, **changes: Any) -> None:
        self._state = attrs.evolve(self._state, **changes)
        self._tell()

    def _tell(self) -> None:
        for tell in self._listeners:
            tell()
