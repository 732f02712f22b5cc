"""The local platform as one object, and how it is opened.

The composition root of ``local``: it puts the parts together and decides nothing itself.
"""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import attrs
import trio
from starlette.types import ASGIApp

from moobius_trio.errors import UsageError
from moobius_trio.local.app import make_app
from moobius_trio.local.control import Control
from moobius_trio.local.credentials import PASSWORD_WORK
from moobius_trio.local.inspector import Inspector
from moobius_trio.local.knobs import Knobs
from moobius_trio.local.page_api import Guest, PageApi, make_band, page_files, sign_in_guest
from moobius_trio.local.records import Band
from moobius_trio.local.rules_http import Refused, new_account
from moobius_trio.local.sessions import Sessions
from moobius_trio.local.sockets import GOING_AWAY, Socket
from moobius_trio.local.state import State
from moobius_trio.local.store import open_store
from moobius_trio.local.taping import TapeDesk, TapeTools, load_uploads, who_is_there
from moobius_trio.local.world import World
from moobius_trio.types import ChannelId, RunSync, Secret, ServiceId, UserId

__all__ = ("DEFAULT_BAND", "Platform", "open_platform")

DEFAULT_BAND: Final = "local-demo"
"""The band that is always there; its id is its name."""

CLOSE_SECONDS: Final = 1.8

_DEFAULT_KNOBS: Final = Knobs()


