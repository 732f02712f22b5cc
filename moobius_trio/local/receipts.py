"""What the platform says to the sender of a frame, in whatever way the knobs have it.

Whether a frame is accepted is decided in ``rules`` and ``sessions``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import structlog

from moobius_trio.local.dialects import Dialects
from moobius_trio.local.faults import Faults
from moobius_trio.local.often import Often
from moobius_trio.local.rules import Outcome
from moobius_trio.local.scribe import Scribe
from moobius_trio.local.session import Role, Session
from moobius_trio.local.sockets import POLICY_VIOLATION
from moobius_trio.local.state import State
from moobius_trio.types import Copy, PlatformError, RequestId

__all__ = ("Receipts",)

_LOGINS_AT_ONCE: Final = 3
"""Refused logins of one connection that are answered without a pause."""

_LOGIN_SECONDS: Final = 1.0

_LOGINS_WAITING: Final = 100
"""Frames that may wait for a connection before a refused login more is too many."""

_log = structlog.get_logger()


class Receipts:
    """Answers frames."""

    def __init__(self, state: State, faults: Faults, scribe: Scribe, dialects: Dialects) -> None:
        self._state = state
        self._scribe = scribe
        self._dialects = dialects
        self._faults = faults
        self._refused_login = Often(lambda count: _log.warning("login refused", times=count))

    def confirm(
        self, session: Session, request_id: RequestId, origin_type: str, outcome: Outcome
    ) -> None:
        """The receipt for a frame that was accepted."""
        context = dict(_context(outcome.note))
        if outcome.msg_id:  # a word of ours: a user's client learns what its message is called
            context["message_id"] = outcome.msg_id
        self._copy(session, request_id, origin_type, True, context)

    def refuse(self, session: Session, request_id: RequestId, origin_type: str, words: str) -> None:
        """Tell that a frame was not accepted."""
        who = session.service_id or session.user_id
        _log.warning("frame refused", client=who, origin_type=origin_type, reason=words)
        self._answer_refused(session, request_id, origin_type, words)

    def _answer_refused(
        self, session: Session, request_id: RequestId, origin_type: str, words: str
    ) -> None:
        form = "words" if session.role is Role.USER else self._state.knobs.refusal_form
        match form:
            case "words":
                self._copy(session, request_id, origin_type, False, _context(words))
            case "bare":
                self._copy(session, request_id, origin_type, False, {})
            case "gateway":
                session.send_nowait(self.host_error("Forbidden"))
            case "close":
                session.close(POLICY_VIOLATION, "refused")
            case "silence":
                pass

    def refuse_login(
        self, session: Session, request_id: RequestId, origin_type: str, words: str
    ) -> None:
        """The same for a login; the fourth and later ones on a connection wait for a second.

        A client of the original logs in again after each refusal, at once and with the same token
        (docs/protocol/generation-0.md section 3.3): a thousand times a second.
        """
        self._refused_login.happened()
        session.refused_logins += 1
        answer = partial(self._answer_refused, session, request_id, origin_type, words)
        if session.refused_logins <= _LOGINS_AT_ONCE:
            answer()
        elif session.waiting < _LOGINS_WAITING:
            session.after(_LOGIN_SECONDS, answer)
        else:
            session.close(POLICY_VIOLATION, "too many refused logins")

    def tell_rest(self) -> None:
        """Log what was only counted so far."""
        self._refused_login.tell_rest()

    def host_error(self, message: str) -> str:
        """A frame of the platform's host instead of one of the protocol."""
        error = PlatformError(
            message=message,
            connection_id=self._state.new_id(),
            request_id=RequestId(self._state.new_id()),
        )
        return self._dialects.for_service(0, error)  # the host speaks alike in all generations

    def _copy(
        self,
        session: Session,
        request_id: RequestId,
        origin_type: str,
        status: bool,
        context: Mapping[str, str],
    ) -> None:
        knobs = self._state.knobs
        if knobs.copies_echo_id == "absent":
            return
        if knobs.copies_echo_id == "foreign":
            request_id = RequestId(self._state.new_id())
        copy = Copy(request_id=request_id, origin_type=origin_type, status=status, context=context)
        text = self._dialects.receipt(session, copy)
        self._scribe.receipt(session, text, copy)
        if session.role is Role.USER:
            session.send_nowait(text)
        elif not self._faults.loses_copy():
            for _ in range(knobs.copies_times):
                session.after(knobs.copies_delay, partial(session.send_nowait, text))


def _context(words: str) -> Mapping[str, str]:
    """Clients differ in where they look for the words."""
    return {"msg": words, "message": words}
