"""What the platform says to the sender of a frame, in whatever way the knobs have it.

Whether a frame is accepted is decided in ``rules`` and ``sessions``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import structlog

from moobius_trio.codec.generation0 import encode_for_service
from moobius_trio.local.faults import Faults
from moobius_trio.local.scribe import Scribe
from moobius_trio.local.session import Role, Session
from moobius_trio.local.sockets import POLICY_VIOLATION
from moobius_trio.local.state import State
from moobius_trio.types import Copy, PlatformError, RequestId

__all__ = ("Receipts",)

_log = structlog.get_logger()


class Receipts:
    """Answers frames."""

    def __init__(self, state: State, faults: Faults, scribe: Scribe) -> None:
        self._state = state
        self._scribe = scribe
        self._faults = faults

    def confirm(
        self, session: Session, request_id: RequestId, origin_type: str, words: str
    ) -> None:
        """The receipt for a frame that was accepted."""
        self._copy(session, request_id, origin_type, True, _context(words))

    def refuse(self, session: Session, request_id: RequestId, origin_type: str, words: str) -> None:
        """Tell that a frame was not accepted."""
        who = session.service_id or session.user_id
        _log.warning("frame refused", client=who, origin_type=origin_type, reason=words)
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

    def host_error(self, message: str) -> str:
        """A frame of the platform's host instead of one of the protocol."""
        error = PlatformError(
            message=message,
            connection_id=self._state.new_id(),
            request_id=RequestId(self._state.new_id()),
        )
        return encode_for_service(error)

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
        text = encode_for_service(copy)
        self._scribe.receipt(session, text, copy)
        if session.role is Role.USER:
            session.send_nowait(text)
        elif not self._faults.loses_copy():
            for _ in range(knobs.copies_times):
                session.after(knobs.copies_delay, partial(session.send_nowait, text))


def _context(words: str) -> Mapping[str, str]:
    """Clients differ in where they look for the words."""
    return {"msg": words, "message": words}
