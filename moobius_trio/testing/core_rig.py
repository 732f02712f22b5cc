"""For tests of the core: services of the kit in an environment with a fault in it.

What an environment is stands in `core.environment`; nothing here decides what a service does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from moobius_trio.config import Settings
from moobius_trio.core.environment import Environment
from moobius_trio.core.runtime import Runtime
from moobius_trio.core.service import MoobiusService
from moobius_trio.core.signals import SignalState
from moobius_trio.testing.harness import Local
from moobius_trio.testing.site import Sinks, Site
from moobius_trio.testing.storage_faults import FaultyDisk
from moobius_trio.types import Secret, ServiceEvent

__all__ = (
    "FakeSignals",
    "FaultyApi",
    "changed_environment",
    "deliver",
    "faulty_api",
    "kept_on",
    "place",
    "reachable",
    "runtime_of",
)


@attrs.define(eq=False)
class FaultyApi(httpx.AsyncBaseTransport):
    """The platform's HTTP half, with faults that a test may switch on and off.

    Attributes:
        requests: the paths that were called, in order.
        in_flight: how many calls are under way; ``most`` is the highest number so far.
    """

    inner: httpx.AsyncBaseTransport
    seconds: float = 0.0
    """How long each call takes."""
    slow: dict[str, float] = attrs.field(factory=dict)
    """How much longer calls of this path take."""
    late: dict[str, float] = attrs.field(factory=dict)
    """How long the answer of this path is on its way back, and becomes old."""
    failing: dict[str, int] = attrs.field(factory=dict)
    """The HTTP status that calls of this path get instead of an answer; 0: no reply at all."""
    requests: list[str] = attrs.field(factory=list)
    in_flight: int = 0
    most: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make the call, or fail as told."""
        path = "/" + request.url.path.lstrip("/")
        self.requests.append(path)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            await trio.sleep(self.seconds + self.slow.get(path, 0.0))
            status = self.failing.get(path)
            if status == 0:
                raise httpx.ConnectError("no route to host", request=request)
            if status is not None:
                return httpx.Response(status, request=request)
            response = await self.inner.handle_async_request(request)
            await trio.sleep(self.late.get(path, 0.0))
            return response
        finally:
            self.in_flight -= 1

    def count(self, path: str) -> int:
        """How often a path was called."""
        return self.requests.count(path)


@contextmanager
def changed_environment(change: Callable[[Environment], Environment]) -> Iterator[None]:
    """Services that the kit starts in the block run in an environment that ``change`` gives."""
    made = Site.environment

    def environment(self: Site, *args: Any, **options: Any) -> Environment:
        return change(made(self, *args, **options))

    Site.environment = environment  # type: ignore[method-assign]  # undone below
    try:
        yield
    finally:
        Site.environment = made  # type: ignore[method-assign]


@contextmanager
def kept_on(disk: FaultyDisk) -> Iterator[None]:
    """Services that are started in the block keep everything on this disk."""
    with changed_environment(
        lambda environment: attrs.evolve(environment, engines=disk.engines, default_engine="faulty")
    ):
        yield


@contextmanager
def reachable() -> Iterator[dict[str, str]]:
    """Services that the kit starts in the block hold their names and have spell sockets.

    Yields:
        The environment variables with which another process finds them, in a folder of their own
        whose path is short enough for sockets.
    """
    with tempfile.TemporaryDirectory(prefix="mt-") as folder:
        environ = {"XDG_RUNTIME_DIR": folder}
        with changed_environment(
            lambda environment: attrs.evolve(environment, exclusive=True, environ=environ)
        ):
            yield environ


@contextmanager
def faulty_api() -> Iterator[FaultyApi]:
    """Services that the kit starts in the block call the platform through this one."""
    api = FaultyApi(httpx.MockTransport(_nowhere))

    def change(environment: Environment) -> Environment:
        if environment.transport is None:
            raise RuntimeError("over real sockets there is no transport to stand in for")
        api.inner = environment.transport
        return attrs.evolve(environment, transport=api)

    with changed_environment(change):
        yield api


def place(
    local: Local,
    service: MoobiusService[Any],
    *,
    bands: Sequence[str] = ("local-demo",),
    config: Path | None = None,
    state: Path | None = None,
    **settings: Any,
) -> None:
    """Let a service be served by the test itself, on the platform of the kit.

    Args:
        config: a service.json to be read instead of the settings given here.
        state: the folder of its stores, which are then sqlite's; in memory without it.
    """
    given = Settings(
        **{
            "http_server_uri": local._site.http_uri(),
            "ws_server_uri": local._site.ws_uri(),
            "email": "placed@example.org",
            "password": Secret("a password of the kit"),
            "channels": tuple(local.platform.add_band(band) for band in bands),
            **settings,
        }
    )
    sinks = Sinks(
        trace=local._note_trace,
        on_failure=lambda event, exc: local.failures.append((event, exc)),
        on_stray=lambda stray: None,
        on_unheard=local.unheard.append,
    )
    engine = "memory" if state is None else "sqlite"
    environment = local._site.environment(given, (), engine, state, sinks)
    service._environment = (
        environment if config is None else attrs.evolve(environment, settings=None)
    )
    if config is not None:
        service._service_config_path = config


class FakeSignals:
    """Stands in for the counted signals of the process; ``install`` it with monkeypatch."""

    def __init__(self) -> None:
        self.state = SignalState()
        self._users: list[tuple[Callable[[], None], Callable[[], None]]] = []

    @contextmanager
    def counted(
        self, *, drain: Callable[[], None], cancel: Callable[[], None], **last: object
    ) -> Iterator[SignalState]:
        """As `core.signals.counted_signals`, but never ends the process."""
        user = (drain, cancel)
        self._users.append(user)
        try:
            yield self.state
        finally:
            self._users.remove(user)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let services and wands hear these and no others."""
        for module in ("ending", "wand"):
            monkeypatch.setattr(f"moobius_trio.core.{module}.counted_signals", self.counted)

    def send(self) -> None:
        """One SIGINT."""
        self.state._received += 1
        for drain, cancel in list(self._users):
            if self.state.received == 1:
                drain()
            elif self.state.received == 2:
                cancel()


def runtime_of(service: MoobiusService[Any]) -> Runtime:
    """The parts of a running service.

    Raises:
        AssertionError: it does not run.
    """
    if service._runtime is None:
        raise AssertionError(f"{service!r} does not run")
    return service._runtime


def deliver(service: MoobiusService[Any], *events: ServiceEvent) -> None:
    """Hand events to a running service as its socket would, one right behind the other."""
    for event in events:
        runtime_of(service).dispatcher.receive(event)


def _nowhere(request: httpx.Request) -> httpx.Response:
    raise RuntimeError("no service was started through this transport")
