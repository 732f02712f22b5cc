"""Every error the package raises on purpose: one root, facts as attributes, a remedy in words.

No module-level work, no I/O and no other module of the package may be used here. An error never
holds a secret: what it is given is what it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

__all__ = (
    "ApiError",
    "BandNotTaken",
    "CallbackError",
    "ConfigError",
    "ConnectionLost",
    "EmailTaken",
    "HandlerTimedOut",
    "JobError",
    "LoginRejected",
    "MalformedPayload",
    "MessageTooLarge",
    "MoobiusError",
    "MovedError",
    "NameTaken",
    "NeverAwaited",
    "NotLoaded",
    "OutboxFull",
    "ServiceStopped",
    "SignInRefused",
    "StorageError",
    "StorageTypeError",
    "StoreLocked",
    "Unreachable",
    "UsageError",
)


def _sentences(*parts: str) -> str:
    """The parts that are not empty, each with a full stop unless it ends with a mark of its own."""
    return " ".join(
        part if part.endswith((".", "?", "!")) else f"{part}." for part in parts if part
    )


class MoobiusError(Exception):
    """The root of the tree: catching it catches every error this package raises on purpose.

    ``exit_code`` is what ``moobius_trio.run`` and the command line end with when the error
    reaches them (docs/architecture.md section 10).
    """

    exit_code: ClassVar[int] = 1


class UsageError(MoobiusError):
    """A value on the command line cannot be used: a port in use, a path that is not there."""

    exit_code = 2


class ConfigError(MoobiusError):
    """A setting is wrong or missing.

    Attributes:
        where: the file or variable, with the key if there is one.
        problem: what is wrong with it.
        remedy: what to do; may be empty.
    """

    exit_code = 78

    def __init__(self, where: str, problem: str, remedy: str = "") -> None:
        super().__init__(_sentences(f"{where}: {problem}", remedy))
        self.where = where
        self.problem = problem
        self.remedy = remedy


class BandNotTaken(ConfigError):
    """None of the configured bands could be taken, so there is nothing to serve.

    Attributes:
        bands: one line for each band: id, reason, remedy.
    """

    def __init__(self, bands: Sequence[str]) -> None:
        super().__init__(
            "service.json, key channels", "no band could be taken: " + "; ".join(bands)
        )
        self.bands = tuple(bands)


class NameTaken(ConfigError):
    """Another live service on this machine has this name.

    Attributes:
        name: the name.
        pid: the process that runs it; None when it cannot be told.
    """

    def __init__(self, name: str, pid: int | None) -> None:
        super().__init__(
            f"service {name}",
            "a service of this name runs already" + (f" (pid {pid})" if pid is not None else ""),
            "Stop that one, or give this one another name (key name in service.json)",
        )
        self.name = name
        self.pid = pid


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


class EmailTaken(MoobiusError):
    """An account with this e-mail exists and the password given is not its password."""

    exit_code = 77


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


class HandlerTimedOut(MoobiusError):
    """A handler ran longer than its limit and was cancelled; other events go on.

    Attributes:
        handler: class and method.
        seconds: the limit (``handler_seconds`` in service.json).
    """

    def __init__(self, handler: str, seconds: float) -> None:
        super().__init__(
            f"{handler} was cancelled after {seconds:g} s. Long work belongs in "
            "self.start_soon(fn, …), blocking work in self.run_sync(fn); the limit is "
            "handler_seconds in service.json."
        )
        self.handler = handler
        self.seconds = seconds


class NeverAwaited(MoobiusError):
    """An async function was called without ``await``, so it did nothing.

    Attributes:
        call: the function's name.
        handler: class and method that called it; empty when that is not known.
        where: file and line of the call.
    """

    def __init__(self, call: str, handler: str, where: str) -> None:
        super().__init__(
            f"{call} was called without await"
            + (f" in {handler}" if handler else "")
            + f", at {where}; it did nothing. Write `await` before the call."
        )
        self.call = call
        self.handler = handler
        self.where = where


class ServiceStopped(MoobiusError):
    """The service is not running, so what was asked of it will not happen.

    Attributes:
        name: the service's name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"service {name} is not running; nothing was handed to it.")
        self.name = name


class CallbackError(MoobiusError, TypeError):
    """A method ``on_…`` of a service class is not one the SDK would ever call.

    Raised when the class is created, so that a misspelt handler cannot stay silent.

    Attributes:
        where: class and method, such as ``Demo.on_join_chanel``.
    """

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where} {problem}")
        self.where = where


class JobError(MoobiusError, ValueError):
    """A job cannot be made or found: its schedule, its function or its name is wrong.

    Attributes:
        where: what was to be a job, such as ``@cron on Demo.nightly``.
        problem: what is wrong with it, with the remedy.
    """

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where = where
        self.problem = problem


class MovedError(MoobiusError, TypeError, AttributeError):
    """A name or form of another SDK, or of an older one, was used; the text names ours."""


class StorageError(MoobiusError):
    """A store could not keep or give what was asked.

    Attributes:
        where: the store, with container and key if there are any.
        problem: what happened.
    """

    exit_code = 78  # it ends a process only when a store cannot be opened

    def __init__(self, where: str, problem: str, remedy: str = "") -> None:
        super().__init__(_sentences(f"{where}: {problem}", remedy))
        self.where = where
        self.problem = problem


class StorageTypeError(StorageError, TypeError):
    """A value cannot be stored.

    Attributes:
        container: the container.
        key: the record's key.
        path: where inside the value, such as ``['hats'][2]``; empty for the value itself.
    """

    exit_code = 1

    def __init__(self, container: str, key: object, path: str, problem: str) -> None:
        super().__init__(f"{container}[{key!r}]{path}", problem)
        self.container = container
        self.key = key
        self.path = path


class NotLoaded(StorageError):
    """A container with ``load: false`` was touched before its records were there."""

    exit_code = 1

    def __init__(self, container: str) -> None:
        super().__init__(
            container, "its records are not loaded yet", "Use `await container.load()` first"
        )
        self.container = container


class StoreLocked(StorageError):
    """Another process has the store open.

    Attributes:
        pid: the other process; None when it cannot be told.
    """

    def __init__(self, where: str, pid: int | None) -> None:
        super().__init__(
            where,
            "another process has it open" + (f" (pid {pid})" if pid is not None else ""),
            "Stop that process first",
        )
        self.pid = pid
