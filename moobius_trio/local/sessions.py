"""All connections of the platform: who is logged in where, and what becomes of their frames.

Texts become values by the codec, the rules say what they lead to, and what comes out is handed
to the sessions it is for. Nothing here waits while a frame is handled, so that frames have
their effects in the order in which they were read. What a frame leads to is decided in ``rules``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import structlog
import trio

from moobius_trio.codec.frames import ClientFrame, name_of_frame
from moobius_trio.codec.generations import Generation
from moobius_trio.codec.tags import ROGER
from moobius_trio.errors import MalformedPayload
from moobius_trio.local.board import Board
from moobius_trio.local.dialects import Dialects
from moobius_trio.local.faults import Faults
from moobius_trio.local.inspected import as_text, hello
from moobius_trio.local.inspector import Inspector
from moobius_trio.local.logins import Logins
from moobius_trio.local.post import Post
from moobius_trio.local.receipts import Receipts
from moobius_trio.local.records import Account, BandEmptied
from moobius_trio.local.roster import Roster
from moobius_trio.local.rules import Outcome, from_service, from_user, leaving
from moobius_trio.local.rules_accounts import ending
from moobius_trio.local.scribe import Scribe
from moobius_trio.local.session import Role, Session
from moobius_trio.local.sockets import GOING_AWAY, POLICY_VIOLATION, TOO_BIG, Socket
from moobius_trio.local.state import State
from moobius_trio.local.viewing import Viewing
from moobius_trio.types import (
    ChannelId,
    MessageDown,
    MessageId,
    Ping,
    ServiceCommand,
    ServiceId,
    ServiceLogin,
    UnknownPayload,
    UserCommand,
    UserId,
    UserLogin,
)

__all__ = ("Sessions",)

_log = structlog.get_logger()


class Sessions:
    """The open connections, for the whole platform."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._all: dict[Session, None] = {}
        self._services: Roster[ServiceId] = Roster()
        users: Roster[UserId] = Roster()
        self._one_ended = trio.Event()
        self.inspector = Inspector(lambda: state.now_ms, state.world.nickname)
        self.board = Board(state, self._services.__contains__)
        self.faults = Faults(state)
        self.dialects = Dialects(state)
        self._scribe = Scribe(self.inspector, self.dialects, self._services)
        self._receipts = Receipts(state, self.faults, self._scribe, self.dialects)
        self._post = Post(self.dialects, self.faults, self._services, users)
        self._logins = Logins(
            state,
            self.faults,
            self.dialects,
            self._receipts,
            self.board,
            self._post,
            self._services,
            users,
        )

    @property
    def in_flight(self) -> int:
        """Frames accepted for sockets and not yet handed over to them."""
        return sum(session.waiting for session in self._all)

    def knobs_changed(self) -> None:
        """The knobs have been replaced: count anew, and tell those that are connected."""
        self.faults.restart()
        for session in self._all:
            session.answer_pings(self._state.knobs.answer_socket_pings)

    async def serve(self, socket: Socket) -> None:
        """Serve one connection of the protocol until it ends; cancelled, it is closed with 1001.

        The first login on it decides whether it is a service's or a user's.
        """
        session = Session(socket)
        await self._run(session, lambda text: self._on_text(session, text))

    async def watch(self, socket: Socket, *, builds: bool = True) -> None:
        """Serve one connection of a page that watches the list of bands; ``builds`` as for
        ``Board.add``. What it sends is not read."""
        session = Session(socket)
        self.board.add(session, builds=builds)
        await self._run(session, lambda text: None)

    async def inspect(self, socket: Socket) -> None:
        """Serve one connection of a page that looks at frames: first those that are kept, then
        each that comes. What the page sends is not read."""
        session = Session(socket)
        with self.inspector.subscribe() as viewing:
            session.send_nowait(hello(self.inspector.kept))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_show, viewing, session)
                await self._run(session, lambda text: None)
                nursery.cancel_scope.cancel()

    async def _run(self, session: Session, on_text: Callable[[str], None]) -> None:
        self._all[session] = None
        if not self._state.knobs.answer_socket_pings:
            session.answer_pings(False)
        try:
            lost = await session.run(on_text)
            _log.debug("connection ended", code=lost.code, reason=lost.reason)
        finally:
            session.finish()
            del self._all[session]
            self.board.remove(session)
            self._logins.leave(session)
            self._one_ended.set()

    async def close_all(self, code: int = GOING_AWAY, reason: str = "shutting down") -> None:
        """Close every connection and wait until all have ended."""
        for session in self._all:
            session.close(code, reason)
        while self._all:
            self._one_ended = trio.Event()
            await self._one_ended.wait()
        self._receipts.tell_rest()

    def cut(self, service_id: ServiceId | None = None, code: int = GOING_AWAY) -> None:
        """Begin to close the connections of one service, or of all; what waits for them is lost,
        as when the platform's host cuts them (docs/protocol/generation-0.md section 4.4)."""
        for session in self._all:
            if session.role is Role.SERVICE and service_id in (None, session.service_id):
                session.close(code, "cut")

    def empty_band(self, channel_id: ChannelId) -> None:
        """Let everybody leave the band, of which its service hears in their order, and forget what
        was said in it."""
        self._do(leaving(self._state.world, channel_id))
        self._state.change(BandEmptied(channel_id=channel_id))
        self.board.emptied(channel_id)

    def end_account(self, account: Account) -> None:
        """Let a user leave all bands, of which the services hear, and forget the account with its
        services; their connections are closed."""
        for channel_id in self._state.world.bands:
            if self._state.world.is_member(channel_id, account.user_id):
                self._do(leaving(self._state.world, channel_id, account.user_id))
        self._state.change(*ending(self._state.world, account))
        for session in self._all:
            if session.user_id == account.user_id:
                session.close(POLICY_VIOLATION, "the account was deleted")
        self.board.changed()

    def _do(self, outcomes: Iterable[Outcome]) -> None:
        """What the platform does in place of users."""
        for outcome in outcomes:
            told = self._post.addressed(outcome.frames)
            self._state.change(*outcome.changes)
            self._scribe.done(outcome, told)
            self._post.deliver(told)

    def learn(self, token: str, generation: Generation) -> None:
        """A call of only this generation was made with this good token."""
        if self._state.tokens.generation(token) == generation:
            return
        self._state.tokens.learn(token, generation)
        for session in self._all:
            if session.access_token == token and not session.settled:
                session.generation = generation

    def _on_text(self, session: Session, text: str) -> None:
        size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        if self._is_too_large(session, text, size):
            return
        if session.role is Role.SERVICE and self._state.knobs.order == "concurrent":
            session.after(self.faults.delay(), partial(self._handle, session, text))
        else:
            self._handle(session, text)

    def _handle(self, session: Session, text: str) -> None:
        try:
            frame = self.dialects.decode(session, text)
        except MalformedPayload as exc:
            request_id, origin_type = name_of_frame(text)
            self._scribe.unreadable(session, text, origin_type, str(exc))
            self._receipts.refuse(session, request_id, origin_type, str(exc))
            return
        heartbeat = isinstance(frame.command, Ping | ServiceLogin | UserLogin)
        if session.role is Role.SERVICE and not heartbeat:
            seconds = self._state.knobs.slow_seconds
            session.in_order(seconds, partial(self._take, session, text, frame))
        elif not self._waits_for_login(session, text, frame):
            self._take(session, text, frame)

    def _waits_for_login(self, session: Session, text: str, frame: ClientFrame) -> bool:
        """Whether a frame came before the login. After a reconnect generation 1 sends what it has
        waiting first, and would lose it (docs/protocol/generation-1.md section 5.3)."""
        if session.role is not Role.NOBODY or session.generation == 0:
            return False
        return not isinstance(frame.command, ServiceLogin | UserLogin) and session.hold(text)

    def _take(self, session: Session, text: str, frame: ClientFrame) -> None:
        outcome = self._outcome(session, frame)
        told = self._post.addressed(outcome.frames)
        self._scribe.taken(session, text, frame, outcome, told)
        if outcome.refusal:
            is_login = isinstance(frame.command, ServiceLogin | UserLogin)
            refuse = self._receipts.refuse_login if is_login else self._receipts.refuse
            refuse(session, frame.request_id, frame.origin_type, outcome.refusal)
            return
        self._state.change(*outcome.changes)
        if self._is_answered(frame.command):
            self._receipts.confirm(session, frame.request_id, frame.origin_type, outcome)
        self._post.deliver(told)
        if session.role is Role.SERVICE and outcome.changes and self.faults.cuts():
            for each in self._all:
                if each.role is Role.SERVICE:
                    self._logins.cut_as_planned(each)
        if session.role is not Role.NOBODY:
            for early in session.release():
                self._handle(session, early)

    def _is_answered(self, command: ServiceCommand | UserCommand | UnknownPayload) -> bool:
        if isinstance(command, Ping):
            return self._state.knobs.answer_pings
        return not (isinstance(command, UnknownPayload) and self._state.knobs.roger == "ignored")

    def _outcome(self, session: Session, frame: ClientFrame) -> Outcome:
        match frame.command:
            case ServiceLogin() | UserLogin():
                return self._logins.log_in(session, frame.command)
        if session.role is Role.NOBODY or session.user_id is None:
            return Outcome(refusal="log in first")
        if session.role is Role.USER:
            return self._from_user(session.user_id, frame)
        if refusal := self._logins.outlived(session):
            return Outcome(refusal=refusal)
        if isinstance(frame.command, Ping) or self._is_roger(frame.command):
            return Outcome()
        if session.service_id is None:
            return Outcome(refusal="log in with a service_id first; so far there was an empty one")
        if self.faults.refuses(frame.request_id):
            return Outcome(refusal="told to refuse it")
        return self._from_service(session, session.service_id, frame)

    def _is_roger(self, command: ServiceCommand | UserCommand | UnknownPayload) -> bool:
        known = self._state.knobs.roger != "refused"
        return known and isinstance(command, UnknownPayload) and command.type == ROGER

    def _from_user(self, user_id: UserId, frame: ClientFrame) -> Outcome:
        if frame.client_id not in (None, "", user_id):
            return Outcome(refusal=f"client_id is {frame.client_id}, logged in is {user_id}")
        return from_user(
            self._state.world,
            user_id,
            frame.command,
            now=self._state.now_ms,
            msg_id=MessageId(self._state.new_id()),
        )

    def _from_service(self, session: Session, service_id: ServiceId, frame: ClientFrame) -> Outcome:
        if frame.client_id not in (None, "", service_id):
            return Outcome(refusal=f"client_id is {frame.client_id}, logged in is {service_id}")
        is_message = isinstance(frame.command, MessageDown)
        return from_service(
            self._state.world,
            service_id,
            frame.request_id,
            frame.command,
            now=self._state.now_ms,
            msg_id=MessageId(self._state.new_id() if is_message else ""),
            drop_repeats=self._state.knobs.drop_repeats,
            by_id=session.generation == 1,
        )

    def _is_too_large(self, session: Session, text: str, size: int) -> bool:
        """Whether a text is; then its connection is closed."""
        knobs = self._state.knobs
        frame = size if session.largest_frame is None else session.largest_frame
        if size > knobs.message_limit:
            what, found, limit = "message", size, knobs.message_limit
        elif knobs.frame_limit is not None and frame > knobs.frame_limit:
            what, found, limit = "frame", frame, knobs.frame_limit
        else:
            return False
        _log.warning("frame too large", size=found, limit=limit, user_id=session.user_id)
        words = f"a {what} may have {limit} bytes, not {found}"
        self._scribe.unreadable(session, text, "", words)
        session.close(TOO_BIG, words)
        return True


async def _show(viewing: Viewing, session: Session) -> None:
    """Hand news on as fast as the page reads; what it is too slow for is lost in the channel."""
    async for news in viewing:
        await session.wait_written()
        session.send_nowait(as_text(news))
