"""The bands of a run by id. What a band is, and when one is added, is not known here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from moobius_trio.types import ChannelId

if TYPE_CHECKING:
    from moobius_trio.core.band import Band

__all__ = ("Bands",)


class Bands(Mapping[ChannelId, "Band"]):
    """Read-only for the author. A loop over it sees the bands of the moment when it began, so
    that it may await whatever it likes while a band is added."""

    def __init__(self, bands: Iterable[Band]) -> None:
        self._bands = {band.channel_id: band for band in bands}

    def add(self, band: Band) -> None:
        """Have one more, behind the others."""
        self._bands = {**self._bands, band.channel_id: band}

    def __getitem__(self, channel_id: ChannelId) -> Band:
        return self._bands[channel_id]

    def __contains__(self, channel_id: object) -> bool:  # Mapping's own goes through an exception
        return channel_id in self._bands

    def __iter__(self) -> Iterator[ChannelId]:
        return iter(self._bands)

    def __len__(self) -> int:
        return len(self._bands)

    def __repr__(self) -> str:
        return repr(self._bands)
