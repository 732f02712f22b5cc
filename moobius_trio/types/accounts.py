"""What the HTTP side of the platform tells of accounts, services and uploads."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from moobius_trio.types.ids import ChannelId, ServiceId, as_channel_ids

__all__ = ("Secret", "ServiceInfo", "Tokens", "UploadTarget")


@attrs.frozen(repr=False)
class Secret:
    """A text that must not be seen: its repr and str are ``***``."""

    _value: str

    def reveal(self) -> str:
        """The text itself, for the one place that has to send it."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "***"


@attrs.frozen(kw_only=True)
class Tokens:
    """What a sign-in gives. ``refresh`` is None in the answer to a refresh."""

    access: Secret
    refresh: Secret | None = None


@attrs.frozen(kw_only=True)
class ServiceInfo:
    """A service of the account, with the bands it holds."""

    service_id: ServiceId
    channel_ids: tuple[ChannelId, ...] = attrs.field(default=(), converter=as_channel_ids)


@attrs.frozen(kw_only=True)
class UploadTarget:
    """Where a file may be posted, and the form fields to post before it, in order."""

    url: str
    fields: Mapping[str, str] = attrs.field(repr=False, hash=False)
