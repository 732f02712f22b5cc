"""The caster's half of one conversation: what is sent when, and what the answers mean.

Pure: the clients of `core.remote` move the bytes. The point of it is that a caster is told the
truth about a spell that got no answer.
"""

from __future__ import annotations

from moobius_trio.core.spell_wire import (
    Accepted,
    Answer,
    Cast,
    Greeting,
    Raised,
    Refused,
    Request,
    Returned,
    Stopped,
    StopRequest,
    Unsendable,
    frame,
    parse_answer,
)
from moobius_trio.errors import (
    MalformedPayload,
    ServiceStopped,
    SpellRaised,
    SpellRefused,
    SpellTimedOut,
)
from moobius_trio.types import ServiceStatus

__all__ = ("Exchange",)


class Exchange:
    """One request to a service and its answers.

    Raises:
        TypeError: a spell that JSON does not know.
        ValueError: a spell that is too large or too deep, or a number that JSON does not know.
    """

    def __init__(self, name: str, request: Request) -> None:
        self.to_send = frame(request)
        """What is to be sent when `hear` says so."""
        self.done = False
        """True when no further answer is awaited."""
        self.result: object = None
        """What came of it, when `done`."""
        self._name = name
        self._request = request
        self._delivered: bool | None = False

    def hear(self, body: bytes) -> bool:
        """Take the body of an answer; True when `to_send` is to be sent now.

        Raises:
            SpellRefused, SpellRaised, ServiceStopped: as the answer says.
        """
        try:
            answer = parse_answer(body)
        except MalformedPayload as exc:
            raise SpellRefused(self._name, f"its answer makes no sense ({exc}).") from None
        if isinstance(answer, Greeting):
            self._delivered = None  # from now on nobody can tell before it answers
            return True
        self._take(answer)
        return False

    def _take(self, answer: Answer) -> None:
        waits = isinstance(self._request, StopRequest) or (
            isinstance(self._request, Cast) and self._request.wait
        )
        match answer:
            case Accepted():
                self._delivered = True
                self.done = not waits
            case Returned(value):
                self._end(value)
            case ServiceStatus():
                self._end(answer)
            case Raised(error, text):
                raise SpellRaised(self._name, error, text)
            case Unsendable(reason):
                raise SpellRefused(self._name, f"{reason}.", cast=True)
            case Refused(reason):
                raise SpellRefused(self._name, reason)
            case Stopped(begun):
                fate = "the spell was cancelled" if begun else "the spell was not cast"
                raise ServiceStopped(self._name, f"service {self._name} has stopped; {fate}.")
            case _:
                raise SpellRefused(self._name, "its answer makes no sense here.")

    def _end(self, result: object) -> None:
        self.result = result
        self.done = True

    def hear_end(self) -> None:
        """Take the end of the connection.

        Raises:
            ServiceStopped: it came too early.
        """
        if isinstance(self._request, StopRequest) and self._delivered:
            self.done = True  # its end is what the caller waits for
            return
        fate = {
            False: "nothing was handed to it",
            None: "it may have taken what was sent",
            True: "it had accepted the spell; what became of that is not known",
        }[self._delivered]
        raise ServiceStopped(self._name, f"service {self._name} has ended; {fate}.")

    def late(self, seconds: float) -> SpellTimedOut:
        """The error for a caster that waits no longer."""
        return SpellTimedOut(self._name, seconds, self._delivered)
