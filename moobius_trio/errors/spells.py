"""What becomes of a spell that was cast from another process, where it did not go well."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from moobius_trio.errors.authoring import ServiceStopped
from moobius_trio.errors.base import MoobiusError

__all__ = ("NoSuchService", "SpellRaised", "SpellRefused", "SpellTimedOut")


class NoSuchService(ServiceStopped):
    """No service of this name runs here under this user; nothing was handed to anybody.

    Attributes:
        name: the name that was asked for.
        running: the names there are.
    """

    exit_code = 69

    def __init__(self, name: str, running: Sequence[str]) -> None:
        near = difflib.get_close_matches(name, running, n=1)
        facts = f" Did you mean {near[0]}?" if near else ""
        facts += f" Running: {', '.join(running)}." if running else " None of this user's runs."
        super().__init__(
            name, f"no service {name} runs here.{facts} `moobius-trio ps` shows what runs."
        )
        self.running = tuple(running)


class SpellRefused(MoobiusError):
    """The service did not take a spell, or could not answer.

    Attributes:
        name: the service's name.
        reason: in its own words.
        cast: True if the spell was cast and only its value could not be sent; where it is False,
            nothing was done, and it may be tried again.
    """

    exit_code = 69

    def __init__(self, name: str, reason: str, *, cast: bool = False) -> None:
        what = "has cast the spell, but cannot answer" if cast else "refused"
        super().__init__(f"service {name} {what}: {reason}")
        self.name = name
        self.reason = reason
        self.cast = cast


class SpellRaised(MoobiusError):
    """`on_spell` raised, in the service's process; the traceback is not told to others.

    Attributes:
        name: the service's name.
        error: the class of what it raised, such as ``ValueError``.
        text: its text; both are cut to 1,000 characters.
    """

    def __init__(self, name: str, error: str, text: str) -> None:
        super().__init__(f"on_spell of service {name} raised {error}: {text}")
        self.name = name
        self.error = error
        self.text = text


class SpellTimedOut(MoobiusError, TimeoutError):
    """The service did not answer in time.

    Attributes:
        name: the service's name.
        seconds: how long it was waited for.
        delivered: False if it is certain that nothing was handed over, True if the service had
            accepted it and goes on with it, None if nobody can tell.
    """

    exit_code = 69

    def __init__(self, name: str, seconds: float, delivered: bool | None) -> None:
        fate = {
            False: "it is not delivered",
            None: "it may have been delivered",
            True: "it was accepted, and goes on",
        }[delivered]
        super().__init__(f"service {name} did not answer in {seconds:g} s; {fate}.")
        self.name = name
        self.seconds = seconds
        self.delivered = delivered
