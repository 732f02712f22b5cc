"""What an author's code did, or asked for, that cannot be."""

from __future__ import annotations

from moobius_trio.errors.base import MoobiusError

__all__ = (
    "CallbackError",
    "HandlerTimedOut",
    "JobError",
    "MovedError",
    "NeverAwaited",
    "ServiceStopped",
)


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

    def __init__(self, name: str, text: str = "") -> None:
        super().__init__(text or f"service {name} is not running; nothing was handed to it.")
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
