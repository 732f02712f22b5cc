"""What every part of ``HttpApi`` is made of. No call of the platform's may live here."""

from __future__ import annotations

from moobius_trio.errors import NotInGeneration
from moobius_trio.network.http.auth import Account
from moobius_trio.network.http.calls import ProtocolName
from moobius_trio.types import RunSync

__all__ = ("Subject",)


class Subject:
    """The calls about one subject, in either generation of the protocol."""

    _account: Account
    _protocol: ProtocolName
    _run_sync: RunSync

    @property
    def _old(self) -> bool:
        """True when generation 0 is spoken."""
        return self._protocol == "0.0.1"

    def _needs_generation_1(self, call: str) -> None:
        if self._old:
            raise NotInGeneration(call, self._protocol)
