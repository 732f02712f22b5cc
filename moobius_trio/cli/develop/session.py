"""One run of ``dev`` or ``demo``: the platform, the service's process, and what a person is told.

The composition root of this package: it joins the parts, and says on the terminal what they say.
"""

from __future__ import annotations

import textwrap
import webbrowser
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import attrs
import structlog
import trio

from moobius_trio.cli.develop.process import ChildFailed
from moobius_trio.cli.develop.reloading import Reloader
from moobius_trio.cli.develop.watcher import Restarted
from moobius_trio.cli.develop.watching import watch
from moobius_trio.cli.develop.words import Loaded, Lost, Ready, Serve
from moobius_trio.cli.guests import let_guests_in
from moobius_trio.cli.output import counted, ready_line, say
from moobius_trio.cli.platform import open_served_platform, say_faults
from moobius_trio.cli.state import Account, open_state
from moobius_trio.cli.tape.checking import Tools
from moobius_trio.core.environment import TraceRecord, UnitRecord
from moobius_trio.core.run import spare_what_stays
from moobius_trio.core.signals import counted_signals
from moobius_trio.local import Band, Knobs, Platform, Problem
from moobius_trio.testing.relay import RelayFaults
from moobius_trio.types import ServiceId

__all__ = ("develop",)

log = structlog.get_logger()


async def develop(
    target: str,
    *,
    state: Path | None,
    bands: Sequence[str] = (),
    port: int,
    host: str,
    ready_json: bool,
    browser: bool,
    reload: bool,
    knobs: Knobs,
    faults: RelayFaults | None,
) -> None:
    """Run a service in a process of its own, on a platform in this one, until it is stopped.

    Args:
        target: what the user typed: a file, a folder, or a class in one.
        state: where both keep what outlives them; None: beside the service.
        bands: names of bands to make besides ``local-demo``. The service holds all bands of its
            platform, those of earlier runs included.

    Raises:
        SystemExit: the service did not end well, could not be started at first, or a second
            signal came.
    """
    code = 0
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            session = _Session(
                target=target,
                bands=tuple(bands),
                port=port,
                host=host,
                ready_json=ready_json,
                browser=browser,
                reload=reload,
                knobs=knobs,
                faults=faults,
            )
            reloader = session.reloader = Reloader(
                target, nursery=nursery, watcher=session, reload=reload
            )
            with counted_signals(drain=reloader.request_stop, cancel=scope.cancel) as signals:
                try:
                    loaded = await reloader.load()
                    if loaded is not None:
                        own = Path(loaded.folder) / ".moobius-trio"
                        code = await session.run(open_state(own if state is None else state))
                except ChildFailed as exc:
                    session.on_no_start(exc)
                    code = max(exc.code, 1)
            nursery.cancel_scope.cancel()
    if signals.interrupted:
        code = signals.exit_code()
    if code:
        raise SystemExit(code)


