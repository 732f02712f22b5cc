"""What a service runs with, and how it shows itself while it runs.

How blocking work is run is a parameter everywhere, so that simulated time never meets a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol, TypeVar, TypeVarTuple

import attrs
from attrs.validators import deep_iterable, in_, instance_of, optional

from moobius_trio.types.ids import ChannelId, ServiceId, UserId
from moobius_trio.types.values import as_tuple

__all__ = ("RunSync", "ServiceStatus")

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class RunSync(Protocol):
    """Run ``fn(*args)`` off the event loop and give its result.

    In a thread usually. Under a simulated clock inline, because a thread's real time would let
    that clock jump hours ahead (docs/architecture.md section 9).
    """

    async def __call__(self, fn: Callable[[*Ts], T], /, *args: *Ts) -> T: ...


def _as_bands(values: Iterable[ChannelId]) -> tuple[ChannelId, ...]:
    return as_tuple(values)


@attrs.frozen(kw_only=True)
class ServiceStatus:
    """A live service, as it shows itself to other processes of its user.

    It comes from another process, so its values are checked.
    """

    name: str = attrs.field(validator=instance_of(str))
    """What spells find it by."""
    pid: int = attrs.field(validator=instance_of(int))
    service_id: ServiceId | UserId | None = attrs.field(
        validator=optional(instance_of(str))  # type: ignore[assignment]  # an id is a text
    )
    """Its id on the platform, of a `MoobiusUser` the user's; None while it starts."""
    bands: tuple[ChannelId, ...] = attrs.field(
        converter=_as_bands, validator=deep_iterable(instance_of(str))
    )
    state: str = attrs.field(validator=in_(("starting", "ready", "stopping")))
    """``starting``, ``ready`` or ``stopping``."""
    since: datetime = attrs.field(validator=instance_of(datetime))
    """When it was started, with its zone."""
