"""What the platform refuses or cannot do, and what does not fit on the wire."""

from __future__ import annotations

from collections.abc import Sequence

from moobius_trio.errors.base import MoobiusError

__all__ = (
    "AddressRefused",
    "ApiError",
    "ConnectionLost",
    "GroupUnknown",
    "LoginRejected",
    "MalformedPayload",
    "MessageTooLarge",
    "NotInGeneration",
    "OutboxFull",
    "SignInRefused",
    "Unreachable",
)


class Unreachable(MoobiusError):
    """The platform did not answer, so the service could not start.

    Attributes:
        address: the address that was tried, without credentials.
        attempts: how often.
        reason: what the last attempt ended with.
    """

    exit_code = 69

    def __init__(self, address: str, attempts: int, reason: str) -> None:
        super().__init__(
            f"{address} could not be reached in {attempts} attempts ({reason}). "
            "Check the address in service.json and that the platform is up."
        )
        self.address = address
        self.attempts = attempts
        self.reason = reason


class SignInRefused(MoobiusError):
    """The platform did not accept the account's e-mail and password.

    Attributes:
        email: the account.
        reason: the platform's own words.
    """

    exit_code = 77

    def __init__(self, email: str, reason: str) -> None:
        super().__init__(
            f"sign-in as {email} was refused ({reason}). "
            "Check email and password in service.json or MOOBIUS_EMAIL and MOOBIUS_PASSWORD."
        )
        self.email = email
        self.reason = reason


class LoginRejected(MoobiusError):
    """The platform refused the WebSocket login of a service, also with fresh tokens.

    Attributes:
        service_id: the service that was to be logged in.
        reason: the platform's own words.
    """

    exit_code = 77

    def __init__(self, service_id: str, reason: str) -> None:
        super().__init__(
            f"the login of service {service_id} was refused ({reason}). "
            "Check that service_id in service.json belongs to this account."
        )
        self.service_id = service_id
        self.reason = reason


class GroupUnknown(MoobiusError):
    """Whom a message is for cannot be said, so no handler was given it.

    Attributes:
        group_id: what the message names its recipients by.
        channel_id: the band it was said in.
        reason: why nobody can say who they are.
    """

    def __init__(self, group_id: str, channel_id: str, reason: str) -> None:
        super().__init__(
            f"group {group_id} of band {channel_id} cannot be resolved ({reason}), so the message "
            "to it was not handled. on_error has it, without its recipients."
        )
        self.group_id = group_id
        self.channel_id = channel_id
        self.reason = reason


class ApiError(MoobiusError):
    """An HTTP call did not give what it should (docs/protocol/generation-0.md section 2).

    Attributes:
        path: the path of the call, such as ``/service/bind``.
        code: the ``code`` of the platform's envelope; None when there was no envelope.
        message: the platform's own words, or what went wrong on the way.
        status: the HTTP status; None when there was no reply.
    """

    def __init__(
        self, path: str, message: str, *, code: int | None = None, status: int | None = None
    ) -> None:
        facts = [f"code {code}"] if code is not None else []
        facts += [f"HTTP {status}"] if status is not None else []
        super().__init__(f"{path}: {message}" + (f" ({', '.join(facts)})" if facts else ""))
        self.path = path
        self.code = code
        self.message = message
        self.status = status

    @property
    def unreachable(self) -> bool:
        """True when no reply came at all: the network failed, not the request."""
        return self.status is None


class NotInGeneration(MoobiusError):
    """The generation of the protocol that is spoken has no such call; nothing was asked.

    Attributes:
        call: the method that was called.
        protocol: what is spoken (``protocol`` in service.json).
    """

    exit_code = 78

    def __init__(self, call: str, protocol: str) -> None:
        super().__init__(
            f"{call} is not in protocol {protocol}, which is spoken here. "
            'It needs "protocol": "1.8" in service.json, and a platform that speaks it.'
        )
        self.call = call
        self.protocol = protocol


class AddressRefused(MoobiusError):
    """An address is not one that may be asked for a file; nothing was asked.

    Attributes:
        address: the address, without its query, which may hold a signature.
        reason: what is wrong with it.
    """

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(
            f"{address} is not downloaded: {reason}. "
            "Only https addresses of the open network are, and on this machine those of the "
            "local platform."
        )
        self.address = address
        self.reason = reason


class MalformedPayload(MoobiusError):
    """A text is not a payload of the protocol.

    Attributes:
        what: what was being read, such as ``msg_up``.
        faults: one line for each fault, with its path, such as
            ``required field missing @ body.channel_id``.
    """

    def __init__(self, what: str, faults: Sequence[str]) -> None:
        super().__init__(f"malformed {what}: " + "; ".join(faults))
        self.what = what
        self.faults = tuple(faults)


class MessageTooLarge(MoobiusError):
    """A frame would be larger than the platform takes; nothing was sent.

    Attributes:
        size: bytes the frame would have.
        limit: bytes allowed (``max_message_bytes`` in service.json).
    """

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"the message would be {size:,} bytes on the wire, at most {limit:,} are allowed; "
            "nothing was sent. Send less, or a link to an uploaded file."
        )
        self.size = size
        self.limit = limit


class OutboxFull(MoobiusError):
    """The queue of unsent frames stayed full; this one was not taken.

    Attributes:
        waited: seconds the call waited for room.
    """

    def __init__(self, waited: float) -> None:
        super().__init__(
            f"the outbox stayed full for {waited:g} s, so this was not queued. "
            "The platform is away or slower than the service: send less, or try again later."
        )
        self.waited = waited


class ConnectionLost(MoobiusError):
    """The socket is closed.

    Attributes:
        code: the WebSocket close code; None when there was no close frame.
        reason: the peer's words, or what the transport reported.
    """

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(f"the connection ended (close code {code}): {reason or 'no reason given'}")
        self.code = code
        self.reason = reason