@attrs.define(eq=False, kw_only=True)
class _Session:
    """What happens around the service; the `Watcher` of its `Reloader`."""

    target: str
    bands: tuple[str, ...]
    port: int
    host: str
    ready_json: bool
    browser: bool
    reload: bool
    knobs: Knobs
    faults: RelayFaults | None
    reloader: Reloader = attrs.field(init=False)
    _state: Path = attrs.field(init=False)
    _platform: Platform = attrs.field(init=False)
    _url: str = attrs.field(init=False)
    _nursery: trio.Nursery = attrs.field(init=False)
    _accounts: dict[str, Account] = attrs.field(factory=dict, init=False)
    _loaded: Loaded = attrs.field(init=False)
    _roots: frozenset[Path] = attrs.field(default=frozenset(), init=False)
    _watching: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)

    async def run(self, state: Path) -> int:
        """Open the platform and have the service served; gives the exit code."""
        self._state = state
        async with (
            open_served_platform(
                state=state / "platform",
                port=self.port,
                host=self.host,
                bands=self.bands,
                knobs=self.knobs,
                faults=self.faults,
            ) as (self._platform, self._url),
            trio.open_nursery() as self._nursery,
        ):
            self._platform.control = self.reloader
            self._platform.on_new_band(self._on_new_band)
            self._platform.tape_tools = Tools(url=self._url, service=self.target)
            code = await self.reloader.run()
            self._nursery.cancel_scope.cancel()
        return code

    async def prepare(self, loaded: Loaded) -> Serve:
        """Make the platform ready for a service that was loaded, and give the order for it."""
        self._loaded = loaded
        account = self._accounts.get(loaded.name)
        if account is None:
            account = Account.read(self._state, loaded.name)
            await self._platform.set_password(account.email, account.password)
            self._accounts[loaded.name] = account
        for band in self._platform.bands():
            # A class that has a new name is a new service; the old one's would keep the band.
            if band.service_id not in (None, account.service_id):
                await self._platform.free_band(band.channel_id)
        if account.service_id is not None:
            # The process before this one is gone; its connection may not be known to be.
            self._platform.cut(account.service_id)
        self._platform.inspector.service_began()
        if self.reload:
            await self._watch(frozenset(map(Path, (loaded.folder, *loaded.folders))))
        return Serve(
            url=self._url,
            email=account.email,
            password=account.password.reveal(),
            service_id=account.service_id,
            bands=tuple(band.channel_id for band in self._platform.bands()),
            stores=str(self._state / "stores"),
            reached_as=self._reached_as,
            ahead=0.0,
        )

    @property
    def _reached_as(self) -> str:
        # With the port, so that it takes no name from a service on a real platform.
        return f"{self._loaded.called}@{self._url.rpartition(':')[2]}"

    async def _watch(self, roots: frozenset[Path]) -> None:
        """Watch these folders, and no others any more."""
        if roots == self._roots:
            return
        self._roots = roots
        self._watching.cancel()
        self._watching = trio.CancelScope()

        async def watching(scope: trio.CancelScope, *, task_status: trio.TaskStatus[None]) -> None:
            with scope:
                await watch(sorted(roots), self._state, self._on_save, task_status=task_status)

        await self._nursery.start(watching, self._watching)

    def _on_new_band(self, band: Band) -> None:
        """A service takes its bands when it starts."""
        self.reloader.wish(f"new band {band.name}")

    def _on_save(self, files: tuple[Path, ...]) -> None:
        names = [self._short(file) for file in files]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        self.reloader.wish(f"changed {names[0]}{more}")

    def _short(self, file: Path) -> str:
        folder = Path(self._loaded.folder)
        return str(file.relative_to(folder) if file.is_relative_to(folder) else file)

    def on_ready(self, ready: Ready, restarted: Restarted | None) -> None:
        """The service runs; None for the first time."""
        kept = attrs.evolve(
            self._accounts[self._loaded.name], service_id=ServiceId(ready.service_id)
        )
        self._accounts[self._loaded.name] = kept
        kept.write(self._state, self._loaded.name)
        if restarted is None:
            self._say_first(ready)
        else:
            seconds, tabs = f"{restarted.seconds:.1f} s", counted(self._platform.pages, "tab")
            _say_now(f"{restarted.why} -> restarted in {seconds}; {tabs} kept")

    def _say_first(self, ready: Ready) -> None:
        page = f"{self._url}/?as=alice"
        again = " It starts anew when you save." if self.reload else ""
        say(
            "",
            f"  Page      {page}   (a second person: {self._url}/?as=bob)",
            f"  Service   {ready.name} in {self._places(ready)}",
            f"  State     {self._state}",
            f"  Spells    moobius-trio spell {self._reached_as} '\"…\"'",
        )
        say_faults(self.knobs, self.faults)
        let_guests_in(self._platform, self._url, self.host)
        say("", f"  One Ctrl+C ends it.{again}")
        spare_what_stays()
        if self.ready_json:
            ready_line(self._url, [ready])
        if self.browser:
            self._nursery.start_soon(_open_page, page)

    def _places(self, ready: Ready) -> str:
        held = [band.name for band in self._platform.bands() if band.channel_id in ready.channels]
        return f"band{'s' if len(held) > 1 else ''} {', '.join(held)}"

    def on_no_start(self, failure: ChildFailed) -> None:
        """The service has failed before it was ready for the first time; that ends the run."""
        text = failure.problem.text
        if failure.expected:
            say(text.partition("\n")[0])  # which says all
        else:
            say(text, "", failure.problem.summary)

    def on_problem(self, problem: Problem, *, runs_on: bool) -> None:
        """New code was not taken and the old runs on, or nothing runs."""
        if runs_on:
            _say_now(f"the new code was not taken, and the old service runs on: {problem.summary}")
        else:
            _say_now(f"the service has crashed: {problem.summary}")
        say(textwrap.indent(problem.text, "    ", lambda line: True).rstrip())
        if self.reload and not runs_on:
            say("    It starts anew at your next save.")

    def on_trace(self, record: TraceRecord | UnitRecord | Lost) -> None:
        """The service has sent a frame or ended a unit of work, or the trace has a hole."""
        if isinstance(record, Lost):
            log.warning("the inspector has missed some of the work", records=record.records)
        else:
            self._platform.inspector.trace(record)


def _say_now(text: str) -> None:
    say(f"  {datetime.now():%H:%M:%S} {text}")  # the time on the user's wall


async def _open_page(address: str) -> None:
    """Open the user's browser; some block until they are closed, which must hold nothing up."""
    await trio.to_thread.run_sync(webbrowser.open, address, abandon_on_cancel=True)