class Platform:
    """An open local platform (docs/architecture.md section 8). ``open_platform`` makes it."""

    def __init__(
        self, state: State, sessions: Sessions, page: PageApi, desk: TapeDesk, app: ASGIApp
    ) -> None:
        self._state = state
        self._sessions = sessions
        self._page = page
        self._desk = desk
        self.app = app
        """The ASGI application: HTTP calls, WebSockets and the page. ``serving.serve_app`` serves
        it; ``httpx.ASGITransport`` takes it as it is."""

    @property
    def knobs(self) -> Knobs:
        """How it behaves where nothing is known of the real platform; may be replaced."""
        return self._state.knobs

    @knobs.setter
    def knobs(self, knobs: Knobs) -> None:
        self._state.knobs = knobs
        self._sessions.knobs_changed()

    @property
    def control(self) -> Control | None:
        """What the program that runs the service offers; None where services run elsewhere."""
        return self._sessions.board.control

    @control.setter
    def control(self, control: Control | None) -> None:
        self._sessions.board.control = control

    @property
    def inspector(self) -> Inspector:
        """The frames that went through lately, and news of those that come; what runs a service
        hands its trace to it."""
        return self._sessions.inspector

    @property
    def in_flight(self) -> int:
        """Frames accepted for sockets and not yet handed over to them. Zero means that nothing
        the platform was told so far will still make it send."""
        return self._sessions.in_flight

    @property
    def calls(self) -> Counter[str]:
        """How often each call of the protocol came in, by method and route, such as
        ``POST /service/group/create``; it may be emptied."""
        return self._state.calls

    @property
    def pages(self) -> int:
        """How many pages are open on it, in whatever browser."""
        return self._sessions.board.watchers

    @property
    def front_port(self) -> int | None:
        """The port of a relay through which everybody has to come (Host and Origin are checked
        against it, and against nothing else); None while there is none."""
        return self._state.front_port

    @front_port.setter
    def front_port(self, port: int | None) -> None:
        self._state.front_port = port

    def let_others_in(self) -> Secret:
        """Answer requests that come from other machines, if they have the token given here.

        A browser shows it once, behind the ``#`` of the page's address as ``token=…``, and gets a
        cookie for it; programs have ``/token/TOKEN`` before every path. What comes in on this
        machine's own loopback address needs none. Called again, it gives another one, and what
        was given before is no good any more.
        """
        return self._state.access.open()

    async def serve_socket(self, socket: Socket) -> None:
        """Serve one connection of the protocol, of whatever transport, until it ends.

        Cancelled, it closes the connection with 1001 first (bounded).
        """
        await self._sessions.serve(socket)

    def add_band(self, name: str) -> ChannelId:
        """The band of this name, made if there is none.

        Raises:
            UsageError: no band can have this name.
        """
        try:
            return make_band(self._state, self._sessions, name).channel_id
        except Refused as exc:
            raise UsageError(f"band {name!r}: {exc.message}") from None

    def on_new_band(self, tell: Callable[[Band], None]) -> None:
        """Have ``tell`` called with each band that somebody makes on the page from now on."""
        self._page.on_new_band = tell

    def bands(self) -> tuple[Band, ...]:
        """All bands, oldest first, each with the service that holds it."""
        return tuple(self._state.world.bands.values())

    async def free_band(self, channel_id: ChannelId) -> None:
        """Let no service hold this band any longer; its members stay.

        For tools that run a service on a platform of their own, where an earlier one may hold it.

        Raises:
            KeyError: there is no such band.
        """
        band = self._state.world.bands[channel_id]
        self._state.change(attrs.evolve(band, service_id=None))
        self._sessions.board.changed()
        await self._state.saved()

    def sign_in_guest(self, name: str) -> Guest:
        """The user of this name, made at the first time, with tokens to log in with.

        Raises:
            UsageError: nobody can have this name.
        """
        try:
            return sign_in_guest(self._state, name)
        except Refused as exc:
            raise UsageError(f"guest {name!r}: {exc.message}") from None

    async def set_password(self, email: str, password: Secret) -> None:
        """Give an account this password from now on; it is made if there is none.

        For tools that run a service on a platform of their own: a new password for each run need
        not be kept anywhere.
        """
        password_hash = await self._state.hash_password(password)
        account = self._state.world.account(email)
        if account is None:
            user_id = UserId(self._state.new_id())
            account = new_account(self._state.world, email, password_hash, user_id)
        self._state.change(attrs.evolve(account, password_hash=password_hash))
        await self._state.saved()

    @property
    def tape_tools(self) -> TapeTools | None:
        """What the program that runs the platform can do with a tape; None: nothing."""
        return self._desk.tools

    @tape_tools.setter
    def tape_tools(self, tools: TapeTools | None) -> None:
        self._desk.tools = tools

    def who_is_there(self) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
        """The members of each band in joining order, and nicknames by id, of figures as well."""
        return who_is_there(self._state)

    async def load_uploads(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The content of those of these uploads that there are."""
        return await load_uploads(self._state, keys)

    def cut(self, service_id: ServiceId | None = None, code: int = GOING_AWAY) -> None:
        """Close the connections of this service now, or of all services; frames that wait for
        them are lost. Users' connections stay."""
        self._sessions.cut(service_id, code)

    def expire_tokens(self, *, refresh: bool = False) -> None:
        """Let every access token given so far be no good from now on, and with ``refresh`` every
        refresh token too. Logins on open connections stay (see ``Knobs.live_token``)."""
        self._state.tokens.expire(refresh=refresh)

    async def aclose(self) -> None:
        """Close all connections with 1001 and wait for them to end, two seconds at most."""
        with trio.move_on_after(CLOSE_SECONDS):
            await self._sessions.close_all()


@contextlib.asynccontextmanager
async def open_platform(
    *,
    state: Path | None,
    bands: Sequence[str] = (),
    knobs: Knobs = _DEFAULT_KNOBS,
    run_sync: RunSync,
    wall_clock: Callable[[], float],
    random: random.Random,
    password_work: int = PASSWORD_WORK,
) -> AsyncIterator[Platform]:
    """Open a local platform; it listens nowhere until its ``app`` is served.

    Args:
        state: the folder where it keeps everything; None keeps it in memory.
        bands: names of bands to make besides ``local-demo``.
        knobs: how it behaves where nothing is known of the real platform.
        run_sync: runs what blocks: the store, password hashes, files of the page.
        wall_clock: seconds since 1970.
        random: makes ids; a seeded one makes the same ids each time. No secret comes from it.
        password_work: how much work a password's hash is; little is enough for passwords that
            are none, as in tests.

    At the end all connections are closed with 1001 and everything is written, both bounded.

    Raises:
        StoreLocked: another platform has the folder open.
        StorageError: the folder cannot be used.
        UsageError: a band cannot have the name given.
    """
    async with contextlib.AsyncExitStack() as stack:
        world = World()
        store = None
        if state is not None:
            store = await stack.enter_async_context(open_store(state, run_sync=run_sync))
            for change in await store.load():
                world.apply(change)
        parts = State(
            world=world,
            store=store,
            knobs=knobs,
            run_sync=run_sync,
            wall_clock=wall_clock,
            random=random,
            password_work=password_work,
        )
        sessions = Sessions(parts)
        page = PageApi(parts, sessions, await run_sync(page_files))
        desk = TapeDesk(parts, sessions.inspector)
        platform = Platform(parts, sessions, page, desk, make_app(parts, sessions, page, desk))
        for name in (DEFAULT_BAND, *bands):
            platform.add_band(name)
        try:
            yield platform
        finally:
            with trio.CancelScope(shield=True):  # bounded by itself
                await platform.aclose()
